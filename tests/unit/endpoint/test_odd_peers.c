/* Peers that are odd on purpose: twins that drew the same numbers, keys of small order, windows of a byte.
 * SPDX-License-Identifier: MIT */
#include <time.h>

#include "conn/input.h"
#include "crypto/keys.h"
#include "door_kit.h"
#include "one_pair.h"

/* --- twins ---------------------------------------------------------------------------------------- */

static struct pair_side twin;

static void open_twin(void)
{
    tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, &twin.heap};
    memset(&twin, 0, sizeof twin);
    twin.config = client->config;
    twin.seed = client->seed; /* the same identifiers, and the same keys */
    twin.config.random.user = &twin.seed;
    twin.config.allocator = hooks;
    twin.addr = door_addr("203.0.113.9:9");
    assert_int_equal(tern_endpoint_new(&twin.endpoint, &twin.config, p->now), 0);
}

static void give_to(struct pair_side *to, const tern_addr *from, uint8_t *data, size_t len)
{
    tern_datagram in = {.local = to->addr, .remote = *from, .data = data, .len = len};
    assert_int_equal(tern_endpoint_receive(to->endpoint, &in, 1, p->now), 0);
}

/* Everything that one of the three has to say, to where it is said. */
static bool carry_of_three(struct pair_side *from)
{
    static uint8_t data[65536];
    tern_train train = {.data = data, .capacity = sizeof data};
    bool has_any = false;
    while (tern_endpoint_transmit(from->endpoint, &train, p->now) > 0) {
        has_any = true;
        for (size_t at = 0; at < train.len; at += train.segment) {
            struct pair_side *to = from != server                               ? server
                                   : tern_addr_equal(&train.remote, &twin.addr) ? &twin
                                                                                : client;
            give_to(to, &from->addr, data + at, TERN_MIN(train.segment, train.len - at));
        }
    }
    pair_poll(from);
    return has_any;
}

static void run_three(tern_time length)
{
    tern_time end = p->now + length;
    while (p->now < end) {
        while (carry_of_three(client) || carry_of_three(&twin) || carry_of_three(server)) {
        }
        p->now += 10 * TERN_MSEC;
        tern_endpoint_tick(client->endpoint, p->now);
        tern_endpoint_tick(twin.endpoint, p->now);
        tern_endpoint_tick(server->endpoint, p->now);
    }
    pair_poll(client);
    pair_poll(&twin);
    pair_poll(server);
}

/* Two first packets that are equal to the last bit, from two addresses: nobody hears the other's words. */
static void twins_do_not_hear_each_other(void **state)
{
    (void)state;
    tern_peer peer;
    uint8_t first[2000], same[2000];
    open_twin();
    pair_open(p);
    tern_peer_init(&peer);
    peer.addr = server->addr;
    peer.key = p->key;
    twin.seed = client->seed = 77;
    assert_int_equal(pair_connect(p, p->key), 0);
    assert_int_equal(tern_endpoint_connect(twin.endpoint, &peer, &twin.conn, p->now), 0);
    size_t len = door_say(p, PAIR_CLIENT, first);
    tern_train train = {.data = same, .capacity = sizeof same};
    assert_int_equal(tern_endpoint_transmit(twin.endpoint, &train, p->now), 1);
    assert_int_equal(train.len, len);
    assert_memory_equal(first + 6, same + 6, 8); /* the identifier that both chose */
    give_to(server, &client->addr, first, len);
    give_to(server, &twin.addr, same, len);
    run_three(25 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_true(twin.connected == 1 ||
                twin.closed == 1); /* heard once the other needs it no more, or not */
    assert_int_equal(server->connected, client->connected + twin.connected);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "mine", 4, TERN_FIN), 4);
    run_three(TERN_SEC);
    char heard[8];
    assert_int_equal(server->opened, 1);
    assert_int_equal(tern_stream_read(server->stream, heard, sizeof heard), 4);
    assert_memory_equal(heard, "mine", 4);
    assert_int_equal(twin.opened, 0);
    tern_endpoint_free(twin.endpoint);
    assert_int_equal(twin.heap.blocks, 0);
}

/* --- keys of small order -------------------------------------------------------------------------- */

/* RFC 7748 §6.1: the points of small order on the curve and its twist, in every encoding. */
static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void read_point(uint8_t out[32], size_t i)
{
    const char *hex = low_order[i / 2];
    for (size_t k = 0; k < 32; k++) {
        unsigned byte = 0;
        for (size_t n = 0; n < 2; n++) {
            char c = hex[2 * k + n];
            byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        out[k] = (uint8_t)byte;
    }
    out[31] |= (uint8_t)(i % 2 << 7); /* which X25519 ignores */
}

/* Puts another ephemeral key into the client's first packet, as anybody can. */
static void replace_key(uint8_t *data, const uint8_t *key, const uint8_t point[32])
{
    uint8_t secrets[2][32], mask[TERN_MASK_SIZE];
    struct tern_packet_keys keys;
    struct tern_opened opened;
    struct tern_header header = door_header(data, 1200);
    tern_initial_secrets(secrets[0], secrets[1], header.dcid.bytes, header.dcid.len, key);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secrets[0]), 0);
    assert_int_equal(tern_packet_unseal(&opened, &header, data, &keys, 0), 0);
    memcpy(opened.payload + 4 + 9, point, 32); /* behind the frame's head and the envelope's */
    size_t header_len = (size_t)(opened.payload - data), pn_len = header_len - header.pn_offset;
    assert_int_equal(
        tern_packet_seal(&keys, 0, opened.pn, data, header_len, opened.payload, opened.payload_len),
        0);
    tern_aead_mask(&keys.mask, data + header.pn_offset + 4, mask);
    tern_header_mask(data, header.pn_offset, pn_len, mask);
    tern_packet_keys_clear(&keys);
}

static clock_t time_of(const uint8_t *data, size_t len)
{
    clock_t start = clock();
    for (int i = 0; i < 20; i++) {
        door_hear(p, PAIR_SERVER, &client->addr, data, len);
    }
    return clock() - start;
}

/* All are dropped alike: no answer, no place, no memory, and in the same time. */
static void keys_of_small_order_are_dropped_alike(void **state)
{
    (void)state;
    server->config.initial_rate = 0;
    pair_open(p);
    for (int is_keyed = 0; is_keyed < 2; is_keyed++) {
        const uint8_t *key = is_keyed != 0 ? p->key : NULL;
        clock_t least[2 * TERN_COUNT_OF(low_order)], fastest = 0, slowest = 0;
        uint8_t first[2000], packet[2000], point[32], out[2000];
        assert_int_equal(pair_connect(p, key), 0);
        size_t len = door_say(p, PAIR_CLIENT, first);
        uint64_t before = 0;
        for (size_t round = 0; round < 8; round++) {
            for (size_t i = 0; i < TERN_COUNT_OF(least); i++) {
                memcpy(packet, first, len);
                read_point(point, i);
                replace_key(packet, key, point);
                clock_t took = time_of(packet, len);
                least[i] = round == 0 ? took : TERN_MIN(least[i], took);
                before = before == 0 ? server->heap.bytes : before;
                assert_int_equal(door_say(p, PAIR_SERVER, out), 0);
                assert_int_equal(pair_counters(server).connections, 0);
                assert_int_equal(server->heap.bytes, before);
            }
        }
        for (size_t i = 0; i < TERN_COUNT_OF(least); i++) {
            fastest = i == 0 ? least[i] : TERN_MIN(fastest, least[i]);
            slowest = TERN_MAX(slowest, least[i]);
        }
        assert_true(slowest <= 3 * fastest);
    }
}

/* --- windows of a byte ---------------------------------------------------------------------------- */

/* Who grants a byte and reads nothing holds a bounded buffer and no timer: it is over with the idle timeout. */
static void a_window_of_a_byte_ends_with_idleness(void **state)
{
    (void)state;
    static const uint8_t much[1000000];
    tern_stream *stream;
    server->config.stream_window = server->config.conn_window = 1;
    server->config.stream_window_max = server->config.conn_window_max = 1;
    client->config.idle_timeout = 20 * TERN_SEC;
    client->config.stream_send_buffer = 65536;
    pair_ready(p);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
    uint64_t before = client->heap.bytes;
    ptrdiff_t taken = tern_stream_write(stream, much, sizeof much, 0);
    assert_true(taken > 0 && taken < (ptrdiff_t)sizeof much);
    pair_advance(p, 2 * TERN_SEC);
    assert_true(client->heap.bytes - before <= client->config.stream_send_buffer + 16384);
    uint64_t said = client->datagrams;
    pair_advance(p, 15 * TERN_SEC);
    assert_true(client->datagrams - said < 20);
    pair_advance(p, 10 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.error, TERN_ERR_TIMEOUT);
    assert_int_equal(pair_counters(client).connections, 0);
}

/* ... and while it is kept alive the application's own patience counts. */
static void the_application_ends_one_that_is_kept_alive(void **state)
{
    (void)state;
    static const uint8_t much[1000000];
    tern_stream *stream;
    server->config.stream_window = server->config.conn_window = 1;
    server->config.stream_window_max = server->config.conn_window_max = 1;
    client->config.keepalive = 5 * TERN_SEC;
    pair_ready(p);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &stream), 0);
    assert_true(tern_stream_write(stream, much, sizeof much, TERN_FIN) > 0);
    uint64_t held = client->heap.bytes;
    pair_advance(p, 300 * TERN_SEC);
    assert_int_equal(client->closed, 0);
    assert_true(client->heap.bytes <= held + 4096);
    tern_conn_close(client->conn, 7, "no progress");
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(server->closed, 1);
    assert_int_equal(pair_counters(client).connections + pair_counters(server).connections, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(twins_do_not_hear_each_other, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(keys_of_small_order_are_dropped_alike, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_window_of_a_byte_ends_with_idleness, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(the_application_ends_one_that_is_kept_alive, pair_setup,
                                    pair_teardown),
};

TERN_TEST_MAIN(tests)
