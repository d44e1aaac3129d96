/* Varints of RFC 9000 A.1, and that no reader or writer leaves its bytes.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"

#include "unit/base/kit.h"

/* The samples of RFC 9000 A.1. */
static const struct {
    uint8_t bytes[8];
    size_t len;
    uint64_t value;
} samples[] = {
    {{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 8, UINT64_C(151288809941952652)},
    {{0x9d, 0x7f, 0x3e, 0x7d}, 4, 494878333},
    {{0x7b, 0xbd}, 2, 15293},
    {{0x25}, 1, 37},
    {{0x40, 0x25}, 2, 37}, /* not the shortest form */
};

/* The edges of RFC 9000 table 4. */
static const struct {
    uint64_t value;
    size_t size;
} edges[] = {
    {0, 1},     {63, 1},         {64, 2},         {16383, 2},
    {16384, 4}, {1073741823, 4}, {1073741824, 8}, {TERN_VARINT_MAX, 8},
};

static void varints_of_the_rfc_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(samples); i++) {
        struct tern_reader r;
        tern_reader_init(&r, samples[i].bytes, samples[i].len);
        assert_int_equal(tern_read_varint(&r), samples[i].value);
        assert_false(r.failed);
        assert_int_equal(tern_reader_left(&r), 0);
    }
}

static void varints_of_the_rfc_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < TERN_COUNT_OF(samples); i++) {
        uint8_t buf[8];
        struct tern_writer w;
        tern_writer_init(&w, buf, sizeof buf);
        tern_write_varint(&w, samples[i].value);
        assert_int_equal(tern_writer_used(&w), samples[i].len);
        assert_memory_equal(buf, samples[i].bytes, samples[i].len);
    }
}

static void varint_edges_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(edges); i++) {
        uint8_t buf[8];
        struct tern_writer w;
        struct tern_reader r;
        tern_writer_init(&w, buf, sizeof buf);
        tern_write_varint(&w, edges[i].value);
        assert_int_equal(tern_writer_used(&w), edges[i].size);
        assert_int_equal(tern_varint_size(edges[i].value), edges[i].size);
        tern_reader_init(&r, buf, edges[i].size);
        assert_int_equal(tern_read_varint(&r), edges[i].value);
        assert_false(r.failed);
    }
}

static void cut_varint_fails_and_reads_nothing_more(void **state)
{
    (void)state;
    for (unsigned prefix = 0; prefix < 4; prefix++) {
        size_t size = (size_t)1 << prefix;
        uint8_t full[8];
        memset(full, 0xff, sizeof full);
        full[0] = (uint8_t)(prefix << 6 | 0x3f);
        for (size_t len = 0; len < size; len++) {
            uint8_t *cut = kit_exact(full, len);
            struct tern_reader r;
            tern_reader_init(&r, cut, len);
            assert_int_equal(tern_read_varint(&r), 0);
            assert_true(r.failed);
            free(cut);
        }
    }
}

static void varint_too_long_for_its_room_writes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(edges); i++) {
        for (size_t room = 0; room < edges[i].size; room++) {
            uint8_t *buf = malloc(room);
            struct tern_writer w;
            tern_writer_init(&w, buf, room);
            tern_write_varint(&w, edges[i].value);
            assert_true(w.failed);
            assert_int_equal(tern_writer_used(&w), 0);
            free(buf);
        }
    }
}

static void reader_stays_failed(void **state)
{
    (void)state;
    const uint8_t bytes[3] = {1, 2, 3};
    struct tern_reader r;
    tern_reader_init(&r, bytes, sizeof bytes);
    assert_null(tern_read_bytes(&r, 4));
    assert_true(r.failed);
    assert_null(tern_read_bytes(&r, 0));
    assert_int_equal(tern_read_u8(&r), 0);
    assert_int_equal(tern_read_varint(&r), 0);
    assert_int_equal(tern_reader_left(&r), 3);
}

static void reader_refuses_a_length_that_would_wrap(void **state)
{
    (void)state;
    const uint8_t bytes[3] = {1, 2, 3};
    struct tern_reader r;
    tern_reader_init(&r, bytes, sizeof bytes);
    assert_null(tern_read_bytes(&r, UINT64_MAX));
    assert_true(r.failed);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t n = 1; n <= 8; n++) {
        uint8_t out[16];
        struct tern_reader r;
        struct tern_writer w;
        tern_reader_init(&r, bytes, sizeof bytes);
        uint64_t value = tern_read_uint(&r, n);
        assert_int_equal(value, UINT64_C(0x0102030405060708) >> (64 - 8 * n));
        tern_writer_init(&w, out, sizeof out);
        tern_write_uint(&w, value, n);
        assert_int_equal(tern_writer_used(&w), n);
        assert_memory_equal(out, bytes, n);
    }
}

static void writer_stays_failed(void **state)
{
    (void)state;
    uint8_t buf[4] = {0};
    struct tern_writer w;
    tern_writer_init(&w, buf, sizeof buf);
    tern_write_uint(&w, 0x0102, 2);
    tern_write_bytes(&w, "abc", 3);
    assert_true(w.failed);
    tern_write_u8(&w, 9);
    assert_int_equal(tern_writer_used(&w), 2);
    assert_int_equal(tern_writer_left(&w), 2);
    assert_memory_equal(buf, "\x01\x02\0\0", 4);
}

static void empty_pieces_are_fine(void **state)
{
    (void)state;
    uint8_t byte = 7;
    struct tern_reader r;
    struct tern_writer w;
    tern_reader_init(&r, &byte, 1);
    assert_ptr_equal(tern_read_bytes(&r, 0), &byte);
    assert_false(r.failed);
    tern_writer_init(&w, &byte, 1);
    tern_write_bytes(&w, NULL, 0);
    assert_false(w.failed);
    assert_int_equal(tern_writer_used(&w), 0);
}

static void no_room_at_all_fails(void **state)
{
    (void)state;
    struct tern_reader r;
    struct tern_writer w;
    uint8_t byte = 7;
    tern_reader_init(&r, &byte, 0);
    assert_int_equal(tern_reader_left(&r), 0);
    assert_int_equal(tern_read_varint(&r), 0);
    assert_true(r.failed);
    tern_writer_init(&w, &byte, 0);
    tern_write_u8(&w, 1);
    assert_true(w.failed);
    assert_int_equal(tern_writer_used(&w), 0);
}

static void writer_fills_to_the_last_byte(void **state)
{
    (void)state;
    uint8_t *buf = malloc(3);
    struct tern_writer w;
    tern_writer_init(&w, buf, 3);
    tern_write_bytes(&w, "abc", 3);
    assert_false(w.failed);
    assert_int_equal(tern_writer_left(&w), 0);
    assert_memory_equal(buf, "abc", 3);
    free(buf);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(varints_of_the_rfc_are_read),
    cmocka_unit_test(varints_of_the_rfc_are_written),
    cmocka_unit_test(varint_edges_round_trip),
    cmocka_unit_test(cut_varint_fails_and_reads_nothing_more),
    cmocka_unit_test(varint_too_long_for_its_room_writes_nothing),
    cmocka_unit_test(reader_stays_failed),
    cmocka_unit_test(reader_refuses_a_length_that_would_wrap),
    cmocka_unit_test(numbers_are_big_endian),
    cmocka_unit_test(writer_stays_failed),
    cmocka_unit_test(empty_pieces_are_fine),
    cmocka_unit_test(no_room_at_all_fails),
    cmocka_unit_test(writer_fills_to_the_last_byte),
};

TERN_TEST_MAIN(tests)
