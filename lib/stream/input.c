/* Frames that arrived: what each does to its stream, and which of them are the peer's errors.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"
#include "stream/table.h"

#define BIT(n) (1u << (n))

/* RFC 9000 §4.5: the final size is said once and bounds all bytes. `end` of a frame, or the size
 * that it declares. */
static int check_final(const struct tern_stream *s, uint64_t end, bool is_final)
{
    if (s->has_final && (end > s->final_size || (is_final && end != s->final_size))) {
        return TERN_ERR_FINAL_SIZE;
    }
    return is_final && end < s->in_flow.received ? TERN_ERR_FINAL_SIZE : 0;
}

/* Both levels of credit (RFC 9000 §4.1). *growth: by how much the largest offset rises. */
static int check_credit(const struct tern_stream *s, uint64_t end, uint64_t *growth)
{
    *growth = tern_sub_sat(end, s->in_flow.received);
    bool fits = tern_flow_in_allows(&s->in_flow, *growth) &&
                tern_flow_in_allows(&s->table->conn_in, *growth);
    return fits ? 0 : TERN_ERR_FLOW_CONTROL;
}

static void account(struct tern_stream *s, uint64_t growth)
{
    s->in_flow.received += growth;
    s->table->conn_in.received += growth;
}

static void set_final(struct tern_stream *s, uint64_t size)
{
    s->has_final = true;
    s->final_size = size;
    tern_stream_disown(s, BIT(TERN_CONTROL_MAX_STREAM_DATA));
}

/* After tern_streams_stop: bytes are counted, not kept; the final size is all that is awaited. */
static void discard(struct tern_stream *s)
{
    tern_stream_credit(s, s->in_flow.received, false);
    if (s->has_final && s->recv == TERN_RECV_OPEN) {
        tern_stream_end_recv(s);
    }
}

static void tune(struct tern_stream *s, tern_time rtt, tern_time now)
{
    tern_flow_in_tune(&s->in_flow, rtt, now);
    tern_flow_in_tune(&s->table->conn_in, rtt, now);
    tern_stream_credit(s, 0, false); /* a window that has doubled may be due at once */
}

static int keep_bytes(struct tern_stream *s, uint64_t offset, const uint8_t *data, size_t len)
{
    return s->recv == TERN_RECV_OPEN && !s->is_stopping
               ? tern_inbuf_write(&s->in, offset, data, len)
               : 0;
}

int tern_streams_on_stream(struct tern_streams *t, uint64_t id, uint64_t offset,
                           const uint8_t *data, size_t len, bool fin, tern_time rtt, tern_time now)
{
    struct tern_stream *s = NULL;
    uint64_t growth = 0;
    int err = tern_streams_reach(t, id, false, &s);
    if (err != 0 || s == NULL) {
        return err;
    }
    if (offset > TERN_VARINT_MAX || len > TERN_VARINT_MAX - offset) {
        return TERN_ERR_FLOW_CONTROL; /* RFC 9000 §19.8 */
    }
    if ((err = check_final(s, offset + len, fin)) != 0 ||
        (err = check_credit(s, offset + len, &growth)) != 0) {
        return err;
    }
    uint64_t ready = s->in.ready;
    if ((err = keep_bytes(s, offset, data, len)) != 0) {
        return err;
    }
    account(s, growth);
    t->bytes_received += s->in.ready - ready;
    bool is_news = s->in.ready > ready;
    if (fin && !s->has_final) {
        set_final(s, offset + len);
        is_news = is_news || tern_stream_has_all(s);
    }
    if (s->recv != TERN_RECV_OPEN || s->is_stopping) {
        discard(s);
    } else if (is_news) {
        tern_stream_raise(s, BIT(TERN_STREAM_IS_READABLE));
    }
    tune(s, rtt, now);
    return 0;
}

/* --- frame after frame --------------------------------------------------------------------- */

/* The first of them, or one for the same stream as before it. NULL: something about it needs a closer look. */
static struct tern_stream *taker(struct tern_streams *t, const struct tern_stream_intake *intake,
                                 uint64_t id)
{
    struct tern_stream *s = intake->stream;
    if (s == NULL) {
        s = tern_streams_find(t, id);
        bool is_open = s != NULL && s->recv == TERN_RECV_OPEN && !s->is_stopping && !s->has_final;
        return is_open && s->in.above.count == 0 ? s : NULL;
    }
    return s->id == id ? s : NULL;
}

bool tern_streams_take_next(struct tern_streams *t, struct tern_stream_intake *intake, uint64_t id,
                            uint64_t offset, const uint8_t *data, size_t len, tern_time rtt,
                            tern_time now)
{
    struct tern_stream *s = taker(t, intake, id);
    if (s == NULL || len == 0 || offset != s->in.ready || !tern_flow_in_allows(&s->in_flow, len) ||
        !tern_flow_in_allows(&t->conn_in, len) ||
        tern_inbuf_write(&s->in, offset, data, len) != 0) {
        return false;
    }
    account(s, len);
    t->bytes_received += len;
    intake->is_long = intake->stream != NULL;
    if (intake->stream == NULL) {
        intake->stream = s;
        tern_stream_raise(s, BIT(TERN_STREAM_IS_READABLE));
        tune(s, rtt, now);
    }
    return true;
}

/* Between the first and the last nothing is read, so that a window grows after the first or not at all; how far
 * it is spent shows after the last. */
void tern_streams_end_intake(struct tern_streams *t, const struct tern_stream_intake *intake,
                             tern_time rtt, tern_time now)
{
    (void)t;
    if (intake->is_long) {
        tune(intake->stream, rtt, now);
    }
}

/* --- the other frames ------------------------------------------------------------------------ */

int tern_streams_on_reset(struct tern_streams *t, uint64_t id, uint64_t code, uint64_t final_size)
{
    struct tern_stream *s = NULL;
    uint64_t growth = 0;
    int err = tern_streams_reach(t, id, false, &s);
    if (err != 0 || s == NULL) {
        return err;
    }
    if ((err = check_final(s, final_size, true)) != 0 ||
        (err = check_credit(s, final_size, &growth)) != 0) {
        return err;
    }
    account(s, growth);
    /* RFC 9000 §3.2: a stream whose bytes are all here is delivered in spite of the reset. */
    if (s->recv != TERN_RECV_OPEN || (tern_stream_has_all(s) && !s->is_stopping)) {
        return 0;
    }
    set_final(s, final_size);
    s->was_reset = true;
    s->reset_code = code;
    if (s->is_stopping) {
        discard(s);
        return 0;
    }
    s->recv = TERN_RECV_RESET;
    tern_inbuf_clear(&s->in);
    tern_stream_credit(s, final_size, false);
    tern_stream_raise(s, BIT(TERN_STREAM_IS_READABLE));
    return 0;
}

/* RFC 9000 §3.5: STOP_SENDING is answered with RESET_STREAM and the same code. */
int tern_streams_on_stop(struct tern_streams *t, uint64_t id, uint64_t code)
{
    struct tern_stream *s = NULL;
    int err = tern_streams_reach(t, id, true, &s);
    if (err != 0 || s == NULL) {
        return err;
    }
    if (s->send == TERN_SEND_OPEN || s->send == TERN_SEND_FIN) {
        s->is_stopped = true;
        s->stop_code = code;
        tern_stream_raise(s, BIT(TERN_STREAM_WAS_STOPPED));
        tern_stream_abandon(s, code);
    }
    return 0;
}

int tern_streams_on_max_stream_data(struct tern_streams *t, uint64_t id, uint64_t limit)
{
    struct tern_stream *s = NULL;
    int err = tern_streams_reach(t, id, true, &s);
    if (err == 0 && s != NULL && tern_flow_out_raise(&s->out_flow, limit)) {
        tern_stream_disown(s, BIT(TERN_CONTROL_STREAM_DATA_BLOCKED));
        tern_stream_place(s);
    }
    return err;
}

/* Only informs: our credit goes by consumption, not by the peer's wish. */
int tern_streams_on_stream_blocked(struct tern_streams *t, uint64_t id)
{
    struct tern_stream *s = NULL;
    return tern_streams_reach(t, id, false, &s);
}

void tern_streams_on_max_data(struct tern_streams *t, uint64_t limit)
{
    if (!tern_flow_out_raise(&t->conn_out, limit)) {
        return;
    }
    t->wants &= ~BIT(TERN_CONTROL_DATA_BLOCKED);
    struct tern_list *at, *following;
    TERN_LIST_EACH(at, following, &t->starved)
    {
        tern_stream_place(TERN_CONTAINER_OF(at, struct tern_stream, starved));
    }
}
