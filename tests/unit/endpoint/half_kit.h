/* A server that answers early data before the handshake is over, over early_kit.h.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_HALF_KIT_H
#define TERN_TEST_HALF_KIT_H

#include "early_kit.h"

#define HALF_ANSWER_MAX 60000

static struct {
    size_t answer; /* so many bytes the server says to a request, once it is whole, */
    bool is_early; /* ... before the handshake is over, too */
    bool server_closes;
    uint8_t read[HALF_ANSWER_MAX]; /* what the client has read, */
    size_t read_len;
    bool has_end, was_proved; /* ... and whether the server's application knew it then */
    unsigned tickets;
    uint64_t used, given; /* as the server's application sees it */
} half;

static uint8_t half_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static inline void half_answer(tern_stream *stream)
{
    static uint8_t answer[HALF_ANSWER_MAX];
    for (size_t i = 0; i < half.answer; i++) {
        answer[i] = half_byte(i);
    }
    if (half.is_early) {
        assert_int_equal(tern_stream_set_early(stream), 0);
    }
    ptrdiff_t n = tern_stream_write(stream, answer, half.answer, TERN_FIN);
    assert_true(n == (ptrdiff_t)half.answer || n == TERN_ERR_NOMEM || n == TERN_ERR_CLOSED);
}

static inline void half_serve(tern_stream *stream)
{
    uint8_t buf[64];
    ptrdiff_t n = 1;
    while (n > 0) {
        n = tern_stream_read(stream, buf, sizeof buf);
        heard.read_len += n > 0 ? (size_t)n : 0;
    }
    if (n == 0 && half.server_closes) {
        tern_conn_close(tern_stream_conn(stream), 9, "closed for today");
    } else if (n == 0) {
        half_answer(stream);
    }
}

static inline void half_read(tern_stream *stream)
{
    ptrdiff_t n = 1;
    while (n > 0) {
        n = tern_stream_read(stream, half.read + half.read_len, sizeof half.read - half.read_len);
        half.read_len += n > 0 ? (size_t)n : 0;
    }
    if (n == 0) {
        half.has_end = true;
        half.was_proved = server->connected > 0;
    }
}

static inline void half_poll(void)
{
    tern_event ev;
    while (tern_endpoint_poll(server->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_EARLY) {
            heard.early_events++;
            server->conn = ev.conn;
            half.used = tern_conn_ticket_used(ev.conn);
            half.given = tern_conn_ticket_given(ev.conn);
        } else if (ev.type == TERN_EVENT_CONNECTED) {
            server->connected++;
            server->conn = ev.conn;
            half.given = tern_conn_ticket_given(ev.conn);
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            half_serve(ev.stream);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            server_closed++;
            server_close = ev.close;
            server->conn = NULL;
        }
    }
    while (tern_endpoint_poll(client->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_TICKET) {
            memcpy(ticket, ev.ticket, ev.ticket_len);
            ticket_len = ev.ticket_len;
            ticket_at = p->now;
            half.tickets++;
        } else if (ev.type == TERN_EVENT_CONNECTED) {
            client->connected++;
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            half_read(ev.stream);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            client->closed++;
            client->close = ev.close;
            memcpy(client->reason, ev.close.reason, ev.close.reason_len);
            client->reason[ev.close.reason_len] = '\0';
            client->conn = NULL;
        }
    }
}

static inline void half_exchange(void)
{
    bool is_busy = true;
    for (int i = 0; is_busy && i < 100; i++) {
        is_busy = pair_carry(p, PAIR_CLIENT);
        half_poll();
        is_busy = pair_carry(p, PAIR_SERVER) || is_busy;
        half_poll();
    }
}

static inline void half_advance(tern_time length)
{
    tern_time end = p->now + length;
    for (int i = 0; i < 10000; i++) {
        half_exchange();
        tern_time at = TERN_MIN(tern_endpoint_deadline(client->endpoint),
                                tern_endpoint_deadline(server->endpoint));
        if (at >= end) {
            break;
        }
        p->now = TERN_MAX(p->now, at);
        tern_endpoint_tick(client->endpoint, p->now);
        tern_endpoint_tick(server->endpoint, p->now);
        half_poll();
    }
    p->now = TERN_MAX(p->now, end);
    tern_endpoint_tick(client->endpoint, p->now);
    tern_endpoint_tick(server->endpoint, p->now);
    half_exchange();
}

static inline void half_assert_answered(void)
{
    assert_true(half.has_end);
    assert_int_equal(half.read_len, half.answer);
    for (size_t i = 0; i < half.read_len; i++) {
        assert_int_equal(half.read[i], half_byte(i));
    }
}

/* The client was here before, and the server means to answer so many bytes at once. */
static inline void half_begin(size_t answer)
{
    memset(&half, 0, sizeof half);
    pair_open(p);
    early_visit();
    half.answer = answer;
    half.is_early = true;
}

#endif
