/* Jitter as RFC 3550 counts it, and shares of loss and marks over windows that pass.
 * SPDX-License-Identifier: MIT */
#include "conn/gauge.h"

#include "tern_test.h"

#define START (3600 * TERN_SEC)

static struct tern_gauge g;
static struct tern_rate rate;

static int setup(void **state)
{
    (void)state;
    memset(&g, 0, sizeof g);
    rate = (struct tern_rate){.delivered = 1000000, .lost = 200000};
    tern_gauge_on_ack(&g, &rate, 0, 0, START); /* what was before does not count */
    return 0;
}

static unsigned loss_now(void)
{
    unsigned loss, ce;
    tern_gauge_read(&g, &rate, &loss, &ce);
    return loss;
}

static unsigned ce_now(void)
{
    unsigned loss, ce;
    tern_gauge_read(&g, &rate, &loss, &ce);
    return ce;
}

static void ack(uint64_t delivered, uint64_t lost, tern_time now)
{
    rate.delivered += delivered;
    rate.lost += lost;
    tern_gauge_on_ack(&g, &rate, 0, 0, now);
}

static void a_steady_path_has_no_jitter(void **state)
{
    (void)state;
    tern_gauge_on_rtt(&g, 50 * TERN_MSEC, 0);
    assert_int_equal(g.jitter, 0);
    for (tern_time delay = 0; delay < 25 * TERN_MSEC; delay += TERN_MSEC) {
        tern_gauge_on_rtt(&g, 50 * TERN_MSEC + delay,
                          delay); /* the peer waits, the path does not */
    }
    assert_int_equal(g.jitter, 0);
}

/* RFC 3550 §6.4.1: J += (|D| - J) / 16. */
static void jitter_is_the_mean_change(void **state)
{
    (void)state;
    tern_gauge_on_rtt(&g, 50 * TERN_MSEC, 0);
    tern_gauge_on_rtt(&g, 66 * TERN_MSEC, 0);
    assert_int_equal(g.jitter, TERN_MSEC);
    tern_gauge_on_rtt(&g, 50 * TERN_MSEC, 0);
    assert_int_equal(g.jitter, (15 * TERN_MSEC + 16 * TERN_MSEC) / 16);
    for (int i = 0; i < 200; i++) {
        tern_gauge_on_rtt(&g, (i % 2 == 0 ? 50 : 60) * TERN_MSEC, 0);
    }
    assert_in_range(g.jitter, 9990 * TERN_USEC, 10010 * TERN_USEC);
}

static void lies_about_the_delay_are_harmless(void **state)
{
    (void)state;
    tern_gauge_on_rtt(&g, 50 * TERN_MSEC, TERN_TIME_NEVER);
    tern_gauge_on_rtt(&g, 50 * TERN_MSEC, 0);
    assert_in_range(g.jitter, 3 * TERN_MSEC, 4 * TERN_MSEC);
}

static void loss_is_a_share_of_the_last_seconds(void **state)
{
    (void)state;
    assert_int_equal(loss_now(), 0);
    for (int i = 0; i < 30; i++) {
        ack(9000, 1000, START + (tern_time)i * 100 * TERN_MSEC);
        assert_int_equal(loss_now(), 1000);
    }
    /* Two seconds later nothing is left of it. */
    for (int i = 30; i < 55; i++) {
        ack(10000, 0, START + (tern_time)i * 100 * TERN_MSEC);
        assert_true(i > 31 || loss_now() > 0);
    }
    assert_int_equal(loss_now(), 0);
    /* What a timer has declared lost shows without another ACK. */
    rate.lost += 10000;
    assert_true(loss_now() > 300);
}

static void without_an_ack_there_is_nothing(void **state)
{
    (void)state;
    memset(&g, 0, sizeof g);
    assert_int_equal(loss_now(), 0);
    ack(1000, 1000, START);
    assert_int_equal(loss_now(), 0);
    ack(1000, 1000, START);
    assert_int_equal(loss_now(), 5000);
}

static void an_old_window_does_not_count(void **state)
{
    (void)state;
    ack(1000, 1000, START);
    ack(1000, 0, START + 10 * TERN_SEC);
    assert_int_equal(loss_now(), 0);
}

static void what_was_only_late_is_taken_back(void **state)
{
    (void)state;
    ack(10000, 5000, START);
    assert_int_equal(loss_now(), 3333);
    rate.lost -= 5000;
    ack(5000, 0, START + 10 * TERN_MSEC);
    assert_int_equal(loss_now(), 0);
    rate.lost -= 150000; /* more than this window knows of */
    ack(5000, 0, START + 1500 * TERN_MSEC);
    assert_int_equal(loss_now(), 0);
}

static void another_path_counts_afresh(void **state)
{
    (void)state;
    ack(100000, 20000, START);
    rate = (struct tern_rate){0};
    ack(5000, 500, START + 10 * TERN_MSEC);
    assert_int_equal(loss_now(), 20500 * 10000 / 125500);
}

static void marks_are_a_share_of_the_marked(void **state)
{
    (void)state;
    assert_int_equal(ce_now(), 0);
    for (int i = 0; i < 30; i++) {
        tern_gauge_on_ack(&g, &rate, 20, 5, START + (tern_time)i * 100 * TERN_MSEC);
        assert_int_equal(ce_now(), 2500);
    }
    tern_gauge_on_ack(&g, &rate, 0, 1000, START + 9 * TERN_SEC); /* no share at all */
    assert_int_equal(ce_now(), 0);
    tern_gauge_on_ack(&g, &rate, 1, UINT64_C(1) << 40, START + 9 * TERN_SEC);
    assert_int_equal(ce_now(), 10000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_steady_path_has_no_jitter, setup),
    cmocka_unit_test_setup(jitter_is_the_mean_change, setup),
    cmocka_unit_test_setup(lies_about_the_delay_are_harmless, setup),
    cmocka_unit_test_setup(loss_is_a_share_of_the_last_seconds, setup),
    cmocka_unit_test_setup(without_an_ack_there_is_nothing, setup),
    cmocka_unit_test_setup(an_old_window_does_not_count, setup),
    cmocka_unit_test_setup(what_was_only_late_is_taken_back, setup),
    cmocka_unit_test_setup(another_path_counts_afresh, setup),
    cmocka_unit_test_setup(marks_are_a_share_of_the_marked, setup),
};

TERN_TEST_MAIN(tests)
