/* Two connections without an endpoint: each with an environment of its own, datagrams carried by hand,
 * and a clock that the test moves.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_CONN_KIT_H
#define TERN_TEST_CONN_KIT_H

#include <sodium.h>
#include <string.h>

#include "conn/conn.h"
#include "conn/deadline.h"
#include "conn/events.h"
#include "conn/handshake.h"
#include "conn/input.h"
#include "conn/output.h"
#include "tern_test.h"
#include "unit/heap_kit.h"

#define CK_START  (3600 * TERN_SEC)
#define CK_HOP    (10 * TERN_MSEC) /* each way */
#define CK_FLIGHT 64

enum { CK_CLIENT, CK_SERVER };

struct ck_side {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_random random;
    uint64_t seed;
    tern_config config;
    struct tern_conn_env env;
    struct tern_list ready, eventful;
    struct tern_heap timers;
    struct tern_map routes;
    tern_addr addr;
    struct tern_conn *conn;
};

struct ck {
    struct ck_side side[2];
    tern_time now;
    uint8_t buffer[65536];
};

/* What one side said at one time. */
struct ck_flight {
    uint8_t data[CK_FLIGHT][1500];
    size_t len[CK_FLIGHT];
    size_t count;
};

static inline void ck_random(void *user, uint8_t *buf, size_t len)
{
    uint64_t *seed = user;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        buf[i] = (uint8_t)(*seed >> 56);
    }
}

static inline void ck_init(struct ck *k)
{
    assert_true(sodium_init() >= 0);
    memset(k, 0, sizeof *k);
    k->now = CK_START;
    for (size_t i = 0; i < 2; i++) {
        struct ck_side *s = &k->side[i];
        tern_random_source hook = {ck_random, &s->seed};
        s->seed = 1234 + i;
        kit_mem(&s->mem, &s->heap);
        tern_random_init(&s->random, &hook);
        tern_config_init(&s->config);
        tern_list_init(&s->ready);
        tern_list_init(&s->eventful);
        tern_heap_init(&s->timers, &s->mem);
        tern_map_init(&s->routes, &s->mem, &s->random);
        s->env = (struct tern_conn_env){.mem = &s->mem,
                                        .random = &s->random,
                                        .config = &s->config,
                                        .suites = TERN_SUITE_CHACHA20_POLY1305,
                                        .ready = &s->ready,
                                        .eventful = &s->eventful,
                                        .timers = &s->timers,
                                        .routes = &s->routes};
        tern_slab_init(&s->env.slab, &s->mem, 1 << 20);
        tern_pool_init(&s->env.pages, &s->mem, TERN_PAGE_SIZE, TERN_PAGES_KEPT);
        tern_key_generate(s->env.secret_key, s->env.public_key);
        tern_hmac_init(&s->env.reset_key, s->env.secret_key, TERN_KEY_SIZE);
    }
    assert_int_equal(tern_addr_parse(&k->side[CK_CLIENT].addr, "192.0.2.1:1000"), 0);
    assert_int_equal(tern_addr_parse(&k->side[CK_SERVER].addr, "192.0.2.2:7437"), 0);
}

/* 0 when nothing is left behind. */
static inline int ck_clear(struct ck *k)
{
    int rc = 0;
    for (size_t i = 0; i < 2; i++) {
        struct ck_side *s = &k->side[i];
        tern_conn_free(s->conn);
        s->conn = NULL;
        rc = s->routes.count == 0 && tern_list_is_empty(&s->ready) ? rc : -1;
        tern_slab_clear(&s->env.slab);
        tern_pool_clear(&s->env.pages);
        tern_heap_clear(&s->timers);
        tern_map_clear(&s->routes);
        rc = s->heap.blocks == 0 ? rc : -1;
    }
    return rc;
}

static inline int ck_connect(struct ck *k)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = k->side[CK_SERVER].addr;
    peer.key = k->side[CK_SERVER].env.public_key;
    return tern_conn_new_client(&k->side[CK_CLIENT].conn, &k->side[CK_CLIENT].env, &peer, k->now);
}

static inline void ck_take(struct ck *k, int from, struct ck_flight *flight)
{
    tern_train train = {.data = k->buffer, .capacity = sizeof k->buffer};
    flight->count = 0;
    while (k->side[from].conn != NULL && flight->count < CK_FLIGHT &&
           tern_conn_transmit(k->side[from].conn, &train, k->now) > 0) {
        for (size_t at = 0; at < train.len && flight->count < CK_FLIGHT; at += train.segment) {
            size_t len = TERN_MIN(train.segment, train.len - at);
            assert_true(len <= sizeof flight->data[0]);
            memcpy(flight->data[flight->count], train.data + at, len);
            flight->len[flight->count++] = len;
        }
    }
}

/* As the endpoint does with a first Initial that opened. */
static inline int ck_accept(struct ck *k, const uint8_t *data, size_t len)
{
    struct ck_side *s = &k->side[CK_SERVER];
    struct tern_header header;
    assert_int_equal(tern_header_decode(&header, data, len, TERN_CID_SIZE), 0);
    struct tern_conn_first first = {.local = s->addr,
                                    .remote = k->side[CK_CLIENT].addr,
                                    .dcid = header.dcid,
                                    .scid = header.scid,
                                    .is_keyed = true};
    return tern_conn_new_server(&s->conn, &s->env, &first, k->now);
}

/* A copy of the datagram arrives, from `remote`. */
static inline void ck_give_from(struct ck *k, int to, const tern_addr *remote, const uint8_t *data,
                                size_t len)
{
    uint8_t copy[4096];
    tern_datagram in = {.local = k->side[to].addr, .remote = *remote};
    assert_true(len <= sizeof copy);
    memcpy(copy, data, len);
    tern_conn_on_datagram(k->side[to].conn, &in, copy, len, k->now);
}

static inline void ck_give(struct ck *k, int to, const struct ck_flight *flight, size_t i)
{
    if (k->side[to].conn == NULL) {
        assert_int_equal(ck_accept(k, flight->data[i], flight->len[i]), 0);
    }
    ck_give_from(k, to, &k->side[1 - to].addr, flight->data[i], flight->len[i]);
}

/* What one side says now reaches the other a hop later. Returns the number of datagrams. */
static inline size_t ck_carry(struct ck *k, int from)
{
    static struct ck_flight flight;
    ck_take(k, from, &flight);
    k->now += CK_HOP;
    for (size_t i = 0; i < flight.count; i++) {
        ck_give(k, 1 - from, &flight, i);
    }
    return flight.count;
}

/* Said and not heard. Returns the number of datagrams. */
static inline size_t ck_lose(struct ck *k, int from)
{
    static struct ck_flight flight;
    ck_take(k, from, &flight);
    return flight.count;
}

/* Both ends run their timers and talk until neither has a word left within the next second. */
static inline void ck_settle(struct ck *k)
{
    tern_time until = k->now + TERN_SEC;
    for (int i = 0; i < 500; i++) {
        while (ck_carry(k, CK_CLIENT) + ck_carry(k, CK_SERVER) > 0) {
        }
        tern_time at = TERN_MIN(tern_conn_deadline(k->side[0].conn, k->now),
                                tern_conn_deadline(k->side[1].conn, k->now));
        if (at > until) {
            return;
        }
        k->now = TERN_MAX(k->now, at);
        tern_conn_tick(k->side[0].conn, k->now);
        tern_conn_tick(k->side[1].conn, k->now);
    }
    fail_msg("two connections that never fall silent");
}

/* Two ends that know each other and are silent. */
static inline void ck_ready(struct ck *k)
{
    assert_int_equal(ck_connect(k), 0);
    ck_settle(k);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(k->side[i].conn->life.state, TERN_LIFE_ESTABLISHED);
        assert_true(k->side[i].conn->life.is_confirmed);
        assert_null(k->side[i].conn->handshake);
    }
}

/* Every event of one side is taken; the number of the given type is returned. */
static inline unsigned ck_poll(struct ck *k, int side, tern_event_type type)
{
    tern_event ev;
    unsigned count = 0;
    while (tern_conn_next_event(k->side[side].conn, &ev)) {
        count += ev.type == type ? 1 : 0;
    }
    return count;
}

#endif
