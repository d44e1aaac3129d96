/* Messages on their way in: who is let in, who must leave, who is next.
 *
 * A message without credit is in one of three lists by age, in the order in which they make room; one with
 * credit is never dropped. Whole ones stand in `ready` (or wait in the runs of an ordered lane), the
 * others in their lane's list of unfinished ones. SPDX-License-Identifier: MIT */
#include "stream/message_in.h"

#include "base/radix.h"
#include "stream/message_lane.h"

#define NUMBER_END (UINT64_C(1) << 62)

enum age { UNFINISHED, UNORDERED, LATEST, AGES };

struct tern_msgin {
    struct tern_mem *mem;
    struct tern_slab *slab;
    struct tern_msgin_config config;
    struct tern_radix lanes; /* by number_of */
    struct tern_list ready;
    struct tern_list aged[AGES];
    struct tern_incoming *lent;
    uint64_t counted; /* credit: used by what has come or was skipped, */
    uint64_t freed;   /* ... of which so much is no longer held, */
    uint64_t told;    /* ... and what the peer may use */
    uint64_t queued;  /* held without credit */
    size_t gaps;      /* runs of all lanes */
    bool owes_limit, has_event;
    struct tern_msgin_counters counters;
};

struct tern_msgin *tern_msgin_new(struct tern_mem *mem, struct tern_slab *slab,
                                  const struct tern_msgin_config *config)
{
    struct tern_msgin *m = tern_mem_zalloc(mem, sizeof *m);
    tern_assert(config->max_size <= TERN_MESSAGE_MAX && config->channels <= TERN_CHANNELS);
    if (m != NULL) {
        m->mem = mem;
        m->slab = slab;
        m->config = *config;
        m->told = config->window;
        tern_list_init(&m->ready);
        for (size_t i = 0; i < AGES; i++) {
            tern_list_init(&m->aged[i]);
        }
    }
    return m;
}

static void free_lanes(struct tern_msgin *m)
{
    struct tern_inlane *lane;
    for (uint32_t at = 0; (lane = tern_radix_next(&m->lanes, &at)) != NULL; at++) {
        tern_inlane_clear(lane, m->slab);
        tern_slab_give(m->slab, lane, sizeof *lane);
    }
    tern_radix_clear(&m->lanes, m->slab);
}

void tern_msgin_free(struct tern_msgin *m)
{
    if (m == NULL) {
        return;
    }
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, &m->ready)
    {
        tern_incoming_free(TERN_CONTAINER_OF(node, struct tern_incoming, u.link), m->slab);
    }
    if (m->lent != NULL) {
        tern_incoming_free(m->lent, m->slab);
    }
    free_lanes(m);
    tern_mem_free(m->mem, m);
}

/* --- lanes ------------------------------------------------------------------------------------- */

static uint32_t number_of(uint32_t channel, enum tern_lane kind)
{
    return channel * TERN_LANES + (uint32_t)kind;
}

static struct tern_inlane *new_lane(struct tern_msgin *m, uint32_t channel, enum tern_lane kind)
{
    void **place = tern_radix_place(&m->lanes, m->slab, number_of(channel, kind));
    struct tern_inlane *lane = place == NULL ? NULL : tern_slab_take(m->slab, sizeof *lane);
    if (lane != NULL) {
        memset(lane, 0, sizeof *lane);
        lane->channel = channel;
        lane->kind = kind;
        *place = lane;
    }
    return lane;
}

/* NULL: no memory */
static struct tern_inlane *open_lane(struct tern_msgin *m, uint32_t channel, enum tern_lane kind)
{
    struct tern_inlane *lane = tern_radix_find(&m->lanes, number_of(channel, kind));
    return lane != NULL ? lane : new_lane(m, channel, kind);
}

/* What a lane's gaps may come to: no new ones while all lanes together have too many. */
static size_t gap_limit(const struct tern_msgin *m)
{
    return m->gaps < TERN_MSGIN_GAPS_ALL ? TERN_MSGIN_GAPS : 0;
}

/* [start, end) has come or will not; what that releases is ready. */
static int add_numbers(struct tern_msgin *m, struct tern_inlane *lane, uint64_t start, uint64_t end,
                       struct tern_chain waiting)
{
    struct tern_chain released;
    size_t before = lane->runs.count;
    int rc = tern_inlane_add(lane, m->slab, start, end, waiting, gap_limit(m), &released);
    if (rc == 0) {
        m->gaps = m->gaps - before + lane->runs.count;
        if (released.first != NULL) {
            m->has_event = m->has_event || tern_list_is_empty(&m->ready);
            tern_chain_append(released, &m->ready);
        }
    }
    return rc;
}

/* --- leaving ----------------------------------------------------------------------------------- */

/* The message is in no list but by its age, and has no pieces. */
static void release_message(struct tern_msgin *m, struct tern_incoming *in)
{
    uint64_t cost = tern_message_cost(in->total);
    if (in->uses_credit) {
        m->freed += cost;
    } else {
        m->queued -= cost;
        tern_list_drop(&in->aged);
    }
    tern_incoming_free(in, m->slab);
}

/* n unfinished messages of a lane go. */
static void drop_unfinished(struct tern_msgin *m, struct tern_inlane *lane, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        tern_runs_clear(&lane->unfinished[i]->u.pieces, m->slab);
        release_message(m, lane->unfinished[i]);
    }
    tern_inlane_forget(lane, m->slab, at, n);
}

static void leave_ready(struct tern_msgin *m, struct tern_incoming *in)
{
    tern_list_drop(&in->u.link);
    if (in->lane->fresh == in) {
        in->lane->fresh = NULL;
    }
    m->has_event = m->has_event && !tern_list_is_empty(&m->ready);
}

/* A latest message has come, or was dropped: older ones will not be delivered. */
static void pass_latest(struct tern_msgin *m, struct tern_inlane *lane, uint64_t number)
{
    if (lane->unfinished_count > 0) {
        size_t older = tern_inlane_find(lane, number);
        m->counters.superseded += older;
        drop_unfinished(m, lane, 0, older);
    }
    lane->next = number + 1;
}

/* A message without credit was dropped: it is ignored when it comes again, if that can be remembered;
 * that it is put together once more is all that can come of it else. */
static void count_dropped(struct tern_msgin *m, struct tern_inlane *lane, uint64_t number)
{
    m->counters.dropped++;
    if (lane->kind == TERN_LANE_UNORDERED) {
        struct tern_chain none = {NULL, NULL};
        int rc = add_numbers(m, lane, number, number + 1, none);
        (void)rc;
    }
}

static void evict_unfinished(struct tern_msgin *m, struct tern_incoming *in)
{
    struct tern_inlane *lane = in->lane;
    uint64_t number = in->number;
    drop_unfinished(m, lane, tern_inlane_find(lane, number), 1);
    count_dropped(m, lane, number);
}

/* Makes room for a message without credit at the cost of the oldest. */
static bool make_room(struct tern_msgin *m, uint64_t cost)
{
    size_t age = UNFINISHED;
    while (m->queued + cost > m->config.queue && age < AGES) {
        if (cost > m->config.queue) {
            return false;
        }
        if (tern_list_is_empty(&m->aged[age])) {
            age++;
            continue;
        }
        struct tern_incoming *in = TERN_CONTAINER_OF(m->aged[age].next, struct tern_incoming, aged);
        if (age == UNFINISHED) {
            evict_unfinished(m, in);
        } else {
            leave_ready(m, in);
            release_message(m, in);
            m->counters.dropped++;
        }
    }
    return m->queued + cost <= m->config.queue;
}

/* --- coming ------------------------------------------------------------------------------------ */

static int check_part(const struct tern_msgin *m, const struct tern_message_part *part)
{
    bool is_known =
        part->channel < m->config.channels && part->lane < TERN_LANES && part->number < NUMBER_END;
    bool fits = part->total <= m->config.max_size && part->len <= part->total &&
                part->offset <= part->total - part->len;
    bool is_cut_well = part->is_fragment ? part->total > 0 : part->len == part->total;
    bool has_its_credit =
        part->lane == TERN_LANE_UNORDERED || part->uses_credit == (part->lane == TERN_LANE_ORDERED);
    return is_known && fits && is_cut_well && has_its_credit ? 0 : TERN_ERR_PROTOCOL;
}

/* Is there credit, or room? 1: no room, the message was dropped. 0 · TERN_ERR_FLOW_CONTROL */
static int let_in(struct tern_msgin *m, struct tern_inlane *lane,
                  const struct tern_message_part *part)
{
    uint64_t cost = tern_message_cost(part->total);
    if (part->uses_credit) {
        return cost > m->told - m->counted ? TERN_ERR_FLOW_CONTROL : 0;
    }
    if (make_room(m, cost)) {
        return 0;
    }
    if (lane->kind == TERN_LANE_LATEST) {
        pass_latest(m, lane, part->number);
    }
    count_dropped(m, lane, part->number);
    return 1;
}

static void hold(struct tern_msgin *m, struct tern_incoming *in, enum age age)
{
    uint64_t cost = tern_message_cost(in->total);
    if (in->uses_credit) {
        m->counted += cost;
    } else {
        m->queued += cost;
        tern_list_push_back(&m->aged[age], &in->aged);
    }
}

/* The one that is ready in a latest lane no longer counts, so that its successor finds room; it keeps its
 * place for that. */
static void set_aside(struct tern_msgin *m, struct tern_incoming *fresh)
{
    tern_list_drop(&fresh->aged);
    m->queued -= tern_message_cost(fresh->total);
}

/* A whole latest message takes the place of its predecessor, which was set aside. */
static void make_fresh(struct tern_msgin *m, struct tern_incoming *in)
{
    struct tern_inlane *lane = in->lane;
    struct tern_incoming *old = lane->fresh;
    if (old == NULL) {
        m->has_event = m->has_event || tern_list_is_empty(&m->ready);
        tern_list_push_back(&m->ready, &in->u.link);
    } else {
        tern_list_push_back(&old->u.link, &in->u.link); /* before it */
        tern_list_drop(&old->u.link);
        tern_incoming_free(old, m->slab);
        m->counters.superseded++;
    }
    lane->fresh = in;
}

/* A whole message becomes ready or waits. TERN_ERR_AGAIN · TERN_ERR_NOMEM: it does neither */
static int deliver(struct tern_msgin *m, struct tern_incoming *in)
{
    struct tern_inlane *lane = in->lane;
    struct tern_chain chain = {NULL, NULL};
    if (lane->kind == TERN_LANE_LATEST) {
        pass_latest(m, lane, in->number);
        make_fresh(m, in);
        return 0;
    }
    if (lane->kind == TERN_LANE_ORDERED) {
        chain = (struct tern_chain){&in->u.link, &in->u.link};
    }
    int rc = add_numbers(m, lane, in->number, in->number + 1, chain);
    if (rc == 0 && lane->kind == TERN_LANE_UNORDERED) {
        m->has_event = m->has_event || tern_list_is_empty(&m->ready);
        tern_list_push_back(&m->ready, &in->u.link);
    }
    return rc;
}

static enum age age_of(const struct tern_inlane *lane)
{
    return lane->kind == TERN_LANE_LATEST ? LATEST : UNORDERED;
}

/* A message that comes in one frame. */
static int take_whole(struct tern_msgin *m, struct tern_inlane *lane,
                      const struct tern_message_part *part, const uint8_t *data, bool is_recovered)
{
    struct tern_incoming *fresh = lane->fresh;
    if (fresh != NULL) {
        set_aside(m, fresh);
    }
    int rc = let_in(m, lane, part);
    struct tern_incoming *in = rc == 0 ? tern_incoming_new(m->slab, lane, part) : NULL;
    if (in != NULL) {
        if (part->len > 0) {
            memcpy(tern_incoming_data(in), data, part->len);
        }
        in->have = in->total;
        in->is_recovered = is_recovered;
        rc = deliver(m, in);
        if (rc == 0) {
            hold(m, in, age_of(lane));
            return 0;
        }
        tern_incoming_free(in, m->slab);
    } else if (rc == 0) {
        rc = TERN_ERR_NOMEM;
    }
    if (fresh != NULL) {
        hold(m, fresh, LATEST);
    }
    return rc == 1 ? 0 : rc;
}

/* May one more message of the lane be unfinished? 1: it is too old, and ignored. 0 · TERN_ERR_AGAIN */
static int make_place(struct tern_msgin *m, struct tern_inlane *lane,
                      const struct tern_message_part *part)
{
    if (lane->kind == TERN_LANE_LATEST && lane->unfinished_count == TERN_INLANE_LATEST) {
        if (part->number < lane->unfinished[0]->number) {
            return 1;
        }
        drop_unfinished(m, lane, 0, 1);
        m->counters.superseded++;
    }
    if (lane->unfinished_count < TERN_INLANE_UNFINISHED) {
        return 0;
    }
    for (size_t i = 0; !part->uses_credit && i < lane->unfinished_count; i++) {
        if (!lane->unfinished[i]->uses_credit) {
            evict_unfinished(m, lane->unfinished[i]);
            return 0;
        }
    }
    return TERN_ERR_AGAIN;
}

/* The first part of a message. *out: NULL if it is ignored */
static int begin_message(struct tern_msgin *m, struct tern_inlane *lane,
                         const struct tern_message_part *part, struct tern_incoming **out)
{
    *out = NULL;
    int rc = make_place(m, lane, part);
    if (rc == 0) {
        rc = let_in(m, lane, part);
    }
    if (rc != 0) {
        return rc == 1 ? 0 : rc;
    }
    struct tern_incoming *in = tern_incoming_new(m->slab, lane, part);
    if (in == NULL || tern_inlane_keep(lane, m->slab, in) != 0) {
        if (in != NULL) {
            tern_incoming_free(in, m->slab);
        }
        return TERN_ERR_NOMEM;
    }
    hold(m, in, UNFINISHED);
    *out = in;
    return 0;
}

/* An unfinished message is whole: its pieces are one, and need no memory. */
static int finish_message(struct tern_msgin *m, struct tern_incoming *in)
{
    struct tern_inlane *lane = in->lane;
    if (lane->fresh != NULL) {
        set_aside(m, lane->fresh);
    }
    int rc = deliver(m, in); /* fails in no latest lane */
    if (rc == 0) {
        tern_inlane_forget(lane, m->slab, tern_inlane_find(lane, in->number), 1);
        if (!in->uses_credit) {
            tern_list_drop(&in->aged);
            tern_list_push_back(&m->aged[age_of(lane)], &in->aged);
        }
    }
    return rc;
}

static int join(struct tern_msgin *m, struct tern_incoming *in,
                const struct tern_message_part *part, const uint8_t *data, bool is_recovered)
{
    bool is_new;
    int rc = tern_incoming_write(in, m->slab, part->offset, data, part->len, &is_new);
    if (rc != 0) {
        return rc;
    }
    m->counters.duplicates += !is_new && part->len > 0;
    in->is_recovered = in->is_recovered || (is_new && is_recovered);
    return tern_incoming_is_whole(in) ? finish_message(m, in) : 0;
}

int tern_msgin_on_part(struct tern_msgin *m, const struct tern_message_part *part,
                       const uint8_t *data, bool is_recovered)
{
    int rc = check_part(m, part);
    if (rc != 0) {
        return rc;
    }
    struct tern_inlane *lane = open_lane(m, part->channel, part->lane);
    if (lane == NULL) {
        return TERN_ERR_NOMEM;
    }
    if (tern_inlane_has(lane, part->number)) {
        m->counters.duplicates++;
        return 0;
    }
    struct tern_incoming *in =
        lane->unfinished_count == 0 ? NULL : tern_inlane_unfinished(lane, part->number);
    if (in != NULL && (in->total != part->total || in->uses_credit != part->uses_credit)) {
        return TERN_ERR_PROTOCOL;
    }
    /* A lane of latest ones has no gaps: all below the newest are done with. */
    if (lane->kind != TERN_LANE_LATEST &&
        !tern_inlane_can_add(lane, part->number, part->number + 1, gap_limit(m))) {
        return TERN_ERR_AGAIN;
    }
    if (in == NULL && part->len == part->total) {
        return take_whole(m, lane, part, data, is_recovered);
    }
    if (in == NULL) {
        rc = begin_message(m, lane, part, &in);
        if (rc != 0 || in == NULL) {
            return rc;
        }
    }
    return join(m, in, part, data, is_recovered);
}

/* --- skips ------------------------------------------------------------------------------------- */

static int check_skip(const struct tern_msgin *m, const struct tern_message_skip *skip)
{
    bool is_known = skip->channel < m->config.channels &&
                    (skip->lane == TERN_LANE_UNORDERED || skip->lane == TERN_LANE_ORDERED);
    bool is_in_range = skip->first < NUMBER_END && skip->count < NUMBER_END - skip->first;
    bool is_cost = skip->cost == 0
                       ? skip->lane == TERN_LANE_UNORDERED
                       : skip->cost >= TERN_MESSAGE_EXTRA &&
                             skip->cost <= tern_message_cost((size_t)m->config.max_size);
    return is_known && is_in_range && is_cost ? 0 : TERN_ERR_PROTOCOL;
}

/* Do the unfinished messages from `at` on cost what the skip says? */
static bool agrees_with_lane(const struct tern_inlane *lane, size_t at, size_t n, uint64_t cost)
{
    for (size_t i = at; i < at + n; i++) {
        const struct tern_incoming *in = lane->unfinished[i];
        if (cost != (in->uses_credit ? tern_message_cost(in->total) : 0)) {
            return false;
        }
    }
    return true;
}

int tern_msgin_on_skip(struct tern_msgin *m, const struct tern_message_skip *skip)
{
    struct tern_chain none = {NULL, NULL};
    int rc = check_skip(m, skip);
    if (rc != 0) {
        return rc;
    }
    struct tern_inlane *lane = open_lane(m, skip->channel, skip->lane);
    if (lane == NULL) {
        return TERN_ERR_NOMEM;
    }
    uint64_t start = TERN_MAX(skip->first, lane->next), end = skip->first + skip->count;
    if (start >= end) {
        return 0;
    }
    size_t at = tern_inlane_find(lane, start), n = tern_inlane_find(lane, end) - at;
    uint64_t unseen = end - start - tern_runs_overlap(&lane->runs, start, end) - n;
    if (!agrees_with_lane(lane, at, n, skip->cost)) {
        return TERN_ERR_PROTOCOL;
    }
    if (skip->cost > 0 && unseen > (m->told - m->counted) / skip->cost) {
        return TERN_ERR_FLOW_CONTROL;
    }
    rc = add_numbers(m, lane, start, end, none);
    if (rc == 0) {
        m->counted += unseen * skip->cost;
        m->freed += unseen * skip->cost;
        drop_unfinished(m, lane, at, n);
    }
    return rc;
}

/* --- the application --------------------------------------------------------------------------- */

static tern_order order_of(enum tern_lane lane)
{
    switch (lane) {
    case TERN_LANE_ORDERED:
        return TERN_ORDERED;
    case TERN_LANE_LATEST:
        return TERN_LATEST;
    case TERN_LANE_UNORDERED:
    case TERN_LANES:
        break;
    }
    return TERN_UNORDERED;
}

int tern_msgin_receive(struct tern_msgin *m, tern_message *out)
{
    if (m->lent != NULL) {
        release_message(m, m->lent);
        m->lent = NULL;
    }
    if (tern_list_is_empty(&m->ready)) {
        return 0;
    }
    struct tern_incoming *in = TERN_CONTAINER_OF(m->ready.next, struct tern_incoming, u.link);
    leave_ready(m, in);
    tern_list_drop(&in->aged); /* what is lent cannot be dropped for another */
    m->lent = in;
    m->counters.received++;
    m->counters.bytes += in->total;
    m->counters.recovered += in->is_recovered;
    out->data = tern_incoming_data(in);
    out->len = in->total;
    out->channel = in->lane->channel;
    out->order = order_of(in->lane->kind);
    out->number = in->number;
    out->is_recovered = in->is_recovered;
    return 1;
}

bool tern_msgin_has_message(const struct tern_msgin *m)
{
    return !tern_list_is_empty(&m->ready);
}

bool tern_msgin_take_event(struct tern_msgin *m)
{
    bool has_event = m->has_event;
    m->has_event = false;
    return has_event;
}

bool tern_msgin_has_event(const struct tern_msgin *m)
{
    return m->has_event;
}

/* --- credit ------------------------------------------------------------------------------------ */

static uint64_t limit_of(const struct tern_msgin *m)
{
    return TERN_MIN(m->config.window + m->freed, NUMBER_END - 1);
}

/* Not for each message, but soon enough that the longest never waits in vain: when all is taken, what the
 * sender has left is the window less what is not said yet. */
static uint64_t least_gain(const struct tern_msgin *m)
{
    uint64_t spare =
        tern_sub_sat(m->config.window, tern_message_cost((size_t)m->config.max_size)) + 1;
    return TERN_MAX(TERN_MIN(m->config.window / 8, spare), (uint64_t)1);
}

bool tern_msgin_wants_limit(const struct tern_msgin *m)
{
    uint64_t least = least_gain(m);
    return m->owes_limit || limit_of(m) - m->told >= least;
}

uint64_t tern_msgin_take_limit(struct tern_msgin *m)
{
    m->owes_limit = false;
    m->told = limit_of(m);
    return m->told;
}

void tern_msgin_on_limit_lost(struct tern_msgin *m, uint64_t limit)
{
    m->owes_limit = m->owes_limit || limit == m->told;
}

const struct tern_msgin_counters *tern_msgin_counters(const struct tern_msgin *m)
{
    return &m->counters;
}

uint64_t tern_msgin_held(const struct tern_msgin *m)
{
    return m->counted - m->freed + m->queued;
}
