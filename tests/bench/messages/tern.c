/* tern: a connection as it comes, each mode a choice of send options; "stream" is what it was before it had
 * messages. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

enum { STREAMS = CHANNELS_MOST };

#define DEADLINE (100 * TERN_MSEC)

struct way {
    const char *name;
    tern_reliability reliability;
    tern_order order;
    tern_redundancy redundancy;
    unsigned copies;
};

static const struct way ways[] = {
    {"reliable", TERN_RELIABLE, TERN_ORDERED, TERN_REDUNDANCY_ADAPTIVE, 0},
    {"reliable-off", TERN_RELIABLE, TERN_ORDERED, TERN_REDUNDANCY_OFF, 0},
    {"reliable-copy1", TERN_RELIABLE, TERN_ORDERED, TERN_REDUNDANCY_FIXED, 1},
    {"reliable-copy2", TERN_RELIABLE, TERN_ORDERED, TERN_REDUNDANCY_FIXED, 2},
    {"unordered", TERN_RELIABLE, TERN_UNORDERED, TERN_REDUNDANCY_ADAPTIVE, 0},
    {"unreliable", TERN_UNRELIABLE, TERN_UNORDERED, TERN_REDUNDANCY_ADAPTIVE, 0},
    {"unreliable-off", TERN_UNRELIABLE, TERN_UNORDERED, TERN_REDUNDANCY_OFF, 0},
    {"latest", TERN_UNRELIABLE, TERN_LATEST, TERN_REDUNDANCY_ADAPTIVE, 0},
    {"deadline", TERN_UNTIL_DEADLINE, TERN_ORDERED, TERN_REDUNDANCY_ADAPTIVE, 0},
    {"stream", TERN_RELIABLE, TERN_ORDERED, TERN_REDUNDANCY_OFF, 0},
};

/* What has come of a message on a stream. */
struct part {
    uint8_t data[LETTER_LARGEST];
    size_t len;
};

static const struct way *way;
static bool is_stream;
static tern_endpoint *endpoint;
static tern_udp *udp;
static tern_conn *conn;
static tern_stream *streams[STREAMS];
static struct part parts[STREAMS];

static tern_addr address_of(const struct sockaddr_in *in)
{
    tern_addr out = {.family = 4, .port = ntohs(in->sin_port)};
    memcpy(out.ip, &in->sin_addr, sizeof in->sin_addr);
    return out;
}

static int say(int rc)
{
    if (rc < 0 && rc != TERN_ERR_SYSTEM) {
        fprintf(stderr, "messages: tern: %s\n", tern_strerror(rc));
        errno = EIO;
    }
    return rc < 0 ? -1 : 0;
}

static int open_tern(struct end *end, const struct sockaddr_in *address)
{
    static const tern_addr any = {.family = 4};
    tern_addr at = address_of(address);
    tern_config config;
    tern_peer peer;
    tern_config_init(&config);
    config.accept = end->side == SERVER;
    config.max_streams_uni = STREAMS;
    config.cc = end->shared->options.cc != NULL ? end->shared->options.cc : config.cc;
    is_stream = mode_is(end, "stream");
    for (way = ways; !mode_is(end, way->name); way++) {
    }
    int rc = tern_endpoint_new(&endpoint, &config, tern_udp_now());
    if (rc == 0) {
        rc = tern_udp_open(&udp, endpoint, end->side == SERVER ? &at : &any);
    }
    if (rc == 0) {
        end->fd = tern_udp_fd(udp);
    }
    if (rc == 0 && end->side == CLIENT) {
        tern_peer_init(&peer);
        peer.addr = at;
        rc = tern_endpoint_connect(endpoint, &peer, &conn, tern_udp_now());
    }
    return say(rc);
}

static void read_stream(struct end *end, tern_stream *stream)
{
    size_t size = end->shared->options.size;
    struct part *part = &parts[tern_stream_id(stream) / 4 % STREAMS];
    ptrdiff_t n = 0;
    while ((n = tern_stream_read(stream, part->data + part->len, size - part->len)) > 0) {
        part->len += (size_t)n;
        if (part->len == size) {
            end_received(end, part->data, size);
            part->len = 0;
        }
    }
}

static void receive_messages(struct end *end)
{
    tern_message message = {.size = sizeof message};
    while (tern_conn_receive(conn, &message) == 1) {
        end_received(end, message.data, message.len);
    }
}

static void handle(struct end *end, const tern_event *event)
{
    switch (event->type) {
    case TERN_EVENT_CONNECTED:
        conn = event->conn;
        end->is_ready =
            is_stream || say(tern_conn_set_redundancy(conn, way->redundancy, way->copies)) == 0;
        break;
    case TERN_EVENT_CLOSED:
        fprintf(stderr, "messages: tern: the connection ended: %s\n",
                tern_strerror(event->close.error));
        end->is_over = true;
        conn = NULL;
        break;
    case TERN_EVENT_STREAM_READABLE:
        read_stream(end, event->stream);
        break;
    case TERN_EVENT_MESSAGES:
        receive_messages(end);
        break;
    case TERN_EVENT_NONE:
    case TERN_EVENT_OPENABLE:
    case TERN_EVENT_STREAM_OPENED:
    case TERN_EVENT_STREAM_WRITABLE:
    case TERN_EVENT_STREAM_STOPPED:
    case TERN_EVENT_STREAM_CLOSED:
    case TERN_EVENT_BANDWIDTH:
    case TERN_EVENT_EARLY:
    case TERN_EVENT_TICKET:
    case TERN_EVENT_MESSAGES_WRITABLE:
    case TERN_EVENT_MESSAGE_OUTCOME:
    default:
        break;
    }
}

static uint64_t work_tern(struct end *end, uint64_t now)
{
    (void)now;
    tern_event event;
    if (tern_udp_service(udp, 0) != 0) {
        end->is_over = true;
    }
    while (tern_endpoint_poll(endpoint, &event) == 1) {
        handle(end, &event);
    }
    (void)say(tern_udp_flush(udp)); /* the credit that reading gave */
    return tern_endpoint_deadline(endpoint);
}

static bool write_stream(unsigned channel, const uint8_t *data, size_t len)
{
    tern_stream **stream = &streams[channel];
    return (*stream != NULL || tern_conn_open_stream(conn, TERN_STREAM_UNI, stream) == 0) &&
           tern_stream_write(*stream, data, len, 0) == (ptrdiff_t)len;
}

static bool send_tern(struct end *end, unsigned channel, const uint8_t *data, size_t len)
{
    (void)end;
    int rc = TERN_ERR_CLOSED;
    tern_send_options options;
    if (conn != NULL && is_stream) {
        rc = write_stream(channel, data, len) ? 0 : TERN_ERR_AGAIN;
    } else if (conn != NULL) {
        tern_send_options_init(&options);
        options.reliability = way->reliability;
        options.order = way->order;
        options.channel = channel;
        options.lifetime = way->reliability == TERN_UNTIL_DEADLINE ? DEADLINE : 0;
        rc = tern_conn_send(conn, data, len, &options, tern_udp_now());
    }
    return tern_udp_flush(udp) == 0 && rc == 0;
}

static void close_tern(struct end *end)
{
    (void)end;
    tern_udp_close(udp);
    tern_endpoint_free(endpoint);
}

int main(int argc, char **argv)
{
    enum { WAYS = sizeof ways / sizeof ways[0] };
    static const char *modes[WAYS + 1];
    for (size_t i = 0; i < WAYS; i++) {
        modes[i] = ways[i].name;
    }
    static const struct transport transport = {.name = "tern",
                                               .modes = modes,
                                               .channels = STREAMS,
                                               .open = open_tern,
                                               .work = work_tern,
                                               .send = send_tern,
                                               .close = close_tern};
    return messages_main(argc, argv, &transport);
}
