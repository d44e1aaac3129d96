/* Goodput as a share of the bottleneck, and memory that stays still while bytes move.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>

#include "sim/kit.h"
#include "unit/heap_kit.h"

#define MIB  ((uint64_t)1 << 20)
#define RATE ((uint64_t)100000000)
#define BDP  ((size_t)625000) /* 100 Mbit/s times 50 ms */

/* 100 MiB up through 100 Mbit/s, 50 ms, a queue of one BDP. */
static double share(const char *name, const char *cc, double loss)
{
    struct kit_plan plan;
    struct kit_result result;
    kit_plan_init(&plan, name, replay_first_seed());
    plan.cc = cc;
    plan.up.delay = plan.down.delay = 25 * TERN_MSEC;
    plan.up.rate = plan.down.rate = RATE;
    plan.up.queue = plan.down.queue = BDP;
    plan.up.overhead = plan.down.overhead = 28;
    plan.up.loss = plan.down.loss = loss;
    plan.up_bytes = 100 * MIB;
    plan.down_bytes = 0;
    plan.check = false; /* the transfer tests look after every event; here time is the subject */
    kit_run(&plan, &result);
    assert_true(result.is_done);
    double reached = kit_share(&result, plan.up_bytes, RATE);
    print_message("%s, loss %.1f %%: %.1f %% of the bottleneck, %llu of %llu packets lost\n", cc,
                  loss * 100, reached * 100, (unsigned long long)result.client.packets_lost,
                  (unsigned long long)result.client.packets_sent);
    return reached;
}

static void cubic_fills_a_clean_link(void **state)
{
    (void)state;
    assert_true(share("sim.speed.cubic_fills_a_clean_link", "cubic", 0) >= 0.90);
}

static void newreno_fills_a_clean_link(void **state)
{
    (void)state;
    assert_true(share("sim.speed.newreno_fills_a_clean_link", "newreno", 0) >= 0.90);
}

static void bbr_fills_a_clean_link(void **state)
{
    (void)state;
    assert_true(share("sim.speed.bbr_fills_a_clean_link", "bbr", 0) >= 0.88);
}

static void bbr_bears_a_lossy_link(void **state)
{
    (void)state;
    assert_true(share("sim.speed.bbr_bears_a_lossy_link", "bbr", 0.001) >= 0.70);
}

/* The end of a slow start that nothing but loss ends: ten thousand packets are dropped. */
static void survives_a_great_overshoot(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    (void)state;
    kit_plan_init(&plan, "sim.speed.survives_a_great_overshoot", replay_first_seed());
    plan.cc = "newreno"; /* it does not look at the delay */
    plan.up.delay = plan.down.delay = 50 * TERN_MSEC;
    plan.up.rate = plan.down.rate = 20 * RATE;
    plan.up.queue = plan.down.queue = 1000000;
    plan.up_bytes = 160 * MIB;
    plan.down_bytes = 0;
    plan.check = false;
    plan.server.stream_window = plan.server.conn_window =
        64 * MIB; /* nothing but losses holds it */
    plan.server.stream_window_max = plan.server.conn_window_max = 64 * MIB;
    plan.client.stream_send_buffer = 64 * MIB;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    print_message("%llu lost\n", (unsigned long long)result.client.packets_lost);
    assert_true(result.client.packets_lost > 5000);
}

/* --- no allocation per packet ------------------------------------------------------------------------- */

static void warm_connection_allocates_nothing(void **state)
{
    struct kit_plan plan;
    struct kit_result result;
    struct kit_heap heap = {0};
    (void)state;
    kit_plan_init(&plan, "sim.speed.warm_connection_allocates_nothing", replay_first_seed());
    plan.up.rate = plan.down.rate = RATE;
    plan.up.queue = plan.down.queue = BDP;
    plan.cc = "newreno"; /* loses as much as it ever will at the end of slow start */
    plan.up_bytes = 48 * MIB;
    plan.down_bytes = 0;
    plan.check = false;
    plan.client.allocator = plan.server.allocator =
        (tern_allocator){kit_alloc, kit_realloc, kit_free, &heap};
    plan.allocations = &heap.calls;
    plan.warm_bytes = 24 * MIB;
    plan.still_bytes = 46 * MIB;
    kit_run(&plan, &result);
    assert_true(result.is_done && result.counted);
    print_message("%llu allocations in all, %llu while 22 MiB crossed\n",
                  (unsigned long long)heap.calls, (unsigned long long)result.late_allocations);
    assert_int_equal(result.late_allocations, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cubic_fills_a_clean_link),
    cmocka_unit_test(newreno_fills_a_clean_link),
    cmocka_unit_test(bbr_fills_a_clean_link),
    cmocka_unit_test(bbr_bears_a_lossy_link),
    cmocka_unit_test(survives_a_great_overshoot),
    cmocka_unit_test(warm_connection_allocates_nothing),
};

REPLAY_TEST_MAIN(tests)
