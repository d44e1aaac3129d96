/* The door in a network: a flood in other people's names, the amplification limit under loss, games whose
 * players have tokens.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdlib.h>
#include <string.h>
#include <tern/sim.h>
#include <tern/tern.h>

#include "conn/input.h"
#include "crypto/keys.h"
#include "endpoint/endpoint.h"
#include "sim/kit.h"
#include "unit/heap_kit.h"

#define DELAY   (20 * TERN_MSEC)
#define RTT     (2 * DELAY)
#define CLIENTS 20
#define BIRTH   1700000000

struct client {
    tern_sim_host *host;
    tern_endpoint *endpoint;
    tern_conn *conn;
    tern_time began, connected, closed;
    int error;
    char reason[260];
};

static struct world {
    tern_sim *sim;
    tern_sim_host *host;
    tern_endpoint *server;
    tern_config config;
    struct kit_heap heap;
    uint8_t key[TERN_KEY_SIZE];
    struct client clients[CLIENTS];
    size_t count;
    unsigned accepted;
    bool greets; /* the server has much to say to whoever connects */
    /* Of the one client's datagrams, which are lost: bit n the n-th. And the bytes that passed. */
    uint64_t lose, to_server, to_client;
    bool is_validated;
} world;

static void open_world(uint64_t seed)
{
    static uint8_t secret[TERN_KEY_SIZE] = {1, 1, 2, 3, 5, 8};
    tern_addr addr;
    struct world *w = &world;
    tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, &w->heap};
    w->config.accept = true;
    w->config.secret_key = secret;
    w->config.unix_time = BIRTH;
    w->config.allocator = hooks;
    assert_int_equal(tern_addr_parse(&addr, "10.0.0.1:4433"), 0);
    assert_int_equal(tern_sim_new(&w->sim, seed), 0);
    (void)replay_trace(&w->config);
    assert_int_equal(tern_sim_add_host(w->sim, &addr, &w->config, &w->host), 0);
    w->server = tern_sim_host_endpoint(w->host);
    tern_endpoint_public_key(w->server, w->key);
}

static struct client *add_client(double loss)
{
    struct client *c = &world.clients[world.count++];
    tern_addr addr;
    tern_config config;
    tern_link_config link;
    assert_int_equal(tern_addr_parse(&addr, "192.0.2.1:1000"), 0);
    addr.ip[3] = (uint8_t)world.count;
    tern_config_init(&config);
    tern_link_config_init(&link);
    link.delay = DELAY;
    link.loss = loss;
    (void)replay_trace(&config);
    assert_int_equal(tern_sim_add_host(world.sim, &addr, &config, &c->host), 0);
    assert_int_equal(tern_sim_connect(world.sim, c->host, world.host, &link, NULL), 0);
    c->endpoint = tern_sim_host_endpoint(c->host);
    return c;
}

static void connect_client(struct client *c, bool pinned, const uint8_t *token, size_t token_len,
                           const uint8_t *connect_token, size_t connect_token_len)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(world.host);
    peer.key = pinned ? world.key : NULL;
    peer.token = token;
    peer.token_len = token_len;
    peer.connect_token = connect_token;
    peer.connect_token_len = connect_token_len;
    c->began = tern_sim_now(world.sim);
    c->connected = c->closed = 0;
    assert_int_equal(tern_endpoint_connect(c->endpoint, &peer, &c->conn, c->began), 0);
    assert_int_equal(tern_sim_flush(world.sim), 0);
}

static void poll_client(struct client *c)
{
    tern_event ev;
    while (tern_endpoint_poll(c->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            c->connected = tern_sim_now(world.sim);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            c->closed = tern_sim_now(world.sim);
            c->error = ev.close.error;
            memcpy(c->reason, ev.close.reason, ev.close.reason_len);
            c->reason[ev.close.reason_len] = '\0';
            c->conn = NULL;
        }
    }
}

static void greet(tern_conn *conn)
{
    static const uint8_t much[100000];
    tern_stream *stream;
    if (tern_conn_open_stream(conn, TERN_STREAM_UNI, &stream) == 0) {
        assert_true(tern_stream_write(stream, much, sizeof much, TERN_FIN) > 0);
    }
}

static void run_until(tern_time until)
{
    tern_event ev;
    do {
        assert_int_equal(tern_sim_flush(world.sim), 0);
        int rc = tern_sim_step(world.sim, until);
        assert_true(rc >= 0);
        while (tern_endpoint_poll(world.server, &ev) == 1) {
            world.accepted += ev.type == TERN_EVENT_CONNECTED ? 1 : 0;
            if (world.greets && ev.type == TERN_EVENT_CONNECTED) {
                greet(ev.conn);
            }
        }
        for (size_t i = 0; i < world.count; i++) {
            poll_client(&world.clients[i]);
        }
        if (rc == 0) {
            break;
        }
    } while (tern_sim_now(world.sim) < until);
}

static tern_endpoint_counters counters(void)
{
    tern_endpoint_counters c = {.size = sizeof c};
    tern_endpoint_stats(world.server, &c);
    return c;
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    tern_config_init(&world.config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_sim_free(world.sim);
    assert_int_equal(world.heap.blocks, 0);
    return 0;
}

/* --- a flood ------------------------------------------------------------------------------------ */

/* A first packet of somebody who knows how to make them, to a fresh identifier, in any name. */
static void spoof(uint32_t n)
{
    /* CRYPTO with message 1: XX, one suite, an ephemeral key, the parameter that must be there */
    static const uint8_t message[4 + 9 + 32 + 10] = {
        0x06, 0x00, 0x40, 0x33, 1, 1, 0, 1, 0, 0, 0, 0, 42, 9, [45] = 0x0f, 8, 7, 7};
    struct tern_cid dcid = {.len = 8, .bytes = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)}};
    struct tern_cid scid = {.len = 8, .bytes = {7, 7}};
    uint8_t packet[1300] = {0}, mask[TERN_MASK_SIZE], secrets[2][32];
    struct tern_packet_keys keys;
    struct tern_writer w;
    size_t body = 1200 - 60;
    tern_writer_init(&w, packet, sizeof packet);
    tern_header_encode_long(&w, TERN_PACKET_INITIAL, &dcid, &scid, NULL, 0, 0, 2, body + 16);
    size_t header = tern_writer_used(&w);
    memcpy(packet + header, message, sizeof message);
    tern_initial_secrets(secrets[0], secrets[1], dcid.bytes, dcid.len, NULL);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secrets[0]), 0);
    assert_int_equal(tern_packet_seal(&keys, 0, 0, packet, header, packet + header, body), 0);
    tern_aead_mask(&keys.mask, packet + header - 2 + 4, mask);
    tern_header_mask(packet, header - 2, 2, mask);
    tern_packet_keys_clear(&keys);
    tern_datagram in = {.local = tern_sim_host_addr(world.host), .data = packet, .len = 1200};
    in.remote.family = 4;
    in.remote.port = 5;
    for (size_t i = 0; i < 4; i++) {
        in.remote.ip[i] = (uint8_t)((n * 2654435761u) >> (8 * i));
    }
    assert_int_equal(tern_endpoint_receive(world.server, &in, 1, tern_sim_now(world.sim)), 0);
}

/* Twenty clients come while somebody begins ten thousand handshakes a second in other people's names. A round
 * trip more is what it costs them, and bounded memory the server. */
static void clients_come_in_through_a_flood(void **state)
{
    (void)state;
    uint32_t n = 0;
    open_world(replay_first_seed());
    uint64_t before = world.heap.bytes;
    tern_time start = tern_sim_now(world.sim);
    for (unsigned ms = 0; ms < 600; ms++) {
        for (unsigned i = 0; i < 10; i++) {
            spoof(n++);
        }
        if (ms >= 200 && ms % 15 == 0 && world.count < CLIENTS) {
            connect_client(add_client(0), world.count % 2 == 0, NULL, 0, NULL, 0);
        }
        run_until(start + (ms + 1) * TERN_MSEC);
        assert_true(counters().half_open <= 1000 + CLIENTS);
    }
    assert_true(counters().retries > 3000);
    print_message("peak %llu KiB\n", (unsigned long long)(world.heap.peak - before) >> 10);
    assert_true(world.heap.peak - before < (uint64_t)4 << 20);
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *c = &world.clients[i];
        assert_in_range(c->connected - c->began, 2 * RTT, 2 * RTT + 5 * TERN_MSEC);
    }
    assert_int_equal(world.accepted, CLIENTS);
    run_until(start + 15 * TERN_SEC);
    assert_int_equal(counters().half_open, 0);
    assert_int_equal(counters().connections, CLIENTS);
}

/* Who was there before has a token, and not even the round trip to pay. */
static void known_clients_pay_nothing(void **state)
{
    (void)state;
    uint8_t token[TERN_ADDRESS_TOKEN_MAX];
    size_t len;
    uint32_t n = 0;
    open_world(replay_first_seed());
    struct client *c = add_client(0);
    connect_client(c, true, NULL, 0, NULL, 0);
    run_until(tern_sim_now(world.sim) + TERN_SEC);
    assert_int_equal(tern_conn_address_token(c->conn, token, sizeof token, &len), 0);
    while (counters().half_open < 1000) {
        spoof(n++);
        run_until(tern_sim_now(world.sim) + TERN_MSEC / 10);
    }
    connect_client(c, true, token, len, NULL, 0);
    run_until(tern_sim_now(world.sim) + TERN_SEC);
    assert_in_range(c->connected - c->began, RTT, RTT + 5 * TERN_MSEC);
    connect_client(c, true, NULL, 0, NULL, 0);
    run_until(tern_sim_now(world.sim) + TERN_SEC);
    assert_in_range(c->connected - c->began, 2 * RTT, 2 * RTT + 5 * TERN_MSEC);
}

/* --- amplification ------------------------------------------------------------------------------- */

static bool count_and_lose(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                           uint8_t *data, size_t len)
{
    tern_addr server = tern_sim_host_addr(world.host);
    (void)user;
    (void)now;
    (void)to;
    if (tern_addr_equal(from, &server)) {
        world.to_client += len;
        assert_true(world.is_validated || world.to_client <= 3 * world.to_server);
        return true;
    }
    bool is_lost = (world.lose & 1) != 0;
    world.lose >>= 1;
    if (!is_lost) {
        world.to_server += len;
        world.is_validated = world.is_validated || (data[0] & 0xf0) != 0xc0;
    }
    return !is_lost;
}

/* The runner's case of this name loses the client's datagrams 2 to 7; here each set of the first eight. */
static void amplificationlimit(void **state)
{
    (void)state;
    for (uint64_t lost = 0; lost < 256; lost++) {
        assert_int_equal(setup(NULL), 0);
        world.config.handshake_timeout = 60 * TERN_SEC;
        open_world(replay_first_seed());
        world.lose = lost;
        tern_sim_tap(world.sim, count_and_lose, NULL);
        struct client *c = add_client(0);
        connect_client(c, lost % 2 == 0, NULL, 0, NULL, 0);
        run_until(tern_sim_now(world.sim) + 30 * TERN_SEC);
        assert_true(c->connected > 0 || c->error == TERN_ERR_TIMEOUT);
        assert_true(c->connected > 0 || lost >= 0x3f); /* ten seconds see six datagrams and more */
        if (lost < 255) {
            assert_int_equal(teardown(NULL), 0);
        }
    }
}

/* --- amplification, in any course of things -------------------------------------------------------- */

#define PLACES 64

/* What came from each address, what went there, and whether it was ever proved. */
static struct place {
    tern_addr addr;
    uint64_t came, went;
    bool is_proved;
} places[PLACES];
static size_t place_count;

/* On its way to the server: counts when it is there. */
static struct flight {
    tern_addr from;
    size_t len;
    tern_time at;
} flights[4096];
static size_t flight_count;

static struct place *place_of(const tern_addr *addr)
{
    size_t i = 0;
    while (i < place_count && !tern_addr_equal(&places[i].addr, addr)) {
        i++;
    }
    assert_true(i < PLACES);
    if (i == place_count) {
        places[place_count++] = (struct place){.addr = *addr};
    }
    return &places[i];
}

static void note_proof(const struct tern_path *path)
{
    if (path != NULL && path->is_validated && path->remote.family != 0) {
        place_of(&path->remote)->is_proved = true;
    }
}

/* Proved is what the server's connections hold for proved. */
static void note_proofs(void)
{
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, &world.server->conns)
    {
        const struct tern_conn *conn = TERN_CONTAINER_OF(node, struct tern_conn, all_node);
        note_proof(&conn->path);
        note_proof(conn->others[0]);
        note_proof(conn->others[1]);
    }
}

static void land(tern_time now)
{
    size_t left = 0;
    for (size_t i = 0; i < flight_count; i++) {
        if (flights[i].at <= now) {
            place_of(&flights[i].from)->came += flights[i].len;
        } else {
            flights[left++] = flights[i];
        }
    }
    flight_count = left;
}

/* user: how many of a hundred datagrams to the server are lost. */
static bool count_by_place(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                           uint8_t *data, size_t len)
{
    tern_addr server = tern_sim_host_addr(world.host);
    const uint64_t *lost = user;
    (void)data;
    note_proofs();
    land(now);
    if (tern_addr_equal(from, &server)) {
        struct place *place = place_of(to);
        place->went += len;
        assert_true(place->is_proved || place->went <= 3 * place->came);
        return true;
    }
    if (tern_sim_random(world.sim) % 100 < *lost) {
        return false;
    }
    assert_true(flight_count < TERN_COUNT_OF(flights));
    flights[flight_count++] = (struct flight){.from = *from, .len = len, .at = now + DELAY};
    return true;
}

/* Copies of the client's packets, from anywhere, ahead of them. */
static bool copy_and_count(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                           uint8_t *data, size_t len)
{
    tern_addr server = tern_sim_host_addr(world.host);
    static uint64_t n;
    if (!tern_addr_equal(from, &server) && n++ % 5 == 0) {
        static uint8_t copy[65536];
        memcpy(copy, data, len);
        tern_datagram in = {.local = server, .remote = *from, .data = copy, .len = len};
        in.remote.ip[2] = (uint8_t)(100 + n / 5 % 20);
        place_of(&in.remote)->came += len;
        assert_int_equal(tern_endpoint_receive(world.server, &in, 1, now), 0);
    }
    return count_by_place(user, now, from, to, data, len);
}

/* Loss, NATs that forget, copies from elsewhere, and a server that closes at any time: counted on the wire. */
static void three_times_whatever_happens(void **state)
{
    (void)state;
    uint64_t first = replay_first_seed(), count = replay_seed_count(100);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t lost = 10 * (seed % 5);
        assert_int_equal(setup(NULL), 0);
        place_count = flight_count = 0;
        memset(places, 0, sizeof places);
        world.config.retry_half_open = seed % 4 == 0 ? 0 : world.config.retry_half_open;
        open_world(seed);
        world.greets = true;
        tern_sim_tap(world.sim, seed % 3 == 0 ? copy_and_count : count_by_place, &lost);
        struct client *c = add_client(0);
        connect_client(c, seed % 2 == 0, NULL, 0, NULL, 0);
        tern_time start = tern_sim_now(world.sim);
        for (unsigned i = 1; i <= 12; i++) {
            run_until(start + i * 170 * TERN_MSEC + seed % 50 * TERN_MSEC);
            tern_addr addr = tern_sim_host_addr(c->host);
            addr.ip[2] = (uint8_t)(addr.ip[2] + 1);
            if (seed % 5 < 3 && i % 2 == 0) {
                assert_int_equal(tern_sim_rebind(world.sim, c->host, &addr), 0);
            }
            if (i == 3 + seed % 9) {
                tern_endpoint_close_all(world.server, 0, "enough");
            }
        }
        run_until(start + 20 * TERN_SEC);
        if (seed + 1 < first + count) {
            assert_int_equal(teardown(NULL), 0);
        }
    }
}

/* --- games --------------------------------------------------------------------------------------- */

static void players_have_tokens(void **state)
{
    (void)state;
    static const uint8_t key[TERN_CONNECT_KEY_SIZE] = {3};
    for (uint64_t k = 0; k < replay_seed_count(100); k++) {
        uint8_t token[TERN_CONNECT_TOKEN_MAX];
        size_t len;
        assert_int_equal(setup(NULL), 0);
        world.config.connect_token_key = key;
        world.config.retry_half_open = k % 2;
        open_world(replay_first_seed() + k);
        struct client *player = add_client(0.1), *stranger = add_client(0.1);
        tern_connect_grant grant;
        tern_connect_grant_init(&grant);
        tern_endpoint_public_key(player->endpoint, grant.client_key);
        grant.issued = BIRTH;
        grant.expires = BIRTH + 30;
        grant.servers[0] = tern_sim_host_addr(world.host);
        grant.server_count = 1;
        assert_int_equal(tern_connect_token_seal(token, sizeof token, &len, key, &grant), 0);
        connect_client(player, true, NULL, 0, token, len);
        connect_client(stranger, true, NULL, 0, token, len); /* it has seen the token */
        run_until(tern_sim_now(world.sim) + 20 * TERN_SEC);
        assert_true(player->connected > 0);
        assert_true(stranger->closed > 0); /* a client is done after message 3: refused then */
        assert_int_equal(world.accepted, 1);
        if (k + 1 < replay_seed_count(100)) {
            assert_int_equal(teardown(NULL), 0);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(clients_come_in_through_a_flood, setup, teardown),
    cmocka_unit_test_setup_teardown(known_clients_pay_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(amplificationlimit, setup, teardown),
    cmocka_unit_test_setup_teardown(three_times_whatever_happens, setup, teardown),
    cmocka_unit_test_setup_teardown(players_have_tokens, setup, teardown),
};

REPLAY_TEST_MAIN(tests)
