/* DualPI2: the figures and the pseudocode of RFC 9332 appendix A, in integers.
 * SPDX-License-Identifier: MIT */
#include "sim/dualq.h"

/* RFC 9332 §A.1: for round trips of up to 100 ms. alpha 0.16 and beta 3 a second, here in 2^-32 a
 * nanosecond and thousandths. */
#define INTERVAL   (16 * TERN_MSEC)
#define ALPHA      687
#define BETA       12885
#define MOST       ((uint64_t)UINT32_MAX)
#define COUPLING   2
#define DELAY_MOST TERN_SEC

/* RFC 9332 §A.2: the low queue's own ramp, around the millisecond that marks begin at. */
#define RAMP_FROM (800 * TERN_USEC)
#define RAMP      (400 * TERN_USEC)

/* One byte in ten is the classic queue's by right. */
#define CLASSIC_SHARE 1
#define LOW_SHARE     9

void tern_dualq_init(struct tern_dualq *dualq, tern_time target)
{
    dualq->target = target > 0 ? target : TERN_DUALQ_TARGET;
}

/* RFC 9332 §A.1, dualpi2_update: proportional and integral. */
static void step(struct tern_dualq *dualq, tern_time delay)
{
    delay = delay < DELAY_MOST ? delay : DELAY_MOST;
    int64_t now = (int64_t)delay, last = (int64_t)dualq->last_delay;
    int64_t target = (int64_t)(dualq->target < DELAY_MOST ? dualq->target : DELAY_MOST);
    int64_t base =
        (int64_t)dualq->base + (now - target) * ALPHA / 1000 + (now - last) * BETA / 1000;
    base = base > 0 ? base : 0;
    dualq->base = (uint64_t)base < MOST ? (uint64_t)base : MOST;
    dualq->last_delay = delay;
}

void tern_dualq_update(struct tern_dualq *dualq, tern_time low, tern_time classic, tern_time now)
{
    if (now < dualq->update_at) {
        return;
    }
    bool was_idle = now - dualq->update_at > 64 * INTERVAL;
    if (dualq->update_at == 0 || was_idle) { /* by then all is forgotten */
        dualq->base = dualq->last_delay = 0;
        dualq->update_at = now;
    }
    step(dualq, classic > low ? classic : low);
    dualq->update_at += INTERVAL;
    while (dualq->update_at <= now) { /* nothing was there to be asked about */
        step(dualq, 0);
        dualq->update_at += INTERVAL;
    }
}

bool tern_dualq_picks_low(struct tern_dualq *dualq, size_t low_size, size_t classic_size)
{
    if (dualq->credit <= 0) {
        dualq->credit += (int64_t)low_size * CLASSIC_SHARE;
        return true;
    }
    dualq->credit -= (int64_t)classic_size * LOW_SHARE;
    return false;
}

/* RFC 9332 §A.1, recur: with even spaces, not by chance. */
enum tern_verdict tern_dualq_judge_low(struct tern_dualq *dualq, tern_time waited, bool is_alone)
{
    uint64_t coupled = COUPLING * dualq->base, own = 0;
    if (!is_alone && waited > RAMP_FROM) {
        tern_time above = waited - RAMP_FROM;
        own = above >= RAMP ? MOST + 1 : above * MOST / RAMP;
    }
    dualq->count += own > coupled ? own : coupled < MOST ? coupled : MOST + 1;
    if (dualq->count <= MOST) {
        return TERN_VERDICT_PASS;
    }
    dualq->count -= MOST + 1;
    return TERN_VERDICT_MARK;
}

enum tern_verdict tern_dualq_judge_classic(const struct tern_dualq *dualq, bool is_capable,
                                           struct tern_chance *chance)
{
    if (!tern_chance_hits(chance, dualq->base * dualq->base >> 11)) {
        return TERN_VERDICT_PASS;
    }
    return is_capable ? TERN_VERDICT_MARK : TERN_VERDICT_DROP;
}
