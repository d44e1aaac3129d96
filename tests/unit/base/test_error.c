/* Every error and every event has a name of its own.
 * SPDX-License-Identifier: MIT */
#include <tern/event.h>

#include "base/def.h"
#include "tern_test.h"

static bool is_error(int error)
{
    return error <= 0 && ((error >= TERN_ERR_MODE) ||
                          (error <= TERN_ERR_INTERNAL && error >= TERN_ERR_AEAD_LIMIT));
}

static void every_error_has_words(void **state)
{
    (void)state;
    for (int error = -100; error <= 10; error++) {
        const char *text = tern_strerror(error);
        assert_non_null(text);
        assert_true(strlen(text) > 0 && text[strlen(text) - 1] != '.');
        assert_int_equal(strcmp(text, "unknown error") != 0, is_error(error));
    }
    assert_string_equal(tern_strerror(INT32_MIN), "unknown error");
    assert_string_equal(tern_strerror(INT32_MAX), "unknown error");
}

static void no_two_errors_share_words(void **state)
{
    (void)state;
    for (int a = TERN_ERR_AEAD_LIMIT; a <= 0; a++) {
        for (int b = a + 1; b <= 0; b++) {
            if (is_error(a) && is_error(b)) {
                assert_string_not_equal(tern_strerror(a), tern_strerror(b));
            }
        }
    }
}

/* The values are stable: programs may store them. */
static void values_stay(void **state)
{
    (void)state;
    assert_int_equal(TERN_OK, 0);
    assert_int_equal(TERN_ERR_AGAIN, -1);
    assert_int_equal(TERN_ERR_CLOSED, -15);
    assert_int_equal(TERN_ERR_INTERNAL, -32);
    assert_int_equal(TERN_ERR_AEAD_LIMIT, -44);
}

static void every_event_has_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "none",          "connected",         "closed",          "openable",
        "stream-opened", "stream-readable",   "stream-writable", "stream-stopped",
        "stream-closed", "bandwidth",         "early",           "ticket",
        "messages",      "messages-writable", "message-outcome"};
    assert_int_equal(TERN_COUNT_OF(names), TERN_EVENT_MESSAGE_OUTCOME + 1);
    for (unsigned i = 0; i < TERN_COUNT_OF(names); i++) {
        assert_string_equal(tern_event_name((tern_event_type)i), names[i]);
    }
    assert_string_equal(tern_event_name((tern_event_type)(TERN_EVENT_MESSAGE_OUTCOME + 1)),
                        "unknown");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_error_has_words),
    cmocka_unit_test(no_two_errors_share_words),
    cmocka_unit_test(values_stay),
    cmocka_unit_test(every_event_has_a_name),
};

TERN_TEST_MAIN(tests)
