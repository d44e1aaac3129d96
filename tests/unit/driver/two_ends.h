/* Two real endpoints on loopback, for tests of what the driver makes of a bad network or a bad socket.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TWO_ENDS_H
#define TERN_TWO_ENDS_H

#include <string.h>

#include <tern/tern.h>
#include <tern/udp.h>

#include "tern_test.h"

struct end {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_conn *conn;
    bool is_connected, is_closed;
    tern_close_info close;
    size_t read;
};

static struct end client, server;

static inline void end_open(struct end *end, bool accept, tern_time handshake_timeout)
{
    tern_config config;
    tern_addr any;
    memset(end, 0, sizeof *end);
    tern_config_init(&config);
    config.accept = accept;
    config.clock = true;
    config.handshake_timeout = handshake_timeout;
    assert_int_equal(tern_addr_parse(&any, "127.0.0.1:0"), 0);
    assert_int_equal(tern_endpoint_new(&end->endpoint, &config, tern_udp_now()), 0);
    assert_int_equal(tern_udp_open(&end->udp, end->endpoint, &any), 0);
}

static inline void end_close(struct end *end)
{
    tern_udp_close(end->udp);
    tern_endpoint_free(end->endpoint);
}

static inline void ends_connect(void)
{
    tern_peer peer;
    uint8_t key[TERN_KEY_SIZE];
    tern_peer_init(&peer);
    peer.addr = tern_udp_local(server.udp);
    tern_endpoint_public_key(server.endpoint, key);
    peer.key = key;
    assert_int_equal(tern_endpoint_connect(client.endpoint, &peer, &client.conn, tern_udp_now()),
                     0);
}

static inline void read_all(struct end *end, tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0 && len > 0) {
        assert_int_equal(tern_stream_consume(stream, len), 0);
        end->read += len;
    }
}

static inline void serve(struct end *end)
{
    tern_event ev;
    assert_int_equal(tern_udp_service(end->udp, TERN_MSEC), 0);
    while (tern_endpoint_poll(end->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            end->is_connected = true;
            end->conn = ev.conn;
        } else if (ev.type == TERN_EVENT_CLOSED) {
            end->is_closed = true;
            end->close = ev.close;
            end->conn = NULL;
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            read_all(end, ev.stream);
        }
    }
}

static inline void serve_for(tern_time length)
{
    tern_time until = tern_udp_now() + length;
    while (tern_udp_now() < until) {
        serve(&client);
        serve(&server);
    }
}

/* Until it is so, or for a time that no machine is too slow for. */
static inline void serve_until(const bool *is_so)
{
    tern_time until = tern_udp_now() + 60 * TERN_SEC;
    while (!*is_so && tern_udp_now() < until) {
        serve(&client);
        serve(&server);
    }
}

static inline void serve_until_read(size_t bytes)
{
    tern_time until = tern_udp_now() + 60 * TERN_SEC;
    while (server.read < bytes && tern_udp_now() < until) {
        serve(&client);
        serve(&server);
    }
}

static inline tern_stats stats_of_client(void)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(client.conn, &stats);
    return stats;
}

#endif
