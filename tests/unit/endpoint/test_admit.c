/* The door: who may take our memory, how many, and what they get for their bytes.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"
#include "seal_kit.h"

/* The client's first datagram, which is not sent. */
static size_t first_datagram(uint8_t *out, size_t capacity, const uint8_t *key)
{
    assert_int_equal(pair_connect(p, key), 0);
    tern_train train = {.data = out, .capacity = capacity};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    assert_true(train.len >= 1200);
    return train.len;
}

/* What the server sends back now. */
static size_t answer_bytes(void)
{
    size_t total = 0;
    tern_train train = {.data = p->buffer, .capacity = sizeof p->buffer};
    while (tern_endpoint_transmit(server->endpoint, &train, p->now) > 0) {
        total += train.len;
    }
    return total;
}

static void silent_servers_know_their_friends(void **state)
{
    (void)state;
    server->config.silent = true;
    pair_open(p);
    assert_int_equal(pair_connect(p, NULL), 0);
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(server->datagrams, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
}

static void clients_accept_nobody(void **state)
{
    (void)state;
    server->config.accept = false;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(server->datagrams, 0);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* Nothing but a packet that opens takes memory, whatever its length. */
static void junk_takes_nothing(void **state)
{
    (void)state;
    static uint8_t junk[1501];
    pair_open(p);
    uint64_t blocks = server->heap.blocks, seed = 5;
    for (size_t len = 0; len <= 1500; len++) {
        for (int kind = 0; kind < 3; kind++) {
            pair_random(&seed, junk, len);
            if (kind > 0 && len > 6) { /* as a first Initial begins */
                memcpy(junk, "\xc0TRN\x01\x08", 6);
                junk[14] = kind == 1 ? 8 : junk[14];
            }
            assert_int_equal(pair_inject(p, PAIR_SERVER, junk, len), 0);
            size_t answered = answer_bytes(); /* an unknown version is told ours */
            assert_true(answered <= len && (kind == 0 || len <= 6 || answered == 0));
        }
    }
    assert_int_equal(server->heap.blocks, blocks);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* A true first packet with one bit flipped anywhere is no first packet. */
static void one_flipped_bit_takes_nothing(void **state)
{
    (void)state;
    uint8_t first[2000], copy[2000];
    pair_open(p);
    size_t len = first_datagram(first, sizeof first, p->key);
    uint64_t blocks = server->heap.blocks;
    for (size_t bit = 0; bit < len * 8; bit += 3) {
        memcpy(copy, first, len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(pair_inject(p, PAIR_SERVER, copy, len), 0);
        assert_int_equal(pair_counters(server).connections, 0);
        assert_true(answer_bytes() <= 3 * len); /* a changed version is answered */
    }
    assert_int_equal(server->heap.blocks, blocks);
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, len), 0);
    assert_int_equal(pair_counters(server).connections, 1);
}

static struct seal_message message;
static uint64_t knock_calls; /* of the server's allocator, by the last knock */

static void take_message_1(void)
{
    uint8_t first[2000];
    size_t len = first_datagram(first, sizeof first, NULL);
    seal_take_message_1(&message, first, len);
}

/* Sends it in a packet of this kind. How many connections does the server make of it? */
static uint64_t knock(enum tern_packet_type type, uint8_t dcid_len, size_t datagram)
{
    static uint8_t number;
    struct tern_cid dcid = {.len = dcid_len, .bytes = {++number}};
    uint8_t packet[SEAL_MAX];
    struct tern_packet_keys keys;
    struct seal_head head = {type, &dcid, &message.scid, 0};
    seal_initial_keys(&keys, PAIR_CLIENT, &dcid, NULL);
    size_t len = seal_long(packet, &head, &keys, message.frames, message.len, datagram - 60);
    assert_true(len <= datagram);
    tern_packet_keys_clear(&keys);
    tern_endpoint_counters before = pair_counters(server);
    knock_calls = server->heap.calls;
    assert_int_equal(pair_inject(p, PAIR_SERVER, packet, datagram), 0);
    knock_calls = server->heap.calls - knock_calls;
    uint64_t made = pair_counters(server).connections - before.connections;
    assert_int_equal(pair_counters(server).dropped_unknown - before.dropped_unknown, 1 - made);
    return made;
}

/* [P §12.3]: what is sealed as it should be must still be an Initial, long enough, to 8 bytes. */
static void only_first_packets_begin_one(void **state)
{
    (void)state;
    pair_open(p);
    take_message_1();
    assert_int_equal(knock(TERN_PACKET_INITIAL, 8, 1199), 0);
    assert_int_equal(knock_calls, 0);
    assert_int_equal(knock(TERN_PACKET_INITIAL, 7, 1200), 0);
    assert_int_equal(knock_calls, 0);
    assert_int_equal(knock(TERN_PACKET_HANDSHAKE, 8, 1200), 0);
    assert_int_equal(knock_calls, 0);
    assert_int_equal(knock(TERN_PACKET_ZERO_RTT, 8, 1200), 0);
    assert_int_equal(knock_calls, 0);
    assert_int_equal(knock(TERN_PACKET_INITIAL, 8, 1200), 1);
    assert_int_equal(knock(TERN_PACKET_INITIAL, 20, 1200), 1);
}

/* [P §12.3]: anybody can seal an Initial; without a message 1 that verifies nothing stays of it. */
static void a_sealed_ping_takes_no_place(void **state)
{
    (void)state;
    server->config.max_half_open = 2;
    pair_open(p);
    take_message_1();
    uint64_t blocks = 0;
    message.frames[0] = 1; /* PING, then PADDING */
    message.len = 1;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(knock(TERN_PACKET_INITIAL, 8, 1200), 0);
        blocks = i == 0 ? server->heap.blocks : blocks; /* the endpoint's tables stay */
        assert_int_equal(pair_counters(server).half_open, 0);
        assert_int_equal(server->heap.blocks, blocks);
        assert_int_equal(answer_bytes(), 0);
    }
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* RFC 9000 §14.1, §8.1 */
static void short_datagrams_and_amplification(void **state)
{
    (void)state;
    uint8_t first[2000], copy[2000];
    pair_open(p);
    size_t len = first_datagram(first, sizeof first, p->key);
    for (size_t cut = 0; cut < 1200; cut += 7) {
        memcpy(copy, first, cut);
        assert_int_equal(pair_inject(p, PAIR_SERVER, copy, cut), 0);
        assert_int_equal(pair_counters(server).connections, 0);
    }
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, len), 0);
    size_t answered = answer_bytes();
    for (int i = 0; i < 200;
         i++) { /* the client stays silent: probes until the limit, and no more */
        p->now += 100 * TERN_MSEC;
        tern_endpoint_tick(server->endpoint, p->now);
        answered += answer_bytes();
    }
    assert_in_range(answered, 200, 3 * len);
    assert_int_equal(pair_counters(server).connections,
                     0); /* and the handshake's timeout freed it */
}

static void half_open_ones_are_bounded(void **state)
{
    (void)state;
    uint8_t first[2000];
    server->config.max_half_open = 10;
    pair_open(p);
    for (int i = 0; i < 50; i++) {
        size_t len = first_datagram(first, sizeof first, p->key);
        assert_int_equal(pair_inject(p, PAIR_SERVER, first, len), 0);
        assert_true(pair_counters(server).half_open <= 10);
    }
    assert_int_equal(pair_counters(server).half_open, 10);
    assert_int_equal(pair_counters(server).dropped_refused, 40);
    pair_advance(p, 60 * TERN_SEC);
    assert_int_equal(pair_counters(server).half_open, 0);
}

static void established_ones_are_not_half_open(void **state)
{
    (void)state;
    server->config.max_half_open = 1;
    pair_open(p);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_exchange(p);
        assert_int_equal(server->connected, i);
    }
    assert_int_equal(pair_counters(server).half_open, 0);
    assert_int_equal(pair_counters(server).accepted, 5);
}

static void all_connections_are_bounded(void **state)
{
    (void)state;
    server->config.max_connections = 3;
    pair_open(p);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_exchange(p);
    }
    assert_int_equal(server->connected, 3);
    assert_true(pair_counters(server).dropped_refused > 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(silent_servers_know_their_friends, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(clients_accept_nobody, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(junk_takes_nothing, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(one_flipped_bit_takes_nothing, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(only_first_packets_begin_one, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_sealed_ping_takes_no_place, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(short_datagrams_and_amplification, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(half_open_ones_are_bounded, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(established_ones_are_not_half_open, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(all_connections_are_bounded, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
