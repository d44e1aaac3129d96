/* The core alone: two endpoints in one program, and the network between them is a buffer. No
 * socket, no thread, no clock. What a driver does, in forty lines; tern/udp.h is the same over
 * a real socket.
 *
 *     tern-memory
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include <tern/tern.h>

#define HOP (5 * TERN_MSEC) /* how long a packet takes */

struct host {
    tern_endpoint *ep;
    tern_addr addr;
};

static void check(const char *what, int error)
{
    if (error != 0) {
        (void)fprintf(stderr, "tern-memory: %s: %s\n", what, tern_strerror(error));
        exit(1);
    }
}

static void open_host(struct host *host, bool is_server, const char *addr, tern_time now)
{
    tern_config config;
    tern_config_init(&config);
    config.accept = is_server;
    check("address", tern_addr_parse(&host->addr, addr));
    check("endpoint", tern_endpoint_new(&host->ep, &config, now));
}

/* Carries all that one has to say to the other. A train is some packets of one size for one
 * destination, which a kernel sends in one call; the other end takes it as it is. How many
 * packets went over. */
static int carry(struct host *from, struct host *to, tern_time now)
{
    static uint8_t bytes[65535];
    tern_train train = {.data = bytes, .capacity = sizeof bytes};
    int n, total = 0;
    while ((n = tern_endpoint_transmit(from->ep, &train, now)) > 0) {
        tern_datagram in = {.local = to->addr,
                            .remote = from->addr,
                            .data = train.data,
                            .len = train.len,
                            .segment = train.segment,
                            .ecn = train.ecn};
        check("receive", tern_endpoint_receive(to->ep, &in, 1, now));
        total += n;
    }
    check("transmit", n);
    return total;
}

static void on_event(const char *who, const tern_event *ev, tern_time now)
{
    char text[64];
    ptrdiff_t n;
    printf("%3llu ms  %s  %s\n", (unsigned long long)((now - TERN_SEC) / TERN_MSEC), who,
           tern_event_name(ev->type));
    while (ev->type == TERN_EVENT_STREAM_READABLE &&
           (n = tern_stream_read(ev->stream, text, sizeof text)) >= 0) {
        if (n == 0) {
            printf("                    the end\n");
            break;
        }
        printf("                    \"%.*s\"\n", (int)n, text);
    }
}

int main(void)
{
    struct host server, client;
    tern_time now = TERN_SEC; /* any clock will do, and this one is ours */
    tern_conn *conn;
    tern_stream *stream;
    tern_peer peer;
    tern_event ev;
    int packets = 0;

    open_host(&server, true, "192.0.2.1:7400", now);
    open_host(&client, false, "192.0.2.2:5000", now);
    tern_peer_init(&peer);
    peer.addr = server.addr;
    check("connect", tern_endpoint_connect(client.ep, &peer, &conn, now));
    check("stream", tern_conn_open_stream(conn, TERN_STREAM_UNI, &stream));
    if (tern_stream_write(stream, "hello", 5, TERN_FIN) != 5) {
        check("write", TERN_ERR_LIMIT);
    }
    while (now < 2 * TERN_SEC) {
        packets += carry(&client, &server, now);
        now += HOP;
        packets += carry(&server, &client, now);
        now += HOP;
        tern_endpoint_tick(server.ep, now); /* time passes only because we say so */
        tern_endpoint_tick(client.ep, now);
        while (tern_endpoint_poll(server.ep, &ev) == 1) {
            on_event("server", &ev, now);
        }
        while (tern_endpoint_poll(client.ep, &ev) == 1) {
            on_event("client", &ev, now);
        }
    }
    printf("%d packets in a second that took no time\n", packets);
    tern_endpoint_free(client.ep);
    tern_endpoint_free(server.ep);
    return 0;
}
