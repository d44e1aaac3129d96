/* A NAT's mappings: made, kept, forgotten, stolen, refused; and endpoints that live behind one.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>

#include <tern/sim.h>
#include <tern/tern.h>

#include "sim/nat.h"

#define HOSTS 3

/* Mappings alone never look into a host. */
static char stand_ins[HOSTS];

static tern_sim_host *host(size_t i)
{
    return (tern_sim_host *)(void *)&stand_ins[i];
}

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static tern_nat_config config_of(size_t ports)
{
    tern_nat_config config;
    tern_nat_config_init(&config);
    config.outside = addr_of("203.0.113.1:20000");
    config.ports = ports;
    return config;
}

static tern_nat *nat_of(size_t ports, tern_time timeout, bool steals, bool per_peer)
{
    tern_nat *nat = NULL;
    tern_nat_config config = config_of(ports);
    config.timeout = timeout;
    config.steals = steals;
    config.per_peer = per_peer;
    assert_int_equal(tern_nat_new(&nat, &config), 0);
    return nat;
}

/* The port by which host i leaves for the peer, from 0 on; -1: none. */
static int leave(tern_nat *nat, size_t i, const char *peer, tern_time now)
{
    size_t slot = 99;
    tern_addr addr = addr_of(peer);
    return tern_nat_leave(nat, host(i), &addr, &slot, now) ? (int)slot : -1;
}

static tern_sim_host *enter(const tern_nat *nat, size_t slot, const char *peer, tern_time now)
{
    tern_addr addr = addr_of(peer);
    return tern_nat_inside(nat, slot, &addr, now);
}

#define PEER  "198.51.100.1:1"
#define OTHER "198.51.100.2:1"

static void each_host_keeps_a_port(void **state)
{
    (void)state;
    tern_nat *nat = nat_of(3, 0, false, false);
    assert_int_equal(leave(nat, 0, PEER, 1), 0);
    assert_int_equal(leave(nat, 1, PEER, 2), 1);
    assert_int_equal(leave(nat, 0, PEER, 3), 0);
    assert_int_equal(leave(nat, 0, OTHER, 4), 0); /* one for all peers */
    assert_ptr_equal(enter(nat, 0, PEER, 5), host(0));
    assert_ptr_equal(enter(nat, 1, OTHER, 5), host(1));
    assert_null(enter(nat, 2, PEER, 5));
    assert_int_equal(nat->counters.mappings, 2);
    tern_nat_free(nat);
}

static void peers_may_have_ports_of_their_own(void **state)
{
    (void)state;
    tern_nat *nat = nat_of(4, 0, false, true);
    assert_int_equal(leave(nat, 0, PEER, 1), 0);
    assert_int_equal(leave(nat, 0, OTHER, 2), 1);
    assert_int_equal(leave(nat, 0, PEER, 3), 0);
    assert_ptr_equal(enter(nat, 0, PEER, 4), host(0));
    assert_null(enter(nat, 0, OTHER, 4));
    tern_nat_free(nat);
}

static void silence_ends_a_mapping(void **state)
{
    (void)state;
    tern_nat *nat = nat_of(3, 30 * TERN_SEC, false, false);
    assert_int_equal(leave(nat, 0, PEER, 0), 0);
    assert_int_equal(leave(nat, 0, PEER, 29 * TERN_SEC), 0); /* kept alive by what leaves ... */
    assert_non_null(enter(nat, 0, PEER, 58 * TERN_SEC));     /* ... not by what enters */
    assert_null(enter(nat, 0, PEER, 59 * TERN_SEC));
    assert_int_equal(leave(nat, 0, PEER, 59 * TERN_SEC), 1); /* the old port rests */
    assert_int_equal(leave(nat, 1, PEER, 60 * TERN_SEC), 2);
    assert_int_equal(leave(nat, 2, PEER, 61 * TERN_SEC), 0);
    tern_nat_free(nat);
}

static void no_port_left_is_a_refusal(void **state)
{
    (void)state;
    tern_nat *nat = nat_of(2, 10 * TERN_SEC, false, false);
    assert_int_equal(leave(nat, 0, PEER, 0), 0);
    assert_int_equal(leave(nat, 1, PEER, TERN_SEC), 1);
    assert_int_equal(leave(nat, 2, PEER, TERN_SEC), -1);
    assert_int_equal(leave(nat, 2, PEER, TERN_SEC), -1);
    assert_int_equal(nat->counters.refused, 2);
    assert_int_equal(leave(nat, 2, PEER, 10 * TERN_SEC), 0); /* the first was quiet */
    tern_nat_free(nat);
}

static void the_quietest_is_robbed(void **state)
{
    (void)state;
    tern_nat *nat = nat_of(2, 0, true, false);
    assert_int_equal(leave(nat, 0, PEER, 1), 0);
    assert_int_equal(leave(nat, 1, PEER, 2), 1);
    assert_int_equal(leave(nat, 0, PEER, 3), 0);
    assert_int_equal(leave(nat, 2, PEER, 4), 1);
    assert_ptr_equal(enter(nat, 1, PEER, 5), host(2));
    assert_int_equal(nat->counters.stolen, 1);
    assert_int_equal(nat->counters.refused, 0);
    tern_nat_free(nat);
}

/* --- in the world ------------------------------------------------------------------------------- */

struct scene {
    tern_sim *sim;
    tern_sim_host *client, *server;
    tern_nat *nat;
    tern_conn *conn;
    tern_stream *stream;
    size_t received;
};

static void scene_open(struct scene *scene, tern_time timeout)
{
    tern_config config;
    tern_link_config wire;
    tern_nat_config nat = config_of(8);
    tern_addr here = addr_of("10.0.0.1:1000"), there = addr_of("198.51.100.1:4433");
    tern_peer peer;
    memset(scene, 0, sizeof *scene);
    nat.timeout = timeout;
    tern_config_init(&config);
    tern_link_config_init(&wire);
    tern_peer_init(&peer);
    peer.addr = there;
    wire.delay = 20 * TERN_MSEC;
    assert_int_equal(tern_sim_new(&scene->sim, 1), 0);
    assert_int_equal(tern_sim_add_host(scene->sim, &here, &config, &scene->client), 0);
    config.accept = true;
    assert_int_equal(tern_sim_add_host(scene->sim, &there, &config, &scene->server), 0);
    assert_int_equal(tern_sim_connect(scene->sim, scene->client, scene->server, &wire, NULL), 0);
    assert_int_equal(tern_sim_add_nat(scene->sim, &nat, &scene->nat), 0);
    assert_int_equal(tern_sim_put_behind(scene->sim, scene->client, scene->nat), 0);
    assert_int_equal(tern_endpoint_connect(tern_sim_host_endpoint(scene->client), &peer,
                                           &scene->conn, tern_sim_now(scene->sim)),
                     0);
}

static void poll_events(struct scene *scene)
{
    static uint8_t buf[4096];
    tern_event event;
    ptrdiff_t n = 0;
    while (tern_endpoint_poll(tern_sim_host_endpoint(scene->client), &event) == 1) {
        if (event.type == TERN_EVENT_CONNECTED) {
            assert_int_equal(tern_conn_open_stream(event.conn, TERN_STREAM_UNI, &scene->stream), 0);
        }
        assert_int_not_equal(event.type, TERN_EVENT_CLOSED);
    }
    while (tern_endpoint_poll(tern_sim_host_endpoint(scene->server), &event) == 1) {
        while (event.type == TERN_EVENT_STREAM_READABLE &&
               (n = tern_stream_read(event.stream, buf, sizeof buf)) > 0) {
            scene->received += (size_t)n;
        }
    }
}

static void run(struct scene *scene, tern_time length)
{
    tern_time end = tern_sim_now(scene->sim) + length;
    while (tern_sim_step(scene->sim, end) == 1) {
        poll_events(scene);
    }
}

/* A thousand bytes go up; all that was ever sent is there. */
static void say(struct scene *scene, size_t total)
{
    static const uint8_t zeros[1000];
    assert_non_null(scene->stream);
    assert_int_equal(tern_stream_write(scene->stream, zeros, sizeof zeros, 0), sizeof zeros);
    run(scene, TERN_SEC);
    assert_int_equal(scene->received, total);
}

static uint16_t outside_port(const struct scene *scene)
{
    return tern_sim_host_addr(scene->client).port;
}

static void a_host_is_seen_from_outside(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 0);
    run(&scene, TERN_SEC);
    say(&scene, 1000);
    tern_addr seen = tern_sim_host_addr(scene.client), outside = addr_of("203.0.113.1:20000");
    assert_true(tern_addr_equal(&seen, &outside));
    assert_int_equal(tern_sim_rebind(scene.sim, scene.client, &outside), TERN_ERR_INVALID);
    tern_sim_free(scene.sim);
}

static void a_connection_outlives_its_mapping(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 5 * TERN_SEC);
    run(&scene, TERN_SEC);
    say(&scene, 1000);
    assert_int_equal(outside_port(&scene), 20000);
    run(&scene, 10 * TERN_SEC);
    say(&scene, 2000);
    assert_int_equal(outside_port(&scene), 20001);
    tern_sim_free(scene.sim);
}

static void a_connection_outlives_the_nat(void **state)
{
    (void)state;
    struct scene scene;
    tern_addr moved = addr_of("203.0.113.9:30000"), taken = addr_of("198.51.100.1:4430");
    tern_nat_counters counters = {.size = sizeof counters};
    scene_open(&scene, 0);
    run(&scene, TERN_SEC);
    say(&scene, 1000);
    assert_int_equal(tern_nat_restart(scene.nat, NULL), 0);
    say(&scene, 2000);
    assert_int_equal(outside_port(&scene), 20001);
    assert_int_equal(tern_nat_restart(scene.nat, &taken), TERN_ERR_INVALID);
    assert_int_equal(tern_nat_restart(scene.nat, &moved), 0);
    say(&scene, 3000);
    tern_nat_stats(scene.nat, &counters);
    assert_int_equal(counters.mappings, 3);
    assert_int_equal(outside_port(&scene), 30002);
    tern_sim_free(scene.sim);
}

/* The server knocks at an address, for a second; what it sent got no further than the NAT. */
static void knock(struct scene *scene, const char *addr)
{
    tern_peer peer;
    tern_conn *conn = NULL;
    tern_link_counters before = {.size = sizeof before}, after = before;
    tern_link *way_in = tern_sim_link(scene->sim, scene->server, scene->client);
    tern_link_stats(way_in, &before);
    tern_peer_init(&peer);
    peer.addr = addr_of(addr);
    assert_int_equal(tern_endpoint_connect(tern_sim_host_endpoint(scene->server), &peer, &conn,
                                           tern_sim_now(scene->sim)),
                     0);
    run(scene, TERN_SEC);
    tern_link_stats(way_in, &after);
    assert_int_equal(after.packets_in, before.packets_in);
}

static void nothing_enters_unasked(void **state)
{
    (void)state;
    struct scene scene;
    tern_nat_counters counters = {.size = sizeof counters};
    scene_open(&scene, 5 * TERN_SEC);
    run(&scene, 10 * TERN_SEC);
    knock(&scene, "10.0.0.1:1000");
    knock(&scene, "203.0.113.1:20003"); /* nobody's so far */
    tern_nat_stats(scene.nat, &counters);
    assert_int_equal(counters.strays, 0);
    knock(&scene, "203.0.113.1:20000"); /* it was the client's */
    tern_nat_stats(scene.nat, &counters);
    assert_true(counters.strays > 0);
    tern_sim_free(scene.sim);
}

static void ports_belong_to_one(void **state)
{
    (void)state;
    struct scene scene;
    tern_nat *other = NULL;
    tern_nat_config config = config_of(8);
    scene_open(&scene, 0);
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), TERN_ERR_INVALID);
    config.outside = addr_of("203.0.113.1:19999");
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), TERN_ERR_INVALID);
    config.outside = addr_of("203.0.113.1:20007");
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), TERN_ERR_INVALID);
    config.outside = addr_of("198.51.100.1:4433");
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), TERN_ERR_INVALID);
    config.outside = addr_of("203.0.113.1:65530");
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), TERN_ERR_INVALID);
    config.outside = addr_of("203.0.113.1:20008");
    assert_int_equal(tern_sim_add_nat(scene.sim, &config, &other), 0);
    assert_non_null(other);
    tern_sim_free(scene.sim);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_host_keeps_a_port),
    cmocka_unit_test(peers_may_have_ports_of_their_own),
    cmocka_unit_test(silence_ends_a_mapping),
    cmocka_unit_test(no_port_left_is_a_refusal),
    cmocka_unit_test(the_quietest_is_robbed),
    cmocka_unit_test(a_host_is_seen_from_outside),
    cmocka_unit_test(a_connection_outlives_its_mapping),
    cmocka_unit_test(a_connection_outlives_the_nat),
    cmocka_unit_test(nothing_enters_unasked),
    cmocka_unit_test(ports_belong_to_one),
};

TERN_TEST_MAIN(tests)
