/* What becomes of a message that left: acknowledged, lost, given up and skipped, and who is told.
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

/* --- outcomes ----------------------------------------------------------------------------------- */

static void grow_outcomes(struct tern_msgout *m, struct tern_sending_outcome *grown,
                          size_t capacity)
{
    for (size_t i = 0; i < m->outcomes_count; i++) {
        grown[i] = m->outcomes[(m->outcomes_first + i) & (m->outcomes_capacity - 1)];
    }
    if (m->outcomes != NULL) {
        tern_slab_give(m->slab, m->outcomes, m->outcomes_capacity * sizeof *m->outcomes);
    }
    m->outcomes = grown;
    m->outcomes_capacity = capacity;
    m->outcomes_first = 0;
}

/* Who ends a message cannot fail, so the place for its outcome is made when it is sent. */
int tern_outcomes_promise(struct tern_msgout *m)
{
    if (m->outcomes_promised == m->outcomes_capacity) {
        size_t capacity = TERN_MAX(2 * m->outcomes_capacity, (size_t)16);
        if (capacity > TERN_OUTCOMES_MAX) {
            return TERN_ERR_NOMEM;
        }
        struct tern_sending_outcome *grown = tern_slab_take(m->slab, capacity * sizeof *grown);
        if (grown == NULL) {
            return TERN_ERR_NOMEM;
        }
        grow_outcomes(m, grown, capacity);
    }
    m->outcomes_promised++;
    return 0;
}

void tern_outcomes_push(struct tern_msgout *m, uint64_t tag, tern_outcome outcome)
{
    tern_assert(m->outcomes_count < m->outcomes_promised);
    size_t at = (m->outcomes_first + m->outcomes_count++) & (m->outcomes_capacity - 1);
    m->outcomes[at] = (struct tern_sending_outcome){tag, outcome};
}

bool tern_msgout_next_outcome(struct tern_msgout *m, uint64_t *tag, tern_outcome *outcome)
{
    if (m->outcomes_count == 0) {
        return false;
    }
    *tag = m->outcomes[m->outcomes_first].tag;
    *outcome = m->outcomes[m->outcomes_first].outcome;
    m->outcomes_first = (m->outcomes_first + 1) & (m->outcomes_capacity - 1);
    m->outcomes_count--;
    m->outcomes_promised--;
    return true;
}

bool tern_msgout_has_outcome(const struct tern_msgout *m)
{
    return m->outcomes_count > 0;
}

/* --- the dead, for those that depend on them ---------------------------------------------------- */

bool tern_channel_is_dead(const struct tern_channel *c, uint64_t tag)
{
    for (size_t i = 0; i < c->dead_count; i++) {
        if (c->dead[i] == tag) {
            return true;
        }
    }
    return false;
}

void tern_channel_bury(struct tern_channel *c, uint64_t tag)
{
    if (!tern_channel_is_dead(c, tag)) {
        c->dead[c->dead_next] = tag;
        c->dead_next = (c->dead_next + 1) % TERN_CHANNEL_DEAD;
        c->dead_count = TERN_MIN(c->dead_count + 1, (uint32_t)TERN_CHANNEL_DEAD);
    }
}

void tern_channel_revive(struct tern_channel *c, uint64_t tag)
{
    uint32_t kept = 0;
    uint64_t left[TERN_CHANNEL_DEAD];
    if (!tern_channel_is_dead(c, tag)) {
        return;
    }
    for (uint32_t i = 0; i < c->dead_count; i++) { /* from the oldest on */
        uint32_t oldest = (c->dead_next + TERN_CHANNEL_DEAD - c->dead_count) % TERN_CHANNEL_DEAD;
        uint64_t other = c->dead[(oldest + i) % TERN_CHANNEL_DEAD];
        if (other != tag) {
            left[kept++] = other;
        }
    }
    memcpy(c->dead, left, kept * sizeof left[0]);
    c->dead_count = kept;
    c->dead_next = kept % TERN_CHANNEL_DEAD;
}

/* --- the end of a message ----------------------------------------------------------------------- */

/* Out of everything, and freed. What is left of it is in its lane. */
static void erase_message(struct tern_msgout *m, struct tern_message_sending *s)
{
    struct tern_channel *c = tern_sending_channel(m, s);
    if (s->place != TERN_PLACE_NONE) {
        tern_msgqueue_drop(m, s);
    }
    if (!s->is_started) {
        tern_msgqueue_start(m, s);
    }
    if (s->has_expiry) {
        tern_heap_release(&m->expiries, tern_sending_expiry(s));
    }
    if (s->has_depends) {
        tern_list_drop(&tern_sending_depends(s)->link);
    }
    if (c->latest == s) {
        c->latest = NULL;
    }
    m->held -= tern_message_cost(s->len);
    tern_sending_free(m, s);
}

static void owe_skip(struct tern_msgout *m, struct tern_lane_ring *r, uint64_t number)
{
    *tern_lane_slot(r, number) &= ~(uintptr_t)2;
    r->owed_from = r->owed > 0 ? TERN_MIN(r->owed_from, number) : number;
    r->owed++;
    if (!tern_list_is_linked(&r->owing)) {
        tern_list_push_back(&m->owing, &r->owing);
    }
}

/* The number stays behind, for [P §16.4]. */
static void leave_number(struct tern_msgout *m, const struct tern_message_sending *s)
{
    struct tern_lane_ring *r = &tern_sending_channel(m, s)->lanes[s->lane];
    uint64_t number = s->as.sent.number;
    if (s->lane == TERN_LANE_LATEST) {
        *tern_lane_slot(r, number) = 0;
        tern_lane_settle(r);
        return;
    }
    uint64_t cost = s->uses_credit ? tern_message_cost(s->len) : 0;
    *tern_lane_slot(r, number) = (uintptr_t)cost << 2 | 1;
    owe_skip(m, r, number);
}

static void tell_outcome(struct tern_msgout *m, const struct tern_message_sending *s,
                         tern_outcome outcome)
{
    m->counters.acked += outcome == TERN_OUTCOME_ACKED;
    m->counters.expired += outcome == TERN_OUTCOME_EXPIRED;
    m->counters.lost += outcome == TERN_OUTCOME_LOST;
    if (s->wants_outcome) {
        tern_outcomes_push(m, s->tag, outcome);
    }
}

int tern_dependents_need(struct tern_msgout *m)
{
    if (m->dependents == NULL) {
        m->dependents = tern_slab_take(m->slab, TERN_DEPENDENTS * sizeof *m->dependents);
        for (size_t i = 0; m->dependents != NULL && i < TERN_DEPENDENTS; i++) {
            tern_list_init(&m->dependents[i]);
        }
    }
    return m->dependents == NULL ? TERN_ERR_NOMEM : 0;
}

/* Tags are the application's own: no one else chooses which of them meet in a list. */
struct tern_list *tern_dependents_of(const struct tern_msgout *m, uint32_t channel, uint64_t tag)
{
    uint64_t mixed = (tag ^ (uint64_t)channel << 48) * UINT64_C(0x9e3779b97f4a7c15);
    return &m->dependents[mixed >> 52 & (TERN_DEPENDENTS - 1)];
}

/* Those that depend on a dead tag wait in `doomed` for their turn to be ended: no recursion. */
static void doom_dependents(struct tern_msgout *m, const struct tern_channel *c, uint64_t tag)
{
    struct tern_list *node, *following;
    if (m->dependents == NULL) {
        return;
    }
    TERN_LIST_EACH(node, following, tern_dependents_of(m, c->id, tag))
    {
        const struct tern_sending_depends *d =
            TERN_CONTAINER_OF(node, struct tern_sending_depends, link);
        if (d->tag == tag && tern_sending_of_depends(node)->channel == c->id) {
            tern_list_drop(node);
            tern_list_push_back(&m->doomed, node);
        }
    }
}

static void end_one(struct tern_msgout *m, struct tern_message_sending *s, tern_outcome outcome)
{
    struct tern_channel *c = tern_sending_channel(m, s);
    uint64_t tag = s->tag;
    tell_outcome(m, s, outcome);
    if (s->is_started) {
        leave_number(m, s);
    }
    erase_message(m, s);
    tern_channel_bury(c, tag);
    doom_dependents(m, c, tag);
}

void tern_sending_give_up(struct tern_msgout *m, struct tern_message_sending *s,
                          tern_outcome outcome)
{
    end_one(m, s, outcome);
    while (!tern_list_is_empty(&m->doomed)) {
        end_one(m, tern_sending_of_depends(m->doomed.next), TERN_OUTCOME_EXPIRED);
    }
}

void tern_sending_refuse(struct tern_msgout *m, struct tern_message_sending *s,
                         tern_outcome outcome)
{
    tell_outcome(m, s, outcome);
    tern_channel_bury(tern_sending_channel(m, s), s->tag);
    if (s->has_expiry) {
        tern_heap_release(&m->expiries, tern_sending_expiry(s));
    }
    tern_sending_free(m, s);
}

void tern_sending_cancel(struct tern_msgout *m, struct tern_message_sending *s)
{
    m->outcomes_promised -= s->wants_outcome ? 1 : 0;
    if (s->is_started) {
        leave_number(m, s);
    }
    erase_message(m, s);
}

/* --- receipts ----------------------------------------------------------------------------------- */

static struct tern_lane_ring *ring_of(const struct tern_msgout *m, uint32_t channel,
                                      enum tern_lane lane)
{
    struct tern_channel *c = tern_channel_find(m, channel);
    tern_assert(c != NULL); /* a channel stays as long as the connection does */
    return &c->lanes[lane];
}

/* NULL: it is gone. */
static struct tern_message_sending *find_message(const struct tern_msgout *m,
                                                 const struct tern_message_part *part)
{
    const struct tern_channel *c = tern_channel_find(m, part->channel);
    if (c == NULL || !tern_lane_holds(&c->lanes[part->lane], part->number)) {
        return NULL;
    }
    return tern_lane_message(*tern_lane_slot(&c->lanes[part->lane], part->number));
}

void tern_msgout_on_acked(struct tern_msgout *m, const struct tern_message_part *part)
{
    struct tern_message_sending *s = find_message(m, part);
    if (s == NULL) {
        return;
    }
    if (s->is_long) {
        struct tern_sending_parts *p = tern_sending_parts(s);
        if (!tern_parts_on_acked(p, s->len, part->offset, part->offset + part->len)) {
            if (p->lost == 0 && s->place == TERN_PLACE_AGAIN) {
                tern_msgqueue_drop(m, s);
            }
            return;
        }
    }
    struct tern_lane_ring *r = ring_of(m, part->channel, part->lane);
    tell_outcome(m, s, TERN_OUTCOME_ACKED);
    *tern_lane_slot(r, part->number) = 0;
    erase_message(m, s);
    tern_lane_settle(r);
}

/* A newer one of its channel was sent, or waits. */
bool tern_sending_is_superseded(const struct tern_msgout *m, const struct tern_message_sending *s)
{
    return s->lane == TERN_LANE_LATEST && tern_sending_channel(m, s)->latest != s;
}

/* What becomes of one of which something was lost: may it be sent again? */
static bool may_repeat(const struct tern_message_sending *s)
{
    return s->reliability != TERN_UNRELIABLE &&
           (s->reliability != TERN_LIMITED || s->retransmits > 0);
}

static void use_up(struct tern_message_sending *s)
{
    if (s->reliability == TERN_LIMITED) {
        s->retransmits--;
    }
}

void tern_sending_queue_again(struct tern_msgout *m, struct tern_message_sending *s)
{
    if (s->place == TERN_PLACE_COPIES) {
        tern_msgqueue_drop(m, s);
    }
    if (s->place == TERN_PLACE_NONE) {
        tern_msgqueue_push_again(m, s);
    }
}

static void on_whole_lost(struct tern_msgout *m, struct tern_message_sending *s)
{
    tern_assert(s->as.sent.in_flight > 0);
    if (--s->as.sent.in_flight > 0 || s->place == TERN_PLACE_AGAIN) {
        return;
    }
    if (s->place == TERN_PLACE_TWICE) { /* the second time is of the same round */
        tern_msgqueue_insist(m, s);
        return;
    }
    if (!may_repeat(s)) {
        tern_sending_give_up(m, s, TERN_OUTCOME_LOST);
        return;
    }
    use_up(s);
    s->insists = s->len <= m->longest;
    tern_sending_queue_again(m, s);
}

/* A limited one has so many rounds in which each part may be sent again. */
static void on_part_lost(struct tern_msgout *m, struct tern_message_sending *s,
                         const struct tern_message_part *part, tern_time now)
{
    struct tern_sending_parts *p = tern_sending_parts(s);
    if (!tern_parts_on_lost(p, s->len, part->offset, part->offset + part->len)) {
        return;
    }
    if (!may_repeat(s) || (s->reliability == TERN_LIMITED && p->rounds > s->retransmits)) {
        tern_sending_give_up(m, s, TERN_OUTCOME_LOST);
        return;
    }
    tern_sending_queue_again(m, s);
    tern_urge_plan(m, s, now);
}

void tern_msgout_on_lost(struct tern_msgout *m, const struct tern_message_part *part, tern_time now)
{
    struct tern_message_sending *s = find_message(m, part);
    if (s == NULL) {
        return;
    }
    bool is_late = s->has_expiry && tern_urge_expiry(s) <= now;
    if (is_late ||
        (tern_sending_is_superseded(m, s) && (s->is_long || s->as.sent.in_flight == 1))) {
        tern_sending_give_up(m, s, TERN_OUTCOME_EXPIRED);
    } else if (s->is_long) {
        on_part_lost(m, s, part, now);
    } else {
        on_whole_lost(m, s);
    }
}

void tern_msgout_repeat(struct tern_msgout *m, const struct tern_message_part *part)
{
    struct tern_message_sending *s = find_message(m, part);
    bool is_due = s != NULL && (s->place == TERN_PLACE_AGAIN || s->place == TERN_PLACE_TWICE);
    if (s == NULL || is_due || !may_repeat(s) || tern_sending_is_superseded(m, s)) {
        return;
    }
    if (s->is_long) {
        struct tern_sending_parts *p = tern_sending_parts(s);
        tern_parts_repeat(p, s->len, part->offset, part->offset + part->len);
        if (p->lost == 0) {
            return;
        }
    } else {
        use_up(s);
    }
    tern_sending_queue_again(m, s);
}

/* The oldest of a lane that are on their way. Returns the room that is left. */
static size_t repeat_lane(struct tern_msgout *m, const struct tern_lane_ring *r, size_t room)
{
    for (uint64_t number = r->base; number < r->next; number++) {
        struct tern_message_sending *s = tern_lane_message(*tern_lane_slot(r, number));
        if (s == NULL || s->is_long || s->reliability != TERN_RELIABLE ||
            tern_sending_is_superseded(m, s)) {
            continue;
        }
        if (s->len + TERN_MESSAGE_EXTRA > room) {
            break;
        }
        room -= s->len + TERN_MESSAGE_EXTRA;
        if (s->place != TERN_PLACE_AGAIN && s->place != TERN_PLACE_TWICE) {
            tern_sending_queue_again(m, s);
        }
    }
    return room;
}

void tern_msgout_repeat_small(struct tern_msgout *m, size_t room)
{
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, &m->channels)
    {
        const struct tern_channel *c = TERN_CONTAINER_OF(node, struct tern_channel, link);
        for (size_t i = 0; i < TERN_LANES; i++) {
            room = repeat_lane(m, &c->lanes[i], room);
        }
    }
}

/* --- skips -------------------------------------------------------------------------------------- */

static bool is_owed(uintptr_t slot)
{
    return (slot & 3) == 1;
}

static void pay_back(struct tern_lane_ring *r, uint64_t count)
{
    r->owed -= count;
    if (r->owed == 0) {
        tern_list_drop(&r->owing);
    }
}

bool tern_msgout_next_skip(struct tern_msgout *m, struct tern_message_skip *out)
{
    if (tern_list_is_empty(&m->owing)) {
        return false;
    }
    struct tern_list *first = m->owing.next;
    struct tern_lane_ring *r = TERN_CONTAINER_OF(first, struct tern_lane_ring, owing);
    r->owed_from = TERN_MAX(r->owed_from, r->base);
    while (!is_owed(*tern_lane_slot(r, r->owed_from))) {
        r->owed_from++;
    }
    uintptr_t slot = *tern_lane_slot(r, r->owed_from);
    uint64_t end = r->owed_from + 1;
    while (end != r->next && *tern_lane_slot(r, end) == slot) {
        end++;
    }
    out->channel = r->channel;
    out->lane = (enum tern_lane)r->lane;
    out->first = r->owed_from;
    out->count = end - out->first;
    out->cost = slot >> 2;
    return true;
}

void tern_msgout_on_skip_sent(struct tern_msgout *m, const struct tern_message_skip *skip)
{
    struct tern_lane_ring *r = ring_of(m, skip->channel, skip->lane);
    for (uint64_t n = skip->first; n != skip->first + skip->count; n++) {
        *tern_lane_slot(r, n) |= 2;
    }
    r->owed_from = skip->first + skip->count;
    pay_back(r, skip->count);
}

void tern_msgout_on_skip_acked(struct tern_msgout *m, const struct tern_message_skip *skip)
{
    struct tern_lane_ring *r = ring_of(m, skip->channel, skip->lane);
    uint64_t end = TERN_MIN(skip->first + skip->count, r->next), owed = 0;
    for (uint64_t n = TERN_MAX(skip->first, r->base); n < end; n++) {
        uintptr_t *slot = tern_lane_slot(r, n);
        if ((*slot & 1) != 0) {
            owed += is_owed(*slot) ? 1 : 0;
            *slot = 0;
        }
    }
    if (owed > 0) {
        pay_back(r, owed);
    }
    tern_lane_settle(r);
}

void tern_msgout_on_skip_lost(struct tern_msgout *m, const struct tern_message_skip *skip)
{
    struct tern_lane_ring *r = ring_of(m, skip->channel, skip->lane);
    uint64_t end = TERN_MIN(skip->first + skip->count, r->next);
    for (uint64_t n = TERN_MAX(skip->first, r->base); n < end; n++) {
        if ((*tern_lane_slot(r, n) & 3) == 3) {
            owe_skip(m, r, n);
        }
    }
}
