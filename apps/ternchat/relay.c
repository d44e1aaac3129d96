/* Bytes go from one stream into the other while there is room in it; what does not fit stays where it is, so the
 * windows of a slow receiver become those of the sender, and the server holds no more than both windows.
 *
 * File streams are of the last urgency: words of any room go before them, on this hop as on the first.
 * SPDX-License-Identifier: MIT */
#include "ternchat/relay.h"

#include <stdlib.h>
#include <string.h>
#include <tern/udp.h>

#define NUMBER  8 /* bytes in front of a stream: which relay, or which fetch, it is of */
#define URGENCY 7

struct pump {
    struct hub_relay *relay;
    tern_stream *in, *out;
    bool is_far;   /* without `out`: it goes to another server */
    bool is_ended; /* all of it is in `out` */
    bool has_all;  /* without `in`: from another server there is no more to come */
    uint8_t *
        held; /* ... and what `out` has no room for, HUB_FAR_WINDOW at the most; NULL: there is an `in` */
    size_t at, count; /* of held: from there on, so many */
};

/* What is on a stream that nobody wants any more. */
static char dead;

static void give_up_out(tern_stream *out, enum chat_stop why)
{
    int rc = tern_stream_reset(out, why);
    (void)rc; /* it may have ended itself */
    tern_stream_set_user(out, &dead);
}

static void give_up_in(tern_stream *in, enum chat_stop why)
{
    int rc = tern_stream_stop(in, why);
    (void)rc; /* the same */
    tern_stream_set_user(in, &dead);
}

void relay_end(void *user, void *pump, enum chat_stop why)
{
    const struct pump *p = pump;
    (void)user;
    if (p->in != NULL) {
        give_up_in(p->in, why);
    }
    if (p->out != NULL) {
        give_up_out(p->out, why);
    }
    free(p->held);
    free(pump);
}

/* The code as it came, if it is one of ours. */
static enum chat_stop stop_of(uint64_t code)
{
    return code >= CHAT_STOP_CANCELLED && code < CHAT_STOP_BAD ? (enum chat_stop)code
                                                               : CHAT_STOP_BAD;
}

/* False: it is over, or nothing moves now. */
static bool move(struct pump *pump, tern_time now)
{
    const uint8_t *data;
    size_t len;
    int rc = pump->is_ended ? TERN_ERR_AGAIN : tern_stream_peek(pump->in, &data, &len);
    if (rc == TERN_ERR_RESET) {
        hub_relay_end(pump->relay, stop_of(tern_stream_reset_code(pump->in)));
        return false;
    }
    if (rc != 0) {
        return false;
    }
    ptrdiff_t n = tern_stream_write(pump->out, data, len, len == 0 ? TERN_FIN : 0);
    if (n < 0 || (n == 0 && len > 0) || tern_stream_consume(pump->in, (size_t)n) != 0) {
        return false; /* there is no room, or STOPPED is on its way */
    }
    hub_relay_moved(pump->relay, now);
    pump->is_ended = len == 0;
    return (size_t)n == len && len > 0;
}

/* To another server, as far as that takes it. The end of it is the pump's. */
static bool move_far(struct pump *pump, tern_time now)
{
    const uint8_t *data;
    size_t len;
    int rc = tern_stream_peek(pump->in, &data, &len);
    if (rc == TERN_ERR_RESET) {
        hub_relay_end(pump->relay, stop_of(tern_stream_reset_code(pump->in)));
    }
    if (rc != 0) {
        return false;
    }
    size_t n = hub_relay_pass(pump->relay, data, len);
    rc = len == 0 || n > 0 ? tern_stream_consume(pump->in, n) : TERN_ERR_AGAIN;
    if (len == 0) {
        hub_relay_over(pump->relay);
        relay_end(NULL, pump, CHAT_STOP_CANCELLED);
        return false;
    }
    if (n > 0) {
        hub_relay_moved(pump->relay, now);
    }
    return rc == 0;
}

/* From another server. */
static void flush(struct pump *pump, tern_time now)
{
    while (pump->count > 0 && pump->out != NULL) {
        size_t first =
            HUB_FAR_WINDOW - pump->at < pump->count ? HUB_FAR_WINDOW - pump->at : pump->count;
        ptrdiff_t n = tern_stream_write(pump->out, pump->held + pump->at, first, 0);
        if (n <= 0) {
            return; /* there is no room, or STOPPED is on its way */
        }
        pump->at = (pump->at + (size_t)n) % HUB_FAR_WINDOW;
        pump->count -= (size_t)n;
        hub_relay_moved(pump->relay, now);
        hub_relay_took(pump->relay, (size_t)n);
    }
    if (pump->has_all && pump->out != NULL && !pump->is_ended) {
        pump->is_ended = tern_stream_write(pump->out, NULL, 0, TERN_FIN) == 0;
    }
}

static void run(struct pump *pump, tern_time now)
{
    bool (*step)(struct pump *, tern_time) = pump->is_far ? move_far : move;
    if (pump->held != NULL) {
        flush(pump, now);
        return;
    }
    while (step(pump, now)) { /* it may be no more when that is false */
    }
}

static void put_number(uint64_t number, uint8_t out[NUMBER])
{
    for (unsigned i = 0; i < NUMBER; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

static bool open_out(struct pump *pump, tern_conn *to, uint64_t fetch)
{
    uint8_t front[NUMBER];
    put_number(fetch, front);
    if (tern_conn_open_stream(to, TERN_STREAM_UNI, &pump->out) != 0) {
        pump->out = NULL;
        return false;
    }
    tern_stream_set_user(pump->out, pump);
    return tern_stream_set_priority(pump->out, URGENCY, true) == 0 &&
           tern_stream_write(pump->out, front, sizeof front, 0) == NUMBER;
}

/* The number at the front of a stream tells what it is. */
static struct pump *begin(struct hub_session *session, tern_stream *in, tern_time now)
{
    const uint8_t *data;
    size_t len;
    uint64_t id = 0, fetch;
    void *to;
    int rc = tern_stream_peek(in, &data, &len);
    if (rc == TERN_ERR_AGAIN || (rc == 0 && len > 0 && len < NUMBER)) {
        return NULL;
    }
    for (size_t i = 0; rc == 0 && len >= NUMBER && i < NUMBER; i++) {
        id = id << 8 | data[i];
    }
    rc = rc == 0 && len >= NUMBER ? tern_stream_consume(in, NUMBER) : TERN_ERR_INVALID;
    struct pump *pump = rc == 0 ? calloc(1, sizeof *pump) : NULL;
    if (pump == NULL ||
        (pump->relay = hub_relay_begin(session, id, pump, now, &to, &fetch)) == NULL) {
        give_up_in(in, CHAT_STOP_GONE);
        free(pump);
        return NULL;
    }
    pump->in = in;
    pump->is_far = to == NULL;
    tern_stream_set_user(in, pump);
    if (!pump->is_far && !open_out(pump, to, fetch)) {
        hub_relay_end(pump->relay, CHAT_STOP_BUSY);
        return NULL;
    }
    return pump;
}

void *relay_open(void *user, void *conn, struct hub_relay *relay, uint64_t fetch)
{
    struct pump *pump = calloc(1, sizeof *pump);
    (void)user;
    if (pump == NULL || (pump->held = malloc(HUB_FAR_WINDOW)) == NULL) {
        free(pump);
        return NULL;
    }
    pump->relay = relay;
    if (!open_out(pump, conn, fetch)) {
        relay_end(NULL, pump, CHAT_STOP_BUSY);
        return NULL;
    }
    return pump;
}

bool relay_take(void *user, void *pump, const uint8_t *data, size_t len)
{
    struct pump *p = pump;
    (void)user;
    if (len > HUB_FAR_WINDOW - p->count || p->has_all) {
        return false;
    }
    size_t from = (p->at + p->count) % HUB_FAR_WINDOW;
    size_t first = HUB_FAR_WINDOW - from < len ? HUB_FAR_WINDOW - from : len;
    if (len > 0) {
        memcpy(p->held + from, data, first);
        memcpy(p->held, data + first, len - first);
    }
    p->count += len;
    p->has_all = len == 0;
    run(p, tern_udp_now());
    return true;
}

void relay_go(void *user, void *pump)
{
    (void)user;
    run(pump, tern_udp_now());
}

static void on_closed(struct pump *pump, const tern_stream *stream)
{
    if (stream == pump->in) {
        pump->in = NULL;
    } else {
        pump->out = NULL;
    }
    if (!pump->is_ended) {
        hub_relay_end(pump->relay, CHAT_STOP_BAD);
    } else if (pump->out == NULL) { /* all of it has arrived */
        hub_relay_over(pump->relay);
        relay_end(NULL, pump, CHAT_STOP_CANCELLED);
    }
}

void relay_on_event(struct hub_session *session, const tern_event *ev, tern_time now)
{
    struct pump *pump = tern_stream_user(ev->stream);
    if ((void *)pump == &dead) {
        return;
    }
    if (ev->type == TERN_EVENT_STREAM_READABLE && pump == NULL) {
        pump = begin(session, ev->stream, now);
    }
    if (pump == NULL) {
        return;
    }
    if (ev->type == TERN_EVENT_STREAM_STOPPED) {
        hub_relay_over(pump->relay); /* who does not want it any more knows it */
        relay_end(NULL, pump, stop_of(ev->code));
    } else if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        on_closed(pump, ev->stream);
    } else {
        run(pump, now);
    }
}
