/* Packets that come in one train are not looked at one by one, and nobody must see it: each exchange once with
 * trains taken as such and once packet by packet has the same trace at both ends, byte by byte.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdlib.h>
#include <tern/tern.h>

#include "conn/input.h"
#include "sim/replay.h"

#define TRAIN   65507u
#define QUEUE   64u
#define STREAMS 3u

static bool is_off;
static uint64_t in_trains; /* packets */

size_t __real_tern_conn_on_train(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                                 size_t len, size_t segment, tern_time now);
size_t __wrap_tern_conn_on_train(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                                 size_t len, size_t segment, tern_time now);

size_t __wrap_tern_conn_on_train(struct tern_conn *conn, const tern_datagram *in, uint8_t *data,
                                 size_t len, size_t segment, tern_time now)
{
    size_t count = is_off ? 0 : __real_tern_conn_on_train(conn, in, data, len, segment, now);
    in_trains += count;
    return count;
}

/* What happens in an exchange. */
struct plan {
    uint64_t seed;
    uint64_t bytes; /* on each stream, from client to server */
    size_t streams;
    unsigned lost;     /* one packet of so many; 0: none */
    unsigned repeated; /* the same: comes twice */
    unsigned spoiled;  /* the same: a bit of it is another */
    uint64_t window;   /* at first; 0: as usual */
    bool has_messages, has_rekeys, is_slow;
};

struct side {
    tern_endpoint *endpoint;
    tern_addr addr;
    tern_conn *conn;
    tern_stream *streams[STREAMS]; /* the server: of the first alone, the one read last */
    uint64_t written[STREAMS], read;
    uint64_t hash, events;
};

static struct side sides[2];
static const struct plan *plan;
static uint64_t dice;
static tern_time now;
static uint8_t filling[4096], room[TRAIN];
static struct {
    uint8_t data[TRAIN];
    tern_train train;
} queue[QUEUE];
static size_t head, tail;

static uint64_t roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice;
}

static void fill_random(void *user, uint8_t *buf, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        buf[i] = (uint8_t)(*state >> 56);
    }
}

static void mix(struct side *side, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        side->hash = (side->hash ^ bytes[i]) * 0x100000001b3u;
    }
}

static void on_trace(void *user, const tern_trace_event *event)
{
    struct side *side = user;
    side->events++;
    mix(side, &event->kind, sizeof event->kind);
    mix(side, &event->now, sizeof event->now);
    mix(side, &event->packet_number, sizeof event->packet_number);
    mix(side, &event->packet_size, sizeof event->packet_size);
    if (event->payload != NULL) {
        mix(side, event->payload, event->payload_len);
    }
}

static void write_on(struct side *side)
{
    for (size_t i = 0; i < plan->streams; i++) {
        while (side->written[i] < plan->bytes) {
            uint64_t left = plan->bytes - side->written[i];
            size_t len = left < sizeof filling ? (size_t)left : sizeof filling;
            unsigned flags = len == left ? TERN_FIN : 0;
            ptrdiff_t n = tern_stream_write(side->streams[i], filling, len, flags);
            if (n <= 0) {
                break;
            }
            side->written[i] += (uint64_t)n;
        }
    }
}

static void read_on(struct side *side, tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0 && len > 0) {
        len = plan->is_slow && len > 700 ? 700 : len;
        mix(side, data, len);
        side->read += len;
        assert_int_equal(tern_stream_consume(stream, len), 0);
        if (plan->is_slow) {
            return;
        }
    }
    if (len == 0) {
        (void)!tern_stream_consume(stream, 0);
    }
}

static void poll_all(struct side *side)
{
    tern_event event;
    tern_message message = {.size = sizeof message};
    while (tern_endpoint_poll(side->endpoint, &event) == 1) {
        mix(side, &event.type, sizeof event.type);
        side->conn = event.conn != NULL ? event.conn : side->conn;
        if (event.type == TERN_EVENT_STREAM_READABLE) {
            side->streams[0] = side == &sides[1] ? event.stream : side->streams[0];
            read_on(side, event.stream);
        } else if (event.type == TERN_EVENT_STREAM_WRITABLE) {
            write_on(side);
        } else if (event.type == TERN_EVENT_MESSAGES) {
            while (tern_conn_receive(event.conn, &message) == 1) {
                mix(side, message.data, message.len);
            }
        } else if (event.type == TERN_EVENT_STREAM_CLOSED && side == &sides[1]) {
            side->streams[0] = NULL;
        }
        assert_true(event.type != TERN_EVENT_CLOSED);
    }
}

/* A train as it comes out of a network that loses, repeats and spoils. */
static size_t damage(uint8_t *out, const uint8_t *data, const tern_train *train)
{
    size_t len = 0;
    for (size_t at = 0; at < train->len; at += train->segment) {
        size_t size = train->len - at < train->segment ? train->len - at : train->segment;
        bool is_whole = size == train->segment;
        if (plan->lost > 0 && is_whole && roll() % plan->lost == 0) {
            continue;
        }
        memcpy(out + len, data + at, size);
        if (plan->spoiled > 0 && roll() % plan->spoiled == 0) {
            out[len + roll() % size] ^= 0x20;
        }
        len += size;
        if (plan->repeated > 0 && is_whole && len + size <= TRAIN && roll() % plan->repeated == 0) {
            memmove(out + len, data + at, size);
            len += size;
        }
    }
    return len;
}

static void give(struct side *to, const struct side *from, uint8_t *data, size_t len,
                 const tern_train *train)
{
    tern_datagram in = {.local = to->addr,
                        .remote = from->addr,
                        .data = data,
                        .len = len,
                        .segment = train->segment < len ? train->segment : 0,
                        .ecn = train->ecn};
    assert_int_equal(tern_endpoint_receive(to->endpoint, &in, 1, now), 0);
    poll_all(to);
}

static void flush(int from)
{
    static uint8_t damaged[2 * TRAIN];
    tern_train train = {.data = room, .capacity = sizeof room};
    while (tern_endpoint_transmit(sides[from].endpoint, &train, now) > 0) {
        mix(&sides[from], train.data, train.len);
        if (from == 1) {
            give(&sides[0], &sides[1], train.data, train.len, &train);
        } else if (tail - head < QUEUE) {
            size_t len = damage(damaged, train.data, &train);
            if (len > 0) {
                memcpy(queue[tail % QUEUE].data, damaged, len);
                queue[tail % QUEUE].train = train;
                queue[tail++ % QUEUE].train.len = len;
            }
        }
        train = (tern_train){.data = room, .capacity = sizeof room};
    }
}

static void turn(uint64_t number)
{
    now += 200 * TERN_USEC;
    for (int i = 0; i < 2; i++) {
        tern_endpoint_tick(sides[i].endpoint, now);
        poll_all(&sides[i]);
    }
    if (plan->is_slow && sides[1].streams[0] != NULL) {
        read_on(&sides[1], sides[1].streams[0]);
    }
    if (plan->has_messages && number % 5 == 0) {
        (void)!tern_conn_send(sides[0].conn, filling, 100, NULL, now);
    }
    if (plan->has_rekeys && number % 40 == 0) {
        (void)!tern_conn_rekey(sides[0].conn);
    }
    flush(0);
    if (head < tail) {
        size_t at = head++ % QUEUE;
        give(&sides[1], &sides[0], queue[at].data, queue[at].train.len, &queue[at].train);
    }
    flush(1);
}

static void open_side(int number, tern_config *config, uint64_t *state)
{
    struct side *side = &sides[number];
    *side = (struct side){.hash = 0xcbf29ce484222325u};
    assert_int_equal(tern_addr_parse(&side->addr, number == 0 ? "10.0.0.1:1001" : "10.0.0.2:1002"),
                     0);
    config->accept = number == 1;
    config->random = (tern_random_source){.fill = fill_random, .user = state};
    config->trace = (tern_trace_sink){.event = on_trace, .user = side};
    assert_int_equal(tern_endpoint_new(&side->endpoint, config, now), 0);
}

static void open_all(uint64_t states[2])
{
    tern_config config;
    tern_peer peer;
    uint8_t secret[2][TERN_KEY_SIZE] = {{1}, {2}}, key[TERN_KEY_SIZE];
    tern_config_init(&config);
    config.stream_send_buffer = 400000;
    if (plan->window > 0) {
        config.stream_window = config.conn_window = plan->window;
    }
    for (int i = 0; i < 2; i++) {
        config.secret_key = secret[i];
        open_side(i, &config, &states[i]);
    }
    tern_endpoint_public_key(sides[1].endpoint, key);
    tern_peer_init(&peer);
    peer.addr = sides[1].addr;
    peer.key = key;
    assert_int_equal(tern_endpoint_connect(sides[0].endpoint, &peer, &sides[0].conn, now), 0);
    for (size_t i = 0; i < plan->streams; i++) {
        assert_int_equal(
            tern_conn_open_stream(sides[0].conn, TERN_STREAM_UNI, &sides[0].streams[i]), 0);
    }
    write_on(&sides[0]);
}

static void run(const struct plan *what, uint64_t hashes[2])
{
    uint64_t states[2] = {what->seed, what->seed + 1};
    plan = what;
    dice = what->seed * 0x9e3779b97f4a7c15u + 1;
    now = TERN_SEC;
    head = tail = 0;
    open_all(states);
    uint64_t all = what->bytes * what->streams;
    for (uint64_t number = 1; sides[1].read < all; number++) {
        assert_true(number < 200000);
        turn(number);
    }
    for (int i = 0; i < 2; i++) {
        hashes[i] = sides[i].hash;
        tern_endpoint_free(sides[i].endpoint);
    }
}

static void compare(const struct plan *what)
{
    uint64_t with[2], without[2];
    is_off = false;
    in_trains = 0;
    run(what, with);
    uint64_t events = sides[1].events;
    assert_true(in_trains > what->bytes / 5000); /* else there is nothing to compare */
    is_off = true;
    run(what, without);
    assert_true(events == sides[1].events);
    assert_true(with[0] == without[0] && with[1] == without[1]);
}

static void one_stream(void **state)
{
    (void)state;
    compare(&(struct plan){.seed = 1, .bytes = 3000000, .streams = 1});
}

static void several_streams(void **state)
{
    (void)state;
    compare(&(struct plan){.seed = 2, .bytes = 500000, .streams = STREAMS});
}

static void losses(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        compare(&(struct plan){.seed = seed, .bytes = 1000000, .streams = 2, .lost = 40});
    }
}

static void repetitions_and_forgeries(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        compare(&(struct plan){.seed = seed,
                               .bytes = 1000000,
                               .streams = 1,
                               .lost = 200,
                               .repeated = 20,
                               .spoiled = 50});
    }
}

static void messages_and_new_keys_between(void **state)
{
    (void)state;
    compare(&(struct plan){.seed = 5,
                           .bytes = 2000000,
                           .streams = 2,
                           .lost = 100,
                           .has_messages = true,
                           .has_rekeys = true});
}

static void a_slow_reader(void **state)
{
    (void)state;
    compare(&(struct plan){.seed = 6, .bytes = 200000, .streams = 1, .is_slow = true});
}

static void windows_that_grow(void **state)
{
    (void)state;
    for (uint64_t window = 20000; window < 200000; window += 17000) {
        compare(&(struct plan){.seed = window, .bytes = 4000000, .streams = 1, .window = window});
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_stream),
    cmocka_unit_test(several_streams),
    cmocka_unit_test(losses),
    cmocka_unit_test(repetitions_and_forgeries),
    cmocka_unit_test(messages_and_new_keys_between),
    cmocka_unit_test(a_slow_reader),
    cmocka_unit_test(windows_that_grow),
};

REPLAY_TEST_MAIN(tests)
