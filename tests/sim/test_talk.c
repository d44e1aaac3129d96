/* The delays that games and calls see: small messages on the beat, over loss, a blackout, rebinding.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/talk.h"

#define SEEDS 100

struct bar {
    double loss;
    tern_redundancy redundancy;
    unsigned p99, max; /* ms; 0: no bar */
    double wire;       /* bytes per message; 0: no bar */
};

/* The medians over the seeds are held to the bars. */
static int by_value(const void *a, const void *b)
{
    tern_time x = *(const tern_time *)a, y = *(const tern_time *)b;
    return x < y ? -1 : x > y;
}

static void hold(const struct bar *bar)
{
    tern_time p99[SEEDS], worst[SEEDS];
    double wire = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct talk_plan plan;
        struct talk_result result;
        talk_plan_init(&plan, seed);
        plan.link.loss = bar->loss;
        plan.redundancy = bar->redundancy;
        talk_run(&plan, &result);
        assert_int_equal(result.delivered, result.sent);
        p99[seed] = result.p99;
        worst[seed] = result.max;
        wire += result.wire / SEEDS;
    }
    qsort(p99, SEEDS, sizeof *p99, by_value);
    qsort(worst, SEEDS, sizeof *worst, by_value);
    printf(
        "loss %4.1f %%: p99 %.1f (%.1f to %.1f) ms, max %.1f (to %.1f) ms, %.0f bytes a message\n",
        100 * bar->loss, (double)p99[SEEDS / 2] / 1e6, (double)p99[0] / 1e6,
        (double)p99[SEEDS - 1] / 1e6, (double)worst[SEEDS / 2] / 1e6,
        (double)worst[SEEDS - 1] / 1e6, wire);
    assert_true(p99[SEEDS / 2] <= bar->p99 * TERN_MSEC);
    assert_true(bar->max == 0 || worst[SEEDS / 2] <= bar->max * TERN_MSEC);
    assert_true(bar->wire <= 0 || wire <= bar->wire);
}

static void nothing_lost(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0, .p99 = 21, .max = 21, .wire = 170});
}

static void one_per_cent(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0.01, .p99 = 38});
}

static void five_per_cent(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0.05, .p99 = 40, .wire = 350});
}

static void ten_per_cent(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0.10, .p99 = 60, .max = 160});
}

static void five_per_cent_without_copies(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0.05, .redundancy = TERN_REDUNDANCY_OFF, .p99 = 80});
}

static void ten_per_cent_without_copies(void **state)
{
    (void)state;
    hold(&(struct bar){.loss = 0.10, .redundancy = TERN_REDUNDANCY_OFF, .p99 = 130});
}

static void a_blackout_of_two_seconds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct talk_plan plan;
        struct talk_result result;
        talk_plan_init(&plan, seed);
        plan.blackout_at = 5 * TERN_SEC;
        plan.blackout = 2 * TERN_SEC;
        talk_run(&plan, &result);
        printf("seed %u: worst %.1f ms\n", (unsigned)seed, (double)result.max / 1e6);
        assert_int_equal(result.delivered, result.sent);
        assert_true(result.max <= 2100 * TERN_MSEC);
    }
}

static void rebinding_every_five_seconds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct talk_plan plan;
        struct talk_result still, moving;
        talk_plan_init(&plan, seed);
        talk_run(&plan, &still);
        plan.rebind_every = 5 * TERN_SEC;
        talk_run(&plan, &moving);
        printf("seed %u: p99 %.1f ms, %.1f with rebinding, worst %.1f\n", (unsigned)seed,
               (double)still.p99 / 1e6, (double)moving.p99 / 1e6, (double)moving.max / 1e6);
        assert_int_equal(moving.delivered, moving.sent);
        assert_true(moving.p99 <= still.p99 + 5 * TERN_MSEC);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_lost),
    cmocka_unit_test(one_per_cent),
    cmocka_unit_test(five_per_cent),
    cmocka_unit_test(ten_per_cent),
    cmocka_unit_test(five_per_cent_without_copies),
    cmocka_unit_test(ten_per_cent_without_copies),
    cmocka_unit_test(a_blackout_of_two_seconds),
    cmocka_unit_test(rebinding_every_five_seconds),
};

TERN_TEST_MAIN(tests)
