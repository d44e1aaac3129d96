/* Answers before the handshake is over: a round trip, and no more to anybody than he may have. [P §4.10]
 * SPDX-License-Identifier: MIT */
#include "half_kit.h"

#include <tern/message.h>
#include <tern/token.h>

#include "conn/handshake.h"
#include "conn/resume.h"

static bool is_early_packet(const uint8_t *data)
{
    return (data[0] & 0xb0) == 0x90;
}

/* --- a round trip ---------------------------------------------------------------------------------- */

static void the_answer_comes_with_message_2(void **state)
{
    (void)state;
    half_begin(40);
    early_come("what time is it?");
    tern_time began = p->now;
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    assert_int_equal(heard.early_events, 1);
    assert_false(tern_conn_is_established(server->conn));
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
    half_assert_answered();
    assert_int_equal(p->now - began, 2 * PAIR_HOP);
    assert_false(half.was_proved);
    assert_int_equal(client->connected, 1);
    assert_int_equal(half.tickets, 1);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(half.tickets, 2); /* the better one follows */
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(server->conn, &stats);
    assert_int_equal(stats.stream_bytes_resent, 0);
    assert_int_equal(stats.packets_lost, 0);
    tern_conn_stats(client->conn, &stats);
    assert_int_equal(stats.packets_dropped, 0);
    half_assert_answered();
}

/* Who asks for nothing has what was before: the answer waits for message 3. */
static void streams_that_were_not_named_wait(void **state)
{
    (void)state;
    half_begin(40);
    half.is_early = false;
    early_come("what time is it?");
    half_round_trip();
    assert_int_equal(client->connected, 1);
    assert_int_equal(half.read_len + half.tickets, 0);
    pair_exchange(p);
    half_assert_answered();
    assert_true(half.was_proved);
    assert_int_equal(half.tickets, 1);
}

/* A stream of the server's own, and one that is named when it is written already. */
static void a_server_may_open_streams(void **state)
{
    tern_stream *stream;
    (void)state;
    half_begin(1);
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    half.answer = 11; /* two streams by now */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tern_conn_open_stream(server->conn, TERN_STREAM_UNI, &stream), 0);
        assert_int_equal(tern_stream_write(stream, "0123456789", 10, TERN_FIN), 10);
        if (i == 0) {
            assert_int_equal(tern_stream_set_early(stream), 0);
        }
    }
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
    assert_int_equal(half.read_len, 11);
    pair_exchange(p);
    assert_int_equal(half.read_len, 21);
}

/* A message, and the answer to a question about the path, have no place before message 3. */
static void whatever_else_there_is_waits(void **state)
{
    static const uint8_t question[] = {0x1a, 1, 2, 3, 4, 5, 6, 7, 8};
    tern_send_options options;
    (void)state;
    client->config.max_message = server->config.max_message = 1000;
    half_begin(40);
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    tern_send_options_init(&options);
    assert_int_equal(tern_conn_send(server->conn, "now", 3, &options, p->now), TERN_ERR_STATE);
    tern_path_on_challenge(&server->conn->path, question + 1);
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
    half_assert_answered();
    assert_int_equal(client->closed, 0);
    assert_int_equal(server->conn->path.response_count, 1);
    pair_exchange(p);
    assert_int_equal(server->conn->path.response_count, 0);
    assert_int_equal(client->closed + server_closed, 0);
}

/* Two visits to a server that wants something which it learns from message 3: nothing leaves before. */
static void visit_twice(void (*equip)(tern_peer *peer))
{
    tern_peer peer;
    half_open(10);
    for (int visit = 0; visit < 2; visit++) {
        early_peer(&peer);
        equip(&peer);
        half.read_len = 0;
        assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
        assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
        assert_int_equal(tern_stream_set_early(client->stream), 0);
        assert_int_equal(tern_stream_write(client->stream, "x", 1, TERN_FIN), 1);
        half_round_trip();
        assert_int_equal(half.read_len, 0);
        pair_exchange(p);
        half_assert_answered();
        assert_int_equal(tern_conn_early(client->conn),
                         visit == 0 ? TERN_EARLY_NONE : TERN_EARLY_ACCEPTED);
        tern_conn_close(client->conn, 0, NULL);
        pair_advance(p, TERN_SEC);
    }
}

static const uint8_t psk[TERN_SECRET_SIZE] = {4, 2};

static void with_psk(tern_peer *peer)
{
    peer->secret = psk;
}

/* The psk goes into message 3: nothing leaves before somebody has shown that he knows it. */
static void with_a_secret_nothing_leaves_early(void **state)
{
    (void)state;
    server->config.secret = psk;
    visit_twice(with_psk);
}

static const uint8_t token_key[TERN_CONNECT_KEY_SIZE] = {4, 5, 6};

static void with_token(tern_peer *peer)
{
    static uint8_t token[TERN_CONNECT_TOKEN_MAX];
    tern_connect_grant grant;
    tern_connect_grant_init(&grant);
    grant.issued = 1001;
    grant.expires = 1600;
    tern_endpoint_public_key(client->endpoint, grant.client_key);
    assert_int_equal(
        tern_connect_token_seal(token, sizeof token, &peer->connect_token_len, token_key, &grant),
        0);
    peer->connect_token = token;
}

/* A connect token is used up by message 3: until then it is not known whether it counts. */
static void with_connect_tokens_nothing_leaves_early(void **state)
{
    (void)state;
    server->config.connect_token_key = token_key;
    server->config.unix_time = 1000;
    visit_twice(with_token);
}

/* --- what may get lost, and overtake -------------------------------------------------------------- */

static bool lose_nth(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from != PAIR_SERVER || pair->wire_arg-- != 1;
}

static bool lose_message_3(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)len;
    bool is_handshake = from == PAIR_CLIENT && (data[0] & 0xb0) == 0xa0;
    return !is_handshake || pair->wire_arg == 0 || pair->wire_arg-- == 0;
}

/* Each datagram of the server's first flight in turn; the first has message 2 in it. */
static void what_is_lost_comes_again(void **state)
{
    (void)state;
    half_begin(3000);
    for (uint64_t n = 1; n <= 4; n++) {
        p->wire_arg = n;
        p->wire = lose_nth;
        half.read_len = 0;
        half.has_end = false;
        early_come("hello");
        pair_advance(p, 4 * TERN_SEC);
        half_assert_answered();
        assert_int_equal(client->closed + server_closed, 0);
        tern_conn_close(client->conn, 0, NULL);
        pair_advance(p, 2 * TERN_SEC);
        server_closed = client->closed = 0;
    }
}

static void message_3_lost_holds_nothing_up(void **state)
{
    (void)state;
    half_begin(3000);
    p->wire = lose_message_3;
    p->wire_arg = 2;
    early_come("hello");
    half_round_trip();
    assert_true(half.read_len > 2000);
    pair_advance(p, 5 * TERN_SEC);
    half_assert_answered();
    assert_int_equal(server->connected, 1);
}

/* What overtakes message 2 is kept, ten datagrams at most. */
static void early_answers_may_overtake_message_2(void **state)
{
    static uint8_t flight[8][1500];
    size_t lens[8], count = 0;
    (void)state;
    half_begin(2500);
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
        assert_true(count < 8 && train.len <= sizeof flight[0]);
        memcpy(flight[count], train.data, train.len);
        lens[count++] = train.len;
    }
    assert_true(count >= 3);
    for (size_t i = count; i-- > 0;) {
        assert_int_equal(half.read_len, 0);
        assert_int_equal(pair_inject(p, PAIR_CLIENT, flight[i], lens[i]), 0);
        half_poll(p);
    }
    half_assert_answered();
    pair_exchange(p);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(server->conn, &stats);
    assert_int_equal(stats.stream_bytes_resent, 0);
}

/* --- the end ----------------------------------------------------------------------------------------- */

/* Message 3 and the last words leave together, so that the server knows who it was. */
static void a_client_may_go_with_its_answer(void **state)
{
    (void)state;
    half_begin(40);
    for (unsigned i = 1; i <= 5; i++) {
        half.read_len = 0;
        half.has_end = false;
        uint64_t before = half.given;
        early_come("hello");
        (void)pair_carry(p, PAIR_CLIENT);
        half_poll(p);
        assert_true(before == 0 || half.used == before); /* the latest that was given */
        (void)pair_carry(p, PAIR_SERVER);
        half_poll(p);
        half_assert_answered();
        assert_int_equal(half.tickets, i);
        tern_conn_close(client->conn, 5, "thanks");
        (void)pair_carry(p, PAIR_CLIENT);
        half_poll(p);
        assert_int_equal(server->connected, i);
        assert_int_equal(server_closed, i);
        assert_int_equal(server_close.error, 0);
        assert_int_equal(server_close.code, 5);
        pair_advance(p, 2 * TERN_SEC);
        assert_int_equal(half.tickets, i);
    }
}

static uint8_t kept[1500];
static size_t kept_len;

static bool keep(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)pair;
    if (from == PAIR_SERVER && kept_len == 0) {
        memcpy(kept, data, len);
        kept_len = len;
    }
    return true;
}

/* ... also when both are lost: whatever comes of the server's is answered with both. */
static void the_last_words_are_said_again(void **state)
{
    (void)state;
    half_begin(40);
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    kept_len = 0;
    p->wire = keep;
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
    tern_conn_close(client->conn, 5, "thanks");
    p->wire = lose_message_3;
    p->wire_arg = 1;
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    assert_int_equal(p->wire_arg + server->connected, 0);
    assert_int_equal(pair_inject(p, PAIR_CLIENT, kept, kept_len), 0);
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(server_close.error, 0);
    assert_int_equal(server_close.code, 5);
}

/* The client that is told so early hears the application's own words. */
static void a_server_can_refuse_at_once(void **state)
{
    (void)state;
    half_begin(0);
    half.server_closes = true;
    early_come("hello");
    half_round_trip();
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_int_equal(client->close.code, 9);
    assert_string_equal(client->reason, "closed for today");
}

/* --- tickets ----------------------------------------------------------------------------------------- */

/* Visit after visit without a whole handshake: a day after the last of those it is over. */
static void half_tickets_do_not_outlive_the_proof(void **state)
{
    unsigned visits = 0;
    (void)state;
    half_begin(40);
    tern_time proved = p->now;
    for (tern_early_state outcome = TERN_EARLY_ACCEPTED; outcome == TERN_EARLY_ACCEPTED; visits++) {
        p->now += 5 * 3600 * TERN_SEC;
        tern_endpoint_tick(client->endpoint, p->now);
        tern_endpoint_tick(server->endpoint, p->now);
        early_come("hello");
        half_round_trip();
        outcome = tern_conn_early(client->conn);
        tern_conn_close(client->conn, 0, NULL);
        pair_carry(p, PAIR_CLIENT);
        half_poll(p);
        pair_advance(p, 2 * TERN_SEC);
    }
    assert_int_equal(visits, 5);
    assert_true(p->now - proved > TERN_TICKET_LIFE);
}

/* A visit brings two, and one of them can be used. */
static void both_tickets_of_a_visit_count_once(void **state)
{
    uint8_t first[EARLY_TICKET_MAX];
    (void)state;
    half_begin(40);
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    uint64_t given = half.given;
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
    assert_int_equal(half.tickets, 1);
    memcpy(first, ticket, sizeof first);
    tern_time first_at = ticket_at;
    pair_exchange(p);
    assert_int_equal(half.tickets, 2);
    assert_int_equal(half.given, given);
    tern_conn_close(client->conn, 0, NULL);
    pair_advance(p, TERN_SEC);
    for (int i = 0; i < 2; i++) {
        early_come("hello");
        pair_exchange(p);
        assert_int_equal(tern_conn_early(client->conn),
                         i == 0 ? TERN_EARLY_ACCEPTED : TERN_EARLY_REFUSED);
        assert_true(i == 1 || half.used == given);
        tern_conn_close(client->conn, 0, NULL);
        pair_advance(p, TERN_SEC);
        memcpy(ticket, first, sizeof first);
        ticket_at = first_at;
    }
}

/* --- attacks ----------------------------------------------------------------------------------------- */

/* Nobody has shown to be at that address: three times what came from it, message 2 included. */
static void an_unproved_address_gets_three_times_as_much(void **state)
{
    (void)state;
    half_begin(50000);
    uint64_t sent = server->bytes, received = client->bytes;
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    for (int i = 0; i < 60; i++) { /* timers included, and the client is silent */
        p->now = TERN_MAX(
            p->now, TERN_MIN(tern_endpoint_deadline(server->endpoint), p->now + 20 * TERN_MSEC));
        tern_endpoint_tick(server->endpoint, p->now);
        (void)pair_carry(p, PAIR_SERVER);
        assert_true(server->bytes - sent <= 3 * (client->bytes - received));
    }
    assert_true(server->bytes - sent > 2 * (client->bytes - received));
    pair_advance(p, 3 * TERN_SEC);
    half_assert_answered();
}

static struct {
    uint8_t data[1500];
    size_t len;
} first_flight;

/* The client's first datagram, from an address of the attacker's. Returns the bytes that went there. */
static uint64_t play(uint8_t host)
{
    uint8_t copy[1500];
    uint64_t early = 0, bytes = 0;
    tern_datagram in = {
        .local = server->addr, .remote = client->addr, .data = copy, .len = first_flight.len};
    in.remote.ip[3] = host;
    memcpy(copy, first_flight.data, first_flight.len);
    assert_int_equal(tern_endpoint_receive(server->endpoint, &in, 1, p->now), 0);
    half_poll(p);
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
        bytes += tern_addr_equal(&train.remote, &in.remote) ? train.len : 0;
        early += is_early_packet(train.data) ? train.len : 0;
    }
    half_poll(p);
    assert_true(early <= bytes && bytes <= 3 * first_flight.len);
    return bytes;
}

/* Held back and brought by somebody else: once it is answered, in words that only the client can read; each
 * further time it is no ticket. The server's application learns that nobody was there. */
static void a_replay_is_answered_once_at_most(void **state)
{
    (void)state;
    half_begin(50000);
    early_come("hello");
    tern_train train = {.data = first_flight.data, .capacity = sizeof first_flight.data};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    first_flight.len = train.len;
    assert_true(play(50) > 3000);
    for (uint8_t i = 51; i < 90; i++) {
        assert_true(play(i) <= 1200);
        half_poll(p);
    }
    assert_int_equal(heard.early_events, 1);
    p->now += 60 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    half_poll(p);
    assert_int_equal(server->connected, 0);
    assert_int_equal(server_closed, 1);
    assert_int_equal(server_close.by, TERN_CLOSED_TIMEOUT);
}

/* Junk in the place of an early answer takes ten places and no more memory. */
static void junk_ahead_of_message_2_is_bounded(void **state)
{
    (void)state;
    half_begin(40);
    early_come("hello");
    uint64_t before = client->heap.bytes;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t packet[1200];
        struct tern_writer w;
        tern_writer_init(&w, packet, sizeof packet);
        tern_header_encode_long(&w, TERN_PACKET_ZERO_RTT, &client->conn->cids.local[0].cid,
                                &client->conn->cids.local[0].cid, NULL, 0, i, 2, 1100);
        memset(packet + tern_writer_used(&w), (int)i, sizeof packet - tern_writer_used(&w));
        assert_int_equal(pair_inject(p, PAIR_CLIENT, packet, tern_writer_used(&w) + 1100), 0);
    }
    assert_true(client->heap.bytes - before <= TERN_EARLY_BYTES_MAX + 1000);
    pair_exchange(p);
    half_assert_answered();
    assert_int_equal(client->closed, 0);
}

/* Every frame in an early packet of a server's: [P §6.2]. */
static void frames_keep_to_their_place(void **state)
{
    static const struct {
        uint8_t bytes[40];
        size_t len;
        bool is_taken;
    } frames[] = {
        {{0x01}, 1, true},
        {{0x02, 0x00, 0x00, 0x00, 0x00}, 5, true},
        {{0x06, 0x00, 0x01, 0x09}, 4, true},
        {{0x07, 0x01, 0x01}, 3, false},
        {{0x0b, 0x01, 0x01, 'x'}, 4, true},
        {{0x10, 0x20}, 2, true},
        {{0x14, 0x20}, 2, true},
        {{0x18, 9, 9, 8, 1, 2, 3}, 28, false},
        {{0x19, 0x00}, 2, false},
        {{0x1a, 1, 2, 3, 4, 5, 6, 7, 8}, 9, false},
        {{0x1b, 1, 2, 3, 4, 5, 6, 7, 8}, 9, false},
        {{0x1e}, 1, false},
        {{0x1f}, 1, false},
        {{0x21, 0, 0, 1, 1}, 5, false},
        {{0x2c, 0, 1, 0, 1, 0x40, 0x40}, 7, false},
        {{0x2d, 20}, 2, false},
        {{0x2e, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}, 11, false},
        {{0x38, 1, 9}, 34, false},
        {{0x39, 1}, 2, false},
        {{0x40, 0xaf, 0x00, 0x00, 0x44, 0x00, 0x00}, 7, false},
    };
    (void)state;
    half_begin(0);
    for (size_t i = 0; i < TERN_COUNT_OF(frames); i++) {
        client->closed = server_closed = 0;
        early_come("hello");
        half_round_trip();
        assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
        assert_true(server->conn->sends_early);
        early_inject(PAIR_CLIENT, frames[i].bytes, frames[i].len);
        if (frames[i].is_taken != (client->closed == 0)) {
            print_message("frame %02x\n", frames[i].bytes[0]);
        }
        assert_int_equal(client->closed, frames[i].is_taken ? 0 : 1);
        assert_true(frames[i].is_taken || client->close.error == TERN_ERR_PROTOCOL);
        pair_advance(p, 12 * TERN_SEC); /* the server never sent what the client acknowledges */
        ticket_len = 0;
        memset(&heard, 0, sizeof heard);
        client->connected = server->connected = client->closed = server_closed = 0;
        half.is_early = false;
        early_visit();
        half.is_early = true;
    }
}

/* Each allocation of the server, then of the client, fails once in a visit that is answered early. */
static void no_memory_costs_no_more_than_the_connection(void **state)
{
    (void)state;
    half_begin(300);
    for (int who = 0; who < 2; who++) {
        struct kit_heap *heap = &the_pair.side[who].heap;
        for (uint64_t n = 1; n < 60; n++) {
            ticket_len = 0;
            server_closed = 0;
            early_visit();
            tern_peer peer;
            early_peer(&peer);
            heap->fail_at = heap->calls + n;
            client->conn = NULL;
            tern_stream *stream = NULL;
            if (tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now) == 0 &&
                tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream) == 0) {
                assert_int_equal(tern_stream_set_early(stream), 0);
                (void)!tern_stream_write(stream, "hello", 5, TERN_FIN);
                pair_exchange(p);
            }
            heap->fail_at = 0;
            pair_advance(p, 12 * TERN_SEC);
            tern_endpoint_close_all(client->endpoint, 0, NULL);
            pair_advance(p, 60 * TERN_SEC);
            half.read_len = 0;
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_answer_comes_with_message_2, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(streams_that_were_not_named_wait, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_may_open_streams, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(whatever_else_there_is_waits, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(with_a_secret_nothing_leaves_early, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(with_connect_tokens_nothing_leaves_early, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(what_is_lost_comes_again, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(message_3_lost_holds_nothing_up, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(early_answers_may_overtake_message_2, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_may_go_with_its_answer, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_last_words_are_said_again, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_can_refuse_at_once, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(half_tickets_do_not_outlive_the_proof, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(both_tickets_of_a_visit_count_once, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_unproved_address_gets_three_times_as_much, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_replay_is_answered_once_at_most, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(junk_ahead_of_message_2_is_bounded, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(frames_keep_to_their_place, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(no_memory_costs_no_more_than_the_connection, early_setup,
                                    pair_teardown),
};

TERN_TEST_MAIN(tests)
