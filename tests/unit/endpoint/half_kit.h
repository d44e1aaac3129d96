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

static inline void half_poll(struct pair *pair)
{
    tern_event ev;
    (void)pair;
    while (tern_endpoint_poll(server->endpoint, &ev) == 1) {
        early_on_server(&ev);
        if (ev.type == TERN_EVENT_EARLY) {
            half.used = tern_conn_ticket_used(ev.conn);
            half.given = tern_conn_ticket_given(ev.conn);
        } else if (ev.type == TERN_EVENT_CONNECTED) {
            half.given = tern_conn_ticket_given(ev.conn);
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            half_serve(ev.stream);
        }
    }
    while (tern_endpoint_poll(client->endpoint, &ev) == 1) {
        early_on_client(&ev);
        if (ev.type == TERN_EVENT_TICKET) {
            half.tickets++;
            assert_true(ev.ticket_life <= 24 * 3600 * TERN_SEC);
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            half_read(ev.stream);
        }
    }
}

static inline void half_assert_answered(void)
{
    assert_true(half.has_end);
    assert_int_equal(half.read_len, half.answer);
    for (size_t i = 0; i < half.read_len; i++) {
        assert_int_equal(half.read[i], half_byte(i));
    }
}

/* The server means to answer so many bytes at once. */
static inline void half_open(size_t answer)
{
    pair_open(p);
    p->poll = half_poll;
    memset(&half, 0, sizeof half);
    half.answer = answer;
    half.is_early = true;
}

/* ... and the client was here before. */
static inline void half_begin(size_t answer)
{
    half_open(answer);
    early_visit();
    half.tickets = 0;
    half.used = half.given = 0;
}

/* A request reaches the server, and what that says to it the client: two hops. */
static inline void half_round_trip(void)
{
    (void)pair_carry(p, PAIR_CLIENT);
    half_poll(p);
    (void)pair_carry(p, PAIR_SERVER);
    half_poll(p);
}

#endif
