/* When an application is told of its bandwidth, and what.
 * SPDX-License-Identifier: MIT */
#include "conn/forecast.h"

#include "tern_test.h"

static struct tern_path path;
static struct tern_cc_state cc;
static struct tern_forecast forecast;
static tern_time now;

static int setup(void **state)
{
    const tern_addr addr = {.family = 4, .ip = {10, 0, 0, 1}, .port = 1};
    (void)state;
    now = 3600 * TERN_SEC;
    tern_path_init(&path, &cc, &addr, &addr, tern_cc_find("cubic"), 100 * TERN_MSEC, now);
    memset(&forecast, 0, sizeof forecast);
    return 0;
}

/* An ACK after a while, with a round trip of so long, at a delivery rate. */
static bool ack(tern_time after, tern_time rtt, uint64_t rate)
{
    now += after;
    tern_rtt_update(&path.rtt, rtt, 0, now);
    path.delivery_rate = rate;
    return tern_forecast_on_ack(&forecast, &path, now);
}

static void take(tern_bandwidth *out)
{
    assert_true(forecast.wants_event);
    tern_forecast_take(&forecast, out);
    assert_false(forecast.wants_event);
}

static void the_first_estimate_is_told_at_once(void **state)
{
    tern_bandwidth b;
    (void)state;
    assert_false(ack(0, 50 * TERN_MSEC, 0)); /* it is not known */
    assert_true(ack(TERN_MSEC, 50 * TERN_MSEC, 1000000));
    take(&b);
    assert_int_equal(b.estimate, 1000000);
    assert_int_equal(b.rtt, 50 * TERN_MSEC);
    assert_int_equal(b.queue_delay, 0);
    assert_int_equal(b.loss, 0);
}

static void a_change_of_more_than_a_twentieth_is_told(void **state)
{
    tern_bandwidth b;
    (void)state;
    assert_true(ack(0, 50 * TERN_MSEC, 1000000));
    take(&b);
    assert_false(ack(TERN_SEC, 50 * TERN_MSEC, 1050000));
    assert_false(ack(TERN_SEC, 50 * TERN_MSEC, 950000));
    assert_true(ack(TERN_SEC, 50 * TERN_MSEC, 1050001));
    take(&b);
    assert_int_equal(b.estimate, 1050001);
    assert_true(ack(TERN_SEC, 50 * TERN_MSEC, 950000));
}

static void a_queue_that_grows_or_goes_is_told(void **state)
{
    tern_bandwidth b;
    unsigned told = 0;
    (void)state;
    assert_true(ack(0, 50 * TERN_MSEC, 1000000));
    take(&b);
    for (unsigned i = 0; i < 100; i++) { /* 3 ms is none */
        assert_false(ack(TERN_SEC, 53 * TERN_MSEC, 1000000));
    }
    for (unsigned i = 0; i < 100; i++) {
        if (ack(TERN_SEC, 90 * TERN_MSEC, 1000000)) {
            take(&b);
            told++;
        }
    }
    assert_in_range(told, 2, 6); /* on its way, and not again once it stands */
    assert_true(b.queue_delay >= 25 * TERN_MSEC);
    for (unsigned i = 0; i < 100; i++) {
        if (ack(TERN_SEC, 50 * TERN_MSEC, 1000000)) {
            take(&b);
        }
    }
    assert_true(b.queue_delay <= 8 * TERN_MSEC);
}

static void at_most_five_a_second(void **state)
{
    tern_bandwidth b;
    unsigned told = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        if (ack(TERN_MSEC, 50 * TERN_MSEC, i % 2 == 0 ? 1000000 : 2000000)) {
            take(&b);
            told++;
        }
    }
    assert_in_range(told, 4, 5);
}

/* One that nobody has taken yet tells what is true when it is taken. */
static void an_event_that_waits_stays_fresh(void **state)
{
    tern_bandwidth b;
    (void)state;
    assert_true(ack(0, 50 * TERN_MSEC, 1000000));
    assert_true(ack(TERN_MSEC, 50 * TERN_MSEC, 3000000));
    take(&b);
    assert_int_equal(b.estimate, 3000000);
}

static void the_queue_is_smoothed(void **state)
{
    (void)state;
    (void)ack(0, 50 * TERN_MSEC, 1000000);
    (void)ack(TERN_MSEC, 90 * TERN_MSEC, 1000000);
    assert_int_equal(forecast.now.queue_delay, 5 * TERN_MSEC);
    for (unsigned i = 0; i < 100; i++) {
        (void)ack(TERN_MSEC, 90 * TERN_MSEC, 1000000);
    }
    assert_in_range(forecast.now.queue_delay, 39 * TERN_MSEC, 40 * TERN_MSEC);
}

static void loss_is_told_in_ten_thousandths(void **state)
{
    (void)state;
    (void)ack(0, 50 * TERN_MSEC, 1000000);
    for (unsigned i = 0; i < 12; i++) {
        path.rate.delivered += 970000;
        path.rate.lost += 30000;
        (void)ack(TERN_SEC, 50 * TERN_MSEC, 1000000);
    }
    assert_in_range(forecast.now.loss, 299, 301);
    for (unsigned i = 0; i < 4; i++) {
        path.rate.delivered += 1000000;
        (void)ack(TERN_SEC, 50 * TERN_MSEC, 1000000);
    }
    assert_in_range(forecast.now.loss, 1, 30);
}

/* A controller that has an opinion is believed. */
static void a_controller_knows_better(void **state)
{
    (void)state;
    path.cc.ops = tern_cc_find("media");
    path.cc.ops->init(&path.cc, now);
    assert_false(ack(0, 50 * TERN_MSEC, 1000000)); /* it knows nothing yet */
    assert_int_equal(forecast.now.estimate, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(the_first_estimate_is_told_at_once, setup),
    cmocka_unit_test_setup(a_change_of_more_than_a_twentieth_is_told, setup),
    cmocka_unit_test_setup(a_queue_that_grows_or_goes_is_told, setup),
    cmocka_unit_test_setup(at_most_five_a_second, setup),
    cmocka_unit_test_setup(an_event_that_waits_stays_fresh, setup),
    cmocka_unit_test_setup(the_queue_is_smoothed, setup),
    cmocka_unit_test_setup(loss_is_told_in_ten_thousandths, setup),
    cmocka_unit_test_setup(a_controller_knows_better, setup),
};

TERN_TEST_MAIN(tests)
