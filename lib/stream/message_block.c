/* The memory of messages on their way out, of their channels and of the rings of their numbers.
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

_Static_assert(sizeof(struct tern_message_sending) <= 64, "a message grew");

/* --- a block ------------------------------------------------------------------------------------ */

static size_t expiry_size(const struct tern_message_sending *s)
{
    return s->has_expiry ? sizeof(struct tern_heap_entry) : 0;
}

static size_t depends_size(const struct tern_message_sending *s)
{
    return s->has_depends ? sizeof(struct tern_sending_depends) : 0;
}

/* What decides how large a block is. */
struct shape {
    size_t len;
    bool has_expiry, has_depends, is_lent, is_long;
};

static size_t block_size(const struct shape *shape)
{
    size_t size = sizeof(struct tern_message_sending);
    size += shape->has_expiry ? sizeof(struct tern_heap_entry) : 0;
    size += shape->has_depends ? sizeof(struct tern_sending_depends) : 0;
    size += shape->is_long ? tern_parts_size(shape->len) : 0;
    return size + (shape->is_lent ? sizeof(struct tern_sending_lent) : shape->len);
}

size_t tern_sending_size(const struct tern_message_sending *s)
{
    struct shape shape = {.len = s->len,
                          .has_expiry = s->has_expiry,
                          .has_depends = s->has_depends,
                          .is_lent = s->is_lent,
                          .is_long = s->is_long};
    return block_size(&shape);
}

struct tern_heap_entry *tern_sending_expiry(struct tern_message_sending *s)
{
    tern_assert(s->has_expiry);
    return (struct tern_heap_entry *)(void *)s - 1;
}

struct tern_message_sending *tern_sending_of_expiry(struct tern_heap_entry *entry)
{
    return (struct tern_message_sending *)(void *)(entry + 1);
}

struct tern_sending_depends *tern_sending_depends(struct tern_message_sending *s)
{
    tern_assert(s->has_depends);
    return (struct tern_sending_depends *)(void *)(s + 1);
}

struct tern_message_sending *tern_sending_of_depends(struct tern_list *link)
{
    void *depends = TERN_CONTAINER_OF(link, struct tern_sending_depends, link);
    return (struct tern_message_sending *)depends - 1;
}

struct tern_sending_parts *tern_sending_parts(struct tern_message_sending *s)
{
    tern_assert(s->is_long);
    return (struct tern_sending_parts *)(void *)((uint8_t *)(s + 1) + depends_size(s));
}

/* What stands last in the block. */
static void *tail_of(struct tern_message_sending *s)
{
    return (uint8_t *)(s + 1) + depends_size(s) + (s->is_long ? tern_parts_size(s->len) : 0);
}

const uint8_t *tern_sending_data(struct tern_message_sending *s)
{
    void *tail = tail_of(s);
    return s->is_lent ? ((struct tern_sending_lent *)tail)->data : tail;
}

static enum tern_lane lane_of_order(tern_order order)
{
    return order == TERN_ORDERED     ? TERN_LANE_ORDERED
           : order == TERN_UNORDERED ? TERN_LANE_UNORDERED
                                     : TERN_LANE_LATEST;
}

/* [P §16.3] */
static bool uses_credit(const tern_send_options *o)
{
    bool is_kept = o->reliability == TERN_RELIABLE || o->reliability == TERN_UNTIL_DEADLINE;
    return o->order == TERN_ORDERED || (o->order == TERN_UNORDERED && is_kept);
}

/* All that needs a branch stands before the first bit field, and nothing is built elsewhere and copied: what
 * was just written in small pieces is slow to read as a whole. */
static void describe(struct tern_message_sending *s, const struct shape *shape,
                     const tern_send_options *o)
{
    unsigned reliability = (unsigned)o->reliability & 3,
             lane = (unsigned)lane_of_order(o->order) & 3;
    unsigned retransmits = TERN_MIN(o->retransmits, (unsigned)UINT16_MAX);
    bool has_credit = uses_credit(o);
    memset(s, 0, sizeof *s);
    tern_list_init(&s->link);
    s->tag = o->tag;
    s->len = (uint32_t)shape->len;
    s->channel = (uint16_t)o->channel;
    s->retransmits = (uint16_t)retransmits;
    s->reliability = reliability & 3;
    s->lane = lane & 3;
    s->level = o->priority & 7;
    s->uses_credit = has_credit;
    s->wants_outcome = o->wants_outcome;
    s->immediate_ack = o->immediate_ack;
    s->has_expiry = shape->has_expiry;
    s->has_depends = shape->has_depends;
    s->is_lent = shape->is_lent;
    s->is_long = shape->is_long;
}

struct tern_message_sending *tern_sending_new(struct tern_msgout *m, const void *data, size_t len,
                                              tern_release_fn release, void *arg,
                                              const tern_send_options *options)
{
    struct shape shape = {.len = len,
                          .has_expiry = options->lifetime > 0,
                          .has_depends = options->has_depends,
                          .is_lent = release != NULL,
                          .is_long = len > TERN_SENDING_WHOLE};
    uint8_t *block = tern_slab_take(m->slab, block_size(&shape));
    if (block == NULL) {
        return NULL;
    }
    struct tern_message_sending *s =
        (void *)(block + (shape.has_expiry ? sizeof(struct tern_heap_entry) : 0));
    describe(s, &shape, options);
    if (s->has_expiry) {
        tern_heap_entry_init(tern_sending_expiry(s));
    }
    if (s->has_depends) {
        tern_list_init(&tern_sending_depends(s)->link);
        tern_sending_depends(s)->tag = options->depends;
    }
    if (s->is_long) {
        tern_parts_init(tern_sending_parts(s), len);
    }
    if (s->is_lent) {
        *(struct tern_sending_lent *)tail_of(s) = (struct tern_sending_lent){data, release, arg};
    } else if (len > 0) {
        memcpy(tail_of(s), data, len);
    }
    return s;
}

void tern_sending_discard(struct tern_msgout *m, struct tern_message_sending *s)
{
    tern_slab_give(m->slab, (uint8_t *)s - expiry_size(s), tern_sending_size(s));
}

void tern_sending_free(struct tern_msgout *m, struct tern_message_sending *s)
{
    if (s->is_lent) {
        const struct tern_sending_lent *lent = tail_of(s);
        lent->release(lent->arg, lent->data, s->len);
    }
    tern_sending_discard(m, s);
}

/* --- channels ----------------------------------------------------------------------------------- */

struct tern_channel *tern_channel_open(struct tern_msgout *m, uint32_t id)
{
    void **place = tern_radix_place(&m->by_id, m->slab, id);
    if (place == NULL || *place != NULL) {
        return place == NULL ? NULL : *place;
    }
    struct tern_channel *c = tern_slab_take(m->slab, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->id = id;
    c->weight = TERN_SENDING_WEIGHT;
    for (size_t i = 0; i < TERN_LANES; i++) {
        tern_list_init(&c->lanes[i].owing);
        c->lanes[i].channel = id;
        c->lanes[i].lane = (uint8_t)i;
    }
    tern_list_push_back(&m->channels, &c->link);
    *place = c;
    return c;
}

struct tern_message_flow *tern_channel_flow(struct tern_msgout *m, struct tern_channel *c,
                                            unsigned level)
{
    struct tern_message_flow *flow = c->flows[level];
    if (flow != NULL) {
        return flow;
    }
    flow = tern_slab_take(m->slab, sizeof *flow);
    if (flow != NULL) {
        memset(flow, 0, sizeof *flow);
        tern_list_init(&flow->link);
        tern_list_init(&flow->plain);
        tern_list_init(&flow->credited);
        flow->channel = c;
        flow->level = (uint8_t)level;
        c->flows[level] = flow;
    }
    return flow;
}

void tern_channel_free(struct tern_msgout *m, struct tern_channel *c)
{
    for (size_t i = 0; i < TERN_PRIORITIES; i++) {
        if (c->flows[i] != NULL) {
            tern_slab_give(m->slab, c->flows[i], sizeof *c->flows[i]);
        }
    }
    for (size_t i = 0; i < TERN_LANES; i++) {
        tern_lane_clear(m, &c->lanes[i]);
    }
    tern_slab_give(m->slab, c, sizeof *c);
}

/* --- rings of numbers --------------------------------------------------------------------------- */

void tern_lane_clear(struct tern_msgout *m, struct tern_lane_ring *r)
{
    if (r->slots != NULL) {
        tern_slab_give(m->slab, r->slots, (size_t)r->capacity * sizeof *r->slots);
        r->slots = NULL;
        r->capacity = 0;
    }
}

bool tern_lane_has_room(struct tern_msgout *m, struct tern_lane_ring *r)
{
    if (r->next - r->base < r->capacity) {
        return true;
    }
    struct tern_lane_ring grown = *r;
    grown.capacity = TERN_MAX(2 * r->capacity, (uint64_t)8);
    if (grown.capacity > TERN_LANE_SLOTS_MAX) {
        return false;
    }
    grown.slots = tern_slab_take(m->slab, (size_t)grown.capacity * sizeof *grown.slots);
    if (grown.slots == NULL) {
        return false;
    }
    for (uint64_t n = r->base; n != r->next; n++) {
        *tern_lane_slot(&grown, n) = *tern_lane_slot(r, n);
    }
    tern_lane_clear(m, r);
    r->slots = grown.slots;
    r->capacity = grown.capacity;
    return true;
}

void tern_lane_settle(struct tern_lane_ring *r)
{
    while (r->base != r->next && *tern_lane_slot(r, r->base) == 0) {
        r->base++;
    }
}
