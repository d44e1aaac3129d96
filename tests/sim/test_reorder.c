/* Packets that are late but not lost: RFC 9002 section 6.1, RFC 8985 section 6.2, RFC 4015. What
 * reordering may cost, measured against the same link in order, for delays below, near and above a round
 * trip.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/kit.h"

#define RTT  (50 * TERN_MSEC)
#define RATE ((uint64_t)50000000)
#define BDP  ((size_t)312500)

static size_t queue = 2 * BDP;
static uint64_t size = 60000000;

static double goodput(const char *cc, double share, tern_time late, struct kit_result *result)
{
    struct kit_plan plan;
    kit_plan_init(&plan, "sim.reorder", replay_first_seed());
    plan.cc = cc;
    plan.up.delay = plan.down.delay = RTT / 2;
    plan.up.rate = plan.down.rate = RATE;
    plan.up.queue = plan.down.queue = 2 * BDP;
    plan.up.reorder = share;
    plan.up.reorder_delay = late;
    plan.up_bytes = size;
    plan.down_bytes = 0;
    plan.check = false;
    plan.up.queue = queue;
    kit_run(&plan, result);
    assert_true(result->is_done);
    return kit_share(result, size, RATE);
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

/* No queue overflows: every loss that was declared turns out to be late, every reduction is taken back,
 * and next to nothing is lost in time. */
static void nothing_is_lost_above_a_round_trip(void **state)
{
    const char *const names[] = {"cubic", "newreno", "bbr"};
    (void)state;
    queue = 64 * BDP;
    size = 100000000;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct kit_result result;
        compare(names[i], 0.05, RTT * 6 / 5, 0.95);
        (void)goodput(names[i], 0.05, RTT * 6 / 5, &result);
        assert_true(result.client.packets_lost > 0);
        assert_int_equal(result.client.packets_lost, result.client.packets_spurious);
    }
    queue = 2 * BDP;
    size = 60000000;
}

static void half_of_all_are_late(void **state)
{
    (void)state;
    compare("cubic", 0.5, RTT / 5, 0.90);
    compare("bbr", 0.5, RTT / 5, 0.90);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cubic_below_a_round_trip),
    cmocka_unit_test(newreno_below_a_round_trip),
    cmocka_unit_test(bbr_below_a_round_trip),
    cmocka_unit_test(above_a_round_trip),
    cmocka_unit_test(half_of_all_are_late),
    cmocka_unit_test(nothing_is_lost_above_a_round_trip),
};

REPLAY_TEST_MAIN(tests)
