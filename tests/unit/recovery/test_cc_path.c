/* The controllers over one modelled path: what share of it each gets, with and without loss, what
 * queue it makes, and what idleness does to it.
 * SPDX-License-Identifier: MIT */
#include "path_kit.h"
#include "recovery/bbr.h"
#include "recovery/hystart.h"
#include "tern_test.h"

#define SEEDS 6

static struct path the_path;
static struct path *const p = &the_path;

static void run_for(const char *name, uint64_t loss_ppm, uint64_t seed, tern_time length)
{
    path_init(p, name, loss_ppm, seed);
    path_run(p, length);
}

/* The mean share of 20 seconds over some seeds, and the least. */
static uint64_t share(const char *name, uint64_t loss_ppm, uint64_t *least)
{
    uint64_t sum = 0;
    *least = 100;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_for(name, loss_ppm, seed, 20 * TERN_SEC);
        sum += path_share(p);
        *least = TERN_MIN(*least, path_share(p));
    }
    print_message("%s, %.1f %% of loss: %u %% of the path, at least %u %%\n", name,
                  (double)loss_ppm / 1e4, (unsigned)(sum / SEEDS), (unsigned)*least);
    return sum / SEEDS;
}

static void all_fill_a_clean_path(void **state)
{
    uint64_t least;
    (void)state;
    assert_true(share("newreno", 0, &least) >= 95);
    assert_true(share("cubic", 0, &least) >= 95);
    assert_true(share("bbr", 0, &least) >= 93);
}

/* RFC 3649 section 2: 1.2 / sqrt(p) datagrams a round trip; RFC 9438 section 5.2: never below. */
static void loss_based_ones_follow_their_formulas(void **state)
{
    (void)state;
    const struct {
        uint64_t ppm;
        double reno; /* datagrams */
    } rows[] = {{1000, 37.9}, {10000, 12.0}, {40000, 6.0}};
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        double mean[2] = {0, 0};
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            for (int cubic = 0; cubic < 2; cubic++) {
                run_for(cubic ? "cubic" : "newreno", rows[i].ppm, seed, 60 * TERN_SEC);
                mean[cubic] += (double)p->rate.delivered / PATH_MDS / (60 / 0.05) / SEEDS;
            }
        }
        print_message("%.1f %%: newreno %.1f, cubic %.1f datagrams a round trip, formula %.1f\n",
                      (double)rows[i].ppm / 1e4, mean[0], mean[1], rows[i].reno);
        assert_true(mean[0] > rows[i].reno * 0.7 && mean[0] < rows[i].reno * 1.4);
        assert_true(mean[1] > mean[0] * 0.9);
    }
}

static void bbr_is_not_capped_by_loss_of_1(void **state)
{
    uint64_t least;
    (void)state;
    assert_true(share("bbr", 1000, &least) >= 93 && least >= 91);
    assert_true(share("bbr", 10000, &least) >= 90 && least >= 88);
}

static void bbr_learns_the_floor_of_a_noisy_path(void **state)
{
    uint64_t least;
    (void)state;
    assert_true(share("bbr", 20000, &least) >= 88 && least >= 84);
    assert_true(share("bbr", 50000, &least) >= 86 && least >= 82);
    uint64_t floor = tern_bbr_loss_floor(tern_bbr_of(&p->cc));
    assert_in_range(floor, 300, 500); /* in ten-thousandths */
}

/* A sender that pauses sees the noise as well as a greedy one: flow control must not leave it blind. */
static void bbr_learns_the_floor_although_held_up(void **state)
{
    (void)state;
    path_init(p, "bbr", 50000, 1);
    for (p->limit = 200; p->now < PATH_START + 10 * TERN_SEC; p->limit = p->next + 200) {
        path_run(p, 50 * TERN_MSEC); /* 38 Mbit/s of 100, in bursts */
    }
    uint64_t floor = tern_bbr_loss_floor(tern_bbr_of(&p->cc));
    print_message("floor of 5 %% by 200 datagrams at a time: %u\n", (unsigned)floor);
    assert_in_range(floor, 300, 500);
    uint64_t delivered = p->rate.delivered;
    p->limit = UINT64_MAX;
    path_run(p, 5 * TERN_SEC);
    assert_true(p->rate.delivered - delivered >= 5 * p->bottleneck * 80 / 100);
}

/* Here a cycle is as long as ProbeRTT's interval, and the count as long as the wait for a probe. */
static void bbr_learns_the_floor_of_a_satellite(void **state)
{
    (void)state;
    path_init(p, "bbr", 50000, 1);
    p->bottleneck = 2500000;
    p->delay = 600 * TERN_MSEC;
    p->queue = 1500000;
    path_run(p, 60 * TERN_SEC);
    print_message("satellite, 5 %% of loss: %u %%\n", (unsigned)path_share(p));
    assert_true(path_share(p) >= 60);
}

/* Of 40 datagrams a round two may be lost without meaning anything. */
static void bbr_learns_the_floor_of_few_datagrams(void **state)
{
    const uint64_t ppm[] = {10000, 20000, 50000};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(ppm); i++) {
        uint64_t sum = 0;
        for (uint64_t seed = 1; seed <= 4; seed++) {
            path_init(p, "bbr", ppm[i], seed);
            p->bottleneck = 1250000;
            p->queue = 62500;
            path_run(p, 30 * TERN_SEC);
            sum += path_share(p);
        }
        print_message("10 Mbit/s, %.0f %% of loss: %u %%\n", (double)ppm[i] / 1e4,
                      (unsigned)sum / 4);
        assert_true(sum / 4 >= 70);
    }
}

/* Twice what the floor may be: here the draft's response has its way. */
static void bbr_gives_in_to_heavy_loss(void **state)
{
    uint64_t least;
    (void)state;
    assert_true(share("bbr", 120000, &least) <= 35);
}

/* Losses from our own probes go away in Down and never count as noise. */
static void own_overflow_is_no_floor(void **state)
{
    const uint64_t queues[] = {12500, 31250, 62500, 187500, 625000};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(queues); i++) {
        path_init(p, "bbr", 0, 1);
        p->queue = queues[i];
        path_run(p, 30 * TERN_SEC);
        print_message("queue %u: %u %%, %u of %u datagrams overflowed\n", (unsigned)queues[i],
                      (unsigned)path_share(p), (unsigned)p->overflows, (unsigned)p->next);
        uint64_t floor = tern_bbr_loss_floor(tern_bbr_of(&p->cc));
        assert_true(floor == 0 || floor == UINT64_MAX); /* never: nothing was ever lost */
        assert_true(p->overflows * 100 < p->next);
        assert_true(path_share(p) >= 80);
    }
}

static void bbr_keeps_the_queue_short(void **state)
{
    (void)state;
    path_init(p, "bbr", 0, 1);
    path_run(p, 2 * TERN_SEC);
    path_forget_delays(p);
    path_run(p, 20 * TERN_SEC);
    print_message("queue delay: p50 %.1f ms, p95 %.1f ms\n", path_delay_ms(p, 50),
                  path_delay_ms(p, 95));
    assert_true(path_delay_ms(p, 50) <= 1);
    assert_true(path_delay_ms(p, 95) <= 40); /* Up's half a BDP; a full queue is 50 ms */
}

static void bbr_finds_ten_times_the_bandwidth_and_a_tenth(void **state)
{
    (void)state;
    path_init(p, "bbr", 0, 1);
    p->bottleneck /= 10;
    path_run(p, 5 * TERN_SEC);
    p->bottleneck *= 10;
    path_run(p, 10 * TERN_SEC);
    assert_true(tern_bbr_max_bw(tern_bbr_of(&p->cc)) >= p->bottleneck * 95 / 100);
    p->bottleneck /= 10;
    path_run(p, 15 * TERN_SEC);
    assert_true(tern_bbr_max_bw(tern_bbr_of(&p->cc)) <= p->bottleneck * 105 / 100);
    /* The queue that the old bandwidth left is in the first ProbeRTT's measure; the next one, for
     * which the window was half of a truer product, drains it. */
    path_run(p, 25 * TERN_SEC);
    assert_true(p->rtt.smoothed <= 3 * p->delay);
}

/* A BDP below one datagram: four in flight, and it crawls on at the path's rate. The four are 600 ms
 * long, and twice that is the window, with the quantum that pacing allows for. */
static void bbr_lives_with_less_than_a_datagram(void **state)
{
    (void)state;
    path_init(p, "bbr", 0, 1);
    p->bottleneck = 8000;
    p->queue = 12000;
    path_run(p, 60 * TERN_SEC);
    assert_true(p->cc.cwnd >= 4 * PATH_MDS);
    assert_true(p->cc.cwnd <= 12 * PATH_MDS);
    assert_true(p->rate.delivered >= 60 * 8000 * 80 / 100);
}

/* RFC 9406: the rise of the delay is seen before the first packet is dropped, and far less is dropped
 * than where slow start runs into the end of the queue. */
static void hystart_is_earlier_than_the_first_drop(void **state)
{
    (void)state;
    path_init(p, "newreno", 0, 1);
    path_run(p, 2 * TERN_SEC);
    uint64_t plain = p->overflows;
    path_init(p, "cubic", 0, 1);
    p->queue *= 8; /* five careful rounds with a quarter of the growth fit in */
    path_run(p, 2 * TERN_SEC);
    assert_true(p->cc.ssthresh != UINT64_MAX);
    assert_int_equal(p->overflows, 0);
    path_init(p, "cubic", 0, 1);
    path_run(p, 2 * TERN_SEC);
    print_message("dropped by slow start: %u, with HyStart++: %u\n", (unsigned)plain,
                  (unsigned)p->overflows);
    assert_true(p->overflows * 2 < plain);
}

/* RFC 9002 §7.8: a tenth of the path for a hundred round trips. */
static void application_limited_window_stays_near_the_flight(void **state)
{
    const char *const names[] = {"newreno", "cubic"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        path_init(p, names[i], 0, 1);
        uint64_t flight = 0;
        for (int round = 0; round < 100; round++) {
            p->limit = p->next + 52; /* a tenth of the BDP, once a round trip */
            path_run(p, p->delay);
            flight = TERN_MAX(flight, p->cc.state->use.peak[1]);
        }
        assert_true(flight <= 2 * 52 * PATH_MDS);
        assert_true(p->cc.cwnd <= 2 * flight);
    }
}

/* RFC 9002 §7.8, RFC 9438 §4.2: idleness neither shrinks nor inflates the window, and what is sent
 * afterwards is paced: nothing overflows. */
static void idle_minute_leaves_the_window(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        path_init(p, names[i], 0, 1);
        path_run(p, 10 * TERN_SEC);
        p->limit = p->next;
        path_run(p, TERN_SEC);
        uint64_t before = p->cc.cwnd;
        path_run(p, 59 * TERN_SEC);
        assert_int_equal(p->cc.cwnd, before);
        uint64_t delivered = p->rate.delivered, overflows = p->overflows;
        p->limit = UINT64_MAX;
        path_run(p, 200 * TERN_MSEC);
        assert_int_equal(p->overflows, overflows);
        assert_true(p->cc.cwnd <= before * 13 / 10);
        assert_true(p->rate.delivered - delivered >= p->bottleneck / 5 * 60 / 100);
    }
}

static void same_seed_same_course(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        run_for(names[i], 20000, 7, 10 * TERN_SEC);
        uint64_t delivered = p->rate.delivered, next = p->next, cwnd = p->cc.cwnd;
        run_for(names[i], 20000, 7, 10 * TERN_SEC);
        assert_true(delivered == p->rate.delivered && next == p->next && cwnd == p->cc.cwnd);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_fill_a_clean_path),
    cmocka_unit_test(loss_based_ones_follow_their_formulas),
    cmocka_unit_test(bbr_is_not_capped_by_loss_of_1),
    cmocka_unit_test(bbr_learns_the_floor_of_a_noisy_path),
    cmocka_unit_test(bbr_learns_the_floor_although_held_up),
    cmocka_unit_test(bbr_learns_the_floor_of_a_satellite),
    cmocka_unit_test(bbr_learns_the_floor_of_few_datagrams),
    cmocka_unit_test(bbr_gives_in_to_heavy_loss),
    cmocka_unit_test(own_overflow_is_no_floor),
    cmocka_unit_test(bbr_keeps_the_queue_short),
    cmocka_unit_test(bbr_finds_ten_times_the_bandwidth_and_a_tenth),
    cmocka_unit_test(bbr_lives_with_less_than_a_datagram),
    cmocka_unit_test(hystart_is_earlier_than_the_first_drop),
    cmocka_unit_test(application_limited_window_stays_near_the_flight),
    cmocka_unit_test(idle_minute_leaves_the_window),
    cmocka_unit_test(same_seed_same_course),
};

TERN_TEST_MAIN(tests)
