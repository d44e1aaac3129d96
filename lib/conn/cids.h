/* Connection identifiers: those we issued (packets to us bear them) and those the peer issued.
 * RFC 9000 section 5.1, [P §11].
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_CIDS_H
#define TERN_CONN_CIDS_H

#include <tern/config.h>

#include "base/map.h"
#include "wire/header.h"

#define TERN_CIDS_LIMIT       4  /* active identifiers in each direction, [P §14] */
#define TERN_CIDS_RETIRE_MAX  16 /* RETIRE_CONNECTION_ID frames queued at most */
#define TERN_RESET_TOKEN_SIZE 16

struct tern_cid_local {
    uint64_t sequence;
    struct tern_cid cid;
    bool is_used, wants_send; /* a NEW_CONNECTION_ID frame is owed */
};

struct tern_cid_remote {
    uint64_t sequence;
    struct tern_cid cid;
    uint8_t reset_token[TERN_RESET_TOKEN_SIZE];
    bool is_used, has_token;
    bool is_taken; /* a path sends to it, or did: no other may (RFC 9000 §9.5) */
};

/* How identifiers of ours begin, for those who steer by it. */
struct tern_cid_shape {
    uint8_t rotation; /* QUIC-LB §3: 0..6 */
    uint8_t prefix_len;
    uint8_t prefix[TERN_CID_PREFIX_MAX];
};
struct tern_cid_shape tern_cid_shape_of(const tern_config *config);

/* What each packet wants comes first: conn/conn.h says why. */
struct tern_cids {
    size_t unsent; /* of ours, of which the peer has not been told */
    size_t retire_count;
    size_t active; /* index in remote of the one in use */
    struct tern_cid_remote remote[TERN_CIDS_LIMIT];
    struct tern_cid_shape shape;
    struct tern_map *routes; /* the endpoint's, from identifier to connection */
    void *owner;             /* what the routes point to */
    /* The destination that the client chose at first; routed on servers. */
    struct tern_cid original;
    bool original_is_routed;
    struct tern_cid_local local[TERN_CIDS_LIMIT];
    uint64_t next_sequence;
    uint64_t told;                         /* the peer may know of numbers below it */
    uint64_t retire_prior_to;              /* highest that the peer asked for */
    uint64_t newest;                       /* the highest number of the peer's that has come */
    uint64_t seen;                         /* bit n: newest - n has come, and may be gone again */
    uint64_t peer_limit;                   /* its active_connection_id_limit */
    uint64_t retire[TERN_CIDS_RETIRE_MAX]; /* sequence numbers that we owe a RETIRE for */
};

void tern_cids_init(struct tern_cids *cids, struct tern_map *routes, void *owner);
void tern_cids_clear(struct tern_cids *cids); /* takes all routes away */

/* A fresh identifier of 8 bytes; the first octet carries its length as QUIC-LB lays it out. shape NULL: no
 * prefix, rotation 0. */
void tern_cid_generate(struct tern_cid *out, const struct tern_cid_shape *shape,
                       struct tern_random *random);

/* Has it the form of one that this end issues, another server's number not being in it? Others it has never
 * had, and answers nothing for them. */
bool tern_cid_may_be_ours(const struct tern_cid *cid, const struct tern_cid_shape *shape);

/* Issues our next identifier and routes it. 0 · TERN_ERR_LIMIT · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_cids_issue(struct tern_cids *cids, struct tern_random *random,
                                    bool wants_send);
TERN_MUST_CHECK int tern_cids_route_original(struct tern_cids *cids, const struct tern_cid *cid);
void tern_cids_drop_original(struct tern_cids *cids);

/* Issues up to the peer's limit, once the handshake is done. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_cids_fill(struct tern_cids *cids, struct tern_random *random);

/* The identifier to send to on the path in use. */
const struct tern_cid *tern_cids_remote(const struct tern_cids *cids);

/* Identifiers for other paths, by sequence. Claim takes one that no packet was sent to yet; false: the
 * peer has given none. Release retires it. A peer may retire them first, then remote_by is NULL. */
TERN_MUST_CHECK bool tern_cids_claim(struct tern_cids *cids, uint64_t *sequence);
void tern_cids_release(struct tern_cids *cids, uint64_t sequence);
const struct tern_cid *tern_cids_remote_by(const struct tern_cids *cids, uint64_t sequence);
uint64_t tern_cids_active(const struct tern_cids *cids); /* sequence of tern_cids_remote */
void tern_cids_activate(struct tern_cids *cids, uint64_t sequence); /* nothing if it is gone */
/* The handshake's first identifier of the peer (its SCID), sequence 0. */
void tern_cids_set_remote(struct tern_cids *cids, const struct tern_cid *cid);

/* NEW_CONNECTION_ID. 0 · TERN_ERR_PROTOCOL · TERN_ERR_CONNECTION_ID_LIMIT */
TERN_MUST_CHECK int tern_cids_on_new(struct tern_cids *cids, uint64_t sequence,
                                     uint64_t retire_prior_to, const struct tern_cid *cid,
                                     const uint8_t token[TERN_RESET_TOKEN_SIZE]);
/* RETIRE_CONNECTION_ID in a packet that came to `used`. 0 · TERN_ERR_PROTOCOL · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_cids_on_retire(struct tern_cids *cids, uint64_t sequence,
                                        const struct tern_cid *used, struct tern_random *random);

/* Frames owed. */
struct tern_cid_local *tern_cids_next_new(struct tern_cids *cids); /* NULL: none */
void tern_cids_on_new_sent(struct tern_cids *cids, struct tern_cid_local *slot);
void tern_cids_on_new_lost(struct tern_cids *cids, uint64_t sequence);
struct tern_cid_local *tern_cids_find_local(struct tern_cids *cids, uint64_t sequence);
bool tern_cids_next_retire(const struct tern_cids *cids, uint64_t *sequence);
void tern_cids_on_retire_sent(struct tern_cids *cids, uint64_t sequence);
void tern_cids_on_retire_lost(struct tern_cids *cids, uint64_t sequence);
bool tern_cids_wants(const struct tern_cids *cids);

#endif
