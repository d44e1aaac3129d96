/* Messages while the ground moves under them: addresses, paths and keys change, connections rest and end.
 * [P §16]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "conn/rest.h"
#include "sim/invariants.h"
#include "sim/post.h"

#define SEEDS 20

static struct post p;

static tern_conn *conn_of(int side)
{
    return p.duo.side[side].conn;
}

/* Reliable ordered ones both ways, some on channels of their own; two milliseconds for each. */
static void exchange(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, (uint32_t)(i % 5));
        size_t len = POST_LEAST + (size_t)tern_sim_random_below(p.duo.sim, 2000);
        assert_int_equal(post_send(&p, (int)(i % 2), len, &o), 0);
        post_run(&p, 2 * TERN_MSEC);
    }
}

static void open_lossy(const char *name, uint64_t seed)
{
    replay_note(name, seed);
    post_init(&p, "cubic");
    p.duo.link[0].loss = p.duo.link[1].loss = 0.02;
    post_open(&p, seed);
    post_run(&p, 300 * TERN_MSEC);
}

static void finish(size_t count)
{
    post_await(&p, count, 30 * TERN_SEC);
    post_run(&p, 2 * TERN_SEC);
    post_check_outcomes(&p);
    post_close(&p);
}

static void messages_survive_a_new_port(void **state)
{
    (void)state;
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        open_lossy("sim.message_roads.messages_survive_a_new_port", seed);
        for (uint8_t i = 1; i <= 4; i++) {
            exchange(100);
            tern_addr addr = {.family = 4, .ip = {10, 9, i, 1}, .port = (uint16_t)(2000 + i)};
            assert_int_equal(tern_sim_rebind(p.duo.sim, p.duo.side[DUO_CLIENT].host, &addr), 0);
        }
        exchange(100);
        finish(500);
    }
}

static void messages_survive_a_move(void **state)
{
    (void)state;
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        open_lossy("sim.message_roads.messages_survive_a_move", seed);
        for (uint8_t i = 1; i <= 3; i++) {
            tern_addr to = {.family = 4, .ip = {10, 7, i, 1}, .port = 1000};
            exchange(100);
            assert_int_equal(tern_sim_add_addr(p.duo.sim, p.duo.side[DUO_CLIENT].host, &to), 0);
            int rc = tern_conn_migrate(conn_of(DUO_CLIENT), &to);
            assert_true(rc == 0 || rc == TERN_ERR_LIMIT);
        }
        exchange(100);
        post_await(&p, 400, 30 * TERN_SEC);
        assert_true(post_stats(&p, DUO_CLIENT).migrations >= 1);
        finish(400);
    }
}

static void messages_survive_new_keys(void **state)
{
    (void)state;
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        open_lossy("sim.message_roads.messages_survive_new_keys", seed);
        for (int i = 0; i < 2; i++) {
            invariants_wear_keys(conn_of(i), 20000, tern_sim_now(p.duo.sim));
        }
        exchange(500);
        assert_true(post_stats(&p, DUO_CLIENT).key_phase >= 2);
        finish(500);
    }
}

/* With message state, but nothing under way, a connection rests as any other, and wakes up. */
static void a_connection_with_messages_rests(void **state)
{
    (void)state;
    post_init(&p, "cubic");
    post_open(&p, 1);
    exchange(20);
    post_await(&p, 20, TERN_SEC);
    post_run(&p, 10 * TERN_SEC);
    assert_non_null(conn_of(DUO_CLIENT)->rest);
    assert_non_null(conn_of(DUO_SERVER)->rest);
    exchange(20);
    finish(40);
}

static size_t released;

static void release(void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
    released++;
}

/* What is lent comes back, once, whether it was acknowledged or the connection has ended before. */
static void an_end_gives_back_what_was_lent(void **state)
{
    (void)state;
    static const uint8_t bytes[1000];
    for (size_t wait = 0; wait < 5; wait++) {
        post_init(&p, "cubic");
        p.duo.link[DUO_CLIENT].rate = 1000000;
        p.wants_outcome = false;
        p.is_deaf[DUO_SERVER] = true;
        post_open(&p, 1);
        released = 0;
        for (size_t i = 0; i < 300; i++) {
            tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, (uint32_t)i % 3);
            assert_int_equal(tern_conn_send_ref(conn_of(DUO_CLIENT), bytes, sizeof bytes, release,
                                                NULL, &o, tern_sim_now(p.duo.sim)),
                             0);
        }
        post_run(&p, wait * 100 * TERN_MSEC);
        assert_true(released < 300);
        tern_conn *conn = conn_of(DUO_CLIENT);
        tern_conn_close(conn, 7, "enough");
        assert_int_equal(tern_conn_send(conn, bytes, sizeof bytes, NULL, tern_sim_now(p.duo.sim)),
                         TERN_ERR_CLOSED);
        post_run(&p, 5 * TERN_SEC);
        assert_true(p.duo.side[DUO_CLIENT].is_closed && p.duo.side[DUO_SERVER].is_closed);
        assert_int_equal(released, 300);
        post_close(&p);
    }
}

/* What had come before the peer closed can be taken until CLOSED was polled. */
static uint64_t taken_at_close;

static void take_at_close(struct duo *duo, int side, const tern_event *ev)
{
    tern_message m = {.size = sizeof m};
    (void)duo;
    while (side == DUO_SERVER && ev->type == TERN_EVENT_CLOSED &&
           tern_conn_receive(ev->conn, &m) == 1) {
        taken_at_close++;
    }
}

static void what_had_come_can_be_taken_at_the_end(void **state)
{
    (void)state;
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
    post_init(&p, "cubic");
    p.duo.event = take_at_close;
    post_open(&p, 1);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(post_send(&p, DUO_CLIENT, 100, &o), 0);
    }
    post_run(&p, 100 * TERN_MSEC);
    taken_at_close = 0;
    tern_conn_close(conn_of(DUO_CLIENT), 0, NULL);
    post_run(&p, TERN_SEC);
    assert_int_equal(taken_at_close, 5);
    post_close(&p);
}

/* Before CONNECTED there is nobody to send to. */
static void nothing_is_sent_before_the_other_is_known(void **state)
{
    (void)state;
    tern_conn *conn;
    tern_peer peer;
    post_init(&p, "cubic");
    post_open(&p, 1);
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(p.duo.side[DUO_SERVER].host);
    assert_int_equal(tern_endpoint_connect(p.duo.side[DUO_CLIENT].endpoint, &peer, &conn,
                                           tern_sim_now(p.duo.sim)),
                     0);
    assert_int_equal(tern_conn_send(conn, "x", 1, NULL, tern_sim_now(p.duo.sim)), TERN_ERR_STATE);
    assert_int_equal(tern_conn_max_message(conn), 0);
    assert_int_equal(tern_conn_set_weight(conn, 0, 1), TERN_ERR_STATE);
    assert_int_equal(tern_conn_set_redundancy(conn, TERN_REDUNDANCY_FIXED, 1), 0);
    assert_int_equal(tern_conn_set_redundancy(conn, TERN_REDUNDANCY_FIXED, 9), TERN_ERR_INVALID);
    post_close(&p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(messages_survive_a_new_port),
    cmocka_unit_test(messages_survive_a_move),
    cmocka_unit_test(messages_survive_new_keys),
    cmocka_unit_test(a_connection_with_messages_rests),
    cmocka_unit_test(an_end_gives_back_what_was_lent),
    cmocka_unit_test(what_had_come_can_be_taken_at_the_end),
    cmocka_unit_test(nothing_is_sent_before_the_other_is_known),
};

REPLAY_TEST_MAIN(tests)
