/* Cuts that depend on bytes alone: lengths within their bounds and near their average, the same however
 * the bytes come, and found again behind an insertion.
 * SPDX-License-Identifier: MIT */
#include "terncp/chunk.h"

#include "unit/apps/bytes.h"

#define BYTES ((size_t)8 << 20)
#define LEVEL 14
#define COUNT 4096

static const uint8_t key[PROTO_KEY_SIZE] = "a key of a test, 32 bytes of it";

/* Cuts it all, fed in pieces of `piece` bytes. */
static size_t cut(const uint8_t *data, size_t len, unsigned level, size_t piece, struct chunk *out)
{
    struct chunk_cutter cutter;
    size_t count = 0;
    chunk_cutter_init(&cutter, level, key);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        bool is_whole;
        at += chunk_cutter_take(&cutter, data + at, n, &out[count], &is_whole);
        count += is_whole ? 1 : 0;
        assert_true(count < COUNT);
    }
    count += chunk_cutter_end(&cutter, &out[count]) ? 1 : 0;
    return count;
}

static void check(const uint8_t *data, size_t len, unsigned level, const struct chunk *chunks,
                  size_t count)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[CHUNK_HASH_SIZE];
        assert_int_equal(chunks[i].offset, offset);
        assert_true(chunks[i].len <= chunk_max(level));
        assert_true(chunks[i].len >= chunk_min(level) || i == count - 1);
        (void)crypto_onetimeauth(hash, data + offset, chunks[i].len, key);
        assert_memory_equal(chunks[i].hash, hash, sizeof hash);
        offset += chunks[i].len;
    }
    assert_int_equal(offset, len);
}

static void chunks_are_near_their_average(void **state)
{
    (void)state;
    static struct chunk chunks[COUNT];
    uint8_t *data = bytes_make(BYTES, 1);
    for (unsigned level = CHUNK_LEVEL_MIN; level <= 16; level++) {
        size_t count = cut(data, BYTES, level, BYTES, chunks);
        check(data, BYTES, level, chunks, count);
        double average = (double)BYTES / (double)count / (double)(1u << level);
        assert_true(average > 0.9 && average < 1.35);
    }
    free(data);
}

static void pieces_make_no_difference(void **state)
{
    (void)state;
    static struct chunk whole[COUNT], pieces[COUNT];
    static const size_t sizes[] = {1, 7, 4096, 10007, 1 << 20};
    const size_t len = BYTES / 4;
    uint8_t *data = bytes_make(len, 2);
    size_t count = cut(data, len, LEVEL, len, whole);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(cut(data, len, LEVEL, sizes[i], pieces), count);
        assert_memory_equal(whole, pieces, count * sizeof *whole);
    }
    free(data);
}

/* Chunks of b that are not in a, by their digests. */
static size_t strangers(const struct chunk *a, size_t a_count, const struct chunk *b,
                        size_t b_count)
{
    size_t found = 0;
    for (size_t i = 0; i < b_count; i++) {
        size_t k = 0;
        while (k < a_count && memcmp(a[k].hash, b[i].hash, CHUNK_HASH_SIZE) != 0) {
            k++;
        }
        found += k == a_count ? 1 : 0;
    }
    return found;
}

static void an_insertion_moves_few_cuts(void **state)
{
    (void)state;
    static struct chunk before[COUNT], after[COUNT];
    uint8_t *data = bytes_make(BYTES, 3), *changed = malloc(BYTES + 10);
    assert_non_null(changed);
    size_t count = cut(data, BYTES, LEVEL, BYTES, before);
    for (size_t at = 12345; at < BYTES; at += BYTES / 7) {
        memcpy(changed, data, at);
        memcpy(changed + at, "ten bytes.", 10);
        memcpy(changed + at + 10, data + at, BYTES - at);
        size_t now = cut(changed, BYTES + 10, LEVEL, BYTES, after);
        assert_in_range(strangers(before, count, after, now), 1, 4);
    }
    free(changed);
    free(data);
}

static void bytes_that_are_all_the_same_end_at_the_greatest_length(void **state)
{
    (void)state;
    static struct chunk chunks[COUNT];
    for (unsigned value = 0; value < 256; value++) {
        uint8_t *data = malloc(BYTES / 8);
        assert_non_null(data);
        memset(data, (int)value, BYTES / 8);
        size_t count = cut(data, BYTES / 8, LEVEL, BYTES, chunks);
        check(data, BYTES / 8, LEVEL, chunks, count);
        free(data);
    }
    assert_int_equal(chunks[0].len, chunk_max(LEVEL));
}

static void an_empty_file_has_no_chunks(void **state)
{
    (void)state;
    struct chunk chunks[2];
    assert_int_equal(cut(NULL, 0, LEVEL, 1, chunks), 0);
    assert_int_equal(cut((const uint8_t *)"x", 1, LEVEL, 1, chunks), 1);
    assert_int_equal(chunks[0].len, 1);
}

/* Memory is bounded by the count, whatever the size. */
static void levels_bound_the_count(void **state)
{
    (void)state;
    unsigned before = 0;
    for (unsigned bits = 0; bits < 45; bits++) {
        uint64_t size = UINT64_C(1) << bits;
        unsigned level = chunk_level(size);
        assert_in_range(level, CHUNK_LEVEL_MIN, CHUNK_LEVEL_MAX);
        assert_true(level >= before);
        assert_true(size >> level <= CHUNK_COUNT_MAX / 2);
        before = level;
    }
    assert_int_equal(chunk_level(UINT64_C(64) << 10), 13);
    assert_int_equal(chunk_level(UINT64_C(64) << 20), 15);
    assert_int_equal(chunk_level(UINT64_C(8) << 30), 16);
    assert_int_equal(chunk_level(UINT64_C(16) << 30), 17);
    assert_int_equal(chunk_level(UINT64_MAX), CHUNK_LEVEL_MAX);
}

/* As docs/terncp-protocol.md has it: both ends must cut alike, whatever their versions. */
static void cuts_are_as_published(void **state)
{
    (void)state;
    static struct chunk chunks[COUNT];
    uint64_t gear[256];
    chunk_gear(gear);
    assert_true(gear[0] == UINT64_C(0xc680727413c8abff));
    assert_true(gear[255] == UINT64_C(0x6b25a86692fec74f));
    uint8_t data[100000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * i >> 8);
    }
    size_t count = cut(data, sizeof data, CHUNK_LEVEL_MIN, sizeof data, chunks);
    static const uint32_t lens[] = {8332, 12393, 9432,  10943, 12393,
                                    9432, 10943, 12393, 9432,  4307};
    assert_int_equal(count, sizeof lens / sizeof lens[0]);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(chunks[i].len, lens[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(chunks_are_near_their_average),
    cmocka_unit_test(pieces_make_no_difference),
    cmocka_unit_test(an_insertion_moves_few_cuts),
    cmocka_unit_test(bytes_that_are_all_the_same_end_at_the_greatest_length),
    cmocka_unit_test(an_empty_file_has_no_chunks),
    cmocka_unit_test(levels_bound_the_count),
    cmocka_unit_test(cuts_are_as_published),
};

TERN_TEST_MAIN(tests)
