/* Credit: when it is due, when the window grows, when BLOCKED is said.
 * SPDX-License-Identifier: MIT */
#include "stream/flow.h"

#include "base/cursor.h"
#include "tern_test.h"

static void credit_is_due_at_an_eighth_of_a_window(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 8000);
    assert_int_equal(f.limit, 1000);
    f.consumed = 124;
    assert_false(tern_flow_in_is_due(&f));
    f.consumed = 125;
    assert_true(tern_flow_in_is_due(&f));
    assert_int_equal(tern_flow_in_next(&f), 1125);
}

static void allows_up_to_the_limit(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 1000);
    f.received = 400;
    assert_true(tern_flow_in_allows(&f, 600));
    assert_false(tern_flow_in_allows(&f, 601));
    assert_false(tern_flow_in_allows(&f, UINT64_MAX));
}

static void window_never_exceeds_the_varint(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, TERN_VARINT_MAX, TERN_VARINT_MAX);
    f.consumed = 1000;
    assert_true(tern_flow_in_next(&f) == TERN_VARINT_MAX);
    assert_false(tern_flow_in_is_due(&f));
}

/* Half of the window in less than two round trips doubles it ([P] autotuning). */
static void window_doubles_when_consumption_is_fast(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 3000);
    tern_flow_in_tune(&f, 50, 100); /* the first arrival begins the epoch */
    f.consumed = 501;
    tern_flow_in_tune(&f, 50, 199);
    assert_int_equal(f.window, 2000);
    f.consumed = 1502;
    tern_flow_in_tune(&f, 50, 250);
    assert_int_equal(f.window, 3000); /* the cap, though not a power of two */
    f.consumed = 6000;
    tern_flow_in_tune(&f, 50, 251);
    assert_int_equal(f.window, 3000);
}

static void window_stays_when_consumption_is_slow(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 8000);
    tern_flow_in_tune(&f, 50, 100);
    f.consumed = 501;
    tern_flow_in_tune(&f, 50, 200); /* two round trips exactly are not less than two */
    assert_int_equal(f.window, 1000);
    f.consumed = 1001;
    tern_flow_in_tune(&f, 50, 201); /* exactly half is not more than half */
    assert_int_equal(f.window, 1000);
    f.consumed = 1002;
    tern_flow_in_tune(&f, 50, 202);
    assert_int_equal(f.window, 2000);
}

/* A packet that was lost twice: nothing can be consumed until it comes, and the peer has spent all. */
static void window_doubles_when_holes_delay_consumption(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 8000);
    tern_flow_in_tune(&f, 50, 100);
    f.received = 876; /* less than an eighth is left */
    tern_flow_in_tune(&f, 50, 150);
    f.consumed = 501;
    tern_flow_in_tune(&f, 50, 299); /* in less than four round trips */
    assert_int_equal(f.window, 2000);
    f.limit = 2501;
    f.received = 2100; /* more than an eighth: two round trips again */
    f.consumed = 1502;
    tern_flow_in_tune(&f, 50, 399);
    assert_int_equal(f.window, 2000);
    f.received = 2501;
    f.consumed = 2503;
    tern_flow_in_tune(&f, 50, 599); /* exactly four are too long */
    assert_int_equal(f.window, 2000);
}

static void window_stays_without_an_rtt_and_when_time_steps_back(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 8000);
    tern_flow_in_tune(&f, 0, 100);
    f.consumed = 600;
    tern_flow_in_tune(&f, 0, 100);
    assert_int_equal(f.window, 1000);
    tern_flow_in_tune(&f, 0, 50);
    assert_int_equal(f.window, 1000);
}

static void arrival_alone_does_not_grow_the_window(void **state)
{
    (void)state;
    struct tern_flow_in f;
    tern_flow_in_init(&f, 1000, 8000);
    for (tern_time now = 0; now < 1000; now++) {
        f.received = TERN_MIN(f.received + 1, 1000);
        tern_flow_in_tune(&f, 1000000, now);
    }
    assert_int_equal(f.window, 1000);
}

static void limits_only_rise(void **state)
{
    (void)state;
    struct tern_flow_out f;
    tern_flow_out_init(&f, 100);
    f.used = 100;
    assert_int_equal(tern_flow_out_credit(&f), 0);
    assert_false(tern_flow_out_raise(&f, 100));
    assert_false(tern_flow_out_raise(&f, 99));
    assert_int_equal(f.limit, 100);
    assert_true(tern_flow_out_raise(&f, 101));
    assert_int_equal(tern_flow_out_credit(&f), 1);
}

static void blocked_is_wanted_once_a_limit(void **state)
{
    (void)state;
    struct tern_flow_out f;
    tern_flow_out_init(&f, 0);
    assert_true(tern_flow_out_wants_blocked(&f));
    f.told = 0;
    f.has_told = true;
    assert_false(tern_flow_out_wants_blocked(&f));
    assert_true(tern_flow_out_raise(&f, 10));
    assert_false(tern_flow_out_wants_blocked(&f));
    f.used = 10;
    assert_true(tern_flow_out_wants_blocked(&f));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(credit_is_due_at_an_eighth_of_a_window),
    cmocka_unit_test(allows_up_to_the_limit),
    cmocka_unit_test(window_never_exceeds_the_varint),
    cmocka_unit_test(window_doubles_when_consumption_is_fast),
    cmocka_unit_test(window_stays_when_consumption_is_slow),
    cmocka_unit_test(window_doubles_when_holes_delay_consumption),
    cmocka_unit_test(window_stays_without_an_rtt_and_when_time_steps_back),
    cmocka_unit_test(arrival_alone_does_not_grow_the_window),
    cmocka_unit_test(limits_only_rise),
    cmocka_unit_test(blocked_is_wanted_once_a_limit),
};

TERN_TEST_MAIN(tests)
