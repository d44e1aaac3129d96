/* What a player sees of the path: jitter, loss and marks of late, from what acknowledgements tell.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_GAUGE_H
#define TERN_CONN_GAUGE_H

#include "base/def.h"
#include "recovery/rate.h"

struct tern_gauge_counts {
    uint64_t delivered, lost; /* bytes */
    uint64_t ect, ce; /* packets with a mark of ours that arrived, and those a queue marked */
};

struct tern_gauge {
    tern_time jitter;
    tern_time transit;        /* the latest round trip less the peer's delay; 0: none yet */
    uint64_t delivered, lost; /* of struct tern_rate, as last looked at */
    tern_time from;           /* since when `now` counts */
    struct tern_gauge_counts now, before; /* of this second, and of the one that went before */
};

/* A sample of the round trip, of which the peer says that it waited `delay`. RFC 3550 §6.4.1: the mean
 * difference from one to the next, smoothed over sixteen. */
void tern_gauge_on_rtt(struct tern_gauge *gauge, tern_time sample, tern_time delay);

/* An ACK has been worked through: so many of our marked packets were new in it, and so many CE. */
void tern_gauge_on_ack(struct tern_gauge *gauge, const struct tern_rate *rate, uint64_t ect,
                       uint64_t ce, tern_time now);

/* In ten-thousandths, of one to two seconds before the latest ACK, and all since. */
void tern_gauge_read(const struct tern_gauge *gauge, const struct tern_rate *rate, unsigned *loss,
                     unsigned *ce);

#endif
