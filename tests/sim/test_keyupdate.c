/* Keys that change all the time, by themselves and by a fresh Diffie-Hellman, over links that lose, delay,
 * duplicate and flip bits; also while the path changes.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>

#include "sim/kit.h"

#define SEEDS 20

typedef void (*shape_fn)(struct kit_plan *plan);

static const char *const controllers[] = {"cubic", "newreno", "bbr", "ledbat"};

static void run_seeds(const char *name, shape_fn shape, unsigned phases, unsigned rekeys)
{
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, name, seed);
        plan.cc = controllers[seed % 4];
        plan.up_bytes = plan.down_bytes = 1200000;
        plan.up.rate = plan.down.rate = 8000000;
        plan.up.queue = plan.down.queue = 40000;
        shape(&plan);
        kit_run(&plan, &result);
        assert_true(result.is_done);
        assert_true(result.client.key_phase >= phases);
        assert_true(result.client.rekeys >= rekeys);
        assert_true(result.server.key_phase + 1 >= result.client.key_phase);
    }
}

static void shape_worn(struct kit_plan *plan)
{
    plan->update_bytes = 10000;
}

static void shape_worn_lossy(struct kit_plan *plan)
{
    plan->update_bytes = 10000;
    plan->up.loss = plan->down.loss = 0.05;
    plan->up.reorder = plan->down.reorder = 0.05;
    plan->up.duplicate = plan->down.duplicate = 0.05;
    plan->up.corrupt = plan->down.corrupt = 0.02;
}

static void shape_ratchet(struct kit_plan *plan)
{
    plan->rekey_every = 50 * TERN_MSEC;
}

static void shape_ratchet_lossy(struct kit_plan *plan)
{
    shape_worn_lossy(plan);
    plan->rekey_every = 100 * TERN_MSEC;
}

static void shape_on_the_move(struct kit_plan *plan)
{
    shape_ratchet_lossy(plan);
    plan->client.keepalive = 500 * TERN_MSEC;
    plan->migrate_every = 300 * TERN_MSEC;
    plan->up_bytes = plan->down_bytes =
        2000000; /* or the quickest end before a ratchet has got through */
}

#define KEYUPDATE(shape, phases, rekeys)                                                           \
    static void shape(void **state)                                                                \
    {                                                                                              \
        (void)state;                                                                               \
        run_seeds("sim.keyupdate." #shape, shape_##shape, phases, rekeys);                         \
    }

KEYUPDATE(worn, 2, 0)
KEYUPDATE(worn_lossy, 3, 0)
KEYUPDATE(ratchet, 2, 2)
KEYUPDATE(ratchet_lossy, 2, 1)
KEYUPDATE(on_the_move, 2, 1)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(worn),          cmocka_unit_test(worn_lossy),  cmocka_unit_test(ratchet),
    cmocka_unit_test(ratchet_lossy), cmocka_unit_test(on_the_move),
};

REPLAY_TEST_MAIN(tests)
