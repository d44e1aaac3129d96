/* Secrets, one-time codes and anonymous clients, from end to end.
 * SPDX-License-Identifier: MIT */
#include "mode_kit.h"
#include "one_pair.h"

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    client->config.idle_timeout = server->config.idle_timeout = 0; /* tests take their time */
    return 0;
}

/* --- shared secrets ------------------------------------------------------------------------------ */

static void a_shared_secret_lets_in(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0); /* XKpsk3 */
    assert_int_equal(mode_outcome(p), 0);
    assert_int_equal(mode_connect(p, NULL, mode_secret, NULL), 0); /* XXpsk3 */
    assert_int_equal(mode_outcome(p), 0);
}

static void secrets_that_differ_are_told(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    assert_int_equal(mode_connect(p, p->key, mode_other, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_string_equal(client->reason, "wrong secret or code");
    assert_int_equal(mode_connect(p, NULL, mode_other, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0); /* nobody is locked out */
    assert_int_equal(mode_outcome(p), 0);
}

/* The refusal of a wrong secret is not a matter of waiting. */
static void a_wrong_secret_is_told_at_once(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    assert_int_equal(mode_connect(p, p->key, mode_other, NULL), 0);
    pair_exchange(p);
    assert_int_equal(client->closed, 1);
}

static void a_secret_on_one_side_only_is_told(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    assert_int_equal(mode_connect(p, p->key, NULL, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(mode_connect(p, NULL, NULL, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
}

static void a_server_without_a_secret_says_so(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_string_equal(client->reason, "another kind of handshake is wanted here");
}

static bool drop_from_server(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == PAIR_CLIENT || pair->side[PAIR_SERVER].datagrams <= pair->wire_arg;
}

/* Message 3 is out and the server's 1-RTT packets are lost: nothing is proved. */
static void a_client_is_not_connected_before_the_server_proves_itself(void **state)
{
    uint8_t out[16];
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    p->wire = drop_from_server;
    p->wire_arg = 1; /* message 2 gets through */
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->connected, 0);
    assert_false(tern_conn_is_established(client->conn));
    assert_int_equal(tern_conn_export(client->conn, "x", out, sizeof out), TERN_ERR_STATE);
    p->wire = NULL;
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_true(tern_conn_is_established(client->conn));
}

/* ... and without proof it ends as a handshake does, not as an idle connection. */
static void a_client_without_proof_gives_up_in_time(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    pair_open(p);
    p->wire = drop_from_server;
    p->wire_arg = 1;
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0);
    pair_advance(p, 11 * TERN_SEC);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.error, TERN_ERR_TIMEOUT);
}

/* --- one-time codes ------------------------------------------------------------------------------ */

static void a_code_lets_one_in(void **state)
{
    uint8_t theirs[TERN_KEY_SIZE], ours[TERN_KEY_SIZE];
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 3);
    assert_int_equal(mode_connect(p, NULL, NULL, "7 Orbit Salmon"), 0);
    assert_int_equal(mode_outcome(p), 0);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 0);
    /* Both know each other's key now, for the next time. */
    assert_int_equal(tern_conn_peer_key(client->conn, theirs), 0);
    assert_memory_equal(theirs, p->key, TERN_KEY_SIZE);
    tern_endpoint_public_key(client->endpoint, ours);
    assert_int_equal(tern_conn_peer_key(server->conn, theirs), 0);
    assert_memory_equal(theirs, ours, TERN_KEY_SIZE);
    /* Spent: neither the code nor its absence opens the door. */
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(mode_connect(p, p->key, NULL, NULL), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(tern_endpoint_set_code(server->endpoint, NULL), 0);
    assert_int_equal(mode_connect(p, p->key, NULL, NULL), 0);
    assert_int_equal(mode_outcome(p), 0);
}

static void a_code_costs_no_round_trip(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    tern_time start = p->now;
    while (server->connected == 0 && p->now < start + TERN_SEC) {
        (void)pair_carry(p, PAIR_CLIENT);
        pair_poll(server);
        if (server->connected == 0) {
            (void)pair_carry(p, PAIR_SERVER);
        }
    }
    assert_int_equal(p->now - start, 3 * PAIR_HOP);
}

static void a_wrong_code_is_told(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-sardine"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 2);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), 0);
}

/* A number that is not this server's is no guess at its words. */
static void another_number_is_told_and_no_guess(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "8-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_MODE);
    assert_int_equal(tern_endpoint_code_guesses(server->endpoint), 3);
}

static void codes_have_conditions(void **state)
{
    (void)state;
    server->config.code = "abc";
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now),
                     TERN_ERR_INVALID);
    server->config.code = NULL;
    pair_open(p);
    assert_int_equal(tern_endpoint_set_code(server->endpoint, "7-a"), TERN_ERR_INVALID);
    assert_int_equal(mode_connect(p, NULL, NULL, "abc"), TERN_ERR_INVALID);
    assert_int_equal(mode_connect(p, p->key, NULL, "7-orbit-salmon"), TERN_ERR_INVALID);
    assert_int_equal(mode_connect(p, NULL, mode_secret, "7-orbit-salmon"), TERN_ERR_INVALID);
}

static int refuse(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    unsigned *asked = user;
    (void)conn;
    (void)key;
    (*asked)++;
    return TERN_ERR_REFUSED;
}

/* The application is asked about a server's new key only once the code has proved it, and may refuse. */
static void a_client_is_asked_after_the_proof(void **state)
{
    unsigned asked = 0;
    (void)state;
    server->config.code = "7-orbit-salmon";
    client->config.verify = refuse;
    client->config.verify_user = &asked;
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-sardine"), 0);
    assert_int_equal(mode_outcome(p), TERN_ERR_SECRET);
    assert_int_equal(asked, 0);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    pair_exchange(p);
    assert_int_equal(asked, 1);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 2);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
}

/* A Retry in between: the client begins again, with another share. */
static void secrets_and_codes_outlive_a_retry(void **state)
{
    (void)state;
    server->config.code = "7-orbit-salmon";
    server->config.secret = mode_secret;
    server->config.retry_half_open = 0;
    pair_open(p);
    assert_int_equal(mode_connect(p, NULL, NULL, "7-orbit-salmon"), 0);
    assert_int_equal(mode_outcome(p), 0);
    assert_int_equal(mode_connect(p, p->key, mode_secret, NULL), 0);
    assert_int_equal(mode_outcome(p), 0);
    assert_true(pair_counters(server).retries >= 2);
}

/* --- anonymous clients --------------------------------------------------------------------------- */

static void anonymous_clients_cannot_be_linked(void **state)
{
    uint8_t seen[3][TERN_KEY_SIZE];
    (void)state;
    pair_open(p);
    tern_endpoint_public_key(client->endpoint, seen[2]);
    for (size_t i = 0; i < 2; i++) {
        tern_peer peer;
        tern_peer_init(&peer);
        peer.addr = server->addr;
        peer.key = p->key;
        peer.anonymous = true;
        assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
        assert_int_equal(mode_outcome(p), 0);
        assert_int_equal(tern_conn_peer_key(server->conn, seen[i]), 0);
    }
    assert_memory_not_equal(seen[0], seen[1], TERN_KEY_SIZE);
    assert_memory_not_equal(seen[0], seen[2], TERN_KEY_SIZE);
    assert_memory_not_equal(seen[1], seen[2], TERN_KEY_SIZE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_shared_secret_lets_in, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(secrets_that_differ_are_told, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_wrong_secret_is_told_at_once, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_secret_on_one_side_only_is_told, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_without_a_secret_says_so, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_is_not_connected_before_the_server_proves_itself,
                                    setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_without_proof_gives_up_in_time, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_code_lets_one_in, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_code_costs_no_round_trip, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_wrong_code_is_told, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(another_number_is_told_and_no_guess, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(codes_have_conditions, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_is_asked_after_the_proof, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(secrets_and_codes_outlive_a_retry, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(anonymous_clients_cannot_be_linked, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
