/* One-time codes: one form for all ways to type them, and fresh ones that parse.
 * SPDX-License-Identifier: MIT */
#include "crypto/code.h"

#include "hex.h"

static void assert_form(const char *typed, const char *form, size_t slot_len)
{
    struct tern_code code;
    assert_int_equal(tern_code_parse(&code, typed), 0);
    assert_int_equal(code.len, strlen(form));
    assert_memory_equal(code.text, form, code.len);
    assert_int_equal(code.slot_len, slot_len);
}

static void all_ways_to_type_a_code_are_one(void **state)
{
    (void)state;
    assert_form("7-orbit-salmon", "7-orbit-salmon", 1);
    assert_form("  7 Orbit  SALMON \n", "7-orbit-salmon", 1);
    assert_form("7_orbit.salmon--", "7-orbit-salmon", 1);
    assert_form("orbit salmon", "orbit-salmon", 0);
    assert_form("12345", "12345", 0);
}

static void bad_codes_are_refused(void **state)
{
    struct tern_code code;
    char longest[TERN_CODE_MAX + 2];
    (void)state;
    assert_int_equal(tern_code_parse(&code, ""), TERN_ERR_INVALID);
    assert_int_equal(tern_code_parse(&code, "---"), TERN_ERR_INVALID);
    assert_int_equal(tern_code_parse(&code, "7-abc"), TERN_ERR_INVALID);
    assert_int_equal(tern_code_parse(&code, "123456789-abcd"), TERN_ERR_INVALID);
    assert_int_equal(tern_code_parse(&code, "7-orb\xc3\xaet-salmon"), TERN_ERR_INVALID);
    memset(longest, 'a', sizeof longest);
    longest[TERN_CODE_MAX] = '\0';
    assert_int_equal(tern_code_parse(&code, longest), 0);
    longest[TERN_CODE_MAX] = 'a';
    longest[TERN_CODE_MAX + 1] = '\0';
    assert_int_equal(tern_code_parse(&code, longest), TERN_ERR_INVALID);
}

static void fresh_codes_parse_and_differ(void **state)
{
    char first[TERN_CODE_SIZE], text[TERN_CODE_SIZE];
    unsigned same = 0;
    (void)state;
    assert_int_equal(tern_code_generate(first), 0);
    for (int i = 0; i < 200; i++) {
        struct tern_code code;
        assert_int_equal(tern_code_generate(text), 0);
        assert_int_equal(tern_code_parse(&code, text), 0);
        assert_int_equal(code.len, strlen(text)); /* it has its one form already */
        assert_memory_equal(code.text, text, code.len);
        assert_in_range(code.slot_len, 1, 2);
        same += strcmp(first, text) == 0 ? 1 : 0;
    }
    assert_true(same < 3);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_ways_to_type_a_code_are_one),
    cmocka_unit_test(bad_codes_are_refused),
    cmocka_unit_test(fresh_codes_parse_and_differ),
};

TERN_TEST_MAIN(tests)
