/* Birth and death of a connection: with every allocation failing in turn, and with a peer that promises
 * the moon.
 * SPDX-License-Identifier: MIT */
#include "one_ck.h"

/* Memory may end anywhere. */
static void a_client_is_born_whole_or_not_at_all(void **state)
{
    (void)state;
    int rc = TERN_ERR_NOMEM;
    uint64_t n = 1;
    for (; rc != 0 && n < 100; n++) {
        ck_init(&k);
        k.side[CK_CLIENT].heap.fail_at = n;
        rc = ck_connect(&k);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        assert_int_equal(k.side[CK_CLIENT].conn != NULL, rc == 0);
        assert_int_equal(ck_clear(&k), 0);
    }
    assert_in_range(n, 4, 99); /* it was more than one allocation, and an end was reached */
}

static void a_server_is_born_whole_or_not_at_all(void **state)
{
    (void)state;
    static struct ck_flight first;
    int rc = TERN_ERR_NOMEM;
    uint64_t n = 1;
    for (; rc != 0 && n < 100; n++) {
        ck_init(&k);
        assert_int_equal(ck_connect(&k), 0);
        ck_take(&k, CK_CLIENT, &first);
        k.side[CK_SERVER].heap.fail_at = n;
        rc = ck_accept(&k, first.data[0], first.len[0]);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        assert_int_equal(k.side[CK_SERVER].conn != NULL, rc == 0);
        assert_int_equal(ck_clear(&k), 0);
    }
    assert_in_range(n, 4, 99);
}

/* A handshake and a little data in which memory ends at the n-th call of one side after birth.
 * Returns whether all went well all the same. */
static bool runs_with(int side, uint64_t n)
{
    tern_stream *stream = NULL;
    ck_init(&k);
    assert_int_equal(ck_connect(&k), 0);
    (void)ck_carry(&k, CK_CLIENT);
    struct kit_heap *heap = &k.side[side].heap;
    heap->fail_at = heap->calls + n;
    client = k.side[CK_CLIENT].conn;
    server = k.side[CK_SERVER].conn;
    int rc = tern_conn_open_stream(client, TERN_STREAM_BIDI, &stream);
    if (rc == 0) {
        rc = tern_streams_write(&client->streams, stream, "hello", 5, TERN_FIN) == 5 ? 0 : -1;
    }
    for (unsigned i = 0; i < 40; i++) {
        (void)ck_carry(&k, CK_SERVER);
        (void)ck_carry(&k, CK_CLIENT);
        k.now += 100 * TERN_MSEC;
        tern_conn_tick(client, k.now);
        tern_conn_tick(server, k.now);
    }
    bool is_whole = rc == 0 && client->life.state == TERN_LIFE_ESTABLISHED &&
                    server->life.state == TERN_LIFE_ESTABLISHED &&
                    server->streams.bytes_received == 5;
    const struct tern_conn *hurt = k.side[side].conn;
    if (!is_whole && tern_life_is_over(&hurt->life)) {
        assert_true(hurt->life.error == TERN_ERR_NOMEM || hurt->life.by == TERN_CLOSED_PEER ||
                    hurt->life.by == TERN_CLOSED_TIMEOUT);
    }
    assert_int_equal(ck_clear(&k), 0);
    return is_whole;
}

static void memory_may_end_at_any_call(void **state)
{
    (void)state;
    for (int side = CK_CLIENT; side <= CK_SERVER; side++) {
        uint64_t n = 1;
        while (n < 300 && !runs_with(side, n)) {
            n++;
        }
        assert_in_range(n, 3, 299);
    }
}

static void an_unknown_controller_is_refused(void **state)
{
    (void)state;
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = k.side[CK_SERVER].addr;
    peer.cc = "hope";
    assert_int_equal(
        tern_conn_new_client(&k.side[CK_CLIENT].conn, &k.side[CK_CLIENT].env, &peer, k.now),
        TERN_ERR_INVALID);
    assert_null(k.side[CK_CLIENT].conn);
    assert_int_equal(k.side[CK_CLIENT].heap.blocks, 0);
}

/* The largest values that a parameter can say. */
static void boundless_promises_bind_nothing(void **state)
{
    (void)state;
    one_ready();
    const uint64_t top = (UINT64_C(1) << 62) - 1;
    struct tern_params params;
    tern_params_init(&params);
    params.max_idle_timeout = top;
    params.max_ack_delay = (1u << 14) - 1;
    params.ack_delay_exponent = 20;
    params.active_connection_id_limit = top;
    params.max_udp_payload_size = top;
    params.initial_max_data = top;
    client->idle_timeout = 0;
    assert_int_equal(tern_conn_on_params(client, &params), 0);
    assert_true(client->idle_timeout > 1000 * 3600 * TERN_SEC);
    assert_int_equal(tern_conn_deadline(client, k.now) > k.now, true);
    client->idle_timeout = 30 * TERN_SEC;
    assert_int_equal(tern_conn_on_params(client, &params), 0);
    assert_int_equal(client->idle_timeout, 30 * TERN_SEC);
    assert_int_equal(tern_cids_fill(&client->cids, client->env->random), 0);
    assert_int_equal(client->cids.next_sequence, TERN_CIDS_LIMIT);
    assert_in_range(tern_conn_pto(client, TERN_LEVEL_APP), 16 * TERN_SEC, 18 * TERN_SEC);
    assert_true(tern_conn_pto(client, TERN_LEVEL_HANDSHAKE) < TERN_SEC);
    params.max_idle_timeout = 1;
    assert_int_equal(tern_conn_on_params(client, &params), 0);
    assert_int_equal(client->idle_timeout, TERN_MSEC);
}

static void each_end_says_what_is_its_to_say(void **state)
{
    (void)state;
    struct tern_params params;
    assert_int_equal(ck_connect(&k), 0);
    (void)ck_carry(&k, CK_CLIENT);
    client = k.side[CK_CLIENT].conn;
    server = k.side[CK_SERVER].conn;
    tern_conn_local_params(client, &params);
    assert_false(params.has_original_dcid);
    assert_false(params.has_stateless_reset_token);
    assert_true(tern_cid_equal(&params.initial_scid, &client->cids.local[0].cid));
    assert_int_equal(params.max_idle_timeout, 30000);
    assert_int_equal(params.active_connection_id_limit, TERN_CIDS_LIMIT);
    assert_int_equal(params.max_ack_delay, 25); /* RFC 9000 §13.2.1: what is said is what is kept */
    assert_int_equal(client->spaces[TERN_LEVEL_APP].acks.max_delay, 25 * TERN_MSEC);
    assert_int_equal(client->spaces[TERN_LEVEL_INITIAL].acks.max_delay, 0);
    assert_int_equal(client->spaces[TERN_LEVEL_HANDSHAKE].acks.max_delay, 0);
    tern_conn_local_params(server, &params);
    assert_true(params.has_original_dcid);
    assert_true(params.has_stateless_reset_token);
    assert_true(tern_cid_equal(&params.original_dcid, &client->handshake->original_dcid));
}

/* RFC 9002 §6.4: what leaves with a level leaves flight, once. */
static void a_discarded_level_leaves_flight(void **state)
{
    (void)state;
    assert_int_equal(ck_connect(&k), 0);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    client = k.side[CK_CLIENT].conn;
    client->pto_count = 5;
    assert_int_equal(client->path.cc.bytes_in_flight, 1200);
    tern_conn_discard_level(client, TERN_LEVEL_INITIAL);
    assert_int_equal(client->path.cc.bytes_in_flight, 0);
    assert_int_equal(client->pto_count, 0);
    client->path.cc.bytes_in_flight = 77;
    client->pto_count = 3;
    tern_conn_discard_level(client, TERN_LEVEL_INITIAL);
    assert_int_equal(client->path.cc.bytes_in_flight, 77);
    assert_int_equal(client->pto_count, 3);
}

static void the_flight_is_what_the_levels_say(void **state)
{
    (void)state;
    one_ready();
    for (int i = 0; i < 2; i++) {
        const struct tern_conn *conn = k.side[i].conn;
        assert_true(conn->spaces[TERN_LEVEL_INITIAL].is_discarded);
        assert_true(conn->spaces[TERN_LEVEL_HANDSHAKE].is_discarded);
        assert_int_equal(conn->path.cc.bytes_in_flight,
                         conn->spaces[TERN_LEVEL_APP].loss.sent.bytes_in_flight);
        assert_null(conn->handshake);
        assert_false(conn->cids.original_is_routed);
    }
}

static void an_error_ends_it_once(void **state)
{
    (void)state;
    one_ready();
    tern_conn_fail(server, TERN_ERR_FINAL_SIZE, 8, "first", k.now);
    tern_conn_fail(server, TERN_ERR_PROTOCOL, 9, "second", k.now);
    assert_int_equal(server->life.code, 6);
    assert_int_equal(server->life.frame_type, 8);
    assert_int_equal(ck_poll(&k, CK_SERVER, TERN_EVENT_CLOSED), 1);
    assert_int_equal(ck_carry(&k, CK_SERVER), 1);
    assert_int_equal(client->life.state, TERN_LIFE_DRAINING);
    assert_int_equal(client->life.error, TERN_ERR_FINAL_SIZE);
    assert_memory_equal(client->life.reason, "first", 5);
}

/* Calls on what is over say so and change nothing. */
static void the_dead_do_not_open_streams(void **state)
{
    (void)state;
    tern_stream *stream;
    one_ready();
    assert_int_equal(tern_conn_open_stream(client, (tern_stream_kind)7, &stream), TERN_ERR_INVALID);
    tern_conn_close(client, UINT64_MAX, NULL);
    assert_int_equal(client->life.code, (UINT64_C(1) << 62) - 1); /* what a frame can say */
    tern_conn_close(client, 5, NULL);
    assert_int_equal(client->life.code, (UINT64_C(1) << 62) - 1);
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_BIDI, &stream), TERN_ERR_CLOSED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_client_is_born_whole_or_not_at_all),
    cmocka_unit_test(a_server_is_born_whole_or_not_at_all),
    cmocka_unit_test(memory_may_end_at_any_call),
    cmocka_unit_test_setup_teardown(an_unknown_controller_is_refused, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(boundless_promises_bind_nothing, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(each_end_says_what_is_its_to_say, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_discarded_level_leaves_flight, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(the_flight_is_what_the_levels_say, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(an_error_ends_it_once, one_setup, one_teardown),
    cmocka_unit_test_setup_teardown(the_dead_do_not_open_streams, one_setup, one_teardown),
};

TERN_TEST_MAIN(tests)
