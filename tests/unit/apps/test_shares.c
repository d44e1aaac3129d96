/* Limits of rate: shared out fairly, and watched without injustice.
 * SPDX-License-Identifier: MIT */
#include "terncp/shares.h"

#include "tern_test.h"

static void the_least_limit_counts(void **state)
{
    (void)state;
    assert_int_equal(shares_rate(0, 0, 5, 0), 0);
    assert_int_equal(shares_rate(100, 0, 5, 0), 100);
    assert_int_equal(shares_rate(0, 100, 5, 0), 20);
    assert_int_equal(shares_rate(0, 100, 0, 0), 100);
    assert_int_equal(shares_rate(0, 100, 1, 0), 100);
    assert_int_equal(shares_rate(15, 100, 5, 0), 15);
    assert_int_equal(shares_rate(30, 100, 5, 0), 20);
    assert_int_equal(shares_rate(30, 100, 5, 7), 7);
    assert_int_equal(shares_rate(0, 0, 5, 7), 7);
    assert_int_equal(shares_rate(0, 3, 5, 0), 1); /* never none, which would be no limit */
}

/* Bytes at a steady rate for a minute, looked at twice a second. */
static bool is_put_out(uint64_t told, uint64_t rate)
{
    struct shares_watch watch = {0};
    bool is_over = false;
    for (uint64_t half = 0; half <= 120; half++) {
        is_over = shares_watch_is_over(&watch, told, 5000000 + rate * half / 2,
                                       (1 + half) * (TERN_SEC / 2)) ||
                  is_over;
    }
    return is_over;
}

static void who_keeps_the_limit_stays(void **state)
{
    (void)state;
    assert_false(is_put_out(2000000, 2000000));
    assert_false(is_put_out(2000000, 2400000));
    assert_false(is_put_out(0, UINT64_C(10000000000)));
    assert_false(is_put_out(1000, 500000)); /* within what may have been under way */
}

static void who_does_not_is_found(void **state)
{
    (void)state;
    assert_true(is_put_out(2000000, 4000000));
    assert_true(is_put_out(1000, 2000000));
}

static void a_lower_limit_takes_time(void **state)
{
    (void)state;
    struct shares_watch watch = {0};
    assert_false(shares_watch_is_over(&watch, 10000000, 0, TERN_SEC));
    /* It was told less in the meantime; the higher one still counts for this window. */
    assert_false(shares_watch_is_over(&watch, 1000000, 100000000, 11 * TERN_SEC));
    assert_false(shares_watch_is_over(&watch, 1000000, 110000000, 20 * TERN_SEC));
    assert_true(shares_watch_is_over(&watch, 1000000, 150000000, 21 * TERN_SEC));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_least_limit_counts),
    cmocka_unit_test(who_keeps_the_limit_stays),
    cmocka_unit_test(who_does_not_is_found),
    cmocka_unit_test(a_lower_limit_takes_time),
};

TERN_TEST_MAIN(tests)
