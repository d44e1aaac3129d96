/* NEW_TOKEN: kept by the application, shown again, good for one address and one day.
 * SPDX-License-Identifier: MIT */
#include "door_kit.h"
#include "one_pair.h"

static uint8_t token[TERN_ADDRESS_TOKEN_MAX];
static size_t token_len;

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    server->config.retry_half_open = 0;
    return 0;
}

static int connect_with(const uint8_t *bytes, size_t len)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = p->key;
    peer.token = bytes;
    peer.token_len = len;
    return tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now);
}

/* A first connection, which costs a Retry, and the token that it leaves. */
static void earn(void)
{
    pair_ready(p);
    assert_int_equal(pair_counters(server).retries, 1);
    assert_int_equal(tern_conn_address_token(server->conn, token, sizeof token, &token_len),
                     TERN_ERR_STATE);
    assert_int_equal(tern_conn_address_token(client->conn, token, 3, &token_len), TERN_ERR_BUFFER);
    assert_int_equal(tern_conn_address_token(client->conn, token, sizeof token, &token_len), 0);
}

static void a_token_spares_the_retry(void **state)
{
    (void)state;
    earn();
    p->now += 3600 * TERN_SEC;
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 2);
    assert_int_equal(pair_counters(server).retries, 1);
}

/* As if it were not there: a Retry, and then all is well. */
static void bad_ones_are_as_good_as_none(void **state)
{
    (void)state;
    uint64_t seed = 7;
    earn();
    for (unsigned i = 0; i < 60; i++) {
        uint8_t bad[TERN_ADDRESS_TOKEN_MAX];
        size_t len = i % 3 == 0 ? token_len * i / 60 : token_len;
        memcpy(bad, token, sizeof bad);
        if (i % 3 == 1) {
            bad[i * token_len / 60] ^= 0x20;
        } else if (i % 3 == 2) {
            pair_random(&seed, bad, len);
            bad[0] = 2;
        }
        assert_int_equal(connect_with(bad, len), 0);
        pair_exchange(p);
        assert_int_equal(client->connected, 2 + i);
        assert_int_equal(pair_counters(server).retries, 2 + i);
    }
}

static void it_is_for_one_address(void **state)
{
    (void)state;
    earn();
    client->addr.port++;
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(pair_counters(server).retries, 1);
    assert_int_equal(tern_conn_address_token(client->conn, token, sizeof token, &token_len), 0);
    client->addr.ip[3]++;
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(pair_counters(server).retries, 2);
    assert_int_equal(client->connected, 3);
}

static void it_is_for_one_day(void **state)
{
    (void)state;
    earn();
    pair_advance(p, 24 * 3600 * TERN_SEC + TERN_SEC);
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(pair_counters(server).retries, 2);
    assert_int_equal(client->connected, 2);
}

/* A server whose clock was set ten years forth or back still takes everybody. */
static void a_wrong_clock_shuts_nobody_out(void **state)
{
    (void)state;
    static const int64_t years[] = {-10, 10};
    uint8_t secret[TERN_KEY_SIZE] = {5};
    server->config.secret_key = secret;
    server->config.unix_time = 1700000000;
    earn();
    for (size_t i = 0; i < 2; i++) {
        tern_endpoint_free(server->endpoint);
        server->config.unix_time = (uint64_t)(1700000000 + years[i] * 31557600);
        assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
        assert_int_equal(connect_with(token, token_len), 0);
        pair_exchange(p);
        assert_int_equal(client->connected, 2 + i);
        assert_int_equal(pair_counters(server).retries, 1);
    }
}

/* With the same key and the right time another process takes it. */
static void it_outlives_the_server_s_process(void **state)
{
    (void)state;
    uint8_t secret[TERN_KEY_SIZE] = {5};
    server->config.secret_key = secret;
    server->config.unix_time = 1700000000;
    earn();
    tern_endpoint_free(server->endpoint);
    server->config.unix_time += 60;
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 2);
    assert_int_equal(pair_counters(server).retries, 0);
}

/* What lifts the 3x limit is the proof and nothing else. */
static size_t bytes_to_a_silent_client(const uint8_t *bytes, size_t len)
{
    uint8_t first[2000], out[2000];
    size_t total = 0, n;
    assert_int_equal(connect_with(bytes, len), 0);
    size_t first_len = door_say(p, PAIR_CLIENT, first);
    door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
    for (int i = 0; i < 100; i++) {
        while ((n = door_say(p, PAIR_SERVER, out)) > 0) {
            total += n;
        }
        p->now += 100 * TERN_MSEC;
        tern_endpoint_tick(server->endpoint, p->now);
    }
    return total;
}

static void the_3x_limit_stays_without_proof(void **state)
{
    (void)state;
    uint8_t bad[TERN_ADDRESS_TOKEN_MAX];
    server->config.retry_half_open = SIZE_MAX;
    pair_ready(p);
    assert_int_equal(tern_conn_address_token(client->conn, token, sizeof token, &token_len), 0);
    memcpy(bad, token, sizeof bad);
    bad[token_len - 1] ^= 1;
    assert_true(bytes_to_a_silent_client(bad, token_len) <= 3600);
    assert_true(bytes_to_a_silent_client(NULL, 0) <= 3600);
    assert_true(bytes_to_a_silent_client(token, token_len) > 3600);
}

/* Random, cut, for another address, of another day. */
static void nor_do_bad_ones_lift_it(void **state)
{
    (void)state;
    uint64_t seed = 9;
    uint8_t bad[TERN_ADDRESS_TOKEN_MAX];
    server->config.retry_half_open = SIZE_MAX;
    pair_ready(p);
    assert_int_equal(tern_conn_address_token(client->conn, token, sizeof token, &token_len), 0);
    for (size_t i = 0; i < 2 * token_len; i++) {
        memcpy(bad, token, sizeof bad);
        if (i % 2 == 0) {
            pair_random(&seed, bad + 3, token_len - 3);
        } else {
            bad[2] = (uint8_t)(i / 2); /* the item's length */
        }
        size_t len = i % 2 == 0 ? token_len : i / 2;
        assert_true(bytes_to_a_silent_client(bad, len) <= 3600);
    }
    client->addr.ip[3]++;
    assert_true(bytes_to_a_silent_client(token, token_len) <= 3600);
    client->addr.ip[3]--;
    p->now += 25 * 3600 * TERN_SEC;
    assert_true(bytes_to_a_silent_client(token, token_len) <= 3600);
}

/* RFC 9000 §8.1.4: a token stands in clear in the first packet. Whoever saw it, and shows it again in its
 * owner's name, is anybody. */
static void a_token_shown_before_proves_nothing(void **state)
{
    (void)state;
    server->config.retry_half_open = SIZE_MAX;
    pair_ready(p);
    assert_int_equal(tern_conn_address_token(client->conn, token, sizeof token, &token_len), 0);
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 2);
    for (int i = 0; i < 50; i++) {
        assert_true(bytes_to_a_silent_client(token, token_len) <= 3600);
    }
}

/* ... and has to show himself while the server is busy. */
static void nor_does_it_spare_a_retry_twice(void **state)
{
    (void)state;
    earn();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(connect_with(token, token_len), 0);
        pair_exchange(p);
        assert_int_equal(client->connected, 2 + i);
        assert_int_equal(pair_counters(server).retries, 1 + i);
    }
}

static void too_long_ones_are_refused_by_the_call(void **state)
{
    (void)state;
    uint8_t huge[TERN_ADDRESS_TOKEN_MAX + 1] = {0};
    pair_open(p);
    assert_int_equal(connect_with(huge, sizeof huge), TERN_ERR_INVALID);
    assert_int_equal(connect_with(huge, sizeof huge - 1), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_token_spares_the_retry, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(bad_ones_are_as_good_as_none, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_is_for_one_address, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_is_for_one_day, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_wrong_clock_shuts_nobody_out, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_outlives_the_server_s_process, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_3x_limit_stays_without_proof, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_do_bad_ones_lift_it, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_token_shown_before_proves_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_does_it_spare_a_retry_twice, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(too_long_ones_are_refused_by_the_call, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
