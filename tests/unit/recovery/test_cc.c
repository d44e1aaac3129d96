/* What all controllers share: names, the initial window, bytes in flight, and what each must do on
 * persistent congestion.
 * SPDX-License-Identifier: MIT */
#include "recovery/cc.h"

#include "cc_kit.h"
#include "tern_test.h"

static const char *const names[] = {"newreno", "cubic", "bbr", "ledbat", "media", "prague"};

static void finds_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        assert_non_null(tern_cc_find(names[i]));
        assert_string_equal(tern_cc_find(names[i])->name, names[i]);
    }
    assert_null(tern_cc_find("vegas"));
    assert_null(tern_cc_find(""));
    assert_null(tern_cc_find(NULL));
}

static void initial_window_follows_the_datagram(void **state)
{
    struct tern_cc cc;
    struct tern_cc_state own;
    (void)state;
    tern_cc_init(&cc, &own, &tern_cc_newreno, 1200, TERN_SEC);
    assert_int_equal(cc.cwnd, 12000);
    tern_cc_init(&cc, &own, &tern_cc_newreno, 1472, TERN_SEC);
    assert_int_equal(cc.cwnd, 14720);
    tern_cc_init(&cc, &own, &tern_cc_newreno, 9000, TERN_SEC);
    assert_int_equal(cc.cwnd, 18000);
    assert_int_equal(cc.ssthresh, UINT64_MAX);
}

static void counts_bytes_in_flight(void **state)
{
    struct bench b;
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        bench_init(&b, tern_cc_find(names[i]));
        bench_fill(&b);
        assert_int_equal(b.cc.bytes_in_flight, 12000);
        assert_int_equal(tern_cc_room(&b.cc), 0);
        bench_ack(&b, MDS, b.now, 0);
        bench_lose(&b, MDS, b.now, false);
        tern_cc_on_discarded(&b.cc, 2 * MDS);
        assert_int_equal(b.cc.bytes_in_flight, 12000 - 4 * MDS);
        tern_cc_on_discarded(&b.cc, 1000000); /* never wraps */
        assert_int_equal(b.cc.bytes_in_flight, 0);
        assert_in_range(tern_cc_room(&b.cc), MDS, b.cc.cwnd); /* in recovery not all at once */
    }
}

static void persistent_congestion_leaves_the_minimum(void **state)
{
    struct bench b;
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        bench_init(&b, tern_cc_find(names[i]));
        bench_fill(&b);
        bench_lose(&b, 3 * MDS, b.now, true);
        assert_int_equal(b.cc.cwnd, tern_cc_min_window(&b.cc));
        assert_false(b.cc.state->prr.is_on);
    }
}

static void loss_based_ones_halt_slow_start_after_persistent_congestion(void **state)
{
    struct bench b;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bench_init(&b, tern_cc_find(names[i]));
        bench_fill(&b);
        bench_lose(&b, 3 * MDS, b.now, true);
        assert_int_equal(b.cc.ssthresh, i == 0 ? 6000 : 8400);
    }
}

/* The ACK that shows the path to have been dead acknowledges a window from before it died. */
static void what_left_before_persistent_congestion_brings_no_growth(void **state)
{
    struct bench b;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bench_init(&b, tern_cc_find(names[i]));
        bench_fill(&b);
        tern_time sent = b.now;
        b.now += 2 * TERN_SEC;
        bench_lose(&b, 3 * MDS, sent, true);
        bench_ack(&b, 5 * MDS, sent, 0);
        assert_int_equal(b.cc.cwnd, tern_cc_min_window(&b.cc));
        bench_lose(&b, MDS, sent, false); /* nor does another of them count as congestion anew */
        assert_int_equal(b.cc.ssthresh, i == 0 ? 6000 : 8400);
        b.now += TERN_MSEC;
        tern_time later = b.now;
        bench_send(&b, MDS);
        b.now += 100 * TERN_MSEC;
        bench_ack(&b, MDS, later, 0);
        assert_int_equal(b.cc.cwnd, tern_cc_min_window(&b.cc) + MDS);
    }
}

static void window_keeps_two_of_a_larger_datagram(void **state)
{
    struct bench b;
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    b.cc.cwnd = tern_cc_min_window(&b.cc);
    tern_cc_set_datagram(&b.cc, 9000);
    assert_int_equal(b.cc.cwnd, 18000);
    assert_int_equal(tern_cc_min_window(&b.cc), 18000);
}

static void pacing_survives_extreme_round_trips(void **state)
{
    struct bench b;
    const tern_time rtts[] = {1, 50 * TERN_USEC, TERN_SEC, 100 * TERN_SEC, 100000 * TERN_SEC};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names) * TERN_COUNT_OF(rtts); i++) {
        bench_init(&b, tern_cc_find(names[i % TERN_COUNT_OF(names)]));
        tern_rtt_init(&b.rtt, rtts[i / TERN_COUNT_OF(names)]);
        b.cc.cwnd = tern_cc_min_window(&b.cc);
        assert_true(tern_cc_pace(&b.cc, &b.rtt) >= b.cc.datagram);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(finds_by_name),
    cmocka_unit_test(initial_window_follows_the_datagram),
    cmocka_unit_test(counts_bytes_in_flight),
    cmocka_unit_test(persistent_congestion_leaves_the_minimum),
    cmocka_unit_test(loss_based_ones_halt_slow_start_after_persistent_congestion),
    cmocka_unit_test(what_left_before_persistent_congestion_brings_no_growth),
    cmocka_unit_test(window_keeps_two_of_a_larger_datagram),
    cmocka_unit_test(pacing_survives_extreme_round_trips),
};

TERN_TEST_MAIN(tests)
