/* Control frames that streams and the connection owe: lent, taken, lost, acknowledged.
 *
 * A mark says that a frame is owed; its value is read when it is lent, so a stale one never leaves.
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

#define BIT(n) (1u << (n))

static enum tern_stream_control_kind lowest(unsigned bits)
{
    unsigned kind = 0;
    while ((bits >> kind & 1) == 0) {
        kind++;
    }
    return (enum tern_stream_control_kind)kind;
}

static tern_stream_kind kind_of(enum tern_stream_control_kind kind)
{
    bool is_uni = kind == TERN_CONTROL_MAX_STREAMS_UNI || kind == TERN_CONTROL_STREAMS_BLOCKED_UNI;
    return is_uni ? TERN_STREAM_UNI : TERN_STREAM_BIDI;
}

/* Streams that the peer may have open at once, after those that the application has released. */
static uint64_t next_max_streams(const struct tern_streams *t, tern_stream_kind kind)
{
    uint64_t at_once = kind == TERN_STREAM_UNI ? t->config.max_uni : t->config.max_bidi;
    uint64_t next = tern_add_sat(t->closed_remote[kind], at_once);
    return TERN_MIN(next, UINT64_C(1) << 60); /* RFC 9000 §4.6 */
}

/* Waits until the peer has used up half of what it may, to spare frames. */
void tern_streams_offer_streams(struct tern_streams *t, tern_stream_kind kind)
{
    uint64_t at_once = kind == TERN_STREAM_UNI ? t->config.max_uni : t->config.max_bidi;
    uint64_t left = t->max_remote[kind] - t->opened_remote[kind];
    if (left <= at_once / 2 && next_max_streams(t, kind) > t->max_remote[kind]) {
        t->wants |= kind == TERN_STREAM_UNI ? BIT(TERN_CONTROL_MAX_STREAMS_UNI)
                                            : BIT(TERN_CONTROL_MAX_STREAMS_BIDI);
    }
}

/* --- lending ------------------------------------------------------------------------------- */

static void lend_of_conn(const struct tern_streams *t, struct tern_stream_control *out)
{
    out->kind = lowest(t->wants);
    if (out->kind == TERN_CONTROL_MAX_DATA) {
        out->value = tern_flow_in_next(&t->conn_in);
    } else if (out->kind == TERN_CONTROL_DATA_BLOCKED) {
        out->value = t->conn_out.limit;
    } else if (out->kind <= TERN_CONTROL_MAX_STREAMS_UNI) {
        out->value = next_max_streams(t, kind_of(out->kind));
    } else {
        out->value = t->max_local[kind_of(out->kind)];
    }
}

static void lend_of_stream(const struct tern_stream *s, struct tern_stream_control *out)
{
    out->kind = lowest(s->owes);
    out->id = s->id;
    if (out->kind == TERN_CONTROL_RESET_STREAM) {
        out->value = s->send_code;
        out->extra = s->out.sent;
    } else if (out->kind == TERN_CONTROL_STOP_SENDING) {
        out->value = s->ask_code;
    } else if (out->kind == TERN_CONTROL_MAX_STREAM_DATA) {
        out->value = tern_flow_in_next(&s->in_flow);
    } else {
        out->value = s->out_flow.limit;
    }
}

bool tern_streams_next_control(struct tern_streams *t, struct tern_stream_control *out)
{
    *out = (struct tern_stream_control){0};
    if (t->wants != 0) {
        lend_of_conn(t, out);
        return true;
    }
    if (tern_list_is_empty(&t->controls)) {
        return false;
    }
    lend_of_stream(TERN_CONTAINER_OF(t->controls.next, struct tern_stream, control), out);
    return true;
}

/* --- taking -------------------------------------------------------------------------------- */

static void tell_blocked(struct tern_flow_out *f, uint64_t limit)
{
    f->told = limit;
    f->has_told = true;
}

static void on_conn_control_sent(struct tern_streams *t, const struct tern_stream_control *c)
{
    t->wants &= ~BIT(c->kind);
    if (c->kind == TERN_CONTROL_MAX_DATA) {
        t->conn_in.limit = TERN_MAX(t->conn_in.limit, c->value);
    } else if (c->kind == TERN_CONTROL_DATA_BLOCKED) {
        tell_blocked(&t->conn_out, c->value);
    } else if (c->kind <= TERN_CONTROL_MAX_STREAMS_UNI) {
        uint64_t *limit = &t->max_remote[kind_of(c->kind)];
        *limit = TERN_MAX(*limit, c->value);
    } else {
        t->told_local[kind_of(c->kind)] = c->value + 1;
    }
}

void tern_streams_on_control_sent(struct tern_streams *t, const struct tern_stream_control *c)
{
    if (c->kind >= TERN_CONTROL_MAX_DATA) {
        on_conn_control_sent(t, c);
        return;
    }
    struct tern_stream *s = tern_streams_find(t, c->id);
    if (s == NULL) {
        return;
    }
    tern_stream_disown(s, BIT(c->kind));
    if (c->kind == TERN_CONTROL_MAX_STREAM_DATA) {
        s->in_flow.limit = TERN_MAX(s->in_flow.limit, c->value);
    } else if (c->kind == TERN_CONTROL_STREAM_DATA_BLOCKED) {
        tell_blocked(&s->out_flow, c->value);
    }
}

/* --- receipts ------------------------------------------------------------------------------ */

/* A limit that was lost matters only while no larger one has left since (RFC 9000 §13.3). */
static bool conn_still_matters(const struct tern_streams *t, const struct tern_stream_control *c)
{
    if (c->kind == TERN_CONTROL_MAX_DATA) {
        return c->value == t->conn_in.limit;
    }
    if (c->kind == TERN_CONTROL_DATA_BLOCKED) {
        return c->value == t->conn_out.limit && !tern_list_is_empty(&t->starved);
    }
    tern_stream_kind kind = kind_of(c->kind);
    if (c->kind <= TERN_CONTROL_MAX_STREAMS_UNI) {
        return c->value == t->max_remote[kind];
    }
    return c->value == t->max_local[kind] && t->is_short[kind];
}

static bool stream_still_matters(const struct tern_stream *s, const struct tern_stream_control *c)
{
    bool is_awaiting = s->recv == TERN_RECV_OPEN && !s->has_final;
    if (c->kind == TERN_CONTROL_RESET_STREAM) {
        return s->send == TERN_SEND_RESET;
    }
    if (c->kind == TERN_CONTROL_STOP_SENDING) {
        return is_awaiting;
    }
    if (c->kind == TERN_CONTROL_MAX_STREAM_DATA) {
        return is_awaiting && !s->is_stopping && c->value == s->in_flow.limit;
    }
    bool is_sending = s->send == TERN_SEND_OPEN || s->send == TERN_SEND_FIN;
    return is_sending && c->value == s->out_flow.limit && s->out.end > s->out.sent &&
           tern_flow_out_credit(&s->out_flow) == 0;
}

void tern_streams_on_control_lost(struct tern_streams *t, const struct tern_stream_control *c)
{
    if (c->kind >= TERN_CONTROL_MAX_DATA) {
        t->wants |= conn_still_matters(t, c) ? BIT(c->kind) : 0;
        return;
    }
    struct tern_stream *s = tern_streams_find(t, c->id);
    if (s != NULL && stream_still_matters(s, c)) {
        tern_stream_owe(s, BIT(c->kind));
    }
}

void tern_streams_on_control_acked(struct tern_streams *t, const struct tern_stream_control *c)
{
    if (c->kind != TERN_CONTROL_RESET_STREAM) {
        return;
    }
    struct tern_stream *s = tern_streams_find(t, c->id);
    if (s != NULL && s->send == TERN_SEND_RESET) {
        tern_stream_end_send(s);
    }
}
