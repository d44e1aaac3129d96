/* Counts times in buckets whose width grows with them.
 * SPDX-License-Identifier: MIT */
#include "sim/delays.h"

enum { SPLIT = 16 };

/* A time shifted right until it is below two times SPLIT: the shift chooses the row of sixteen. */
static size_t bucket_of(tern_time delay)
{
    size_t row = 0;
    while (delay >= (tern_time)2 * SPLIT) {
        delay >>= 1;
        row++;
    }
    return row * SPLIT + (size_t)delay;
}

static tern_time floor_of(size_t bucket)
{
    if (bucket < (size_t)2 * SPLIT) {
        return bucket;
    }
    size_t row = bucket / SPLIT - 1;
    return (tern_time)(bucket % SPLIT + SPLIT) << row;
}

void tern_delays_note(struct tern_delays *delays, tern_time delay)
{
    delays->total++;
    delays->buckets[bucket_of(delay)]++;
}

tern_time tern_delays_percentile(const struct tern_delays *delays, unsigned percent)
{
    uint64_t below = 0;
    uint64_t wanted = delays->total / 100 * percent + delays->total % 100 * percent / 100;
    for (size_t i = 0; i < TERN_DELAYS_BUCKETS && delays->total > 0; i++) {
        below += delays->buckets[i];
        if (below > 0 && below >= wanted) {
            return floor_of(i);
        }
    }
    return 0;
}
