/* BBR between real endpoints: its share of the link with and without loss, and the queue it makes.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/kit.h"

#define RATE    100000000u /* bits a second */
#define QUEUE   625000     /* one BDP at 50 ms */
#define BUCKETS 1000       /* of a tenth of a millisecond */

/* The round trips of the server's ACKs, for a percentile of the queue's delay. */
struct delays {
    uint64_t count, bucket[BUCKETS];
    tern_time base, from; /* from: leaves Startup out */
    tern_time start;
};

static void note_delay(void *user, const tern_trace_event *event)
{
    struct delays *d = user;
    if (event->kind != TERN_TRACE_METRICS || !event->is_server) {
        return;
    }
    d->start = d->start == 0 ? event->now : d->start;
    if (event->now - d->start < d->from) {
        return;
    }
    tern_time queue = event->latest_rtt > d->base ? event->latest_rtt - d->base : 0;
    size_t i = (size_t)(queue / (100 * TERN_USEC));
    d->bucket[i < BUCKETS ? i : BUCKETS - 1]++;
    d->count++;
}

static double percentile_ms(const struct delays *d, uint64_t percent)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += d->bucket[i];
        if (seen * 100 >= d->count * percent) {
            return (double)(i + 1) / 10;
        }
    }
    return BUCKETS / 10.0;
}

static void plan_download(struct kit_plan *plan, const char *name, uint64_t seed, uint64_t bytes,
                          double loss)
{
    kit_plan_init(plan, name, seed);
    plan->cc = "bbr";
    plan->check = false; /* the shapes of test_transfer.c check; these are long */
    plan->up_bytes = 100;
    plan->down_bytes = bytes;
    plan->up.delay = plan->down.delay = 25 * TERN_MSEC;
    plan->down.rate = RATE;
    plan->down.queue = QUEUE;
    plan->down.loss = loss;
    plan->client.stream_window = plan->client.conn_window = 4u << 20;
}

/* The mean share over six seeds, and that of the second half alone; a download of 20 MB ends before
 * Startup's 0.4 s are forgotten. No more is sent again than was lost. */
static double share_of(const char *name, uint64_t bytes, double loss, double *steady)
{
    double sum = 0;
    *steady = 0;
    uint64_t seeds = replay_seed_count(6);
    for (uint64_t seed = replay_first_seed(); seed < replay_first_seed() + seeds; seed++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_download(&plan, name, seed, bytes, loss);
        kit_run(&plan, &result);
        assert_true(result.is_done);
        assert_true((double)result.server.bytes_sent * (1 - loss) <= 1.06 * (double)bytes);
        sum += kit_share(&result, bytes, RATE) / (double)seeds;
        result.arrived -= result.half;
        *steady += kit_share(&result, bytes / 2, RATE) / (double)seeds;
    }
    print_message("%s: %.1f %% of the link, of the second half %.1f %%\n", name, 100 * sum,
                  100 * *steady);
    return sum;
}

#define SHARE(test, bytes, loss, least, least_steady)                                              \
    static void test(void **state)                                                                 \
    {                                                                                              \
        double steady;                                                                             \
        (void)state;                                                                               \
        assert_true(share_of("sim.bbr_transfer." #test, bytes, loss, &steady) >= (least));         \
        assert_true(steady >= (least_steady));                                                     \
    }

/* 20 MB take 1.65 s at best; handshake and Startup are 0.38 s of the 2.04 s measured. */
SHARE(short_without_loss, 20000000, 0, 0.76, 0.90)
SHARE(short_with_loss_of_1, 20000000, 0.01, 0.74, 0.88)
/* Five percent are lost behind the bottleneck: of 95 % of the link, these are the shares. */
SHARE(short_with_loss_of_5, 20000000, 0.05, 0.68, 0.85)
SHARE(long_without_loss, 100000000, 0, 0.90, 0.92)
SHARE(long_with_loss_of_a_tenth, 100000000, 0.001, 0.89, 0.91)
SHARE(long_with_loss_of_1, 100000000, 0.01, 0.87, 0.90)
SHARE(long_with_loss_of_5, 100000000, 0.05, 0.84, 0.86)

/* With the default windows, which grow from 256 KiB: flow control holds Startup up, and its losses must
 * not be taken for the end of the pipe. */
static void small_windows_do_not_blind_it(void **state)
{
    double sum = 0;
    uint64_t seeds = replay_seed_count(3);
    (void)state;
    for (uint64_t seed = replay_first_seed(); seed < replay_first_seed() + seeds; seed++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_download(&plan, "sim.bbr_transfer.small_windows_do_not_blind_it", seed, 100000000,
                      0.05);
        tern_config_init(&plan.client);
        plan.client.suites = REPLAY_SUITES;
        kit_run(&plan, &result);
        assert_true(result.is_done);
        sum += kit_share(&result, 100000000, RATE) / (double)seeds;
    }
    print_message("default windows, 5 %% of loss: %.1f %% of the link\n", 100 * sum);
    assert_true(sum >= 0.80); /* a third, while only greedy senders counted the noise */
}

/* 600 ms, 20 Mbit/s: a cycle lasts as long as ProbeRTT's interval. */
static void satellite_is_no_obstacle(void **state)
{
    const double losses[] = {0.005, 0.05}, least[] = {0.74, 0.66};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_download(&plan, "sim.bbr_transfer.satellite_is_no_obstacle", 1, 100000000, losses[i]);
        plan.up.delay = plan.down.delay = 300 * TERN_MSEC;
        plan.down.rate = RATE / 5;
        plan.down.queue = 1500000;
        kit_run(&plan, &result);
        assert_true(result.is_done);
        print_message("satellite, %.1f %% of loss: %.1f %%\n", 100 * losses[i],
                      100 * kit_share(&result, 100000000, RATE / 5));
        assert_true(kit_share(&result, 100000000, RATE / 5) >= least[i]);
    }
}

static void queue_stays_short(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    struct delays delays = {.base = 50 * TERN_MSEC, .from = 2 * TERN_SEC};
    (void)state;
    plan_download(&plan, "sim.bbr_transfer.queue_stays_short", 1, 100000000, 0);
    plan.server.trace.event = note_delay;
    plan.server.trace.user = &delays;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    assert_true(delays.count > 1000);
    print_message("queue delay: p50 %.1f ms, p95 %.1f ms\n", percentile_ms(&delays, 50),
                  percentile_ms(&delays, 95));
    assert_true(percentile_ms(&delays, 50) <= 2);
    assert_true(percentile_ms(&delays, 95) <= 40); /* only Up fills the buffer, which holds 50 ms */
}

static void shallow_buffer_is_no_obstacle(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    (void)state;
    plan_download(&plan, "sim.bbr_transfer.shallow_buffer_is_no_obstacle", 1, 100000000, 0);
    plan.down.queue = QUEUE / 20;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    print_message("a buffer of a twentieth: %.1f %%\n", 100 * kit_share(&result, 100000000, RATE));
    assert_true(kit_share(&result, 100000000, RATE) >= 0.80);
}

static void loopback_does_not_freeze(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    (void)state;
    plan_download(&plan, "sim.bbr_transfer.loopback_does_not_freeze", 1, 100000000, 0);
    plan.up.delay = plan.down.delay = 25 * TERN_USEC;
    plan.down.rate = UINT64_C(10000000000);
    plan.down.queue = 0;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    assert_true(result.duration < 200 * TERN_MSEC);
    assert_int_equal(result.server.packets_lost, 0);
}

/* The receiver grants 64 kB a round trip: a tenth of the path. BBR must neither stall nor run up a
 * window or a queue. */
static void limited_by_the_application(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    (void)state;
    plan_download(&plan, "sim.bbr_transfer.limited_by_the_application", 1, 10000000, 0);
    plan.client.stream_window = plan.client.stream_window_max = 65536;
    plan.client.conn_window = plan.client.conn_window_max = 65536;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    assert_int_equal(result.server.packets_lost, 0);
    assert_true(result.down.queue_peak <= 65536 + 4096);
    assert_true(result.duration < 20 * TERN_SEC);
}

static void bad_links_in_small(void **state)
{
    (void)state;
    for (uint64_t seed = replay_first_seed(); seed < replay_first_seed() + replay_seed_count(50);
         seed++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, "sim.bbr_transfer.bad_links_in_small", seed);
        plan.cc = "bbr";
        plan.streams = 3;
        plan.up.loss = (double)(seed % 4) * 0.03;
        plan.up.reorder = 0.05;
        plan.up.duplicate = 0.05;
        plan.up.corrupt = 0.02;
        plan.up.jitter = 5 * TERN_MSEC;
        plan.up.rate = 5000000;
        plan.up.queue = 30000;
        plan.down = plan.up;
        kit_run(&plan, &result);
        assert_true(result.is_done);
    }
}

static void same_seed_same_hash(void **state)
{
    struct kit_plan plan;
    struct kit_result one, two;
    (void)state;
    plan_download(&plan, "sim.bbr_transfer.same_seed_same_hash", 42, 5000000, 0.01);
    kit_run(&plan, &one);
    kit_run(&plan, &two);
    assert_true(one.is_done && two.is_done);
    assert_true(one.hash == two.hash && one.steps == two.steps);
    print_message("trace hash of seed 42: %016llx\n", (unsigned long long)one.hash);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(short_without_loss),
    cmocka_unit_test(short_with_loss_of_1),
    cmocka_unit_test(short_with_loss_of_5),
    cmocka_unit_test(long_without_loss),
    cmocka_unit_test(long_with_loss_of_a_tenth),
    cmocka_unit_test(long_with_loss_of_1),
    cmocka_unit_test(long_with_loss_of_5),
    cmocka_unit_test(small_windows_do_not_blind_it),
    cmocka_unit_test(satellite_is_no_obstacle),
    cmocka_unit_test(queue_stays_short),
    cmocka_unit_test(shallow_buffer_is_no_obstacle),
    cmocka_unit_test(loopback_does_not_freeze),
    cmocka_unit_test(limited_by_the_application),
    cmocka_unit_test(bad_links_in_small),
    cmocka_unit_test(same_seed_same_hash),
};

REPLAY_TEST_MAIN(tests)
