/* A pair of endpoints whose client was here before: tickets and early data, over pair_kit.h.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_EARLY_KIT_H
#define TERN_TEST_EARLY_KIT_H

#include "conn/handshake.h"
#include "endpoint/endpoint.h"
#include "one_pair.h"
#include "seal_kit.h"

#define EARLY_TICKET_MAX 600

struct early_side {
    uint8_t read[4096]; /* what the server's application has read, */
    bool was_early[4096];
    size_t read_len;
    unsigned early_events, opened_before_connected;
    bool is_connected;
};

static uint8_t ticket[EARLY_TICKET_MAX];
static size_t ticket_len;
static tern_time ticket_at;
static struct early_side heard;
static uint8_t client_secret[TERN_KEY_SIZE], server_secret[TERN_KEY_SIZE];
static tern_close_info server_close;
static unsigned server_closed;

static inline void early_read(tern_stream *stream)
{
    ptrdiff_t n;
    do {
        size_t room = sizeof heard.read - heard.read_len;
        bool is_early = tern_stream_is_early(stream);
        n = tern_stream_read(stream, heard.read + heard.read_len, room > 7 ? 7 : room);
        for (ptrdiff_t i = 0; i < n; i++) {
            heard.was_early[heard.read_len++] = is_early;
        }
    } while (n > 0);
}

static inline void early_on_server(const tern_event *ev)
{
    if (ev->type == TERN_EVENT_EARLY) {
        heard.early_events++;
        server->conn = ev->conn;
    } else if (ev->type == TERN_EVENT_CONNECTED) {
        server->connected++;
        server->conn = ev->conn;
        heard.is_connected = true;
    } else if (ev->type == TERN_EVENT_STREAM_OPENED) {
        heard.opened_before_connected += heard.is_connected ? 0 : 1;
    } else if (ev->type == TERN_EVENT_CLOSED) {
        server_closed++;
        server_close = ev->close;
        server->conn = NULL;
    }
}

static inline void early_on_client(const tern_event *ev)
{
    if (ev->type == TERN_EVENT_TICKET) {
        assert_true(ev->ticket_len <= sizeof ticket);
        memcpy(ticket, ev->ticket, ev->ticket_len);
        ticket_len = ev->ticket_len;
        ticket_at = p->now;
    } else if (ev->type == TERN_EVENT_CONNECTED) {
        client->connected++;
    } else if (ev->type == TERN_EVENT_CLOSED) {
        client->closed++;
        client->close = ev->close;
        memcpy(client->reason, ev->close.reason, ev->close.reason_len);
        client->reason[ev->close.reason_len] = '\0';
        client->conn = NULL;
    }
}

/* Takes all events; the server's application reads, the client's keeps tickets. */
static inline void early_poll(struct pair *pair)
{
    tern_event ev;
    (void)pair;
    while (tern_endpoint_poll(server->endpoint, &ev) == 1) {
        early_on_server(&ev);
        if (ev.type == TERN_EVENT_STREAM_READABLE) {
            early_read(ev.stream);
        }
    }
    while (tern_endpoint_poll(client->endpoint, &ev) == 1) {
        early_on_client(&ev);
        assert_true(ev.type != TERN_EVENT_TICKET || ev.ticket_life == 24 * 3600 * TERN_SEC);
    }
}

static inline int early_setup(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof heard);
    ticket_len = 0;
    server_closed = 0;
    pair_init(p);
    p->poll = early_poll;
    memset(client_secret, 3, sizeof client_secret);
    memset(server_secret, 5, sizeof server_secret);
    client->config.secret_key = client_secret;
    server->config.secret_key = server_secret;
    server->config.early_data = true;
    return 0;
}

static inline void early_peer(tern_peer *peer)
{
    tern_peer_init(peer);
    peer->addr = server->addr;
    peer->key = p->key;
    peer->ticket = ticket_len > 0 ? ticket : NULL;
    peer->ticket_len = ticket_len;
    peer->ticket_age = p->now - ticket_at;
}

/* The first visit, at the end of which the client has a ticket. */
static inline void early_visit(void)
{
    tern_peer peer;
    early_peer(&peer);
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
    pair_exchange(p);
    assert_true(ticket_len > 0);
    assert_int_equal(tern_conn_early(client->conn), TERN_EARLY_NONE);
    tern_conn_close(client->conn, 0, NULL);
    pair_advance(p, 10 * TERN_SEC);
    assert_int_equal(server_closed, 1);
    memset(&heard, 0, sizeof heard);
    client->connected = server->connected = client->closed = server_closed = 0;
}

/* Comes again with the ticket and `text` on a stream that may be early. */
static inline void early_come(const char *text)
{
    tern_peer peer;
    early_peer(&peer);
    assert_int_equal(tern_endpoint_connect(client->endpoint, &peer, &client->conn, p->now), 0);
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_BIDI, &client->stream), 0);
    assert_int_equal(tern_stream_set_early(client->stream), 0);
    assert_int_equal(tern_stream_write(client->stream, text, strlen(text), TERN_FIN), strlen(text));
}

/* A 0-RTT packet with these frames, as its sender's connection would seal it with the keys that it has now. */
static inline void early_inject(int to, const uint8_t *frames, size_t frames_len)
{
    struct tern_conn *conn = the_pair.side[1 - to].conn;
    struct tern_space *space = &conn->spaces[TERN_LEVEL_APP];
    const struct tern_cid *dcid = tern_cids_remote(&conn->cids);
    uint8_t packet[SEAL_MAX];
    if (to == PAIR_SERVER) { /* who has not said yet how it wants to be called */
        dcid = &conn->handshake->original_dcid;
    }
    struct seal_head head = {TERN_PACKET_ZERO_RTT, dcid, &conn->cids.local[0].cid,
                             space->loss.sent.next_pn + 100};
    size_t len = seal_long(packet, &head, &space->keys->tx, frames, frames_len,
                           TERN_MAX(frames_len, (size_t)40));
    assert_int_equal(pair_inject(p, to, packet, len), 0);
    p->poll(p);
}

static inline void early_assert_heard(const char *text, bool was_early)
{
    assert_int_equal(heard.read_len, strlen(text));
    assert_memory_equal(heard.read, text, heard.read_len);
    for (size_t i = 0; i < heard.read_len; i++) {
        assert_int_equal(heard.was_early[i], was_early);
    }
}

#endif
