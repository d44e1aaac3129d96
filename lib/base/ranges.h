/* A sorted set of half-open ranges of 64-bit numbers in one bounded array.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_RANGES_H
#define TERN_BASE_RANGES_H

#include "base/mem.h"

struct tern_range {
    uint64_t start, end; /* [start, end) */
};

/* Ascending, disjoint, never touching. `items` grows to at most `limit` entries. */
struct tern_ranges {
    size_t count;
    struct tern_range *items;
    size_t capacity, limit;
    struct tern_mem *mem;
};

void tern_ranges_init(struct tern_ranges *ranges, struct tern_mem *mem, size_t limit);
void tern_ranges_clear(struct tern_ranges *ranges); /* frees */

/* Gives back what is not in use. */
void tern_ranges_trim(struct tern_ranges *ranges);

/* Adds [start, end). 0 · TERN_ERR_LIMIT (it would need more than `limit` ranges; nothing changed)
 * · TERN_ERR_NOMEM (the same). start < end. Appending at or near the top costs O(1). */
TERN_MUST_CHECK int tern_ranges_add(struct tern_ranges *ranges, uint64_t start, uint64_t end);

/* Removes [start, end); may split one range in two, hence the same errors. */
TERN_MUST_CHECK int tern_ranges_drop(struct tern_ranges *ranges, uint64_t start, uint64_t end);

/* Forgets everything below `bound`; cannot fail. */
void tern_ranges_drop_below(struct tern_ranges *ranges, uint64_t bound);

/* Removes the lowest range and makes room; count must not be 0. */
void tern_ranges_drop_lowest(struct tern_ranges *ranges);

bool tern_ranges_has(const struct tern_ranges *ranges, uint64_t value);
bool tern_ranges_covers(const struct tern_ranges *ranges, uint64_t start, uint64_t end);

#endif
