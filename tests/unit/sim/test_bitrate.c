/* Bits take as long as the rate says, at one rate and along a trace, and rounding never adds up.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/bitrate.h"

#define START (3600 * TERN_SEC)

static struct tern_bitrate traced(const tern_rate_point *points, size_t count, tern_time period)
{
    struct tern_bitrate rate;
    tern_link_config config;
    tern_link_config_init(&config);
    config.trace = points;
    config.trace_count = count;
    config.trace_start = START;
    config.trace_period = period;
    tern_bitrate_init(&rate, &config);
    return rate;
}

static void no_rate_takes_no_time(void **state)
{
    (void)state;
    struct tern_bitrate rate = traced(NULL, 0, 0);
    assert_false(tern_bitrate_is_finite(&rate));
    assert_int_equal(tern_bitrate_pass(&rate, 100000, START), START);
}

static void rounding_never_adds_up(void **state)
{
    (void)state;
    tern_link_config config;
    struct tern_bitrate rate;
    tern_link_config_init(&config);
    config.rate = 7000003;
    tern_bitrate_init(&rate, &config);
    tern_time at = START;
    for (int i = 0; i < 100000; i++) {
        at = tern_bitrate_pass(&rate, 1201, at);
    }
    uint64_t bits = (uint64_t)100000 * 1201 * 8;
    assert_int_equal(at - START, bits / 7000003 * TERN_SEC + bits % 7000003 * TERN_SEC / 7000003);
}

/* A megabit a second for a second, then eight for a second: 9 Mbit in two. */
static void packets_cross_from_one_rate_to_the_next(void **state)
{
    (void)state;
    const tern_rate_point points[] = {{0, 1000000}, {TERN_SEC, 8000000}};
    struct tern_bitrate rate = traced(points, 2, 2 * TERN_SEC);
    assert_int_equal(rate.peak, 8000000);
    /* 125,000 bytes are the first second exactly, as many more an eighth of the second one */
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START), START + TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START + TERN_SEC),
                     START + TERN_SEC + TERN_SEC / 8);
    /* half a megabit here, half there */
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START + TERN_SEC / 2),
                     START + TERN_SEC + TERN_SEC / 16);
    /* over the end of the period, and over many of them */
    assert_int_equal(tern_bitrate_pass(&rate, 1125000, START + TERN_SEC), START + 3 * TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 11250000, START), START + 20 * TERN_SEC);
}

static void a_trace_repeats_before_its_start_too(void **state)
{
    (void)state;
    const tern_rate_point points[] = {{0, 1000000}, {TERN_SEC, 8000000}};
    struct tern_bitrate rate = traced(points, 2, 2 * TERN_SEC);
    tern_time before = START - 2 * TERN_SEC;
    assert_int_equal(tern_bitrate_pass(&rate, 125000, before), before + TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, before + TERN_SEC),
                     before + TERN_SEC + TERN_SEC / 8);
}

static void the_last_rate_rules_until_a_late_first_point(void **state)
{
    (void)state;
    const tern_rate_point points[] = {{TERN_SEC, 1000000}, {2 * TERN_SEC, 8000000}};
    struct tern_bitrate rate = traced(points, 2, 3 * TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 1000000, START), START + TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START + TERN_SEC), START + 2 * TERN_SEC);
}

static void without_a_period_the_last_rate_stays(void **state)
{
    (void)state;
    const tern_rate_point points[] = {{0, 8000000}, {TERN_SEC, 1000000}};
    struct tern_bitrate rate = traced(points, 2, TERN_SEC); /* does not reach past the last point */
    assert_int_equal(rate.period, 0);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START + 100 * TERN_SEC),
                     START + 101 * TERN_SEC);
    /* the first rate was there before: 16 Mbit until the change, one after it */
    assert_int_equal(tern_bitrate_pass(&rate, 2125000, START - TERN_SEC), START + 2 * TERN_SEC);
}

static void nothing_passes_at_zero(void **state)
{
    (void)state;
    const tern_rate_point pause[] = {{0, 1000000}, {TERN_SEC, 0}, {5 * TERN_SEC, 1000000}};
    struct tern_bitrate rate = traced(pause, 3, 6 * TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START + TERN_SEC / 2),
                     START + 5 * TERN_SEC + TERN_SEC / 2);
    const tern_rate_point dead[] = {{0, 0}};
    rate = traced(dead, 1, TERN_SEC);
    assert_true(tern_bitrate_is_finite(&rate));
    assert_int_equal(tern_bitrate_pass(&rate, 1, START), TERN_TIME_NEVER);
    const tern_rate_point dying[] = {{0, 1000000}, {TERN_SEC, 0}};
    rate = traced(dying, 2, 0);
    assert_int_equal(tern_bitrate_pass(&rate, 125000, START), START + TERN_SEC);
    assert_int_equal(tern_bitrate_pass(&rate, 1, START + TERN_SEC), TERN_TIME_NEVER);
}

/* Within its bounds, both of which it visits; in small steps; the same for the same seed. */
static void a_walk_wanders_between_its_bounds(void **state)
{
    (void)state;
    static tern_rate_point one[1000], two[1000];
    uint64_t least = UINT64_MAX, most = 0;
    tern_rate_walk(one, 1000, 100 * TERN_MSEC, 1000000, 41000000, 7);
    tern_rate_walk(two, 1000, 100 * TERN_MSEC, 1000000, 41000000, 7);
    assert_memory_equal(one, two, sizeof one);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(one[i].at, i * 100 * TERN_MSEC);
        assert_in_range(one[i].rate, 1000000, 41000000);
        assert_in_range(one[i].rate + 5000000, i > 0 ? one[i - 1].rate : 0,
                        i > 0 ? one[i - 1].rate + 10000000 : UINT64_MAX);
        least = one[i].rate < least ? one[i].rate : least;
        most = one[i].rate > most ? one[i].rate : most;
    }
    assert_int_equal(least, 1000000);
    assert_int_equal(most, 41000000);
    tern_rate_walk(two, 1000, 100 * TERN_MSEC, 1000000, 41000000, 8);
    assert_memory_not_equal(one, two, sizeof one);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_rate_takes_no_time),
    cmocka_unit_test(rounding_never_adds_up),
    cmocka_unit_test(packets_cross_from_one_rate_to_the_next),
    cmocka_unit_test(a_trace_repeats_before_its_start_too),
    cmocka_unit_test(the_last_rate_rules_until_a_late_first_point),
    cmocka_unit_test(without_a_period_the_last_rate_stays),
    cmocka_unit_test(nothing_passes_at_zero),
    cmocka_unit_test(a_walk_wanders_between_its_bounds),
};

TERN_TEST_MAIN(tests)
