/* Runs of packets are built otherwise than single ones, and nobody must see it: each transfer once with them and
 * once without has the same trace, byte by byte of every packet's payload and moment by moment.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "conn/run.h"
#include "sim/kit.h"
#include "sim/replay.h"

static bool is_off;
static uint64_t in_runs; /* packets */

size_t __real_tern_run_transmit(struct tern_conn *conn, tern_train *train, size_t limit,
                                size_t most, tern_time now);
size_t __wrap_tern_run_transmit(struct tern_conn *conn, tern_train *train, size_t limit,
                                size_t most, tern_time now);

size_t __wrap_tern_run_transmit(struct tern_conn *conn, tern_train *train, size_t limit,
                                size_t most, tern_time now)
{
    size_t count = is_off ? 0 : __real_tern_run_transmit(conn, train, limit, most, now);
    in_runs += count;
    return count;
}

static void plan_transfer(struct kit_plan *plan, const char *name, uint64_t seed)
{
    kit_plan_init(plan, name, seed);
    plan->up.rate = plan->down.rate = UINT64_C(200000000);
    plan->streams = 1;
    plan->up_bytes = 3000000;
    plan->down_bytes = 0;
}

/* The share of the client's packets that were in runs. */
static double compare(struct kit_plan *plan)
{
    struct kit_result with, without;
    is_off = false;
    in_runs = 0;
    kit_run(plan, &with);
    is_off = true;
    kit_run(plan, &without);
    assert_true(with.is_done && without.is_done);
    assert_true(with.hash == without.hash && with.steps == without.steps);
    assert_memory_equal(&with.client, &without.client, sizeof with.client);
    assert_memory_equal(&with.server, &without.server, sizeof with.server);
    return (double)in_runs / (double)with.client.packets_sent;
}

static void one_stream(void **state)
{
    struct kit_plan plan;
    (void)state;
    plan_transfer(&plan, "sim.runs.one_stream", 1);
    double share = compare(&plan);
    print_message("%.0f %% of the packets were in runs\n", 100 * share);
    assert_true(share > 0.2); /* else there is nothing to compare */
}

static void under_every_controller(void **state)
{
    static const char *const names[] = {"cubic", "newreno", "bbr", "ledbat", "media", "prague"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        struct kit_plan plan;
        plan_transfer(&plan, "sim.runs.under_every_controller", 2 + i);
        plan.client.cc = names[i];
        (void)compare(&plan);
    }
}

static void with_losses_and_disorder(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct kit_plan plan;
        plan_transfer(&plan, "sim.runs.with_losses_and_disorder", seed);
        plan.up.loss = 0.01;
        plan.up.reorder = 0.02;
        plan.down.loss = 0.05;
        assert_true(compare(&plan) > 0.1);
    }
}

static void with_new_keys(void **state)
{
    struct kit_plan plan;
    (void)state;
    plan_transfer(&plan, "sim.runs.with_new_keys", 7);
    plan.update_bytes = 700000;
    (void)compare(&plan);
    plan.update_bytes = 0;
    plan.rekey_every = 50 * TERN_MSEC;
    (void)compare(&plan);
}

static void of_many_streams_both_ways(void **state)
{
    struct kit_plan plan;
    (void)state;
    plan_transfer(&plan, "sim.runs.of_many_streams_both_ways", 8);
    plan.streams = 8;
    plan.up_bytes = plan.down_bytes = 100000;
    (void)compare(&plan);
}

static void of_lent_pieces(void **state)
{
    struct kit_plan plan;
    (void)state;
    plan_transfer(&plan, "sim.runs.of_lent_pieces", 10);
    plan.block = 5000; /* packets begin in one and end in the next */
    assert_true(compare(&plan) > 0.1);
}

static void where_the_reader_is_slow(void **state)
{
    struct kit_plan plan;
    (void)state;
    plan_transfer(&plan, "sim.runs.where_the_reader_is_slow", 9);
    plan.up_bytes = 500000;
    plan.sip = 1000;
    plan.server.stream_window = plan.server.stream_window_max = 32768;
    (void)compare(&plan);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_stream),
    cmocka_unit_test(under_every_controller),
    cmocka_unit_test(with_losses_and_disorder),
    cmocka_unit_test(with_new_keys),
    cmocka_unit_test(of_many_streams_both_ways),
    cmocka_unit_test(of_lent_pieces),
    cmocka_unit_test(where_the_reader_is_slow),
};

REPLAY_TEST_MAIN(tests)
