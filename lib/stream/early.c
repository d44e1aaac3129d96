/* Early data: which streams may speak before the handshake, and what came like that. [P §4.8]
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

static struct tern_stream *stream_in(struct tern_list *link)
{
    return TERN_CONTAINER_OF(link, struct tern_stream, all);
}

void tern_streams_begin_early(struct tern_streams *t, const struct tern_streams_grant *grant)
{
    t->early_only = true;
    tern_streams_on_grant(t, grant);
}

void tern_streams_hold_back(struct tern_streams *t)
{
    t->early_only = true;
}

void tern_streams_end_early(struct tern_streams *t)
{
    if (t->early_only) {
        t->early_only = false;
        tern_streams_release_held(t);
    }
}

/* As it was before anything had left. It is one of ours, and nothing of it was acknowledged. */
static void rewind_stream(struct tern_stream *s)
{
    if (s->send == TERN_SEND_RESET) { /* its bytes are gone: the peer has seen none of them */
        s->out.base = s->out.sent = s->out.end = 0;
    } else {
        tern_outbuf_rewind(&s->out);
    }
    tern_flow_out_init(&s->out_flow, 0);
    tern_stream_place(s);
}

void tern_streams_refuse_early(struct tern_streams *t)
{
    struct tern_list *at, *following;
    t->early_only = t->is_granted = false;
    t->max_local[TERN_STREAM_BIDI] = t->max_local[TERN_STREAM_UNI] = 0;
    t->bytes_sent = t->bytes_resent = 0;
    tern_flow_out_init(&t->conn_out, 0);
    TERN_LIST_EACH(at, following, &t->all)
    {
        rewind_stream(stream_in(at));
    }
}

void tern_streams_on_early(struct tern_streams *t, uint64_t id, uint64_t end)
{
    struct tern_stream *s = tern_streams_find(t, id);
    if (s != NULL) {
        s->early_upto = TERN_MAX(s->early_upto, end);
    }
}

void tern_streams_set_early(struct tern_streams *t, struct tern_stream *s)
{
    s->may_be_early = true;
    if (t->early_only) {
        tern_stream_owe(s, 0); /* lists what it owes already */
        tern_stream_place(s);
    }
}

bool tern_streams_is_early(const struct tern_stream *s)
{
    return s->in.read < s->early_upto;
}
