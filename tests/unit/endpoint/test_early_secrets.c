/* Secrets of early packets for a key log: each direction's once for each attempt, before the first packet that it
 * seals or opens, and the same at both ends. [P §4.8], [P §4.10]
 * SPDX-License-Identifier: MIT */
#include "half_kit.h"
#include "unit/ear_kit.h"
#include "wire/header.h"

enum { CLIENTS = true, SERVERS = false };

static int setup(void **state)
{
    (void)early_setup(state);
    for (int i = 0; i < 2; i++) {
        the_pair.side[i].config.trace = (tern_trace_sink){ear_listen, &ears[i]};
        the_pair.side[i].config.key_log = true;
    }
    return 0;
}

/* What was told on the first visit is not this test's. */
static void forget(void)
{
    memset(ears, 0, sizeof ears);
}

static unsigned told_early(int side, bool is_clients)
{
    return ear_told(side, TERN_PACKET_ZERO_RTT, 0, is_clients);
}

static void an_early_answer_has_a_secret_of_its_own(void **state)
{
    (void)state;
    half_begin(5000); /* some packets */
    forget();
    early_come("what time is it?");
    pair_exchange(p);
    half_assert_answered();
    for (int side = 0; side < 2; side++) {
        assert_int_equal(told_early(side, CLIENTS), 1);
        assert_int_equal(told_early(side, SERVERS), 1);
        assert_true(ears[side].packets[TERN_PACKET_ZERO_RTT] > 3);
        assert_int_equal(ears[side].count, 8); /* two of each level */
        assert_int_equal(ears[side].too_late, 0);
    }
    for (unsigned i = 0; i < ears[0].count; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_memory_not_equal(ears[0].secrets[i].secret, ears[0].secrets[j].secret,
                                    TERN_SECRET_SIZE);
        }
    }
}

/* The application answers later; the acknowledgement does not wait for it. */
static void an_early_acknowledgement_is_sealed_like_an_answer(void **state)
{
    (void)state;
    half_begin(40);
    half.is_early = false;
    forget();
    early_come("what time is it?");
    pair_exchange(p);
    half_assert_answered();
    for (int side = 0; side < 2; side++) {
        assert_int_equal(told_early(side, CLIENTS), 1);
        assert_int_equal(told_early(side, SERVERS), 1);
        assert_int_equal(ears[side].too_late, 0);
    }
}

/* With a secret there are no early answers: a server opens early packets and has no keys for others. */
static void a_server_that_may_not_answer_tells_one(void **state)
{
    static const uint8_t secret[TERN_SECRET_SIZE] = {4, 2};
    tern_peer peer;
    (void)state;
    server->config.secret = secret;
    memset(&half, 0, sizeof half);
    half.answer = 10;
    pair_open(p);
    for (int visit = 0; visit < 2; visit++) {
        forget();
        early_peer(&peer);
        peer.secret = secret;
        assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
        assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
        assert_int_equal(tern_stream_set_early(client->stream), 0);
        assert_int_equal(tern_stream_write(client->stream, "x", 1, TERN_FIN), 1);
        pair_exchange(p);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(told_early(side, CLIENTS), visit);
            assert_int_equal(told_early(side, SERVERS), 0);
            assert_int_equal(ears[side].too_late, 0);
        }
        tern_conn_close(client->conn, 0, NULL);
        pair_advance(p, TERN_SEC);
    }
}

static void what_a_server_refuses_it_cannot_tell(void **state)
{
    (void)state;
    half_begin(40);
    tern_endpoint_free(server->endpoint); /* and with it the key of the ticket */
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
    forget();
    early_come("what time is it?");
    pair_exchange(p);
    half_assert_answered();
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_REFUSED);
    assert_int_equal(told_early(PAIR_CLIENT, CLIENTS), 1);
    assert_int_equal(told_early(PAIR_SERVER, CLIENTS), 0);
    assert_int_equal(ears[PAIR_SERVER].packets[TERN_PACKET_ZERO_RTT], 0);
    assert_int_equal(ears[PAIR_CLIENT].count, 7);
    assert_int_equal(ears[PAIR_SERVER].count, 6);
}

/* A Retry: other Initial keys, and other early ones. The server has seen nothing of the first attempt. */
static void a_retry_has_secrets_of_its_own(void **state)
{
    unsigned count;
    (void)state;
    half_begin(40);
    server->endpoint->config.retry_half_open = 0;
    forget();
    early_come("what time is it?");
    pair_exchange(p);
    half_assert_answered();
    assert_true(pair_counters(server).retries > 0);
    assert_int_equal(ear_told(PAIR_CLIENT, TERN_PACKET_INITIAL, 0, CLIENTS), 2);
    assert_int_equal(ear_told(PAIR_CLIENT, TERN_PACKET_INITIAL, 0, SERVERS), 2);
    assert_int_equal(told_early(PAIR_CLIENT, CLIENTS), 2);
    assert_int_equal(ear_told(PAIR_SERVER, TERN_PACKET_INITIAL, 0, CLIENTS), 1);
    assert_int_equal(told_early(PAIR_SERVER, CLIENTS), 1);
    int last = ear_last(&ears[PAIR_CLIENT], TERN_PACKET_ZERO_RTT, 0, CLIENTS, &count);
    for (int i = 0; i < last; i++) {
        assert_memory_not_equal(ears[PAIR_CLIENT].secrets[i].secret,
                                ears[PAIR_CLIENT].secrets[last].secret, TERN_SECRET_SIZE);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(an_early_answer_has_a_secret_of_its_own, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_early_acknowledgement_is_sealed_like_an_answer, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_that_may_not_answer_tells_one, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(what_a_server_refuses_it_cannot_tell, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_retry_has_secrets_of_its_own, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
