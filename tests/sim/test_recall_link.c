/* Careful resume between real endpoints: a second transfer starts from what the first one found, a wrong
 * memory costs little, and one of another path nothing at all.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/flows.h"
#include "sim/replay.h"

#define RATE        100000000u
#define DELAY       (25 * TERN_MSEC)
#define BYTES       10000000
#define CONTROLLERS (sizeof controllers / sizeof controllers[0])

static const char *const controllers[] = {"bbr", "cubic", "newreno"};

static void plan_one(struct flows_plan *plan, const char *name, const char *cc,
                     const tern_path_memory *memory)
{
    flows_plan_init(plan, name, replay_first_seed());
    plan->bottleneck.rate = RATE;
    plan->bottleneck.queue = RATE / 8 / 20;
    plan->settle = 0;
    plan->window = 4u << 20;
    struct flow_plan *flow = flows_add(plan, cc, DELAY);
    flow->bytes = BYTES;
    if (memory != NULL) {
        flow->memory = *memory;
    }
}

/* Until the receiver has read all. */
static tern_time run(struct flows_plan *plan, struct flows_result *result)
{
    flows_run(plan, result);
    assert_true(result->is_done);
    assert_int_equal(result->flows[0].total, plan->flows[0].bytes);
    print_message("%s, %s: %.0f ms, %llu lost\n", plan->name, plan->flows[0].cc,
                  (double)result->flows[0].read_at / 1e6,
                  (unsigned long long)result->flows[0].sender.packets_lost);
    return result->flows[0].read_at;
}

static void second_time_is_faster(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        struct flows_plan plan;
        struct flows_result first, second;
        plan_one(&plan, "sim.recall_link.second_time_is_faster", controllers[i], NULL);
        tern_time before = run(&plan, &first);
        const tern_path_memory *memory = &first.flows[0].memory;
        /* What the path holds, within a fifth; BBR has not lost or queued to find it. */
        assert_in_range(memory->volume, RATE / 8 / 20 / 10 * 8, RATE / 8 / 20 / 10 * 12);
        assert_in_range(memory->min_rtt, 2 * DELAY, 2 * DELAY + TERN_MSEC);
        plan_one(&plan, "sim.recall_link.second_time_is_faster", controllers[i], memory);
        tern_time after = run(&plan, &second);
        assert_true(after + 20 * TERN_MSEC <= before);
        assert_true(second.flows[0].sender.packets_lost <=
                    first.flows[0].sender.packets_lost + 200);
    }
}

/* Where nothing was lost, and the remembered rate is found again, Startup fills no queue: nothing is dropped, and the
 * path is full all the same. One that carries more than was remembered is found by probing. */
static void what_is_found_again_is_not_overrun(void **state)
{
    static const struct {
        unsigned percent; /* of what the path carries, remembered */
        tern_time most;   /* for 80 MB, at 100 Mbit/s and 200 ms */
    } cases[] = {
        {100, 7250 * TERN_MSEC}, {95, 7250 * TERN_MSEC}, {104, 7250 * TERN_MSEC},
        {50, 7500 * TERN_MSEC},  {25, 7600 * TERN_MSEC},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flows_plan plan;
        struct flows_result result;
        tern_path_memory memory = {.size = sizeof memory,
                                   .volume = RATE / 8 / 5 * cases[i].percent / 100,
                                   .min_rtt = 200 * TERN_MSEC};
        plan_one(&plan, "sim.recall_link.what_is_found_again_is_not_overrun", "bbr", &memory);
        plan.bottleneck.queue = RATE / 8 / 5;
        plan.window = 16u << 20;
        plan.flows[0].delay = 100 * TERN_MSEC;
        plan.flows[0].bytes = 80000000;
        assert_true(run(&plan, &result) <= cases[i].most);
        assert_true(cases[i].percent < 90 || result.bottleneck.queue_dropped == 0);
    }
}

/* The path has become ten times slower, or forty. */
static void a_slower_path_is_no_disaster(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        for (uint64_t part = 10; part <= 40; part *= 4) {
            struct flows_plan plan;
            struct flows_result fresh, stale;
            tern_path_memory memory = {
                .size = sizeof memory, .volume = RATE / 8 / 20, .min_rtt = 2 * DELAY};
            plan_one(&plan, "sim.recall_link.a_slower_path_is_no_disaster", controllers[i], NULL);
            plan.bottleneck.rate = RATE / part;
            plan.bottleneck.queue = RATE / 8 / 20 / (size_t)part;
            plan.flows[0].bytes = 4 * BYTES / part; /* four seconds */
            tern_time without = run(&plan, &fresh);
            plan.flows[0].memory = memory;
            tern_time with = run(&plan, &stale);
            assert_true(with <= without + without / 4);
            /* half of what is remembered, and hardly more, can be too much */
            assert_true(stale.bottleneck.queue_dropped * 1200 <= memory.volume);
        }
    }
}

/* Beside a flow that is there already: that one goes on. */
static void others_are_not_starved(void **state)
{
    (void)state;
    struct flows_plan plan;
    struct flows_result result;
    plan_one(&plan, "sim.recall_link.others_are_not_starved", "bbr", NULL);
    plan.flows[0].bytes = 0;
    plan.duration = 12 * TERN_SEC;
    struct flow_plan *flow = flows_add(&plan, "bbr", DELAY);
    flow->start = 4 * TERN_SEC;
    flow->memory = (tern_path_memory){
        .size = sizeof flow->memory, .volume = RATE / 8 / 20, .min_rtt = 2 * DELAY};
    plan.settle = 4 * TERN_SEC;
    flows_run(&plan, &result);
    assert_true(result.is_done);
    flows_print(&plan, &result);
    assert_true(result.flows[0].bytes * 4 >= result.flows[1].bytes);
}

/* Packet for packet as if there were none. */
static void what_does_not_fit_changes_nothing(void **state)
{
    const tern_path_memory memories[] = {
        {sizeof memories[0], RATE / 8 / 20, 4 * DELAY + TERN_MSEC, 0}, /* half the round trip now */
        {sizeof memories[0], RATE / 8 / 20, DELAY / 10, 0},            /* more than ten times */
        {sizeof memories[0], RATE / 8 / 20, 2 * DELAY, TERN_PATH_MEMORY_LIFE}, /* too old */
        {sizeof memories[0], 20000, 2 * DELAY, 0},                             /* of no use */
    };
    (void)state;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        struct flows_plan plan;
        struct flows_result result;
        plan_one(&plan, "sim.recall_link.what_does_not_fit_changes_nothing", controllers[i], NULL);
        plan.flows[0].bytes = BYTES / 10;
        (void)run(&plan, &result);
        uint64_t hash = result.hash;
        for (size_t k = 0; k < sizeof memories / sizeof memories[0]; k++) {
            plan.flows[0].memory = memories[k];
            (void)run(&plan, &result);
            assert_true(result.hash == hash);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(second_time_is_faster),
    cmocka_unit_test(what_is_found_again_is_not_overrun),
    cmocka_unit_test(a_slower_path_is_no_disaster),
    cmocka_unit_test(others_are_not_starved),
    cmocka_unit_test(what_does_not_fit_changes_nothing),
};

REPLAY_TEST_MAIN(tests)
