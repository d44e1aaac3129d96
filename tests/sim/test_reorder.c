/* Packets that are late but not lost: protocol-notes rows 4 and 8. What reordering may cost, measured
 * against the same link in order, for delays below, near and above a round trip.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/kit.h"

#define RTT  (50 * TERN_MSEC)
#define RATE ((uint64_t)50000000)
#define BDP  ((size_t)312500)
#define SIZE ((uint64_t)60000000)

static double goodput(const char *cc, double share, tern_time late, struct kit_result *result)
{
    struct kit_plan plan;
    kit_plan_init(&plan, "sim.reorder", kit_first_seed());
    plan.cc = cc;
    plan.up.delay = plan.down.delay = RTT / 2;
    plan.up.rate = plan.down.rate = RATE;
    plan.up.queue = plan.down.queue = 2 * BDP;
    plan.up.reorder = share;
    plan.up.reorder_delay = late;
    plan.up_bytes = SIZE;
    plan.down_bytes = 0;
    plan.check = false;
    kit_run(&plan, result);
    assert_true(result->is_done);
    return kit_share(result, SIZE, RATE);
}

static void compare(const char *cc, double share, tern_time late, double least)
{
    struct kit_result result;
    double plain = goodput(cc, 0, 0, &result);
    double with = goodput(cc, share, late, &result);
    print_message(
        "%s, %.0f %% late by %.1f round trips: %.1f %% of %.1f %%, %llu lost, %llu of them late\n",
        cc, share * 100, (double)late / RTT, with * 100, plain * 100,
        (unsigned long long)result.client.packets_lost,
        (unsigned long long)result.client.packets_spurious);
    assert_true(with >= plain * least);
}

static void cubic_below_a_round_trip(void **state)
{
    (void)state;
    compare("cubic", 0.05, RTT / 5, 0.95);
    compare("cubic", 0.05, RTT * 4 / 5, 0.95);
}

static void newreno_below_a_round_trip(void **state)
{
    (void)state;
    compare("newreno", 0.05, RTT / 5, 0.95);
    compare("newreno", 0.05, RTT * 4 / 5, 0.95);
}

static void bbr_below_a_round_trip(void **state)
{
    (void)state;
    compare("bbr", 0.05, RTT / 5, 0.95);
    compare("bbr", 0.05, RTT * 4 / 5, 0.95);
}

/* The window of a round trip does not hold these: each is declared lost, and taken back when it comes. */
static void above_a_round_trip(void **state)
{
    (void)state;
    compare("cubic", 0.05, RTT * 6 / 5, 0.90);
    compare("newreno", 0.05, RTT * 6 / 5, 0.90);
    compare("bbr", 0.05, RTT * 6 / 5, 0.90);
}

static void half_of_all_are_late(void **state)
{
    (void)state;
    compare("cubic", 0.5, RTT / 5, 0.90);
    compare("bbr", 0.5, RTT / 5, 0.90);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cubic_below_a_round_trip), cmocka_unit_test(newreno_below_a_round_trip),
    cmocka_unit_test(bbr_below_a_round_trip),   cmocka_unit_test(above_a_round_trip),
    cmocka_unit_test(half_of_all_are_late),
};

TERN_TEST_MAIN(tests)
