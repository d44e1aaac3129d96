/* Adding, dropping and asking, with the top end as the fast case.
 * SPDX-License-Identifier: MIT */
#include "base/ranges.h"

#define FIRST_CAPACITY 8

void tern_ranges_init(struct tern_ranges *ranges, struct tern_mem *mem, size_t limit)
{
    memset(ranges, 0, sizeof *ranges);
    ranges->mem = mem;
    ranges->limit = limit;
}

void tern_ranges_clear(struct tern_ranges *ranges)
{
    tern_mem_free(ranges->mem, ranges->items);
    ranges->items = NULL;
    ranges->count = ranges->capacity = 0;
}

void tern_ranges_trim(struct tern_ranges *ranges)
{
    if (ranges->count == 0) {
        tern_ranges_clear(ranges);
    } else if (ranges->count < ranges->capacity) {
        void *less =
            tern_mem_realloc(ranges->mem, ranges->items, ranges->count * sizeof *ranges->items);
        ranges->items = less == NULL ? ranges->items : less;
        ranges->capacity = less == NULL ? ranges->capacity : ranges->count;
    }
}

/* Index of the first range whose end is at least `value`; count when there is none. The top is
 * looked at first, since that is where nearly everything happens. */
static size_t first_reaching(const struct tern_ranges *ranges, uint64_t value)
{
    size_t low = 0, high = ranges->count;
    if (high > 0 && ranges->items[high - 1].end < value) {
        return high;
    }
    if (high > 1 && ranges->items[high - 2].end < value) {
        return high - 1;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].end < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Opens a gap of one item at `at`. */
static int insert(struct tern_ranges *ranges, size_t at, uint64_t start, uint64_t end)
{
    if (ranges->count >= ranges->limit) {
        return TERN_ERR_LIMIT;
    }
    if (ranges->count == ranges->capacity) {
        size_t capacity = ranges->capacity == 0 ? FIRST_CAPACITY : ranges->capacity * 2;
        capacity = TERN_MIN(capacity, ranges->limit);
        void *grown =
            tern_mem_realloc(ranges->mem, ranges->items, capacity * sizeof *ranges->items);
        if (grown == NULL) {
            return TERN_ERR_NOMEM;
        }
        ranges->items = grown;
        ranges->capacity = capacity;
    }
    memmove(&ranges->items[at + 1], &ranges->items[at],
            (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = (struct tern_range){.start = start, .end = end};
    ranges->count++;
    return 0;
}

static void erase(struct tern_ranges *ranges, size_t at, size_t n)
{
    if (n > 0) {
        memmove(&ranges->items[at], &ranges->items[at + n],
                (ranges->count - at - n) * sizeof *ranges->items);
        ranges->count -= n;
    }
}

int tern_ranges_add(struct tern_ranges *ranges, uint64_t start, uint64_t end)
{
    tern_assert(start < end);
    size_t at = first_reaching(ranges, start);
    if (at == ranges->count || ranges->items[at].start > end) {
        return insert(ranges, at, start, end);
    }
    struct tern_range *range = &ranges->items[at];
    range->start = TERN_MIN(range->start, start);
    range->end = TERN_MAX(range->end, end);
    size_t swallowed = 0;
    while (at + 1 + swallowed < ranges->count &&
           ranges->items[at + 1 + swallowed].start <= range->end) {
        range->end = TERN_MAX(range->end, ranges->items[at + 1 + swallowed].end);
        swallowed++;
    }
    erase(ranges, at + 1, swallowed);
    return 0;
}

int tern_ranges_drop(struct tern_ranges *ranges, uint64_t start, uint64_t end)
{
    tern_assert(start < end);
    size_t at = first_reaching(ranges, start);
    if (at < ranges->count && ranges->items[at].start < start && ranges->items[at].end > end) {
        uint64_t tail = ranges->items[at].end;
        int rc = insert(ranges, at + 1, end, tail);
        if (rc == 0) {
            ranges->items[at].end = start;
        }
        return rc;
    }
    if (at < ranges->count && ranges->items[at].start < start) {
        ranges->items[at].end = TERN_MIN(ranges->items[at].end, start);
        at++;
    }
    size_t whole = 0;
    while (at + whole < ranges->count && ranges->items[at + whole].end <= end) {
        whole++;
    }
    erase(ranges, at, whole);
    if (at < ranges->count && ranges->items[at].start < end) {
        ranges->items[at].start = end;
    }
    return 0;
}

void tern_ranges_drop_below(struct tern_ranges *ranges, uint64_t bound)
{
    size_t whole = 0;
    while (whole < ranges->count && ranges->items[whole].end <= bound) {
        whole++;
    }
    erase(ranges, 0, whole);
    if (ranges->count > 0 && ranges->items[0].start < bound) {
        ranges->items[0].start = bound;
    }
}

void tern_ranges_drop_lowest(struct tern_ranges *ranges)
{
    tern_assert(ranges->count > 0);
    erase(ranges, 0, 1);
}

bool tern_ranges_has(const struct tern_ranges *ranges, uint64_t value)
{
    return value != UINT64_MAX && tern_ranges_covers(ranges, value, value + 1);
}

bool tern_ranges_covers(const struct tern_ranges *ranges, uint64_t start, uint64_t end)
{
    size_t at = first_reaching(ranges, end);
    return at < ranges->count && ranges->items[at].start <= start;
}
