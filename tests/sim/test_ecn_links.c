/* ECN over links that keep, wipe, change or drop the marks, and over one that marks instead of
 * dropping: RFC 9000 §13.4.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>

#include "sim/kit.h"

#define RATE ((uint64_t)50000000)
#define SIZE ((uint64_t)20000000)

static double goodput(const char *cc, const tern_link_config *change, struct kit_result *result)
{
    struct kit_plan plan;
    kit_plan_init(&plan, "sim.ecn_links", replay_first_seed());
    plan.cc = cc;
    plan.up.delay = plan.down.delay = 20 * TERN_MSEC;
    plan.up.rate = plan.down.rate = RATE;
    plan.up.queue = plan.down.queue = 500000;
    plan.up.ecn = change->ecn;
    plan.up.ecn_mark = change->ecn_mark;
    plan.up_bytes = SIZE;
    plan.down_bytes = 0;
    plan.check = false;
    kit_run(&plan, result);
    assert_true(result->is_done);
    return kit_share(result, SIZE, RATE);
}

/* The state that the client ends in, and at least 95 % of what the plain link carries. */
static void expect(tern_link_ecn ecn, double mark, const char *state)
{
    const char *const names[] = {"newreno", "cubic", "bbr"};
    for (size_t i = 0; i < 3; i++) {
        struct kit_result result;
        tern_link_config plain = {.ecn = TERN_LINK_ECN_BLEACH};
        tern_link_config link = {.ecn = ecn, .ecn_mark = mark};
        double without = goodput(names[i], &plain, &result);
        double with = goodput(names[i], &link, &result);
        print_message("%s: %s, %.1f %% of %.1f %%, %llu marked\n", names[i], result.client.ecn,
                      with * 100, without * 100, (unsigned long long)result.client.packets_marked);
        assert_string_equal(result.client.ecn, state);
        assert_true(with >= 0.95 * without);
    }
}

static void marks_are_kept(void **state)
{
    (void)state;
    expect(TERN_LINK_ECN_KEEP, 0, "capable");
}

static void marks_are_wiped(void **state)
{
    (void)state;
    expect(TERN_LINK_ECN_BLEACH, 0, "failed");
}

static void marks_are_changed(void **state)
{
    (void)state;
    expect(TERN_LINK_ECN_REMARK, 0, "failed");
}

static void marked_packets_are_dropped(void **state)
{
    (void)state;
    expect(TERN_LINK_ECN_DROP, 0, "failed");
}

static void everything_is_marked(void **state)
{
    (void)state;
    expect(TERN_LINK_ECN_KEEP, 1, "failed");
}

/* Marks slow a flow down as losses would, without one. */
static void marks_reduce_the_window(void **state)
{
    const char *const names[] = {"newreno", "cubic"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit_result result;
        tern_link_config link = {.ecn_mark = 0.01};
        double share = goodput(names[i], &link, &result);
        print_message("%s: %.1f %%, %llu marked, %llu lost\n", names[i], share * 100,
                      (unsigned long long)result.client.packets_marked,
                      (unsigned long long)result.client.packets_lost);
        assert_string_equal(result.client.ecn, "capable");
        assert_true(result.client.packets_marked > 50);
        assert_int_equal(result.client.packets_lost, 0);
        assert_true(share < 0.5); /* about 12 datagrams a round trip of 172 */
    }
}

/* RFC 9000 §13.4.2.1: an ACK that was overtaken reports less than the one before, and that is no fault. */
static void acks_out_of_order_fail_nothing(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, "sim.ecn_links", replay_first_seed());
        plan.cc = names[i];
        plan.up.rate = RATE;
        plan.up.queue = 500000;
        plan.down.reorder = 0.3;
        plan.down.reorder_delay = 5 * TERN_MSEC;
        plan.up_bytes = SIZE;
        plan.down_bytes = 0;
        kit_run(&plan, &result);
        assert_true(result.is_done);
        assert_true(result.down.reordered > 100);
        assert_string_equal(result.client.ecn, "capable");
        assert_int_equal(result.client.packets_marked, 0);
    }
}

/* RFC 9000 §13.4.2: each new address of the client is tested anew, whatever the last one did. */
static void another_address_is_tested_again(void **state)
{
    const tern_link_ecn kinds[] = {TERN_LINK_ECN_KEEP, TERN_LINK_ECN_BLEACH};
    const char *const ends[] = {"capable", "failed"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, "sim.ecn_links", replay_first_seed());
        plan.down.rate = RATE;
        plan.down.queue = 500000;
        plan.down.ecn = kinds[i % 2];
        plan.up_bytes = 0;
        plan.client.keepalive =
            50 * TERN_MSEC; /* the server learns of a new address from what comes */
        plan.down_bytes = SIZE;
        plan.rebind_every = 700 * TERN_MSEC;
        plan.rebind_host = i < 2;
        kit_run(&plan, &result);
        print_message("%s after %.1f s\n", result.server.ecn, (double)result.duration / TERN_SEC);
        assert_true(result.is_done);
        assert_string_equal(result.server.ecn, ends[i % 2]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(acks_out_of_order_fail_nothing),
    cmocka_unit_test(another_address_is_tested_again),
    cmocka_unit_test(marks_are_kept),
    cmocka_unit_test(marks_are_wiped),
    cmocka_unit_test(marks_are_changed),
    cmocka_unit_test(marked_packets_are_dropped),
    cmocka_unit_test(everything_is_marked),
    cmocka_unit_test(marks_reduce_the_window),
};

REPLAY_TEST_MAIN(tests)
