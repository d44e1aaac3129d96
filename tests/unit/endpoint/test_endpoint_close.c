/* How connections end: codes and reasons, timeouts, lost closes, and that nothing is left behind.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"

static void assert_empty(const struct pair_side *side)
{
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(side->endpoint, &counters);
    assert_int_equal(counters.connections, 0);
    assert_int_equal(counters.half_open, 0);
    assert_int_equal(tern_endpoint_deadline(side->endpoint), TERN_TIME_NEVER);
}

static bool lose_all(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)pair;
    (void)from;
    (void)data;
    (void)len;
    return false;
}

static void code_and_reason_reach_the_other_side(void **state)
{
    (void)state;
    pair_ready(p);
    tern_conn_close(server->conn, 4711, "that was all");
    tern_conn_close(server->conn, 4712, "a second close does nothing");
    pair_advance(p, TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_true(client->close.is_application);
    assert_int_equal(client->close.code, 4711);
    assert_string_equal(client->reason, "that was all");
    assert_int_equal(server->closed, 1);
    assert_int_equal(server->close.by, TERN_CLOSED_LOCAL);
    pair_advance(p, 10 * TERN_SEC);
    assert_empty(client);
    assert_empty(server);
}

static void reasons_of_any_bytes_and_length(void **state)
{
    (void)state;
    char reason[400];
    memset(reason, 0xff, sizeof reason);
    reason[399] = '\0';
    pair_ready(p);
    tern_conn_close(client->conn, UINT64_C(1) << 61, reason);
    pair_exchange(p);
    assert_int_equal(server->closed, 1);
    assert_int_equal(server->close.code, UINT64_C(1) << 61);
    assert_int_equal(strlen(server->reason), 256);
}

static void before_the_handshake_ends(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    tern_conn_close(client->conn, 1, "never mind");
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->close.by, TERN_CLOSED_LOCAL);
    assert_empty(client);
    assert_empty(server);
}

static void all_at_once(void **state)
{
    (void)state;
    pair_open(p);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
    }
    pair_exchange(p);
    assert_int_equal(server->connected, 20);
    tern_endpoint_close_all(server->endpoint, 9, "going down");
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(server->closed, 20);
    assert_int_equal(client->closed, 20);
    assert_string_equal(client->reason, "going down");
    assert_empty(client);
    assert_empty(server);
}

/* The smaller of both ends counts, to the millisecond of a hop. */
static void idleness_ends_it_in_time(void **state)
{
    (void)state;
    client->config.idle_timeout = 30 * TERN_SEC;
    server->config.idle_timeout = 7 * TERN_SEC;
    pair_ready(p);
    pair_advance(p, 100 * TERN_MSEC); /* what is left of the handshake's frames settles */
    tern_time quiet = p->now;
    pair_advance(p, 7 * TERN_SEC - 200 * TERN_MSEC);
    assert_int_equal(client->closed + server->closed, 0);
    pair_advance(p, 300 * TERN_MSEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(server->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_TIMEOUT);
    assert_int_equal(client->close.error, TERN_ERR_TIMEOUT);
    assert_true(p->now - quiet < 8 * TERN_SEC);
    assert_empty(client);
}

static void silence_ends_a_handshake_in_time(void **state)
{
    (void)state;
    client->config.handshake_timeout = 3 * TERN_SEC;
    p->wire = lose_all;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    tern_time end = p->now + 3 * TERN_SEC;
    pair_advance(p, 3 * TERN_SEC - 20 * TERN_MSEC);
    assert_in_range(client->datagrams, 2, 10); /* backed-off probes */
    assert_true(p->now < end);
    p->now = end - 1;
    tern_endpoint_tick(client->endpoint, p->now);
    (void)pair_carry(p, PAIR_CLIENT); /* a probe was due, too */
    pair_poll(client);
    assert_int_equal(client->closed, 0);
    assert_int_equal(tern_endpoint_deadline(client->endpoint), end);
    p->now = end;
    tern_endpoint_tick(client->endpoint, p->now);
    assert_false(pair_carry(p, PAIR_CLIENT));
    pair_poll(client);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_TIMEOUT);
    assert_empty(client);
}

/* RFC 9000 §10.2.1: whoever still talks to a closed connection hears the close again, ever more
 * seldom. */
static void a_lost_close_is_repeated_when_asked_for(void **state)
{
    (void)state;
    pair_ready(p);
    tern_conn_close(server->conn, 5, "bye");
    p->wire = lose_all;
    (void)pair_carry(p, PAIR_SERVER);
    p->wire = NULL;
    assert_int_equal(client->closed, 0);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "still here?", 11, 0), 11);
    pair_exchange(p);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.code, 5);
}

static void a_closing_server_answers_a_flood_seldom(void **state)
{
    (void)state;
    static uint8_t saved[1500];
    pair_ready(p);
    tern_conn_close(server->conn, 5, "bye");
    p->wire = lose_all;
    (void)pair_carry(p, PAIR_SERVER);
    p->wire = NULL;
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "x", 1, 0), 1);
    tern_train train = {.data = saved, .capacity = sizeof saved};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    uint64_t before = server->datagrams;
    p->wire = lose_all;
    for (int i = 0; i < 1000; i++) {
        uint8_t copy[1500];
        memcpy(copy, saved, train.len);
        copy[train.len - 1] ^= (uint8_t)(i % 255 + 1); /* forged: same identifier, wrong tag */
        assert_int_equal(pair_inject(p, PAIR_SERVER, copy, train.len), 0);
        (void)pair_carry(p, PAIR_SERVER);
    }
    assert_in_range(server->datagrams - before, 0, 11); /* 1st, 2nd, 4th, ... at the most */
}

static void unread_streams_die_with_it(void **state)
{
    (void)state;
    static char much[100000];
    pair_ready(p);
    for (int i = 0; i < 10; i++) {
        tern_stream *stream;
        assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
        assert_true(tern_stream_write(stream, much, sizeof much, 0) > 0);
    }
    pair_exchange(p);
    assert_int_equal(server->opened, 10);
    tern_conn_close(client->conn, 0, "");
    pair_advance(p, 10 * TERN_SEC);
    assert_int_equal(server->closed, 1);
    assert_empty(client);
    assert_empty(server);
}

static tern_time heard[2]; /* when the last datagram came to each side */

static bool note_heard(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    heard[1 - from] = pair->now + PAIR_HOP;
    return true;
}

/* [P §10.3]: not a nanosecond before, and not one after, at either side. */
static void idleness_ends_it_to_the_nanosecond(void **state)
{
    (void)state;
    client->config.idle_timeout = 9 * TERN_SEC;
    server->config.idle_timeout = 30 * TERN_SEC;
    p->wire = note_heard;
    pair_ready(p);
    pair_advance(p, 2 * TERN_SEC); /* the last of all is an ACK, which begins nothing anew */
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &p->side[i];
        tern_time end = heard[i] + 9 * TERN_SEC;
        assert_true(end > p->now);
        assert_int_equal(tern_endpoint_deadline(side->endpoint), end);
        tern_endpoint_tick(side->endpoint, end - 1);
        p->now = end - 1;
        assert_false(pair_carry(p, i));
        pair_poll(side);
        assert_int_equal(side->closed, 0);
        tern_endpoint_tick(side->endpoint, end);
        p->now = end;
        assert_false(pair_carry(p, i)); /* in silence */
        pair_poll(side);
        assert_int_equal(side->closed, 1);
        assert_int_equal(side->close.by, TERN_CLOSED_TIMEOUT);
        assert_int_equal(side->close.error, TERN_ERR_TIMEOUT);
        assert_empty(side);
        p->now = heard[1] + 2 * TERN_SEC;
    }
}

/* RFC 9000 §10.1: one shorter than three probe timeouts would let a single loss end it. */
static void idleness_is_never_shorter_than_three_probes(void **state)
{
    (void)state;
    client->config.idle_timeout = server->config.idle_timeout = 10 * TERN_MSEC;
    pair_ready(p);
    pair_advance(p, 70 * TERN_MSEC); /* 3 (RTT + 25 ms) is more */
    assert_int_equal(client->closed + server->closed, 0);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(server->closed, 1);
}

static void no_idle_timeout_at_all(void **state)
{
    (void)state;
    client->config.idle_timeout = server->config.idle_timeout = 0;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    assert_int_equal(tern_endpoint_deadline(client->endpoint), TERN_TIME_NEVER);
    assert_int_equal(tern_endpoint_deadline(server->endpoint), TERN_TIME_NEVER);
    pair_advance(p, 100000 * TERN_SEC);
    assert_int_equal(client->closed + server->closed, 0);
}

/* The server has answered and waits for message 3. Anybody could have sent a close at the Initial level:
 * it ends nothing at once ([P §4.3]), but leaves nothing for longer than a handshake may take. */
static void amid_the_handshake(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_true(pair_carry(p, PAIR_CLIENT));
    p->wire = lose_all;
    assert_true(pair_carry(p, PAIR_SERVER));
    p->wire = NULL;
    assert_int_equal(pair_counters(server).half_open, 1);
    tern_conn_close(client->conn, 77, "changed my mind");
    assert_true(pair_carry(p, PAIR_CLIENT));
    assert_int_equal(pair_counters(server).half_open, 1);
    pair_advance(p, 4 * TERN_SEC); /* three PTO of the initial RTT */
    assert_empty(client);
    pair_advance(p, 7 * TERN_SEC);
    assert_empty(server);
    assert_int_equal(server->connected + server->closed, 0); /* it never knew of it */
    assert_int_equal(pair_counters(server).accepted, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_LOCAL);
    assert_int_equal(client->close.code, 77);
    assert_string_equal(client->reason, "changed my mind");
}

/* tern/endpoint.h: each has its CLOSED event, whatever it was doing; a second call adds nothing. */
static void all_whatever_they_were_doing(void **state)
{
    (void)state;
    pair_ready(p); /* one is established, */
    assert_int_equal(pair_connect(p, p->key), 0);
    (void)pair_carry(p, PAIR_CLIENT);           /* one has asked, */
    assert_int_equal(pair_connect(p, NULL), 0); /* one has not said a word */
    tern_endpoint_close_all(client->endpoint, 6, "one");
    tern_endpoint_close_all(client->endpoint, 7, "two");
    pair_poll(client);
    assert_int_equal(client->closed, 3);
    assert_int_equal(client->close.by, TERN_CLOSED_LOCAL);
    assert_int_equal(client->close.code, 6);
    assert_string_equal(client->reason, "one");
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(client->closed, 3);
    assert_int_equal(server->closed, 1);
    assert_int_equal(server->close.code, 6);
    assert_empty(client);
    assert_empty(server);
    tern_endpoint_close_all(client->endpoint, 8, "none is left");
}

/* What was never announced has no CLOSED event either. */
static void a_server_shuts_the_door_amid_handshakes(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_true(pair_carry(p, PAIR_CLIENT));
    tern_endpoint_close_all(server->endpoint, 6, "going down");
    pair_poll(server);
    assert_true(pair_carry(p, PAIR_SERVER)); /* the client hears of it */
    p->wire = lose_all;                      /* and does not come again */
    pair_advance(p, 15 * TERN_SEC);
    assert_int_equal(server->connected + server->closed, 0);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_string_equal(client->reason, ""); /* RFC 9000 §10.2.3: not for everybody's eyes */
    assert_empty(client);
    assert_empty(server);
}

/* Both at once: each tells its own story, and nobody answers for ever. */
static void both_at_once(void **state)
{
    (void)state;
    pair_ready(p);
    uint64_t before = client->datagrams + server->datagrams;
    tern_conn_close(client->conn, 1, "client");
    tern_conn_close(server->conn, 2, "server");
    pair_poll(client); /* both are told before the other's word comes */
    pair_poll(server);
    assert_int_equal(client->closed + server->closed, 2);
    pair_advance(p, 10 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(server->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_LOCAL);
    assert_int_equal(client->close.code, 1);
    assert_int_equal(server->close.by, TERN_CLOSED_LOCAL);
    assert_int_equal(server->close.code, 2);
    assert_in_range(client->datagrams + server->datagrams - before, 2, 6);
    assert_empty(client);
    assert_empty(server);
}

/* How often a loop is woken that does all that tern/endpoint.h asks for, but polls no event. */
static unsigned wake_ups(struct pair_side *side, tern_time until)
{
    unsigned count = 0;
    tern_time at = tern_endpoint_deadline(side->endpoint);
    while (count < 1000 && at < until) {
        p->now = TERN_MAX(p->now, at);
        tern_endpoint_tick(side->endpoint, p->now);
        tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
        while (tern_endpoint_transmit(side->endpoint, &train, p->now) > 0) {
        }
        at = tern_endpoint_deadline(side->endpoint);
        count++;
    }
    return count;
}

/* An application that takes its time with the last event must not make the loop spin. */
static void an_event_not_polled_wakes_nobody(void **state)
{
    (void)state;
    pair_ready(p);
    tern_conn_close(client->conn, 1, NULL);
    (void)pair_carry(p, PAIR_CLIENT);
    assert_in_range(wake_ups(client, p->now + 60 * TERN_SEC), 1, 5);
    assert_in_range(wake_ups(server, p->now + 60 * TERN_SEC), 1, 5);
    for (int i = 0; i < 2; i++) {
        tern_event ev;
        assert_int_equal(tern_endpoint_poll(p->side[i].endpoint, &ev), 1);
        assert_int_equal(ev.type, TERN_EVENT_CLOSED);
        assert_in_range(wake_ups(&p->side[i], p->now + 60 * TERN_SEC), 0, 2);
        assert_int_equal(tern_endpoint_poll(p->side[i].endpoint, &ev), 0);
        assert_empty(&p->side[i]);
    }
}

/* First contact, and the key is not the one that was hoped for: message 3, in which our own is, does not leave. */
static void who_dislikes_a_key_shows_none(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, NULL), 0);
    (void)pair_carry(p, PAIR_CLIENT);
    pair_poll(server);
    (void)pair_carry(p, PAIR_SERVER);
    pair_poll(client);
    assert_int_equal(client->connected, 1);
    tern_conn_close(client->conn, 0, "");
    pair_advance(p, TERN_SEC);
    assert_int_equal(server->connected, 0);
    assert_empty(client);
    assert_empty(server);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(code_and_reason_reach_the_other_side, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(reasons_of_any_bytes_and_length, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(before_the_handshake_ends, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(all_at_once, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(idleness_ends_it_in_time, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(silence_ends_a_handshake_in_time, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_lost_close_is_repeated_when_asked_for, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_closing_server_answers_a_flood_seldom, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(unread_streams_die_with_it, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(idleness_ends_it_to_the_nanosecond, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(idleness_is_never_shorter_than_three_probes, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(no_idle_timeout_at_all, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(amid_the_handshake, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(all_whatever_they_were_doing, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_shuts_the_door_amid_handshakes, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(both_at_once, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(who_dislikes_a_key_shows_none, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_event_not_polled_wakes_nobody, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
