/* Congestion events that turn out to be none: what is restored, when, and how often.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "tern_test.h"

static struct bench b;

static const struct tern_cc_ops *const controllers[] = {&tern_cc_newreno, &tern_cc_cubic};

/* A window of 100 in avoidance, and 100 packets on their way. */
static void begin(const struct tern_cc_ops *ops)
{
    bench_init(&b, ops);
    b.cc.cwnd = 100 * MDS;
    b.cc.ssthresh = 90 * MDS;
    bench_fill(&b);
    b.pn = 100;
    b.now += 100 * TERN_MSEC;
}

static void lose(uint64_t pn, uint64_t packets, bool is_ecn)
{
    struct tern_cc_loss loss = {.lost_bytes = packets * MDS,
                                .lost_packets = packets,
                                .next_pn = 100,
                                .largest_pn = pn,
                                .latest_sent_at = b.now - 50 * TERN_MSEC,
                                .prior_in_flight = b.cc.bytes_in_flight,
                                .is_ecn = is_ecn,
                                .rtt = &b.rtt,
                                .rate = &b.rate};
    tern_cc_on_loss(&b.cc, &loss, b.now);
}

static void all_of_them_late_restores_the_window(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(controllers); i++) {
        begin(controllers[i]);
        tern_time lost_at = b.now;
        lose(12, 3, false);
        assert_true(b.cc.cwnd <= 70 * MDS);
        assert_true(b.cc.state->prr.is_on);
        b.now += TERN_MSEC;
        lose(20, 1, false); /* the same episode */
        tern_cc_on_spurious(&b.cc, 10, lost_at, b.now);
        tern_cc_on_spurious(&b.cc, 11, lost_at, b.now);
        tern_cc_on_spurious(&b.cc, 12, lost_at, b.now);
        assert_true(b.cc.cwnd <= 70 * MDS); /* one is missing still */
        tern_cc_on_spurious(&b.cc, 20, b.now, b.now);
        assert_int_equal(b.cc.cwnd, 100 * MDS);
        assert_int_equal(b.cc.ssthresh, 90 * MDS);
        assert_false(b.cc.state->prr.is_on);
    }
}

static void a_true_loss_among_them_keeps_the_reduction(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(controllers); i++) {
        begin(controllers[i]);
        lose(12, 3, false);
        tern_cc_on_spurious(&b.cc, 10, b.now, b.now);
        tern_cc_on_spurious(&b.cc, 11, b.now, b.now);
        assert_true(b.cc.cwnd <= 70 * MDS);
    }
}

static void a_mark_in_the_episode_keeps_the_reduction(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(controllers); i++) {
        begin(controllers[i]);
        lose(12, 1, false);
        lose(13, 0, true);
        tern_cc_on_spurious(&b.cc, 12, b.now, b.now);
        assert_true(b.cc.cwnd <= 70 * MDS);
    }
}

/* Late packets of an older episode say nothing about the present one. */
static void episodes_are_told_apart(void **state)
{
    (void)state;
    begin(&tern_cc_cubic);
    tern_time first = b.now;
    lose(12, 1, false);
    b.now += 100 * TERN_MSEC;
    b.cc.state->episode.end_pn = 100;
    struct tern_cc_loss later = {.lost_bytes = MDS,
                                 .lost_packets = 1,
                                 .next_pn = 200,
                                 .largest_pn = 150,
                                 .latest_sent_at = b.now,
                                 .prior_in_flight = b.cc.bytes_in_flight,
                                 .rtt = &b.rtt,
                                 .rate = &b.rate};
    tern_cc_on_loss(&b.cc, &later, b.now);
    uint64_t window = b.cc.cwnd;
    tern_cc_on_spurious(&b.cc, 12, first, b.now);
    assert_int_equal(b.cc.cwnd, window);
    tern_cc_on_spurious(&b.cc, 150, b.now, b.now);
    assert_true(b.cc.cwnd > window);
}

static void it_is_taken_back_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(controllers); i++) {
        begin(controllers[i]);
        lose(12, 1, false);
        tern_cc_on_spurious(&b.cc, 12, b.now, b.now);
        assert_int_equal(b.cc.cwnd, 100 * MDS);
        b.cc.cwnd = 30 * MDS;
        tern_cc_on_spurious(&b.cc, 12, b.now, b.now);
        assert_int_equal(b.cc.cwnd, 30 * MDS);
    }
}

/* RFC 9438 §4.9.1 */
static void cubic_goes_on_where_it_was(void **state)
{
    (void)state;
    begin(&tern_cc_cubic);
    for (int i = 0; i < 50; i++) { /* some way along its curve */
        b.now += 10 * TERN_MSEC;
        bench_ack(&b, MDS, b.now, 0);
    }
    struct bench undisturbed = b;
    undisturbed.cc.state = &undisturbed.state;
    lose(99, 1, false);
    tern_cc_on_spurious(&b.cc, 99, b.now, b.now);
    for (int i = 0; i < 200; i++) {
        b.now += 10 * TERN_MSEC;
        undisturbed.now = b.now;
        bench_ack(&b, MDS, b.now, 0);
        bench_ack(&undisturbed, MDS, b.now, 0);
    }
    assert_in_range(b.cc.cwnd, undisturbed.cc.cwnd - MDS, undisturbed.cc.cwnd + MDS);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_of_them_late_restores_the_window),
    cmocka_unit_test(a_true_loss_among_them_keeps_the_reduction),
    cmocka_unit_test(a_mark_in_the_episode_keeps_the_reduction),
    cmocka_unit_test(episodes_are_told_apart),
    cmocka_unit_test(it_is_taken_back_once),
    cmocka_unit_test(cubic_goes_on_where_it_was),
};

TERN_TEST_MAIN(tests)
