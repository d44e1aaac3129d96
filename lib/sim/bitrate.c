/* How long bits take on a link whose rate may change along a trace.
 * SPDX-License-Identifier: MIT */
#include "sim/bitrate.h"

#include "sim/clock.h"

void tern_bitrate_init(struct tern_bitrate *rate, const tern_link_config *config)
{
    *rate = (struct tern_bitrate){.fixed = config->rate, .peak = config->rate};
    if (config->trace != NULL && config->trace_count > 0) {
        rate->points = config->trace;
        rate->count = config->trace_count;
        rate->start = config->trace_start;
        rate->period = config->trace_period;
        rate->peak = 0;
    }
    if (rate->count > 0 && rate->period <= rate->points[rate->count - 1].at) {
        rate->period = 0;
    }
    for (size_t i = 0; i < rate->count; i++) {
        rate->peak = rate->points[i].rate > rate->peak ? rate->points[i].rate : rate->peak;
    }
}

/* How far into the trace this moment is. A trace that repeats has always done so. */
static tern_time phase_of(const struct tern_bitrate *rate, tern_time at)
{
    if (rate->period == 0) {
        return at > rate->start ? at - rate->start : 0;
    }
    if (at >= rate->start) {
        return (at - rate->start) % rate->period;
    }
    tern_time before = (rate->start - at) % rate->period;
    return before > 0 ? rate->period - before : 0;
}

/* The first point after this phase. */
static size_t next_point(const struct tern_bitrate *rate, tern_time phase)
{
    size_t low = 0, high = rate->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rate->points[middle].at <= phase) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The rate now, and for how long it stays. */
static uint64_t rate_at(const struct tern_bitrate *rate, tern_time at, tern_time *span)
{
    *span = TERN_TIME_NEVER;
    if (rate->count == 0) {
        return rate->fixed;
    }
    tern_time phase = phase_of(rate, at);
    size_t next = next_point(rate, phase);
    if (next < rate->count) {
        *span = rate->points[next].at - phase;
        /* A trace that does not repeat: how far its start is away counts too. */
        if (rate->period == 0 && at < rate->start) {
            *span = tern_time_add(*span, rate->start - at);
        }
    } else if (rate->period > 0) {
        *span = rate->period - phase;
    }
    if (next == 0) {
        return rate->points[rate->period > 0 ? rate->count - 1 : 0].rate;
    }
    return rate->points[next - 1].rate;
}

tern_time tern_bitrate_pass(struct tern_bitrate *rate, size_t bytes, tern_time at)
{
    uint64_t left = (uint64_t)bytes * 8 * TERN_SEC + rate->remainder; /* bit-nanoseconds */
    if (!tern_bitrate_is_finite(rate)) {
        return at;
    }
    if (rate->peak == 0) {
        return TERN_TIME_NEVER;
    }
    while (at < TERN_TIME_NEVER) {
        tern_time span;
        uint64_t now = rate_at(rate, at, &span);
        if (now > 0 && left / now <= span) {
            rate->remainder = left % now;
            return tern_time_add(at, left / now);
        }
        left -= now > 0 ? now * span : 0;
        at = tern_time_add(at, span);
    }
    return TERN_TIME_NEVER;
}

void tern_rate_walk(tern_rate_point *points, size_t count, tern_time step, uint64_t least,
                    uint64_t most, uint64_t seed)
{
    struct tern_chance chance;
    uint64_t span = most - least, stride = span / 8, place = span / 2;
    tern_chance_init(&chance, seed, 0);
    for (size_t i = 0; i < count; i++) {
        points[i] = (tern_rate_point){.at = i * step, .rate = least + place};
        uint64_t up = place + tern_chance_below(&chance, 2 * stride + 1);
        place = up > stride ? up - stride : 0;
        place = place < span ? place : span;
    }
}
