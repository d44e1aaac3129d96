/* Version Negotiation in every state, and first flights of which any bit was changed.
 * SPDX-License-Identifier: MIT */
#include "door_kit.h"
#include "one_pair.h"

static uint8_t first[2000];
static size_t first_len;

static void begin(void)
{
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    first_len = door_say(p, PAIR_CLIENT, first);
}

/* Version Negotiation in answer to the client's first packet, with one version in it. */
static size_t negotiation(uint8_t *out, uint32_t version)
{
    struct tern_writer w;
    struct tern_header header = door_header(first, first_len);
    tern_writer_init(&w, out, 2000);
    tern_header_encode_negotiation(&w, &header, 0);
    for (int i = 0; i < 4; i++) {
        w.at[i - 4] = (uint8_t)(version >> (24 - 8 * i));
    }
    return tern_writer_used(&w);
}

static void it_is_told_as_the_cause_when_nothing_else_comes(void **state)
{
    (void)state;
    uint8_t out[2000];
    begin();
    size_t len = negotiation(out, 0x0a0a0a0a);
    door_hear(p, PAIR_CLIENT, &server->addr, out, len);
    server->addr.port++; /* nobody is there */
    for (int i = 0; i < 200; i++) {
        p->now += 100 * TERN_MSEC;
        tern_endpoint_tick(client->endpoint, p->now);
        while (door_say(p, PAIR_CLIENT, out) > 0) {
        }
    }
    pair_poll(client);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.error, TERN_ERR_VERSION);
    assert_string_equal(client->reason, "the server speaks other versions");
}

/* RFC 9000 §6.2: one that lists what we have sent, or answers another packet, is none. */
static void senseless_ones_are_ignored(void **state)
{
    (void)state;
    uint8_t out[2000];
    begin();
    size_t len = negotiation(out, 0x54524e01);
    door_hear(p, PAIR_CLIENT, &server->addr, out, len);
    len = negotiation(out, 0x0a0a0a0a);
    out[15] ^= 1; /* its source is not whom we asked */
    door_hear(p, PAIR_CLIENT, &server->addr, out, len);
    for (size_t cut = 0; cut < len; cut++) {
        door_hear(p, PAIR_CLIENT, &server->addr, out, cut);
    }
    p->wire = NULL;
    pair_advance(p, TERN_SEC);
    assert_int_equal(client->connected, 1);
}

/* To a server, and to both ends at any later time. */
static void it_has_no_effect_in_any_other_state(void **state)
{
    (void)state;
    uint8_t out[2000], vn[2000];
    begin();
    size_t len = negotiation(vn, 0x0a0a0a0a);
    door_hear(p, PAIR_SERVER, &client->addr, vn, len);
    assert_int_equal(door_say(p, PAIR_SERVER, out), 0);
    door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
    for (int step = 0; step < 10; step++) {
        door_hear(p, PAIR_SERVER, &client->addr, vn, len);
        door_hear(p, PAIR_CLIENT, &server->addr, vn, len);
        (void)pair_carry(p, step % 2 == 0 ? PAIR_SERVER : PAIR_CLIENT);
        pair_poll(client);
        pair_poll(server);
    }
    pair_advance(p, TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->closed + server->closed, 0);
}

/* Whatever the path changes in the first flight, nobody agrees to anything else. */
static bool flip(struct pair *pair, int from, uint8_t *data, size_t len)
{
    uint64_t at = pair->wire_arg >> 1;
    if (from == (int)(pair->wire_arg & 1) && pair->side[from].datagrams == 1 && at / 8 < len) {
        data[at / 8] ^= (uint8_t)(1u << at % 8);
    }
    return true;
}

static void a_changed_bit_changes_no_agreement(void **state)
{
    (void)state;
    tern_stats expected = {.size = sizeof expected};
    pair_ready(p);
    tern_conn_stats(client->conn, &expected);
    for (uint64_t bit = 0; bit < 8 * 1200; bit += 10 / TERN_TEST_TIMES(10)) {
        for (int from = 0; from < 2; from++) {
            pair_close(p);
            pair_init(p);
            pair_open(p);
            p->wire = flip;
            p->wire_arg = bit << 1 | (uint64_t)from;
            assert_int_equal(pair_connect(p, p->key), 0);
            pair_advance(p, 9 * TERN_SEC); /* the repetition is unchanged */
            assert_int_equal(client->connected, 1);
            tern_stats stats = {.size = sizeof stats};
            tern_conn_stats(client->conn, &stats);
            assert_int_equal(stats.suite, expected.suite);
            uint8_t key[TERN_KEY_SIZE];
            assert_int_equal(tern_conn_peer_key(client->conn, key), 0);
            assert_memory_equal(key, p->key, sizeof key);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(it_is_told_as_the_cause_when_nothing_else_comes, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(senseless_ones_are_ignored, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(it_has_no_effect_in_any_other_state, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_changed_bit_changes_no_agreement, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
