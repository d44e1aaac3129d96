/* The door: what becomes of a first Initial packet, judged by its tokens and by how full the house is.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_DOOR_H
#define TERN_ENDPOINT_DOOR_H

#include "conn/conn.h"
#include "conn/grant.h"
#include "conn/proofs.h"
#include "crypto/strikes.h"
#include "endpoint/hosts.h"
#include "endpoint/throttle.h"

struct tern_door {
    struct tern_proofs proofs;
    struct tern_retry_keys retry_keys;
    struct tern_throttle throttle;
    struct tern_hosts hosts;
    bool was_keyed;   /* whoever came last knew our public key: so will the next, probably */
    bool wants_grant; /* only who has a connect token comes in */
    uint8_t connect_key[TERN_CONNECT_KEY_SIZE];
    struct tern_strikes used;                /* connect tokens */
    uint64_t opened_at;                      /* seconds since 1970 */
    struct tern_grant grant;                 /* of the packet that is judged */
    struct tern_strikes shown;               /* address tokens */
    bool is_shown;                           /* ... one of them in the packet that is judged ... */
    uint8_t shown_id[TERN_TOKEN_NONCE_SIZE]; /* ... and which */
};

enum tern_door_answer {
    TERN_DOOR_ADMIT,
    TERN_DOOR_RETRY,  /* let it show first that it is where it says */
    TERN_DOOR_REFUSE, /* and say why */
    TERN_DOOR_DROP
};

#define TERN_DOOR_CROWDED "too many connections from this address"
#define TERN_DOOR_USED    "the connect token was used already"

struct tern_door_verdict {
    enum tern_door_answer answer;
    int error; /* REFUSE: the TERN_ERR_* that it is told, and words for its user */
    const char *reason;
};

/* Nothing in the packet was opened yet, and nothing of it but its header is looked at. Fills in what the
 * tokens say about `first`. Takes no memory. */
struct tern_door_verdict tern_door_judge(struct tern_endpoint *ep, struct tern_conn_first *first,
                                         const struct tern_header *header, tern_time now);

/* Who was judged last has come in: what proved its address proves nothing a second time (RFC 9000 §8.1.4). */
void tern_door_use_up(struct tern_door *door, tern_time now);

#endif
