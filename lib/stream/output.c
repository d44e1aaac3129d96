/* Stream data on its way out: the next chunk, and what became of those that left.
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

static struct tern_stream *stream_of_turn(struct tern_sched_entry *entry)
{
    return TERN_CONTAINER_OF(entry, struct tern_stream, turn);
}

bool tern_streams_has_data(const struct tern_streams *t)
{
    return t->sched.used != 0;
}

unsigned tern_streams_top(const struct tern_streams *t)
{
    const struct tern_sched_entry *top = tern_sched_top(&t->sched);
    return top == NULL ? TERN_SCHED_URGENCIES : top->urgency;
}

static uint64_t new_len(const struct tern_stream *s)
{
    uint64_t credit =
        TERN_MIN(tern_flow_out_credit(&s->out_flow), tern_flow_out_credit(&s->table->conn_out));
    return TERN_MIN(s->out.end - s->out.sent, credit);
}

bool tern_streams_next_chunk(struct tern_streams *t, struct tern_stream_chunk *out)
{
    struct tern_sched_entry *top = tern_sched_top(&t->sched);
    if (top == NULL) {
        return false;
    }
    struct tern_stream *s = stream_of_turn(top);
    *out = (struct tern_stream_chunk){.stream = s, .id = s->id};
    if (tern_outbuf_has_lost(&s->out)) {
        struct tern_range lost = tern_outbuf_lost(&s->out);
        out->offset = lost.start;
        out->len = (size_t)(lost.end - lost.start);
    } else {
        out->offset = s->out.sent;
        out->len = (size_t)new_len(s);
        out->is_new = true;
    }
    out->fin = s->out.fin && !s->out.fin_acked && out->offset + out->len == s->out.end;
    return true;
}

void tern_stream_chunk_cut(struct tern_stream_chunk *chunk, size_t len)
{
    if (len < chunk->len) {
        chunk->len = len;
        chunk->fin = false;
    }
}

void tern_stream_chunk_copy(const struct tern_stream_chunk *chunk, uint8_t *dst)
{
    if (chunk->len > 0) {
        tern_outbuf_copy(&chunk->stream->out, chunk->offset, chunk->len, dst);
    }
}

/* The connection's credit has run out: whoever has only new data waits aside, so that has_data and
 * next_chunk need not look at them for each packet. */
static void starve_all(struct tern_streams *t)
{
    struct tern_list *at, *following;
    for (size_t u = 0; u < TERN_SCHED_URGENCIES; u++) {
        struct tern_list *heads[] = {&t->sched.levels[u].ordered, &t->sched.levels[u].turns};
        for (size_t i = 0; i < TERN_COUNT_OF(heads); i++) {
            TERN_LIST_EACH(at, following, heads[i])
            {
                tern_stream_place(
                    stream_of_turn(TERN_CONTAINER_OF(at, struct tern_sched_entry, link)));
            }
        }
    }
}

void tern_streams_on_chunk_sent(struct tern_streams *t, const struct tern_stream_chunk *chunk)
{
    struct tern_stream *s = chunk->stream;
    tern_outbuf_on_sent(&s->out, chunk->offset, chunk->len, chunk->fin);
    if (chunk->is_new) {
        t->bytes_sent += chunk->len;
        t->conn_out.used += chunk->len;
        s->out_flow.used += chunk->len;
    } else {
        t->bytes_resent += chunk->len;
    }
    tern_sched_turn(&t->sched, &s->turn);
    tern_stream_place(s);
    if (chunk->is_new && chunk->len > 0 && tern_flow_out_credit(&t->conn_out) == 0) {
        starve_all(t);
    }
}

/* --- runs ------------------------------------------------------------------------------------ */

bool tern_streams_begin_run(struct tern_streams *t, struct tern_stream_run *out)
{
    struct tern_sched_entry *top = tern_sched_top(&t->sched);
    if (top == NULL || !tern_sched_keeps_turn(&t->sched, top)) {
        return false;
    }
    struct tern_stream *s = stream_of_turn(top);
    *out = (struct tern_stream_run){
        .stream = s, .id = s->id, .offset = s->out.sent, .left = new_len(s)};
    return out->left > 0 && !tern_outbuf_has_lost(&s->out);
}

void tern_stream_run_copy(struct tern_stream_run *run, size_t len, uint8_t *dst)
{
    tern_assert(len < run->left);
    tern_outbuf_copy(&run->stream->out, run->offset, len, dst);
    run->offset += len;
    run->left -= len;
}

void tern_streams_end_run(struct tern_streams *t, const struct tern_stream_run *run)
{
    struct tern_stream *s = run->stream;
    uint64_t sent = run->offset - s->out.sent;
    tern_outbuf_on_sent(&s->out, s->out.sent, (size_t)sent, false);
    t->bytes_sent += sent;
    t->conn_out.used += sent;
    s->out_flow.used += sent;
    tern_sched_turn(&t->sched, &s->turn);
}

/* NULL unless the stream still cares about what became of its bytes. */
static struct tern_stream *find_sender(struct tern_streams *t, uint64_t id)
{
    struct tern_stream *s = tern_streams_find(t, id);
    bool cares = s != NULL && (s->send == TERN_SEND_OPEN || s->send == TERN_SEND_FIN);
    return cares ? s : NULL;
}

void tern_streams_on_chunk_acked(struct tern_streams *t, uint64_t id, uint64_t offset, size_t len,
                                 bool fin)
{
    struct tern_stream *s = find_sender(t, id);
    if (s == NULL) {
        return;
    }
    tern_outbuf_on_acked(&s->out, offset, len, fin);
    if (tern_outbuf_is_done(&s->out)) {
        tern_stream_end_send(s);
        return;
    }
    tern_stream_offer_room(s);
    tern_stream_place(s);
}

/* Cannot fail: what does not fit the lists is remembered less exactly (see outbuf). */
int tern_streams_on_chunk_lost(struct tern_streams *t, uint64_t id, uint64_t offset, size_t len,
                               bool fin)
{
    struct tern_stream *s = find_sender(t, id);
    if (s != NULL) {
        tern_outbuf_on_lost(&s->out, offset, len, fin);
        tern_stream_place(s);
    }
    return 0;
}
