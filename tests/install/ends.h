/* Two ends of a transfer, which a program moves datagrams between as it likes; C11 and C++17.
 * SPDX-License-Identifier: MIT */
#ifndef ENDS_H
#define ENDS_H

#ifdef TERN_AMALGAM
#include "tern.h"
#else
#include <tern/tern.h>
#endif

#include <stdio.h>
#include <string.h>

enum { ENDS_BYTES = 300000 };

struct end {
    tern_endpoint *endpoint;
    tern_conn *conn; /* the client's */
    tern_stream *stream;
    size_t done; /* bytes written, or read and found right */
    bool is_over, is_closed;
};

static struct end client, server;

static inline uint8_t ends_byte(size_t at)
{
    return (uint8_t)(at * 31 + at / 257);
}

static inline bool ends_open(tern_time now)
{
    tern_config config;
    tern_config_init(&config);
    if (tern_endpoint_new(&client.endpoint, &config, now) != 0) {
        return false;
    }
    config.accept = true;
    return tern_endpoint_new(&server.endpoint, &config, now) == 0;
}

static inline bool ends_connect(const tern_addr *to, tern_time now)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer;
    tern_endpoint_public_key(server.endpoint, key);
    tern_peer_init(&peer);
    peer.addr = *to;
    peer.key = key;
    return tern_endpoint_connect(client.endpoint, &peer, &client.conn, now) == 0 &&
           tern_conn_open_stream(client.conn, TERN_STREAM_UNI, &client.stream) == 0;
}

static inline void ends_write(void)
{
    uint8_t bytes[4096];
    ptrdiff_t n = 1;
    while (n > 0 && client.done < ENDS_BYTES) {
        size_t len = ENDS_BYTES - client.done;
        len = len < sizeof bytes ? len : sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = ends_byte(client.done + i);
        }
        n = tern_stream_write(client.stream, bytes, len,
                              client.done + len == ENDS_BYTES ? TERN_FIN : 0);
        client.done += n > 0 ? (size_t)n : 0;
    }
}

static inline void ends_read(tern_stream *stream)
{
    uint8_t bytes[4096];
    ptrdiff_t n;
    while ((n = tern_stream_read(stream, bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < (size_t)n && bytes[i] == ends_byte(server.done); i++) {
            server.done++;
        }
    }
    server.is_over = n == 0;
}

/* Whatever has happened at either end. Once the server has all, the client closes. */
static inline void ends_poll(void)
{
    tern_event event;
    while (tern_endpoint_poll(server.endpoint, &event)) {
        if (event.type == TERN_EVENT_STREAM_READABLE) {
            ends_read(event.stream);
        }
        server.is_closed = server.is_closed || event.type == TERN_EVENT_CLOSED;
    }
    while (tern_endpoint_poll(client.endpoint, &event)) {
        client.is_closed = client.is_closed || event.type == TERN_EVENT_CLOSED;
    }
    if (!client.is_closed) {
        ends_write();
    }
    if (server.is_over && !client.is_over) {
        client.is_over = true;
        tern_conn_close(client.conn, 0, "thanks");
    }
}

static inline bool ends_are_done(void)
{
    return server.is_closed && client.is_closed;
}

/* What a program says at its end, and its exit status. */
static inline int ends_report(const char *how)
{
    bool is_good = server.done == ENDS_BYTES && ends_are_done();
    printf("%s: tern %s, %zu of %d bytes arrived, %s\n", how, tern_version(), server.done,
           ENDS_BYTES, ends_are_done() ? "closed" : "not closed");
    tern_endpoint_free(client.endpoint);
    tern_endpoint_free(server.endpoint);
    return is_good ? 0 : 1;
}

#endif
