/* Two endpoints over the public calls: handshakes, refusals, streams both ways, timers, settings.
 * SPDX-License-Identifier: MIT */
#include "pair_kit.h"

static struct pair the_pair;
static struct pair *const p = &the_pair;
static struct pair_side *const client = &the_pair.side[PAIR_CLIENT];
static struct pair_side *const server = &the_pair.side[PAIR_SERVER];

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pair_close(p);
    return 0;
}

static void say(tern_conn *conn, const char *text)
{
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, text, strlen(text), TERN_FIN), strlen(text));
}

static void assert_hears(struct pair_side *side, const char *text)
{
    char buf[100];
    assert_non_null(side->stream);
    ptrdiff_t n = tern_stream_read(side->stream, buf, sizeof buf);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
    assert_int_equal(tern_stream_read(side->stream, buf, sizeof buf), 0);
}

static void talk(void)
{
    say(client->conn, "from the client");
    say(server->conn, "from the server");
    pair_exchange(p);
    assert_hears(client, "from the server");
    assert_hears(server, "from the client");
}

static void pinned_key_connects(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE], a[32], b[32];
    pair_ready(p);
    assert_int_equal(tern_conn_peer_key(client->conn, key), 0);
    assert_memory_equal(key, p->key, sizeof key);
    assert_int_equal(tern_conn_peer_key(server->conn, key), 0);
    uint8_t own[TERN_KEY_SIZE];
    tern_endpoint_public_key(client->endpoint, own);
    assert_memory_equal(key, own, sizeof key);
    assert_int_equal(tern_conn_export(client->conn, "test", a, sizeof a), 0);
    assert_int_equal(tern_conn_export(server->conn, "test", b, sizeof b), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(tern_conn_export(server->conn, "rest", b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(tern_conn_is_server(server->conn));
    assert_false(tern_conn_is_server(client->conn));
    talk();
}

static void first_contact_connects(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE];
    pair_open(p);
    assert_int_equal(pair_connect(p, NULL), 0);
    assert_int_equal(tern_conn_peer_key(client->conn, key), TERN_ERR_STATE);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
    assert_int_equal(tern_conn_peer_key(client->conn, key), 0);
    assert_memory_equal(key, p->key, sizeof key);
    talk();
}

static void each_suite_connects(void **state)
{
    (void)state;
    const unsigned suites[] = {TERN_SUITE_CHACHA20_POLY1305, TERN_SUITE_AES_256_GCM,
                               TERN_SUITE_AEGIS_128L, TERN_SUITE_AEGIS_256};
    for (size_t i = 0; i < TERN_COUNT_OF(suites); i++) {
        pair_close(p);
        pair_init(p);
        client->config.suites = suites[i];
        int rc = tern_endpoint_new(&client->endpoint, &client->config, p->now);
        tern_endpoint_free(client->endpoint);
        client->endpoint = NULL;
        if (rc == TERN_ERR_UNSUPPORTED && i > 0) {
            continue; /* not with this machine or libsodium */
        }
        tern_stats stats = {.size = sizeof stats};
        pair_ready(p);
        tern_conn_stats(server->conn, &stats);
        assert_int_equal(stats.suite, suites[i]);
        talk();
    }
    if (client->endpoint == NULL) {
        pair_init(p);
        pair_open(p);
    }
}

static int refuse(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    (void)conn;
    memcpy(user, key, TERN_KEY_SIZE);
    return TERN_ERR_REFUSED;
}

static void a_server_may_refuse_a_client(void **state)
{
    (void)state;
    uint8_t seen[TERN_KEY_SIZE] = {0}, own[TERN_KEY_SIZE];
    server->config.verify = refuse;
    server->config.verify_user = seen;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 20 * TERN_SEC);
    tern_endpoint_public_key(client->endpoint, own);
    assert_memory_equal(seen, own, sizeof own);
    assert_int_equal(server->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
}

static void a_client_may_refuse_a_server(void **state)
{
    (void)state;
    uint8_t seen[TERN_KEY_SIZE] = {0};
    client->config.verify = refuse;
    client->config.verify_user = seen;
    pair_open(p);
    assert_int_equal(pair_connect(p, NULL), 0);
    pair_advance(p, 20 * TERN_SEC);
    assert_memory_equal(seen, p->key, sizeof seen);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
    assert_int_equal(server->connected, 0);
}

/* A wrong pinned key: the server cannot even open the first packet. Nobody is told anything. */
static void a_wrong_key_is_silence(void **state)
{
    (void)state;
    pair_open(p);
    p->key[3] ^= 1;
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(server->datagrams, 0);
    assert_int_equal(client->connected + server->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_TIMEOUT);
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(server->endpoint, &counters);
    assert_int_equal(counters.connections, 0);
}

static bool lose_one(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)from;
    (void)data;
    (void)len;
    return pair->wire_arg-- != 0;
}

/* Each of the first datagrams lost in turn: the handshake comes through, by its timers. */
static void any_lost_datagram_is_made_up(void **state)
{
    (void)state;
    for (uint64_t lost = 0; lost < 12; lost++) {
        pair_close(p);
        pair_init(p);
        p->wire = lose_one;
        p->wire_arg = lost;
        pair_open(p);
        assert_int_equal(pair_connect(p, lost % 2 == 0 ? p->key : NULL), 0);
        pair_advance(p, 5 * TERN_SEC);
        assert_int_equal(client->connected, 1);
        assert_int_equal(server->connected, 1);
        p->wire = NULL;
        talk();
    }
}

static bool flip_one(struct pair *pair, int from, uint8_t *data, size_t len)
{
    if (from == PAIR_SERVER && pair->wire_arg < 3) {
        data[(pair->wire_arg * 311 + 40) % len] ^= 0x10;
        pair->wire_arg++;
    }
    return true;
}

static void changed_datagrams_only_delay(void **state)
{
    (void)state;
    p->wire = flip_one;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 8 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    talk();
}

static void keepalive_holds_an_idle_connection(void **state)
{
    (void)state;
    client->config.idle_timeout = server->config.idle_timeout = 5 * TERN_SEC;
    client->config.keepalive = 2 * TERN_SEC;
    pair_ready(p);
    uint64_t before = client->datagrams;
    pair_advance(p, 60 * TERN_SEC);
    assert_int_equal(client->closed + server->closed, 0);
    assert_in_range(client->datagrams - before, 25, 100);
    talk();
}

static void settings_are_checked(void **state)
{
    (void)state;
    tern_endpoint *ep = NULL;
    tern_config c = client->config;
    c.size--;
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_INVALID);
    c = client->config;
    c.cc = "reno";
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_INVALID);
    c = client->config;
    c.max_datagram = 1199;
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_INVALID);
    c.max_datagram = 65508;
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_INVALID);
    c = client->config;
    c.stream_window = c.stream_window_max + 1;
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_INVALID);
    c = client->config;
    c.suites = 0x4000;
    assert_int_equal(tern_endpoint_new(&ep, &c, 0), TERN_ERR_UNSUPPORTED);
    assert_null(ep);
    pair_open(p);
    tern_peer peer;
    tern_conn *conn = NULL;
    tern_peer_init(&peer);
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now),
                     TERN_ERR_INVALID);
    uint8_t small[1199];
    tern_train train = {.data = small, .capacity = sizeof small};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), TERN_ERR_BUFFER);
}

static void connections_have_a_limit(void **state)
{
    (void)state;
    client->config.max_connections = 2;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_int_equal(pair_connect(p, p->key), TERN_ERR_LIMIT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(pinned_key_connects, setup, teardown),
    cmocka_unit_test_setup_teardown(first_contact_connects, setup, teardown),
    cmocka_unit_test_setup_teardown(each_suite_connects, setup, teardown),
    cmocka_unit_test_setup_teardown(a_server_may_refuse_a_client, setup, teardown),
    cmocka_unit_test_setup_teardown(a_client_may_refuse_a_server, setup, teardown),
    cmocka_unit_test_setup_teardown(a_wrong_key_is_silence, setup, teardown),
    cmocka_unit_test_setup_teardown(any_lost_datagram_is_made_up, setup, teardown),
    cmocka_unit_test_setup_teardown(changed_datagrams_only_delay, setup, teardown),
    cmocka_unit_test_setup_teardown(keepalive_holds_an_idle_connection, setup, teardown),
    cmocka_unit_test_setup_teardown(settings_are_checked, setup, teardown),
    cmocka_unit_test_setup_teardown(connections_have_a_limit, setup, teardown),
};

TERN_TEST_MAIN(tests)
