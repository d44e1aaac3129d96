/* Tokens and debt in integers, as the pacer has them.
 * SPDX-License-Identifier: MIT */
#include "recovery/budget.h"

#define BURST         (20 * TERN_MSEC)        /* what a frame of a game may send at once */
#define SECONDS_WORTH ((tern_time)(1u << 20)) /* fills any bucket, and does not overflow */

void tern_budget_set(struct tern_budget *budget, uint64_t rate)
{
    if (rate == 0) {
        memset(budget, 0, sizeof *budget);
    }
    budget->rate = TERN_MIN(rate, TERN_BUDGET_RATE_MAX);
}

static void accrue(struct tern_budget *budget, tern_time now)
{
    tern_time elapsed = tern_sub_sat(now, budget->at);
    uint64_t seconds = TERN_MIN(elapsed / TERN_SEC, SECONDS_WORTH);
    uint64_t rest = budget->rate * (elapsed % TERN_SEC) + budget->fraction;
    budget->at = TERN_MAX(budget->at, now);
    budget->fraction = rest % TERN_SEC;
    int64_t earned = (int64_t)(budget->rate * seconds + rest / TERN_SEC);
    budget->tokens = TERN_MIN(budget->tokens + earned, budget->depth);
}

tern_time tern_budget_next(struct tern_budget *budget, size_t datagram, tern_time now)
{
    if (budget->rate == 0) {
        return 0;
    }
    uint64_t burst = budget->rate / (TERN_SEC / BURST);
    budget->depth = (int64_t)TERN_MAX((uint64_t)datagram, burst);
    accrue(budget, now);
    if (budget->tokens > 0) {
        return 0;
    }
    uint64_t missing = (uint64_t)(1 - budget->tokens) * TERN_SEC - budget->fraction;
    return budget->at + 1 + (missing - 1) / budget->rate; /* rounded up */
}

void tern_budget_on_sent(struct tern_budget *budget, size_t bytes, tern_time now)
{
    if (budget->rate > 0) {
        int64_t most = TERN_MAX((int64_t)budget->rate, 2 * budget->depth);
        accrue(budget, now);
        budget->tokens = TERN_MAX(budget->tokens - (int64_t)bytes, -most);
    }
}
