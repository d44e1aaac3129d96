/* What a packet of one connection costs the library alone: two endpoints in one process, no kernel between.
 * SPDX-License-Identifier: MIT
 *
 *     packet [SECONDS [SUITE [DATAGRAM [UNDER_WAY]]]]    one object: ns a packet of either side, medians of rounds
 *
 * What the sender has sealed is copied to where the receiver reads it, as a kernel does, and is not counted. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>
#include <time.h>

#define TRAIN     65507u
#define UNDER_WAY (1u << 20) /* bytes between the two ends, as in a socket's buffer */
#define MOST      1024u      /* trains under way */
#define ROUNDS    21u
#define LENT      65536u

struct side {
    tern_endpoint *endpoint;
    tern_addr addr;
    double spent; /* ns */
};

/* A train under way. Those that have arrived are used again first, while they are in the cache. */
struct slot {
    struct slot *next;
    tern_train train;
    uint8_t data[TRAIN];
};

static struct side client, server;
static tern_conn *conn;
static tern_stream *stream;
static bool is_connected;
static struct slot *idle, *first, **end = &first;
static size_t under_way = UNDER_WAY;
static uint64_t packets, carried, in_between;
static uint8_t filling[LENT], train_room[TRAIN], answer_room[TRAIN];

static tern_time now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (tern_time)t.tv_sec * TERN_SEC + (tern_time)t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "packet: %s\n", what);
    exit(1);
}

static void write_on(void)
{
    while (tern_stream_write_ref(stream, filling, sizeof filling, NULL, NULL, 0) > 0) {
    }
}

static void read_on(tern_stream *from)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(from, &data, &len) == 0 && len > 0) {
        carried += len;
        if (tern_stream_consume(from, len) != 0) {
            fail("what was lent cannot be consumed");
        }
    }
}

static void poll_all(struct side *side)
{
    tern_event event;
    while (tern_endpoint_poll(side->endpoint, &event) == 1) {
        if (event.type == TERN_EVENT_CONNECTED && side == &client) {
            is_connected = true;
        } else if (event.type == TERN_EVENT_STREAM_READABLE) {
            read_on(event.stream);
        } else if (event.type == TERN_EVENT_STREAM_WRITABLE) {
            write_on();
        } else if (event.type == TERN_EVENT_CLOSED) {
            fail("the connection ended");
        }
    }
}

static void give(struct side *to, const struct side *from, uint8_t *data, const tern_train *train,
                 tern_time now)
{
    tern_datagram in = {.local = to->addr,
                        .remote = from->addr,
                        .data = data,
                        .len = train->len,
                        .segment = train->segment < train->len ? train->segment : 0,
                        .ecn = train->ecn};
    if (tern_endpoint_receive(to->endpoint, &in, 1, now) != 0) {
        fail("out of memory");
    }
    if (tern_endpoint_deadline(to->endpoint) <= now) {
        tern_endpoint_tick(to->endpoint, now);
    }
    poll_all(to);
}

/* The client's next train into the queue; false: it has nothing to send now. */
static bool send_train(void)
{
    struct slot *slot = idle;
    tern_time since = now_ns();
    tern_train train = {.data = train_room, .capacity = sizeof train_room};
    int n = tern_endpoint_transmit(client.endpoint, &train, since);
    if (n <= 0) {
        tern_time at = tern_endpoint_deadline(client.endpoint);
        if (at <= since) {
            tern_endpoint_tick(client.endpoint, since);
            poll_all(&client);
        }
        client.spent += (double)(now_ns() - since);
        return false;
    }
    client.spent += (double)(now_ns() - since);
    packets += (uint64_t)n;
    memcpy(slot->data, train.data, train.len);
    slot->train = train;
    in_between += train.len;
    idle = slot->next;
    slot->next = NULL;
    *end = slot;
    end = &slot->next;
    return true;
}

/* The oldest train to the server, and what it answers back to the client. */
static void take_train(void)
{
    struct slot *slot = first;
    tern_time since = now_ns();
    in_between -= slot->train.len;
    first = slot->next;
    end = first == NULL ? &first : end;
    slot->next = idle;
    idle = slot;
    give(&server, &client, slot->data, &slot->train, since);
    for (;;) {
        tern_train train = {.data = answer_room, .capacity = sizeof answer_room};
        int n = tern_endpoint_transmit(server.endpoint, &train, since);
        tern_time then = now_ns();
        server.spent += (double)(then - since);
        if (n <= 0) {
            return;
        }
        give(&client, &server, answer_room, &train, then);
        since = now_ns();
        client.spent += (double)(since - then);
    }
}

static void turn(void)
{
    while (in_between < under_way && idle != NULL && send_train()) {
    }
    if (first != NULL) {
        take_train();
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void open_all(unsigned suite, size_t datagram)
{
    tern_config config;
    tern_peer peer;
    uint8_t key[TERN_KEY_SIZE];
    tern_config_init(&config);
    config.suites = suite;
    config.max_datagram = datagram;
    config.accept = true;
    if (tern_endpoint_new(&server.endpoint, &config, now_ns()) != 0) {
        fail("no such suite here");
    }
    config.accept = false;
    tern_peer_init(&peer);
    tern_endpoint_public_key(server.endpoint, key);
    peer.addr = server.addr;
    peer.key = key;
    if (tern_endpoint_new(&client.endpoint, &config, now_ns()) != 0 ||
        tern_endpoint_connect(client.endpoint, &peer, &conn, now_ns()) != 0) {
        fail("it does not begin");
    }
    while (!is_connected) {
        turn();
    }
    if (tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) != 0) {
        fail("no stream");
    }
    write_on();
}

static unsigned suite_named(const char *name)
{
    for (unsigned bit = 1; bit <= TERN_SUITE_AEGIS_256; bit *= 2) {
        if (strcmp(tern_suite_name(bit), name) == 0) {
            return bit;
        }
    }
    fail("no suite has that name");
    return 0;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1, sender[ROUNDS], receiver[ROUNDS];
    unsigned suite = argc > 2 ? suite_named(argv[2]) : TERN_SUITE_ANY;
    size_t datagram = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1452;
    under_way = argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : UNDER_WAY;
    struct slot *slots = calloc(MOST, sizeof *slots);
    for (size_t i = 0; slots != NULL && i < MOST; i++) {
        slots[i].next = idle;
        idle = &slots[i];
    }
    if (slots == NULL || tern_addr_parse(&client.addr, "127.0.0.1:1001") != 0 ||
        tern_addr_parse(&server.addr, "127.0.0.1:1002") != 0) {
        fail("no memory");
    }
    open_all(suite, datagram);
    tern_time each = (tern_time)(seconds * 1e9 / ROUNDS);
    for (size_t round = 0; round < ROUNDS; round++) {
        tern_time until = now_ns() + each;
        packets = 0;
        client.spent = server.spent = 0;
        while (now_ns() < until || packets == 0) {
            turn();
        }
        sender[round] = client.spent / (double)packets;
        receiver[round] = server.spent / (double)packets;
    }
    qsort(sender, ROUNDS, sizeof *sender, compare);
    qsort(receiver, ROUNDS, sizeof *receiver, compare);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    printf("{\"suite\":\"%s\",\"datagram\":%zu,\"sender_ns\":%.1f,\"receiver_ns\":%.1f,\"sender_"
           "best_ns\":%.1f,"
           "\"receiver_best_ns\":%.1f,\"bytes\":%llu,\"lost\":%llu}\n",
           tern_suite_name(stats.suite), (size_t)stats.datagram_size, sender[ROUNDS / 2],
           receiver[ROUNDS / 2], sender[0], receiver[0], (unsigned long long)carried,
           (unsigned long long)stats.packets_lost);
    tern_endpoint_free(client.endpoint);
    tern_endpoint_free(server.endpoint);
    free(slots);
    return carried > 0 ? 0 : 1;
}
