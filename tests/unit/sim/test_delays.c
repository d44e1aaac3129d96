/* Percentiles of times come out right to within a sixteenth, from nanoseconds to for ever.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/delays.h"

static void nothing_noted_is_zero(void **state)
{
    (void)state;
    struct tern_delays delays = {0};
    assert_int_equal(tern_delays_percentile(&delays, 95), 0);
}

static void one_time_is_every_percentile(void **state)
{
    (void)state;
    const tern_time times[] = {0, 1, 31, 32, 33, 1000, 5 * TERN_MSEC, TERN_SEC, TERN_TIME_NEVER};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct tern_delays delays = {0};
        tern_delays_note(&delays, times[i]);
        const unsigned percents[] = {0, 50, 100};
        for (size_t k = 0; k < 3; k++) {
            tern_time at = tern_delays_percentile(&delays, percents[k]);
            assert_true(at <= times[i] && times[i] - at <= times[i] / 16);
        }
    }
}

static void percentiles_of_a_ramp(void **state)
{
    (void)state;
    struct tern_delays delays = {0};
    for (tern_time t = 1; t <= 1000; t++) {
        tern_delays_note(&delays, t * TERN_USEC);
    }
    for (unsigned percent = 1; percent <= 100; percent++) {
        tern_time exact = percent * 10 * TERN_USEC, at = tern_delays_percentile(&delays, percent);
        assert_true(at <= exact && exact - at <= exact / 16);
    }
}

static void small_times_are_exact(void **state)
{
    (void)state;
    struct tern_delays delays = {0};
    for (tern_time t = 0; t < 20; t++) {
        tern_delays_note(&delays, t);
    }
    assert_int_equal(tern_delays_percentile(&delays, 50), 9);
    assert_int_equal(tern_delays_percentile(&delays, 100), 19);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_noted_is_zero),
    cmocka_unit_test(one_time_is_every_percentile),
    cmocka_unit_test(percentiles_of_a_ramp),
    cmocka_unit_test(small_times_are_exact),
};

TERN_TEST_MAIN(tests)
