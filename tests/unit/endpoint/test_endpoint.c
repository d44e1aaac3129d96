/* Two endpoints over the public calls: handshakes, refusals, streams both ways, timers, settings.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"

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
    assert_false(client->close.is_application);
    assert_int_equal(client->close.code, 2); /* [P §13]: CONNECTION_REFUSED */
    assert_string_equal(client->reason, "identity refused");
    assert_int_equal(server->closed, 0); /* the application never knew of it */
    assert_int_equal(pair_counters(server).accepted, 0);
    assert_int_equal(pair_counters(server).connections, 0);
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
        for (int i = 0; i < 2; i++) { /* the wait for a timer is no round trip */
            tern_stats stats = {.size = sizeof stats};
            tern_conn_stats(p->side[i].conn, &stats);
            assert_in_range(stats.smoothed_rtt, PAIR_HOP, 50 * TERN_MSEC);
        }
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

static void assert_refused(tern_config config)
{
    tern_endpoint *ep = NULL;
    assert_int_equal(tern_endpoint_new(&ep, &config, 0), TERN_ERR_INVALID);
    assert_null(ep);
}

#define WITH(field, value)                                                                         \
    do {                                                                                           \
        tern_config with = client->config;                                                         \
        with.field = (value);                                                                      \
        assert_refused(with);                                                                      \
    } while (0)

/* Each alone out of range, the rest good. */
static void each_setting_has_its_range(void **state)
{
    (void)state;
    WITH(stream_window, 0);
    WITH(stream_window_max, client->config.stream_window - 1);
    WITH(conn_window, 0);
    WITH(conn_window_max, client->config.conn_window - 1);
    WITH(conn_window_max, UINT64_C(1) << 61);
    WITH(stream_send_buffer, 0);
    WITH(max_streams_bidi, (UINT64_C(1) << 60) + 1);
    WITH(max_streams_uni, (UINT64_C(1) << 60) + 1);
    WITH(max_ack_delay, (1u << 14) * TERN_MSEC);
    WITH(initial_rtt, 0);
    WITH(handshake_timeout, 0);
    WITH(max_connections, 0);
    client->config.max_datagram = 65507; /* and the ends of the ranges themselves are good */
    client->config.max_streams_bidi = client->config.max_streams_uni = UINT64_C(1) << 60;
    client->config.max_ack_delay = ((1u << 14) - 1) * TERN_MSEC;
    server->config.max_datagram = 1200;
    server->config.max_streams_bidi = server->config.max_streams_uni = 1;
    server->config.stream_window_max = server->config.stream_window;
    server->config.conn_window_max = server->config.conn_window;
    pair_ready(p);
    talk();
}

static void peers_are_checked(void **state)
{
    (void)state;
    tern_conn *conn = NULL;
    tern_peer good, peer;
    pair_open(p);
    tern_peer_init(&good);
    good.addr = server->addr;
    peer = good;
    peer.size--;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, 0), TERN_ERR_INVALID);
    peer = good;
    peer.addr.port = 0;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, 0), TERN_ERR_INVALID);
    peer = good;
    peer.addr.family = 5;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, 0), TERN_ERR_INVALID);
    peer = good;
    peer.cc = "none";
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, 0), TERN_ERR_INVALID);
    assert_null(conn);
    assert_int_equal(pair_counters(client).connections, 0);
    peer.cc = "bbr";
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now), 0);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    assert_string_equal(stats.cc, "bbr");
}

/* ... and hears the answer, which comes from the address that was meant. */
static void a_mapped_address_is_ipv4(void **state)
{
    (void)state;
    tern_conn *conn = NULL;
    tern_peer peer;
    pair_open(p);
    tern_peer_init(&peer);
    assert_int_equal(tern_addr_parse(&peer.addr, "[::ffff:192.0.2.7]:9"), 0);
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &conn, p->now), 0);
    tern_addr expected, remote = tern_conn_remote(conn);
    assert_int_equal(tern_addr_parse(&expected, "192.0.2.7:9"), 0);
    assert_true(tern_addr_equal(&remote, &expected));
}

/* The secret key is borrowed for the call only, and decides who we are. */
static void a_given_identity_is_kept(void **state)
{
    (void)state;
    uint8_t secret[TERN_KEY_SIZE], public_key[TERN_KEY_SIZE];
    tern_key_generate(secret, public_key);
    server->config.secret_key = secret;
    pair_open(p);
    memset(secret, 0, sizeof secret);
    assert_memory_equal(p->key, public_key, sizeof public_key);
    assert_int_equal(pair_connect(p, public_key), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
}

/* Two busy connections share by turns, a train each. */
static void nobody_is_kept_waiting(void **state)
{
    (void)state;
    static uint8_t much[300000];
    tern_conn *conns[2];
    uint64_t sent[2][2];
    pair_ready(p);
    conns[0] = client->conn;
    assert_int_equal(pair_connect(p, p->key), 0);
    conns[1] = client->conn;
    pair_advance(p, TERN_SEC);
    tern_stats stats = {.size = sizeof stats};
    for (int i = 0; i < 2; i++) {
        tern_stream *stream;
        assert_int_equal(tern_conn_open_stream(conns[i], TERN_STREAM_UNI, &stream), 0);
        assert_int_equal(tern_stream_write(stream, much, sizeof much, 0), sizeof much);
        tern_conn_stats(conns[i], &stats);
        sent[i][0] = stats.bytes_sent;
    }
    tern_train train = {.data = p->buffer, .capacity = 3000};
    for (int i = 0; i < 4; i++) {
        assert_true(tern_endpoint_transmit(client->endpoint, &train, p->now) > 0);
    }
    for (int i = 0; i < 2; i++) {
        tern_conn_stats(conns[i], &stats);
        sent[i][1] = stats.bytes_sent - sent[i][0];
    }
    assert_in_range(sent[0][1], 1200, 6000);
    assert_in_range(sent[1][1], 1200, 6000);
}

static void all_is_counted(void **state)
{
    (void)state;
    pair_ready(p);
    talk();
    for (int i = 0; i < 2; i++) {
        tern_endpoint_counters c = pair_counters(&p->side[i]);
        assert_int_equal(c.connections, 1);
        assert_int_equal(c.half_open, 0);
        assert_int_equal(c.connected, i == PAIR_CLIENT ? 1 : 0);
        assert_int_equal(c.accepted, i == PAIR_CLIENT ? 0 : 1);
        assert_int_equal(c.datagrams_sent, p->side[i].datagrams);
        assert_int_equal(c.datagrams_received, p->side[1 - i].datagrams);
        assert_int_equal(c.dropped_unknown + c.dropped_refused + c.version_negotiations, 0);
    }
    tern_endpoint_counters c; /* of a program built when there was less to count */
    memset(&c, 0xaa, sizeof c);
    c.size = sizeof(size_t) + sizeof(uint64_t);
    tern_endpoint_stats(client->endpoint, &c);
    assert_int_equal(c.connections, 1);
    assert_int_equal(c.half_open, UINT64_C(0xaaaaaaaaaaaaaaaa));
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

/* One round trip brought message 3 and the close together: it was a connection all the same. */
static void a_short_visit_counts(void **state)
{
    (void)state;
    static uint8_t flights[4][1500];
    size_t lens[4] = {0}, n = 0;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    (void)pair_carry(p, PAIR_CLIENT);
    (void)pair_carry(p, PAIR_SERVER);
    tern_train train = {.data = p->buffer, .capacity = 1500};
    while (n < 3 && tern_endpoint_transmit(client->endpoint, &train, p->now) == 1) {
        memcpy(flights[n], train.data, train.len);
        lens[n++] = train.len;
    }
    tern_conn_close(client->conn, 4, "bye");
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    memcpy(flights[n], train.data, train.len);
    lens[n++] = train.len;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pair_inject(p, PAIR_SERVER, flights[i], lens[i]), 0);
    }
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(server->closed, 1);
    assert_int_equal(server->close.code, 4);
    assert_int_equal(pair_counters(server).half_open, 0);
    assert_int_equal(pair_counters(server).accepted, 1);
}

/* A key that gives no secret (RFC 7748 §6.1) is refused before a packet leaves. */
static void keys_of_small_order_cannot_be_pinned(void **state)
{
    (void)state;
    uint8_t key[TERN_KEY_SIZE] = {0};
    pair_open(p);
    uint64_t blocks = client->heap.blocks;
    for (uint8_t i = 0; i < 2; i++) {
        key[0] = i;
        assert_int_equal(pair_connect(p, key), TERN_ERR_INVALID);
    }
    assert_true(client->heap.blocks <= blocks + 2); /* the tables of the endpoint */
    assert_int_equal(pair_counters(client).connections, 0);
    assert_int_equal(tern_endpoint_deadline(client->endpoint), TERN_TIME_NEVER);
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
    cmocka_unit_test_setup_teardown(pinned_key_connects, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(first_contact_connects, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(each_suite_connects, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_server_may_refuse_a_client, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_may_refuse_a_server, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_wrong_key_is_silence, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(any_lost_datagram_is_made_up, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(changed_datagrams_only_delay, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keepalive_holds_an_idle_connection, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(settings_are_checked, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(each_setting_has_its_range, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(peers_are_checked, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_mapped_address_is_ipv4, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_given_identity_is_kept, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nobody_is_kept_waiting, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(all_is_counted, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_short_visit_counts, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keys_of_small_order_cannot_be_pinned, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(connections_have_a_limit, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
