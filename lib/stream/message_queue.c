/* Where messages wait: eight strict priorities, in each the channels by turns of bytes, and credit.
 *
 * What is to be sent again goes in front of its priority. Channels take turns in a ring: whose deficit is
 * used up goes to the end and gets a new share there, by its weight. What a turn took too much is a debt.
 * A channel at whose head only something waits that credit has no room for is parked, so that the ring
 * of a level that is looked at holds nothing but what can leave; and nothing new of its priority or a
 * less urgent one uses credit before it, or large messages would starve behind small ones. When there is
 * credit again the parked ones come back one after the other, ahead of the ring, each when the turn of the
 * one before is over: a peer that gives a byte at a time must not have us look at all of them each time.
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

#define NOT_STUCK TERN_PRIORITIES

/* --- flows in their level ----------------------------------------------------------------------- */

static struct tern_message_flow *flow_of(struct tern_list *link)
{
    return TERN_CONTAINER_OF(link, struct tern_message_flow, link);
}

static void leave_parked(struct tern_message_level *level, struct tern_message_flow *flow)
{
    tern_list_drop(&flow->link);
    flow->is_parked = false;
    level->parked_weight -= flow->channel->weight;
    level->weight += flow->channel->weight;
}

/* The next of the parked ones goes to the head of the ring, if credit may let it. */
static void fetch_parked(struct tern_msgout *m, unsigned i)
{
    struct tern_message_level *level = &m->levels[i];
    if (i < m->stuck && !tern_list_is_empty(&level->parked)) {
        struct tern_message_flow *flow = flow_of(level->parked.next);
        leave_parked(level, flow);
        flow->is_back = true;
        tern_list_push_front(&level->ring, &flow->link);
        m->busy |= 1u << i;
    }
}

static void activate(struct tern_msgout *m, struct tern_message_flow *flow)
{
    struct tern_message_level *level = &m->levels[flow->level];
    if (!tern_list_is_linked(&flow->link)) {
        flow->deficit =
            TERN_MIN(flow->deficit, 0) + (int64_t)flow->channel->weight * TERN_SENDING_QUANTUM;
        flow->is_parked = flow->is_back = false;
        tern_list_push_back(&level->ring, &flow->link);
        level->weight += flow->channel->weight;
    } else if (flow->is_parked) { /* what came may leave although its elder cannot */
        leave_parked(level, flow);
        tern_list_push_back(&level->ring, &flow->link);
    }
    m->busy |= 1u << flow->level;
}

static void retire(struct tern_msgout *m, struct tern_message_flow *flow)
{
    struct tern_message_level *level = &m->levels[flow->level];
    if (tern_list_is_linked(&flow->link) && tern_list_is_empty(&flow->plain) &&
        tern_list_is_empty(&flow->credited)) {
        uint64_t *sum = flow->is_parked ? &level->parked_weight : &level->weight;
        *sum -= flow->channel->weight;
        tern_list_drop(&flow->link);
        fetch_parked(m, flow->level);
    }
}

/* What others are stuck behind is to be the first of them, and what did not come to its turn again before
 * those that were behind it. */
static void park(struct tern_msgout *m, struct tern_message_flow *flow, bool is_stuck)
{
    struct tern_message_level *level = &m->levels[flow->level];
    tern_list_drop(&flow->link);
    if (is_stuck || flow->is_back) {
        tern_list_push_front(&level->parked, &flow->link);
    } else {
        tern_list_push_back(&level->parked, &flow->link);
    }
    flow->is_parked = true;
    level->weight -= flow->channel->weight;
    level->parked_weight += flow->channel->weight;
}

void tern_msgqueue_unpark(struct tern_msgout *m)
{
    unsigned from = m->stuck;
    m->stuck = NOT_STUCK;
    for (unsigned i = from; i < TERN_PRIORITIES; i++) {
        fetch_parked(m, i);
    }
}

void tern_msgqueue_weigh(struct tern_msgout *m, struct tern_channel *c, unsigned weight)
{
    for (size_t i = 0; i < TERN_PRIORITIES; i++) {
        struct tern_message_flow *flow = c->flows[i];
        if (flow != NULL && tern_list_is_linked(&flow->link)) {
            struct tern_message_level *level = &m->levels[i];
            uint64_t *sum = flow->is_parked ? &level->parked_weight : &level->weight;
            *sum = *sum - c->weight + weight;
        }
    }
    c->weight = weight;
}

/* --- in and out --------------------------------------------------------------------------------- */

static bool is_pushable(const struct tern_message_sending *s)
{
    return s->reliability == TERN_UNRELIABLE;
}

void tern_msgqueue_push(struct tern_msgout *m, struct tern_channel *c,
                        struct tern_message_flow *flow, struct tern_message_sending *s,
                        tern_time now)
{
    struct tern_message_level *level = &m->levels[s->level];
    tern_list_push_back(s->uses_credit ? &flow->credited : &flow->plain, &s->link);
    s->place = TERN_PLACE_FLOW;
    s->turn = m->turn++;
    s->as.waiting.since = now;
    tern_list_push_back(&level->arrivals[is_pushable(s)], &s->as.waiting.arrival);
    level->pushable += is_pushable(s) ? tern_message_cost(s->len) : 0;
    level->queued += s->len;
    c->ordered_waiting[s->level] += s->lane == TERN_LANE_ORDERED ? 1 : 0;
    if (!tern_list_is_linked(&flow->link) || !s->uses_credit) {
        activate(m, flow);
    }
}

void tern_msgqueue_start(struct tern_msgout *m, struct tern_message_sending *s)
{
    struct tern_message_level *level = &m->levels[s->level];
    tern_list_drop(&s->as.waiting.arrival);
    level->pushable -= is_pushable(s) ? tern_message_cost(s->len) : 0;
    level->queued -= s->len;
    s->is_started = 1;
}

void tern_msgqueue_push_again(struct tern_msgout *m, struct tern_message_sending *s)
{
    tern_assert(s->place == TERN_PLACE_NONE);
    tern_list_push_back(&m->levels[s->level].again, &s->link);
    s->place = TERN_PLACE_AGAIN;
    m->busy |= 1u << s->level;
}

/* The head of what was stuck is gone: perhaps the next one fits. */
static void drop_from_flow(struct tern_msgout *m, struct tern_message_sending *s)
{
    struct tern_channel *c = tern_sending_channel(m, s);
    struct tern_message_flow *flow = c->flows[s->level];
    bool was_first = s->uses_credit && flow->credited.next == &s->link;
    tern_list_drop(&s->link);
    c->ordered_waiting[s->level] -= s->lane == TERN_LANE_ORDERED ? 1 : 0;
    retire(m, flow);
    if (was_first && !s->is_started && m->stuck != NOT_STUCK) {
        tern_msgqueue_unpark(m);
    }
}

void tern_msgqueue_drop(struct tern_msgout *m, struct tern_message_sending *s)
{
    if (s->place == TERN_PLACE_FLOW) {
        drop_from_flow(m, s);
    } else {
        if (m->cursor == &s->link) {
            m->cursor = s->link.next;
        }
        tern_list_drop(&s->link);
    }
    s->place = TERN_PLACE_NONE;
}

void tern_msgqueue_insist(struct tern_msgout *m, struct tern_message_sending *s)
{
    s->insists = 0;
    tern_msgqueue_drop(m, s);
    tern_msgqueue_push_again(m, s);
}

bool tern_msgqueue_make_room(struct tern_msgout *m, unsigned level, uint64_t cost)
{
    uint64_t gain = 0;
    for (unsigned i = level; i < TERN_PRIORITIES; i++) {
        gain += m->levels[i].pushable;
    }
    if (m->held != gain && m->held - gain + cost > m->config.buffer) {
        return false;
    }
    for (unsigned i = TERN_PRIORITIES; i-- > level;) {
        struct tern_list *head = &m->levels[i].arrivals[1];
        while (m->held > 0 && m->held + cost > m->config.buffer && !tern_list_is_empty(head)) {
            m->counters.dropped++;
            tern_sending_give_up(
                m, TERN_CONTAINER_OF(head->next, struct tern_message_sending, as.waiting.arrival),
                TERN_OUTCOME_LOST);
        }
    }
    return true;
}

/* --- whose turn --------------------------------------------------------------------------------- */

static struct tern_message_sending *first_of(struct tern_list *head)
{
    return tern_list_is_empty(head) ? NULL : tern_sending_of(head->next);
}

/* Credit is counted once, when the first byte is sent. */
static bool has_credit(struct tern_msgout *m, const struct tern_message_sending *s)
{
    if (s->is_started) {
        return true;
    }
    uint64_t left = tern_sub_sat(m->config.credit, m->credit_used);
    if (s->level < m->stuck && tern_message_cost(s->len) > left) {
        m->stuck = s->level;
    }
    return s->level < m->stuck;
}

/* What a channel would send next: the elder of its two queues, if credit lets it. */
static struct tern_message_sending *head_of(struct tern_msgout *m, struct tern_message_flow *flow)
{
    struct tern_message_sending *plain = first_of(&flow->plain);
    struct tern_message_sending *credited = first_of(&flow->credited);
    bool is_plain_elder =
        plain != NULL && (credited == NULL || (int32_t)(plain->turn - credited->turn) < 0);
    if (is_plain_elder || credited == NULL || !has_credit(m, credited)) {
        return plain;
    }
    return credited;
}

/* Parks what cannot leave, until the first that can. */
static bool settle_level(struct tern_msgout *m, unsigned i)
{
    struct tern_message_level *level = &m->levels[i];
    for (;;) {
        if (tern_list_is_empty(&level->ring)) {
            fetch_parked(m, i);
        }
        if (tern_list_is_empty(&level->ring)) {
            return false;
        }
        struct tern_message_flow *flow = flow_of(level->ring.next);
        unsigned stuck = m->stuck;
        if (head_of(m, flow) != NULL) {
            return true;
        }
        park(m, flow, m->stuck != stuck);
    }
}

unsigned tern_msgout_top(struct tern_msgout *m)
{
    for (unsigned i = 0; i < TERN_PRIORITIES && m->busy >> i != 0; i++) {
        if ((m->busy >> i & 1) == 0) {
            continue;
        }
        struct tern_message_level *level = &m->levels[i];
        if (!tern_list_is_empty(&level->again) || settle_level(m, i)) {
            return i;
        }
        m->busy &= ~(1u << i);
    }
    return TERN_PRIORITIES;
}

static void give_turn(struct tern_message_level *level, struct tern_message_flow *flow)
{
    flow->deficit += (int64_t)flow->channel->weight * TERN_SENDING_QUANTUM;
    flow->is_back = false;
    tern_list_drop(&flow->link);
    tern_list_push_back(&level->ring, &flow->link);
}

struct tern_message_sending *tern_msgqueue_pick(struct tern_msgout *m)
{
    unsigned top = tern_msgout_top(m);
    if (top == TERN_PRIORITIES) {
        return NULL;
    }
    struct tern_message_level *level = &m->levels[top];
    if (!tern_list_is_empty(&level->again)) {
        return tern_sending_of(level->again.next);
    }
    while (settle_level(
        m, top)) { /* ends: at each round all debts fall, and one could send at least */
        struct tern_message_flow *flow = flow_of(level->ring.next);
        if (flow->deficit > 0) {
            return head_of(m, flow);
        }
        give_turn(level, flow);
        fetch_parked(m, top);
    }
    return NULL;
}

/* --- streams as one more member ----------------------------------------------------------------- */

#define FINE    20 /* bits behind the point */
#define STREAMS ((int64_t)TERN_SENDING_WEIGHT * TERN_SENDING_QUANTUM * (INT64_C(1) << FINE))

void tern_msgqueue_charge(struct tern_msgout *m, const struct tern_message_sending *s, size_t bytes)
{
    struct tern_message_level *level = &m->levels[s->level];
    if (s->place == TERN_PLACE_FLOW) {
        struct tern_message_flow *flow = tern_sending_channel(m, s)->flows[s->level];
        flow->deficit -= (int64_t)bytes;
        flow->is_back = false;
    }
    uint64_t sum = level->weight + (s->level < m->stuck ? level->parked_weight : 0);
    uint64_t weight = TERN_MAX(sum, (uint64_t)1);
    uint64_t due = ((uint64_t)bytes * TERN_SENDING_WEIGHT << FINE) / weight;
    level->streams = TERN_MIN(level->streams + (int64_t)due, STREAMS);
}

bool tern_msgout_yields(const struct tern_msgout *m, unsigned priority)
{
    return m->levels[priority].streams > 0;
}

void tern_msgout_on_stream_bytes(struct tern_msgout *m, unsigned priority, size_t bytes)
{
    struct tern_message_level *level = &m->levels[priority];
    level->streams = TERN_MAX(level->streams - (int64_t)((uint64_t)bytes << FINE), -STREAMS);
}
