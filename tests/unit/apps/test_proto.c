/* Every message and entry comes back as it went, and nothing hostile gets through.
 * SPDX-License-Identifier: MIT */
#include "terncp/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

/* Decodes from a heap copy of exactly len bytes, so that a sanitizer sees each byte too far. */
static int decode(struct proto_message *m, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    int n = proto_decode(m, copy, len);
    free(copy);
    return n;
}

static int decode_entry(struct proto_entry *e, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    int n = proto_entry_decode(e, copy, len);
    free(copy);
    return n;
}

static int decode_step(struct proto_step *step, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    int n = proto_step_decode(step, copy, len);
    free(copy);
    return n;
}

static const struct proto_message messages[] = {
    {.type = PROTO_SETTING, .setting = PROTO_PARTIAL_DIR, .text = "a folder"},
    {.type = PROTO_HELLO,
     .version = PROTO_VERSION,
     .direction = PROTO_PULL,
     .flags = PROTO_FLAG_RECURSIVE | PROTO_FLAG_INTO | 0x80000000u,
     .key = "a key of thirty-two bytes, drawn",
     .text = "some/folder\nwith a newline"},
    {.type = PROTO_HELLO, .version = 255, .direction = PROTO_PUSH, .text = ""},
    {.type = PROTO_READY, .flags = PROTO_FLAG_ZSTD},
    {.type = PROTO_FAIL, .status = PROTO_NO_SPACE, .index = 0x01020304, .text = "no space left"},
    {.type = PROTO_FAIL, .status = PROTO_IO, .index = PROTO_INDEX_ALL, .text = ""},
    {.type = PROTO_DONE,
     .ranges = {{0, 1}, {7, 4000}, {PROTO_INDEX_NONE - 1, 1}},
     .range_count = 3},
    {.type = PROTO_DONE},
    {.type = PROTO_END, .index = 4000000000u, .failed = 7, .excluded = 1ull << 40},
    {.type = PROTO_RULE, .text = "- *.o"},
    {.type = PROTO_RULE, .text = ""},
    {.type = PROTO_WANT, .ranges = {{3, 4}}, .range_count = 1},
    {.type = PROTO_CURRENT, .ranges = {{3, 4}}, .range_count = 1},
    {.type = PROTO_GONE, .index = 5, .text = "old"},
    {.type = PROTO_LIMIT, .rate = UINT64_C(0x0102030405060708), .is_background = true},
    {.type = PROTO_LIMIT},
    {.type = PROTO_TOTAL, .files = UINT64_C(1) << 40, .bytes = UINT64_MAX},
};

static void messages_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        uint8_t buf[5 + PROTO_BODY_MAX];
        static struct proto_message out;
        const struct proto_message *in = &messages[i];
        size_t len = proto_encode(in, buf, sizeof buf);
        assert_in_range(len, 5, sizeof buf);
        assert_int_equal(decode(&out, buf, len), (int)len);
        assert_int_equal(out.type, in->type);
        assert_int_equal(out.version, in->version);
        assert_int_equal(out.direction, in->direction);
        assert_int_equal(out.flags, in->flags);
        assert_memory_equal(out.key, in->key, sizeof out.key);
        assert_int_equal(out.status, in->status);
        assert_int_equal(out.index, in->index);
        assert_int_equal(out.failed, in->failed);
        assert_int_equal(out.excluded, in->excluded);
        assert_string_equal(out.text, in->text);
        assert_int_equal(out.rate, in->rate);
        assert_int_equal(out.is_background, in->is_background);
        assert_int_equal(out.files, in->files);
        assert_int_equal(out.bytes, in->bytes);
        assert_int_equal(out.range_count, in->range_count);
        assert_memory_equal(out.ranges, in->ranges, sizeof out.ranges);
    }
}

static void message_layout_is_as_specified(void **state)
{
    (void)state;
    static const uint8_t hello[] = {1, 0, 0, 0, 44, 2,           2,           0,   0,  1,
                                    0, 0, 0, 1, 3,  [15] = 0x4b, [46] = 0x59, 'a', 'b'};
    static const uint8_t fail[] = {3, 0, 0, 0, 6, 5, 0, 0, 1, 2, '!'};
    static const uint8_t done[] = {4, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 1, 0};
    static const uint8_t end[] = {5, 0, 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 2};
    static struct proto_message m = {
        .type = PROTO_HELLO, .version = 2, .direction = 2, .flags = 0x10000000103, .text = "ab"};
    m.key[0] = 0x4b;
    m.key[31] = 0x59;
    uint8_t buf[64];
    assert_int_equal(proto_encode(&m, buf, sizeof buf), sizeof hello);
    assert_memory_equal(buf, hello, sizeof hello);
    m = (struct proto_message){.type = PROTO_FAIL, .status = 5, .index = 258, .text = "!"};
    assert_int_equal(proto_encode(&m, buf, sizeof buf), sizeof fail);
    assert_memory_equal(buf, fail, sizeof fail);
    m = (struct proto_message){.type = PROTO_DONE, .ranges = {{5, 256}}, .range_count = 1};
    assert_int_equal(proto_encode(&m, buf, sizeof buf), sizeof done);
    assert_memory_equal(buf, done, sizeof done);
    m = (struct proto_message){.type = PROTO_END, .index = 65536, .failed = 3, .excluded = 258};
    assert_int_equal(proto_encode(&m, buf, sizeof buf), sizeof end);
    assert_memory_equal(buf, end, sizeof end);
}

static void cut_messages_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        uint8_t buf[5 + PROTO_BODY_MAX];
        static struct proto_message out;
        size_t len = proto_encode(&messages[i], buf, sizeof buf);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decode(&out, buf, cut), 0);
            assert_int_equal(proto_encode(&messages[i], buf + len, cut), 0);
        }
    }
}

static void messages_behind_each_other_are_told_apart(void **state)
{
    (void)state;
    uint8_t buf[1024];
    static struct proto_message out;
    size_t len = 0, at = 0;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        len += proto_encode(&messages[i], buf + len, sizeof buf - len);
    }
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        int n = decode(&out, buf + at, len - at);
        assert_true(n > 0);
        assert_int_equal(out.type, messages[i].type);
        at += (size_t)n;
    }
    assert_int_equal(at, len);
}

static void hostile_messages_are_refused(void **state)
{
    (void)state;
    static const uint8_t bad[][54] = {
        {0, 0, 0, 0, 0},                                        /* no type 0 */
        {11, 0, 0, 0, 0},                                       /* nor 11 */
        {8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1},                   /* WANT with a part of a range */
        {10, 0, 0, 0, 3, 0, 0, 0},                              /* GONE without a count */
        {7, 0, 0, 0, 3, '-', 0, 'x'},                           /* a NUL in a rule */
        {255, 0, 0, 0, 0},                                      /* nor 255 */
        {1, 0, 0, 0, 41, 1, 1},                                 /* HELLO with its key cut off */
        {1, 0xff, 0xff, 0xff, 0xff},                            /* 4 GiB of path */
        {1, 0, 0, 0x10, 0x41},                                  /* one more than there may be */
        {2, 0, 0, 0, 9, 0, 0, 0, 0, 0},                         /* READY has flags alone */
        {3, 0, 0, 0, 4, 1, 0, 0, 0},                            /* FAIL too short */
        {4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1},                   /* DONE with a part of a range */
        {4, 0, 0, 0x10, 8},                                     /* and with one too many */
        {4, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0},                /* of nothing */
        {4, 0, 0, 0, 8, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0x0f}, /* beyond the last index */
        {5, 0, 0, 0, 3, 0, 0, 0},                               /* END too short */
        {1, 0, 0, 0, 45, 1, 1, [47] = 'a', 0, 'b'},             /* a NUL in the path */
    };
    static struct proto_message out;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(decode(&out, bad[i], sizeof bad[i]), -1);
    }
}

static void longest_path_fits_and_no_longer_one(void **state)
{
    (void)state;
    static struct proto_message in, out;
    static uint8_t buf[5 + PROTO_BODY_MAX];
    in = (struct proto_message){.type = PROTO_HELLO};
    memset(in.text, 'x', PROTO_PATH_MAX);
    size_t len = proto_encode(&in, buf, sizeof buf);
    assert_int_equal(len, 5 + 10 + PROTO_KEY_SIZE + PROTO_PATH_MAX);
    assert_int_equal(decode(&out, buf, len), (int)len);
    assert_string_equal(out.text, in.text);
    buf[3] = (PROTO_PATH_MAX + PROTO_KEY_SIZE + 11) >>
             8; /* a path of one more byte, within the body's limit */
    buf[4] = (PROTO_PATH_MAX + PROTO_KEY_SIZE + 11) & 0xff;
    buf[len] = 'x';
    assert_int_equal(decode(&out, buf, len + 1), -1);
}

static const struct proto_entry entries[] = {
    {.type = PROTO_FILE,
     .index = 3,
     .mode = 0644,
     .mtime_s = 981173106,
     .mtime_ns = 999999999,
     .size = INT64_MAX,
     .name = "a/b c/\xe2\x98\x83"},
    {.type = PROTO_FOLDER, .index = PROTO_INDEX_NONE - 1, .mode = 0755, .mtime_s = -1, .name = "d"},
    {.type = PROTO_FILE, .mtime_s = INT64_MIN, .name = "-"},
    {.type = PROTO_FILE, .size = PROTO_SIZE_UNKNOWN, .name = "stream"},
    {.type = PROTO_LINK, .size = 9, .mode = 0777, .name = "l"},
    {.type = PROTO_VOID, .mode = PROTO_IO, .name = "v"},
};

static void entries_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        static uint8_t buf[PROTO_HEADER_MAX];
        static struct proto_entry out;
        const struct proto_entry *in = &entries[i];
        size_t len = proto_entry_encode(in, buf, sizeof buf);
        assert_true(len > 0);
        assert_int_equal(decode_entry(&out, buf, len), (int)len);
        assert_int_equal(out.type, in->type);
        assert_int_equal(out.index, in->index);
        assert_int_equal(out.mode, in->mode);
        assert_true(out.mtime_s == in->mtime_s);
        assert_int_equal(out.mtime_ns, in->mtime_ns);
        assert_true(out.size == in->size);
        assert_string_equal(out.name, in->name);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decode_entry(&out, buf, cut), 0);
            assert_int_equal(proto_entry_encode(in, buf + len, cut), 0);
        }
    }
}

static void hostile_entries_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {0, 0},     /* no type */
        {0, 6},     /* none of ours */
        {17, 0x3c}, /* nanoseconds of more than a second */
        {21, 0x80}, /* a negative size */
        {29, 1},    /* attributes of 16 MiB */
        {33, 0xff}, /* a name of 64 KiB */
        {34, 0},    /* of nothing */
        {36, 0},    /* with a NUL inside */
    };
    static struct proto_entry out;
    static uint8_t buf[PROTO_HEADER_MAX];
    struct proto_entry in = {.type = PROTO_FILE, .index = 1, .size = 5, .name = "abc"};
    size_t len = proto_entry_encode(&in, buf, sizeof buf);
    assert_int_equal(len, 38);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        uint8_t old = buf[changes[i].at];
        buf[changes[i].at] = changes[i].value;
        assert_int_equal(decode_entry(&out, buf, len), -1);
        buf[changes[i].at] = old;
    }
    memset(buf + 1, 0xff, 4); /* the index that stands for everything */
    assert_int_equal(decode_entry(&out, buf, len), -1);
}

static void names_at_the_limit(void **state)
{
    (void)state;
    static struct proto_entry in, out;
    static uint8_t buf[PROTO_HEADER_MAX];
    in = (struct proto_entry){.type = PROTO_FOLDER};
    assert_int_equal(proto_entry_encode(&in, buf, sizeof buf), 0); /* no name */
    memset(in.name, 'n', PROTO_PATH_MAX);
    size_t len = proto_entry_encode(&in, buf, sizeof buf);
    assert_int_equal(len, 35 + PROTO_PATH_MAX);
    assert_int_equal(decode_entry(&out, buf, len), (int)len);
    buf[34]++;
    assert_int_equal(decode_entry(&out, buf, len), -1);
}

static void indices_gather_in_ranges(void **state)
{
    (void)state;
    static struct proto_message done;
    done = (struct proto_message){.type = PROTO_DONE};
    for (uint32_t i = 0; i < 100; i++) { /* two batches by turns, as two workers settle them */
        assert_true(proto_ranges_add(&done, i));
        assert_true(proto_ranges_add(&done, 1000 + i));
    }
    assert_int_equal(done.range_count, 2);
    assert_int_equal(done.ranges[0].count, 100);
    assert_int_equal(done.ranges[1].first, 1000);
    for (uint32_t i = 2; i < PROTO_RANGES_MAX; i++) {
        assert_true(proto_ranges_add(&done, 10000 * i));
    }
    assert_false(proto_ranges_add(&done, 5));
    assert_true(proto_ranges_add(&done, 10000 * (PROTO_RANGES_MAX - 1) + 1));
    static uint8_t buf[5 + PROTO_BODY_MAX];
    assert_int_equal(proto_encode(&done, buf, sizeof buf), 5 + 8 * PROTO_RANGES_MAX);
}

static void what_belongs_in_a_pack(void **state)
{
    (void)state;
    static struct proto_entry e;
    e = (struct proto_entry){.type = PROTO_FILE, .size = PROTO_SMALL_MAX - 1};
    assert_true(proto_packed_size(&e, 0) == (int64_t)PROTO_SMALL_MAX - 1 + PROTO_HASH_SIZE);
    assert_true(proto_packed_size(&e, PROTO_FLAG_NO_HASH) == (int64_t)PROTO_SMALL_MAX - 1);
    e.size++;
    assert_true(proto_packed_size(&e, 0) == -1);
    e.size = PROTO_SIZE_UNKNOWN;
    assert_true(proto_packed_size(&e, 0) == -1);
    e = (struct proto_entry){.type = PROTO_LINK, .size = PROTO_LINK_MAX};
    assert_true(proto_packed_size(&e, 0) == PROTO_LINK_MAX + PROTO_HASH_SIZE);
    e.size++;
    assert_true(proto_packed_size(&e, 0) == -1);
    e.size = 0;
    assert_true(proto_packed_size(&e, 0) == -1);
    e.type = PROTO_FOLDER;
    assert_true(proto_packed_size(&e, 0) == 0);
    e.size = 1;
    assert_true(proto_packed_size(&e, 0) == -1);
}

static void packed_runs_are_bounded(void **state)
{
    (void)state;
    struct proto_packed in = {.len = PROTO_UNPACKED_MAX, .packed = 77}, out;
    uint8_t buf[PROTO_PACKED_HEAD];
    assert_int_equal(proto_packed_encode(&in, buf, sizeof buf), sizeof buf);
    assert_int_equal(proto_packed_encode(&in, buf, sizeof buf - 1), 0);
    assert_int_equal(proto_packed_decode(&out, buf, sizeof buf), sizeof buf);
    assert_int_equal(out.len, in.len);
    assert_int_equal(out.packed, 77);
    assert_int_equal(proto_packed_decode(&out, buf, sizeof buf - 1), 0);
    static const struct proto_packed bad[] = {
        {PROTO_UNPACKED_MAX + 1, 77},
        {77, 77}, /* no shorter */
        {77, 0},
        {PROTO_UNPACKED_MAX, PROTO_UNPACKED_MAX - 1}, /* would not fit, with its head */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)proto_packed_encode(&bad[i], buf, sizeof buf);
        assert_int_equal(proto_packed_decode(&out, buf, sizeof buf), -1);
    }
    buf[0] = 1;
    assert_int_equal(proto_packed_decode(&out, buf, sizeof buf), -1);
}

static void steps_round_trip(void **state)
{
    (void)state;
    static const struct proto_step steps[] = {
        {.kind = PROTO_STEP_DATA, .len = PROTO_BLOCK},
        {.kind = PROTO_STEP_DATA, .len = 1},
        {.kind = PROTO_STEP_ZDATA, .len = PROTO_BLOCK, .packed = PROTO_BLOCK - 1},
        {.kind = PROTO_STEP_COPY, .offset = INT64_MAX - 5, .len = 5},
        {.kind = PROTO_STEP_HOLE, .len = INT64_MAX},
        {.kind = PROTO_STEP_END},
        {.kind = PROTO_STEP_KEEP, .len = PROTO_BLOCK},
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        uint8_t buf[PROTO_STEP_MAX];
        struct proto_step out;
        size_t len = proto_step_encode(&steps[i], buf, sizeof buf);
        assert_true(len > 0);
        assert_int_equal(decode_step(&out, buf, len), (int)len);
        assert_int_equal(out.kind, steps[i].kind);
        assert_int_equal(out.packed, steps[i].packed);
        assert_true(out.offset == steps[i].offset);
        assert_true(out.len == steps[i].len);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decode_step(&out, buf, cut), 0);
            assert_int_equal(proto_step_encode(&steps[i], buf, cut), 0);
        }
    }
}

static void hostile_steps_are_refused(void **state)
{
    (void)state;
    static const uint8_t bad[][PROTO_STEP_MAX] = {
        {0},
        {7},
        {1, 0, 0, 0, 0},                /* of nothing */
        {1, 0, 0x10, 0, 1},             /* of more than a block */
        {2, 0, 0, 0, 5, 0, 0, 0, 5},    /* packed, but no shorter */
        {2, 0, 0, 0, 5, 0, 0, 0, 0},    /* made from nothing */
        {2, 0, 0x10, 0, 1, 0, 0, 0, 1}, /* more than a block when it is unpacked */
        {3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
        {3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1},
        {3, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {4, 0, 0, 0, 0, 0, 0, 0, 0},
        {4, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {6, 0, 0, 0, 0, 0, 0, 0, 0},
        {6, 0x80, 0, 0, 0, 0, 0, 0, 0},
    };
    struct proto_step out;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(decode_step(&out, bad[i], sizeof bad[i]), -1);
    }
}

/* No bytes at all make a decoder read too far or return what is not whole. */
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t data[80];
        static struct proto_message m;
        static struct proto_entry e;
        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 1664525 + 1013904223;
            data[i] = (uint8_t)((seed >> 24) & (i < 8 && round % 2 == 0 ? 7 : 255));
        }
        size_t len = seed % sizeof data;
        static struct proto_step step;
        assert_in_range(decode(&m, data, len) + 1, 0, len + 1);
        assert_in_range(decode_step(&step, data, len) + 1, 0, len + 1);
        assert_in_range(decode_entry(&e, data, len) + 1, 0, len + 1);
    }
}

static void errors_have_a_status_and_a_text(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum proto_status status;
    } expected[] = {
        {0, PROTO_OK},
        {ENOENT, PROTO_NOT_FOUND},
        {EACCES, PROTO_NO_PERMISSION},
        {ENOSPC, PROTO_NO_SPACE},
        {EDQUOT, PROTO_NO_SPACE},
        {EROFS, PROTO_READ_ONLY},
        {EXDEV, PROTO_REFUSED_PATH},
        {EIO, PROTO_IO},
        {12345, PROTO_IO},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(proto_status_of(expected[i].error), expected[i].status);
    }
    for (unsigned i = 0; i < 300; i++) { /* a peer may send any */
        assert_true(strlen(proto_status_text((enum proto_status)i)) > 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(messages_round_trip),
    cmocka_unit_test(message_layout_is_as_specified),
    cmocka_unit_test(cut_messages_wait),
    cmocka_unit_test(messages_behind_each_other_are_told_apart),
    cmocka_unit_test(hostile_messages_are_refused),
    cmocka_unit_test(longest_path_fits_and_no_longer_one),
    cmocka_unit_test(entries_round_trip),
    cmocka_unit_test(hostile_entries_are_refused),
    cmocka_unit_test(names_at_the_limit),
    cmocka_unit_test(indices_gather_in_ranges),
    cmocka_unit_test(what_belongs_in_a_pack),
    cmocka_unit_test(packed_runs_are_bounded),
    cmocka_unit_test(steps_round_trip),
    cmocka_unit_test(hostile_steps_are_refused),
    cmocka_unit_test(random_bytes_do_no_harm),
    cmocka_unit_test(errors_have_a_status_and_a_text),
};

TERN_TEST_MAIN(tests)
