/* The post-quantum hybrid over a KEM that stands in for ML-KEM: messages of two packets, and clear words
 * where an end lacks it or does not want it. [P §4.9]
 * SPDX-License-Identifier: MIT */
#include "early_kit.h"

#include "conn/handshake.h"
#include "conn/input.h"
#include "crypto/keys.h"
#include "unit/mock_kem.h"
#include "wire/header.h"

static const uint8_t mode_secret[TERN_SECRET_SIZE] = "a secret of thirty-two bytes, s";

static void open_hybrid(void)
{
    pair_open(p);
    client->endpoint->env.kem = server->endpoint->env.kem = mock_kem_or_builtin();
    server->endpoint->env.modes.wants_hybrid = true;
}

static int connect_hybrid(const uint8_t *key, const uint8_t *secret, const char *code)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = key;
    peer.secret = secret;
    peer.code = code;
    peer.hybrid = true;
    return tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now);
}

static void expect(int outcome)
{
    unsigned connected = client->connected, accepted = server->connected, closed = client->closed;
    pair_advance(p, 12 * TERN_SEC);
    assert_int_equal(client->connected, connected + (outcome == 0 ? 1 : 0));
    assert_int_equal(server->connected, accepted + (outcome == 0 ? 1 : 0));
    if (outcome != 0) {
        assert_int_equal(client->closed, closed + 1);
        assert_int_equal(client->close.error, outcome);
    }
}

static void hybrids_connect(void **state)
{
    (void)state;
    server->config.secret = mode_secret;
    server->config.code = "7-orbit-salmon";
    open_hybrid();
    server->endpoint->env.modes.has_secret = server->endpoint->env.modes.wants_code = false;
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
    expect(0);
    assert_int_equal(connect_hybrid(NULL, NULL, NULL), 0);
    expect(0);
    server->endpoint->env.modes.has_secret = server->endpoint->env.modes.wants_code = true;
    assert_int_equal(connect_hybrid(p->key, mode_secret, NULL), 0);
    expect(0);
    assert_int_equal(connect_hybrid(NULL, mode_secret, NULL), 0);
    expect(0);
    assert_int_equal(connect_hybrid(NULL, NULL, "7-orbit-salmon"), 0);
    expect(0);
}

static void a_hybrid_costs_no_round_trip(void **state)
{
    (void)state;
    open_hybrid();
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
    tern_time start = p->now;
    (void)pair_carry(p, PAIR_CLIENT);
    (void)pair_carry(p, PAIR_SERVER);
    (void)pair_carry(p, PAIR_CLIENT);
    early_poll(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(p->now - start, 3 * PAIR_HOP);
}

static void both_ends_must_want_it(void **state)
{
    (void)state;
    open_hybrid();
    assert_int_equal(pair_connect(p, p->key), 0);
    expect(TERN_ERR_MODE);
    assert_int_equal(pair_connect(p, NULL), 0);
    expect(TERN_ERR_MODE);
    server->endpoint->env.modes.wants_hybrid = false;
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
    expect(TERN_ERR_MODE);
    server->endpoint->env.kem = NULL; /* as where libsodium has none */
    assert_int_equal(connect_hybrid(NULL, NULL, NULL), 0);
    expect(TERN_ERR_MODE);
}

static void a_build_without_it_says_so(void **state)
{
    (void)state;
    server->config.hybrid = true;
    if (tern_kem_builtin() != NULL) {
        print_message("this libsodium has ML-KEM-768\n");
        pair_open(p);
        assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
        expect(0);
        return;
    }
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now),
                     TERN_ERR_UNSUPPORTED);
    server->config.hybrid = false;
    pair_open(p);
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), TERN_ERR_UNSUPPORTED);
}

static bool drop_masked(struct pair *pair, int from, uint8_t *data, size_t len)
{
    bool is_dropped = (pair->wire_arg & 1) != 0;
    (void)from;
    (void)data;
    (void)len;
    pair->wire_arg >>= 1;
    return !is_dropped;
}

/* Two packets each way make more that can be lost. */
static void any_of_the_first_datagrams_may_be_lost(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 256; mask++) {
        early_setup(state);
        client->config.handshake_timeout = server->config.handshake_timeout = 60 * TERN_SEC;
        open_hybrid();
        p->wire = drop_masked;
        p->wire_arg = mask;
        assert_int_equal(connect_hybrid(mask % 2 == 0 ? p->key : NULL, NULL, NULL), 0);
        pair_advance(p, 50 * TERN_SEC);
        assert_int_equal(client->connected + server->connected, 2);
        pair_close(p);
    }
    early_setup(state);
    pair_open(p);
}

/* Three times what came, two padded packets: enough for both of message 2. */
static void the_amplification_limit_holds(void **state)
{
    (void)state;
    open_hybrid();
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
    (void)pair_carry(p, PAIR_CLIENT);
    assert_int_equal(client->datagrams, 2);
    (void)pair_carry(p, PAIR_SERVER);
    assert_int_equal(server->datagrams, 2);
    assert_true(server->bytes <= 3 * client->bytes);
}

/* Halves of messages alone: each holds a place until its time is over, no longer, and Retry stands in
 * front of a crowd of them as of any other. */
static void halves_hold_no_place_for_long(void **state)
{
    (void)state;
    open_hybrid();
    for (int i = 0; i < 20; i++) {
        tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
        assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
        assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
        assert_int_equal(pair_inject(p, PAIR_SERVER, p->buffer, train.len), 0);
        assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1); /* lost */
        assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 0);
        assert_int_equal(tern_endpoint_transmit(server->endpoint, &train, p->now), 0);
    }
    assert_int_equal(pair_counters(server).half_open, 20);
    p->now += 11 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    early_poll(p);
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
    }
    assert_int_equal(pair_counters(server).half_open, 0);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* A forger who knows the server's key puts junk where the second half belongs: the message does not
 * verify, all of it is forgotten, and the client's repetition gets through. */
static void forged_pieces_only_delay(void **state)
{
    static const uint8_t frame[] = {0x06, 0x43, 0xe8, 0x44, 0x4c}; /* 1100 bytes at 1000 */
    uint8_t packet[SEAL_MAX];
    struct tern_packet_keys keys;
    (void)state;
    open_hybrid();
    assert_int_equal(connect_hybrid(p->key, NULL, NULL), 0);
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    assert_int_equal(pair_inject(p, PAIR_SERVER, p->buffer, train.len), 0);
    struct tern_handshake *hs = client->conn->handshake;
    struct seal_head head = {TERN_PACKET_INITIAL, &hs->original_dcid, &hs->client_scid, 99};
    seal_initial_keys(&keys, PAIR_CLIENT, &hs->original_dcid, p->key);
    size_t len = seal_long(packet, &head, &keys, frame, sizeof frame, 1140);
    tern_packet_keys_clear(&keys);
    assert_int_equal(pair_inject(p, PAIR_SERVER, packet, len), 0);
    pair_advance(p, 8 * TERN_SEC);
    assert_int_equal(client->connected + server->connected, 2);
}

static void early_data_goes_with_it(void **state)
{
    tern_peer peer;
    (void)state;
    open_hybrid();
    early_peer(&peer);
    peer.hybrid = true;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
    pair_advance(p, TERN_SEC);
    assert_true(ticket_len > 0);
    tern_conn_close(client->conn, 0, NULL);
    pair_advance(p, 5 * TERN_SEC);
    memset(&heard, 0, sizeof heard);
    early_peer(&peer);
    peer.hybrid = true;
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
    assert_int_equal(tern_stream_set_early(client->stream), 0);
    assert_int_equal(tern_stream_write(client->stream, "hello", 5, TERN_FIN), 5);
    pair_advance(p, 2 * TERN_SEC);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_ACCEPTED);
    assert_int_equal(heard.read_len, 5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(hybrids_connect, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_hybrid_costs_no_round_trip, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(both_ends_must_want_it, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_build_without_it_says_so, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(any_of_the_first_datagrams_may_be_lost, early_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(the_amplification_limit_holds, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(halves_hold_no_place_for_long, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(forged_pieces_only_delay, early_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(early_data_goes_with_it, early_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
