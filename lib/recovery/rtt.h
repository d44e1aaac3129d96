/* Round-trip time of one path: samples in, smoothed value, variation, minimum and PTO out.
 * RFC 9002 section 5.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_RTT_H
#define TERN_RECOVERY_RTT_H

#include "base/def.h"

#define TERN_RTT_GRANULARITY TERN_MSEC /* RFC 9002 §6.1.2: kGranularity */

struct tern_rtt {
    tern_time latest, smoothed, variation, min;
    tern_time first_sample_at; /* when the first sample came; persistent congestion needs it */
    bool has_sample;
};

void tern_rtt_init(struct tern_rtt *rtt, tern_time initial);

/* One sample. ack_delay is the peer's claim, already capped by its max_ack_delay when the handshake
 * is confirmed; it never takes the sample below the minimum (RFC 9002 §5.3). */
void tern_rtt_update(struct tern_rtt *rtt, tern_time sample, tern_time ack_delay, tern_time now);

/* Persistent congestion: the path may be another one, so that the least round trip is that of the
 * newest sample (RFC 9002 §5.2). */
void tern_rtt_on_persistent(struct tern_rtt *rtt);

/* srtt + max(4 var, granularity) + max_ack_delay, without backoff (RFC 9002 §6.2.1). */
tern_time tern_rtt_pto(const struct tern_rtt *rtt, tern_time max_ack_delay);

/* max(smoothed, latest) * 9/8, at least the granularity (RFC 9002 §6.1.2). */
tern_time tern_rtt_loss_delay(const struct tern_rtt *rtt);

#endif
