/* One stream: its two halves, what it owes the peer, and what it has to tell the application.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "stream/table.h"

/* Room worth an event, unless a quarter of the buffer is less. */
#define WRITABLE_ENOUGH (64 * 1024u)

#define BIT(n) (1u << (n))

/* What a receiving half can owe while it still expects bytes, and what a sending half can. */
#define RECV_CONTROLS (BIT(TERN_CONTROL_STOP_SENDING) | BIT(TERN_CONTROL_MAX_STREAM_DATA))
#define SEND_CONTROLS (BIT(TERN_CONTROL_RESET_STREAM) | BIT(TERN_CONTROL_STREAM_DATA_BLOCKED))

/* RFC 9000 §18.2 names the windows from the granting side: "bidi_remote" is for streams that the
 * granting side did not open, that is for ours. */
static uint64_t first_send_limit(const struct tern_streams *t, tern_stream_kind kind, bool is_local)
{
    if (kind == TERN_STREAM_UNI) {
        return t->peer_window_uni;
    }
    return is_local ? t->peer_window_bidi_remote : t->peer_window_bidi_local;
}

void tern_stream_init(struct tern_stream *s, struct tern_streams *t, uint64_t id)
{
    memset(s, 0, sizeof *s);
    s->id = id;
    s->table = t;
    s->kind = (id & 2) != 0 ? TERN_STREAM_UNI : TERN_STREAM_BIDI;
    s->is_local = ((id & 1) != 0) == t->is_server;
    bool is_bidi = s->kind == TERN_STREAM_BIDI;
    s->send = is_bidi || s->is_local ? TERN_SEND_OPEN : TERN_SEND_NONE;
    s->recv = is_bidi || !s->is_local ? TERN_RECV_OPEN : TERN_RECV_NONE;
    tern_outbuf_init(&s->out, t->mem, t->pages, t->config.send_buffer);
    s->out.hold = &t->hold;
    tern_flow_out_init(&s->out_flow, first_send_limit(t, s->kind, s->is_local));
    tern_inbuf_init(&s->in, t->mem, t->pages);
    tern_flow_in_init(&s->in_flow, t->config.stream_window, t->config.stream_window_max);
    tern_sched_entry_init(&s->turn, id);
    tern_list_init(&s->starved);
    tern_list_init(&s->control);
    tern_list_init(&s->event);
    tern_list_init(&s->all);
}

void tern_stream_clear(struct tern_stream *s)
{
    tern_sched_drop(&s->table->sched, &s->turn);
    tern_list_drop(&s->starved);
    tern_list_drop(&s->control);
    tern_list_drop(&s->event);
    tern_list_drop(&s->all);
    tern_outbuf_clear(&s->out);
    tern_inbuf_clear(&s->in);
}

bool tern_stream_is_held(const struct tern_stream *s)
{
    return (s->table->early_only && !s->may_be_early) ||
           (s->is_local && s->id >> 2 >= s->table->max_local[s->kind]);
}

/* --- marks --------------------------------------------------------------------------------- */

void tern_stream_owe(struct tern_stream *s, unsigned controls)
{
    s->owes |= controls;
    if (s->owes != 0 && !tern_stream_is_held(s) && !tern_list_is_linked(&s->control)) {
        tern_list_push_back(&s->table->controls, &s->control);
    }
}

void tern_stream_disown(struct tern_stream *s, unsigned controls)
{
    s->owes &= ~controls;
    if (s->owes == 0) {
        tern_list_drop(&s->control);
    }
}

void tern_stream_raise(struct tern_stream *s, unsigned events)
{
    s->events |= events;
    if (!tern_list_is_linked(&s->event)) {
        tern_list_push_back(&s->table->events, &s->event);
    }
}

void tern_stream_quiet(struct tern_stream *s, unsigned events)
{
    s->events &= ~events;
    if (s->events == 0) {
        tern_list_drop(&s->event);
    }
}

/* --- the sending half ---------------------------------------------------------------------- */

static bool is_sending(const struct tern_stream *s)
{
    return (s->send == TERN_SEND_OPEN || s->send == TERN_SEND_FIN) && !tern_stream_is_held(s);
}

static void starve(struct tern_stream *s)
{
    struct tern_streams *t = s->table;
    tern_sched_drop(&t->sched, &s->turn);
    if (!tern_list_is_linked(&s->starved)) {
        tern_list_push_back(&t->starved, &s->starved);
    }
    if (tern_flow_out_wants_blocked(&t->conn_out)) {
        t->wants |= BIT(TERN_CONTROL_DATA_BLOCKED);
    }
}

void tern_stream_place(struct tern_stream *s)
{
    struct tern_streams *t = s->table;
    bool is_able = is_sending(s);
    bool has_old = is_able && (tern_outbuf_has_lost(&s->out) || tern_outbuf_wants_fin(&s->out));
    bool has_new = is_able && s->out.end > s->out.sent;
    if (has_new && tern_flow_out_credit(&s->out_flow) == 0) {
        has_new = false;
        if (tern_flow_out_wants_blocked(&s->out_flow)) {
            tern_stream_owe(s, BIT(TERN_CONTROL_STREAM_DATA_BLOCKED));
        }
    }
    if (has_new && !has_old && tern_flow_out_credit(&t->conn_out) == 0) {
        starve(s);
        return;
    }
    tern_list_drop(&s->starved);
    if (has_old || has_new) {
        tern_sched_push(&t->sched, &s->turn);
    } else {
        tern_sched_drop(&t->sched, &s->turn);
    }
}

void tern_stream_offer_room(struct tern_stream *s)
{
    if (!s->wants_writable || s->send != TERN_SEND_OPEN) {
        return;
    }
    uint64_t quarter = s->out.limit / 4;
    uint64_t enough = TERN_MAX(TERN_MIN(quarter, WRITABLE_ENOUGH), s->wants_room);
    size_t room = s->wants_room > 0 ? tern_outbuf_room_lent(&s->out) : tern_outbuf_room(&s->out);
    if (s->out.base == s->out.end || room >= enough) {
        s->wants_writable = false;
        tern_stream_raise(s, BIT(TERN_STREAM_IS_WRITABLE));
    }
}

void tern_stream_abandon(struct tern_stream *s, uint64_t code)
{
    s->send = TERN_SEND_RESET;
    s->send_code = code;
    s->wants_writable = false;
    tern_outbuf_clear(&s->out);
    tern_stream_disown(s, BIT(TERN_CONTROL_STREAM_DATA_BLOCKED));
    tern_stream_quiet(s, BIT(TERN_STREAM_IS_WRITABLE));
    tern_stream_owe(s, BIT(TERN_CONTROL_RESET_STREAM));
    tern_stream_place(s);
}

/* --- the receiving half -------------------------------------------------------------------- */

void tern_stream_credit(struct tern_stream *s, uint64_t upto, bool is_read)
{
    struct tern_streams *t = s->table;
    uint64_t growth = tern_sub_sat(upto, s->in_flow.consumed);
    s->in_flow.consumed += growth;
    t->conn_in.consumed += growth;
    t->conn_in.epoch_consumed += is_read ? 0 : growth;
    if (tern_flow_in_is_due(&t->conn_in)) {
        t->wants |= BIT(TERN_CONTROL_MAX_DATA);
    }
    /* A peer that has told its final size, or that shall stop, needs no more. */
    bool is_open = s->recv == TERN_RECV_OPEN && !s->has_final && !s->is_stopping;
    if (is_open && tern_flow_in_is_due(&s->in_flow)) {
        tern_stream_owe(s, BIT(TERN_CONTROL_MAX_STREAM_DATA));
    }
}

bool tern_stream_has_all(const struct tern_stream *s)
{
    return s->has_final && s->in.ready == s->final_size;
}

/* --- the end ------------------------------------------------------------------------------- */

static void close_if_done(struct tern_stream *s)
{
    bool sends = s->send != TERN_SEND_NONE && s->send != TERN_SEND_DONE;
    bool receives = s->recv != TERN_RECV_NONE && s->recv != TERN_RECV_DONE;
    if (!sends && !receives) {
        tern_stream_disown(s, ~0u);
        tern_stream_quiet(s, BIT(TERN_STREAM_IS_READABLE) | BIT(TERN_STREAM_IS_WRITABLE));
        tern_stream_raise(s, BIT(TERN_STREAM_IS_CLOSED));
    }
}

void tern_stream_end_send(struct tern_stream *s)
{
    s->send = TERN_SEND_DONE;
    s->wants_writable = false;
    tern_outbuf_clear(&s->out);
    tern_stream_disown(s, SEND_CONTROLS);
    tern_stream_place(s);
    close_if_done(s);
}

void tern_stream_end_recv(struct tern_stream *s)
{
    s->recv = TERN_RECV_DONE;
    tern_inbuf_clear(&s->in);
    tern_stream_disown(s, RECV_CONTROLS);
    tern_stream_quiet(s, BIT(TERN_STREAM_IS_READABLE));
    close_if_done(s);
}
