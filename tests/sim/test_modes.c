/* Handshakes of every mode over bad networks.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "sim/kit.h"
#include "tern_test.h"

static const uint8_t secret[TERN_SECRET_SIZE] = "thirty-two bytes for everybody.";

static void run(struct kit_plan *plan)
{
    struct kit_result result;
    kit_run(plan, &result);
    assert_true(result.is_done);
}

static void each_seed(const char *name, const uint8_t *the_secret, const char *code, bool pinned)
{
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(100); seed++) {
        struct kit_plan plan;
        kit_plan_init(&plan, name, seed);
        plan.secret = the_secret;
        plan.code = code;
        plan.pinned = pinned;
        plan.up.loss = plan.down.loss = 0.2;
        plan.up.corrupt = plan.down.corrupt = 0.05;
        plan.up.duplicate = plan.down.reorder = 0.1;
        plan.up_bytes = plan.down_bytes = 3000;
        plan.client.handshake_timeout = plan.server.handshake_timeout = 60 * TERN_SEC;
        plan.client.idle_timeout = plan.server.idle_timeout = 60 * TERN_SEC;
        run(&plan);
    }
}

static void pinned_with_a_secret(void **state)
{
    (void)state;
    each_seed("sim.modes.pinned_with_a_secret", secret, NULL, true);
}

static void first_contact_with_a_secret(void **state)
{
    (void)state;
    each_seed("sim.modes.first_contact_with_a_secret", secret, NULL, false);
}

static void one_time_code(void **state)
{
    (void)state;
    each_seed("sim.modes.one_time_code", NULL, "7-orbit-salmon", false);
}

/* Every pattern of loss of the first eight datagrams. */
static void any_first_datagrams_may_be_lost(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 256; mask++) {
        struct kit_plan plan;
        kit_plan_init(&plan, "sim.modes.any_first_datagrams_may_be_lost", 1);
        plan.code = "7-orbit-salmon";
        plan.drop_mask = mask;
        plan.up_bytes = plan.down_bytes = 1000;
        plan.client.handshake_timeout = plan.server.handshake_timeout = 60 * TERN_SEC;
        plan.client.idle_timeout = plan.server.idle_timeout = 60 * TERN_SEC;
        run(&plan);
    }
}

static void modes_cost_no_round_trip(void **state)
{
    struct kit_plan plan;
    struct kit_result plain, coded;
    (void)state;
    kit_plan_init(&plan, "sim.modes.modes_cost_no_round_trip", 1);
    kit_run(&plan, &plain);
    plan.code = "7-orbit-salmon";
    kit_run(&plan, &coded);
    assert_true(plain.is_done && coded.is_done);
    assert_true(coded.duration < plain.duration + 2 * TERN_MSEC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pinned_with_a_secret),
    cmocka_unit_test(first_contact_with_a_secret),
    cmocka_unit_test(one_time_code),
    cmocka_unit_test(any_first_datagrams_may_be_lost),
    cmocka_unit_test(modes_cost_no_round_trip),
};

REPLAY_TEST_MAIN(tests)
