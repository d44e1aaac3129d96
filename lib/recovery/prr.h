/* Proportional rate reduction: how much may be sent during recovery, so that flight comes down to the
 * new window evenly over a round trip instead of by silence and then a burst. RFC 9937.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_PRR_H
#define TERN_RECOVERY_PRR_H

#include "base/def.h"

struct tern_prr {
    bool is_on;
    uint64_t target;     /* ssthresh: the window that recovery ends with, bytes */
    uint64_t recover_fs; /* bytes in flight when it began */
    uint64_t delivered, out;
    uint64_t room; /* sndcnt, less what was sent since the last ACK */
};

/* Recovery begins: `in_flight` with the losses that began it. One datagram may go at once. */
void tern_prr_begin(struct tern_prr *prr, uint64_t in_flight, uint64_t target, size_t datagram);

/* An ACK in recovery. in_flight: afterwards; is_safe: it told of no further loss. */
void tern_prr_on_ack(struct tern_prr *prr, uint64_t delivered, uint64_t in_flight, bool is_safe,
                     size_t datagram);
void tern_prr_on_sent(struct tern_prr *prr, uint64_t bytes);
void tern_prr_end(struct tern_prr *prr);

#endif
