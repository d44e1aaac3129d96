/* Tokens in bytes, earned by time at a rate, in integers only so that every machine agrees.
 * SPDX-License-Identifier: MIT */
#include "recovery/pacer.h"

#define BURST_DATAGRAMS 2
#define LATE_DATAGRAMS  10 /* RFC 9002 §7.7: a burst may be an initial window */
#define LATE_MSECS      4

static uint64_t burst_of(uint64_t rate, size_t datagram)
{
    return TERN_MAX(BURST_DATAGRAMS * (uint64_t)datagram, rate / 1000); /* what 1 ms carries */
}

void tern_pacer_init(struct tern_pacer *pacer, size_t datagram)
{
    memset(pacer, 0, sizeof *pacer);
    pacer->burst = burst_of(0, datagram);
    pacer->tokens = pacer->burst;
}

/* Earns what the time since the last look is worth. */
static void earn(struct tern_pacer *pacer, tern_time now)
{
    if (now <= pacer->at) {
        return;
    }
    tern_time elapsed = now - pacer->at;
    pacer->at = now;
    if (pacer->rate > (UINT64_MAX - TERN_SEC) / elapsed) { /* more than any bucket holds */
        pacer->tokens = pacer->burst;
        pacer->fraction = 0;
        return;
    }
    uint64_t earned = pacer->rate * elapsed + pacer->fraction;
    pacer->fraction = earned % TERN_SEC;
    pacer->tokens = TERN_MIN(tern_add_sat(pacer->tokens, earned / TERN_SEC), pacer->burst);
}

void tern_pacer_set_rate(struct tern_pacer *pacer, uint64_t rate, size_t datagram, tern_time now)
{
    earn(pacer, now);
    pacer->rate = rate;
    pacer->burst = burst_of(rate, datagram);
    pacer->tokens = TERN_MIN(pacer->tokens, pacer->burst);
}

uint64_t tern_pacer_budget(struct tern_pacer *pacer, tern_time now)
{
    if (pacer->rate == 0) {
        return UINT64_MAX;
    }
    earn(pacer, now);
    return pacer->tokens >= pacer->burst ? UINT64_MAX : pacer->tokens;
}

void tern_pacer_on_sent(struct tern_pacer *pacer, size_t bytes, tern_time now)
{
    if (pacer->rate > 0) {
        earn(pacer, now);
        pacer->tokens = tern_sub_sat(pacer->tokens, bytes);
    }
}

void tern_pacer_catch_up(struct tern_pacer *pacer, size_t datagram, tern_time late, tern_time now)
{
    uint64_t most = TERN_MAX(LATE_DATAGRAMS * (uint64_t)datagram, pacer->rate / 1000 * LATE_MSECS);
    bool is_much = late > 0 && pacer->rate > UINT64_MAX / late;
    uint64_t missed = is_much ? most : pacer->rate * late / TERN_SEC;
    earn(pacer, now);
    pacer->tokens = TERN_MAX(pacer->tokens, TERN_MIN(tern_add_sat(missed, datagram), most));
}

tern_time tern_pacer_next(const struct tern_pacer *pacer, size_t bytes)
{
    uint64_t wanted = TERN_MIN((uint64_t)bytes, pacer->burst);
    if (pacer->rate == 0 || pacer->tokens >= wanted) {
        return 0;
    }
    uint64_t missing = (wanted - pacer->tokens) * TERN_SEC - pacer->fraction;
    return pacer->at + 1 + (missing - 1) / pacer->rate; /* rounded up */
}
