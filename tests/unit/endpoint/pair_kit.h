/* Two endpoints back to back in memory: a clock that the test moves, a seeded generator, and a hand in
 * the wire that sees, changes or drops each datagram.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_PAIR_KIT_H
#define TERN_TEST_PAIR_KIT_H

#include <string.h>
#include <tern/endpoint.h>

#include "tern_test.h"
#include "unit/heap_kit.h"

#define PAIR_HOP   TERN_MSEC /* each way */
#define PAIR_START (3600 * TERN_SEC)

enum { PAIR_CLIENT, PAIR_SERVER };

struct pair_side {
    tern_endpoint *endpoint;
    tern_config config;
    struct kit_heap heap;
    uint64_t seed;
    tern_addr addr;
    tern_conn *conn;
    tern_stream *stream; /* the one that the peer opened last */
    unsigned connected, closed, opened;
    tern_close_info close;
    char reason[260];
    uint64_t datagrams, bytes; /* sent */
};

struct pair {
    struct pair_side side[2];
    tern_time now;
    /* False: the datagram is lost. It may change the bytes. */
    bool (*wire)(struct pair *pair, int from, uint8_t *data, size_t len);
    uint64_t wire_arg;
    void (*poll)(struct pair *pair); /* takes all events of both sides; at first pair_poll_both */
    uint8_t key[TERN_KEY_SIZE];      /* the server's public one */
    uint8_t buffer[65536];
};

static inline void pair_random(void *user, uint8_t *buf, size_t len)
{
    uint64_t *seed = user;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        buf[i] = (uint8_t)(*seed >> 56);
    }
}

static inline void pair_poll(struct pair_side *side)
{
    tern_event ev;
    while (tern_endpoint_poll(side->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            side->connected++;
            side->conn = ev.conn;
        } else if (ev.type == TERN_EVENT_CLOSED) {
            side->closed++;
            side->close = ev.close;
            memcpy(side->reason, ev.close.reason, ev.close.reason_len);
            side->reason[ev.close.reason_len] = '\0';
            side->conn = NULL;
            side->stream = NULL;
        } else if (ev.type == TERN_EVENT_STREAM_OPENED) {
            side->opened++;
            side->stream = ev.stream;
        }
    }
}

static inline void pair_poll_both(struct pair *pair)
{
    pair_poll(&pair->side[PAIR_CLIENT]);
    pair_poll(&pair->side[PAIR_SERVER]);
}

/* Configurations, which the test may change before pair_open. */
static inline void pair_init(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->now = PAIR_START;
    pair->poll = pair_poll_both;
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &pair->side[i];
        tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, &side->heap};
        side->seed = 77 + (uint64_t)i;
        tern_config_init(&side->config);
        side->config.allocator = hooks;
        side->config.random.fill = pair_random;
        side->config.random.user = &side->seed;
        side->config.accept = i == PAIR_SERVER;
        assert_int_equal(
            tern_addr_parse(&side->addr, i == PAIR_CLIENT ? "192.0.2.1:1000" : "192.0.2.2:7437"),
            0);
    }
}

static inline void pair_open(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &pair->side[i];
        assert_int_equal(tern_endpoint_new(&side->endpoint, &side->config, pair->now), 0);
    }
    tern_endpoint_public_key(pair->side[PAIR_SERVER].endpoint, pair->key);
}

static inline void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        tern_endpoint_free(pair->side[i].endpoint);
        assert_int_equal(pair->side[i].heap.blocks, 0);
    }
}

/* key NULL: first contact (XX); else it is pinned (XK). */
static inline int pair_connect(struct pair *pair, const uint8_t *key)
{
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = pair->side[PAIR_SERVER].addr;
    peer.key = key;
    return tern_endpoint_connect(pair->side[PAIR_CLIENT].endpoint, &peer,
                                 &pair->side[PAIR_CLIENT].conn, pair->now);
}

static inline tern_endpoint_counters pair_counters(const struct pair_side *side)
{
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(side->endpoint, &counters);
    return counters;
}

/* One datagram as if it came from the other side. */
static inline int pair_inject(struct pair *pair, int to, uint8_t *data, size_t len)
{
    tern_datagram in = {
        .local = pair->side[to].addr, .remote = pair->side[1 - to].addr, .data = data, .len = len};
    return tern_endpoint_receive(pair->side[to].endpoint, &in, 1, pair->now);
}

/* All that one side wants to send now, across the wire. False: there was nothing. */
static inline bool pair_carry(struct pair *pair, int from)
{
    struct pair_side *side = &pair->side[from];
    static uint8_t flight[64][65536];
    size_t lens[64], count = 0;
    uint64_t before = side->datagrams; /* what is lost was said all the same */
    tern_train train = {.data = pair->buffer, .capacity = sizeof pair->buffer};
    while (count < 40 && tern_endpoint_transmit(side->endpoint, &train, pair->now) > 0) {
        for (size_t at = 0; at < train.len && count < 64; at += train.segment) {
            size_t len = TERN_MIN(train.segment, train.len - at);
            side->datagrams++;
            side->bytes += len;
            if (pair->wire == NULL || pair->wire(pair, from, train.data + at, len)) {
                memcpy(flight[count], train.data + at, len);
                lens[count++] = len;
            }
        }
    }
    pair->now += PAIR_HOP;
    for (size_t i = 0; i < count; i++) {
        int rc = pair_inject(pair, 1 - from, flight[i], lens[i]);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
    }
    return side->datagrams != before;
}

/* Back and forth until both are silent, or 200 times. */
static inline void pair_exchange(struct pair *pair)
{
    bool is_busy = true;
    for (int i = 0; is_busy && i < 200; i++) {
        is_busy = pair_carry(pair, PAIR_CLIENT);
        pair->poll(pair);
        is_busy = pair_carry(pair, PAIR_SERVER) || is_busy;
        pair->poll(pair);
    }
}

/* Time passes, from deadline to deadline. */
static inline void pair_advance(struct pair *pair, tern_time length)
{
    tern_time end = pair->now + length;
    for (int i = 0; i < 10000; i++) {
        pair_exchange(pair);
        tern_time a = tern_endpoint_deadline(pair->side[0].endpoint);
        tern_time b = tern_endpoint_deadline(pair->side[1].endpoint);
        tern_time next = TERN_MIN(a, b);
        if (next >= end) {
            break;
        }
        pair->now = TERN_MAX(pair->now, next);
        tern_endpoint_tick(pair->side[0].endpoint, pair->now);
        tern_endpoint_tick(pair->side[1].endpoint, pair->now);
    }
    pair->now = TERN_MAX(pair->now, end);
    tern_endpoint_tick(pair->side[0].endpoint, pair->now);
    tern_endpoint_tick(pair->side[1].endpoint, pair->now);
    pair_exchange(pair);
}

/* Both, opened and connected by XK. */
static inline void pair_ready(struct pair *pair)
{
    pair_open(pair);
    assert_int_equal(pair_connect(pair, pair->key), 0);
    pair_exchange(pair);
    assert_int_equal(pair->side[PAIR_CLIENT].connected, 1);
    assert_int_equal(pair->side[PAIR_SERVER].connected, 1);
}

#endif
