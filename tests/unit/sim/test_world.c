/* The world: real endpoints meet over links in virtual time, the same way for the same seed.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>

#include <tern/sim.h>
#include <tern/tern.h>

struct scene {
    tern_sim *sim;
    tern_sim_host *client, *server;
    tern_conn *conn;
    bool is_connected, is_closed;
    size_t to_write, written, received;
    bool at_end;
};

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static tern_link_config wire_of(tern_time delay)
{
    tern_link_config wire;
    tern_link_config_init(&wire);
    wire.delay = delay;
    return wire;
}

static void scene_open(struct scene *scene, uint64_t seed, const tern_link_config *wire)
{
    memset(scene, 0, sizeof *scene);
    assert_int_equal(tern_sim_new(&scene->sim, seed), 0);
    tern_config config;
    tern_config_init(&config);
    tern_addr addr = addr_of("192.0.2.1:1000");
    assert_int_equal(tern_sim_add_host(scene->sim, &addr, &config, &scene->client), 0);
    config.accept = true;
    addr = addr_of("198.51.100.1:4433");
    assert_int_equal(tern_sim_add_host(scene->sim, &addr, &config, &scene->server), 0);
    assert_int_equal(tern_sim_connect(scene->sim, scene->client, scene->server, wire, NULL), 0);
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = addr;
    assert_int_equal(tern_endpoint_connect(tern_sim_host_endpoint(scene->client), &peer,
                                           &scene->conn, tern_sim_now(scene->sim)),
                     0);
}

static void write_more(struct scene *scene, tern_stream *stream)
{
    static const uint8_t zeros[4096];
    while (scene->written < scene->to_write) {
        size_t left = scene->to_write - scene->written;
        size_t len = left < sizeof zeros ? left : sizeof zeros;
        ptrdiff_t n = tern_stream_write(stream, zeros, len, len == left ? TERN_FIN : 0);
        assert_true(n >= 0);
        scene->written += (size_t)n;
        if ((size_t)n < len) {
            return;
        }
    }
}

static void read_all(struct scene *scene, tern_stream *stream)
{
    uint8_t buf[4096];
    ptrdiff_t n = 0;
    while ((n = tern_stream_read(stream, buf, sizeof buf)) > 0) {
        scene->received += (size_t)n;
    }
    scene->at_end = scene->at_end || n == 0;
}

static void on_client_event(struct scene *scene, const tern_event *event)
{
    tern_stream *stream = event->stream;
    if (event->type == TERN_EVENT_CONNECTED) {
        scene->is_connected = true;
        if (scene->to_write > 0) {
            assert_int_equal(tern_conn_open_stream(event->conn, TERN_STREAM_UNI, &stream), 0);
            write_more(scene, stream);
        }
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE) {
        write_more(scene, stream);
    } else if (event->type == TERN_EVENT_CLOSED) {
        scene->is_closed = true;
    }
}

static void poll_events(struct scene *scene)
{
    tern_event event;
    while (tern_endpoint_poll(tern_sim_host_endpoint(scene->client), &event) > 0) {
        on_client_event(scene, &event);
    }
    while (tern_endpoint_poll(tern_sim_host_endpoint(scene->server), &event) > 0) {
        if (event.type == TERN_EVENT_STREAM_READABLE) {
            read_all(scene, event.stream);
        }
    }
}

/* Until the condition holds, or for this long. */
static void run(struct scene *scene, const bool *done, tern_time limit)
{
    tern_time until = tern_sim_now(scene->sim) + limit;
    while (!*done) {
        int rc = tern_sim_step(scene->sim, until);
        assert_true(rc >= 0);
        poll_events(scene);
        if (rc == 0) {
            return;
        }
    }
}

static void two_hosts_connect(void **state)
{
    (void)state;
    struct scene scene;
    tern_link_config wire = wire_of(20 * TERN_MSEC);
    scene_open(&scene, 1, &wire);
    tern_time start = tern_sim_now(scene.sim);
    run(&scene, &scene.is_connected, 10 * TERN_SEC);
    assert_true(scene.is_connected);
    assert_in_range(tern_sim_now(scene.sim) - start, 40 * TERN_MSEC, 200 * TERN_MSEC);
    tern_sim_free(scene.sim);
}

static void bytes_cross_a_bad_link(void **state)
{
    (void)state;
    struct scene scene;
    tern_link_config wire = wire_of(10 * TERN_MSEC);
    wire.loss = 0.03;
    wire.reorder = 0.02;
    wire.duplicate = 0.02;
    wire.corrupt = 0.01;
    wire.rate = 20000000;
    wire.queue = 50000;
    scene_open(&scene, 2, &wire);
    scene.to_write = 1000000;
    run(&scene, &scene.at_end, 60 * TERN_SEC);
    assert_int_equal(scene.received, 1000000);
    tern_sim_free(scene.sim);
}

static uint64_t hash_of(uint64_t seed)
{
    struct scene scene;
    tern_link_config wire = wire_of(10 * TERN_MSEC);
    wire.loss = 0.05;
    wire.jitter = 2 * TERN_MSEC;
    scene_open(&scene, seed, &wire);
    scene.to_write = 200000;
    run(&scene, &scene.at_end, 60 * TERN_SEC);
    uint64_t hash = tern_sim_hash(scene.sim);
    tern_sim_free(scene.sim);
    return hash;
}

static void same_seed_gives_the_same_hash(void **state)
{
    (void)state;
    uint64_t hash = hash_of(5);
    assert_int_equal(hash, hash_of(5));
    assert_true(hash != hash_of(6));
}

static void step_stops_at_the_given_time(void **state)
{
    (void)state;
    struct scene scene;
    tern_link_config wire = wire_of(20 * TERN_MSEC);
    scene_open(&scene, 1, &wire);
    tern_time start = tern_sim_now(scene.sim);
    assert_int_equal(start, 3600 * TERN_SEC);
    assert_int_equal(tern_sim_step(scene.sim, start + 5 * TERN_MSEC), 0);
    assert_int_equal(tern_sim_now(scene.sim), start + 5 * TERN_MSEC);
    assert_int_equal(tern_sim_step(scene.sim, start + 30 * TERN_MSEC), 1);
    assert_true(tern_sim_now(scene.sim) <= start + 20 * TERN_MSEC);
    tern_sim_free(scene.sim);
}

static void empty_world_stands_still(void **state)
{
    (void)state;
    tern_sim *sim = NULL;
    assert_int_equal(tern_sim_new(&sim, 1), 0);
    tern_time start = tern_sim_now(sim);
    assert_int_equal(tern_sim_step(sim, TERN_TIME_NEVER), 0);
    assert_int_equal(tern_sim_now(sim), start);
    assert_int_equal(tern_sim_flush(sim), 0);
    assert_int_equal(tern_sim_step(sim, start + TERN_SEC), 0);
    assert_int_equal(tern_sim_now(sim), start + TERN_SEC);
    tern_sim_free(sim);
    tern_sim_free(NULL);
}

static bool drop_all(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                     uint8_t *data, size_t len)
{
    (void)now;
    (void)data;
    unsigned *seen = user;
    assert_int_equal(from->port, 1000);
    assert_int_equal(to->port, 4433);
    assert_true(len > 0);
    (*seen)++;
    return false;
}

static void tap_sees_and_drops(void **state)
{
    (void)state;
    struct scene scene;
    unsigned seen = 0;
    tern_link_config wire = wire_of(20 * TERN_MSEC);
    scene_open(&scene, 1, &wire);
    tern_sim_tap(scene.sim, drop_all, &seen);
    run(&scene, &scene.is_closed, 60 * TERN_SEC);
    assert_true(scene.is_closed); /* the handshake's time is over */
    assert_true(seen > 1);
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(tern_sim_link(scene.sim, scene.client, scene.server), &counters);
    assert_int_equal(counters.packets_in, 0);
    tern_sim_free(scene.sim);
}

static void rebound_host_has_a_new_address(void **state)
{
    (void)state;
    struct scene scene;
    tern_link_config wire = wire_of(20 * TERN_MSEC);
    scene_open(&scene, 1, &wire);
    run(&scene, &scene.is_connected, 10 * TERN_SEC);
    tern_addr other = addr_of("192.0.2.1:1001"), taken = addr_of("198.51.100.1:4433");
    assert_int_equal(tern_sim_rebind(scene.sim, scene.client, &taken), TERN_ERR_INVALID);
    assert_int_equal(tern_sim_rebind(scene.sim, scene.client, &other), 0);
    tern_addr now = tern_sim_host_addr(scene.client);
    assert_true(tern_addr_equal(&now, &other));
    tern_addr old = addr_of("192.0.2.1:1000");
    assert_int_equal(tern_sim_rebind(scene.sim, scene.client, &old), 0); /* and back */
    tern_sim_free(scene.sim);
}

static void addresses_and_links_are_unique(void **state)
{
    (void)state;
    struct scene scene;
    tern_link_config wire = wire_of(0);
    scene_open(&scene, 1, &wire);
    tern_config config;
    tern_config_init(&config);
    tern_sim_host *third = NULL;
    tern_addr taken = addr_of("192.0.2.1:1000"), other = addr_of("[2001:db8::1]:1");
    tern_addr none = {0};
    assert_int_equal(tern_sim_add_host(scene.sim, &taken, &config, &third), TERN_ERR_INVALID);
    assert_int_equal(tern_sim_add_host(scene.sim, &none, &config, &third), TERN_ERR_INVALID);
    assert_null(third);
    assert_int_equal(tern_sim_add_host(scene.sim, &other, &config, &third), 0);
    assert_int_equal(tern_sim_connect(scene.sim, scene.client, scene.server, &wire, NULL),
                     TERN_ERR_INVALID);
    assert_null(tern_sim_link(scene.sim, scene.client, third));
    assert_int_equal(tern_sim_connect(scene.sim, third, scene.client, &wire, NULL), 0);
    assert_non_null(tern_sim_link(scene.sim, scene.client, third));
    assert_true(tern_sim_link(scene.sim, scene.client, third) !=
                tern_sim_link(scene.sim, third, scene.client));
    tern_sim_free(scene.sim);
}

static void choices_of_a_test_do_not_move_the_world(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        tern_link_config wire = wire_of(10 * TERN_MSEC);
        wire.loss = 0.1;
        scene_open(&scene, 4, &wire);
        for (size_t k = 0; k < i * 10; k++) {
            assert_true(tern_sim_random_below(scene.sim, 6) < 6);
            (void)tern_sim_random(scene.sim);
        }
        run(&scene, &scene.is_connected, 10 * TERN_SEC);
        hashes[i] = tern_sim_hash(scene.sim);
        tern_sim_free(scene.sim);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_hosts_connect),
    cmocka_unit_test(bytes_cross_a_bad_link),
    cmocka_unit_test(same_seed_gives_the_same_hash),
    cmocka_unit_test(step_stops_at_the_given_time),
    cmocka_unit_test(empty_world_stands_still),
    cmocka_unit_test(tap_sees_and_drops),
    cmocka_unit_test(rebound_host_has_a_new_address),
    cmocka_unit_test(addresses_and_links_are_unique),
    cmocka_unit_test(choices_of_a_test_do_not_move_the_world),
};

TERN_TEST_MAIN(tests)
