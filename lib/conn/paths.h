/* The path in use: addresses, validation, the amplification limit, and what was measured on it.
 *
 * One path is live at a time. When an authentic packet comes from a new remote address, the path
 * moves there at once but counts as unvalidated until its PATH_RESPONSE is back; the old address is
 * remembered and returned to when the new one does not answer (RFC 9000 section 9.3).
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

#define TERN_PATH_CHALLENGE_SIZE 8
#define TERN_PATH_RESPONSES_MAX  4 /* [P §14]: unsent PATH_RESPONSE frames (S1) */

struct tern_path {
    tern_addr local, remote;
    tern_addr fallback; /* where to return to; family 0: none */
    tern_addr fallback_local;
    bool is_validated;
    bool fallback_validated;
    bool wants_challenge; /* a PATH_CHALLENGE must leave */
    bool has_challenge;   /* one is out and unanswered */
    uint8_t challenge[TERN_PATH_CHALLENGE_SIZE];
    tern_time challenge_until; /* give up and return then */
    tern_time challenge_again; /* repeat it then */
    uint64_t received, sent;   /* bytes since the path is unvalidated; 3x limit */
    uint8_t responses[TERN_PATH_RESPONSES_MAX][TERN_PATH_CHALLENGE_SIZE];
    size_t response_count;
    struct tern_rtt rtt;
    struct tern_cc cc;
    struct tern_rate rate;
    uint64_t delivery_rate; /* bytes a second, the newest valid sample */
    struct tern_pacer pacer;
    struct tern_pmtud pmtud;
    struct tern_ecn ecn;
};

void tern_path_init(struct tern_path *path, const tern_addr *local, const tern_addr *remote,
                    const struct tern_cc_ops *cc, tern_time initial_rtt, tern_time now);

/* Another controller, or another pace of the same one, from now on. */
void tern_path_set_cc(struct tern_path *path, const struct tern_cc_ops *cc, tern_time now);

/* Bytes arrived, whether they opened or not. */
void tern_path_on_received(struct tern_path *path, size_t len);
/* Bytes that may leave: three times what came, until the address is proved (RFC 9000 §8.1). */
uint64_t tern_path_allowance(const struct tern_path *path);
void tern_path_validate(struct tern_path *path);

/* The peer moved: follow, and ask the new address to prove itself. */
void tern_path_move(struct tern_path *path, const tern_addr *local, const tern_addr *remote,
                    struct tern_random *random, const struct tern_cc_ops *cc, tern_time initial_rtt,
                    size_t len, tern_time pto, tern_time now);
void tern_path_on_challenge_sent(struct tern_path *path, tern_time pto, tern_time now);
/* True when it answers our challenge. */
bool tern_path_on_response(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE]);
/* challenge_again or challenge_until has come. True when the path was given up for its fallback. */
bool tern_path_on_timer(struct tern_path *path, tern_time now);

/* Queues a PATH_RESPONSE; beyond the bound the oldest wins and this one is dropped. */
void tern_path_on_challenge(struct tern_path *path, const uint8_t data[TERN_PATH_CHALLENGE_SIZE]);
void tern_path_on_response_sent(struct tern_path *path);

#endif
