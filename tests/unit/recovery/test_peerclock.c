/* The line through synthetic exchanges: offset and drift, jitter, one-sided delay, and clocks that jump or
 * lie. [P §17]
 * SPDX-License-Identifier: MIT */
#include "recovery/peerclock.h"

#include "tern_test.h"
#include "unit/base/kit.h"

#define START  (3600 * TERN_SEC)
#define APART  (-1800 * (int64_t)TERN_SEC)
#define EVERY  (100 * TERN_MSEC)
#define MICROS (2 * TERN_USEC) /* what reading both clocks in microseconds can cost */

static struct tern_peerclock pc;
static int64_t ppb; /* the peer's clock gains so much */
static uint64_t seed;

static int setup(void **state)
{
    (void)state;
    tern_peerclock_init(&pc);
    ppb = 0;
    seed = 1;
    return 0;
}

/* What the peer's clock shows at a moment of ours, in whole microseconds. */
static tern_time theirs_at(tern_time now)
{
    int64_t gained = (int64_t)(now - START) / 1000 * ppb / 1000000;
    tern_time shown = (tern_time)((int64_t)now + APART + gained);
    return shown / TERN_USEC * TERN_USEC;
}

/* One exchange: the packet takes `there`, the peer waits `held`, its answer takes `back`. Returns when it
 * is over. */
static tern_time exchange(tern_time at, tern_time there, tern_time held, tern_time back)
{
    tern_time said = at + there + held;
    tern_peerclock_add(&pc, at, held, theirs_at(said), said + back);
    return said + back;
}

static int64_t error_at(tern_time now)
{
    return (int64_t)tern_peerclock_at(&pc, now) - (int64_t)theirs_at(now);
}

static tern_time roll(tern_time most)
{
    return kit_roll(&seed) % most;
}

/* A minute and more on a path with a queue of its own each way. */
static tern_time run(tern_time length, tern_time there, tern_time back, tern_time jitter)
{
    tern_time now = START;
    for (tern_time at = START; at < START + length; at += EVERY) {
        now = exchange(at, there + roll(jitter + 1), roll(5 * TERN_MSEC), back + roll(jitter + 1));
    }
    return now;
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    assert_false(tern_peerclock_is_known(&pc));
}

static void one_exchange_over_an_even_path_is_exact(void **state)
{
    (void)state;
    tern_time now = exchange(START, 20 * TERN_MSEC, 3 * TERN_MSEC, 20 * TERN_MSEC);
    assert_true(tern_peerclock_is_known(&pc));
    assert_int_equal(pc.now.at, now);
    assert_in_range((uint64_t)(error_at(now) + (int64_t)MICROS), 0, 2 * MICROS);
    assert_int_equal(pc.now.samples, 1);
    assert_in_range(pc.now.uncertainty, 20 * TERN_MSEC, 20 * TERN_MSEC + MICROS);
}

/* RFC 5905 §8: half of the difference between the ways, and the uncertainty says so. */
static void an_uneven_path_costs_half_of_the_difference(void **state)
{
    (void)state;
    tern_time now = run(TERN_SEC, 10 * TERN_MSEC, 40 * TERN_MSEC, 0);
    assert_in_range((uint64_t)(-error_at(now)), 15 * TERN_MSEC - MICROS, 15 * TERN_MSEC + MICROS);
    assert_true(pc.now.uncertainty >= (tern_time)(-error_at(now)));
}

/* Up to 30 ms on each way on top of 20 ms; the mean of the samples would be off by some 0.4 ms and each of
 * them by up to 15. */
static void jitter_hardly_matters(void **state)
{
    (void)state;
    for (seed = 1; seed < 50; seed++) {
        tern_peerclock_init(&pc);
        uint64_t from = seed;
        tern_time now = run(60 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 30 * TERN_MSEC);
        int64_t error = error_at(now);
        assert_in_range((uint64_t)(error + 3 * (int64_t)TERN_MSEC), 0, 6 * TERN_MSEC);
        assert_true((tern_time)(error < 0 ? -error : error) <= pc.now.uncertainty);
        seed = from;
    }
}

static void drift_is_found(void **state)
{
    static const int64_t rows[] = {100000, -100000, 20000, 400000, -1000};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tern_peerclock_init(&pc);
        ppb = rows[i];
        tern_time now = run(70 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 0);
        assert_in_range((uint64_t)(pc.now.drift - ppb + 1000), 0, 2000);
        assert_in_range((uint64_t)(error_at(now) + 100000), 0, 200000);
        /* Ten seconds on, without a word, it is still right. */
        assert_in_range((uint64_t)(error_at(now + 10 * TERN_SEC) + 100000), 0, 200000);
    }
}

/* 100 ppm among 2 ms of jitter: within a fifth of it. */
static void drift_is_found_in_jitter(void **state)
{
    (void)state;
    ppb = 100000;
    tern_time now = run(70 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 2 * TERN_MSEC);
    assert_in_range((uint64_t)pc.now.drift, 80000, 120000);
    assert_in_range((uint64_t)(error_at(now) + (int64_t)TERN_MSEC), 0, 2 * TERN_MSEC);
}

static void no_drift_is_told_before_it_can_be_known(void **state)
{
    (void)state;
    (void)run(9 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 10 * TERN_MSEC);
    assert_int_equal(pc.now.drift, 0);
}

/* A new path is longer, and longer one way: what the old one has told stays the best for a minute. */
static void another_path_does_not_undo_it(void **state)
{
    (void)state;
    tern_time now = run(10 * TERN_SEC, 5 * TERN_MSEC, 5 * TERN_MSEC, 0);
    for (size_t i = 0; i < 300; i++) {
        now = exchange(now + EVERY, 20 * TERN_MSEC, 0, 60 * TERN_MSEC);
    }
    assert_in_range((uint64_t)(error_at(now) + (int64_t)TERN_MSEC), 0, 2 * TERN_MSEC);
}

static void a_lone_contradiction_is_not_believed(void **state)
{
    (void)state;
    tern_time now = run(5 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 0);
    tern_clock before = pc.now;
    for (size_t i = 0; i < 2; i++) {
        now += EVERY;
        tern_peerclock_add(&pc, now - 40 * TERN_MSEC, 0, theirs_at(now) + 5 * TERN_SEC, now);
        assert_memory_equal(&pc.now, &before, sizeof before);
    }
    now = exchange(now, 20 * TERN_MSEC, 0, 20 * TERN_MSEC);
    assert_int_equal(pc.now.samples, before.samples + 1);
    assert_in_range((uint64_t)(error_at(now) + (int64_t)MICROS), 0, 2 * MICROS);
}

/* A machine that slept: its clock stood still. */
static void a_clock_that_was_set_is_followed(void **state)
{
    (void)state;
    tern_time now = run(5 * TERN_SEC, 20 * TERN_MSEC, 20 * TERN_MSEC, 0), slept = 600 * TERN_SEC;
    for (size_t i = 0; i < 3; i++) {
        now += EVERY;
        tern_peerclock_add(&pc, now - 40 * TERN_MSEC, 0, theirs_at(now - 20 * TERN_MSEC) - slept,
                           now);
    }
    assert_int_equal(pc.now.samples, 1);
    assert_in_range((uint64_t)(error_at(now) + (int64_t)(slept + MICROS)), 0, 2 * MICROS);
}

static void round_trips_that_tell_nothing_are_left_out(void **state)
{
    (void)state;
    (void)exchange(START, 1500 * TERN_MSEC, 0, 600 * TERN_MSEC); /* too long */
    assert_false(tern_peerclock_is_known(&pc));
    tern_peerclock_add(&pc, START, TERN_SEC, theirs_at(START), START + 20 * TERN_MSEC);
    assert_false(tern_peerclock_is_known(&pc)); /* it waited longer than all of it took */
    tern_peerclock_add(&pc, START, TERN_TIME_NEVER, theirs_at(START), START + TERN_SEC);
    assert_false(tern_peerclock_is_known(&pc));
}

/* Whatever it says: no trap of the sanitizers, and a drift within its bound. */
static void lies_stay_within_bounds(void **state)
{
    const tern_time most = (UINT64_C(1) << 50) * TERN_USEC;
    (void)state;
    for (size_t kind = 0; kind < 4; kind++) {
        tern_time now = START;
        tern_peerclock_init(&pc);
        for (size_t i = 0; i < 3000; i++) {
            tern_time lie = kind == 0   ? (i % 2 == 0 ? 0 : most)
                            : kind == 1 ? kit_roll(&seed) % most
                            : kind == 2 ? most - i
                                        : (now - START) * 2 + roll(TERN_SEC);
            now += roll(TERN_SEC);
            tern_peerclock_add(&pc, now - roll(3 * TERN_SEC), roll(2 * TERN_SEC), lie, now);
            assert_in_range((uint64_t)(pc.now.drift + TERN_PEERCLOCK_DRIFT_MAX), 0,
                            2 * TERN_PEERCLOCK_DRIFT_MAX);
            if (tern_peerclock_is_known(&pc)) {
                assert_true(tern_peerclock_at(&pc, now) <= 2 * most);
                assert_true(pc.now.uncertainty < 10 * TERN_SEC);
                (void)tern_peerclock_at(&pc, 0);
                (void)tern_peerclock_at(&pc, TERN_TIME_NEVER);
            }
        }
    }
}

static void our_clock_may_be_far_along(void **state)
{
    (void)state;
    const tern_time most = TERN_TIME_NEVER / 4;
    tern_peerclock_add(&pc, most - 20 * TERN_MSEC, 0, 10 * TERN_MSEC, most);
    assert_int_equal(tern_peerclock_at(&pc, most), 20 * TERN_MSEC);
    tern_peerclock_add(&pc, most, 0, 10 * TERN_MSEC, most + 20 * TERN_MSEC);
    assert_int_equal(pc.now.samples, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(nothing_is_known_at_first, setup),
    cmocka_unit_test_setup(one_exchange_over_an_even_path_is_exact, setup),
    cmocka_unit_test_setup(an_uneven_path_costs_half_of_the_difference, setup),
    cmocka_unit_test_setup(jitter_hardly_matters, setup),
    cmocka_unit_test_setup(drift_is_found, setup),
    cmocka_unit_test_setup(drift_is_found_in_jitter, setup),
    cmocka_unit_test_setup(no_drift_is_told_before_it_can_be_known, setup),
    cmocka_unit_test_setup(another_path_does_not_undo_it, setup),
    cmocka_unit_test_setup(a_lone_contradiction_is_not_believed, setup),
    cmocka_unit_test_setup(a_clock_that_was_set_is_followed, setup),
    cmocka_unit_test_setup(round_trips_that_tell_nothing_are_left_out, setup),
    cmocka_unit_test_setup(lies_stay_within_bounds, setup),
    cmocka_unit_test_setup(our_clock_may_be_far_along, setup),
};

TERN_TEST_MAIN(tests)
