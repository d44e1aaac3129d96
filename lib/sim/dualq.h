/* A dual queue with a coupled AQM (RFC 9332): a short one for ECT(1), one for all others, and marks in
 * both so that their flows share alike. DualPI2, simplified.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_DUALQ_H
#define TERN_SIM_DUALQ_H

#include "sim/clock.h"
#include "sim/codel.h"

#define TERN_DUALQ_TARGET (15 * TERN_MSEC) /* of the classic queue */

/* tern_dualq_init, then tern_dualq_update before the other questions at each moment. */
struct tern_dualq {
    tern_time target;
    tern_time update_at, last_delay;
    uint64_t base;  /* p', in 2^-32: twice that in the low queue, its square in the classic one */
    uint64_t count; /* towards the next mark in the low queue, in 2^-32 */
    int64_t credit; /* of the classic queue for its turn, in tenths of bytes */
};

/* Zero asks for the default. What was learned is kept. */
void tern_dualq_init(struct tern_dualq *dualq, tern_time target);

/* Whether a packet of this mark goes into the low queue: ECT(1) and CE, RFC 9331 §5.1. */
static inline bool tern_dualq_is_low(uint8_t ecn)
{
    return (ecn & 1) != 0;
}

/* How long the first of each queue has waited at `now`; 0 for an empty one. */
void tern_dualq_update(struct tern_dualq *dualq, tern_time low, tern_time classic, tern_time now);

/* Both queues have a packet: whose turn is it? Sizes are those of the two packets. */
bool tern_dualq_picks_low(struct tern_dualq *dualq, size_t low_size, size_t classic_size);

/* About the packet whose turn it is. is_alone: no other waits behind it. */
enum tern_verdict tern_dualq_judge_low(struct tern_dualq *dualq, tern_time waited, bool is_alone);
enum tern_verdict tern_dualq_judge_classic(const struct tern_dualq *dualq, bool is_capable,
                                           struct tern_chance *chance);

#endif
