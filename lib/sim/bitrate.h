/* The rate of a link: how long bits take, at one rate for ever or along a trace of rates.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_BITRATE_H
#define TERN_SIM_BITRATE_H

#include <tern/sim.h>

/* Bits a second over time. `points` are borrowed. */
struct tern_bitrate {
    uint64_t fixed; /* without points; 0: infinite */
    uint64_t peak;  /* the highest that it ever is */
    const tern_rate_point *points;
    size_t count;
    tern_time start, period; /* period 0: the last rate stays */
    uint64_t remainder; /* of divisions by the rate, in bit-nanoseconds: rounding never adds up */
};

void tern_bitrate_init(struct tern_bitrate *rate, const tern_link_config *config);

static inline bool tern_bitrate_is_finite(const struct tern_bitrate *rate)
{
    return rate->fixed > 0 || rate->count > 0;
}

/* When the last bit is on the wire if the first one is at `at`; TERN_TIME_NEVER if it never is. */
tern_time tern_bitrate_pass(struct tern_bitrate *rate, size_t bytes, tern_time at);

#endif
