/* Half-open connections: two kilobytes each at rest, and awake again when it counts.
 * SPDX-License-Identifier: MIT */
#include "conn/dormant.h"
#include "conn/handshake.h"
#include "conn/input.h"
#include "crypto/keys.h"
#include "door_kit.h"
#include "endpoint/endpoint.h"
#include "one_pair.h"
#include "seal_kit.h"

#define MANY 2000

static struct seal_message message;

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    server->config.retry_half_open = SIZE_MAX;
    server->config.initial_rate = 0;
    return 0;
}

static void take_message_1(void)
{
    uint8_t first[2000];
    assert_int_equal(pair_connect(p, NULL), 0);
    size_t len = door_say(p, PAIR_CLIENT, first);
    seal_take_message_1(&message, first, len);
}

/* Handshake number n, from an address of its own. */
static void knock_with(unsigned n, size_t len)
{
    struct tern_cid dcid = {.len = 8,
                            .bytes = {(uint8_t)n, (uint8_t)(n >> 8), 3, (uint8_t)(n >> 16)}};
    uint8_t packet[SEAL_MAX];
    struct tern_packet_keys keys;
    struct seal_head head = {TERN_PACKET_INITIAL, &dcid, &message.scid, 0};
    seal_initial_keys(&keys, PAIR_CLIENT, &dcid, NULL);
    (void)seal_long(packet, &head, &keys, message.frames, message.len, 1200 - 80);
    tern_packet_keys_clear(&keys);
    tern_addr from = door_addr("10.0.0.0:5");
    from.ip[1] = (uint8_t)(n >> 16);
    from.ip[2] = (uint8_t)(n >> 8);
    from.ip[3] = (uint8_t)n;
    door_hear(p, PAIR_SERVER, &from, packet, len);
}

static void knock(unsigned n)
{
    knock_with(n, 1200);
}

static size_t drain(void)
{
    uint8_t out[2000];
    size_t total = 0, n;
    while ((n = door_say(p, PAIR_SERVER, out)) > 0) {
        total += n;
    }
    return total;
}

/* A thousand half-open ones and more: the heap that each of them holds, tables included. */
static void each_costs_two_kilobytes(void **state)
{
    (void)state;
    pair_open(p);
    take_message_1();
    uint64_t before = server->heap.bytes;
    size_t said = 0;
    for (unsigned n = 0; n < MANY; n++) {
        knock(n);
        said += drain();
    }
    assert_int_equal(pair_counters(server).half_open, MANY);
    assert_true(said > (uint64_t)MANY * 200);
    uint64_t each = (server->heap.bytes - before) / MANY;
    print_message("%llu bytes each, peak %llu\n", (unsigned long long)each,
                  (unsigned long long)server->heap.peak);
    assert_true(each <= 2048);
    assert_true(server->heap.peak - server->heap.bytes <
                65536); /* one awake at a time, and a table */
    /* They say message 2 again, as far as three times goes, and still take no more. */
    for (int i = 0; i < 60; i++) {
        p->now += 100 * TERN_MSEC;
        tern_endpoint_tick(server->endpoint, p->now);
        said += drain();
        assert_true(said <= (uint64_t)MANY * 3600);
    }
    assert_true((server->heap.bytes - before) / MANY <= 2048);
    p->now += 5 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    assert_int_equal(drain(), 0);
    assert_int_equal(pair_counters(server).half_open, 0);
    assert_int_equal(pair_counters(server).connections, 0);
}

/* A hundred thousand at once, of whom nobody goes on: small, and gone with the time of a handshake. */
static void a_flood_is_gone_in_ten_seconds(void **state)
{
    (void)state;
    const unsigned many = TERN_TEST_TIMES(100000u);
    server->config.max_half_open = server->config.max_connections = many + 1;
    pair_open(p);
    take_message_1();
    uint64_t before = server->heap.bytes;
    for (unsigned n = 0; n < many; n++) {
        knock(n);
        (void)drain();
    }
    assert_int_equal(pair_counters(server).half_open, many);
    assert_true((server->heap.bytes - before) / many <= 2048);
    p->now += 10 * TERN_SEC;
    tern_endpoint_tick(server->endpoint, p->now);
    assert_int_equal(drain(), 0);
    assert_int_equal(pair_counters(server).half_open, 0);
    assert_int_equal(pair_counters(server).connections, 0);
    assert_true(server->heap.bytes - before < (uint64_t)many * 512); /* tables keep their size */
}

/* As a server is configured: from the thousandth on each has to show itself, and takes nothing. */
static void from_a_thousand_on_each_is_asked(void **state)
{
    (void)state;
    tern_config fresh;
    tern_config_init(&fresh);
    server->config.retry_half_open = fresh.retry_half_open;
    pair_open(p);
    take_message_1();
    for (unsigned n = 0; n < 1000; n++) {
        knock(n);
        (void)drain();
    }
    assert_int_equal(pair_counters(server).half_open, 1000);
    uint64_t calls = server->heap.calls;
    for (unsigned n = 1000; n < TERN_TEST_TIMES(100000u); n++) {
        knock(n);
        assert_true(drain() <= 400);
    }
    assert_int_equal(server->heap.calls, calls);
    assert_int_equal(pair_counters(server).half_open, 1000);
    assert_int_equal(pair_counters(server).retries, TERN_TEST_TIMES(100000u) - 1000);
}

/* A message 1 that verifies and makes no sense is answered, and then nothing is left of it. */
static void senseless_ones_leave_nothing(void **state)
{
    (void)state;
    static const uint8_t no_parameters[4 + 9 + 32] = {0x06, 0x00, 0x40, 0x29, 1, 1,  0,
                                                      1,    0,    0,    0,    0, 32, 9};
    pair_open(p);
    take_message_1();
    memcpy(message.frames, no_parameters, sizeof no_parameters);
    message.len = sizeof no_parameters;
    uint64_t before = 0;
    for (unsigned n = 0; n < 200; n++) {
        knock(n);
        assert_true(drain() > 0);
        assert_int_equal(pair_counters(server).connections, 0);
        before = n == 0 ? server->heap.bytes : before; /* the tables stay */
        assert_int_equal(server->heap.bytes, before);
    }
}

/* A few bytes are left of what may be sent, too few for a packet: no timer runs idle for that. */
static void a_small_allowance_makes_no_haste(void **state)
{
    (void)state;
    static const uint8_t long_identifier[4 + 9 + 32 + 22] = {
        0x06, 0x00, 0x40, 0x3f, 1, 1, 0, 1, 0, 0, 0, 0, 54, 9, [45] = 0x0f, 20, 7};
    pair_open(p);
    memcpy(message.frames, long_identifier, sizeof long_identifier);
    message.len = sizeof long_identifier;
    message.scid = (struct tern_cid){.len = 20, .bytes = {7}};
    for (size_t len = 1200; len < 1260; len++) { /* 3 * 1223 is 69 more than three full datagrams */
        knock_with((unsigned)len, len);
        assert_int_equal(pair_counters(server).half_open, 1);
        (void)drain();
        unsigned ticks = 0;
        while (pair_counters(server).half_open > 0 && ticks < 1000) {
            p->now = TERN_MAX(p->now, tern_endpoint_deadline(server->endpoint));
            tern_endpoint_tick(server->endpoint, p->now);
            (void)drain();
            ticks++;
        }
        assert_true(ticks < 30);
    }
}

static struct tern_dormant *the_dormant(void)
{
    struct tern_list *list = &server->endpoint->dormants;
    assert_false(tern_list_is_empty(list));
    return TERN_CONTAINER_OF(list->next, struct tern_dormant, node);
}

/* Up to where message 2 has left and the server rests. */
static size_t rest_after_message_2(uint8_t *message_2)
{
    uint8_t first[2000];
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    size_t len = door_say(p, PAIR_CLIENT, first);
    door_hear(p, PAIR_SERVER, &client->addr, first, len);
    size_t n = door_say(p, PAIR_SERVER, message_2);
    assert_int_equal(drain(), 0);
    assert_non_null(the_dormant());
    return n;
}

static void it_wakes_for_message_3(void **state)
{
    (void)state;
    uint8_t second[2000], third[2000];
    size_t len = rest_after_message_2(second);
    uint64_t resting = server->heap.bytes;
    door_hear(p, PAIR_CLIENT, &server->addr, second, len);
    len = door_say(p, PAIR_CLIENT, third);
    door_hear(p, PAIR_SERVER, &client->addr, third, len);
    assert_true(tern_list_is_empty(&server->endpoint->dormants));
    assert_true(server->heap.bytes > resting + 4096);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->connected, 1);
}

/* The packet number of a server's Initial. */
static uint64_t number_of(const uint8_t *data, size_t len, const struct tern_cid *odcid)
{
    uint8_t copy[2000], secrets[2][32];
    struct tern_packet_keys keys;
    struct tern_opened opened;
    struct tern_header header = door_header(data, len);
    memcpy(copy, data, len);
    tern_initial_secrets(secrets[0], secrets[1], odcid->bytes, odcid->len, p->key);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secrets[1]), 0);
    assert_int_equal(tern_packet_unseal(&opened, &header, copy, &keys, 0), 0);
    tern_packet_keys_clear(&keys);
    return opened.pn;
}

static void message_2_is_said_again_with_other_numbers(void **state)
{
    (void)state;
    uint8_t one[2000], two[2000];
    size_t len = rest_after_message_2(one);
    struct tern_header header = door_header(one, len);
    assert_true(header.type == TERN_PACKET_INITIAL && header.token_len == 0);
    assert_true(len >= 1200); /* RFC 9000 §14.1 */
    p->now = tern_endpoint_deadline(server->endpoint);
    tern_endpoint_tick(server->endpoint, p->now);
    assert_int_equal(door_say(p, PAIR_SERVER, two), len);
    assert_true(drain() > 0); /* two probes */
    struct tern_cid odcid = the_dormant()->handshake->initial_dcid;
    assert_true(number_of(two, len, &odcid) > number_of(one, len, &odcid));
    door_hear(p, PAIR_CLIENT, &server->addr, two, len);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* Whoever has seen the identifiers can send packets of the Handshake level, but no message 3. */
static void forged_handshake_packets_change_nothing(void **state)
{
    (void)state;
    uint8_t second[2000], junk[1200];
    uint64_t seed = 9;
    size_t len = rest_after_message_2(second);
    struct tern_header header = door_header(second, len);
    uint64_t resting = server->heap.bytes, blocks = server->heap.blocks;
    for (int i = 0; i < 500; i++) {
        struct tern_writer w;
        pair_random(&seed, junk, sizeof junk);
        tern_writer_init(&w, junk, sizeof junk);
        tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &header.scid, &header.dcid, NULL, 0, 0,
                                2, 300);
        door_hear(p, PAIR_SERVER, &client->addr, junk, 400);
        assert_int_equal(drain(), 0);
        assert_int_equal(server->heap.bytes, resting);
        assert_int_equal(server->heap.blocks, blocks);
    }
    door_hear(p, PAIR_CLIENT, &server->addr, second, len);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* The client has the keys of the Handshake level and says something else first: its address is proved by
 * that, and it is still half-open, and small. */
static void a_ping_in_place_of_message_3(void **state)
{
    (void)state;
    uint8_t second[2000], packet[200], mask[TERN_MASK_SIZE];
    struct tern_writer w;
    size_t len = rest_after_message_2(second);
    struct tern_header header = door_header(second, len);
    uint64_t resting = server->heap.bytes;
    door_hear(p, PAIR_CLIENT, &server->addr, second, len);
    struct tern_packet_keys *keys = &client->conn->spaces[TERN_LEVEL_HANDSHAKE].keys->tx;
    for (uint64_t pn = 100; pn < 120; pn++) {
        memset(packet, 0, sizeof packet);
        tern_writer_init(&w, packet, sizeof packet);
        tern_header_encode_long(&w, TERN_PACKET_HANDSHAKE, &header.scid, &header.dcid, NULL, 0, pn,
                                4, 20 + 16);
        size_t header_len = tern_writer_used(&w);
        packet[header_len] = 1; /* PING */
        assert_int_equal(tern_packet_seal(keys, 0, pn, packet, header_len, packet + header_len, 20),
                         0);
        tern_aead_mask(&keys->mask, packet + header_len, mask);
        tern_header_mask(packet, header_len - 4, 4, mask);
        door_hear(p, PAIR_SERVER, &client->addr, packet, header_len + 36);
        assert_true(drain() > 0); /* it is acknowledged */
        assert_true(the_dormant()->is_validated);
        assert_true(server->heap.bytes <= resting);
    }
    size_t third = door_say(p, PAIR_CLIENT, second);
    door_hear(p, PAIR_SERVER, &client->addr, second, third);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->connected, 1);
}

/* 1-RTT packets that overtake message 3 are kept meanwhile, but no flood of them, and not for many. */
static void early_packets_are_kept_within_bounds(void **state)
{
    (void)state;
    uint8_t second[2000], junk[1500] = {0x40};
    size_t len = rest_after_message_2(second);
    struct tern_header header = door_header(second, len);
    memcpy(junk + 1, header.scid.bytes, 8);
    uint64_t resting = server->heap.bytes;
    for (int i = 0; i < 1000; i++) {
        door_hear(p, PAIR_SERVER, &client->addr, junk, sizeof junk);
    }
    assert_in_range(server->heap.bytes - resting, 15000, 15000 + 512);
    server->endpoint->env.early_bytes = TERN_EARLY_TOTAL_MAX - 100;
    tern_handshake_drop_early(the_dormant()->handshake, &server->endpoint->env);
    server->endpoint->env.early_bytes = TERN_EARLY_TOTAL_MAX - 100;
    door_hear(p, PAIR_SERVER, &client->addr, junk, sizeof junk);
    assert_int_equal(server->heap.bytes, resting);
    server->endpoint->env.early_bytes = 0;
    door_hear(p, PAIR_CLIENT, &server->addr, second, len);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* Any allocation of the way may fail; the client says it again and all is well. */
static void a_failed_allocation_costs_a_retransmission(void **state)
{
    (void)state;
    bool has_failed = true;
    unsigned calls = 0;
    for (uint64_t nth = 1; has_failed; nth++) {
        uint8_t second[2000], third[2000];
        pair_close(p);
        pair_init(p);
        size_t len = rest_after_message_2(second);
        door_hear(p, PAIR_CLIENT, &server->addr, second, len);
        len = door_say(p, PAIR_CLIENT, third);
        uint64_t before = server->heap.calls;
        server->heap.fail_at = before + nth;
        door_hear(p, PAIR_SERVER, &client->addr, third, len);
        has_failed = server->heap.calls >= server->heap.fail_at;
        server->heap.fail_at = 0;
        calls = (unsigned)(server->heap.calls - before);
        pair_advance(p, 8 * TERN_SEC);
        assert_true(server->connected == 1 || client->closed == 1);
        pair_advance(p, 30 * TERN_SEC);
    }
    assert_true(calls > 5);
}

static void closing_all_ends_them(void **state)
{
    (void)state;
    uint8_t second[2000];
    (void)rest_after_message_2(second);
    tern_endpoint_close_all(server->endpoint, 0, NULL);
    assert_int_equal(pair_counters(server).connections, 0);
    assert_int_equal(pair_counters(server).half_open, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(each_costs_two_kilobytes, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_flood_is_gone_in_ten_seconds, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(from_a_thousand_on_each_is_asked, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(senseless_ones_leave_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_small_allowance_makes_no_haste, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_wakes_for_message_3, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(message_2_is_said_again_with_other_numbers, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(forged_handshake_packets_change_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_ping_in_place_of_message_3, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(early_packets_are_kept_within_bounds, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_failed_allocation_costs_a_retransmission, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(closing_all_ends_them, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
