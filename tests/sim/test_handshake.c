/* Handshakes over links that lose: every pattern of the first datagrams, and how long they take when
 * chance decides.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdlib.h>

#include "sim/kit.h"

#define RTT   (40 * TERN_MSEC)
#define MASKS 4096 /* of the first twelve datagrams */
#define SEEDS 100

static void plan_of(struct kit_plan *plan, const char *name, uint64_t seed, bool pinned)
{
    kit_plan_init(plan, name, seed);
    plan->up.delay = plan->down.delay = RTT / 2;
    plan->up_bytes = plan->down_bytes = 3000;
    plan->pinned = pinned;
    plan->limit = 300 * TERN_SEC;
}

#define WORST (10 * TERN_SEC) /* for any of them, with the timeouts that everybody has */

/* Eleven in a row is the worst: two go with each timeout, a second apart at first and then a second and
 * a half ([P §9.4]; RFC 9002 §6.2.2.1 for the deadlocks that must not come of it). */
static void all_patterns(bool pinned, const char *name)
{
    tern_time longest = 0;
    for (uint64_t mask = 0; mask < MASKS; mask++) {
        struct kit_plan plan;
        struct kit_result result;
        plan_of(&plan, name, replay_first_seed(), pinned);
        plan.drop_mask = mask;
        kit_run(&plan, &result);
        if (!result.is_done || result.duration > WORST) {
            print_message("mask %llx\n", (unsigned long long)mask);
        }
        assert_true(result.is_done && result.duration <= WORST);
        longest = result.duration > longest ? result.duration : longest;
    }
    print_message("%d patterns, the longest took %.1f s\n", MASKS, (double)longest / TERN_SEC);
}

static void every_pattern_with_a_pinned_key(void **state)
{
    (void)state;
    all_patterns(true, "sim.handshake.every_pattern_with_a_pinned_key");
}

static void every_pattern_in_first_contact(void **state)
{
    (void)state;
    all_patterns(false, "sim.handshake.every_pattern_in_first_contact");
}

static int by_size(const void *a, const void *b)
{
    tern_time x = *(const tern_time *)a, y = *(const tern_time *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Loss one way or the other; times of a hundred handshakes in milliseconds. */
static void statistics(bool is_up, const char *name)
{
    static const struct {
        double loss;
        double mean, median, p90; /* at most, in ms */
    } rows[] = {{0, 45, 45, 45},      {0.01, 80, 45, 45},   {0.02, 100, 45, 45},
                {0.05, 150, 45, 200}, {0.1, 250, 45, 1100}, {0.2, 400, 45, 1100},
                {0.3, 600, 45, 1100}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tern_time times[SEEDS];
        double sum = 0;
        for (uint64_t k = 0; k < SEEDS; k++) {
            struct kit_plan plan;
            struct kit_result result;
            plan_of(&plan, name, replay_first_seed() + k, true);
            *(is_up ? &plan.up.loss : &plan.down.loss) = rows[i].loss;
            plan.client.handshake_timeout = plan.server.handshake_timeout = 60 * TERN_SEC;
            plan.client.idle_timeout = plan.server.idle_timeout = 300 * TERN_SEC;
            plan.check = false;
            kit_run(&plan, &result);
            assert_true(result.handshake > 0);
            times[k] = result.handshake;
            sum += (double)result.handshake / TERN_MSEC;
        }
        qsort(times, SEEDS, sizeof times[0], by_size);
        double mean = sum / SEEDS, median = (double)times[SEEDS / 2] / TERN_MSEC;
        double p90 = (double)times[SEEDS * 9 / 10] / TERN_MSEC;
        print_message("%s %2.0f %%: mean %.0f ms, median %.0f ms, p90 %.0f ms\n",
                      is_up ? "up" : "down", rows[i].loss * 100, mean, median, p90);
        assert_true(mean <= rows[i].mean && median <= rows[i].median && p90 <= rows[i].p90);
    }
}

static void times_with_loss_on_the_way_up(void **state)
{
    (void)state;
    statistics(true, "sim.handshake.times_with_loss_on_the_way_up");
}

static void times_with_loss_on_the_way_down(void **state)
{
    (void)state;
    statistics(false, "sim.handshake.times_with_loss_on_the_way_down");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_pattern_with_a_pinned_key),
    cmocka_unit_test(every_pattern_in_first_contact),
    cmocka_unit_test(times_with_loss_on_the_way_up),
    cmocka_unit_test(times_with_loss_on_the_way_down),
};

REPLAY_TEST_MAIN(tests)
