/* Credit: what we granted the peer and how it grows, what the peer granted us (RFC 9000 §4).
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_FLOW_H
#define TERN_STREAM_FLOW_H

#include "base/def.h"

/* Receive credit of a stream (offsets) or of the connection (sums over its streams). */
struct tern_flow_in {
    uint64_t limit;    /* as last sent to the peer; more than this is its error */
    uint64_t received; /* largest offset seen, or the sum of those */
    uint64_t consumed; /* taken by the application, or discarded */
    uint64_t window, window_max;
    uint64_t epoch_consumed; /* autotuning: consumed when this epoch began, */
    tern_time epoch_start;   /* and when that was */
    bool has_epoch;
    bool was_spent; /* in this epoch the peer had next to no credit left */
};

/* Send credit, as the peer granted it. */
struct tern_flow_out {
    uint64_t limit, used;
    uint64_t told; /* limit for which we said BLOCKED */
    bool has_told;
};

void tern_flow_in_init(struct tern_flow_in *f, uint64_t window, uint64_t window_max);
bool tern_flow_in_allows(const struct tern_flow_in *f, uint64_t growth);
uint64_t tern_flow_in_next(const struct tern_flow_in *f); /* the limit that we would send now */
bool tern_flow_in_is_due(const struct tern_flow_in *f);   /* and is it worth a frame? */

/* Doubles the window when more than half of it was consumed in less than two round trips; or in less
 * than four, if the peer ran out of credit: where a packet is lost twice, what came after it can be
 * consumed only so much later. It is consumption that counts, not arrival: a peer that withholds byte 0
 * moves nothing. To be called with each arrival; rtt 0 means unknown. */
void tern_flow_in_tune(struct tern_flow_in *f, tern_time rtt, tern_time now);

void tern_flow_out_init(struct tern_flow_out *f, uint64_t limit);
uint64_t tern_flow_out_credit(const struct tern_flow_out *f);
bool tern_flow_out_raise(struct tern_flow_out *f, uint64_t limit); /* false: no news */
/* Should BLOCKED be said? Once for each value of the limit (RFC 9000 §4.1). */
bool tern_flow_out_wants_blocked(const struct tern_flow_out *f);

#endif
