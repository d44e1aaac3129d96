/* Whether a path carries ECN marks to the peer and back, by counting: RFC 9000 section 13.4.2.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_ECN_H
#define TERN_RECOVERY_ECN_H

#include "base/def.h"

#define TERN_ECN_NONE 0u
#define TERN_ECN_ECT1 1u
#define TERN_ECN_ECT0 2u
#define TERN_ECN_CE   3u

enum tern_ecn_state {
    TERN_ECN_TESTING, /* the first packets are marked */
    TERN_ECN_UNKNOWN, /* ... and now we wait for what the peer says of them */
    TERN_ECN_CAPABLE,
    TERN_ECN_FAILED /* marks are lost, changed, or not reported: no more of them on this path */
};

/* What an ACK frame reports, in packets since the space began. */
struct tern_ecn_counts {
    uint64_t ect0, ect1, ce;
};

struct tern_ecn {
    enum tern_ecn_state state;
    uint8_t kind; /* TERN_ECN_ECT0, or TERN_ECN_ECT1 for a scalable controller (RFC 9331 §4.1) */
    uint8_t mark; /* on the packets being built; `kind` or TERN_ECN_NONE */
    /* Of the test: when the first packet was sent, and what left before is none; NEVER until it is; and how many of its
     * packets are lost, of how many. */
    tern_time test_from, test_until;
    uint64_t tested_lost, tested;
    uint64_t sent_ect0, sent_ect1; /* on all paths: bounds what the peer may report */
    struct tern_ecn_counts peer;   /* as last reported */
    uint64_t owed_ect0, owed_ect1; /* acknowledged since, without counts */
};

void tern_ecn_init(struct tern_ecn *ecn);
/* Another path: it is tested anew; the counts go on. */
void tern_ecn_restart(struct tern_ecn *ecn);
/* The kind of mark from now on; another one than before is tested anew. */
void tern_ecn_use(struct tern_ecn *ecn, uint8_t kind);

/* Chooses the mark for what is sent next; three_pto bounds the test. */
void tern_ecn_choose(struct tern_ecn *ecn, tern_time three_pto, tern_time now);
void tern_ecn_on_sent(struct tern_ecn *ecn); /* a packet with a mark left */
/* ... and was declared lost. True when with it the whole test is lost: then it was the marks, and no
 * congestion. */
bool tern_ecn_on_lost(struct tern_ecn *ecn, tern_time sent_at);

/* An ACK that raised the largest acknowledged number. counts NULL: it reported none, which is no failure until
 * so many marked packets were acknowledged by such ACKs that one with counts should have come. acked_ect0 and
 * acked_ect1: packets with such marks that it newly acknowledged. True when packets were marked by
 * congestion on the way. */
bool tern_ecn_on_ack(struct tern_ecn *ecn, const struct tern_ecn_counts *counts,
                     uint64_t acked_ect0, uint64_t acked_ect1);

const char *tern_ecn_name(enum tern_ecn_state state);

#endif
