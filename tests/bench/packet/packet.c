/* What a packet costs the library alone: two endpoints in one process, no kernel between.
 * SPDX-License-Identifier: MIT
 *
 *     packet [SECONDS [SUITE [DATAGRAM [UNDER_WAY [CONNECTIONS]]]]]
 *
 * One object: ns a packet of either side, medians of rounds. What the sender has sealed is copied away, and again to
 * where the receiver reads it, as a kernel does, and is not counted. One connection is answered train by train; many, as by the driver,
 * when all that is under way has been read. SECONDS below 0 are of a clock that goes on by so much a packet, so that a
 * run is the same each time: for valgrind, which counts. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>
#include <time.h>

#define TRAIN      65507u
#define UNDER_WAY  (1u << 20)      /* bytes between the two ends, as in a socket's buffer */
#define MOST       16384u          /* trains under way */
#define BATCH      16u             /* datagrams that many connections receive in one call */
#define READS      4u              /* such calls until the application has its turn */
#define ANSWERS    64u             /* datagrams that leave in one send */
#define PATIENCE   (8 * TERN_MSEC) /* of a receiver with more to read, until it answers */
#define HANDSHAKES 64u             /* under way at once */
#define PACKET_NS  300u            /* of the clock that counts packets */
#define ROUNDS     21u
#define LENT       65536u

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

/* What the server sends back: as a kernel cuts it, trains of one length for one address arrive as one. */
struct answer {
    size_t len, segment;
    uint8_t data[TRAIN];
};

static struct side client, server;
static tern_conn *conn; /* the first */
static size_t connections = 1, connected;
static struct slot *idle, *first, **end = &first;
static size_t under_way = UNDER_WAY;
static uint64_t packets, carried, in_between;
static uint8_t filling[LENT], train_room[TRAIN];
static struct answer answers[BATCH];
static size_t answer_count;
static bool is_virtual;
static tern_time virtual_now = TERN_SEC;

static tern_time now_ns(void)
{
    struct timespec t;
    if (is_virtual) {
        return virtual_now;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (tern_time)t.tv_sec * TERN_SEC + (tern_time)t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "packet: %s\n", what);
    exit(1);
}

static void write_on(tern_stream *stream)
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
            connected++;
        } else if (event.type == TERN_EVENT_STREAM_READABLE) {
            read_on(event.stream);
        } else if (event.type == TERN_EVENT_STREAM_WRITABLE) {
            write_on(event.stream);
        } else if (event.type == TERN_EVENT_CLOSED) {
            fail("a connection ended");
        }
    }
}

static void tick(struct side *side, tern_time now)
{
    if (tern_endpoint_deadline(side->endpoint) <= now) {
        tern_endpoint_tick(side->endpoint, now);
    }
}

static void give(struct side *to, const tern_datagram *in, size_t n, tern_time now)
{
    if (tern_endpoint_receive(to->endpoint, in, n, now) != 0) {
        fail("out of memory");
    }
    tick(to, now);
}

static tern_datagram datagram_of(const struct side *to, const struct side *from, uint8_t *data,
                                 size_t len, size_t segment)
{
    return (tern_datagram){.local = to->addr,
                           .remote = from->addr,
                           .data = data,
                           .len = len,
                           .segment = segment < len ? segment : 0};
}

/* The client's next train into the queue; false: it has nothing to send now. */
static bool send_train(void)
{
    struct slot *slot = idle;
    tern_time since = now_ns();
    tern_train train = {.data = train_room, .capacity = sizeof train_room};
    int n = tern_endpoint_transmit(client.endpoint, &train, since);
    if (n <= 0) {
        tick(&client, since);
        poll_all(&client);
        client.spent += (double)(now_ns() - since);
        virtual_now += PACKET_NS;
        return false;
    }
    client.spent += (double)(now_ns() - since);
    virtual_now += (tern_time)n * PACKET_NS;
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

/* The oldest trains to the server, which reads them where a kernel has copied them to. */
static void take_trains(size_t most)
{
    static uint8_t room[BATCH][TRAIN];
    tern_datagram in[BATCH];
    size_t n = 0;
    for (; n < most && first != NULL; n++) {
        struct slot *slot = first;
        in_between -= slot->train.len;
        memcpy(room[n], slot->data, slot->train.len);
        in[n] = datagram_of(&server, &client, room[n], slot->train.len, slot->train.segment);
        in[n].ecn = slot->train.ecn;
        first = slot->next;
        slot->next = idle;
        idle = slot;
    }
    end = first == NULL ? &first : end;
    tern_time since = now_ns();
    give(&server, in, n, since);
    server.spent += (double)(now_ns() - since);
}

static void poll_server(void)
{
    tern_time since = now_ns();
    poll_all(&server);
    server.spent += (double)(now_ns() - since);
}

static bool goes_along(const struct answer *answer, const tern_train *train)
{
    return connections > 1 && answer->len % answer->segment == 0 &&
           answer->len / answer->segment < ANSWERS && train->len == answer->segment &&
           train->segment == train->len;
}

static void keep_answer(const uint8_t *data, const tern_train *train)
{
    struct answer *answer = answer_count > 0 ? &answers[answer_count - 1] : NULL;
    if (answer == NULL || !goes_along(answer, train)) {
        answer = &answers[answer_count++];
        answer->len = 0;
        answer->segment = train->segment;
    }
    memcpy(answer->data + answer->len, data, train->len);
    answer->len += train->len;
}

/* To the client. */
static void deliver_answers(void)
{
    tern_datagram in[BATCH];
    tern_time since = now_ns();
    for (size_t i = 0; i < answer_count; i++) {
        in[i] = datagram_of(&client, &server, answers[i].data, answers[i].len, answers[i].segment);
    }
    give(&client, in, answer_count, since);
    poll_all(&client);
    client.spent += (double)(now_ns() - since);
    answer_count = 0;
}

/* All that the server has to say. */
static void answer_all(void)
{
    static uint8_t room[TRAIN];
    for (int n = 1; n > 0;) {
        tern_time since = now_ns();
        tern_train train = {.data = room, .capacity = sizeof room};
        n = tern_endpoint_transmit(server.endpoint, &train, since);
        server.spent += (double)(now_ns() - since);
        if (n > 0) {
            keep_answer(room, &train);
        }
        if (answer_count == BATCH || (n <= 0 && answer_count > 0) || connections == 1) {
            deliver_answers();
        }
    }
}

static void turn(void)
{
    while (in_between < under_way && idle != NULL && send_train()) {
    }
    tern_time until = now_ns() + PATIENCE;
    for (size_t i = 1; first != NULL; i++) {
        take_trains(connections == 1 ? 1 : BATCH);
        if (connections == 1 || i % READS == 0 || first == NULL) {
            poll_server();
        }
        if (connections == 1 || now_ns() > until) {
            break;
        }
    }
    answer_all();
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
    config.max_connections = connections + 1;
    if (tern_endpoint_new(&server.endpoint, &config, now_ns()) != 0) {
        fail("no such suite here");
    }
    config.accept = false;
    tern_peer_init(&peer);
    tern_endpoint_public_key(server.endpoint, key);
    peer.addr = server.addr;
    peer.key = key;
    if (tern_endpoint_new(&client.endpoint, &config, now_ns()) != 0) {
        fail("it does not begin");
    }
    for (size_t i = 0; i < connections; i++) {
        tern_conn *next;
        if (tern_endpoint_connect(client.endpoint, &peer, &next, now_ns()) != 0) {
            fail("it does not begin");
        }
        conn = conn == NULL ? next : conn;
        while (connected + HANDSHAKES <= i) {
            turn();
        }
    }
    while (connected < connections) {
        turn();
    }
    for (tern_conn *next = NULL; (next = tern_endpoint_next_conn(client.endpoint, next)) != NULL;) {
        tern_stream *stream;
        if (tern_conn_open_stream(next, TERN_STREAM_BIDI, &stream) != 0) {
            fail("no stream");
        }
        write_on(stream);
    }
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
    connections = argc > 5 ? (size_t)strtoul(argv[5], NULL, 10) : 1;
    is_virtual = seconds < 0;
    seconds = is_virtual ? -seconds : seconds;
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
