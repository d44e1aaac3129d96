/* Credit: what we granted the peer and how it grows, what the peer granted us (RFC 9000 §4).
 * SPDX-License-Identifier: MIT */
#include "stream/flow.h"

#include "base/cursor.h"

void tern_flow_in_init(struct tern_flow_in *f, uint64_t window, uint64_t window_max)
{
    *f = (struct tern_flow_in){
        .limit = window, .window = window, .window_max = TERN_MAX(window, window_max)};
}

bool tern_flow_in_allows(const struct tern_flow_in *f, uint64_t growth)
{
    return growth <= tern_sub_sat(f->limit, f->received);
}

uint64_t tern_flow_in_next(const struct tern_flow_in *f)
{
    uint64_t next = tern_add_sat(f->consumed, f->window);
    return TERN_MAX(f->limit, TERN_MIN(next, TERN_VARINT_MAX));
}

/* An eighth of a window at a time. By halves, a window that is twice what a path holds in flight is just
 * enough: half of it waits for the reader, or for the word that it has read. */
bool tern_flow_in_is_due(const struct tern_flow_in *f)
{
    uint64_t gain = tern_flow_in_next(f) - f->limit;
    return gain > 0 && gain >= f->window / 8;
}

void tern_flow_in_tune(struct tern_flow_in *f, tern_time rtt, tern_time now)
{
    f->was_spent = f->was_spent || tern_sub_sat(f->limit, f->received) < f->window / 8;
    if (f->has_epoch && f->consumed - f->epoch_consumed <= f->window / 2) {
        return;
    }
    tern_time rtts = f->was_spent ? 4 : 2;
    bool is_fast = f->has_epoch && tern_sub_sat(now, f->epoch_start) / rtts < rtt;
    if (is_fast && f->window < f->window_max) {
        f->window = f->window > f->window_max / 2 ? f->window_max : 2 * f->window;
    }
    f->epoch_consumed = f->consumed;
    f->epoch_start = now;
    f->has_epoch = true;
    f->was_spent = false;
}

void tern_flow_out_init(struct tern_flow_out *f, uint64_t limit)
{
    *f = (struct tern_flow_out){.limit = limit};
}

uint64_t tern_flow_out_credit(const struct tern_flow_out *f)
{
    return tern_sub_sat(f->limit, f->used);
}

/* RFC 9000 §4.1: limits that do not grow are ignored. */
bool tern_flow_out_raise(struct tern_flow_out *f, uint64_t limit)
{
    if (limit <= f->limit) {
        return false;
    }
    f->limit = limit;
    return true;
}

bool tern_flow_out_wants_blocked(const struct tern_flow_out *f)
{
    return tern_flow_out_credit(f) == 0 && (!f->has_told || f->told != f->limit);
}
