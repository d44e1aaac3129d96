/* The range set against a bitmap, under random additions and removals, with and without room.
 * SPDX-License-Identifier: MIT */
#include "base/ranges.h"

#include "unit/base/kit.h"

#define SPAN 300u

struct fixture {
    struct kit_heap memory;
    struct tern_mem mem;
    struct tern_ranges ranges;
    bool model[SPAN];
};

static void start(struct fixture *f, size_t limit)
{
    memset(f->model, 0, sizeof f->model);
    f->mem = kit_mem(&f->memory);
    tern_ranges_init(&f->ranges, &f->mem, limit);
}

static void stop(struct fixture *f)
{
    tern_ranges_clear(&f->ranges);
    assert_int_equal(f->ranges.count, 0);
    assert_int_equal(f->memory.live, 0);
}

/* Ascending, not empty, never touching, within the limit: and the same numbers as the model. */
static void check(const struct fixture *f)
{
    bool seen[SPAN] = {false};
    assert_true(f->ranges.count <= f->ranges.limit);
    for (size_t i = 0; i < f->ranges.count; i++) {
        const struct tern_range *range = &f->ranges.items[i];
        assert_true(range->start < range->end && range->end <= SPAN);
        assert_true(i == 0 || range[-1].end < range->start);
        for (uint64_t v = range->start; v < range->end; v++) {
            seen[v] = true;
        }
    }
    assert_memory_equal(seen, f->model, sizeof seen);
}

static size_t runs_in(const bool *model)
{
    size_t runs = 0;
    for (size_t i = 0; i < SPAN; i++) {
        runs += model[i] && (i == 0 || !model[i - 1]);
    }
    return runs;
}

static bool covered_in(const bool *model, uint64_t first, uint64_t last)
{
    for (uint64_t v = first; v < last; v++) {
        if (!model[v]) {
            return false;
        }
    }
    return true;
}

/* One addition or removal. It must fail exactly when the outcome has too many ranges. */
static void change(struct fixture *f, bool is_add, uint64_t first, uint64_t last)
{
    bool after[SPAN];
    memcpy(after, f->model, sizeof after);
    for (uint64_t v = first; v < last; v++) {
        after[v] = is_add;
    }
    int rc = is_add ? tern_ranges_add(&f->ranges, first, last)
                    : tern_ranges_drop(&f->ranges, first, last);
    assert_int_equal(rc, runs_in(after) > f->ranges.limit ? TERN_ERR_LIMIT : 0);
    if (rc == 0) {
        memcpy(f->model, after, sizeof after);
    }
}

static void forget_below(struct fixture *f, uint64_t bound)
{
    tern_ranges_drop_below(&f->ranges, bound);
    memset(f->model, 0, (size_t)TERN_MIN(bound, SPAN) * sizeof f->model[0]);
}

static void forget_lowest(struct fixture *f)
{
    if (f->ranges.count > 0) {
        uint64_t end = f->ranges.items[0].end;
        tern_ranges_drop_lowest(&f->ranges);
        memset(f->model, 0, (size_t)end * sizeof f->model[0]);
    }
}

static void random_changes(size_t limit, uint64_t seed)
{
    struct fixture f;
    start(&f, limit);
    for (size_t step = 0; step < 20000; step++) {
        uint64_t first = kit_roll(&seed) % SPAN;
        uint64_t longest = kit_roll(&seed) % 8 == 0 ? SPAN : 5;
        uint64_t last = first + 1 + kit_roll(&seed) % longest;
        last = TERN_MIN(last, SPAN);
        switch (kit_roll(&seed) % 64) {
        case 0:
            forget_below(&f, first);
            break;
        case 1:
            forget_lowest(&f);
            break;
        default:
            change(&f, kit_roll(&seed) % 2 == 0, first, last);
        }
        check(&f);
        assert_int_equal(tern_ranges_has(&f.ranges, first), f.model[first]);
        assert_int_equal(tern_ranges_covers(&f.ranges, first, last),
                         covered_in(f.model, first, last));
    }
    stop(&f);
}

static void random_changes_agree_with_a_bitmap(void **state)
{
    (void)state;
    random_changes(SPAN, 1);
}

static void random_changes_respect_a_tight_limit(void **state)
{
    (void)state;
    random_changes(5, 2);
    random_changes(1, 3);
}

static void starts_empty(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 4);
    assert_false(tern_ranges_has(&f.ranges, 0));
    assert_false(tern_ranges_covers(&f.ranges, 0, 1));
    assert_int_equal(tern_ranges_drop(&f.ranges, 0, UINT64_MAX), 0);
    tern_ranges_drop_below(&f.ranges, UINT64_MAX);
    assert_int_equal(f.memory.calls, 0);
    stop(&f);
}

static void appending_in_order_stays_one_range(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 4);
    for (uint64_t v = 0; v < 1000; v++) {
        assert_int_equal(tern_ranges_add(&f.ranges, v, v + 1), 0);
    }
    assert_int_equal(f.ranges.count, 1);
    assert_int_equal(f.ranges.items[0].start, 0);
    assert_int_equal(f.ranges.items[0].end, 1000);
    assert_int_equal(f.memory.calls, 1);
    stop(&f);
}

static void works_at_the_top_of_the_numbers(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 4);
    assert_int_equal(tern_ranges_add(&f.ranges, UINT64_MAX - 2, UINT64_MAX), 0);
    assert_int_equal(tern_ranges_add(&f.ranges, 0, 1), 0);
    assert_true(tern_ranges_has(&f.ranges, UINT64_MAX - 1));
    assert_false(tern_ranges_has(&f.ranges, UINT64_MAX)); /* no range can hold it */
    assert_int_equal(tern_ranges_add(&f.ranges, 0, UINT64_MAX), 0);
    assert_int_equal(f.ranges.count, 1);
    assert_int_equal(tern_ranges_drop(&f.ranges, 1, UINT64_MAX - 1), 0);
    assert_int_equal(f.ranges.count, 2);
    stop(&f);
}

static void full_set_still_merges(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 2);
    assert_int_equal(tern_ranges_add(&f.ranges, 0, 2), 0);
    assert_int_equal(tern_ranges_add(&f.ranges, 10, 12), 0);
    assert_int_equal(tern_ranges_add(&f.ranges, 5, 6), TERN_ERR_LIMIT);
    assert_int_equal(tern_ranges_drop(&f.ranges, 0, 1), 0);
    assert_int_equal(tern_ranges_add(&f.ranges, 12, 20), 0);
    assert_int_equal(tern_ranges_drop(&f.ranges, 14, 15), TERN_ERR_LIMIT);
    assert_true(tern_ranges_covers(&f.ranges, 10, 20));
    tern_ranges_drop_lowest(&f.ranges);
    assert_int_equal(tern_ranges_drop(&f.ranges, 14, 15), 0);
    assert_int_equal(f.ranges.count, 2);
    stop(&f);
}

static void refused_memory_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 100);
    f.memory.refuse_from = 2;
    uint64_t v = 0;
    int rc = 0;
    while (rc == 0 && v < 100) {
        rc = tern_ranges_add(&f.ranges, 4 * v, 4 * v + 3);
        v++;
    }
    size_t count = f.ranges.count;
    assert_int_equal(rc, TERN_ERR_NOMEM);
    assert_int_equal(count, v - 1);
    assert_int_equal(tern_ranges_drop(&f.ranges, 1, 2), TERN_ERR_NOMEM); /* would split */
    assert_true(tern_ranges_covers(&f.ranges, 0, 3));
    assert_int_equal(f.ranges.count, count);
    assert_int_equal(tern_ranges_add(&f.ranges, 3, 4), 0); /* merging needs none */
    assert_int_equal(f.ranges.count, count - 1);
    stop(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_changes_agree_with_a_bitmap),
    cmocka_unit_test(random_changes_respect_a_tight_limit),
    cmocka_unit_test(starts_empty),
    cmocka_unit_test(appending_in_order_stays_one_range),
    cmocka_unit_test(works_at_the_top_of_the_numbers),
    cmocka_unit_test(full_set_still_merges),
    cmocka_unit_test(refused_memory_changes_nothing),
};

TERN_TEST_MAIN(tests)
