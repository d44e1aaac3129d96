/* Rounds, their minimum RTT, and the conservative phase that may turn out unneeded.
 * SPDX-License-Identifier: MIT */
#include "recovery/hystart.h"

/* RFC 9406 §4.3 */
#define MIN_RTT_THRESH     (4 * TERN_MSEC)
#define MAX_RTT_THRESH     (16 * TERN_MSEC)
#define MIN_RTT_DIVISOR    8
#define N_RTT_SAMPLE       8
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

static tern_time threshold(const struct tern_hystart *h)
{
    tern_time eta = h->last_round_min / MIN_RTT_DIVISOR;
    return TERN_MAX(MIN_RTT_THRESH, TERN_MIN(eta, MAX_RTT_THRESH));
}

static bool has_grown(const struct tern_hystart *h)
{
    return h->samples >= N_RTT_SAMPLE && h->this_round_min != TERN_TIME_NEVER &&
           h->last_round_min != TERN_TIME_NEVER &&
           h->this_round_min >= h->last_round_min + threshold(h);
}

bool tern_hystart_on_ack(struct tern_hystart *h, tern_time rtt_sample, uint64_t acked_pn,
                         uint64_t next_pn)
{
    if (!h->has_round) {
        begin_round(h, next_pn);
    }
    if (rtt_sample > 0) {
        h->this_round_min = TERN_MIN(h->this_round_min, rtt_sample);
        h->samples++;
    }
    if (!h->in_css && has_grown(h)) {
        h->in_css = true;
        h->baseline_min = h->this_round_min;
        h->css_rounds = 0;
    } else if (h->in_css && h->samples >= N_RTT_SAMPLE && h->this_round_min < h->baseline_min) {
        h->in_css = false; /* it was jitter: slow start goes on */
        h->baseline_min = TERN_TIME_NEVER;
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
