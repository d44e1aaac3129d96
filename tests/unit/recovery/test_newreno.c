/* NewReno: growth, one reduction an episode, and no growth from a window that is not used.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "tern_test.h"

static void slow_start_grows_by_what_is_acknowledged(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    bench_fill(&b);
    b.now += 100 * TERN_MSEC;
    bench_ack(&b, 3 * MDS, b.now - 100 * TERN_MSEC, 0);
    assert_int_equal(b.cc.cwnd, 12000 + 3 * MDS);
}

static void avoidance_grows_a_datagram_a_window(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    b.cc.ssthresh = b.cc.cwnd;
    for (int i = 0; i < 9; i++) {
        bench_ack(&b, MDS, b.now, 0);
        assert_int_equal(b.cc.cwnd, 12000);
    }
    bench_ack(&b, MDS, b.now, 0);
    assert_int_equal(b.cc.cwnd, 12000 + MDS);
}

static void reduces_once_an_episode(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    b.cc.cwnd = 48000;
    tern_time sent = b.now;
    b.now += 100 * TERN_MSEC;
    bench_lose(&b, MDS, sent, false);
    assert_int_equal(b.cc.cwnd, 24000);
    assert_int_equal(b.cc.ssthresh, 24000);
    b.now += 20 * TERN_MSEC;
    bench_lose(&b, MDS, sent + 90 * TERN_MSEC, false); /* sent before the episode began */
    assert_int_equal(b.cc.cwnd, 24000);
    bench_ack(&b, MDS, sent + 90 * TERN_MSEC, 0); /* no growth in recovery */
    assert_int_equal(b.cc.cwnd, 24000);
    b.now += 100 * TERN_MSEC;
    bench_lose(&b, MDS, sent + 110 * TERN_MSEC, false); /* a new episode */
    assert_int_equal(b.cc.cwnd, 12000);
}

static void a_mark_reduces_like_a_loss(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    bench_fill(&b);
    struct tern_cc_loss mark = {
        .is_ecn = true, .latest_sent_at = b.now, .rtt = &b.rtt, .rate = &b.rate};
    b.now += TERN_MSEC;
    tern_cc_on_loss(&b.cc, &mark, b.now);
    assert_int_equal(b.cc.cwnd, 6000);
    assert_int_equal(b.cc.bytes_in_flight, 12000);
    tern_cc_on_loss(&b.cc, &mark, b.now);
    assert_int_equal(b.cc.cwnd, 6000);
}

static void never_below_two_datagrams(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    for (int i = 0; i < 10; i++) {
        b.now += 200 * TERN_MSEC;
        bench_lose(&b, 0, b.now - TERN_MSEC, false);
    }
    assert_int_equal(b.cc.cwnd, 2 * MDS);
}

static void application_limited_does_not_grow(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    b.is_limited = true;
    for (int i = 0; i < 100; i++) {
        bench_ack(&b, MDS, b.now, 0);
    }
    assert_int_equal(b.cc.cwnd, 12000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(slow_start_grows_by_what_is_acknowledged),
    cmocka_unit_test(avoidance_grows_a_datagram_a_window),
    cmocka_unit_test(reduces_once_an_episode),
    cmocka_unit_test(a_mark_reduces_like_a_loss),
    cmocka_unit_test(never_below_two_datagrams),
    cmocka_unit_test(application_limited_does_not_grow),
};

TERN_TEST_MAIN(tests)
