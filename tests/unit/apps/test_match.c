/* Runs rebuild the new file from the old, the unfinished and what is sent, whatever changed between them;
 * and nothing is sent that need not be.
 * SPDX-License-Identifier: MIT */
#include "terncp/match.h"

#include <errno.h>
#include <unistd.h>

#include "unit/apps/bytes.h"

#define BLOCK ((size_t)MATCH_BLOCK)
#define BYTES (6 * BLOCK + 54321)
#define LEVEL 13

static const uint8_t key[PROTO_KEY_SIZE] = "a key of a test, 32 bytes of it";

struct moved {
    uint64_t sent, copied, kept;
    size_t runs;
};

static void sign(struct signs *signs, const uint8_t *data, size_t len, unsigned level)
{
    struct chunk_cutter cutter;
    struct chunk chunk;
    signs_init(signs);
    chunk_cutter_init(&cutter, level, key);
    for (size_t at = 0; at < len;) {
        bool is_whole;
        at += chunk_cutter_take(&cutter, data + at, len - at, &chunk, &is_whole);
        if (is_whole) {
            assert_int_equal(signs_add(signs, chunk.len, chunk.hash), 0);
        }
    }
    if (chunk_cutter_end(&cutter, &chunk)) {
        assert_int_equal(signs_add(signs, chunk.len, chunk.hash), 0);
    }
    assert_int_equal(signs->size, len);
    assert_int_equal(signs_index(signs), 0);
}

/* Takes what is there and builds `out` from it, as a receiver would. */
static void apply(struct match *match, const uint8_t *fresh, size_t len, const uint8_t *base,
                  const uint8_t *unfinished, uint8_t *out, uint64_t *at, struct moved *moved)
{
    struct match_run run;
    while (match_queue_pop(&match->queue, &run)) {
        assert_int_equal(run.offset, *at);
        assert_true(run.len > 0 && run.len <= MATCH_RUN_MAX && run.offset + run.len <= len);
        *at += run.len;
        moved->runs++;
        switch (run.kind) {
        case MATCH_SEND:
            memcpy(out + run.offset, fresh + run.offset, run.len);
            moved->sent += run.len;
            break;
        case MATCH_COPY:
            assert_true(run.from + run.len <= match->base->size);
            memcpy(out + run.offset, base + run.from, run.len);
            moved->copied += run.len;
            break;
        case MATCH_KEEP:
            assert_int_equal(run.offset % BLOCK, 0);
            assert_true(run.len % BLOCK == 0 || run.offset + run.len == len);
            memcpy(out + run.offset, unfinished + run.offset, run.len);
            moved->kept += run.len;
            break;
        }
    }
}

struct files {
    const uint8_t *fresh, *base, *unfinished; /* base, unfinished: NULL, there is none */
    size_t len, base_len, unfinished_len;
    bool is_in_place;
};

static bool has_block(const struct files *files, size_t at, size_t n)
{
    return files->unfinished != NULL && at + n <= files->unfinished_len &&
           memcmp(files->fresh + at, files->unfinished + at, n) == 0;
}

static struct moved rebuild(const struct files *files)
{
    struct signs signs;
    struct match match;
    struct moved moved = {0};
    uint64_t told = 0;
    uint8_t *out = calloc(1, files->len + 1);
    assert_non_null(out);
    signs_init(&signs);
    if (files->base != NULL) {
        sign(&signs, files->base, files->base_len, LEVEL);
    }
    assert_int_equal(match_init(&match, files->base == NULL ? NULL : &signs, LEVEL, key,
                                files->is_in_place, (files->unfinished_len + BLOCK - 1) / BLOCK),
                     0);
    for (size_t at = 0; at < files->len; at += BLOCK) {
        size_t n = files->len - at < BLOCK ? files->len - at : BLOCK;
        assert_int_equal(match_feed(&match, files->fresh + at, n, has_block(files, at, n)), 0);
        apply(&match, files->fresh, files->len, files->base, files->unfinished, out, &told, &moved);
    }
    assert_int_equal(match_end(&match), 0);
    apply(&match, files->fresh, files->len, files->base, files->unfinished, out, &told, &moved);
    assert_int_equal(told, files->len);
    assert_memory_equal(out, files->fresh, files->len);
    match_clear(&match);
    signs_clear(&signs);
    free(out);
    return moved;
}

static void an_equal_file_is_copied_in_few_runs(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 1);
    struct files files = {.fresh = data, .len = BYTES, .base = data, .base_len = BYTES};
    struct moved moved = rebuild(&files);
    assert_int_equal(moved.sent, 0);
    assert_int_equal(moved.copied, BYTES);
    assert_true(moved.runs <= 3);
    free(data);
}

static void an_insertion_sends_what_is_near_it(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 2), *changed = malloc(BYTES + 10);
    assert_non_null(changed);
    memcpy(changed, data, BYTES / 2);
    memcpy(changed + BYTES / 2, "ten bytes.", 10);
    memcpy(changed + BYTES / 2 + 10, data + BYTES / 2, BYTES - BYTES / 2);
    struct files files = {.fresh = changed, .len = BYTES + 10, .base = data, .base_len = BYTES};
    struct moved moved = rebuild(&files);
    assert_in_range(moved.sent, 10, 4 * chunk_max(LEVEL));
    assert_true(moved.runs < 20);
    free(changed);
    free(data);
}

static void all_that_may_happen_to_a_file(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 3), *other = bytes_make(BYTES, 4);
    static uint8_t moved_around[BYTES];
    struct files files = {.fresh = data, .len = BYTES, .base = other, .base_len = BYTES};
    assert_int_equal(rebuild(&files).sent, BYTES); /* nothing in common */
    files.base_len = 0;
    assert_int_equal(rebuild(&files).sent, BYTES); /* nothing there */
    files.base = NULL;
    struct moved moved = rebuild(&files); /* no base: long runs all the same */
    assert_int_equal(moved.sent, BYTES);
    assert_true(moved.runs <= 3);
    files = (struct files){.fresh = data, .len = BYTES / 3, .base = data, .base_len = BYTES};
    assert_true(rebuild(&files).sent <= chunk_max(LEVEL)); /* cut off */
    files = (struct files){.fresh = data, .len = BYTES, .base = data, .base_len = BYTES / 3};
    assert_true(rebuild(&files).copied >= BYTES / 3 - chunk_max(LEVEL)); /* grown */
    memcpy(moved_around, data + BYTES / 2, BYTES - BYTES / 2);           /* its halves swapped */
    memcpy(moved_around + BYTES - BYTES / 2, data, BYTES / 2);
    files = (struct files){.fresh = moved_around, .len = BYTES, .base = data, .base_len = BYTES};
    assert_true(rebuild(&files).sent <= 4 * chunk_max(LEVEL));
    files = (struct files){.fresh = data, .len = 0, .base = other, .base_len = BYTES};
    assert_int_equal(rebuild(&files).runs, 0);
    free(other);
    free(data);
}

/* Equal chunks must go on with a run, not jump back to the first of their kind at each. */
static void equal_chunks_make_few_runs(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, BYTES);
    assert_non_null(data);
    bytes_fill(data + BYTES / 2, BYTES / 4, 5);
    struct files files = {.fresh = data, .len = BYTES, .base = data, .base_len = BYTES};
    struct moved moved = rebuild(&files);
    assert_int_equal(moved.sent, 0);
    assert_true(moved.runs <= 6);
    free(data);
}

/* Whole chunks in another order are cut alike: neighbours here that are none there are not one run. */
static void chunks_that_changed_places_are_copied_apart(void **state)
{
    (void)state;
    struct signs signs;
    uint8_t *data = bytes_make(BYTES, 9), *turned = malloc(BYTES);
    assert_non_null(turned);
    sign(&signs, data, BYTES, LEVEL);
    const size_t middle = (size_t)signs.chunks[signs.count / 2].offset;
    const size_t end = (size_t)signs.chunks[signs.count - 1].offset;
    memcpy(turned, data + middle, end - middle);
    memcpy(turned + (end - middle), data, middle);
    memcpy(turned + end, data + end, BYTES - end);
    struct files files = {.fresh = turned, .len = BYTES, .base = data, .base_len = BYTES};
    struct moved moved = rebuild(&files);
    assert_int_equal(moved.sent, 0);
    assert_in_range(moved.runs, 3, 6);
    signs_clear(&signs);
    free(turned);
    free(data);
}

static void blocks_that_are_there_are_kept(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 6), *unfinished = bytes_make(BYTES, 6);
    struct files files = {
        .fresh = data, .len = BYTES, .unfinished = unfinished, .unfinished_len = BYTES};
    struct moved moved = rebuild(&files);
    assert_int_equal(moved.kept, BYTES);
    unfinished[BLOCK] ^= 1; /* the second block, and the last, short one */
    unfinished[BYTES - 1] ^= 1;
    moved = rebuild(&files);
    assert_int_equal(moved.sent, BLOCK + 54321);
    assert_int_equal(moved.runs, 4);
    files.unfinished_len = 3 * BLOCK;
    moved = rebuild(&files);
    assert_int_equal(moved.kept, 2 * BLOCK);
    free(unfinished);
    free(data);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Unfinished, old and new file, each changed against the others at random. */
static void any_mixture_is_rebuilt(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 7), *base = malloc(BYTES), *unfinished = malloc(BYTES);
    uint32_t seed = 20261121;
    assert_non_null(base);
    assert_non_null(unfinished);
    for (int i = 0; i < TERN_TEST_TIMES(40) + 4; i++) {
        size_t shift = next_random(&seed) % 100000;
        uint64_t kept = 0;
        memcpy(base, data + shift, BYTES - shift);
        memcpy(unfinished, data, BYTES);
        for (int k = 0; k < 5; k++) {
            base[next_random(&seed) % BYTES] ^= 1;
            unfinished[next_random(&seed) % BYTES] ^= 1;
        }
        struct files files = {.fresh = data,
                              .len = BYTES - next_random(&seed) % BLOCK,
                              .base = base,
                              .base_len = BYTES - shift,
                              .unfinished = unfinished,
                              .unfinished_len = next_random(&seed) % BYTES};
        for (size_t at = 0; at < files.len; at += BLOCK) {
            size_t n = files.len - at < BLOCK ? files.len - at : BLOCK;
            kept += has_block(&files, at, n) ? n : 0;
        }
        struct moved moved = rebuild(&files);
        assert_int_equal(moved.kept, kept); /* every one of them, never sent again */
        assert_true(moved.sent <= 20 * chunk_max(LEVEL) + shift + BLOCK);
    }
    free(unfinished);
    free(base);
    free(data);
}

/* In place, a chunk that moved may be overwritten before it is read: it is sent. */
static void in_place_nothing_moves(void **state)
{
    (void)state;
    uint8_t *data = bytes_make(BYTES, 8), *changed = malloc(BYTES);
    assert_non_null(changed);
    memcpy(changed, data, BYTES);
    memset(changed + BYTES / 2, 1, 5);
    memset(changed, 0, BLOCK); /* equal chunks: the one at the same place counts, not the first */
    memset(data, 0, BLOCK);
    struct files files = {
        .fresh = changed, .len = BYTES, .base = data, .base_len = BYTES, .is_in_place = true};
    assert_in_range(rebuild(&files).sent, 5, 4 * chunk_max(LEVEL));
    files.fresh = data + 1;
    files.len = BYTES - 1;
    assert_true(rebuild(&files).sent >= BYTES - BLOCK - 2 * chunk_max(LEVEL));
    free(changed);
    free(data);
}

/* Digests of a peer's choice, all equal or alike in any bits that a table might look at, cost no more
 * than others do. Quadratic work on this many would take minutes. */
static void chosen_digests_cost_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct signs signs;
        signs_init(&signs);
        for (uint32_t i = 0; i < CHUNK_COUNT_MAX; i++) {
            uint8_t hash[CHUNK_HASH_SIZE] = {0};
            if (kind > 0) { /* all differ in four bytes at one end only */
                memcpy(hash + (kind == 1 ? 0 : CHUNK_HASH_SIZE - 4), &i, 4);
            }
            assert_int_equal(signs_add(&signs, UINT32_C(1) << 30, hash), 0);
        }
        uint8_t hash[CHUNK_HASH_SIZE] = {0};
        assert_int_equal(signs_add(&signs, 1, hash), E2BIG);
        assert_int_equal(signs_index(&signs), 0);
        assert_true(signs.size == (uint64_t)CHUNK_COUNT_MAX << 30);
        struct chunk wanted = {.len = UINT32_C(1) << 30};
        assert_int_equal(signs_find(&signs, &wanted, SIGNS_NONE), 0);
        wanted.len--;
        assert_int_equal(signs_find(&signs, &wanted, 0), SIGNS_NONE);
        wanted.len++;
        assert_int_equal(signs_find_at(&signs, &wanted, kind == 0 ? wanted.len : 0), kind == 0);
        assert_int_equal(signs_find_at(&signs, &wanted, 1), SIGNS_NONE);
        assert_int_equal(signs_find_at(&signs, &wanted, UINT64_MAX), SIGNS_NONE);
        signs_clear(&signs);
    }
}

/* One digest for chunks of all lengths must not lead them all to one place: an alarm ends what takes minutes. */
static void chosen_lengths_cost_nothing(void **state)
{
    struct signs signs;
    uint8_t hash[CHUNK_HASH_SIZE] = {0};
    (void)state;
    (void)alarm(30);
    signs_init(&signs);
    for (uint32_t i = 0; i < CHUNK_COUNT_MAX; i++) {
        assert_int_equal(signs_add(&signs, i + 1, hash), 0);
    }
    assert_int_equal(signs_index(&signs), 0);
    struct chunk wanted = {.len = 4711};
    assert_int_equal(signs_find(&signs, &wanted, SIGNS_NONE), 4710);
    signs_clear(&signs);
    (void)alarm(0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_equal_file_is_copied_in_few_runs),
    cmocka_unit_test(an_insertion_sends_what_is_near_it),
    cmocka_unit_test(all_that_may_happen_to_a_file),
    cmocka_unit_test(equal_chunks_make_few_runs),
    cmocka_unit_test(chunks_that_changed_places_are_copied_apart),
    cmocka_unit_test(blocks_that_are_there_are_kept),
    cmocka_unit_test(any_mixture_is_rebuilt),
    cmocka_unit_test(in_place_nothing_moves),
    cmocka_unit_test(chosen_digests_cost_nothing),
    cmocka_unit_test(chosen_lengths_cost_nothing),
};

TERN_TEST_MAIN(tests)
