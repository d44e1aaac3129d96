/* Replays, stolen and damaged tickets, and frames that early data must not hold. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "early_kit.h"
#include "meddle_kit.h"

#include "conn/handshake.h"
#include "conn/input.h"
#include "conn/resume.h"
#include "crypto/keys.h"
#include "wire/header.h"

/* Where things stand in what the client's application keeps. */
#define BLOB_SECRET (1 + 4 + 32 + 32)
#define BLOB_SEALED (BLOB_SECRET + 32 + 2 + 8 * TERN_TICKET_LIMITS + 2)

static struct {
    uint8_t data[8][1500];
    size_t len[8], count;
} flight;

static bool record(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)pair;
    if (from == PAIR_CLIENT && flight.count < 8) {
        memcpy(flight.data[flight.count], data, len);
        flight.len[flight.count++] = len;
    }
    return true;
}

/* The recorded datagrams once more, from somewhere else. */
static void replay(uint8_t host)
{
    for (size_t i = 0; i < flight.count; i++) {
        uint8_t copy[1500];
        tern_datagram in = {.local = server->addr, .remote = client->addr, .data = copy};
        memcpy(copy, flight.data[i], flight.len[i]);
        in.len = flight.len[i];
        in.remote.ip[3] = host;
        assert_int_equal(tern_endpoint_receive(server->endpoint, &in, 1, p->now), 0);
        tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
        while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
        }
        early_poll(p);
    }
}

/* A whole connection with early data, all of whose datagrams were recorded. */
static void record_visit(void)
{
    early_visit();
    flight.count = 0;
    p->wire = record;
    early_come("pay 10");
    pair_exchange(p);
    p->wire = NULL;
    early_assert_heard("pay 10", true);
}

static void a_replay_is_delivered_nowhere(void **state)
{
    (void)state;
    pair_open(p);
    record_visit();
    for (uint8_t i = 0; i < 100; i++) { /* while the connection lives, and when it is gone */
        replay((uint8_t)(50 + i));
        if (i == 30) {
            tern_conn_close(client->conn, 0, NULL);
            pair_advance(p, 2 * TERN_SEC);
        }
        p->now += 100 * TERN_MSEC;
        tern_endpoint_tick(server->endpoint, p->now);
        early_poll(p);
    }
    early_assert_heard("pay 10", true);
    assert_int_equal(heard.early_events, 1);
    assert_int_equal(server->connected, 1);
}

static void a_server_that_started_anew_delivers_none(void **state)
{
    (void)state;
    pair_open(p);
    record_visit();
    tern_endpoint_free(server->endpoint);
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
    for (uint8_t i = 0; i < 100; i++) {
        replay((uint8_t)(50 + i));
    }
    early_assert_heard("pay 10", true);
}

/* The client's first datagram, which the attacker has and the server has not. */
static void hold_back_a_flight(void)
{
    early_visit();
    flight.count = 0;
    early_come("pay 10");
    tern_train train = {.data = flight.data[0], .capacity = sizeof flight.data[0]};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    flight.len[0] = train.len;
    flight.count = 1;
}

/* The first to bring the flight is heard, and only once, even if the client itself never comes through. */
static void a_flight_held_back_is_delivered_once_or_never(void **state)
{
    (void)state;
    pair_open(p);
    hold_back_a_flight();
    for (uint8_t i = 0; i < 100; i++) {
        replay((uint8_t)(50 + i));
    }
    early_assert_heard("pay 10", true);
    assert_int_equal(heard.early_events, 1);
    assert_int_equal(server->connected, 0);
}

/* Held back beyond the age that is believed. */
static void a_flight_held_back_too_long_is_not_heard(void **state)
{
    (void)state;
    pair_open(p);
    hold_back_a_flight();
    p->now += 11 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    replay(50);
    assert_int_equal(heard.read_len, 0);
    assert_int_equal(heard.early_events, 0);
}

/* --- tickets ------------------------------------------------------------------------------------------- */

static void expect(tern_early_state wanted)
{
    unsigned connected = client->connected;
    early_come("hello");
    pair_advance(p, 2 * TERN_SEC);
    assert_int_equal(client->connected, connected + 1);
    assert_int_equal(tern_conn_early(client->conn), wanted);
    tern_conn_close(client->conn, 0, NULL);
    pair_advance(p, 2 * TERN_SEC);
}

/* Who has seen a ticket on the wire lacks its secret, and cannot even use it up. */
static void a_ticket_without_its_secret_is_nothing(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    uint8_t kept[EARLY_TICKET_MAX];
    tern_time kept_at = ticket_at;
    size_t kept_len = ticket_len;
    memcpy(kept, ticket, sizeof kept);
    ticket[BLOB_SECRET] ^= 1;
    expect(TERN_EARLY_REFUSED);
    assert_int_equal(heard.early_events, 0);
    memcpy(ticket, kept, sizeof kept);
    ticket_len = kept_len;
    ticket_at = kept_at;
    expect(TERN_EARLY_ACCEPTED);
}

static void altered_tickets_are_refused(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    uint8_t kept[EARLY_TICKET_MAX];
    tern_time kept_at = ticket_at;
    memcpy(kept, ticket, sizeof kept);
    for (size_t at = BLOB_SEALED; at < ticket_len; at += 11) {
        memcpy(ticket, kept, sizeof kept);
        ticket_at = kept_at;
        ticket[at] ^= 0x10;
        heard.read_len = 0;
        expect(TERN_EARLY_REFUSED);
        early_assert_heard("hello", false);
    }
}

static void truncated_tickets_are_refused(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    uint8_t kept[EARLY_TICKET_MAX];
    size_t kept_len = ticket_len;
    tern_time kept_at = ticket_at;
    memcpy(kept, ticket, sizeof kept);
    for (size_t less = 1; less < TERN_TICKET_SIZE; less += 17) {
        memcpy(ticket, kept, sizeof kept);
        ticket_at = kept_at;
        ticket_len = kept_len - less;
        ticket[BLOB_SEALED - 2] = (uint8_t)((TERN_TICKET_SIZE - less) >> 8);
        ticket[BLOB_SEALED - 1] = (uint8_t)(TERN_TICKET_SIZE - less);
        expect(TERN_EARLY_REFUSED);
    }
}

/* The path may not even make the server refuse: a changed ticket is a changed message, and the true one is
 * awaited. */
static void a_ticket_changed_on_the_way_is_no_message(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    meddle_in(p);
    meddle_is_keyed = true;
    meddle_change = (struct meddle_change){20, 0x01};
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    assert_true(meddled > 0);
    assert_int_equal(pair_counters(server).connections, 0);
    p->wire = NULL;
    pair_advance(p, 3 * TERN_SEC); /* the client repeats it, and it gets through */
    assert_int_equal(client->connected + server->connected, 2);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
}

/* Two tickets of one client: the secret of one does not go with the other. */
static void swapped_tickets_are_refused(void **state)
{
    uint8_t first[EARLY_TICKET_MAX];
    (void)state;
    pair_open(p);
    early_visit();
    memcpy(first, ticket, sizeof first);
    ticket_len = 0;
    early_visit();
    memcpy(ticket + BLOB_SEALED, first + BLOB_SEALED, TERN_TICKET_SIZE);
    expect(TERN_EARLY_REFUSED);
    assert_int_equal(heard.early_events, 0);
}

/* One who has stolen all that a client kept, but not its key: message 3 tells. */
static void a_stolen_ticket_does_not_make_another_client(void **state)
{
    uint8_t thief[TERN_KEY_SIZE];
    (void)state;
    pair_open(p);
    early_visit();
    tern_endpoint_free(client->endpoint);
    memset(client_secret, 7, sizeof client_secret);
    assert_int_equal(tern_endpoint_new(&client->endpoint, &client->config, p->now), 0);
    tern_endpoint_public_key(client->endpoint, thief);
    memcpy(ticket + 5 + 32, thief, sizeof thief); /* so that our own side lets it pass */
    early_come("hello");
    pair_advance(p, 2 * TERN_SEC);
    assert_int_equal(server->connected, 0);
    assert_int_equal(server_closed, 1);
    assert_int_equal(server_close.error, TERN_ERR_PROTOCOL);
    assert_int_equal(client->closed, 1);
}

static void a_ticket_is_good_once(void **state)
{
    uint8_t kept[EARLY_TICKET_MAX];
    (void)state;
    pair_open(p);
    early_visit();
    memcpy(kept, ticket, sizeof kept);
    tern_time kept_at = ticket_at;
    expect(TERN_EARLY_ACCEPTED);
    memcpy(ticket, kept, sizeof kept);
    ticket_at = kept_at;
    expect(TERN_EARLY_REFUSED);
}

static void a_full_register_refuses(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    struct tern_strikes *strikes = &server->endpoint->env.tickets->strikes;
    uint64_t id = 1;
    while (tern_strikes_mark(strikes, (const uint8_t *)&id, sizeof id, p->now)) {
        id++;
    }
    uint64_t bytes = server->heap.bytes;
    expect(TERN_EARLY_REFUSED);
    tern_pool_clear(&server->endpoint->env.pages); /* what is kept for whoever comes next */
    assert_true(server->heap.bytes <= bytes);
    assert_int_equal(heard.early_events, 0);
}

/* --- packets ------------------------------------------------------------------------------------------- */

/* RFC 9000 §12.4: what can only answer has no place before an answer. */
static void forbidden_frames_end_the_connection(void **state)
{
    static const struct {
        uint8_t bytes[24];
        size_t len;
    } frames[] = {
        {{0x02, 0x00, 0x00, 0x00, 0x00}, 5},             /* ACK */
        {{0x06, 0x00, 0x01, 0x04}, 4},                   /* CRYPTO */
        {{0x07, 0x01, 0x01}, 3},                         /* NEW_TOKEN */
        {{0x19, 0x00}, 2},                               /* RETIRE_CONNECTION_ID */
        {{0x1b, 1, 2, 3, 4, 5, 6, 7, 8}, 9},             /* PATH_RESPONSE */
        {{0x1e}, 1},                                     /* HANDSHAKE_DONE */
        {{0x1f}, 1},                                     /* IMMEDIATE_ACK */
        {{0x40, 0xaf, 0x00, 0x00, 0x44, 0x00, 0x00}, 7}, /* ACK_FREQUENCY */
    };
    (void)state;
    pair_open(p);
    for (size_t i = 0; i < TERN_COUNT_OF(frames); i++) {
        ticket_len = 0;
        early_visit();
        early_come("hello");
        (void)pair_carry(p, PAIR_CLIENT);
        early_poll(p);
        assert_int_equal(heard.early_events, 1);
        early_inject(PAIR_SERVER, frames[i].bytes, frames[i].len);
        assert_int_equal(server_closed, 1);
        assert_int_equal(server_close.error, TERN_ERR_PROTOCOL);
        pair_advance(p, 12 * TERN_SEC);
        memset(&heard, 0, sizeof heard);
        server_closed = 0;
    }
}

/* More than the server granted, as with any other packet. */
static void early_data_beyond_the_limit_ends_the_connection(void **state)
{
    static const uint8_t frame[] = {0x0e, 0x04, 0x80, 0x10, 0x00, 0x00, 0x01, 'x'}; /* at 1 MiB */
    (void)state;
    pair_open(p);
    early_visit();
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    early_inject(PAIR_SERVER, frame, sizeof frame);
    assert_int_equal(server_closed, 1);
    assert_int_equal(server_close.error, TERN_ERR_FLOW_CONTROL);
}

/* Junk that says 0-RTT moves nothing, whether early data was taken or not. */
static void junk_is_dropped(void **state)
{
    (void)state;
    pair_open(p);
    early_visit();
    early_come("hello");
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    struct tern_handshake *hs = client->conn->handshake;
    for (uint64_t i = 0; i < 1000; i++) {
        uint8_t packet[200];
        struct tern_writer w;
        tern_writer_init(&w, packet, sizeof packet);
        tern_header_encode_long(&w, TERN_PACKET_ZERO_RTT, &hs->original_dcid, &hs->client_scid,
                                NULL, 0, i, 2, 100);
        size_t header = tern_writer_used(&w);
        memset(packet + header, (int)i, 100);
        assert_int_equal(pair_inject(p, PAIR_SERVER, packet, header + 100), 0);
    }
    pair_exchange(p);
    early_assert_heard("hello", true);
    assert_int_equal(client->connected + server->connected, 2);
}

/* Without a connection there is nobody to keep them for. */
static void packets_without_a_connection_take_nothing(void **state)
{
    uint8_t packet[1200];
    struct tern_writer w;
    struct tern_cid cid = {.len = 8};
    (void)state;
    pair_open(p);
    uint64_t bytes = server->heap.bytes;
    for (unsigned i = 0; i < 1000; i++) {
        memset(packet, 0xaa, sizeof packet);
        memcpy(cid.bytes, &i, sizeof i);
        tern_writer_init(&w, packet, sizeof packet);
        tern_header_encode_long(&w, TERN_PACKET_ZERO_RTT, &cid, &cid, NULL, 0, i, 2, 1000);
        assert_int_equal(pair_inject(p, PAIR_SERVER, packet, sizeof packet), 0);
    }
    assert_int_equal(server->heap.bytes, bytes);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* --- memory ------------------------------------------------------------------------------------------ */

/* Each allocation of the server, then of the client, fails once in a visit with early data. */
static void no_memory_costs_no_more_than_the_connection(void **state)
{
    (void)state;
    pair_open(p);
    for (int who = 0; who < 2; who++) {
        struct kit_heap *heap = &the_pair.side[who].heap;
        for (uint64_t n = 1; n < 60; n += 1) {
            ticket_len = 0;
            early_visit();
            tern_peer peer;
            early_peer(&peer);
            heap->fail_at = heap->calls + n;
            client->conn = NULL;
            tern_stream *stream = NULL;
            if (tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now) == 0 &&
                tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream) == 0) {
                assert_int_equal(tern_stream_set_early(stream), 0);
                ptrdiff_t taken = tern_stream_write(stream, "hello", 5, TERN_FIN);
                assert_true(taken == 5 || taken == TERN_ERR_NOMEM);
                (void)pair_carry(p, PAIR_CLIENT);
                early_poll(p);
            }
            heap->fail_at = 0;
            pair_advance(p, 12 * TERN_SEC);
            tern_endpoint_close_all(client->endpoint, 0, NULL);
            pair_advance(p, 12 * TERN_SEC);
            heard.read_len = 0;
            server_closed = 0;
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_replay_is_delivered_nowhere, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_that_started_anew_delivers_none, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_flight_held_back_is_delivered_once_or_never, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_flight_held_back_too_long_is_not_heard, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_ticket_without_its_secret_is_nothing, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(altered_tickets_are_refused, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(truncated_tickets_are_refused, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_ticket_changed_on_the_way_is_no_message, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(swapped_tickets_are_refused, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_stolen_ticket_does_not_make_another_client, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_ticket_is_good_once, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_full_register_refuses, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(forbidden_frames_end_the_connection, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(early_data_beyond_the_limit_ends_the_connection, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(junk_is_dropped, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(packets_without_a_connection_take_nothing, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(no_memory_costs_no_more_than_the_connection, early_setup,
                                    pair_teardown),
};

TERN_TEST_MAIN(tests)
