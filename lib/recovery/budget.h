/* A ceiling on what a connection sends, whatever its controller allows: bytes earned by time, and debt.
 *
 * Unlike the pacer's bucket, which spreads what a window allows and lets the urgent pass for nothing, this
 * one counts every byte that leaves: what may not wait is paid for by what can. [P §9.8]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_BUDGET_H
#define TERN_RECOVERY_BUDGET_H

#include "base/def.h"

/* Bytes a second: more is no limit worth keeping. */
#define TERN_BUDGET_RATE_MAX (UINT64_C(1) << 33)

struct tern_budget {
    uint64_t rate;     /* bytes a second; 0: none */
    int64_t tokens;    /* below 0: debt, at most a second's worth or two datagrams */
    int64_t depth;     /* the most tokens: 20 ms worth or a datagram */
    uint64_t fraction; /* nanosecond-bytes not yet worth a token */
    tern_time at;      /* tokens are those of then; 0: not looked at yet */
};

/* All zero at first, which is none. What was earned or is owed stays. */
void tern_budget_set(struct tern_budget *budget, uint64_t rate);

/* When the next datagram of at most this size may leave; not after `now`: at once. */
tern_time tern_budget_next(struct tern_budget *budget, size_t datagram, tern_time now);
/* So many bytes have left, allowed or not. */
void tern_budget_on_sent(struct tern_budget *budget, size_t bytes, tern_time now);

#endif
