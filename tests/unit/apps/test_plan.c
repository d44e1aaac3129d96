/* Plans survive their way in pieces of any size, and hostile ones are refused within bounds.
 * SPDX-License-Identifier: MIT */
#include "terncp/plan.h"

#include "terncp/match.h"
#include "unit/apps/bytes.h"

#define BLOCK  ((uint64_t)MATCH_BLOCK)
#define SIZE   (5 * BLOCK + 1)
#define LEVEL  14
#define TAGS   4
#define CHUNKS 100
#define VAST   ((uint64_t)1 << 41)

static void make(struct plan_maker *maker, unsigned flags, unsigned tags, unsigned chunks)
{
    assert_int_equal(plan_maker_init(maker, flags, chunks > 0 ? LEVEL : 0), 0);
    for (unsigned i = 0; i < tags; i++) {
        uint8_t tag[PLAN_TAG_SIZE] = {(uint8_t)i, 1};
        assert_int_equal(plan_maker_tag(maker, tag), 0);
    }
    for (unsigned i = 0; i < chunks; i++) {
        struct chunk chunk = {.len = 5000 + i, .hash = {(uint8_t)i, 2}};
        assert_int_equal(plan_maker_chunk(maker, &chunk), 0);
    }
    plan_maker_end(maker);
}

/* Reads it in pieces. The last result: bytes, -1 or -2. */
static ptrdiff_t read_all(struct plan *plan, const uint8_t *bytes, size_t len, size_t piece)
{
    ptrdiff_t n = 0;
    for (size_t at = 0; at < len && !plan->is_whole; at += (size_t)n) {
        n = plan_read(plan, SIZE, bytes + at, len - at < piece ? len - at : piece);
        if (n <= 0) {
            return n < 0 ? n : -3;
        }
    }
    return n;
}

static void plans_are_read_as_written(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 16, 19, 20, 1000, 100000};
    struct plan_maker maker;
    make(&maker, PLAN_IN_PLACE, TAGS, CHUNKS);
    assert_int_equal(maker.len, PLAN_FRONT_SIZE + TAGS * 16 + CHUNKS * 20);
    for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct plan plan;
        plan_init(&plan);
        assert_true(read_all(&plan, maker.bytes, maker.len, pieces[i]) > 0);
        assert_true(plan.is_whole);
        assert_int_equal(plan.kind, PLAN_PARTS);
        assert_int_equal(plan.flags, PLAN_IN_PLACE);
        assert_int_equal(plan.level, LEVEL);
        assert_int_equal(plan.base.count, CHUNKS);
        assert_int_equal(plan.base.size, maker.base_size);
        assert_int_equal(plan.base.chunks[7].len, 5007);
        for (unsigned k = 0; k < TAGS; k++) {
            const uint8_t tag[PLAN_TAG_SIZE] = {(uint8_t)k, 1};
            assert_true(plan_has_block(&plan, k, tag));
            assert_false(plan_has_block(&plan, (k + 1) % TAGS, tag));
            assert_false(plan_has_block(&plan, TAGS + k, tag));
            assert_memory_equal(plan_maker_tag_of(&maker, k), tag, sizeof tag);
        }
        const struct chunk wanted = {.len = 5007, .hash = {7, 2}};
        assert_int_equal(signs_find(&plan.base, &wanted, SIGNS_NONE), 7);
        plan_clear(&plan);
    }
    assert_null(plan_maker_tag_of(&maker, TAGS));
    plan_maker_shrink(&maker); /* the tags stay, and so do the bounds */
    assert_int_equal(maker.capacity, PLAN_FRONT_SIZE + TAGS * 16);
    assert_int_equal(plan_maker_tag_of(&maker, TAGS - 1)[0], TAGS - 1);
    assert_true(plan_maker_allows_copy(&maker, SIZE, 7, 7, maker.base_size - 7));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 7, 7, maker.base_size - 6));
    plan_maker_clear(&maker);
}

static void nothing_behind_a_plan_is_read(void **state)
{
    (void)state;
    uint8_t bytes[200] = {PLAN_WHOLE, 9, 9};
    struct plan plan;
    struct plan_maker maker;
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, SIZE, bytes, sizeof bytes), 1);
    assert_true(plan.is_whole);
    assert_int_equal(plan.kind, PLAN_WHOLE);
    plan_clear(&plan);
    assert_int_equal(plan_maker_init_plain(&maker, PLAN_SKIP), 0);
    plan_maker_end(&maker);
    assert_int_equal(maker.len, 1);
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, 0, 1));
    assert_false(plan_maker_allows_keep(&maker, SIZE, 0, BLOCK));
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, SIZE, maker.bytes, maker.len), 1);
    assert_int_equal(plan.kind, PLAN_SKIP);
    plan_clear(&plan);
    plan_maker_clear(&maker);
    make(&maker, 0, 1, 1);
    memset(bytes, 9, sizeof bytes);
    memcpy(bytes, maker.bytes, maker.len);
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, SIZE, bytes, sizeof bytes), maker.len);
    assert_true(plan.is_whole);
    assert_int_equal(plan_read(&plan, SIZE, bytes, sizeof bytes), 0);
    plan_clear(&plan);
    plan_maker_clear(&maker);
}

/* A front and as many bytes behind it. What comes of it: bytes, or -1. */
static ptrdiff_t try_front(uint8_t kind, uint8_t flags, uint8_t level, uint32_t tags,
                           uint32_t chunks, uint32_t first_len)
{
    uint8_t bytes[PLAN_FRONT_SIZE + 20] = {kind, flags, level};
    struct plan plan;
    for (unsigned i = 0; i < 4; i++) {
        bytes[3 + i] = (uint8_t)(tags >> (24 - 8 * i));
        bytes[7 + i] = (uint8_t)(chunks >> (24 - 8 * i));
        bytes[11 + i] = (uint8_t)(first_len >> (24 - 8 * i));
    }
    plan_init(&plan);
    ptrdiff_t n = plan_read(&plan, SIZE, bytes, tags > 0 ? PLAN_FRONT_SIZE : sizeof bytes);
    assert_true(plan.tag_capacity <= 64 && plan.base.capacity <= 64);
    plan_clear(&plan);
    return n;
}

static void hostile_plans_are_refused(void **state)
{
    (void)state;
    assert_true(try_front(PLAN_PARTS, 0, LEVEL, 0, CHUNK_COUNT_MAX, 1) > 0);
    assert_true(try_front(PLAN_PARTS, 0, 0, 6, 0, 0) > 0);
    assert_true(try_front(PLAN_PARTS, 0, CHUNK_LEVEL_MAX, 0, 2, chunk_max(CHUNK_LEVEL_MAX)) > 0);
    assert_int_equal(try_front(0, 0, LEVEL, 0, 1, 1), -1);
    assert_int_equal(try_front(4, 0, LEVEL, 0, 1, 1), -1);
    assert_int_equal(try_front(255, 0, LEVEL, 0, 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 2, LEVEL, 0, 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, CHUNK_LEVEL_MIN - 1, 0, 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, CHUNK_LEVEL_MAX + 1, 0, 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, 255, 0, 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 7, 0, 0), -1); /* more than the file has */
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, UINT32_MAX, 0, 0), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 0, CHUNK_COUNT_MAX + 1, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 0, UINT32_MAX, 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 0, 1, 0), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 0, 1, chunk_max(LEVEL) + 1), -1);
    assert_int_equal(try_front(PLAN_PARTS, 0, LEVEL, 0, 1, UINT32_MAX), -1);
}

static void any_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[600];
    for (unsigned i = 0; i < TERN_TEST_TIMES(20000); i++) {
        struct plan plan;
        bytes_fill(bytes, sizeof bytes, (uint8_t)i);
        bytes[0] = PLAN_PARTS;
        memset(bytes + 1, 0, 9);
        bytes[2] = (uint8_t)(12 + i % 18);
        bytes[6] = (uint8_t)(i % 7);
        memcpy(bytes + 11, &i, sizeof i);
        plan_init(&plan);
        ptrdiff_t n = read_all(&plan, bytes, sizeof bytes, 1 + i % 37);
        assert_true(n > 0 || n == -1);
        plan_clear(&plan);
    }
}

static void copies_stay_within_the_old_file(void **state)
{
    (void)state;
    struct plan_maker maker;
    make(&maker, 0, 0, CHUNKS);
    const uint64_t end = maker.base_size;
    assert_true(plan_maker_allows_copy(&maker, SIZE, 0, 0, 1));
    assert_true(plan_maker_allows_copy(&maker, SIZE, 5, end - 1, 1));
    assert_true(plan_maker_allows_copy(&maker, SIZE, SIZE - end, 0, end));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, 0, 0));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, end, 1));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, 1, end));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, 1, UINT64_MAX));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, UINT64_MAX, 1));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, UINT64_MAX, 2));
    assert_false(plan_maker_allows_copy(&maker, SIZE, SIZE, 0, 1));
    assert_false(plan_maker_allows_copy(&maker, SIZE, SIZE - 1, 0, 2));
    assert_false(plan_maker_allows_copy(&maker, SIZE, UINT64_MAX, 0, 2));
    plan_maker_clear(&maker);
    make(&maker, 0, 1, 0); /* without an old file there is nothing to copy */
    assert_false(plan_maker_allows_copy(&maker, SIZE, 0, 0, 1));
    plan_maker_clear(&maker);
    make(&maker, PLAN_IN_PLACE, 0, CHUNKS);
    assert_true(plan_maker_allows_copy(&maker, SIZE, 17, 17, 100));
    assert_false(plan_maker_allows_copy(&maker, SIZE, 17, 18, 100));
    plan_maker_clear(&maker);
}

static void only_whole_tagged_blocks_are_kept(void **state)
{
    (void)state;
    struct plan_maker maker;
    make(&maker, 0, TAGS, 0);
    assert_true(plan_maker_allows_keep(&maker, SIZE, 0, BLOCK));
    assert_true(plan_maker_allows_keep(&maker, SIZE, BLOCK, (TAGS - 1) * BLOCK));
    assert_true(plan_maker_allows_keep(&maker, BLOCK + 1, BLOCK, 1)); /* a short last block */
    assert_false(plan_maker_allows_keep(&maker, SIZE, BLOCK, TAGS * BLOCK));
    assert_false(plan_maker_allows_keep(&maker, SIZE, TAGS * BLOCK, BLOCK));
    assert_false(plan_maker_allows_keep(&maker, SIZE, 1, BLOCK));
    assert_false(plan_maker_allows_keep(&maker, SIZE, 0, BLOCK - 1));
    assert_false(plan_maker_allows_keep(&maker, SIZE, 0, 0));
    assert_false(plan_maker_allows_keep(&maker, SIZE, 0, UINT64_MAX));
    assert_false(plan_maker_allows_keep(&maker, SIZE, UINT64_MAX - BLOCK + 1, BLOCK));
    plan_maker_clear(&maker);
}

/* What a receiver may tell is bounded, and what is beyond is not lost but sent. */
static void long_plans_are_cut(void **state)
{
    (void)state;
    struct plan_maker maker;
    const uint8_t tag[PLAN_TAG_SIZE] = {1};
    const struct chunk chunk = {.len = 1};
    assert_int_equal(plan_maker_init(&maker, 0, LEVEL), 0);
    for (uint32_t i = 0; i < PLAN_TAGS_MAX + 10; i++) {
        assert_int_equal(plan_maker_tag(&maker, tag), 0);
    }
    for (uint32_t i = 0; i < CHUNK_COUNT_MAX + 10; i++) {
        assert_int_equal(plan_maker_chunk(&maker, &chunk), 0);
    }
    plan_maker_end(&maker);
    assert_int_equal(maker.tags, PLAN_TAGS_MAX);
    assert_int_equal(maker.chunks, CHUNK_COUNT_MAX);
    assert_true(maker.capacity <= (size_t)64 << 20);
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, VAST, maker.bytes, maker.len), maker.len);
    assert_true(plan.is_whole);
    plan_clear(&plan);
    plan_maker_clear(&maker);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plans_are_read_as_written),
    cmocka_unit_test(nothing_behind_a_plan_is_read),
    cmocka_unit_test(hostile_plans_are_refused),
    cmocka_unit_test(any_bytes_do_no_harm),
    cmocka_unit_test(copies_stay_within_the_old_file),
    cmocka_unit_test(only_whole_tagged_blocks_are_kept),
    cmocka_unit_test(long_plans_are_cut),
};

TERN_TEST_MAIN(tests)
