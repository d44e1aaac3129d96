/* The JSON of traces: values where they lie, and nothing past the end of what is cut or broken.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"
#include "ternperf/json.h"

static const char record[] =
    "{\"time\": 1.5, "
    "\"name\":\"transport:packet_sent\",\"data\":{\"header\":{\"packet_type\":\"1RTT\","
    "\"packet_number\":7},\"frames\":[{\"frame_type\":\"ack\",\"acked_ranges\":[[0,5],[7,7]]},"
    "{\"frame_type\":\"stream\",\"fin\":true}],\"text\":\"a\\\"}]\"}}";

static struct json first_of(const char *text)
{
    struct json value;
    assert_true(json_first(&value, text, strlen(text)));
    return value;
}

static void members_are_found(void **state)
{
    (void)state;
    struct json all = first_of(record), data, value;
    assert_int_equal(all.len, sizeof record - 1);
    assert_true(json_find(&all, "time", &value));
    assert_true(json_number(&value) > 1.49 && json_number(&value) < 1.51);
    assert_true(json_find(&all, "name", &value));
    assert_true(json_is(&value, "transport:packet_sent"));
    assert_true(json_find(&all, "data", &data));
    assert_true(json_find(&data, "header", &value));
    assert_true(json_find(&value, "packet_number", &value));
    assert_int_equal((int)json_number(&value), 7);
    assert_true(json_find(&data, "text", &value)); /* brackets in strings are none */
    assert_true(json_is(&value, "a\\\"}]"));
    assert_false(json_find(&data, "absent", &value));
    assert_int_equal(value.len, 0);
}

static void items_come_in_turn(void **state)
{
    (void)state;
    struct json all = first_of(" [1, \"two\" ,[3],{\"four\":4}] and more"), item, key;
    const char *expected[] = {"1", "two", "[3]", "{\"four\":4}"};
    size_t next = 0, count = 0;
    while (json_next(&all, &next, &key, &item)) {
        assert_true(json_is(&item, expected[count]));
        assert_int_equal(key.len, 0);
        count++;
    }
    assert_int_equal(count, 4);
    all = first_of("{}");
    next = 0;
    assert_false(json_next(&all, &next, &key, &item));
    all = first_of("\"text\"");
    next = 0;
    assert_false(json_next(&all, &next, &key, &item));
    assert_false(json_find(&all, "text", &item));
}

static void what_is_malformed_is_none(void **state)
{
    (void)state;
    const char *bad[] = {"", "  ", "{", "[[]", "\"open", "{]", "}", ",", "{\"a\":\"}", "\"end\\"};
    struct json value;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(json_first(&value, bad[i], strlen(bad[i])));
    }
    char deep[100];
    memset(deep, '[', 50);
    memset(deep + 50, ']', 50);
    assert_false(json_first(&value, deep, sizeof deep));
}

/* Reads all of it, however deep, in memory that ends where the text does. */
static void walk(const char *text, size_t len, unsigned depth)
{
    struct json all, key, value;
    if (!json_first(&all, text, len)) {
        return;
    }
    assert_true(all.at >= text && all.at + all.len <= text + len);
    (void)json_number(&all);
    for (size_t next = 0; json_next(&all, &next, &key, &value);) {
        assert_true(value.at > all.at && value.at + value.len <= all.at + all.len);
        if (depth < 40) {
            walk(value.at, value.len, depth + 1);
        }
    }
}

static void whatever_comes_stays_inside(void **state)
{
    (void)state;
    static const char spice[] = "{}[]\",:\\ 0a\x1e";
    unsigned dice = 1;
    for (size_t len = 0; len < sizeof record; len++) {
        for (unsigned round = 0; round < 20; round++) {
            char *copy = malloc(len + 1); /* the sanitizer watches what is behind it */
            assert_non_null(copy);
            memcpy(copy, record, len);
            for (unsigned change = 0; change < round && len > 0; change++) {
                dice = dice * 1103515245u + 12345u;
                copy[(dice >> 8) % len] = spice[(dice >> 24) % (sizeof spice - 1)];
            }
            char *exact = len == 0 ? copy : realloc(copy, len);
            assert_non_null(exact);
            walk(exact, len, 0);
            free(exact);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(members_are_found),
    cmocka_unit_test(items_come_in_turn),
    cmocka_unit_test(what_is_malformed_is_none),
    cmocka_unit_test(whatever_comes_stays_inside),
};

TERN_TEST_MAIN(tests)
