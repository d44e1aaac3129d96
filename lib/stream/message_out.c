/* Messages on their way out: what the application and the connection ask for. [P §16]
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

struct tern_msgout *tern_msgout_new(struct tern_mem *mem, struct tern_slab *slab,
                                    const struct tern_msgout_config *config)
{
    struct tern_msgout *m = tern_mem_zalloc(mem, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->mem = mem;
    m->slab = slab;
    m->config = *config;
    m->stuck = TERN_PRIORITIES;
    for (size_t i = 0; i < TERN_PRIORITIES; i++) {
        struct tern_message_level *level = &m->levels[i];
        tern_list_init(&level->again);
        tern_list_init(&level->ring);
        tern_list_init(&level->parked);
        tern_list_init(&level->arrivals[0]);
        tern_list_init(&level->arrivals[1]);
    }
    tern_heap_init(&m->expiries, mem);
    tern_list_init(&m->channels);
    tern_list_init(&m->owing);
    tern_list_init(&m->doomed);
    tern_list_init(&m->fresh);
    tern_list_init(&m->copies);
    tern_list_init(&m->twice);
    m->cursor = &m->copies;
    return m;
}

/* --- cancel ------------------------------------------------------------------------------------- */

static size_t cancel_queue(struct tern_msgout *m, struct tern_list *head, const uint64_t *tag)
{
    size_t count = 0;
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, head)
    {
        struct tern_message_sending *s = tern_sending_of(node);
        if (tag == NULL || s->tag == *tag) {
            tern_sending_cancel(m, s);
            count++;
        }
    }
    return count;
}

static size_t cancel_sent(struct tern_msgout *m, struct tern_lane_ring *r, const uint64_t *tag)
{
    size_t count = 0;
    uint64_t end = r->next;
    for (uint64_t n = r->base; n != end; n++) {
        struct tern_message_sending *s =
            tern_lane_holds(r, n) ? tern_lane_message(*tern_lane_slot(r, n)) : NULL;
        if (s != NULL && (tag == NULL || s->tag == *tag)) {
            tern_sending_cancel(m, s);
            count++;
        }
    }
    return count;
}

/* Those with the tag, or all. */
static size_t cancel_in(struct tern_msgout *m, struct tern_channel *c, const uint64_t *tag)
{
    size_t count = 0;
    for (size_t i = 0; i < TERN_PRIORITIES; i++) {
        struct tern_message_flow *flow = c->flows[i];
        if (flow != NULL) {
            count += cancel_queue(m, &flow->plain, tag);
            count += cancel_queue(m, &flow->credited, tag);
        }
    }
    for (size_t i = 0; i < TERN_LANES; i++) {
        count += cancel_sent(m, &c->lanes[i], tag);
    }
    return count;
}

size_t tern_msgout_cancel(struct tern_msgout *m, uint64_t tag)
{
    size_t count = 0;
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, &m->channels)
    {
        count += cancel_in(m, TERN_CONTAINER_OF(node, struct tern_channel, link), &tag);
    }
    return count;
}

size_t tern_msgout_cancel_channel(struct tern_msgout *m, uint32_t channel)
{
    struct tern_channel *c = channel < TERN_CHANNELS ? tern_channel_find(m, channel) : NULL;
    return c != NULL ? cancel_in(m, c, NULL) : 0;
}

void tern_msgout_free(struct tern_msgout *m)
{
    struct tern_list *node, *following;
    if (m == NULL) {
        return;
    }
    TERN_LIST_EACH(node, following, &m->channels)
    {
        struct tern_channel *c = TERN_CONTAINER_OF(node, struct tern_channel, link);
        (void)cancel_in(m, c, NULL);
        tern_channel_free(m, c);
    }
    tern_radix_clear(&m->by_id, m->slab);
    if (m->outcomes != NULL) {
        tern_slab_give(m->slab, m->outcomes, m->outcomes_capacity * sizeof *m->outcomes);
    }
    if (m->dependents != NULL) {
        tern_slab_give(m->slab, m->dependents, TERN_DEPENDENTS * sizeof *m->dependents);
    }
    tern_heap_clear(&m->expiries);
    tern_mem_free(m->mem, m);
}

/* --- send --------------------------------------------------------------------------------------- */

static int check(const struct tern_msgout *m, size_t len, const tern_send_options *o)
{
    unsigned reliability = (unsigned)o->reliability, order = (unsigned)o->order;
    if (o->size != sizeof *o || reliability > TERN_LIMITED || order > TERN_LATEST ||
        o->channel >= TERN_CHANNELS || o->priority >= TERN_PRIORITIES ||
        (o->reliability == TERN_UNTIL_DEADLINE && o->lifetime == 0)) {
        return TERN_ERR_INVALID;
    }
    bool is_over = len > m->config.max_size || len > TERN_MESSAGE_MAX;
    return is_over || o->channel >= m->config.channels ? TERN_ERR_LIMIT : 0;
}

/* The older one that a new latest one replaces: only what would still be sent (again). */
static struct tern_message_sending *replaced_by(const struct tern_channel *c,
                                                const tern_send_options *o)
{
    bool is_queued = o->order == TERN_LATEST && c->latest != NULL &&
                     (c->latest->place == TERN_PLACE_FLOW || c->latest->place == TERN_PLACE_AGAIN);
    return is_queued ? c->latest : NULL;
}

/* An empty buffer takes any message, or one that is larger than the buffer could never leave. */
static bool is_full(const struct tern_msgout *m, uint64_t cost, uint64_t spare)
{
    uint64_t held = m->held - spare;
    return held > 0 && held + cost > m->config.buffer;
}

/* All that can fail for want of memory. */
static int prepare(struct tern_msgout *m, struct tern_message_sending *s)
{
    if (s->has_depends && tern_dependents_need(m) != 0) {
        return TERN_ERR_NOMEM;
    }
    if (s->has_expiry && tern_heap_claim(&m->expiries, tern_sending_expiry(s)) != 0) {
        return TERN_ERR_NOMEM;
    }
    if (s->wants_outcome && tern_outcomes_promise(m) != 0) {
        if (s->has_expiry) {
            tern_heap_release(&m->expiries, tern_sending_expiry(s));
        }
        return TERN_ERR_NOMEM;
    }
    return 0;
}

static void enqueue_message(struct tern_msgout *m, struct tern_channel *c,
                            struct tern_message_flow *flow, struct tern_message_sending *s,
                            const tern_send_options *o, tern_time now)
{
    m->held += tern_message_cost(s->len);
    if (s->has_expiry) {
        tern_time at = tern_add_sat(now, o->lifetime);
        tern_heap_set(&m->expiries, tern_sending_expiry(s), at);
        if (s->is_long) {
            tern_sending_parts(s)->expires_at = at;
        }
    }
    if (s->has_depends) {
        tern_list_push_back(tern_dependents_of(m, o->channel, o->depends),
                            &tern_sending_depends(s)->link);
    }
    if (s->lane == TERN_LANE_LATEST) {
        if (c->latest != NULL && c->latest->place == TERN_PLACE_TWICE) {
            tern_msgqueue_drop(m, c->latest); /* once again was enough */
        }
        c->latest = s;
    }
    if (c->dead_count > 0) {
        tern_channel_revive(c, s->tag);
    }
    tern_msgqueue_push(m, c, flow, s, now);
}

static bool is_orphan(const struct tern_channel *c, const tern_send_options *o)
{
    return o->has_depends && tern_channel_is_dead(c, o->depends);
}

/* Makes way for it: the older latest one ends, then unreliable ones if the buffer is full. */
static bool make_way(struct tern_msgout *m, const struct tern_channel *c, size_t len,
                     const tern_send_options *o)
{
    struct tern_message_sending *older = replaced_by(c, o);
    if (older != NULL) {
        tern_sending_give_up(m, older, TERN_OUTCOME_EXPIRED);
    }
    uint64_t cost = tern_message_cost(len);
    return !is_full(m, cost, 0) || tern_msgqueue_make_room(m, o->priority, cost);
}

/* Into its queue, unless what it depends on is dead (perhaps by its own coming), or, unreliable, it finds
 * the buffer full. */
static void accept(struct tern_msgout *m, struct tern_channel *c, struct tern_message_flow *flow,
                   struct tern_message_sending *s, const tern_send_options *o, tern_time now)
{
    bool has_room = is_orphan(c, o) || make_way(m, c, s->len, o);
    if (is_orphan(c, o)) {
        tern_sending_refuse(m, s, TERN_OUTCOME_EXPIRED);
    } else if (!has_room) {
        m->counters.dropped++;
        tern_sending_refuse(m, s, TERN_OUTCOME_LOST);
    } else {
        enqueue_message(m, c, flow, s, o, now);
    }
}

/* An ordered one goes to the least urgent level at which others of its channel wait: not before them. */
static unsigned level_for(const struct tern_channel *c, const tern_send_options *o)
{
    unsigned level = TERN_PRIORITIES - 1;
    while (level > o->priority && (o->order != TERN_ORDERED || c->ordered_waiting[level] == 0)) {
        level--;
    }
    return level;
}

int tern_msgout_send(struct tern_msgout *m, const void *data, size_t len, tern_release_fn release,
                     void *arg, const tern_send_options *o, tern_time now)
{
    int rc = check(m, len, o);
    if (rc != 0) {
        return rc;
    }
    struct tern_channel *c = tern_channel_open(m, o->channel);
    if (c == NULL) {
        return TERN_ERR_NOMEM;
    }
    const struct tern_message_sending *older = replaced_by(c, o);
    uint64_t spare = older != NULL ? tern_message_cost(older->len) : 0;
    if (o->reliability != TERN_UNRELIABLE && is_full(m, tern_message_cost(len), spare)) {
        m->was_full = true;
        return TERN_ERR_AGAIN;
    }
    unsigned level = level_for(c, o);
    struct tern_message_flow *flow = tern_channel_flow(m, c, level);
    struct tern_message_sending *s =
        flow != NULL ? tern_sending_new(m, data, len, release, arg, o) : NULL;
    if (s == NULL) {
        return TERN_ERR_NOMEM;
    }
    s->level = level & 7;
    if (prepare(m, s) != 0) {
        tern_sending_discard(m, s);
        return TERN_ERR_NOMEM;
    }
    accept(m, c, flow, s, o, now);
    return 0;
}

int tern_msgout_set_weight(struct tern_msgout *m, uint32_t channel, unsigned weight)
{
    if (channel >= TERN_CHANNELS || weight == 0 || weight > 255) {
        return TERN_ERR_INVALID;
    }
    struct tern_channel *c = tern_channel_open(m, channel);
    if (c == NULL) {
        return TERN_ERR_NOMEM;
    }
    tern_msgqueue_weigh(m, c, weight);
    return 0;
}

/* --- what there is to know ---------------------------------------------------------------------- */

bool tern_msgout_holds_any(const struct tern_msgout *m)
{
    return m->held > 0;
}

bool tern_msgout_is_writable(const struct tern_msgout *m)
{
    return m->was_full && m->held <= m->config.buffer / 2;
}

bool tern_msgout_take_writable(struct tern_msgout *m)
{
    bool is_writable = tern_msgout_is_writable(m);
    m->was_full = m->was_full && !is_writable;
    return is_writable;
}

const struct tern_msgout_counters *tern_msgout_counters(const struct tern_msgout *m)
{
    return &m->counters;
}

uint64_t tern_msgout_queued(const struct tern_msgout *m, unsigned priority, tern_time *since)
{
    const struct tern_message_level *level = &m->levels[priority];
    *since = TERN_TIME_NEVER;
    for (size_t i = 0; i < 2; i++) {
        if (!tern_list_is_empty(&level->arrivals[i])) {
            const struct tern_message_sending *s = TERN_CONTAINER_OF(
                level->arrivals[i].next, struct tern_message_sending, as.waiting.arrival);
            *since = TERN_MIN(*since, s->as.waiting.since);
        }
    }
    return level->queued;
}

bool tern_msgout_wants(struct tern_msgout *m)
{
    return !tern_list_is_empty(&m->owing) || !tern_list_is_empty(&m->twice) ||
           tern_msgout_top(m) < TERN_PRIORITIES;
}

/* --- time and credit ---------------------------------------------------------------------------- */

tern_time tern_msgout_deadline(const struct tern_msgout *m)
{
    const struct tern_heap_entry *top = tern_heap_top(&m->expiries);
    return top != NULL ? top->at : TERN_TIME_NEVER;
}

void tern_msgout_expire(struct tern_msgout *m, tern_time now)
{
    while (tern_msgout_deadline(m) <= now && tern_heap_top(&m->expiries) != NULL) {
        struct tern_message_sending *s = tern_sending_of_expiry(tern_heap_top(&m->expiries));
        if (tern_urge_expiry(s) <= now) {
            tern_sending_give_up(m, s, TERN_OUTCOME_EXPIRED);
        } else {
            tern_urge_on_time(m, s, now);
        }
    }
}

void tern_msgout_on_max_data(struct tern_msgout *m, uint64_t limit)
{
    if (limit > m->config.credit) {
        m->config.credit = limit;
        tern_msgqueue_unpark(m);
    }
}
