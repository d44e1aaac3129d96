/* Seeds out of real traffic: a client and a server in the simulator, over a link that loses, say something of each
 * kind; packets of new kinds become seeds, with their frames in plaintext or as they were on the wire.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include <tern/sim.h>

#include "fuzz.h"
#include "seeds.h"
#include "wire/decode.h"

#define KINDS_MAX 14 /* seeds of a target */
#define FRONT     10 /* of fuzz_trace.c, before the payload */

struct kinds {
    uint64_t seen[KINDS_MAX];
    size_t count;
};

struct traffic {
    struct kinds payloads, datagrams;
    tern_sim *sim;
    unsigned messages;
};

static bool is_new(struct kinds *kinds, uint64_t kind)
{
    for (size_t i = 0; i < kinds->count; i++) {
        if (kinds->seen[i] == kind) {
            return false;
        }
    }
    if (kinds->count == KINDS_MAX) {
        return false;
    }
    kinds->seen[kinds->count++] = kind;
    return true;
}

/* A bit for each type of frame that is in it. */
static uint64_t types_in(const uint8_t *payload, size_t len)
{
    struct tern_reader r;
    struct tern_frame frame;
    uint64_t types = 0;
    tern_reader_init(&r, payload, len);
    while (tern_reader_left(&r) > 0 && tern_frame_decode(&frame, &r) == 0) {
        types |= UINT64_C(1) << ((unsigned)frame.type & 63);
    }
    return types;
}

/* Without the padding behind its last frame, which says nothing. */
static size_t without_padding(const uint8_t *payload, size_t len)
{
    while (len > 4 && payload[len - 1] == 0) {
        len--;
    }
    return len;
}

static void on_trace(void *user, const tern_trace_event *event)
{
    static const uint8_t levels[] = {0, 0, 1, 0, 2};
    struct traffic *t = user;
    uint8_t buf[FRONT + 1600];
    char name[32];
    if (event->kind != TERN_TRACE_SENT || event->payload_len > 1020 ||
        !is_new(&t->payloads, types_in(event->payload, event->payload_len))) {
        return;
    }
    size_t len = without_padding(event->payload, event->payload_len);
    (void)snprintf(name, sizeof name, "traffic-%02zu", t->payloads.count);
    save("fuzz_frame", name, event->payload, len);
    memset(buf, 7, FRONT);
    buf[0] = event->is_server ? 9 : 1;
    memcpy(buf + FRONT, event->payload, len);
    save("fuzz_trace", name, buf, FRONT + len);
    buf[0] = (uint8_t)(0x18 | levels[event->packet_type] | (event->is_server ? 4 : 0));
    buf[1] = (uint8_t)(len >> 2);
    buf[2] = (uint8_t)(len & 3);
    memcpy(buf + 3, event->payload, len);
    save("fuzz_peer", name, buf, 3 + len);
}

/* Long headers by their first octet and identifiers, short ones once. */
static bool on_packet(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                      uint8_t *data, size_t len)
{
    struct traffic *t = user;
    char name[32];
    (void)now;
    (void)from;
    (void)to;
    uint64_t kind = (data[0] & 0x80) != 0 ? (uint64_t)data[0] << 8 | data[5] : 1;
    if (is_new(&t->datagrams, kind)) {
        (void)snprintf(name, sizeof name, "traffic-%02zu", t->datagrams.count);
        save("fuzz_header", name, data, TERN_MIN(len, (size_t)400));
    }
    return true;
}

/* Streams both ways and messages of each kind. */
static void say(struct traffic *t, tern_conn *conn)
{
    static const uint8_t bytes[3000] = {1, 2, 3};
    tern_send_options options;
    tern_stream *stream;
    tern_send_options_init(&options);
    for (unsigned i = 0; i < 3; i++) {
        options.order = (tern_order)i;
        options.reliability = (tern_reliability)((t->messages + i) % 4);
        options.lifetime = options.reliability == TERN_UNTIL_DEADLINE ? TERN_SEC : 0;
        if (tern_conn_send(conn, bytes, 40 + 900 * i, &options, tern_sim_now(t->sim)) == 0) {
            t->messages++;
        }
    }
    if (tern_conn_set_fec(conn, 0, TERN_UNORDERED, 100, false) != 0 ||
        tern_conn_open_stream(conn, TERN_STREAM_BIDI, &stream) != 0) {
        return;
    }
    if (tern_stream_write(stream, bytes, sizeof bytes, 0) < 0 || (t->messages & 1) == 0) {
        (void)tern_stream_reset(stream, 7);
    }
}

static void poll_events(struct traffic *t, tern_endpoint *endpoint)
{
    tern_event event;
    while (tern_endpoint_poll(endpoint, &event) == 1) {
        tern_message message = {.size = sizeof message};
        char buf[2000];
        if (event.type == TERN_EVENT_CONNECTED) {
            say(t, event.conn);
        } else if (event.type == TERN_EVENT_STREAM_READABLE) {
            while (tern_stream_read(event.stream, buf, sizeof buf) > 0) {
            }
            (void)tern_stream_stop(event.stream, 3);
        } else if (event.type == TERN_EVENT_MESSAGES) {
            while (tern_conn_receive(event.conn, &message) == 1) {
            }
        }
    }
}

static int add_host(struct traffic *t, bool is_server, tern_sim_host **out)
{
    tern_addr addr = {.family = 4, .ip = {10, 0, 0, is_server ? 1 : 2}, .port = 4433};
    tern_config config;
    tern_config_init(&config);
    config.accept = config.early_data = is_server;
    config.clock = true;
    config.retry_half_open = 0;
    config.stream_window = config.stream_window_max = 2000;
    config.trace = (tern_trace_sink){on_trace, t};
    return tern_sim_add_host(t->sim, &addr, &config, out);
}

void seed_traffic(void)
{
    struct traffic t = {.messages = 0};
    tern_sim_host *hosts[2];
    tern_link_config link;
    tern_peer peer;
    tern_conn *conn;
    tern_link_config_init(&link);
    link.delay = 20 * TERN_MSEC;
    link.loss = 0.05;
    link.ecn_mark = 0.2;
    if (tern_sim_new(&t.sim, 1) != 0 || add_host(&t, false, &hosts[0]) != 0 ||
        add_host(&t, true, &hosts[1]) != 0 ||
        tern_sim_connect(t.sim, hosts[0], hosts[1], &link, NULL) != 0) {
        failed("the simulator");
        return;
    }
    tern_sim_tap(t.sim, on_packet, &t);
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(hosts[1]);
    if (tern_endpoint_connect(tern_sim_host_endpoint(hosts[0]), &peer, &conn,
                              tern_sim_now(t.sim)) != 0) {
        failed("a connection");
    }
    tern_time end = tern_sim_now(t.sim) + 4 * TERN_SEC;
    for (bool is_rekeyed = false; tern_sim_step(t.sim, end) > 0 && tern_sim_now(t.sim) < end;) {
        poll_events(&t, tern_sim_host_endpoint(hosts[0]));
        poll_events(&t, tern_sim_host_endpoint(hosts[1]));
        if (!is_rekeyed && tern_sim_now(t.sim) > end - 2 * TERN_SEC) {
            is_rekeyed = tern_conn_rekey(conn) == 0;
        }
    }
    tern_conn_close(conn, 3, "enough");
    (void)tern_sim_step(t.sim, end + TERN_SEC);
    tern_sim_free(t.sim);
}
