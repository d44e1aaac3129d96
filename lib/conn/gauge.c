/* Two windows of a second: one that fills, and the one before it.
 * SPDX-License-Identifier: MIT */
#include "conn/gauge.h"

#define WINDOW TERN_SEC
#define WHOLE  10000

void tern_gauge_on_rtt(struct tern_gauge *gauge, tern_time sample, tern_time delay)
{
    tern_time before = gauge->transit;
    gauge->transit = TERN_MAX(tern_sub_sat(sample, delay), (tern_time)1);
    if (before > 0) {
        tern_time change = TERN_MAX(gauge->transit, before) - TERN_MIN(gauge->transit, before);
        gauge->jitter = (15 * gauge->jitter + change) / 16;
    }
}

/* What has been delivered and lost since the last look. Another path counts from 0 again; and what was not
 * lost after all is taken back. */
static void add_rate(struct tern_gauge_counts *counts, const struct tern_gauge *gauge,
                     const struct tern_rate *rate)
{
    bool is_afresh = rate->delivered < gauge->delivered;
    uint64_t lost = is_afresh ? 0 : gauge->lost;
    counts->delivered += rate->delivered - (is_afresh ? 0 : gauge->delivered);
    counts->lost = tern_sub_sat(counts->lost + rate->lost, lost);
}

void tern_gauge_on_ack(struct tern_gauge *gauge, const struct tern_rate *rate, uint64_t ect,
                       uint64_t ce, tern_time now)
{
    bool had_any = gauge->from > 0; /* else what was counted before is of who knows when */
    tern_time age = tern_sub_sat(now, gauge->from);
    if (age >= WINDOW) {
        gauge->before = age < 2 * WINDOW ? gauge->now : (struct tern_gauge_counts){0};
        gauge->now = (struct tern_gauge_counts){0};
        gauge->from = now;
    }
    if (had_any) {
        add_rate(&gauge->now, gauge, rate);
    }
    gauge->now.ect += ect;
    gauge->now.ce += ce;
    gauge->delivered = rate->delivered;
    gauge->lost = rate->lost;
}

static unsigned portion(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : (unsigned)(TERN_MIN(part, all) * WHOLE / all);
}

void tern_gauge_read(const struct tern_gauge *gauge, const struct tern_rate *rate, unsigned *loss,
                     unsigned *ce)
{
    struct tern_gauge_counts now = gauge->now;
    if (gauge->from > 0) {
        add_rate(&now, gauge, rate);
    }
    uint64_t lost = now.lost + gauge->before.lost;
    *loss = portion(lost, lost + now.delivered + gauge->before.delivered);
    *ce = portion(now.ce + gauge->before.ce, now.ect + gauge->before.ect);
}
