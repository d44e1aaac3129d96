/* The Noise handshake in CRYPTO frames: three messages, then keys for everything. [P §4]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_HANDSHAKE_H
#define TERN_CONN_HANDSHAKE_H

#include "conn/conn.h"
#include "crypto/noise.h"

/* Pattern octet of message 1, [P §4.3]. */
#define TERN_PATTERN_XX 0x01u
#define TERN_PATTERN_XK 0x02u

#define TERN_EARLY_PACKETS_MAX 10         /* [P §4.5]: 1-RTT packets kept until message 3 */
#define TERN_EARLY_BYTES_MAX   15000      /* ... and their bytes together */
#define TERN_EARLY_TOTAL_MAX   (1u << 20) /* ... and those of all handshakes of an endpoint */

struct tern_retry_before;

struct tern_early_packet {
    uint8_t *data;
    size_t len;
    uint8_t ecn;
};

struct tern_handshake {
    struct tern_noise noise;
    bool has_noise;
    uint8_t pattern;
    bool is_keyed;                 /* Initial keys include the server's public key */
    uint16_t offered;              /* suites that the client named */
    struct tern_cid original_dcid; /* what the client first sent to */
    struct tern_cid
        initial_dcid; /* the same, or after a Retry its SCID: Initial keys follow from it */
    bool has_retry;
    struct tern_retry_before *before; /* on clients: what a Retry has put aside, or NULL */
    uint8_t *token;             /* on clients: for the header of each Initial packet, or NULL */
    size_t token_len, kept_len; /* kept_len: of its front part, which outlives a Retry */
    struct tern_cid client_scid;
    struct tern_cid server_scid;       /* on clients: of the Initial packet being worked on */
    uint8_t server_key[TERN_KEY_SIZE]; /* on clients: the key that is pinned (XK) */
    struct tern_early_packet *early;   /* room for TERN_EARLY_PACKETS_MAX, or NULL */
    size_t early_count, early_bytes;
    tern_time again_at; /* while dormant: message 2 is said again then */
};

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_new(struct tern_handshake **out, struct tern_mem *mem);
void tern_handshake_free(struct tern_handshake *hs,
                         struct tern_conn_env *env); /* wipes; NULL is fine */

/* Installs the Initial keys. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_install_initial(struct tern_conn *conn);

/* Installs the Handshake keys, which follow from the state after message 2. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_handshake_install_handshake(struct tern_conn *conn);

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

/* Keeps a 1-RTT packet that came before message 3; beyond the bound it is dropped. */
void tern_handshake_keep_early(struct tern_handshake *hs, struct tern_conn_env *env,
                               const uint8_t *data, size_t len, uint8_t ecn);
/* They are taken out and freed elsewhere, or here. */
void tern_handshake_drop_early(struct tern_handshake *hs, struct tern_conn_env *env);

#endif
