/* Requests about names on the wire: they come through whole, in pieces, and nothing malformed does.
 * SPDX-License-Identifier: MIT */
#include "terncp/names.h"

#include <string.h>

#include "tern_test.h"

static uint8_t buf[NAMES_SIZE_MAX];
static struct names_message in, out;

static void begin(enum names_type type, const char *text)
{
    memset(&in, 0, sizeof in);
    in.type = type;
    (void)strcpy(in.text, text);
}

/* Encodes `in`, decodes it cut off at every length, and then whole into `out`. */
static size_t through(void)
{
    size_t len = names_encode(&in, buf, sizeof buf);
    assert_true(len > 0);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(names_decode(&out, buf, cut), 0);
    }
    assert_int_equal(names_decode(&out, buf, len), (int)len);
    assert_int_equal(out.type, in.type);
    assert_string_equal(out.text, in.text);
    return len;
}

static void requests_come_through(void **state)
{
    (void)state;
    begin(NAMES_ASK, "some/path");
    in.version = NAMES_VERSION;
    in.verb = NAMES_REMOVE;
    in.flags = NAMES_FLAG_RECURSIVE | 0x4000u;
    (void)through();
    assert_int_equal(out.version, NAMES_VERSION);
    assert_int_equal(out.verb, NAMES_REMOVE);
    assert_int_equal(out.flags, in.flags);
    begin(NAMES_ASK, "");
    (void)through();
}

static void names_come_through(void **state)
{
    (void)state;
    begin(NAMES_NAME, "\033\xff\n");
    (void)strcpy(in.target, "to/where");
    in.about = (struct names_about){.mode = 0120777,
                                    .links = 3,
                                    .uid = UINT32_MAX,
                                    .gid = 7,
                                    .size = UINT64_MAX,
                                    .mtime_s = -5,
                                    .mtime_ns = 999999999};
    (void)through();
    assert_string_equal(out.target, in.target);
    assert_memory_equal(&out.about, &in.about, sizeof in.about);
}

static void failures_and_ends_come_through(void **state)
{
    (void)state;
    begin(NAMES_FAIL, "why");
    in.status = PROTO_READ_ONLY;
    in.is_last = true;
    (void)through();
    assert_int_equal(out.status, PROTO_READ_ONLY);
    assert_true(out.is_last);
    begin(NAMES_END, "");
    in.count = UINT64_MAX - 1;
    (void)through();
    assert_int_equal(out.count, in.count);
}

static void the_longest_fits(void **state)
{
    (void)state;
    begin(NAMES_NAME, "");
    memset(in.text, 'x', PROTO_PATH_MAX);
    memset(in.target, 'y', PROTO_PATH_MAX);
    size_t len = names_encode(&in, buf, sizeof buf);
    assert_in_range(len, 2 * PROTO_PATH_MAX, sizeof buf);
    assert_int_equal(names_decode(&out, buf, len), (int)len);
    assert_string_equal(out.target, in.target);
    assert_int_equal(names_encode(&in, buf, len - 1), 0);
}

/* A change of one octet at `at` must make it malformed. */
static void spoil(size_t len, size_t at, uint8_t value)
{
    uint8_t kept = buf[at];
    buf[at] = value;
    assert_int_equal(names_decode(&out, buf, len), -1);
    buf[at] = kept;
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    begin(NAMES_NAME, "name");
    (void)strcpy(in.target, "t");
    size_t len = through();
    spoil(len, 0, 1);        /* no such type: one of the control stream's */
    spoil(len, 0, 36);       /* nor this */
    spoil(len, 1, 1);        /* longer than any */
    spoil(len, 4, 37);       /* shorter than its fixed part */
    spoil(len, 5 + 32, 255); /* a second has no so many nanoseconds */
    spoil(len, 5 + 37, 0);   /* no name */
    spoil(len, 5 + 37, 6);   /* a name longer than the rest */
    spoil(len, len - 1, 0);  /* a NUL in the target */
    spoil(len, len - 3, 0);  /* and in the name */
    begin(NAMES_END, "");
    len = through();
    spoil(len, 4, 7);
    begin(NAMES_ASK, "p");
    len = through();
    spoil(len, len - 1, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(requests_come_through),          cmocka_unit_test(names_come_through),
    cmocka_unit_test(failures_and_ends_come_through), cmocka_unit_test(the_longest_fits),
    cmocka_unit_test(what_is_malformed_is_refused),
};

TERN_TEST_MAIN(tests)
