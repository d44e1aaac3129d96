/* Prague on a dual queue: a queue of a millisecond for itself, and a fair share for those in the other
 * one; and where there is no such queue, a flow like all others. RFC 9330 to 9332.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/flows.h"
#include "sim/kit.h"

static double ratio_of(const struct flows_result *result)
{
    return (double)result->flows[0].bytes / (double)result->flows[1].bytes;
}

static void run(struct flows_plan *plan, tern_link_aqm aqm, uint64_t rate,
                struct flows_result *result)
{
    plan->bottleneck.aqm = aqm;
    plan->bottleneck.rate = rate;
    plan->bottleneck.queue = aqm == TERN_LINK_AQM_DUALQ ? 500000 : (size_t)(rate / 200);
    flows_run(plan, result);
    assert_true(result->is_done);
    print_message("%s: %.1f %% of %.0f Mbit/s, ECT(1) queue: median %.2f ms, 99 %% %.2f ms\n",
                  plan->name, flows_share(plan, result, rate) * 100, (double)rate / 1e6,
                  (double)result->low_median / 1e6, (double)result->low_99 / 1e6);
    flows_print(plan, result);
}

static void alone_it_needs_a_millisecond(void **state)
{
    (void)state;
    struct flows_plan plan;
    struct flows_result result;
    flows_plan_init(&plan, "sim.l4s", replay_first_seed());
    flows_add(&plan, "prague", 10 * TERN_MSEC);
    plan.duration = 30 * TERN_SEC;
    plan.settle = 10 * TERN_SEC;
    run(&plan, TERN_LINK_AQM_DUALQ, 50000000, &result);
    assert_string_equal(result.flows[0].sender.ecn, "capable");
    assert_true(result.low_99 > 0 && result.low_99 <= 1500 * TERN_USEC);
    assert_true(flows_share(&plan, &result, 50000000) >= 0.85);
    assert_int_equal(result.flows[0].sender.packets_lost, 0);
}

/* Against CUBIC, which marks ECT(0): half to twice its share, and still a millisecond. */
static void shares_a_dual_queue_with_cubic(void **state)
{
    (void)state;
    const struct {
        uint64_t rate;
        tern_time delay; /* one way */
    } rows[] = {{50000000, 20 * TERN_MSEC},
                {50000000, 5 * TERN_MSEC},
                {100000000, 10 * TERN_MSEC},
                {20000000, 20 * TERN_MSEC}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flows_plan plan;
        struct flows_result result;
        flows_plan_init(&plan, "sim.l4s", replay_first_seed());
        flows_add(&plan, "prague", rows[i].delay);
        flows_add(&plan, "cubic", rows[i].delay);
        plan.duration = 80 * TERN_SEC;
        plan.settle = 20 * TERN_SEC;
        run(&plan, TERN_LINK_AQM_DUALQ, rows[i].rate, &result);
        print_message("prague to cubic %.2f\n", ratio_of(&result));
        assert_true(ratio_of(&result) >= 0.5 && ratio_of(&result) <= 2);
        assert_true(result.low_99 <= (rows[i].rate < 50000000 ? 2 : 1) * TERN_MSEC);
        assert_true(flows_share(&plan, &result, rows[i].rate) >= 0.9);
    }
}

static void two_of_them_share_alike(void **state)
{
    (void)state;
    struct flows_plan plan;
    struct flows_result result;
    flows_plan_init(&plan, "sim.l4s", replay_first_seed());
    flows_add(&plan, "prague", 10 * TERN_MSEC);
    flows_add(&plan, "prague", 10 * TERN_MSEC)->start = 5 * TERN_SEC;
    plan.duration = 40 * TERN_SEC;
    plan.settle = 20 * TERN_SEC;
    run(&plan, TERN_LINK_AQM_DUALQ, 50000000, &result);
    assert_true(flows_jain(&result, 2) >= 0.95);
    assert_true(result.low_99 <= 2 * TERN_MSEC);
}

/* RFC 9331 §4.3: in a queue that it shares with CUBIC, one that marks or one that does not, it must not
 * take all. */
static void shares_a_single_queue_with_cubic(void **state)
{
    (void)state;
    const tern_link_aqm aqms[] = {TERN_LINK_AQM_CODEL, TERN_LINK_AQM_NONE};
    for (size_t i = 0; i < 2; i++) {
        struct flows_plan plan;
        struct flows_result result;
        flows_plan_init(&plan, "sim.l4s", replay_first_seed());
        flows_add(&plan, "prague", 20 * TERN_MSEC);
        flows_add(&plan, "cubic", 20 * TERN_MSEC);
        run(&plan, aqms[i], 50000000, &result);
        print_message("prague to cubic %.2f\n", ratio_of(&result));
        assert_true(ratio_of(&result) >= 0.4 && ratio_of(&result) <= 2);
    }
}

/* Where marks do not come through it fills the path all the same. */
static void does_without_marks(void **state)
{
    (void)state;
    const struct {
        tern_link_ecn ecn;
        const char *state;
    } rows[] = {{TERN_LINK_ECN_KEEP, "capable"},
                {TERN_LINK_ECN_REMARK, "capable"}, /* it is ECT(0) that they change */
                {TERN_LINK_ECN_BLEACH, "failed"},
                {TERN_LINK_ECN_DROP, "failed"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, "sim.l4s", replay_first_seed());
        plan.cc = "prague";
        plan.up.rate = plan.down.rate = 50000000;
        plan.up.queue = plan.down.queue = 250000;
        plan.up.ecn = rows[i].ecn;
        plan.up_bytes = 20000000;
        plan.down_bytes = 0;
        kit_run(&plan, &result);
        assert_true(result.is_done);
        print_message("%s: %.1f %%\n", result.client.ecn,
                      kit_share(&result, plan.up_bytes, 50000000) * 100);
        assert_string_equal(result.client.ecn, rows[i].state);
        assert_true(kit_share(&result, plan.up_bytes, 50000000) >= 0.75);
    }
}

/* From ECT(0) to ECT(1) and back while packets with both are on their way. */
static void alternate(void *user, tern_conn *client, tern_time now)
{
    uint64_t *at = user;
    tern_stats s = {.size = sizeof s};
    tern_conn_stats(client, &s);
    (void)now;
    if (s.stream_bytes_sent >= *at + 500000) {
        *at = s.stream_bytes_sent;
        assert_int_equal(tern_conn_set_cc(client, s.cc[0] == 'p' ? "cubic" : "prague"), 0);
    }
}

static void the_kind_of_mark_may_change(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    uint64_t at = 0;
    kit_plan_init(&plan, "sim.l4s", replay_first_seed());
    plan.up.rate = plan.down.rate = 20000000;
    plan.up.aqm = TERN_LINK_AQM_DUALQ;
    plan.up.queue = 250000;
    plan.up.loss = 0.001;
    plan.up_bytes = 20000000;
    plan.watch = alternate;
    plan.user = &at;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    assert_true(result.client.packets_marked > 0);
    assert_true(result.client.ecn[0] !=
                'f'); /* neither kind was taken for a forgery of the other */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(alone_it_needs_a_millisecond),
    cmocka_unit_test(shares_a_dual_queue_with_cubic),
    cmocka_unit_test(two_of_them_share_alike),
    cmocka_unit_test(shares_a_single_queue_with_cubic),
    cmocka_unit_test(does_without_marks),
    cmocka_unit_test(the_kind_of_mark_may_change),
};

REPLAY_TEST_MAIN(tests)
