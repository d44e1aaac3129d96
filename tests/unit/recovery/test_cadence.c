/* How often the peer is asked to acknowledge, when that is worth a frame, and which delay then counts.
 * SPDX-License-Identifier: MIT */
#include "recovery/cadence.h"

#include "tern_test.h"

#define PACKET 1200u
#define MOST   (25 * TERN_MSEC)
#define LEAST  TERN_MSEC
#define RTT    (40 * TERN_MSEC)

static struct tern_cadence c;

static int setup(void **state)
{
    (void)state;
    tern_cadence_init(&c, true, LEAST, MOST);
    return 0;
}

static void update(uint64_t packets, tern_time rtt)
{
    tern_cadence_update(&c, packets * PACKET, PACKET, rtt, 3);
}

/* Asks and is heard. Returns whether there was anything to ask. */
static bool settle(uint64_t packets, tern_time rtt)
{
    update(packets, rtt);
    if (!c.wants_send) {
        return false;
    }
    tern_cadence_on_acked(&c, tern_cadence_on_sent(&c));
    return true;
}

static void a_small_window_asks_for_nothing(void **state)
{
    (void)state;
    for (uint64_t packets = 0; packets < 24; packets++) {
        assert_false(settle(packets, RTT));
        assert_false(settle(packets, TERN_USEC));
        assert_false(settle(packets, 10 * TERN_SEC));
    }
    assert_int_equal(c.in_force, MOST);
    assert_true(settle(24, RTT));
    assert_int_equal(c.asked.threshold, 3);
}

static void eight_acks_a_round_trip_at_least(void **state)
{
    (void)state;
    for (uint64_t packets = 1; packets < 2000; packets += 7) {
        tern_cadence_init(&c, true, LEAST, MOST);
        (void)settle(packets, RTT);
        assert_true(c.asked.threshold >= 2 && c.asked.threshold <= 10);
        assert_true(c.asked.threshold == 2 || packets / c.asked.threshold >= 8);
    }
    assert_int_equal(c.asked.threshold, 10);
}

static void who_cannot_be_asked_is_not(void **state)
{
    (void)state;
    tern_cadence_init(&c, false, 0, MOST);
    assert_false(settle(100000, RTT));
    assert_int_equal(c.in_force, MOST);
}

/* A quarter of the round trip within what the peer can do, and 5 ms against hiccups of its scheduler. */
static void delay_follows_the_round_trip(void **state)
{
    static const struct {
        tern_time least, most, rtt, delay;
    } rows[] = {
        {LEAST, MOST, 40 * TERN_MSEC, 10 * TERN_MSEC},
        {LEAST, MOST, 100 * TERN_MSEC, MOST},
        {LEAST, MOST, 400 * TERN_MSEC, MOST},
        {LEAST, MOST, 20 * TERN_MSEC, 5 * TERN_MSEC},
        {LEAST, MOST, 50 * TERN_USEC, 5 * TERN_MSEC},
        {20 * TERN_MSEC, MOST, 40 * TERN_MSEC, 20 * TERN_MSEC},
        {MOST, MOST, 0, MOST},
        {0, 2 * TERN_MSEC, 40 * TERN_MSEC, 2 * TERN_MSEC},
        {0, 0, 40 * TERN_MSEC, 0},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        tern_cadence_init(&c, true, rows[i].least, rows[i].most);
        assert_true(settle(100, rows[i].rtt));
        assert_int_equal(c.asked.delay, rows[i].delay);
        assert_int_equal(c.in_force, rows[i].delay);
    }
}

static void only_much_is_worth_a_frame(void **state)
{
    (void)state;
    assert_true(settle(48, RTT)); /* 6 */
    assert_false(settle(48, RTT));
    assert_false(settle(71, RTT)); /* 8 */
    assert_false(settle(32, RTT)); /* 4 */
    assert_true(settle(72, RTT));  /* 9 */
    assert_true(settle(80, RTT));  /* 10 is the end of it */
    assert_false(settle(800, RTT));
    assert_false(settle(48, RTT)); /* 6 */
    assert_true(settle(40, RTT));  /* 5 */
    assert_true(settle(0, RTT));   /* and back to what was */
    assert_int_equal(c.asked.threshold, 2);
}

static void a_change_of_delay_or_disorder_is_told_too(void **state)
{
    (void)state;
    assert_true(settle(800, RTT)); /* 10 ms */
    assert_false(settle(800, 58 * TERN_MSEC));
    assert_true(settle(800, 60 * TERN_MSEC));
    assert_true(settle(800, 30 * TERN_MSEC));
    tern_cadence_update(&c, 800 * PACKET, PACKET, 30 * TERN_MSEC, 4);
    assert_false(c.wants_send);
    tern_cadence_update(&c, 800 * PACKET, PACKET, 30 * TERN_MSEC, 5);
    assert_true(c.wants_send);
    assert_int_equal(c.wanted.reordering, 5);
}

static void one_at_a_time(void **state)
{
    (void)state;
    update(80, RTT);
    assert_true(c.wants_send);
    assert_int_equal(tern_cadence_on_sent(&c), 0);
    assert_false(c.wants_send);
    update(8, RTT);
    assert_false(c.wants_send);
    tern_cadence_on_acked(&c, 0);
    update(8, RTT);
    assert_true(c.wants_send);
    assert_int_equal(tern_cadence_on_sent(&c), 1);
}

/* What is no longer wanted before it left is not said. */
static void a_wish_can_pass(void **state)
{
    (void)state;
    update(80, RTT);
    assert_true(c.wants_send);
    update(8, RTT);
    assert_false(c.wants_send);
}

/* The longer of two delays counts until the shorter is known to have arrived. */
static void the_longer_delay_counts_until_the_peer_has_heard(void **state)
{
    (void)state;
    update(80, RTT);
    uint64_t first = tern_cadence_on_sent(&c);
    assert_int_equal(c.in_force, MOST);
    tern_cadence_on_acked(&c, first);
    assert_int_equal(c.in_force, 10 * TERN_MSEC);
    update(80, 80 * TERN_MSEC); /* a longer one counts at once */
    uint64_t second = tern_cadence_on_sent(&c);
    assert_int_equal(c.in_force, 20 * TERN_MSEC);
    tern_cadence_on_acked(&c, second);
    assert_int_equal(c.in_force, 20 * TERN_MSEC);
}

static void a_lost_one_is_said_again_with_a_new_number(void **state)
{
    (void)state;
    update(80, RTT);
    assert_int_equal(tern_cadence_on_sent(&c), 0);
    tern_cadence_on_lost(&c, 0);
    assert_true(c.wants_send);
    assert_int_equal(tern_cadence_on_sent(&c), 1);
    tern_cadence_on_lost(&c, 0); /* an old loss says nothing */
    assert_false(c.wants_send);
    tern_cadence_on_acked(&c,
                          0); /* nor does a late ACK: which of the two the peer follows is open */
    assert_int_equal(c.in_force, MOST);
    tern_cadence_on_acked(&c, 1);
    assert_int_equal(c.in_force, 10 * TERN_MSEC);
    /* A probe repeats it, and then the first is acknowledged. */
    update(8, RTT);
    assert_int_equal(tern_cadence_on_sent(&c), 2);
    tern_cadence_on_lost(&c, 2);
    tern_cadence_on_acked(&c, 2);
    assert_false(c.wants_send);
}

static void loss_before_the_first_is_no_loss(void **state)
{
    (void)state;
    tern_cadence_on_lost(&c, 0);
    assert_false(c.wants_send);
    tern_cadence_on_acked(&c, UINT64_MAX - 1);
    assert_int_equal(c.in_force, MOST);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_small_window_asks_for_nothing, setup),
    cmocka_unit_test_setup(eight_acks_a_round_trip_at_least, setup),
    cmocka_unit_test_setup(who_cannot_be_asked_is_not, setup),
    cmocka_unit_test_setup(delay_follows_the_round_trip, setup),
    cmocka_unit_test_setup(only_much_is_worth_a_frame, setup),
    cmocka_unit_test_setup(a_change_of_delay_or_disorder_is_told_too, setup),
    cmocka_unit_test_setup(one_at_a_time, setup),
    cmocka_unit_test_setup(a_wish_can_pass, setup),
    cmocka_unit_test_setup(the_longer_delay_counts_until_the_peer_has_heard, setup),
    cmocka_unit_test_setup(a_lost_one_is_said_again_with_a_new_number, setup),
    cmocka_unit_test_setup(loss_before_the_first_is_no_loss, setup),
};

TERN_TEST_MAIN(tests)
