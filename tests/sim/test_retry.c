/* Handshakes to a server that asks everybody to show his address first, over links of all kinds.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/kit.h"

#define RTT   (40 * TERN_MSEC)
#define MASKS 1024 /* of the first ten datagrams */

static void plan_of(struct kit_plan *plan, const char *name, uint64_t seed, bool pinned)
{
    kit_plan_init(plan, name, seed);
    plan->up.delay = plan->down.delay = RTT / 2;
    plan->up_bytes = plan->down_bytes = 3000;
    plan->pinned = pinned;
    plan->limit = 300 * TERN_SEC;
    plan->server.retry_half_open = 0;
}

static void a_retry_costs_one_round_trip(void **state)
{
    (void)state;
    for (int pinned = 0; pinned < 2; pinned++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_of(&plan, "sim.retry.a_retry_costs_one_round_trip", replay_first_seed(), pinned != 0);
        kit_run(&plan, &result);
        assert_true(result.is_done);
        assert_in_range(result.handshake, 2 * RTT, 2 * RTT + 5 * TERN_MSEC);
    }
}

static void every_pattern(bool pinned, const char *name)
{
    for (uint64_t mask = 0; mask < MASKS; mask++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_of(&plan, name, replay_first_seed(), pinned);
        plan.drop_mask = mask;
        plan.client.handshake_timeout = plan.server.handshake_timeout = 300 * TERN_SEC;
        plan.client.idle_timeout = plan.server.idle_timeout = 300 * TERN_SEC;
        kit_run(&plan, &result);
        if (!result.is_done) {
            print_message("mask %llx\n", (unsigned long long)mask);
        }
        assert_true(result.is_done);
    }
}

static void every_pattern_with_a_pinned_key(void **state)
{
    (void)state;
    every_pattern(true, "sim.retry.every_pattern_with_a_pinned_key");
}

static void every_pattern_in_first_contact(void **state)
{
    (void)state;
    every_pattern(false, "sim.retry.every_pattern_in_first_contact");
}

static void a_hundred_bad_links(void **state)
{
    (void)state;
    static const char *const controllers[] = {"newreno", "cubic", "bbr", "ledbat"};
    for (uint64_t k = 0; k < 4 * replay_seed_count(100); k++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_of(&plan, "sim.retry.a_hundred_bad_links", replay_first_seed() + k / 4,
                k / 4 % 2 == 0);
        plan.cc = controllers[k % 4];
        plan.up.loss = plan.down.loss = 0.1;
        plan.up.corrupt = plan.down.corrupt = 0.05;
        plan.up.duplicate = plan.down.duplicate = 0.1;
        plan.up.reorder = plan.down.reorder = 0.1;
        plan.client.handshake_timeout = plan.server.handshake_timeout = 60 * TERN_SEC;
        kit_run(&plan, &result);
        assert_true(result.is_done);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_retry_costs_one_round_trip),
    cmocka_unit_test(every_pattern_with_a_pinned_key),
    cmocka_unit_test(every_pattern_in_first_contact),
    cmocka_unit_test(a_hundred_bad_links),
};

REPLAY_TEST_MAIN(tests)
