/* A connection that changes its congestion controller in the middle of a transfer goes on from where it
 * is: nothing is lost by it, nothing stands still, nothing jumps.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/kit.h"

#define RATE  ((uint64_t)20000000)
#define DELAY (20 * TERN_MSEC)
#define SIZE  ((uint64_t)40000000)

static const char *const names[] = {"cubic", "bbr", "ledbat", "newreno"};
#define NAMES (sizeof names / sizeof names[0])

/* The windows around each change, and what was delivered between the changes. */
struct changes {
    uint64_t every; /* bytes between two of them */
    uint64_t at, before;
    size_t count;
    tern_time since;
    double least; /* share of the rate between two changes */
};

static tern_stats look(tern_conn *conn)
{
    tern_stats s = {.size = sizeof s};
    tern_conn_stats(conn, &s);
    return s;
}

static void change(void *user, tern_conn *client, tern_time now)
{
    struct changes *changes = user;
    tern_stats s = look(client);
    if (s.stream_bytes_sent < changes->at + changes->every) {
        return;
    }
    double seconds = (double)(now - changes->since) / 1e9;
    double share = (double)changes->every * 8 / (double)RATE / seconds;
    if (changes->count > 0 && share < changes->least) {
        changes->least = share;
    }
    const char *name = names[++changes->count % NAMES];
    assert_int_equal(tern_conn_set_cc(client, name), 0);
    assert_string_equal(look(client).cc, name);
    if (changes->every > 1000000) {
        print_message("%6.2f s: to %-8s cwnd %llu, %.1f %% since the last\n",
                      (double)(now % (3600 * TERN_SEC)) / 1e9, name, (unsigned long long)s.cwnd,
                      share * 100);
    }
    changes->at = s.stream_bytes_sent;
    changes->since = now;
}

static void a_transfer_survives_every_change(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct changes changes = {.every = 4000000, .least = 1};
    kit_plan_init(&plan, "sim.cc_change", replay_first_seed());
    plan.up.rate = plan.down.rate = RATE;
    plan.up.delay = plan.down.delay = DELAY;
    plan.up.queue = plan.down.queue = 100000;
    plan.up_bytes = SIZE;
    plan.down_bytes = 0;
    plan.watch = change;
    plan.user = &changes;
    kit_run(&plan, &result);
    assert_true(result.is_done);
    print_message("all: %.1f %% of the link, %llu lost\n", kit_share(&result, SIZE, RATE) * 100,
                  (unsigned long long)result.client.packets_lost);
    assert_true(changes.count >= 9);
    assert_true(changes.least >= 0.45);
    assert_true(kit_share(&result, SIZE, RATE) >= 0.85);
}

/* With losses of all kinds in flight, and a change every few packets. */
static void changes_under_loss_break_nothing(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < replay_seed_count(5); i++) {
        struct kit_plan plan;
        struct kit_result result;
        struct changes changes = {.every = 20000};
        kit_plan_init(&plan, "sim.cc_change", replay_first_seed() + i);
        plan.up.rate = plan.down.rate = RATE;
        plan.up.loss = plan.down.loss = 0.02;
        plan.up.reorder = 0.02;
        plan.up.queue = 30000;
        plan.up_bytes = 2000000;
        plan.watch = change;
        plan.user = &changes;
        kit_run(&plan, &result);
        assert_true(result.is_done);
        assert_true(changes.count >= 90);
    }
}

static void an_unknown_name_changes_nothing(void *user, tern_conn *client, tern_time now)
{
    (void)user;
    (void)now;
    assert_int_equal(tern_conn_set_cc(client, "vegas"), TERN_ERR_INVALID);
    assert_int_equal(tern_conn_set_cc(client, NULL), TERN_ERR_INVALID);
    assert_string_equal(look(client).cc, "cubic");
}

static void names_are_checked(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    kit_plan_init(&plan, "sim.cc_change", replay_first_seed());
    plan.watch = an_unknown_name_changes_nothing;
    kit_run(&plan, &result);
    assert_true(result.is_done);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_transfer_survives_every_change),
    cmocka_unit_test(changes_under_loss_break_nothing),
    cmocka_unit_test(names_are_checked),
};

REPLAY_TEST_MAIN(tests)
