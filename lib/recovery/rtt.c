/* RTT estimation: RFC 9002 section 5, in its order.
 * SPDX-License-Identifier: MIT */
#include "recovery/rtt.h"

void tern_rtt_init(struct tern_rtt *rtt, tern_time initial)
{
    memset(rtt, 0, sizeof *rtt);
    rtt->smoothed = initial;
    rtt->variation = initial / 2; /* RFC 9002 §5.3 */
}

void tern_rtt_update(struct tern_rtt *rtt, tern_time sample, tern_time ack_delay, tern_time now)
{
    rtt->latest = sample;
    if (!rtt->has_sample) {
        rtt->has_sample = true;
        rtt->first_sample_at = now;
        rtt->min = rtt->smoothed = sample;
        rtt->variation = sample / 2;
        return;
    }
    rtt->min = TERN_MIN(rtt->min, sample); /* without the peer's delay: it may lie */
    tern_time adjusted = sample;
    if (sample >= tern_add_sat(rtt->min, ack_delay)) {
        adjusted = sample - ack_delay;
    }
    tern_time deviation =
        rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;
    rtt->variation = (3 * rtt->variation + deviation) / 4;
    rtt->smoothed = (7 * rtt->smoothed + adjusted) / 8;
}

void tern_rtt_on_persistent(struct tern_rtt *rtt)
{
    rtt->min = rtt->latest;
}

tern_time tern_rtt_pto(const struct tern_rtt *rtt, tern_time max_ack_delay)
{
    return rtt->smoothed + TERN_MAX(4 * rtt->variation, TERN_RTT_GRANULARITY) + max_ack_delay;
}

tern_time tern_rtt_loss_delay(const struct tern_rtt *rtt)
{
    tern_time longest = TERN_MAX(rtt->smoothed, rtt->latest);
    return TERN_MAX(longest + longest / 8, TERN_RTT_GRANULARITY);
}
