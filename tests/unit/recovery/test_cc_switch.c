/* One controller takes over from another: it goes on from the window, the delay and the state of the
 * search that it finds.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "path_kit.h"
#include "tern_test.h"

static const char *const names[] = {"newreno", "cubic", "bbr", "ledbat", "media", "prague"};
#define NAMES TERN_COUNT_OF(names)

static struct path the_path;
static struct path *const p = &the_path;
static struct bench b;

static void switch_to(const char *name)
{
    tern_cc_switch(&p->cc, tern_cc_find(name), &p->rtt, &p->rate, p->now);
    tern_pacer_set_rate(&p->pacer, tern_cc_pace(&p->cc, &p->rtt), PATH_MDS, p->now);
}

/* The most in flight over the next `length`, and the share of the bottleneck that it carried. */
static uint64_t peak_over(tern_time length, unsigned *share)
{
    uint64_t before = p->rate.delivered, peak = 0;
    tern_time end = p->now + length;
    while (p->now < end) {
        path_step(p, end);
        peak = TERN_MAX(peak, p->cc.bytes_in_flight);
    }
    *share = (unsigned)((p->rate.delivered - before) * 100 /
                        (p->bottleneck * (length / TERN_MSEC) / 1000));
    return peak;
}

/* No slow start from ten packets, and no jump. */
static void every_pair_goes_on_where_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES * NAMES; i++) {
        const char *from = names[i / NAMES], *to = names[i % NAMES];
        unsigned share_before, share_after;
        path_init(p, from, 0, 1);
        path_run(p, 20 * TERN_SEC);
        uint64_t before = peak_over(TERN_SEC, &share_before);
        switch_to(to);
        uint64_t after = peak_over(TERN_SEC, &share_after);
        print_message("%-8s to %-8s flight %7llu to %7llu, share %3u to %3u %%\n", from, to,
                      (unsigned long long)before, (unsigned long long)after, share_before,
                      share_after);
        assert_string_equal(p->cc.ops->name, to);
        assert_true(after <= before + before / 3);
        assert_true(share_after >= 70);
    }
}

/* Who takes over while the other was still in slow start goes on searching. */
static void a_search_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES * NAMES; i++) {
        unsigned share;
        path_init(p, names[i / NAMES], 0, 1);
        path_run(p, 100 * TERN_MSEC);
        uint64_t before = p->cc.cwnd;
        assert_true(before < 200000);
        switch_to(names[i % NAMES]);
        assert_in_range(p->cc.cwnd, before / 4, before);
        (void)peak_over(2 * TERN_SEC, &share);
        print_message("%-8s to %-8s %u %% of two seconds\n", names[i / NAMES], names[i % NAMES],
                      share);
        assert_true(share >= (i % NAMES == 3 ? 25 : 60)); /* LEDBAT++ searches slowly */
    }
}

static void nothing_is_known_before_the_first_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES * NAMES; i++) {
        path_init(p, names[i / NAMES], 0, 1);
        switch_to(names[i % NAMES]);
        assert_int_equal(p->cc.cwnd, 12000);
        assert_true(tern_cc_pace(&p->cc, &p->rtt) > 0);
    }
}

/* A reduction of the controller before is not the new one's to take back, and losses of packets that
 * had left before it belong to it. */
static void an_old_episode_is_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bench_init(&b, &tern_cc_newreno);
        bench_fill(&b);
        bench_lose(&b, MDS, b.now, false);
        assert_true(b.cc.state->prr.is_on);
        tern_cc_switch(&b.cc, i == 0 ? &tern_cc_cubic : &tern_cc_newreno, &b.rtt, &b.rate, b.now);
        assert_false(b.cc.state->prr.is_on);
        assert_int_equal(b.cc.cwnd, 6000);
        assert_int_equal(b.cc.ssthresh, 6000);
        bench_lose(&b, MDS, b.now, false);
        assert_int_equal(b.cc.cwnd, 6000);
        tern_cc_on_spurious(&b.cc, 0, b.now, b.now);
        assert_int_equal(b.cc.cwnd, 6000);
        assert_true(b.cc.ssthresh >= 6000);
    }
}

/* Packets that had left before the switch are lost after it, and come after all: there is nothing to take back,
 * and what LEDBAT++ took back was a target of nothing, by which it then divided (found by fuzz_cc). */
static void what_was_never_reduced_is_not_taken_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        bench_init(&b, &tern_cc_newreno);
        bench_fill(&b);
        b.pn = 3;
        bench_lose(&b, MDS, b.now, false);
        tern_cc_switch(&b.cc, tern_cc_find(names[i]), &b.rtt, &b.rate, b.now);
        uint64_t threshold = b.cc.ssthresh;
        struct tern_cc_loss late = {.lost_bytes = MDS,
                                    .lost_packets = 1,
                                    .next_pn = 12,
                                    .latest_sent_at = b.now,
                                    .largest_pn = 4,
                                    .prior_in_flight = b.cc.bytes_in_flight,
                                    .rtt = &b.rtt,
                                    .rate = &b.rate};
        tern_cc_on_loss(&b.cc, &late, b.now);
        tern_cc_on_spurious(&b.cc, 4, b.now, b.now);
        assert_int_equal(b.cc.ssthresh, threshold);
        for (int k = 0; k < 40; k++) { /* with a queue as long as LEDBAT++ wants none */
            b.now += 400 * TERN_MSEC;
            b.pn += 20;
            bench_fill(&b);
            bench_ack(&b, MDS, b.now - 300 * TERN_MSEC, 300 * TERN_MSEC);
            assert_true(b.cc.cwnd >= tern_cc_min_window(&b.cc));
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_pair_goes_on_where_it_was),
    cmocka_unit_test(a_search_goes_on),
    cmocka_unit_test(nothing_is_known_before_the_first_round_trip),
    cmocka_unit_test(an_old_episode_is_over),
    cmocka_unit_test(what_was_never_reduced_is_not_taken_back),
};

TERN_TEST_MAIN(tests)
