/* The set of ranges against a bitmap: the same numbers after every step, in as few ranges as there can be,
 * never more than its limit, and unchanged by what fails.
 *
 * Input: one byte for the limit and for where the numbers lie, then steps of five bytes: what, and two
 * numbers of ten bits.
 * SPDX-License-Identifier: MIT */
#include "base/ranges.h"
#include "fuzz.h"

#define SPAN 1024u

struct world {
    struct fuzz_input in;
    struct fuzz_heap heap;
    struct tern_mem mem;
    struct tern_ranges ranges;
    uint64_t base; /* the bitmap's first bit stands for it */
    bool bits[SPAN];
};

static size_t runs_of(const bool *bits)
{
    size_t runs = 0;
    for (size_t i = 0; i < SPAN; i++) {
        runs += bits[i] && (i == 0 || !bits[i - 1]) ? 1 : 0;
    }
    return runs;
}

static void check_same(const struct world *w)
{
    bool seen[SPAN] = {false};
    const struct tern_ranges *ranges = &w->ranges;
    FUZZ_CHECK(ranges->count <= ranges->limit && ranges->count <= ranges->capacity);
    FUZZ_CHECK(w->heap.held == ranges->capacity * sizeof *ranges->items);
    for (size_t i = 0; i < ranges->count; i++) {
        const struct tern_range *range = &ranges->items[i];
        FUZZ_CHECK(range->start < range->end && (i == 0 || range[-1].end < range->start));
        FUZZ_CHECK(range->start >= w->base && range->end - w->base <= SPAN);
        for (uint64_t v = range->start; v < range->end; v++) {
            seen[v - w->base] = true;
        }
    }
    FUZZ_CHECK(memcmp(seen, w->bits, sizeof seen) == 0);
}

static bool is_covered(const bool *bits, size_t start, size_t end)
{
    while (start < end && bits[start]) {
        start++;
    }
    return start == end;
}

/* Sets or clears the bits, if the ranges took it; else there must have been no room. */
static void change(struct world *w, size_t start, size_t end, bool is_set)
{
    bool after[SPAN];
    memcpy(after, w->bits, sizeof after);
    memset(after + start, is_set, end - start);
    int rc = is_set ? tern_ranges_add(&w->ranges, w->base + start, w->base + end)
                    : tern_ranges_drop(&w->ranges, w->base + start, w->base + end);
    if (rc == 0) {
        memcpy(w->bits, after, sizeof after);
    } else if (rc == TERN_ERR_LIMIT) {
        FUZZ_CHECK(runs_of(after) > w->ranges.limit);
    } else {
        FUZZ_CHECK(rc == TERN_ERR_NOMEM && runs_of(after) > w->ranges.count);
    }
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    size_t a = (size_t)fuzz_number(&w->in, 2) % SPAN;
    size_t b = (size_t)fuzz_number(&w->in, 2) % SPAN;
    size_t start = TERN_MIN(a, b), end = TERN_MAX(a, b) + 1;
    w->heap.fail_in = what >= 0xf0 ? 1 : 0;
    switch (what & 7) {
    case 0:
    case 1:
    case 2:
        change(w, start, end, true);
        break;
    case 3:
        change(w, a, a + 1, true);
        break;
    case 4:
        change(w, start, end, false);
        break;
    case 5:
        tern_ranges_drop_below(&w->ranges, w->base + a);
        memset(w->bits, 0, a);
        break;
    case 6:
        if (w->ranges.count > 0) {
            memset(w->bits, 0, (size_t)(w->ranges.items[0].end - w->base));
            tern_ranges_drop_lowest(&w->ranges);
        }
        break;
    default:
        tern_ranges_trim(&w->ranges);
        break;
    }
    check_same(w);
    FUZZ_CHECK(tern_ranges_has(&w->ranges, w->base + a) == w->bits[a]);
    FUZZ_CHECK(tern_ranges_covers(&w->ranges, w->base + start, w->base + end) ==
               is_covered(w->bits, start, end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t bases[] = {0, (UINT64_C(1) << 32) - 500, (UINT64_C(1) << 62) - 500,
                                     UINT64_MAX - SPAN - 1};
    struct world w = {.in = {data, size}};
    tern_allocator hooks = fuzz_heap_hooks(&w.heap);
    uint8_t shape = fuzz_u8(&w.in);
    tern_mem_init(&w.mem, &hooks);
    tern_ranges_init(&w.ranges, &w.mem, 1 + (shape & 31));
    w.base = bases[shape >> 6];
    while (w.in.left > 0) {
        step(&w);
    }
    w.heap.fail_in = 0;
    tern_ranges_clear(&w.ranges);
    FUZZ_CHECK(w.heap.held == 0);
    return 0;
}
