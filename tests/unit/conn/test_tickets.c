/* Tickets as a server may say them, and as a client may bring them back. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "conn/resume.h"

#include "conn_kit.h"

#define MESSAGE_TICKET 4
#define SEALED_AT                                                                                  \
    (1 + 4 + 3 * 32 + 2 + 8 * TERN_TICKET_LIMITS) /* of what a client keeps: its length */

static struct ck k;
static struct ck_side *const client = &k.side[CK_CLIENT], *const server = &k.side[CK_SERVER];
static uint8_t ticket[600];
static tern_peer peer;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = server->env.public_key;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_conn_free(server->conn);
    server->conn = NULL;
    tern_tickets_free(server->env.tickets, &server->mem);
    server->env.tickets = NULL;
    return ck_clear(&k);
}

/* The server says a message of the handshake at 1-RTT: its head, and so many bytes behind. */
static void say(uint8_t type, uint32_t life, uint16_t len, size_t bytes)
{
    uint8_t message[7 + 600] = {
        type,          (uint8_t)(life >> 24), (uint8_t)(life >> 16), (uint8_t)(life >> 8),
        (uint8_t)life, (uint8_t)(len >> 8),   (uint8_t)len};
    memset(message + 7, 0xee, bytes);
    struct tern_crypto_flow *flow = &server->conn->spaces[TERN_LEVEL_APP].crypto;
    assert_int_equal(tern_crypto_flow_write(flow, message, 7 + bytes), 0);
    tern_conn_mark_ready(server->conn);
    ck_settle(&k);
    assert_int_equal(client->conn->life.state, TERN_LIFE_ESTABLISHED);
}

static void senseless_lengths_are_left(void **state)
{
    (void)state;
    ck_ready(&k);
    say(MESSAGE_TICKET, 60, 0, 0);
    assert_null(client->conn->ticket);
    say(MESSAGE_TICKET, 60, TERN_TICKET_SEALED_MAX + 1, TERN_TICKET_SEALED_MAX + 1);
    assert_null(client->conn->ticket);
    say(MESSAGE_TICKET, 60, TERN_TICKET_SEALED_MAX, TERN_TICKET_SEALED_MAX);
    assert_int_equal(client->conn->ticket_len, SEALED_AT + 2 + TERN_TICKET_SEALED_MAX);
    assert_int_equal(client->conn->ticket_life, 60 * TERN_SEC);
    say(MESSAGE_TICKET, 30, 10, 10); /* a newer one takes its place */
    assert_int_equal(client->conn->ticket_len, SEALED_AT + 2 + 10);
    assert_int_equal(client->conn->ticket_life, 30 * TERN_SEC);
}

static void a_ticket_in_two_pieces_waits_for_both(void **state)
{
    uint8_t rest[30] = {0};
    (void)state;
    ck_ready(&k);
    say(MESSAGE_TICKET, 60, 50, 20);
    assert_null(client->conn->ticket);
    struct tern_crypto_flow *flow = &server->conn->spaces[TERN_LEVEL_APP].crypto;
    assert_int_equal(tern_crypto_flow_write(flow, rest, sizeof rest), 0);
    tern_conn_mark_ready(server->conn);
    ck_settle(&k);
    assert_int_equal(client->conn->ticket_len, SEALED_AT + 2 + 50);
}

/* Where one ends is not known, so what follows is none either; nothing breaks. */
static void other_messages_are_passed_over(void **state)
{
    (void)state;
    ck_ready(&k);
    say(9, 1, 2, 3);
    assert_null(client->conn->ticket);
}

static void an_anonymous_client_keeps_none(void **state)
{
    (void)state;
    peer.anonymous = true;
    assert_int_equal(tern_conn_new_client(&client->conn, &client->env, &peer, k.now), 0);
    ck_settle(&k);
    say(MESSAGE_TICKET, 60, 10, 10);
    assert_null(client->conn->ticket);
}

/* A client gives none. */
static void a_server_keeps_none(void **state)
{
    uint8_t message[7 + 10] = {MESSAGE_TICKET, 0, 0, 0, 60, 0, 10};
    (void)state;
    ck_ready(&k);
    struct tern_crypto_flow *flow = &client->conn->spaces[TERN_LEVEL_APP].crypto;
    assert_int_equal(tern_crypto_flow_write(flow, message, sizeof message), 0);
    tern_conn_mark_ready(client->conn);
    ck_settle(&k);
    assert_null(server->conn->ticket);
    assert_int_equal(server->conn->life.state, TERN_LIFE_ESTABLISHED);
}

/* --- the second visit ------------------------------------------------------------------------------ */

static void visit(void)
{
    assert_int_equal(tern_tickets_new(&server->env.tickets, &server->mem, &server->random, k.now),
                     0);
    ck_ready(&k);
    peer.ticket_len = client->conn->ticket_len;
    assert_in_range(peer.ticket_len, 1, sizeof ticket);
    memcpy(ticket, client->conn->ticket, peer.ticket_len);
    peer.ticket = ticket;
    for (size_t i = 0; i < 2; i++) {
        tern_conn_free(k.side[i].conn);
        k.side[i].conn = NULL;
    }
}

static int come_again(void)
{
    return tern_conn_new_client(&client->conn, &client->env, &peer, k.now);
}

static void assert_early(tern_early_state want)
{
    assert_int_equal(come_again(), 0);
    assert_int_equal(client->conn->early, TERN_EARLY_PENDING);
    ck_settle(&k);
    assert_int_equal(client->conn->early, want);
    assert_int_equal(server->conn->early, want);
    assert_true(client->conn->life.is_confirmed);
}

static void a_ticket_comes_back(void **state)
{
    (void)state;
    visit();
    assert_early(TERN_EARLY_ACCEPTED);
}

static void a_ticket_of_a_time_to_come_is_refused(void **state)
{
    (void)state;
    visit();
    k.now -= TERN_SEC;
    assert_early(TERN_EARLY_REFUSED);
}

static void an_age_beyond_all_is_refused(void **state)
{
    (void)state;
    visit();
    peer.ticket_age = TERN_TICKET_LIFE - TERN_MSEC; /* the client believes it good, and it is new */
    assert_early(TERN_EARLY_REFUSED);
}

static void a_blob_that_makes_no_sense_is_invalid(void **state)
{
    uint8_t whole[sizeof ticket];
    (void)state;
    visit();
    size_t len = peer.ticket_len;
    memcpy(whole, ticket, len);
    for (peer.ticket_len = 0; peer.ticket_len < len; peer.ticket_len++) {
        assert_int_equal(come_again(), TERN_ERR_INVALID);
    }
    peer.ticket_len = len + 1; /* one byte too many */
    assert_int_equal(come_again(), TERN_ERR_INVALID);
    peer.ticket_len = len;
    static const struct {
        size_t at;
        uint8_t value; /* 0: another than it was */
    } changes[] = {
        {0, 2},                                      /* another version of it */
        {5, 0},                                      /* of another server */
        {37, 0},                                     /* of another client */
        {SEALED_AT - 8 * TERN_TICKET_LIMITS - 1, 3}, /* two suites */
        {SEALED_AT, 9},                              /* longer than there is room */
    };
    for (size_t i = 0; i < TERN_COUNT_OF(changes); i++) {
        memcpy(ticket, whole, len);
        uint8_t *byte = &ticket[changes[i].at];
        *byte = changes[i].value != 0 ? changes[i].value : (uint8_t) ~*byte;
        assert_int_equal(come_again(), TERN_ERR_INVALID);
    }
    memcpy(ticket, whole, SEALED_AT);
    ticket[SEALED_AT] = ticket[SEALED_AT + 1] = 0; /* nothing sealed in it */
    peer.ticket_len = SEALED_AT + 2;
    assert_int_equal(come_again(), TERN_ERR_INVALID);
}

/* What a server may not answer to early data: it takes it under another suite, or with less than it promised. */
static void a_promise_that_is_not_kept_is_an_error(void **state)
{
    (void)state;
    visit();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(come_again(), 0);
        struct tern_params params;
        tern_conn_local_params(client->conn, &params);
        const uint64_t *limits = client->conn->handshake->resume->limits;
        params.initial_max_data = limits[0];
        params.initial_max_stream_data_bidi_local = limits[1];
        params.initial_max_stream_data_bidi_remote = limits[2];
        params.initial_max_stream_data_uni = limits[3];
        params.initial_max_streams_bidi = limits[4];
        params.initial_max_streams_uni = limits[5] - (i == 1 ? 1 : 0);
        params.takes_early = true;
        params.suite = client->conn->handshake->resume->suite;
        params.suite = i == 0 ? TERN_SUITE_AEGIS_256 : params.suite;
        int rc = tern_resume_settle(client->conn, &params);
        assert_int_equal(rc, i == 2 ? 0 : TERN_ERR_TRANSPORT_PARAMETER);
        assert_int_equal(client->conn->early, i == 2 ? TERN_EARLY_ACCEPTED : TERN_EARLY_REFUSED);
        tern_conn_free(client->conn);
        client->conn = NULL;
    }
}

/* Nor may it take what was not offered. */
static void taking_what_was_not_offered_is_an_error(void **state)
{
    struct tern_params params;
    (void)state;
    assert_int_equal(ck_connect(&k), 0);
    tern_conn_local_params(client->conn, &params);
    assert_int_equal(tern_resume_settle(client->conn, &params), 0);
    params.takes_early = true;
    assert_int_equal(tern_resume_settle(client->conn, &params), TERN_ERR_TRANSPORT_PARAMETER);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(senseless_lengths_are_left, setup, teardown),
    cmocka_unit_test_setup_teardown(a_ticket_in_two_pieces_waits_for_both, setup, teardown),
    cmocka_unit_test_setup_teardown(other_messages_are_passed_over, setup, teardown),
    cmocka_unit_test_setup_teardown(an_anonymous_client_keeps_none, setup, teardown),
    cmocka_unit_test_setup_teardown(a_server_keeps_none, setup, teardown),
    cmocka_unit_test_setup_teardown(a_ticket_comes_back, setup, teardown),
    cmocka_unit_test_setup_teardown(a_ticket_of_a_time_to_come_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(an_age_beyond_all_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(a_blob_that_makes_no_sense_is_invalid, setup, teardown),
    cmocka_unit_test_setup_teardown(a_promise_that_is_not_kept_is_an_error, setup, teardown),
    cmocka_unit_test_setup_teardown(taking_what_was_not_offered_is_an_error, setup, teardown),
};

TERN_TEST_MAIN(tests)
