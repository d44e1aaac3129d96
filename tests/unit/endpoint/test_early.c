/* Early data with a ticket: taken, refused without loss, and marked on every read. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "early_kit.h"

#include "conn/resume.h"

/* --- taken ----------------------------------------------------------------------------------------- */

static void early_data_arrives_with_the_first_datagram(void **state)
{
    uint8_t key[TERN_KEY_SIZE], theirs[TERN_KEY_SIZE];
    (void)state;
    pair_open(p);
    early_visit();
    early_come("hello");
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_PENDING);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    early_assert_heard("hello", true);
    assert_int_equal(heard.early_events, 1);
    assert_int_equal(heard.opened_before_connected, 1);
    assert_int_equal(server->connected, 0);
    assert_int_equal(tern_conn_early(server->conn), TERN_EARLY_ACCEPTED);
    assert_false(tern_conn_is_established(server->conn));
    tern_endpoint_public_key(client->endpoint, key);
    assert_int_equal(tern_conn_peer_key(server->conn, theirs), 0);
    assert_memory_equal(key, theirs, TERN_KEY_SIZE);
    pair_exchange(p);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
    assert_int_equal(client->connected + server->connected, 2);
    early_assert_heard("hello", true);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(client->conn, &stats);
    assert_int_equal(stats.stream_bytes_resent, 0);
    assert_int_equal(stats.packets_lost, 0);
}

/* Each visit brings a ticket for the next. */
static void tickets_follow_one_another(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    for (int i = 0; i < 4; i++) {
        heard.read_len = 0;
        early_come("again");
        pair_advance(p, 2 * TERN_SEC);
        assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
        early_assert_heard("again", true);
        tern_conn_close(client->conn, 0, NULL);
        pair_advance(p, 5 * TERN_SEC);
    }
}

static void streams_that_did_not_ask_wait(void **state)
{
    tern_stream *late;
    (void)state;
    pair_open(p);
    early_visit();
    early_come("early");
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &late), 0);
    assert_int_equal(tern_stream_write(late, "late!", 5, TERN_FIN), 5);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    early_assert_heard("early", true);
    pair_exchange(p);
    assert_int_equal(heard.read_len, 10);
    assert_memory_equal(heard.read + 5, "late!", 5);
    assert_false(heard.was_early[5]);
}

/* What is written later to the same stream is no longer early, and no read has both. */
static void a_read_is_early_or_not(void **state)
{
    tern_peer peer;
    (void)state;
    pair_open(p);
    early_visit();
    early_peer(&peer);
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
    assert_int_equal(tern_stream_write(client->stream, "0123456789", 10, 0), 10);
    assert_int_equal(tern_stream_set_early(client->stream), 0); /* after the write is as good */
    (void)pair_carry(p, PAIR_CLIENT); /* the server's application does not read yet */
    (void)pair_carry(p, PAIR_SERVER);
    assert_int_equal(tern_stream_write(client->stream, "abcdef", 6, TERN_FIN), 6);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    assert_int_equal(heard.read_len, 16);
    assert_memory_equal(heard.read, "0123456789abcdef", 16);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(heard.was_early[i], i < 10);
    }
}

/* More than a datagram's worth, within the window of last time. */
static void much_early_data_is_taken(void **state)
{
    static char text[4001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    pair_open(p);
    early_visit();
    early_come(text);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    early_assert_heard(text, true);
}

static bool lose_early(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)pair;
    (void)len;
    return from == PAIR_SERVER || (data[0] & 0xb0) != 0x90; /* packets that stand alone */
}

/* Early packets that are lost are sent again at 1-RTT like any others. */
static void lost_early_data_is_repaired(void **state)
{
    static char text[4001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    pair_open(p);
    early_visit();
    p->wire = lose_early;
    early_come(text);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
    assert_int_equal(heard.read_len, 4000);
    assert_memory_equal(heard.read, text, 4000);
}

/* A Retry makes the client begin again, early data included, and nothing arrives twice. */
static void a_retry_repeats_early_data(void **state)
{
    static char text[3001];
    (void)state;
    memset(text, 'z', sizeof text - 1);
    pair_open(p);
    early_visit();
    server->endpoint->config.retry_half_open = 0;
    early_come(text);
    pair_advance(p, 3 * TERN_SEC);
    assert_true(pair_counters(server).retries > 0);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
    assert_int_equal(client->connected + server->connected, 2);
    assert_int_equal(heard.read_len, 3000);
    assert_memory_equal(heard.read, text, 3000);
    assert_true(heard.was_early[0]);
}

/* A client may give up what it has begun. */
static void an_early_stream_can_be_reset(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    early_come("hello");
    assert_int_equal(tern_stream_reset(client->stream, 7), 0);
    pair_advance(p, 2 * TERN_SEC);
    assert_int_equal(client->connected + server->connected, 2);
    assert_int_equal(client->closed + server_closed, 0);
}

/* --- refused, and sent again ------------------------------------------------------------------------ */

static void expect_refusal(const char *text)
{
    early_come(text);
    pair_advance(p, 3 * TERN_SEC);
    assert_int_equal(client->closed, 0);
    assert_int_equal(client->connected + server->connected, 2);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_REFUSED);
    assert_int_equal(heard.early_events, 0);
    early_assert_heard(text, false);
}

static void reopen_server(void)
{
    tern_endpoint_free(server->endpoint);
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
}

static void a_server_that_does_not_want_it_refuses(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    server->config.early_data = false;
    reopen_server();
    expect_refusal("hello");
}

static void a_server_that_started_anew_refuses(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    reopen_server();
    expect_refusal("hello");
}

/* The round trips are those of a connection without a ticket. */
static void a_refusal_costs_no_round_trip(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    reopen_server();
    early_come("hello");
    tern_time start = p->now;
    (void)pair_carry(p, PAIR_CLIENT);
    (void)pair_carry(p, PAIR_SERVER);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    early_assert_heard("hello", false);
    assert_int_equal(p->now - start, 3 * PAIR_HOP);
}

static void a_wrong_age_is_refused(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    ticket_at -= 15 * TERN_SEC;
    expect_refusal("hello");
}

static void an_old_ticket_is_left_aside(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    p->now += 24 * 3600 * TERN_SEC;
    expect_refusal("hello");
}

static void a_ticket_lives_through_one_change_of_key(void **state)
{
    (void)state;
    pair_open(p);
    p->now += 20 * 3600 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    early_visit();
    p->now += 23 * 3600 * TERN_SEC;
    early_come("hello");
    pair_exchange(p);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
}

/* Limits that are smaller than the ticket says: refused, and the new ones hold. */
static void limits_that_shrank_refuse(void **state)
{
    static char text[3001];
    (void)state;
    memset(text, 'y', sizeof text - 1);
    pair_open(p);
    early_visit();
    reopen_server();
    tern_endpoint *fresh = server->endpoint;
    (void)fresh;
    server->endpoint->config.stream_window = 1000;
    server->endpoint->config.conn_window = 1500;
    expect_refusal(text);
}

/* The same with the server that gave the ticket, which could open it. */
static void limits_that_shrank_under_a_good_ticket_refuse(void **state)
{
    static char text[3001];
    (void)state;
    memset(text, 'y', sizeof text - 1);
    pair_open(p);
    early_visit();
    server->endpoint->config.stream_window = 1000;
    expect_refusal(text);
}

static void another_suite_refuses(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    server->endpoint->env.suites = tern_suites_available(NULL) == TERN_SUITE_CHACHA20_POLY1305
                                       ? 0
                                       : TERN_SUITE_CHACHA20_POLY1305;
    if (server->endpoint->env.suites == 0) {
        skip_because("there is only one cipher");
    }
    expect_refusal("hello");
}

static int refuse_all(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    unsigned *asked = user;
    (void)conn;
    (void)key;
    return ++*asked == 1 ? TERN_ERR_REFUSED : 0; /* only the early question */
}

/* Whose key was struck off the list since may not speak early. */
static void the_application_is_asked_first(void **state)
{
    unsigned asked = 0;
    (void)state;
    pair_open(p);
    early_visit();
    server->endpoint->config.verify = refuse_all;
    server->endpoint->config.verify_user = &asked;
    expect_refusal("hello");
    assert_int_equal(asked, 2);
}

/* A stream that was reset before the refusal, and one that was not marked, fare no worse. */
static void a_refusal_takes_all_back(void **state)
{
    tern_stream *other;
    (void)state;
    pair_open(p);
    early_visit();
    reopen_server();
    early_come("hello");
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &other), 0);
    assert_int_equal(tern_stream_set_early(other), 0);
    assert_int_equal(tern_stream_write(other, "gone", 4, 0), 4);
    (void)pair_carry(p, PAIR_CLIENT);
    assert_int_equal(tern_stream_reset(other, 9), 0);
    pair_advance(p, 3 * TERN_SEC);
    assert_int_equal(client->closed + server_closed, 0);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_REFUSED);
    early_assert_heard("hello", false);
    /* The bytes that were reset never left, as far as anybody counts them. */
    assert_int_equal(server->conn->streams.conn_in.received, 5);
    assert_int_equal(client->conn->streams.conn_out.used, 5);
}

/* --- what the application may do wrong ---------------------------------------------------------------- */

static void tickets_must_fit_the_peer(void **state)
{
    tern_peer peer;
    tern_conn *conn;
    uint8_t other[TERN_KEY_SIZE];
    (void)state;
    pair_open(p);
    early_visit();
    early_peer(&peer);
    peer.key = NULL; /* early data needs the server's key */
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
    memset(other, 9, sizeof other);
    peer.key = other;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
    peer.key = p->key;
    peer.anonymous = true;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
    peer.anonymous = false;
    for (size_t len = 0; len < ticket_len; len++) {
        peer.ticket_len = len;
        assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                         TERN_ERR_INVALID);
    }
    peer.ticket_len = ticket_len;
    ticket[0] ^= 1;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
}

static void only_own_streams_are_early(void **state)
{
    (void)state;
    pair_open(p);
    p->poll = pair_poll_both; /* nobody reads, and streams are looked at */
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
    assert_int_equal(tern_stream_set_early(client->stream), 0); /* no ticket: no matter */
    assert_int_equal(tern_stream_write(client->stream, "x", 1, 0), 1);
    pair_exchange(p);
    assert_int_equal(server->opened, 1);
    assert_int_equal(tern_stream_set_early(server->stream), 0); /* too late: no matter */
    assert_false(tern_stream_is_early(server->stream));
    assert_int_equal(tern_stream_write(server->stream, "y", 1, 0), 1);
    assert_int_equal(tern_conn_open_stream(server->conn, TERN_STREAM_BIDI, &server->stream), 0);
    assert_int_equal(tern_stream_write(server->stream, "y", 1, 0), 1);
    pair_exchange(p);
    assert_int_equal(client->opened, 1);
    assert_int_equal(tern_stream_set_early(client->stream), TERN_ERR_STATE);
}

static void a_server_that_closes_an_early_connection_is_done(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    tern_conn_close(server->conn, 3, "no");
    pair_advance(p, 15 * TERN_SEC);
    assert_int_equal(server_closed, 1);
    assert_int_equal(client->closed, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(early_data_arrives_with_the_first_datagram, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(tickets_follow_one_another, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(streams_that_did_not_ask_wait, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_read_is_early_or_not, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(much_early_data_is_taken, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(lost_early_data_is_repaired, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_retry_repeats_early_data, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_early_stream_can_be_reset, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_that_does_not_want_it_refuses, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_that_started_anew_refuses, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_refusal_costs_no_round_trip, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_wrong_age_is_refused, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_old_ticket_is_left_aside, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_ticket_lives_through_one_change_of_key, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(limits_that_shrank_refuse, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(limits_that_shrank_under_a_good_ticket_refuse, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(another_suite_refuses, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_application_is_asked_first, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_refusal_takes_all_back, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(tickets_must_fit_the_peer, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(only_own_streams_are_early, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_that_closes_an_early_connection_is_done, early_setup,
                                    pair_teardown),
};

TERN_TEST_MAIN(tests)
