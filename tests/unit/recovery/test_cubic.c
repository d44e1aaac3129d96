/* CUBIC against the closed formula of RFC 9438, and its rules about loss and idleness.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "cc_kit.h"
#include "tern_test.h"

/* W_cubic(t) in datagrams: C (t - K)^3 + W_max, with K = cbrt((W_max - cwnd_epoch) / C). */
static double closed_form(double w_max, double epoch, double t)
{
    double k = cbrt((w_max - epoch) / 0.4);
    return 0.4 * pow(t - k, 3) + w_max;
}

/* A window's worth of ACKs every round trip; the window must follow the curve within a datagram. The
 * controller aims at W(t + RTT) and gets there over the round, so it is compared at its end. */
static void follows_the_closed_formula(void **state)
{
    const uint64_t windows[] = {300, 1000, 4000};
    (void)state;
    for (size_t w = 0; w < TERN_COUNT_OF(windows); w++) {
        struct bench b;
        uint64_t start = windows[w];
        bench_init(&b, &tern_cc_cubic);
        b.cc.cwnd = start * MDS;
        bench_lose(&b, 0, b.now, false);
        assert_int_equal(b.cc.cwnd, start * 7 / 10 * MDS);
        tern_time epoch = b.now + 100 * TERN_MSEC;
        for (b.now = epoch; b.now < epoch + 12 * TERN_SEC;) {
            uint64_t acks = b.cc.cwnd / MDS;
            tern_time step = 100 * TERN_MSEC / acks;
            for (uint64_t i = 0; i < acks; i++, b.now += step) {
                bench_ack(&b, MDS, b.now, 0);
            }
            double t = (double)(b.now - epoch) / 1e9 + 0.1;
            double wanted = closed_form((double)start, (double)start * 0.7, t);
            double before = closed_form((double)start, (double)start * 0.7, t - 0.2);
            double now = (double)b.cc.cwnd / MDS;
            assert_true(now <= wanted + 1 && now >= before - 1);
        }
    }
}

/* With the clock at rest and ACKs for ten windows the window comes to W(t + RTT) itself; many more,
 * and the estimate of what Reno would have would pass it. */
static void target_is_the_closed_formula(void **state)
{
    (void)state;
    for (unsigned ds = 5; ds <= 100; ds += 5) { /* tenths of a second */
        struct bench b;
        bench_init(&b, &tern_cc_cubic);
        b.cc.cwnd = 1000 * MDS;
        bench_lose(&b, 0, b.now, false);
        b.now += TERN_MSEC;
        bench_ack(&b, MDS, b.now, 0); /* the epoch begins */
        b.now += ds * 100 * TERN_MSEC;
        for (int i = 0; i < 1000; i++) {
            bench_ack(&b, 10 * MDS, b.now, 0);
        }
        double wanted = closed_form(1000, 700, ds / 10.0 + 0.1);
        double now = (double)b.cc.cwnd / MDS;
        assert_true(now >= wanted - 1);
        assert_true(now <= wanted + 1);
    }
}

static void reduces_once_an_episode_by_three_tenths(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_cubic);
    b.cc.cwnd = 100 * MDS;
    tern_time sent = b.now;
    b.now += 100 * TERN_MSEC;
    bench_lose(&b, MDS, sent, false);
    assert_int_equal(b.cc.cwnd, 70 * MDS);
    bench_lose(&b, MDS, sent + TERN_MSEC, false);
    assert_int_equal(b.cc.cwnd, 70 * MDS);
    bench_ack(&b, MDS, sent + TERN_MSEC, 0);
    assert_int_equal(b.cc.cwnd, 70 * MDS);
    b.now += 100 * TERN_MSEC;
    bench_lose(&b, MDS, b.now - TERN_MSEC, false);
    assert_int_equal(b.cc.cwnd, 49 * MDS);
}

static void persistent_congestion_reduces_the_threshold_once(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_cubic);
    b.cc.cwnd = 100 * MDS;
    tern_time sent = b.now;
    b.now += 100 * TERN_MSEC;
    bench_lose(&b, MDS, sent, false);
    bench_lose(&b, MDS, sent + TERN_MSEC, true); /* the same episode */
    assert_int_equal(b.cc.ssthresh, 70 * MDS);
    assert_int_equal(b.cc.cwnd, 2 * MDS);
    bench_ack(&b, MDS, b.now + TERN_MSEC, 0);
    assert_int_equal(b.cc.cwnd, 3 * MDS); /* slow start up to the threshold */
}

static void application_limited_does_not_grow(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_cubic);
    b.is_limited = true;
    for (int i = 0; i < 100; i++) {
        b.now += 10 * TERN_MSEC;
        bench_ack(&b, MDS, b.now, 50 * TERN_MSEC);
    }
    assert_int_equal(b.cc.cwnd, 12000);
}

/* One round in avoidance: everything sent, everything acknowledged in one go. */
static void round_in_one_ack(struct bench *b)
{
    tern_time sent = b->now;
    bench_fill(b);
    b->now += 100 * TERN_MSEC;
    bench_ack(b, b->cc.bytes_in_flight, sent, 0);
}

static void a_pause_does_not_count(void **state)
{
    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        struct bench paused, steady;
        bench_init(&steady, &tern_cc_cubic);
        steady.cc.cwnd = 100 * MDS;
        bench_lose(&steady, 0, steady.now, false);
        for (int i = 0; i < 10; i++) {
            steady.now += TERN_MSEC;
            round_in_one_ack(&steady);
        }
        paused = steady;
        if (limited == 1) { /* the last ACK of the burst was seen as application-limited */
            paused.is_limited = true;
            bench_ack(&paused, 0, paused.now, 0);
            paused.is_limited = false;
        }
        paused.now += 60 * TERN_SEC;
        for (int i = 0; i < 3; i++) {
            round_in_one_ack(&paused);
            round_in_one_ack(&steady);
        }
        assert_true(paused.cc.cwnd <= steady.cc.cwnd + MDS);
        assert_true(paused.cc.cwnd + MDS >= steady.cc.cwnd);
    }
}

static void growing_delay_ends_slow_start_without_loss(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_cubic);
    for (int i = 0; i < 2000 && b.cc.ssthresh == UINT64_MAX; i++) {
        /* eleven samples a round, and 20 ms more in each */
        struct tern_rate_sample sample = {0};
        struct tern_cc_ack ack = {.acked_bytes = MDS,
                                  .largest_sent_at = b.now,
                                  .largest_pn = (uint64_t)i,
                                  .rtt = &b.rtt,
                                  .rtt_sample = (tern_time)(50 + i / 10 * 20) * TERN_MSEC,
                                  .rate = &b.rate,
                                  .sample = &sample,
                                  .next_pn = (uint64_t)i + 10};
        b.now += TERN_MSEC;
        b.cc.state->use.was_full[0] = true;
        tern_cc_on_ack(&b.cc, &ack, b.now);
    }
    assert_true(b.cc.ssthresh != UINT64_MAX);
    assert_int_equal(b.cc.ssthresh, b.cc.cwnd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(follows_the_closed_formula),
    cmocka_unit_test(target_is_the_closed_formula),
    cmocka_unit_test(reduces_once_an_episode_by_three_tenths),
    cmocka_unit_test(persistent_congestion_reduces_the_threshold_once),
    cmocka_unit_test(application_limited_does_not_grow),
    cmocka_unit_test(a_pause_does_not_count),
    cmocka_unit_test(growing_delay_ends_slow_start_without_loss),
};

TERN_TEST_MAIN(tests)
