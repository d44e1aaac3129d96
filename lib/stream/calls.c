/* The application's calls on a stream: write, read, give up, ask to stop.
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

#define BIT(n) (1u << (n))

/* --- writing ------------------------------------------------------------------------------- */

static int check_writable(const struct tern_stream *s)
{
    if (s->is_stopped) {
        return TERN_ERR_STOPPED;
    }
    return s->send == TERN_SEND_OPEN ? 0 : TERN_ERR_STATE;
}

static void finish_write(struct tern_stream *s, unsigned flags)
{
    if ((flags & TERN_FIN) != 0) {
        tern_outbuf_finish(&s->out);
        s->send = TERN_SEND_FIN;
    }
    tern_stream_place(s);
}

ptrdiff_t tern_streams_write(struct tern_streams *t, struct tern_stream *s, const void *data,
                             size_t len, unsigned flags)
{
    (void)t;
    int err = check_writable(s);
    if (err != 0) {
        return err;
    }
    ptrdiff_t taken = tern_outbuf_write(&s->out, data, len);
    if (taken < 0) {
        return taken;
    }
    bool is_short = (size_t)taken < len;
    s->wants_writable = is_short;
    s->wants_room = 0;
    finish_write(s, is_short ? 0 : flags);
    return taken;
}

ptrdiff_t tern_streams_write_ref(struct tern_streams *t, struct tern_stream *s, const void *data,
                                 size_t len, tern_release_fn release, void *arg, unsigned flags)
{
    (void)t;
    int err = check_writable(s);
    if (err != 0) {
        return err;
    }
    ptrdiff_t taken = 0;
    if (len > 0) {
        taken = tern_outbuf_lend(&s->out, data, len, release, arg);
    } else if (release != NULL) {
        release(arg, data, 0); /* nothing to wait for */
    }
    if (taken < 0) {
        return taken;
    }
    bool is_short = (size_t)taken < len;
    s->wants_writable = is_short;
    s->wants_room = len; /* less than this would only bring the same answer */
    finish_write(s, is_short ? 0 : flags);
    return taken;
}

size_t tern_streams_writable(const struct tern_streams *t, const struct tern_stream *s)
{
    (void)t;
    return check_writable(s) == 0 ? tern_outbuf_room(&s->out) : 0;
}

int tern_streams_reset(struct tern_streams *t, struct tern_stream *s, uint64_t code)
{
    (void)t;
    if (s->send == TERN_SEND_NONE) {
        return TERN_ERR_STATE;
    }
    if (s->send == TERN_SEND_OPEN || s->send == TERN_SEND_FIN) {
        tern_stream_abandon(s, code);
    }
    return 0;
}

/* --- reading ------------------------------------------------------------------------------- */

static bool is_at_end(const struct tern_stream *s)
{
    return tern_stream_has_all(s) && s->in.read == s->final_size;
}

/* What a reader meets when no byte is there. `end` is what the end of the stream is called. */
static int why_empty(struct tern_stream *s, int end)
{
    if (s->recv == TERN_RECV_NONE || s->is_stopping) {
        return TERN_ERR_STATE;
    }
    if (s->was_reset) {
        if (s->recv == TERN_RECV_RESET) {
            tern_stream_end_recv(s);
        }
        return TERN_ERR_RESET;
    }
    return is_at_end(s) ? end : TERN_ERR_AGAIN;
}

/* Early bytes and later ones are never lent together, so that is_early holds for all that is lent. */
static size_t readable(const struct tern_stream *s, const uint8_t **data)
{
    if (s->recv != TERN_RECV_OPEN || s->is_stopping) {
        return 0;
    }
    size_t n = tern_inbuf_peek(&s->in, data);
    return tern_streams_is_early(s) ? (size_t)TERN_MIN(n, s->early_upto - s->in.read) : n;
}

static void take_bytes(struct tern_stream *s, size_t n)
{
    tern_inbuf_consume(&s->in, n);
    tern_stream_credit(s, s->in.read, true);
    if (s->in.read < s->in.ready) {
        return;
    }
    /* All that was announced is taken, but the end itself is something to read as well. */
    tern_stream_quiet(s, BIT(TERN_STREAM_IS_READABLE));
    if (is_at_end(s)) {
        tern_stream_raise(s, BIT(TERN_STREAM_IS_READABLE));
    }
}

ptrdiff_t tern_streams_read(struct tern_streams *t, struct tern_stream *s, void *buf, size_t len)
{
    (void)t;
    uint8_t *dst = buf;
    const uint8_t *data = NULL;
    size_t done = 0, n = 0;
    if (len == 0) {
        return TERN_ERR_INVALID;
    }
    bool is_early = tern_streams_is_early(s);
    while (done < len && tern_streams_is_early(s) == is_early && (n = readable(s, &data)) > 0) {
        n = TERN_MIN(n, len - done);
        memcpy(dst + done, data, n);
        take_bytes(s, n);
        done += n;
    }
    if (done > 0) {
        return (ptrdiff_t)done;
    }
    int why = why_empty(s, 0);
    if (why == 0 && s->recv == TERN_RECV_OPEN) {
        tern_stream_end_recv(s);
    }
    return why;
}

int tern_streams_peek(struct tern_streams *t, struct tern_stream *s, const uint8_t **data,
                      size_t *len)
{
    static const uint8_t nothing[1] = {0};
    (void)t;
    *data = nothing; /* C's own functions take no NULL, not even for no bytes */
    *len = readable(s, data);
    return *len > 0 ? 0 : why_empty(s, 0);
}

int tern_streams_consume(struct tern_streams *t, struct tern_stream *s, size_t n)
{
    (void)t;
    const uint8_t *data = NULL;
    size_t most = readable(s, &data);
    if (most > 0) {
        if (n > most) {
            return TERN_ERR_INVALID;
        }
        if (n > 0) {
            take_bytes(s, n);
        }
        return 0;
    }
    int why = why_empty(s, 0);
    if (why != 0 && why != TERN_ERR_AGAIN) {
        return why;
    }
    if (n > 0) {
        return TERN_ERR_INVALID;
    }
    if (why == 0 && s->recv == TERN_RECV_OPEN) {
        tern_stream_end_recv(s);
    }
    return 0;
}

int tern_streams_stop(struct tern_streams *t, struct tern_stream *s, uint64_t code)
{
    (void)t;
    if (s->recv == TERN_RECV_NONE) {
        return TERN_ERR_STATE;
    }
    if (s->recv == TERN_RECV_DONE || s->is_stopping) {
        return 0;
    }
    s->is_stopping = true;
    s->ask_code = code;
    tern_inbuf_clear(&s->in);
    tern_stream_quiet(s, BIT(TERN_STREAM_IS_READABLE));
    tern_stream_disown(s, BIT(TERN_CONTROL_MAX_STREAM_DATA));
    tern_stream_credit(s, s->in_flow.received, false);
    if (s->has_final) {
        tern_stream_end_recv(s); /* the peer has nothing more to say */
    } else {
        tern_stream_owe(s, BIT(TERN_CONTROL_STOP_SENDING));
    }
    return 0;
}

int tern_streams_set_priority(struct tern_streams *t, struct tern_stream *s, unsigned urgency,
                              bool incremental)
{
    if (urgency >= TERN_SCHED_URGENCIES) {
        return TERN_ERR_INVALID;
    }
    tern_sched_set(&t->sched, &s->turn, urgency, incremental);
    return 0;
}
