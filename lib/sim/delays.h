/* A histogram of times: percentiles to within a sixteenth, in a few kilobytes, without floats.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_DELAYS_H
#define TERN_SIM_DELAYS_H

#include <tern/types.h>

/* Each power of two is split into sixteen; times under sixteen nanoseconds stand for themselves. */
#define TERN_DELAYS_BUCKETS (61 * 16)

/* All zero is an empty one. */
struct tern_delays {
    uint64_t total;
    uint64_t buckets[TERN_DELAYS_BUCKETS];
};

void tern_delays_note(struct tern_delays *delays, tern_time delay);

/* The least time that `percent` of those noted did not exceed, rounded down by at most a sixteenth;
 * 0 if none was noted. */
tern_time tern_delays_percentile(const struct tern_delays *delays, unsigned percent);

#endif
