/* The dual queue marks, drops and takes turns as RFC 9332 appendix A says.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/dualq.h"

#define START (3600 * TERN_SEC)

static struct tern_dualq q;
static struct tern_chance chance;

static int setup(void **state)
{
    (void)state;
    q = (struct tern_dualq){0};
    tern_dualq_init(&q, 0);
    tern_chance_init(&chance, 1, 0);
    return 0;
}

/* A second of asking once a millisecond, with the classic queue so long. */
static void stand(tern_time classic, tern_time from, tern_time length)
{
    for (tern_time t = 0; t < length; t += TERN_MSEC) {
        tern_dualq_update(&q, 0, classic, START + from + t);
    }
}

static unsigned marks_low(tern_time waited, bool is_alone)
{
    unsigned marks = 0;
    for (unsigned i = 0; i < 1000; i++) {
        marks += tern_dualq_judge_low(&q, waited, is_alone) == TERN_VERDICT_MARK;
    }
    return marks;
}

static unsigned classic_of(enum tern_verdict verdict, bool is_capable)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 100000; i++) {
        count += tern_dualq_judge_classic(&q, is_capable, &chance) == verdict;
    }
    return count;
}

static void ect1_and_ce_go_into_the_low_queue(void **state)
{
    (void)state;
    assert_false(tern_dualq_is_low(0));
    assert_true(tern_dualq_is_low(1));
    assert_false(tern_dualq_is_low(2));
    assert_true(tern_dualq_is_low(3));
    assert_int_equal(q.target, 15 * TERN_MSEC);
}

/* Nothing below 0.8 ms, everything from 1.2 ms on, and the half of it in the middle. */
static void the_low_queue_has_a_ramp_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(marks_low(800 * TERN_USEC, false), 0);
    assert_in_range(marks_low(TERN_MSEC, false), 499, 501);
    assert_in_range(marks_low(1200 * TERN_USEC, false), 999, 1000);
    assert_in_range(marks_low(TERN_SEC, false), 999, 1000);
    assert_in_range(marks_low(TERN_SEC, true), 0, 1); /* a packet alone is no queue */
}

static void a_long_classic_queue_is_marked_more_and_more(void **state)
{
    (void)state;
    assert_int_equal(classic_of(TERN_VERDICT_PASS, true), 100000);
    stand(30 * TERN_MSEC, 0, TERN_SEC);
    uint64_t after_one = q.base;
    stand(30 * TERN_MSEC, TERN_SEC, TERN_SEC);
    assert_true(q.base > after_one);
    assert_true(classic_of(TERN_VERDICT_MARK, true) > 0);
    assert_true(classic_of(TERN_VERDICT_DROP, false) > 0);
    assert_int_equal(classic_of(TERN_VERDICT_DROP, true), 0);
    stand(0, 2 * TERN_SEC, 60 * TERN_SEC);
    assert_int_equal(q.base, 0);
}

/* p_L = 2 p', p_C = p'^2: a Reno flow here and a scalable one there get the same rate. */
static void the_two_are_coupled(void **state)
{
    (void)state;
    q.base = UINT32_MAX / 10; /* p' = 0.1 */
    assert_in_range(marks_low(0, false), 199, 201);
    assert_in_range(classic_of(TERN_VERDICT_MARK, true), 850, 1150);
    q.base = UINT32_MAX;
    assert_in_range(marks_low(0, true), 999, 1000);
    assert_in_range(classic_of(TERN_VERDICT_DROP, false), 99990, 100000);
}

/* One byte in ten, as long as both have something to send. */
static void the_classic_queue_is_never_starved(void **state)
{
    (void)state;
    unsigned low = 0;
    for (unsigned i = 0; i < 10000; i++) {
        low += tern_dualq_picks_low(&q, 1500, 1500);
    }
    assert_in_range(low, 8990, 9010);
}

/* What was learnt a second ago says nothing, and the time between is made up for. */
static void silence_is_forgotten(void **state)
{
    (void)state;
    stand(100 * TERN_MSEC, 0, 2 * TERN_SEC);
    uint64_t before = q.base;
    assert_true(before > 0);
    tern_dualq_update(&q, 0, 0, START + 2 * TERN_SEC + 500 * TERN_MSEC);
    assert_true(q.base < before);
    stand(100 * TERN_MSEC, 3 * TERN_SEC, 2 * TERN_SEC);
    tern_dualq_update(&q, 0, 0, START + 60 * TERN_SEC);
    assert_int_equal(q.base, 0);
    assert_true(q.update_at > START + 60 * TERN_SEC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(ect1_and_ce_go_into_the_low_queue, setup),
    cmocka_unit_test_setup(the_low_queue_has_a_ramp_of_its_own, setup),
    cmocka_unit_test_setup(a_long_classic_queue_is_marked_more_and_more, setup),
    cmocka_unit_test_setup(the_two_are_coupled, setup),
    cmocka_unit_test_setup(the_classic_queue_is_never_starved, setup),
    cmocka_unit_test_setup(silence_is_forgotten, setup),
};

TERN_TEST_MAIN(tests)
