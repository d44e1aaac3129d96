/* A full house: limits by address and in all, refusals with a reason, and no way to shut others out.
 * SPDX-License-Identifier: MIT */
#include "door_kit.h"
#include "one_pair.h"

static void a_full_server_says_so(void **state)
{
    (void)state;
    server->config.max_connections = 1;
    pair_ready(p);
    for (unsigned i = 1; i <= 2; i++) { /* whoever knows its key, and whoever does not */
        assert_int_equal(pair_connect(p, i == 1 ? p->key : NULL), 0);
        pair_advance(p, 11 * TERN_SEC);
        assert_int_equal(client->closed, i);
        assert_int_equal(client->close.by, TERN_CLOSED_PEER);
        assert_int_equal(client->close.error, TERN_ERR_REFUSED);
        assert_int_equal(client->close.code, 2);
        assert_string_equal(client->reason, "the server is full");
    }
    assert_true(pair_counters(server).refusals > 0);
    assert_int_equal(server->connected, 1);
}

static void a_silent_full_server_says_so_to_friends(void **state)
{
    (void)state;
    server->config.max_connections = 1;
    server->config.silent = true;
    pair_ready(p);
    uint64_t said = server->datagrams;
    assert_int_equal(pair_connect(p, NULL), 0);
    pair_exchange(p);
    assert_int_equal(server->datagrams, said);
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->datagrams, said + 1);
}

static void an_address_has_so_many_places(void **state)
{
    (void)state;
    server->config.max_per_address = 3;
    pair_open(p);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_exchange(p);
        assert_int_equal(server->connected, i < 3 ? i + 1 : 3);
    }
    pair_advance(p, 15 * TERN_SEC);
    assert_int_equal(client->closed, 2);
    assert_string_equal(client->reason, "too many connections from this address");
    client->addr = door_addr("192.0.2.77:1"); /* others have places of their own */
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 4);
    tern_endpoint_close_all(client->endpoint, 0, NULL); /* and places become free again */
    pair_advance(p, 20 * TERN_SEC);
    client->addr = door_addr("192.0.2.1:1000");
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 5);
}

/* All at once, so that none is complete when the next one knocks: the limit holds all the same. */
static void a_crowd_at_the_door_is_counted_again_inside(void **state)
{
    (void)state;
    server->config.max_per_address = 3;
    pair_open(p);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
    }
    pair_exchange(p);
    assert_int_equal(server->connected, 3);
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(server->connected, 3);
    assert_int_equal(pair_counters(server).connections, 3);
    assert_int_equal(server->closed, 0); /* nobody hears of those who were turned away */
    assert_int_equal(client->closed, 7);
    assert_int_equal(client->close.error, TERN_ERR_REFUSED);
}

/* Handshakes begun in somebody's name cost him a round trip, and no more. */
static void a_spoofer_cannot_use_up_another_s_places(void **state)
{
    (void)state;
    uint8_t spoofed[2000];
    server->config.max_per_address = 3;
    pair_open(p);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(pair_connect(p, NULL), 0);
        size_t len = door_say(p, PAIR_CLIENT, spoofed);
        tern_addr victim = door_addr("198.51.100.1:5");
        victim.port = (uint16_t)(victim.port + i);
        door_hear(p, PAIR_SERVER, &victim, spoofed, len);
    }
    assert_int_equal(pair_counters(server).half_open, 3);
    uint8_t out[2000];
    while (door_say(p, PAIR_SERVER, out) > 0) {
    }
    client->addr = door_addr("198.51.100.1:9999");
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* Above the rate each has to show its address; whoever does comes in. */
static void a_busy_network_has_to_show_itself(void **state)
{
    (void)state;
    uint8_t spoofed[2000];
    server->config.initial_rate = 5;
    pair_open(p);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(pair_connect(p, NULL), 0);
        size_t len = door_say(p, PAIR_CLIENT, spoofed);
        tern_addr from = door_addr("192.0.2.9:5");
        from.ip[3] = (uint8_t)i;
        door_hear(p, PAIR_SERVER, &from, spoofed, len);
    }
    assert_in_range(pair_counters(server).half_open, 5, 6);
    uint8_t out[2000];
    while (door_say(p, PAIR_SERVER, out) > 0) {
    }
    uint64_t retries = pair_counters(server).retries;
    assert_int_equal(pair_connect(p, p->key), 0);
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
    assert_true(pair_counters(server).retries > retries);
}

/* Nothing that is said to a stranger is longer than three times what he said. */
static void every_answer_is_small(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        uint8_t first[2000], out[2000];
        pair_close(p);
        pair_init(p);
        server->config.retry_half_open = kind == 1 ? 0 : 1000;
        server->config.max_connections = kind == 2 ? 1 : 65536;
        server->config.suites = kind == 3 ? TERN_SUITE_CHACHA20_POLY1305 : TERN_SUITE_ANY;
        pair_open(p);
        if (kind == 2) {
            assert_int_equal(pair_connect(p, p->key), 0);
            pair_exchange(p);
        }
        assert_int_equal(pair_connect(p, p->key), 0);
        size_t heard = 0, said = 0, len = door_say(p, PAIR_CLIENT, first);
        for (int i = 0; i < 300; i++) {
            if (i % 100 == 0) {
                door_hear(p, PAIR_SERVER, &client->addr, first, len);
                heard += len;
            }
            size_t n;
            while ((n = door_say(p, PAIR_SERVER, out)) > 0) {
                said += n;
                assert_true(said <= 3 * heard);
            }
            p->now += 50 * TERN_MSEC;
            tern_endpoint_tick(server->endpoint, p->now);
        }
        assert_true(said > 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_full_server_says_so, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_silent_full_server_says_so_to_friends, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(an_address_has_so_many_places, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_crowd_at_the_door_is_counted_again_inside, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_spoofer_cannot_use_up_another_s_places, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_busy_network_has_to_show_itself, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(every_answer_is_small, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
