/* Flows that share a bottleneck share it fairly, and a managed queue stays short.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/flows.h"
#include "sim/kit.h"

#define NAME(test) "sim.fairness." test
#define RATE       ((uint64_t)50000000)
#define ONE_WAY    (20 * TERN_MSEC)
#define BASE_RTT   (2 * ONE_WAY)
#define BDP        ((size_t)(RATE / 8 / 25)) /* of 40 ms */
#define SEEDS      5

/* One flow (`second` NULL) or two through 50 Mbit/s, 40 ms, a queue of one BDP, for a minute. */
static struct flows_plan plan_of(const char *name, const char *first, const char *second)
{
    struct flows_plan plan;
    flows_plan_init(&plan, name, replay_first_seed());
    plan.bottleneck.rate = RATE;
    plan.bottleneck.queue = BDP;
    flows_add(&plan, first, ONE_WAY);
    if (second != NULL) {
        flows_add(&plan, second, ONE_WAY);
    }
    return plan;
}

static void run(const struct flows_plan *plan, struct flows_result *result)
{
    flows_run(plan, result);
    assert_true(result->is_done);
    print_message("%s: %.1f %% of the bottleneck, Jain's index %.4f\n", plan->name,
                  flows_share(plan, result, plan->bottleneck.rate) * 100,
                  flows_jain(result, plan->count));
    flows_print(plan, result);
}

/* Bytes summed over several seeds: where one flow is luckier in each, none may be so in all. */
static void run_seeds(struct flows_plan *plan, struct flows_result *sum)
{
    struct flows_result each;
    uint64_t first = plan->seed, count = replay_seed_count(SEEDS);
    run(plan, sum);
    for (plan->seed++; plan->seed < first + count; plan->seed++) {
        run(plan, &each);
        for (size_t i = 0; i < plan->count; i++) {
            sum->flows[i].bytes += each.flows[i].bytes;
        }
    }
    plan->seed = first;
    print_message("%s: all seeds: Jain's index %.4f\n", plan->name, flows_jain(sum, plan->count));
}

/* A figure that must hold; where it does not, how to see why. */
static void expect(const struct flows_plan *plan, bool holds, const char *what)
{
    if (!holds) {
        flows_complain(plan, what);
    }
    assert_true(holds);
}

static void expect_even(const struct flows_plan *plan, const struct flows_result *result)
{
    double ratio = (double)result->flows[0].bytes / (double)result->flows[1].bytes;
    expect(plan, ratio >= 0.4 && ratio <= 2.5, "one has more than 2.5 times the other's bytes");
}

static void expect_short_queue(const struct flows_plan *plan, const struct flows_result *result)
{
    expect(plan, result->delay_95 <= BASE_RTT * 3 / 2,
           "the 95th percentile of the queue's delay is above 1.5 round trips");
    expect(plan, flows_share(plan, result, RATE) >= 0.90, "the bottleneck is not used");
}

/* --- shares ------------------------------------------------------------------------------------- */

/* Over all 60 s, the start too. */
static void two_cubic_flows_share_alike(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("two_cubic_flows_share_alike"), "cubic", "cubic");
    struct flows_result result;
    plan.settle = 0;
    run(&plan, &result);
    expect(&plan, flows_jain(&result, 2) >= 0.95, "Jain's index is below 0.95");
    expect(&plan, flows_share(&plan, &result, RATE) >= 0.90, "the bottleneck is not used");
}

static void eight_cubic_flows_share_alike(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("eight_cubic_flows_share_alike"), "cubic", "cubic");
    struct flows_result result;
    while (plan.count < 8) {
        flows_add(&plan, "cubic", ONE_WAY);
    }
    plan.settle = 0;
    run_seeds(&plan, &result);
    expect(&plan, flows_jain(&result, 8) >= 0.90, "Jain's index is below 0.90");
}

static void cubic_is_fair_to_newreno(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("cubic_is_fair_to_newreno"), "cubic", "newreno");
    struct flows_result result;
    run(&plan, &result);
    expect_even(&plan, &result);
}

static void bbr_is_fair_to_cubic(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("bbr_is_fair_to_cubic"), "bbr", "cubic");
    struct flows_result result;
    run_seeds(&plan, &result);
    expect_even(&plan, &result);
}

static void bbr_is_fair_to_bbr(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("bbr_is_fair_to_bbr"), "bbr", "bbr");
    struct flows_result result;
    run(&plan, &result);
    expect_even(&plan, &result);
}

/* LEDBAT++ is for copies in the background: it makes way for all others ... */
static void ledbat_yields_to_cubic(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("ledbat_yields_to_cubic"), "ledbat", "cubic");
    struct flows_result result;
    run(&plan, &result);
    expect(&plan, result.flows[0].bytes * 9 <= result.flows[1].bytes, "more than 10 % of both");
    expect(&plan, flows_share(&plan, &result, RATE) >= 0.90, "the bottleneck is not used");
}

/* ... and uses what nobody else wants, but for a tenth of the time, in which its queue drains and is
 * measured. CUBIC shows what the link can carry besides headers. */
static void ledbat_alone_fills_the_link(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("ledbat_alone_fills_the_link"), "ledbat", NULL);
    struct flows_result result, cubic;
    run(&plan, &result);
    plan.flows[0].cc = "cubic";
    run(&plan, &cubic);
    expect(&plan, result.flows[0].bytes * 10 >= cubic.flows[0].bytes * 9, "less than 90 %");
}

/* With a queue of a tenth of a second for round trips of 20 and 80 ms. Loss-based controllers
 * favour the short one, BBR the long one; neither may starve the other. */
static void unequal_round_trips_starve_nobody(void **state)
{
    static const char *const names[] = {"newreno", "cubic", "bbr"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct flows_plan plan =
            plan_of(NAME("unequal_round_trips_starve_nobody"), names[i], names[i]);
        struct flows_result result;
        plan.bottleneck.queue = (size_t)(RATE / 8 / 10);
        plan.flows[0].delay = 10 * TERN_MSEC;
        plan.flows[1].delay = 40 * TERN_MSEC;
        run(&plan, &result);
        expect(&plan, flows_jain(&result, 2) >= 0.55, "one has less than a twentieth");
    }
}

/* The second comes when the first has had all for 20 s; what counts is from 40 s on. By then the
 * controllers that go by loss share alike. BBR is still on its way there, a probe every two or three
 * seconds at a time; and LEDBAT++ takes the first one's queue for a part of the path at first. */
static void latecomer_gets_its_share(void **state)
{
    static const struct {
        const char *cc;
        double least; /* of Jain's index: 0.84 is 2.5 to one, 0.7 is 5 to one, 0.6 is 10 to one */
    } rows[] = {{"newreno", 0.84}, {"cubic", 0.84}, {"bbr", 0.7}, {"ledbat", 0.6}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flows_plan plan = plan_of(NAME("latecomer_gets_its_share"), rows[i].cc, rows[i].cc);
        struct flows_result result;
        plan.flows[1].start = 20 * TERN_SEC;
        plan.settle = 40 * TERN_SEC;
        run(&plan, &result);
        expect(&plan, flows_jain(&result, 2) >= rows[i].least, "the shares are too uneven");
    }
}

/* --- queues ------------------------------------------------------------------------------------- */

/* A queue that could hold eight round trips: BBR leaves it be, all through the run. */
static void bbr_leaves_a_deep_queue_alone(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("bbr_leaves_a_deep_queue_alone"), "bbr", "bbr");
    struct flows_result result;
    plan.bottleneck.queue = 8 * BDP;
    plan.settle = 0;
    run(&plan, &result);
    expect_short_queue(&plan, &result);
}

static void codel_queue_of(const char *name, const char *cc, tern_link_ecn ecn)
{
    struct flows_plan plan = plan_of(name, cc, cc);
    struct flows_result result;
    plan.bottleneck.queue = 8 * BDP;
    plan.bottleneck.aqm = TERN_LINK_AQM_CODEL;
    plan.bottleneck.ecn = ecn;
    plan.settle = 0;
    run(&plan, &result);
    expect_short_queue(&plan, &result);
    uint64_t said =
        ecn == TERN_LINK_ECN_KEEP ? result.bottleneck.aqm_marked : result.bottleneck.aqm_dropped;
    expect(&plan, said > 0, "CoDel said nothing");
}

static void codel_with_marks_keeps_the_queue_short(void **state)
{
    (void)state;
    codel_queue_of(NAME("codel_with_marks_keeps_the_queue_short"), "cubic", TERN_LINK_ECN_KEEP);
}

static void codel_with_drops_keeps_the_queue_short(void **state)
{
    (void)state;
    codel_queue_of(NAME("codel_with_drops_keeps_the_queue_short"), "cubic", TERN_LINK_ECN_BLEACH);
}

/* The same without CoDel: that the two before can fail. */
static void nobody_manages_a_deep_queue(void **state)
{
    (void)state;
    struct flows_plan plan = plan_of(NAME("nobody_manages_a_deep_queue"), "cubic", "cubic");
    struct flows_result result;
    plan.bottleneck.queue = 8 * BDP;
    run(&plan, &result);
    expect(&plan, result.delay_95 > 2 * BASE_RTT, "the queue is short by itself");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_cubic_flows_share_alike),
    cmocka_unit_test(eight_cubic_flows_share_alike),
    cmocka_unit_test(cubic_is_fair_to_newreno),
    cmocka_unit_test(bbr_is_fair_to_cubic),
    cmocka_unit_test(bbr_is_fair_to_bbr),
    cmocka_unit_test(ledbat_yields_to_cubic),
    cmocka_unit_test(ledbat_alone_fills_the_link),
    cmocka_unit_test(unequal_round_trips_starve_nobody),
    cmocka_unit_test(latecomer_gets_its_share),
    cmocka_unit_test(bbr_leaves_a_deep_queue_alone),
    cmocka_unit_test(codel_with_marks_keeps_the_queue_short),
    cmocka_unit_test(codel_with_drops_keeps_the_queue_short),
    cmocka_unit_test(nobody_manages_a_deep_queue),
};

REPLAY_TEST_MAIN(tests)
