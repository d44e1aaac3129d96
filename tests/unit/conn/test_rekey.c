/* The ratchet between two connections: asked, answered, begun; lost, repeated, crossed, out of turn.
 * SPDX-License-Identifier: MIT */
#include "conn/rekey.h"

#include "conn/handle.h"
#include "one_ck.h"

#define CLIENT (k.side[CK_CLIENT].conn)
#define SERVER (k.side[CK_SERVER].conn)

static struct tern_key_phase *keys_of(struct tern_conn *conn)
{
    return conn->spaces[TERN_LEVEL_APP].keys;
}

static bool agree(void)
{
    const struct tern_key_phase *c = keys_of(CLIENT), *s = keys_of(SERVER);
    return c->phase == s->phase && memcmp(c->tx.secret, s->rx.secret, TERN_SECRET_SIZE) == 0 &&
           memcmp(c->rx.secret, s->tx.secret, TERN_SECRET_SIZE) == 0;
}

static void run(tern_time time)
{
    for (tern_time until = k.now + time; k.now < until; k.now += 50 * TERN_MSEC) {
        ck_settle(&k);
        CLIENT->wants_ping = SERVER->wants_ping = true;
    }
    ck_settle(&k);
}

static int give(struct tern_conn *conn, uint64_t number, const uint8_t key[32])
{
    struct tern_frame_rekey frame = {.number = number};
    memcpy(frame.public_key, key, 32);
    return tern_rekey_on_frame(conn, &frame, k.now);
}

static void fresh_keys_owe_nothing_to_the_old(void **state)
{
    (void)state;
    struct tern_packet_keys plain;
    assert_int_equal(tern_packet_keys_update(&plain, &keys_of(CLIENT)->tx), 0);
    assert_int_equal(tern_conn_rekey(SERVER), TERN_ERR_STATE);
    assert_int_equal(tern_conn_rekey(CLIENT), 0);
    run(TERN_SEC);
    assert_int_equal(CLIENT->rekey.count, 1);
    assert_int_equal(SERVER->rekey.count, 1);
    assert_int_equal(keys_of(CLIENT)->phase, 1);
    assert_true(agree());
    assert_memory_not_equal(keys_of(CLIENT)->tx.secret, plain.secret, TERN_SECRET_SIZE);
    assert_null(CLIENT->rekey.keys);
    assert_null(SERVER->rekey.keys);
    tern_packet_keys_clear(&plain);
}

static void many_in_turn(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 200; i++) { /* no CRYPTO stream bounds them */
        assert_int_equal(tern_conn_rekey(CLIENT), 0);
        run(400 * TERN_MSEC);
        assert_int_equal(SERVER->rekey.count, i);
        assert_true(agree());
    }
}

/* An hour, or sixteen updates. */
static void it_happens_by_itself(void **state)
{
    (void)state;
    CLIENT->idle_timeout = SERVER->idle_timeout = 0;
    k.now += 3600 * TERN_SEC;
    CLIENT->wants_ping = true;
    run(2 * TERN_SEC);
    assert_int_equal(SERVER->rekey.count, 1);
    assert_true(agree());
    keys_of(CLIENT)->update_bytes = 1;
    run(40 * TERN_SEC);
    assert_true(keys_of(SERVER)->phase >= 30);
    assert_true(SERVER->rekey.count >= 2);
    keys_of(CLIENT)->update_bytes = UINT64_MAX;
    run(2 * TERN_SEC);
    assert_true(agree());
}

static void what_is_lost_is_said_again(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_rekey(CLIENT), 0);
    assert_true(ck_lose(&k, CK_CLIENT) > 0); /* the question */
    k.now = tern_conn_deadline(CLIENT, k.now);
    tern_conn_tick(CLIENT, k.now);
    assert_true(ck_carry(&k, CK_CLIENT) > 0);
    assert_int_equal(SERVER->rekey.count, 1);
    assert_true(keys_of(SERVER)->has_mix);
    assert_true(ck_lose(&k, CK_SERVER) > 0); /* the answer */
    run(5 * TERN_SEC);
    assert_int_equal(CLIENT->rekey.count, 1);
    assert_int_equal(keys_of(SERVER)->phase, 1);
    assert_true(agree());
}

/* The server begins an update of its own while the question is on its way. */
static void an_update_may_cross_the_question(void **state)
{
    (void)state;
    assert_int_equal(tern_conn_rekey(CLIENT), 0);
    static struct ck_flight question;
    ck_take(&k, CK_CLIENT, &question);
    keys_of(SERVER)->update_bytes = 1;
    keys_of(SERVER)->sealed_bytes = 1;
    SERVER->wants_ping = true;
    (void)ck_carry(&k, CK_SERVER);
    keys_of(SERVER)->update_bytes = UINT64_MAX;
    assert_int_equal(keys_of(SERVER)->phase, 1);
    for (size_t i = 0; i < question.count; i++) {
        ck_give(&k, CK_SERVER, &question, i);
    }
    run(2 * TERN_SEC);
    assert_int_equal(CLIENT->rekey.count, 1);
    assert_int_equal(keys_of(CLIENT)->phase, 2);
    assert_true(agree());
}

static void while_it_waits_nobody_updates(void **state)
{
    (void)state;
    keys_of(CLIENT)->update_bytes = keys_of(SERVER)->update_bytes = 1;
    keys_of(CLIENT)->sealed_bytes = keys_of(SERVER)->sealed_bytes = 0;
    assert_int_equal(tern_conn_rekey(CLIENT), 0);
    assert_true(ck_carry(&k, CK_CLIENT) > 0);
    assert_int_equal(keys_of(CLIENT)->phase, 0);
    assert_true(keys_of(CLIENT)->is_frozen);
    keys_of(SERVER)->sealed_bytes = 100;
    assert_true(ck_lose(&k, CK_SERVER) > 0);
    assert_int_equal(keys_of(SERVER)->phase, 0);
    run(2 * TERN_SEC);
    assert_true(agree());
    assert_true(keys_of(CLIENT)->phase > 0);
}

static void out_of_turn_is_a_violation(void **state)
{
    (void)state;
    uint8_t secret[32] = {7}, point[32];
    tern_ratchet_public(point, secret);
    assert_int_equal(give(CLIENT, 1, point), TERN_ERR_PROTOCOL); /* nobody asked */
    assert_int_equal(give(SERVER, 2, point), TERN_ERR_PROTOCOL); /* which was the first? */
    assert_int_equal(give(SERVER, 0, point), 0);                 /* old news */
    assert_int_equal(give(SERVER, 1, point), 0);
    assert_int_equal(give(SERVER, 1, point), 0); /* said again: no second answer */
    assert_int_equal(SERVER->rekey.count, 1);
    assert_int_equal(give(SERVER, 2, point), TERN_ERR_PROTOCOL); /* the first is not in use */
}

/* RFC 7748 §6.1 */
static void a_point_of_small_order_is_refused(void **state)
{
    (void)state;
    const uint8_t zero[32] = {0};
    assert_int_equal(give(SERVER, 1, zero), TERN_ERR_PROTOCOL);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    uint8_t secret[32] = {7}, point[32];
    tern_ratchet_public(point, secret);
    k.side[CK_SERVER].heap.fail_at = k.side[CK_SERVER].heap.calls + 1;
    assert_int_equal(give(SERVER, 1, point), TERN_ERR_NOMEM);
    k.side[CK_SERVER].heap.fail_at = 0;
    assert_false(keys_of(SERVER)->has_mix);
    k.side[CK_CLIENT].heap.fail_at = k.side[CK_CLIENT].heap.calls + 1;
    CLIENT->rekey.is_wanted = true;
    assert_int_equal(tern_rekey_advance(CLIENT, k.now), TERN_ERR_NOMEM);
    k.side[CK_CLIENT].heap.fail_at = 0;
    assert_false(keys_of(CLIENT)->is_frozen);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(fresh_keys_owe_nothing_to_the_old, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(many_in_turn, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(it_happens_by_itself, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(what_is_lost_is_said_again, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(an_update_may_cross_the_question, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(while_it_waits_nobody_updates, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(out_of_turn_is_a_violation, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(a_point_of_small_order_is_refused, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(memory_may_run_out, one_setup_ready, one_teardown),
};

TERN_TEST_MAIN(tests)
