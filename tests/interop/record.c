/* Records connections for readers that know the protocol and not the library: what was on the wire as a capture, what
 * both ends say of it as text and qlog, the secrets as a key log, and all random draws of both ends.
 *
 *     interop_record SCENARIO FOLDER
 *
 * Two endpoints over two links in virtual time, on the public headers alone.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/sim.h>
#include <tern/tern.h>

#include "record.h"

enum { TRAIN_MAX = 65535, CLIENT = 0, SERVER = 1 };

static struct world world;

_Noreturn void record_fail(const char *what)
{
    (void)fprintf(stderr, "interop_record: %s: %s\n", world.scenario, what);
    exit(1);
}

void record_check(int rc, const char *what)
{
    if (rc < 0) {
        (void)fprintf(stderr, "interop_record: %s: %s: %s\n", world.scenario, what,
                      tern_strerror(rc));
        exit(1);
    }
}

/* --- files --------------------------------------------------------------------------------------------- */

static FILE *open_file(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void put_le(uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        (void)fputc((int)(value >> 8 * i & 0xff), world.capture);
    }
}

static void put_be(uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;) {
        (void)fputc((int)(value >> 8 * i & 0xff), world.capture);
    }
}

/* The classic form of pcap with nanoseconds; link type 228 is bare IPv4. */
static void start_capture(void)
{
    put_le(0xa1b23c4d, 4);
    put_le(2, 2);
    put_le(4, 2);
    put_le(0, 8);
    put_le(TRAIN_MAX + 28, 4);
    put_le(228, 4);
}

static unsigned ipv4_sum(const tern_addr *from, const tern_addr *to, size_t total)
{
    uint32_t sum = 0x4500 + (uint32_t)total + 0x4000 + (64u << 8 | 17);
    const tern_addr *both[] = {from, to};
    for (size_t i = 0; i < 2; i++) {
        sum += (uint32_t)(both[i]->ip[0] << 8 | both[i]->ip[1]);
        sum += (uint32_t)(both[i]->ip[2] << 8 | both[i]->ip[3]);
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

static void capture(const tern_addr *from, const tern_addr *to, const uint8_t *data, size_t len)
{
    put_le(world.now / TERN_SEC, 4);
    put_le(world.now % TERN_SEC, 4);
    put_le(len + 28, 4);
    put_le(len + 28, 4);
    put_be(0x4500, 2);
    put_be(len + 28, 2);
    put_be(0x4000, 4); /* no identification; not to be fragmented */
    put_be(64u << 8 | 17, 2);
    put_be(ipv4_sum(from, to, len + 28), 2);
    (void)fwrite(from->ip, 1, 4, world.capture);
    (void)fwrite(to->ip, 1, 4, world.capture);
    put_be(from->port, 2);
    put_be(to->port, 2);
    put_be(len + 8, 2);
    put_be(0, 2); /* no checksum, RFC 768 */
    (void)fwrite(data, 1, len, world.capture);
}

static void render(FILE *file, size_t (*as)(const tern_trace_event *, char *, size_t),
                   const tern_trace_event *event, const char *end)
{
    static char buf[1 << 20];
    size_t len = as(event, buf, sizeof buf);
    if (len >= sizeof buf) {
        record_fail("an event is too long for a line");
    }
    if (len > 0) {
        (void)fprintf(file, "%s%s", buf, end);
    }
}

static void on_trace(void *user, const tern_trace_event *event)
{
    struct side *side = user;
    if (event->kind == TERN_TRACE_SENT) {
        render(world.sent, tern_trace_text, event, "\n");
    }
    render(side->text, tern_trace_text, event, "\n");
    render(side->qlog, tern_trace_qlog, event, "");
    render(world.keys, tern_trace_key_log, event, "\n");
}

/* --- randomness ---------------------------------------------------------------------------------------- */

/* xorshift64*: repeatable, and not for secrets of anybody. What is drawn as 32 bytes may be a secret key, as 64 a
 * scalar of CPace. */
static void on_fill(void *user, uint8_t *buf, size_t len)
{
    struct side *side = user;
    for (size_t i = 0; i < len; i++) {
        side->random ^= side->random >> 12;
        side->random ^= side->random << 25;
        side->random ^= side->random >> 27;
        buf[i] = (uint8_t)(side->random * UINT64_C(0x2545f4914f6cdd1d) >> 56);
    }
    bool is_key = len == TERN_KEY_SIZE || len == 2 * TERN_KEY_SIZE;
    for (size_t i = 0; i < len && is_key; i++) {
        (void)fprintf(world.known, "%02x%s", buf[i], i + 1 < len ? "" : "\n");
    }
}

/* --- the world ----------------------------------------------------------------------------------------- */

static void open_side(struct side *side, bool is_server, const char *folder)
{
    static const char *const names[2][2] = {{"client.txt", "client.qlog"},
                                            {"server.txt", "server.qlog"}};
    char head[1024];
    side->random = is_server ? 0x5eed5eed5eed0001 : 0x5eed5eed5eed0002;
    side->text = open_file(folder, names[is_server][0]);
    side->qlog = open_file(folder, names[is_server][1]);
    (void)tern_trace_qlog_start(is_server, head, sizeof head);
    (void)fputs(head, side->qlog);
    on_fill(side, side->secret_key, sizeof side->secret_key);
    tern_config *config = &side->config;
    tern_config_init(config);
    config->secret_key = side->secret_key;
    config->accept = is_server;
    config->clock = true;
    config->random = (tern_random_source){on_fill, side};
    config->trace = (tern_trace_sink){on_trace, side};
    config->key_log = true;
}

static void open_world(const char *scenario, const char *folder)
{
    world.scenario = scenario;
    world.now = TERN_SEC;
    world.capture = open_file(folder, "capture.pcap");
    world.sent = open_file(folder, "sent.txt");
    world.keys = open_file(folder, "keys.log");
    world.known = open_file(folder, "known.txt");
    start_capture();
    record_check(tern_addr_parse(&world.sides[CLIENT].addr, "192.0.2.1:50000"), "an address");
    record_check(tern_addr_parse(&world.sides[SERVER].addr, "192.0.2.2:7437"), "an address");
    open_side(&world.sides[CLIENT], false, folder);
    open_side(&world.sides[SERVER], true, folder);
    tern_link_config_init(&world.link);
    world.link.delay = 10 * TERN_MSEC;
}

static void start_world(void)
{
    for (int i = 0; i < 2; i++) {
        struct side *side = &world.sides[i];
        record_check(tern_endpoint_new(&side->endpoint, &side->config, world.now), "an endpoint");
        record_check(tern_link_new(&side->out, &world.link, 7 + (uint64_t)i), "a link");
    }
}

/* All that an end wants to say enters its link. */
static void transmit(struct side *side)
{
    static uint8_t buf[TRAIN_MAX];
    tern_train train = {.data = buf, .capacity = sizeof buf};
    while (tern_endpoint_transmit(side->endpoint, &train, world.now) > 0) {
        tern_addr from = train.local.family == 0 ? side->addr : train.local;
        if (side == &world.sides[CLIENT]) {
            side->addr = from; /* it sends from the latest only, which is enough here */
        }
        for (size_t at = 0; at < train.len; at += train.segment) {
            size_t len = train.len - at < train.segment ? train.len - at : train.segment;
            capture(&from, &train.remote, buf + at, len);
            record_check(tern_link_send(side->out, buf + at, len, train.ecn,
                                        side == &world.sides[CLIENT] ? from.port : 0, world.now),
                         "a packet");
        }
    }
}

/* What comes out of an end's link arrives at the other. */
static void arrive(struct side *side)
{
    static uint8_t buf[TRAIN_MAX];
    bool is_client = side == &world.sides[CLIENT];
    struct side *to = &world.sides[is_client];
    tern_datagram in = {.data = buf, .local = to->addr, .remote = side->addr};
    uint64_t port = 0;
    while (tern_link_receive(side->out, buf, sizeof buf, &in.len, &in.ecn, &port, world.now) > 0) {
        in.remote.port = is_client ? (uint16_t)port : in.remote.port;
        record_check(tern_endpoint_receive(to->endpoint, &in, 1, world.now), "receiving");
    }
}

static void poll_side(struct side *side)
{
    tern_event event;
    while (tern_endpoint_poll(side->endpoint, &event) > 0) {
        if (event.type == TERN_EVENT_CONNECTED) {
            side->conn = event.conn;
            side->connected++;
        } else if (event.type == TERN_EVENT_CLOSED) {
            side->conn = NULL;
            side->closed++;
        } else if (event.type == TERN_EVENT_TICKET) {
            side->ticket_len = event.ticket_len < sizeof side->ticket ? event.ticket_len : 0;
            memcpy(side->ticket, event.ticket, side->ticket_len);
        }
        scenario_on_event(&world, side, &event);
    }
}

void record_run(tern_time span)
{
    tern_time end = world.now + span;
    for (;;) {
        tern_time next = end;
        for (int i = 0; i < 2; i++) {
            struct side *side = &world.sides[i];
            poll_side(side);
            transmit(side);
        }
        for (int i = 0; i < 2; i++) {
            tern_time deadline = tern_endpoint_deadline(world.sides[i].endpoint);
            tern_time packet = tern_link_next(world.sides[i].out);
            next = deadline < next ? deadline : next;
            next = packet < next ? packet : next;
        }
        if (next >= end) {
            world.now = end;
            return;
        }
        world.now = next > world.now ? next : world.now;
        for (int i = 0; i < 2; i++) {
            arrive(&world.sides[i]);
            tern_endpoint_tick(world.sides[i].endpoint, world.now);
        }
    }
}

static void close_world(void)
{
    FILE *files[] = {world.capture,       world.sent,          world.keys,
                     world.known,         world.sides[0].text, world.sides[1].text,
                     world.sides[0].qlog, world.sides[1].qlog};
    for (int i = 0; i < 2; i++) {
        tern_endpoint_free(world.sides[i].endpoint);
        tern_link_free(world.sides[i].out);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (ferror(files[i]) != 0 || fclose(files[i]) != 0) {
            record_fail("a file could not be written");
        }
    }
}

int main(int argc, char **argv)
{
    const struct scenario *scenario = argc == 3 ? scenario_find(argv[1]) : NULL;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        scenario_list();
        return 0;
    }
    if (scenario == NULL) {
        (void)fputs("usage: interop_record list\n       interop_record SCENARIO FOLDER\n", stderr);
        return 2;
    }
    open_world(argv[1], argv[2]);
    scenario->prepare(&world);
    start_world();
    scenario->run(&world);
    close_world();
    return 0;
}
