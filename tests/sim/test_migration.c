/* Addresses that change: by a NAT, by the client's will, by a forger. Each of the four controllers, a few
 * seeds, contents equal and invariants after every event.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>
#include <string.h>

#include "sim/kit.h"

#define SEEDS 12

typedef void (*shape_fn)(struct kit_plan *plan);
typedef void (*judge_fn)(const struct kit_plan *plan, const struct kit_result *result);

static const char *const controllers[] = {"cubic", "newreno", "bbr", "ledbat"};

static void run_seeds(const char *name, shape_fn shape, judge_fn judge)
{
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, name, seed);
        plan.cc = controllers[seed % 4];
        plan.up_bytes = plan.down_bytes = 1000000;
        plan.up.rate = plan.down.rate = 8000000;
        plan.up.queue = plan.down.queue = 40000;
        plan.client.keepalive = 500 * TERN_MSEC; /* one that only receives must say where it is */
        shape(&plan);
        kit_run(&plan, &result);
        if (!result.is_done) {
            print_message("%s: seed %d\n", name, (int)seed);
        }
        assert_true(result.is_done);
        judge(&plan, &result);
    }
}

/* --- a NAT forgets -------------------------------------------------------------------------------- */

static void shape_rebind_port(struct kit_plan *plan)
{
    plan->rebind_every = 200 * TERN_MSEC;
    plan->client.keepalive = 100 * TERN_MSEC;
}

static void shape_rebind_addr(struct kit_plan *plan)
{
    plan->rebind_every = 400 * TERN_MSEC;
    plan->rebind_host = true;
}

static void judge_followed(const struct kit_plan *plan, const struct kit_result *result)
{
    (void)plan;
    assert_true(result->server.migrations >= 2);
}

static void shape_rebind_lossy(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 4000000;
    plan->rebind_every = 1000 * TERN_MSEC;
    plan->up.loss = plan->down.loss = 0.05;
}

/* --- the client moves ----------------------------------------------------------------------------- */

static void shape_move(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 2000000;
    plan->migrate_every = 300 * TERN_MSEC;
}

static void judge_moved(const struct kit_plan *plan, const struct kit_result *result)
{
    (void)plan;
    assert_true(result->moves >= 2);
    assert_true(result->client.migrations >= 2);
    assert_int_equal(result->linked, 0); /* RFC 9000 §9.5 */
}

static void shape_move_lossy(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 4000000;
    plan->migrate_every = 700 * TERN_MSEC;
    plan->up.loss = plan->down.loss = 0.05;
}

/* The address before is gone at the moment of the move, with all that was on its way. Its system then
 * sends from any other, so that identifiers may be seen twice. */
static void shape_move_suddenly(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 2000000;
    plan->migrate_every = 500 * TERN_MSEC;
    plan->is_sudden = true;
}

static void judge_moved_suddenly(const struct kit_plan *plan, const struct kit_result *result)
{
    (void)plan;
    assert_true(result->client.migrations >= 2);
}

static void shape_move_nowhere(struct kit_plan *plan)
{
    plan->migrate_every = 300 * TERN_MSEC;
    plan->is_dead_there = true;
    plan->limit = 30 * TERN_SEC;
}

static void judge_stayed(const struct kit_plan *plan, const struct kit_result *result)
{
    (void)plan;
    assert_true(result->moves > 0);
    assert_int_equal(result->client.migrations, 0);
    assert_true(result->duration < 4 * TERN_SEC); /* nobody waited for the dead end */
}

/* --- a forger copies ------------------------------------------------------------------------------ */

static void shape_copied_once(struct kit_plan *plan)
{
    plan->copy_every = 300 * TERN_MSEC;
}

/* Every packet. */
static void shape_copied_always(struct kit_plan *plan)
{
    plan->copy_every = 1;
    plan->up_bytes = 3000000;
    plan->down_bytes = 3000000;
}

static void judge_unmoved(const struct kit_plan *plan, const struct kit_result *result)
{
    (void)plan;
    assert_true(result->server.migrations_failed + result->server.migrations > 0);
    assert_true(result->to_forger < 300000);
    assert_true(result->duration < 15 * TERN_SEC);
    assert_int_equal(result->client.migrations, 0);
}

#define MIGRATION(shape, judge)                                                                    \
    static void shape(void **state)                                                                \
    {                                                                                              \
        (void)state;                                                                               \
        run_seeds("sim.migration." #shape, shape_##shape, judge);                                  \
    }

MIGRATION(rebind_port, judge_followed)
MIGRATION(rebind_addr, judge_followed)
MIGRATION(rebind_lossy, judge_followed)
MIGRATION(move, judge_moved)
MIGRATION(move_lossy, judge_moved)
MIGRATION(move_suddenly, judge_moved_suddenly)
MIGRATION(move_nowhere, judge_stayed)
MIGRATION(copied_once, judge_unmoved)
MIGRATION(copied_always, judge_unmoved)

/* --- rebound while idle --------------------------------------------------------------------------- */

static tern_conn *take_conn(tern_endpoint *endpoint, tern_conn *conn)
{
    tern_event ev;
    while (tern_endpoint_poll(endpoint, &ev) == 1) {
        conn = ev.type == TERN_EVENT_CONNECTED ? ev.conn : conn;
        assert_int_not_equal(ev.type, TERN_EVENT_CLOSED);
    }
    return conn;
}

/* Nothing but keepalives; the NAT forgets; the server follows, so that its next words arrive. */
static void rebind_idle(void **state)
{
    (void)state;
    tern_sim *sim;
    tern_sim_host *a, *b;
    tern_config config;
    tern_link_config link;
    tern_conn *client, *server = NULL;
    tern_peer peer;
    tern_addr near = {.family = 4, .ip = {10, 0, 0, 1}, .port = 1000};
    tern_addr far = {.family = 4, .ip = {10, 0, 0, 2}, .port = 4433};
    tern_config_init(&config);
    tern_link_config_init(&link);
    link.delay = 20 * TERN_MSEC;
    config.keepalive = 5 * TERN_SEC;
    assert_int_equal(tern_sim_new(&sim, 5), 0);
    (void)replay_trace(&config);
    assert_int_equal(tern_sim_add_host(sim, &near, &config, &a), 0);
    config.accept = true;
    config.keepalive = 0;
    assert_int_equal(tern_sim_add_host(sim, &far, &config, &b), 0);
    assert_int_equal(tern_sim_connect(sim, a, b, &link, NULL), 0);
    tern_peer_init(&peer);
    peer.addr = far;
    assert_int_equal(
        tern_endpoint_connect(tern_sim_host_endpoint(a), &peer, &client, tern_sim_now(sim)), 0);
    for (int i = 0; i < 10; i++) {
        tern_time until = tern_sim_now(sim) + 20 * TERN_SEC;
        while (tern_sim_step(sim, until) == 1) {
            (void)take_conn(tern_sim_host_endpoint(a), client);
            server = take_conn(tern_sim_host_endpoint(b), server);
        }
        tern_addr seen = tern_conn_remote(server), at = tern_sim_host_addr(a);
        assert_true(tern_addr_equal(&seen, &at));
        at.port++;
        assert_int_equal(tern_sim_rebind(sim, a, &at), 0);
    }
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(server, &stats);
    assert_int_equal(stats.migrations, 9);
    tern_sim_free(sim);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rebind_port),  cmocka_unit_test(rebind_addr), cmocka_unit_test(rebind_lossy),
    cmocka_unit_test(move),         cmocka_unit_test(move_lossy),  cmocka_unit_test(move_suddenly),
    cmocka_unit_test(move_nowhere), cmocka_unit_test(copied_once), cmocka_unit_test(copied_always),
    cmocka_unit_test(rebind_idle),
};

REPLAY_TEST_MAIN(tests)
