/* Servers that let in only whom a matchmaker sent: stolen, used, late, foreign and made-up tokens.
 * SPDX-License-Identifier: MIT */
#include <tern/token.h>

#include "door_kit.h"
#include "endpoint/endpoint.h"
#include "one_pair.h"

#define BIRTH 1700000000

static const uint8_t key[TERN_CONNECT_KEY_SIZE] = {4, 5, 6};
static uint8_t token[TERN_CONNECT_TOKEN_MAX];
static size_t token_len;
static tern_connect_grant grant;
static uint8_t words[TERN_CONNECT_DATA_MAX];

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    server->config.connect_token_key = key;
    server->config.unix_time = BIRTH;
    memcpy(words, "slot 3", 7);
    tern_connect_grant_init(&grant);
    grant.issued = BIRTH + 1;
    grant.expires = BIRTH + 60;
    grant.data = words;
    grant.data_len = 7;
    return 0;
}

static void seal(void)
{
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant), 0);
}

/* Endpoints, and a token for the client. */
static void begin(void)
{
    pair_open(p);
    tern_endpoint_public_key(client->endpoint, grant.client_key);
    seal();
}

static int connect_with(const uint8_t *bytes, size_t len)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = p->key;
    peer.connect_token = bytes;
    peer.connect_token_len = len;
    return tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now);
}

static void assert_refused(const char *why)
{
    unsigned connected = server->connected, closed = client->closed;
    pair_advance(p, 11 * TERN_SEC);
    assert_int_equal(server->connected, connected);
    assert_int_equal(client->closed, closed + 1);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
    assert_string_equal(client->reason, why);
}

static void a_token_admits_and_brings_its_words(void **state)
{
    (void)state;
    const uint8_t *data;
    size_t len;
    begin();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
    assert_int_equal(tern_conn_token_data(server->conn, &data, &len), 0);
    assert_int_equal(len, 7);
    assert_memory_equal(data, "slot 3", 7);
    assert_int_equal(tern_conn_token_data(client->conn, &data, &len), TERN_ERR_STATE);
}

static void nobody_else_comes_in(void **state)
{
    (void)state;
    begin();
    assert_int_equal(connect_with(NULL, 0), 0);
    assert_refused("no connect token for this server");
    uint64_t blocks = server->heap.blocks;
    for (size_t i = 3; i < token_len; i += 9) { /* made up */
        token[i] ^= 1;
        assert_int_equal(connect_with(token, token_len), 0);
        pair_exchange(p);
        token[i] ^= 1;
    }
    for (size_t len = 0; len < token_len; len += 9) { /* cut */
        assert_int_equal(connect_with(token, len), 0);
        pair_exchange(p);
    }
    assert_int_equal(server->connected, 0);
    assert_int_equal(server->heap.blocks, blocks);
    assert_int_equal(pair_counters(server).half_open, 0);
}

static void once_and_not_again(void **state)
{
    (void)state;
    begin();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(connect_with(token, token_len), 0);
    assert_refused("the connect token was used already");
    assert_true(pair_counters(server).refusals > 0); /* at the door already */
    seal(); /* another one for the same client is another matter */
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 2);
}

/* Both begin before either is complete. */
static void nor_twice_at_once(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connect_with(token, token_len), 0);
    }
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->closed, 4);
    assert_int_equal(pair_counters(server).connections, 1);
}

/* An observer has the token and another key. He gets nothing, and its owner is none the worse. */
static void a_stolen_token_is_worth_nothing(void **state)
{
    (void)state;
    pair_open(p);
    memset(grant.client_key, 0x77, TERN_KEY_SIZE); /* the owner's: not that of this client */
    seal();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_advance(p, 11 * TERN_SEC);
    assert_int_equal(server->connected, 0);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
    struct tern_door *door = &server->endpoint->door;
    assert_int_equal(door->used.count, 0); /* not used up */
}

static void late_early_and_foreign_ones_are_refused(void **state)
{
    (void)state;
    begin();
    pair_advance(p, 61 * TERN_SEC);
    assert_int_equal(connect_with(token, token_len), 0);
    assert_refused("the connect token has expired");
    grant.issued = BIRTH + 10000; /* a matchmaker whose clock is far ahead */
    grant.expires = BIRTH + 10060;
    seal();
    assert_int_equal(connect_with(token, token_len), 0);
    assert_refused("the connect token is not of this time");
    grant.issued = BIRTH + 60;
    grant.expires = BIRTH + 200;
    grant.server_count = 1;
    grant.servers[0] = door_addr("203.0.113.1:7437");
    seal();
    assert_int_equal(connect_with(token, token_len), 0);
    assert_refused("no connect token for this server");
    grant.servers[0] = server->addr;
    seal();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* Behind a translator a server is known by another address than its own. */
static void a_server_may_have_another_name(void **state)
{
    (void)state;
    server->config.connect_address = door_addr("203.0.113.1:7437");
    grant.server_count = 1;
    grant.servers[0] = server->config.connect_address;
    begin();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* Whether a token was used before the start nobody knows any more. */
static void a_restarted_server_takes_only_new_ones(void **state)
{
    (void)state;
    begin();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    tern_endpoint_free(server->endpoint);
    server->config.unix_time = BIRTH + 20;
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
    tern_endpoint_public_key(server->endpoint, p->key);
    assert_int_equal(connect_with(token, token_len), 0);
    assert_refused("the connect token is not of this time");
    grant.issued = BIRTH + 21;
    seal();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 2);
}

/* It goes along after a Retry, with the Retry's own. */
static void it_survives_a_retry(void **state)
{
    (void)state;
    const uint8_t *data;
    size_t len;
    server->config.retry_half_open = 0;
    grant.data_len = sizeof words;
    grant.server_count = TERN_CONNECT_SERVERS_MAX;
    for (size_t i = 0; i < TERN_CONNECT_SERVERS_MAX; i++) {
        grant.servers[i] = i == 5 ? server->addr : door_addr("[2001:db8::1]:1");
    }
    begin();
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(pair_counters(server).retries, 1);
    assert_int_equal(server->connected, 1);
    assert_int_equal(tern_conn_token_data(server->conn, &data, &len), 0);
    assert_int_equal(len, sizeof words);
    assert_int_equal(connect_with(NULL, 0), 0); /* without one not even a Retry is had */
    pair_exchange(p);
    assert_int_equal(pair_counters(server).retries, 1);
}

static void half_open_ones_stay_small(void **state)
{
    (void)state;
    grant.data_len = sizeof words;
    begin();
    uint64_t before = server->heap.bytes;
    for (int i = 0; i < 100; i++) {
        uint8_t first[2000], out[2000];
        seal();
        assert_int_equal(connect_with(token, token_len), 0);
        size_t len = door_say(p, PAIR_CLIENT, first);
        door_hear(p, PAIR_SERVER, &client->addr, first, len);
        while (door_say(p, PAIR_SERVER, out) > 0) {
        }
    }
    assert_int_equal(pair_counters(server).half_open, 100);
    print_message("%llu bytes each\n", (unsigned long long)(server->heap.bytes - before) / 100);
    assert_true((server->heap.bytes - before) / 100 <= 2048);
}

static void silent_servers_stay_silent(void **state)
{
    (void)state;
    uint8_t other[TERN_KEY_SIZE];
    server->config.silent = true;
    begin();
    memcpy(other, p->key, sizeof other);
    p->key[0] ^= 1;
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->datagrams, 0);
    memcpy(p->key, other, sizeof other);
    assert_int_equal(connect_with(token, token_len), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

static void settings_are_checked(void **state)
{
    (void)state;
    static const uint8_t huge[TERN_CONNECT_TOKEN_MAX + 1];
    begin();
    assert_int_equal(connect_with(huge, sizeof huge), TERN_ERR_INVALID);
    tern_endpoint *endpoint = NULL;
    server->config.unix_time = 0;
    assert_int_equal(tern_endpoint_new(&endpoint, &server->config, p->now), TERN_ERR_INVALID);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_token_admits_and_brings_its_words, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nobody_else_comes_in, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(once_and_not_again, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_twice_at_once, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_stolen_token_is_worth_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(late_early_and_foreign_ones_are_refused, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_may_have_another_name, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_restarted_server_takes_only_new_ones, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_survives_a_retry, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(half_open_ones_stay_small, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(silent_servers_stay_silent, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(settings_are_checked, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
