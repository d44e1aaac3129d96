/* The table itself: birth and death of streams, the peer's limits, events.
 * SPDX-License-Identifier: MIT */
#include "stream/table.h"

#define KEEP_STREAMS  64
#define EARLY_STREAMS 16 /* local streams of one kind before the peer's grant is known */

#define BIT(n) (1u << (n))

static struct tern_stream *stream_of_all(struct tern_list *link)
{
    return TERN_CONTAINER_OF(link, struct tern_stream, all);
}

void tern_streams_init(struct tern_streams *t, struct tern_mem *mem, struct tern_random *random,
                       const struct tern_streams_config *config, void *owner)
{
    memset(t, 0, sizeof *t);
    t->mem = mem;
    t->owner = owner;
    t->config = *config;
    t->is_server = config->is_server;
    t->pages = config->pages;
    t->hold = UINT64_MAX;
    tern_pool_init(&t->objects, mem, sizeof(struct tern_stream), KEEP_STREAMS);
    tern_map_init(&t->by_id, mem, random);
    tern_flow_in_init(&t->conn_in, config->conn_window, config->conn_window_max);
    tern_flow_out_init(&t->conn_out, 0);
    t->max_remote[TERN_STREAM_BIDI] = config->max_bidi;
    t->max_remote[TERN_STREAM_UNI] = config->max_uni;
    tern_sched_init(&t->sched);
    tern_list_init(&t->controls);
    tern_list_init(&t->events);
    tern_list_init(&t->dead);
    tern_list_init(&t->all);
    tern_list_init(&t->starved);
}

static void free_streams(struct tern_streams *t, struct tern_list *head)
{
    struct tern_list *at, *following;
    TERN_LIST_EACH(at, following, head)
    {
        struct tern_stream *s = stream_of_all(at);
        tern_stream_clear(s);
        tern_pool_give(&t->objects, s);
    }
}

void tern_streams_clear(struct tern_streams *t)
{
    t->recent = NULL;
    free_streams(t, &t->all);
    free_streams(t, &t->dead);
    tern_map_clear(&t->by_id);
    tern_pool_clear(&t->objects);
}

/* --- finding and making -------------------------------------------------------------------- */

struct tern_stream *tern_streams_find(struct tern_streams *t, uint64_t id)
{
    if (t->recent == NULL || t->recent->id != id) {
        struct tern_stream *s = tern_map_find(&t->by_id, &id, sizeof id);
        if (s == NULL) {
            return NULL;
        }
        t->recent = s;
    }
    return t->recent;
}

static int create(struct tern_streams *t, uint64_t id, struct tern_stream **out)
{
    struct tern_stream *s = tern_pool_take(&t->objects);
    if (s == NULL) {
        return TERN_ERR_NOMEM;
    }
    tern_stream_init(s, t, id);
    int err = tern_map_put(&t->by_id, &s->id, sizeof s->id, s);
    if (err != 0) {
        tern_pool_give(&t->objects, s);
        return err;
    }
    tern_list_push_back(&t->all, &s->all);
    t->open_count++;
    *out = s;
    return 0;
}

/* RFC 9000 §3.2: before a stream is made, all lower ones of its kind are. */
static int create_remote(struct tern_streams *t, uint64_t id)
{
    tern_stream_kind kind = (id & 2) != 0 ? TERN_STREAM_UNI : TERN_STREAM_BIDI;
    if (id >> 2 >= t->max_remote[kind]) {
        return TERN_ERR_STREAM_LIMIT;
    }
    while (t->opened_remote[kind] <= id >> 2) {
        struct tern_stream *s = NULL;
        int err = create(t, t->opened_remote[kind] << 2 | (id & 3), &s);
        if (err != 0) {
            return err;
        }
        t->opened_remote[kind]++;
        tern_stream_raise(s, BIT(TERN_STREAM_HAS_OPENED));
    }
    return 0;
}

int tern_streams_reach(struct tern_streams *t, uint64_t id, bool to_send, struct tern_stream **out)
{
    bool is_local = ((id & 1) != 0) == t->is_server;
    bool is_uni = (id & 2) != 0;
    *out = NULL;
    if (is_uni && is_local != to_send) {
        return TERN_ERR_STREAM_STATE; /* a half that does not exist */
    }
    if (is_local && id >> 2 >= t->next_local[is_uni]) {
        return TERN_ERR_STREAM_STATE; /* ours to open, and we did not */
    }
    int err = is_local ? 0 : create_remote(t, id);
    if (err == 0) {
        *out = tern_streams_find(t, id);
    }
    return err;
}

/* --- opening ------------------------------------------------------------------------------- */

/* Says STREAMS_BLOCKED once for each value of the limit (RFC 9000 §4.6). */
static void want_more_streams(struct tern_streams *t, tern_stream_kind kind)
{
    t->is_short[kind] = true;
    if (t->is_granted && t->told_local[kind] != t->max_local[kind] + 1) {
        t->wants |= kind == TERN_STREAM_UNI ? BIT(TERN_CONTROL_STREAMS_BLOCKED_UNI)
                                            : BIT(TERN_CONTROL_STREAMS_BLOCKED_BIDI);
    }
}

int tern_streams_open(struct tern_streams *t, tern_stream_kind kind, struct tern_stream **out)
{
    uint64_t sequence = t->next_local[kind];
    uint64_t limit = t->is_granted ? t->max_local[kind] : EARLY_STREAMS;
    if (sequence >= limit) {
        want_more_streams(t, kind);
        return TERN_ERR_LIMIT;
    }
    uint64_t id = sequence << 2 | (kind == TERN_STREAM_UNI ? 2u : 0u) | (t->is_server ? 1u : 0u);
    int err = create(t, id, out);
    if (err == 0) {
        t->next_local[kind]++;
        t->held += tern_stream_is_held(*out);
    }
    return err;
}

bool tern_streams_take_openable(struct tern_streams *t)
{
    bool was_openable = t->is_openable;
    t->is_openable = false;
    return was_openable;
}

void tern_streams_release_held(struct tern_streams *t)
{
    struct tern_list *at, *following;
    t->held = 0;
    TERN_LIST_EACH(at, following, &t->all)
    {
        struct tern_stream *s = stream_of_all(at);
        t->held += tern_stream_is_held(s);
        tern_stream_owe(s, 0); /* lists what it owes already */
        tern_stream_place(s);
    }
}

void tern_streams_on_max_streams(struct tern_streams *t, tern_stream_kind kind, uint64_t limit)
{
    if (limit <= t->max_local[kind]) {
        return;
    }
    t->max_local[kind] = limit;
    t->is_openable = t->is_openable || t->is_short[kind];
    t->is_short[kind] = false;
    t->wants &= kind == TERN_STREAM_UNI ? ~BIT(TERN_CONTROL_STREAMS_BLOCKED_UNI)
                                        : ~BIT(TERN_CONTROL_STREAMS_BLOCKED_BIDI);
    if (t->held > 0) {
        tern_streams_release_held(t);
    }
}

void tern_streams_on_grant(struct tern_streams *t, const struct tern_streams_grant *grant)
{
    t->is_granted = true;
    t->is_openable = t->is_short[TERN_STREAM_BIDI] || t->is_short[TERN_STREAM_UNI];
    t->is_short[TERN_STREAM_BIDI] = t->is_short[TERN_STREAM_UNI] = false;
    t->peer_window_bidi_local = grant->bidi_local;
    t->peer_window_bidi_remote = grant->bidi_remote;
    t->peer_window_uni = grant->uni;
    t->max_local[TERN_STREAM_BIDI] = TERN_MAX(t->max_local[TERN_STREAM_BIDI], grant->streams_bidi);
    t->max_local[TERN_STREAM_UNI] = TERN_MAX(t->max_local[TERN_STREAM_UNI], grant->streams_uni);
    struct tern_list *at, *following;
    TERN_LIST_EACH(at, following, &t->all)
    {
        struct tern_stream *s = stream_of_all(at);
        bool is_uni = s->kind == TERN_STREAM_UNI;
        uint64_t theirs = s->is_local ? grant->bidi_remote : grant->bidi_local;
        (void)tern_flow_out_raise(&s->out_flow, is_uni ? grant->uni : theirs);
    }
    tern_streams_release_held(t);
    tern_streams_on_max_data(t, grant->max_data);
}

/* --- events -------------------------------------------------------------------------------- */

bool tern_streams_has_event(const struct tern_streams *t)
{
    return !tern_list_is_empty(&t->events);
}

/* The application has let go of the stream, and only that earns the peer new credit: whoever opens
 * and resets in a loop waits for the application ([P §14], rapid reset). */
static void release_stream(struct tern_streams *t, struct tern_stream *s)
{
    (void)tern_map_drop(&t->by_id, &s->id, sizeof s->id);
    if (t->recent == s) {
        t->recent = NULL;
    }
    s->is_buried = true;
    t->open_count--;
    tern_list_drop(&s->all);
    tern_list_push_back(&t->dead, &s->all);
    if (!s->is_local) {
        t->closed_remote[s->kind]++;
        tern_streams_offer_streams(t, s->kind);
    }
}

bool tern_streams_next_event(struct tern_streams *t, struct tern_stream **stream,
                             enum tern_stream_event_kind *kind)
{
    tern_streams_bury(t);
    if (tern_list_is_empty(&t->events)) {
        return false;
    }
    struct tern_stream *s = TERN_CONTAINER_OF(t->events.next, struct tern_stream, event);
    enum tern_stream_event_kind first = TERN_STREAM_HAS_OPENED;
    while ((s->events & BIT(first)) == 0) {
        first++;
    }
    tern_stream_quiet(s, BIT(first));
    if (first == TERN_STREAM_IS_CLOSED) {
        release_stream(t, s);
    }
    *stream = s;
    *kind = first;
    return true;
}

void tern_streams_bury(struct tern_streams *t)
{
    if (!tern_list_is_empty(&t->dead)) {
        free_streams(t, &t->dead);
    }
}
