/* Careful resume: what a path was found to carry, and a start from that memory which proves it anew.
 * draft-ietf-tsvwg-careful-resume; the names in comments are the draft's.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_RECALL_H
#define TERN_RECOVERY_RECALL_H

#include "recovery/rate.h"

/* The best delivery rate of the last ten to twenty seconds: with the least round trip the volume that
 * is delivered in one, without what stood in queues. */
struct tern_capacity {
    uint64_t best[2]; /* bytes a second; [0] of the interval before */
    tern_time since;
};

void tern_capacity_note(struct tern_capacity *capacity, const struct tern_rate_sample *sample,
                        tern_time now);
/* Bytes a round trip; 0: nothing is known. */
uint64_t tern_capacity_volume(const struct tern_capacity *capacity, tern_time min_rtt);

enum tern_recall_phase {
    TERN_RECALL_NONE,       /* nothing is remembered, or it is over */
    TERN_RECALL_SCOUTING,   /* Reconnaissance: the first window must arrive whole */
    TERN_RECALL_JUMPED,     /* Unvalidated: half of what is remembered is let out */
    TERN_RECALL_VALIDATING, /* it is all out, and not yet acknowledged */
    TERN_RECALL_RETREATING  /* Safe Retreat: some of it was lost */
};

struct tern_recall {
    uint64_t volume;       /* saved_cwnd */
    tern_time min_rtt;     /* saved_rtt */
    uint64_t pipe;         /* PipeSize: what has arrived since the jump, and was in flight then */
    uint64_t first_window; /* IW, bytes */
    uint64_t first_until;  /* the `delivered` mark when it has arrived */
    uint64_t from, until;  /* packet numbers sent in JUMPED; until: valid afterwards */
    tern_time jumped_at;
    uint64_t window; /* in RETREATING */
    enum tern_recall_phase phase;
};

struct tern_cc;
struct tern_cc_ack;
struct tern_cc_loss;

/* At the beginning, while hardly more than the handshake has been sent. */
void tern_recall_begin(struct tern_cc *cc, uint64_t volume, tern_time min_rtt,
                       const struct tern_rate *rate);

/* After the controller has dealt with them. */
void tern_recall_on_ack(struct tern_cc *cc, const struct tern_cc_ack *ack, tern_time now);
void tern_recall_on_loss(struct tern_cc *cc, const struct tern_cc_loss *loss, tern_time now);

#endif
