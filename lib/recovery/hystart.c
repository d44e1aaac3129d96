/* Rounds, their minimum RTT, and the conservative phase that may turn out unneeded.
 * SPDX-License-Identifier: MIT */
#include "recovery/hystart.h"

/* RFC 9406 §4.3 */
#define MIN_RTT_THRESH     (4 * TERN_MSEC)
#define MAX_RTT_THRESH     (16 * TERN_MSEC)
#define MIN_RTT_DIVISOR    8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS         5

void tern_hystart_init(struct tern_hystart *h)
{
    memset(h, 0, sizeof *h);
    h->last_round_min = h->this_round_min = h->baseline_min = TERN_TIME_NEVER;
}

static void begin_round(struct tern_hystart *h, uint64_t next_pn)
{
    h->last_round_min = h->this_round_min;
    h->this_round_min = TERN_TIME_NEVER;
    h->samples = 0;
    h->round_end = next_pn;
    h->has_round = true;
}

static tern_time delay_threshold(const struct tern_hystart *h)
{
    tern_time eta = h->last_round_min / MIN_RTT_DIVISOR;
    return TERN_MAX(MIN_RTT_THRESH, TERN_MIN(eta, MAX_RTT_THRESH));
}

/* The least of the latest samples; NEVER: there are too few in this round. */
static tern_time recent_min(const struct tern_hystart *h)
{
    tern_time least = h->recent[0];
    for (size_t i = 1; i < TERN_HYSTART_SAMPLES; i++) {
        least = TERN_MIN(least, h->recent[i]);
    }
    return h->samples < TERN_HYSTART_SAMPLES ? TERN_TIME_NEVER : least;
}

static void note_sample(struct tern_hystart *h, tern_time rtt)
{
    h->this_round_min = TERN_MIN(h->this_round_min, rtt);
    h->recent[h->samples++ % TERN_HYSTART_SAMPLES] = rtt;
}

/* Into careful slow start, out of it in either direction. True: slow start is over. */
static bool judge_round(struct tern_hystart *h)
{
    tern_time recent = recent_min(h);
    if (recent == TERN_TIME_NEVER || h->last_round_min == TERN_TIME_NEVER) {
        return false;
    }
    if (h->in_css && recent < h->baseline_min) {
        h->in_css = false; /* it was jitter: slow start goes on */
        h->baseline_min = TERN_TIME_NEVER;
    } else if (h->in_css) {
        return recent >= h->baseline_min + 2 * delay_threshold(h);
    } else if (recent >= h->last_round_min + delay_threshold(h)) {
        h->in_css = true;
        h->baseline_min = recent;
        h->css_rounds = 0;
    }
    return false;
}

bool tern_hystart_on_ack(struct tern_hystart *h, tern_time rtt_sample, uint64_t acked_pn,
                         uint64_t next_pn)
{
    if (!h->has_round) {
        begin_round(h, next_pn);
    }
    if (rtt_sample > 0) {
        note_sample(h, rtt_sample);
        if (judge_round(h)) {
            return true;
        }
    }
    if (acked_pn < h->round_end) {
        return false;
    }
    begin_round(h, next_pn);
    return h->in_css && ++h->css_rounds >= CSS_ROUNDS;
}

uint64_t tern_hystart_growth(const struct tern_hystart *h, uint64_t acked)
{
    return h->in_css ? acked / CSS_GROWTH_DIVISOR : acked;
}
