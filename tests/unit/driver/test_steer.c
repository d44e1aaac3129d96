/* Four shards on one port, a thousand connections that move: every packet comes to the shard that knows it.
 * SPDX-License-Identifier: MIT */
#include <tern/tern.h>
#include <tern/udp.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tern_test.h"

enum { SHARDS = 4, PLACES = 40, EACH = 25, CONNS = PLACES * EACH };

/* A thousand handshakes at once, in one thread: no machine may be too slow for them. */
#define PATIENCE (200 * TERN_SEC)

struct end {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_conn *conns[EACH];
    size_t count;
};

static struct end shards[SHARDS], places[PLACES];
static tern_addr at;
static uint8_t key[TERN_KEY_SIZE];

static void open_shard(size_t i, int fd, size_t prefix_len)
{
    static const uint8_t secret[TERN_KEY_SIZE] = {1, 2, 3};
    tern_config config;
    tern_config_init(&config);
    config.accept = true;
    config.secret_key = secret; /* one server to its clients */
    config.cid_prefix[0] = 0xee;
    config.cid_prefix[1] = (uint8_t)i;
    config.cid_prefix_len = prefix_len;
    config.cid_rotation = 2;
    config.handshake_timeout = config.idle_timeout = PATIENCE;
    assert_int_equal(tern_endpoint_new(&shards[i].endpoint, &config, tern_udp_now()), 0);
    assert_int_equal(tern_udp_open_fd(&shards[i].udp, shards[i].endpoint, fd), 0);
    tern_endpoint_public_key(shards[i].endpoint, key);
}

static bool open_shards(size_t prefix_len)
{
    int fds[SHARDS];
    tern_addr any = {.family = 4};
    memset(shards, 0, sizeof shards);
    memset(places, 0, sizeof places);
    int rc = tern_udp_open_shards(fds, SHARDS, &any, 2); /* behind a server's number */
    if (rc == TERN_ERR_UNSUPPORTED) {
        return false;
    }
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < SHARDS; i++) {
        open_shard(i, fds[i], prefix_len);
    }
    assert_int_equal(tern_addr_parse(&at, "127.0.0.1:1"), 0);
    at.port = tern_udp_local(shards[0].udp).port;
    return true;
}

static void open_places(void)
{
    tern_addr any = {.family = 4};
    tern_config config;
    tern_config_init(&config);
    config.handshake_timeout = config.idle_timeout = PATIENCE;
    for (size_t i = 0; i < PLACES; i++) {
        assert_int_equal(tern_endpoint_new(&places[i].endpoint, &config, tern_udp_now()), 0);
        assert_int_equal(tern_udp_open(&places[i].udp, places[i].endpoint, &any), 0);
    }
}

static void poll_end(struct end *end, bool is_client)
{
    tern_event ev;
    assert_int_equal(tern_udp_service(end->udp, 0), 0);
    while (tern_endpoint_poll(end->endpoint, &ev) == 1) {
        assert_int_not_equal(ev.type, TERN_EVENT_CLOSED);
        if (ev.type == TERN_EVENT_CONNECTED && is_client) {
            end->count++;
        }
    }
}

static void turn(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        poll_end(&shards[i], false);
    }
    for (size_t i = 0; i < PLACES; i++) {
        poll_end(&places[i], true);
    }
}

static size_t count_connected(void)
{
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++) {
        count += places[i].count;
    }
    return count;
}

static size_t count_moved(tern_endpoint *endpoint)
{
    size_t count = 0;
    for (tern_conn *conn = tern_endpoint_next_conn(endpoint, NULL); conn != NULL;
         conn = tern_endpoint_next_conn(endpoint, conn)) {
        tern_stats stats = {.size = sizeof stats};
        tern_conn_stats(conn, &stats);
        count += stats.migrations > 0 ? 1 : 0;
    }
    return count;
}

static uint64_t strays(void)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        tern_endpoint_counters counters = {.size = sizeof counters};
        tern_endpoint_stats(shards[i].endpoint, &counters);
        count += counters.dropped_unknown;
    }
    return count;
}

static void connect_all(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        for (size_t j = 0; j < EACH; j++) {
            tern_peer peer;
            tern_peer_init(&peer);
            peer.addr = at;
            peer.key = key;
            assert_int_equal(tern_endpoint_connect(places[i].endpoint, &peer, &places[i].conns[j],
                                                   tern_udp_now()),
                             0);
        }
    }
    tern_time until = tern_udp_now() + PATIENCE;
    while (count_connected() < CONNS && tern_udp_now() < until) {
        turn();
    }
    assert_int_equal(count_connected(), CONNS);
}

/* Each to an address of its own; those that cannot yet are asked again. */
static bool move_all(void)
{
    bool is_done = true;
    for (size_t i = 0; i < PLACES; i++) {
        for (size_t j = 0; j < EACH; j++) {
            tern_addr to = {.family = 4, .ip = {127, 1, (uint8_t)i, (uint8_t)(j + 1)}};
            to.port = tern_udp_local(places[i].udp).port;
            tern_addr local = tern_conn_local(places[i].conns[j]);
            if (local.ip[1] != 1 && tern_conn_migrate(places[i].conns[j], &to) != 0) {
                is_done = false;
            }
        }
    }
    return is_done;
}

static void close_all(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        tern_udp_close(places[i].udp);
        tern_endpoint_free(places[i].endpoint);
    }
    for (size_t i = 0; i < SHARDS; i++) {
        tern_udp_close(shards[i].udp);
        tern_endpoint_free(shards[i].endpoint);
    }
}

static void no_packet_on_a_wrong_shard(void **state)
{
    (void)state;
    if (!open_shards(2)) {
        skip_because("this kernel does not steer datagrams among sockets");
    }
    open_places();
    connect_all();
    tern_time until = tern_udp_now() + PATIENCE;
    size_t moved = 0, followed = 0;
    while ((moved < CONNS || followed < CONNS) && tern_udp_now() < until) {
        (void)move_all();
        turn();
        moved = followed = 0;
        for (size_t i = 0; i < PLACES; i++) {
            moved += count_moved(places[i].endpoint);
        }
        for (size_t i = 0; i < SHARDS; i++) {
            followed += count_moved(shards[i].endpoint);
        }
    }
    assert_int_equal(moved, CONNS);
    assert_int_equal(followed, CONNS);
    assert_int_equal(strays(), 0);
    close_all();
}

/* What would be without: the same moves, with identifiers that say nothing. */
static void without_a_number_packets_stray(void **state)
{
    (void)state;
    if (!open_shards(0)) {
        skip_because("this kernel does not steer datagrams among sockets");
    }
    open_places();
    tern_time until = tern_udp_now() + PATIENCE;
    for (size_t i = 0; i < PLACES; i++) {
        tern_peer peer;
        tern_peer_init(&peer);
        peer.addr = at;
        peer.key = key;
        assert_int_equal(
            tern_endpoint_connect(places[i].endpoint, &peer, &places[i].conns[0], tern_udp_now()),
            0);
    }
    while (count_connected() < PLACES / 2 && tern_udp_now() < until) {
        turn();
    }
    while (strays() == 0 && tern_udp_now() < until) {
        for (uint8_t i = 0; i < PLACES; i++) {
            tern_addr to = {.family = 4, .ip = {127, 1, i, 1}};
            int rc = tern_conn_migrate(places[i].conns[0], &to);
            (void)rc; /* some are not that far yet */
        }
        turn();
    }
    assert_true(strays() > 0);
    close_all();
}

static void out_of_range_is_refused(void **state)
{
    (void)state;
    int fds[SHARDS];
    tern_addr any = {.family = 4}, none = {0};
    assert_int_equal(tern_udp_open_shards(fds, 0, &any, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_udp_open_shards(fds, 257, &any, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_udp_open_shards(fds, SHARDS, &any, 0), TERN_ERR_INVALID);
    assert_int_equal(tern_udp_open_shards(fds, SHARDS, &any, 4), TERN_ERR_INVALID);
    assert_int_equal(tern_udp_open_shards(fds, SHARDS, &none, 1), TERN_ERR_INVALID);
    tern_config config;
    tern_endpoint *endpoint;
    tern_config_init(&config);
    config.cid_prefix_len = TERN_CID_PREFIX_MAX + 1;
    assert_int_equal(tern_endpoint_new(&endpoint, &config, 1), TERN_ERR_INVALID);
    config.cid_prefix_len = 0;
    config.cid_rotation = 7;
    assert_int_equal(tern_endpoint_new(&endpoint, &config, 1), TERN_ERR_INVALID);
}

static void a_socket_that_is_none_stays_the_callers(void **state)
{
    (void)state;
    tern_config config;
    tern_endpoint *endpoint;
    tern_udp *udp;
    int fds[2];
    tern_config_init(&config);
    assert_int_equal(tern_endpoint_new(&endpoint, &config, 1), 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tern_udp_open_fd(&udp, endpoint, fds[0]), TERN_ERR_SYSTEM);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    tern_endpoint_free(endpoint);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_packet_on_a_wrong_shard),
    cmocka_unit_test(without_a_number_packets_stray),
    cmocka_unit_test(out_of_range_is_refused),
    cmocka_unit_test(a_socket_that_is_none_stays_the_callers),
};

TERN_TEST_MAIN(tests)
