/* The Noise handshake in CRYPTO frames: three messages, then keys for everything. [P §4]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_HANDSHAKE_H
#define TERN_CONN_HANDSHAKE_H

#include "conn/conn.h"
#include "crypto/cpace.h"
#include "crypto/noise.h"

#define TERN_EARLY_PACKETS_MAX 10         /* [P §4.5]: 1-RTT packets kept until message 3 */
#define TERN_EARLY_BYTES_MAX   15000      /* ... and their bytes together */
#define TERN_EARLY_TOTAL_MAX   (1u << 20) /* ... and those of all handshakes of an endpoint */

struct tern_retry_before;

struct tern_early_packet {
    uint8_t *data;
    size_t len;
    uint8_t ecn;
};

struct tern_resume;
struct tern_early;

/* What a client knows until message 3, and a server needs only while it answers message 1. */
struct tern_handshake_work {
    uint8_t psk[TERN_SECRET_SIZE];  /* a client's, until it has gone into the Noise state */
    struct tern_cpace cpace;        /* with a one-time code */
    uint8_t session[TERN_KEY_SIZE]; /* the client's ephemeral key, which CPace begins with */
    struct tern_code code;          /* a client's */
    uint8_t own_secret[TERN_KEY_SIZE], own_public[TERN_KEY_SIZE]; /* an anonymous client's */
    const uint8_t *static_secret; /* of which end we are: the endpoint's, or `own` */
    const uint8_t *static_public;
    const uint8_t *ticket; /* in message 1: in `resume`, or lent while the message is worked on */
    size_t ticket_len;
    uint8_t *kem_room; /* as struct tern_noise_setup wants it: a client's is kem_seed */
    uint8_t kem_seed[TERN_KEM_SEED_SIZE];
    struct tern_cid server_scid;       /* a client's: of the Initial packet being worked on */
    uint8_t server_key[TERN_KEY_SIZE]; /* a client's: the key that is pinned (XK) */
};

struct tern_handshake {
    struct tern_noise noise;
    /* A client's own; lent to a server while it answers message 1. */
    struct tern_handshake_work *work;
    bool has_noise;
    uint8_t pattern;
    bool is_partial;  /* the message is longer than a packet, and some of it is here */
    bool is_keyed;    /* Initial keys include the server's public key */
    uint16_t offered; /* suites that the client named */
    uint8_t psk_id_len;
    uint8_t psk_id[TERN_CODE_SLOT_MAX]; /* the number in front of a one-time code */
    struct tern_params peer_params;     /* what of them outlives this is in conn->peer_terms */
    struct tern_resume *resume;         /* on clients that try early data */
    struct tern_early *early_rx;        /* on servers that take it */
    struct tern_cid original_dcid;      /* what the client first sent to */
    struct tern_cid initial_dcid;       /* the same, or a Retry's SCID: Initial keys come from it */
    bool has_retry;
    struct tern_retry_before *before; /* on clients: what a Retry has put aside, or NULL */
    uint8_t *token;             /* on clients: for the header of each Initial packet, or NULL */
    size_t token_len, kept_len; /* kept_len: of its front part, which outlives a Retry */
    struct tern_cid client_scid;
    struct tern_early_packet *early; /* room for TERN_EARLY_PACKETS_MAX, or NULL */
    size_t early_count, early_bytes;
    tern_time again_at; /* while dormant: message 2 is said again then */
};

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_new(struct tern_handshake **out,
                                       const struct tern_conn_env *env);
/* Wipes; NULL is fine. */
void tern_handshake_free(struct tern_handshake *hs, struct tern_conn_env *env);

/* A client's choice of mode, from whom it wants to reach.
 * 0 · TERN_ERR_INVALID · TERN_ERR_UNSUPPORTED (hybrid) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_choose(struct tern_conn *conn, const tern_peer *peer);

/* Installs the Initial keys. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_install_initial(struct tern_conn *conn);

/* Installs a server's Handshake keys, if message 2 is written and they are not there: not before something
 * wants them, for most connections are folded meanwhile. Without memory there are none. */
void tern_handshake_install_due(struct tern_conn *conn);

/* A client's message 1 into the Initial CRYPTO stream. 0 or an error of ours. */
TERN_MUST_CHECK int tern_handshake_start(struct tern_conn *conn);

/* New CRYPTO bytes are readable at a level: does what they allow.
 * 0 · TERN_ERR_AGAIN (a message did not verify: drop it and wait for the true one) · any other
 * error ends the connection */
TERN_MUST_CHECK int tern_handshake_on_crypto(struct tern_conn *conn, enum tern_level level,
                                             tern_time now);

/* The Noise message that an Initial packet can bring has verified: on a server message 1, on a client
 * message 2. Initial keys follow from what any observer sees (and, in XK, from a public key), so that
 * nothing else in such a packet is believed. */
bool tern_handshake_has_verified(const struct tern_conn *conn);

/* A client's first 1-RTT packet from the server has opened: it knows the secret that we know.
 * 0 · TERN_ERR_REFUSED (our application does not want it all the same) */
TERN_MUST_CHECK int tern_handshake_on_proof(struct tern_conn *conn);

/* Keeps a 1-RTT packet that came before message 3; beyond the bound it is dropped. */
void tern_handshake_keep_early(struct tern_handshake *hs, struct tern_conn_env *env,
                               const uint8_t *data, size_t len, uint8_t ecn);
/* They are taken out and freed elsewhere, or here. */
void tern_handshake_drop_early(struct tern_handshake *hs, struct tern_conn_env *env);

#endif
