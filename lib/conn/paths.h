/* One path: addresses, validation, the amplification limit, and what was measured on it.
 *
 * A connection has one path in use and at most two others beside it, which only carry probes:
 * conn/migrate.h says how they come and go. RFC 9000 sections 8 and 9.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_PATHS_H
#define TERN_CONN_PATHS_H

#include "base/random.h"
#include "recovery/cc.h"
#include "recovery/ecn.h"
#include "recovery/pacer.h"
#include "recovery/pmtud.h"
#include "recovery/rate.h"
#include "recovery/rtt.h"
#include "wire/header.h"

#define TERN_PATH_CHALLENGE_SIZE 8
#define TERN_PATH_PATIENCE       3 /* PTOs, RFC 9000 §8.2.4 */
#define TERN_PATH_RESPONSES_MAX  4 /* [P §14]: unsent PATH_RESPONSE frames */

/* What each packet on it wants comes first, up to TERN_PATH_HOT bytes: conn/conn.h says why. */
struct tern_path {
    tern_addr local, remote;
    struct tern_cid used; /* ours, that the peer's packets on it bear */
    uint8_t id; /* in the books of sent packets; a path of which only the port changed keeps it */
    bool is_validated;
    bool wants_challenge; /* a PATH_CHALLENGE must leave */
    bool has_challenge;   /* one is out and unanswered */
    bool is_short;        /* it left in less than 1200 bytes: what the path carries is not proved */
    size_t response_count;
    tern_time challenge_until; /* give up then */
    tern_time challenge_again; /* repeat it then */
    uint64_t received, sent;   /* bytes since the path is unvalidated; 3x limit */
    struct tern_rtt rtt;
    struct tern_cc cc;
    struct tern_rate rate;
    uint64_t delivery_rate; /* bytes a second, the newest valid sample */
    struct tern_capacity capacity;
    struct tern_pacer pacer;
    struct tern_ecn ecn;
    struct tern_pmtud pmtud;
    /* Of questions and answers. */
    uint64_t cid; /* sequence of the peer's identifier that we send to on it */
    uint8_t challenge[TERN_PATH_CHALLENGE_SIZE];
    tern_time challenged_at; /* it left, once; 0: repeated since, an answer tells no round trip */
    tern_time drop_at;       /* of a path beside the one in use: nobody needs it any more */
    uint8_t responses[TERN_PATH_RESPONSES_MAX][TERN_PATH_CHALLENGE_SIZE];
};
#define TERN_PATH_HOT (offsetof(struct tern_path, pmtud) + offsetof(struct tern_pmtud, probe))

/* A path with what belongs to it. */
struct tern_path_room {
    struct tern_path path; /* comes first: who frees it frees the room */
    struct tern_cc_state cc;
};

void tern_path_init(struct tern_path *path, struct tern_cc_state *state, const tern_addr *local,
                    const tern_addr *remote, const struct tern_cc_ops *cc, tern_time initial_rtt,
                    tern_time now);

/* The whole of another path. */
void tern_path_copy(struct tern_path *path, const struct tern_path *from);

/* A memory of this path, from an earlier connection. */
void tern_path_recall(struct tern_path *path, const tern_path_memory *memory);

/* Another controller, or another pace of the same one, from now on. */
void tern_path_set_cc(struct tern_path *path, const struct tern_cc_ops *cc, tern_time now);

/* Bytes arrived, whether they opened or not. */
void tern_path_on_received(struct tern_path *path, size_t len);
/* Bytes that may leave: three times what came, until the address is proved (RFC 9000 §8.1). */
uint64_t tern_path_allowance(const struct tern_path *path);
void tern_path_validate(struct tern_path *path);

/* RFC 9000 §9.4: only another port on the same host is most likely a NAT that forgot, over the same
 * network, so that what was learnt about the path still holds. */
bool tern_path_is_same_host(const tern_addr *a, const tern_addr *b);
/* Another network: round trip, window, pacing and datagram size begin anew. `id` is a fresh one.
 * What is in flight under it stays in flight. */
void tern_path_measure_afresh(struct tern_path *path, const struct tern_cc_ops *cc,
                              tern_time initial_rtt, tern_time now);
/* Takes over what was measured on another path to the same host. */
void tern_path_inherit(struct tern_path *path, const struct tern_path *from);

/* The address has to prove itself, at most until the given time; NEVER: until three PTO after the first
 * challenge has left. */
void tern_path_ask(struct tern_path *path, struct tern_random *random, tern_time until);
void tern_path_on_challenge_sent(struct tern_path *path, tern_time pto, tern_time now);
/* True when it answers our challenge: the path is validated. */
bool tern_path_on_response(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE]);
/* challenge_again or challenge_until has come. True when no answer came in time. */
bool tern_path_on_timer(struct tern_path *path, tern_time now);

/* Queues a PATH_RESPONSE; beyond the bound the oldest wins and this one is dropped. */
void tern_path_on_challenge(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE]);
void tern_path_on_response_sent(struct tern_path *path);
/* Has a PATH frame to send. */
bool tern_path_wants(const struct tern_path *path);

#endif
