/* The sending half of messages against a flat model with arrays, in random histories; and its memory.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "stream/message_state.h"
#include "unit/stream/message_kit.h"

#define CHANNELS 4
#define MESSAGES 1500
#define LEN_MAX  4096
#define GRAINS   (LEN_MAX / 16)
#define FLIGHTS  20000
#define LONGEST  120 /* what is copied, and sent in two packets once it was lost */

/* --- the model ---------------------------------------------------------------------------------- */

struct ref {
    bool is_alive, is_started, is_queued;
    bool insists, is_twice; /* lost: the next time is two; the second of them is owed */
    tern_send_options o;
    size_t len;
    uint64_t number;
    unsigned level, in_flight, left;
    tern_time expires;
    uint8_t sent[GRAINS], acked[GRAINS], wanted[GRAINS], flying[GRAINS];
};

struct flight {
    int message; /* -1: a skip */
    bool was_lost;
    struct tern_message_part part;
    struct tern_message_skip skip;
};

struct model {
    struct kit_out k;
    uint64_t seed, buffer, held, credit, used, limit;
    tern_time now;
    int count, flights, told;
    struct ref refs[MESSAGES];
    struct flight flight[FLIGHTS];
    uint64_t next[CHANNELS][TERN_LANES];
    /* 0 nothing, 1 a message holds it, 2 a skip is owed, 3 it is said, 4 over */
    uint8_t numbers[CHANNELS][TERN_LANES][MESSAGES];
    uint64_t costs[CHANNELS][TERN_LANES][MESSAGES];
    int newest[CHANNELS];
    uint64_t dead[CHANNELS][16];
    size_t dead_count[CHANNELS];
    int due[64][3]; /* outcomes that must come, by tag */
};

static enum tern_lane lane_of(const struct ref *r)
{
    return r->o.order == TERN_ORDERED     ? TERN_LANE_ORDERED
           : r->o.order == TERN_UNORDERED ? TERN_LANE_UNORDERED
                                          : TERN_LANE_LATEST;
}

static bool is_long(const struct ref *r)
{
    return r->len > 1024;
}

static size_t grains(const struct ref *r)
{
    return (r->len + 15) / 16;
}

static bool has_credit_bit(const struct ref *r)
{
    bool is_kept = r->o.reliability == TERN_RELIABLE || r->o.reliability == TERN_UNTIL_DEADLINE;
    return r->o.order == TERN_ORDERED || (r->o.order == TERN_UNORDERED && is_kept);
}

static void forget_dead(struct model *m, uint32_t channel, uint64_t tag)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->dead_count[channel]; i++) {
        if (m->dead[channel][i] != tag) {
            m->dead[channel][kept++] = m->dead[channel][i];
        }
    }
    m->dead_count[channel] = kept;
}

static bool is_dead(const struct model *m, uint32_t channel, uint64_t tag)
{
    for (size_t i = 0; i < m->dead_count[channel]; i++) {
        if (m->dead[channel][i] == tag) {
            return true;
        }
    }
    return false;
}

static void remember_dead(struct model *m, uint32_t channel, uint64_t tag)
{
    if (is_dead(m, channel, tag)) {
        return;
    }
    if (m->dead_count[channel] == 16) {
        forget_dead(m, channel, m->dead[channel][0]);
    }
    m->dead[channel][m->dead_count[channel]++] = tag;
}

static void vanish(struct model *m, struct ref *r)
{
    r->is_alive = false;
    m->held -= r->len + 64;
    if (r->is_started) {
        bool is_skipped = lane_of(r) != TERN_LANE_LATEST;
        m->numbers[r->o.channel][lane_of(r)][r->number] = is_skipped ? 2 : 4;
        m->costs[r->o.channel][lane_of(r)][r->number] = has_credit_bit(r) ? r->len + 64 : 0;
    }
    if (m->newest[r->o.channel] == (int)(r - m->refs)) {
        m->newest[r->o.channel] = -1;
    }
}

static void die(struct model *m, struct ref *first, tern_outcome outcome)
{
    struct ref *queue[MESSAGES];
    size_t head = 0, tail = 0;
    queue[tail++] = first;
    while (head < tail) {
        struct ref *r = queue[head];
        m->due[r->o.tag][head == 0 ? outcome : TERN_OUTCOME_EXPIRED]++;
        vanish(m, r);
        remember_dead(m, r->o.channel, r->o.tag);
        for (int i = 0; i < m->count; i++) {
            struct ref *other = &m->refs[i];
            bool is_queued = false;
            for (size_t j = head; j < tail; j++) {
                is_queued |= queue[j] == other;
            }
            if (other->is_alive && !is_queued && other->o.has_depends &&
                other->o.channel == r->o.channel && other->o.depends == r->o.tag) {
                queue[tail++] = other;
            }
        }
        head++;
    }
}

/* --- comparing ---------------------------------------------------------------------------------- */

static void take_outcomes(struct model *m)
{
    uint64_t tag = 0;
    tern_outcome outcome = TERN_OUTCOME_ACKED;
    while (tern_msgout_next_outcome(m->k.m, &tag, &outcome)) {
        m->due[tag][outcome]--;
    }
    for (size_t i = 0; i < 64; i++) {
        assert_true(m->due[i][0] == 0 && m->due[i][1] == 0 && m->due[i][2] == 0);
    }
}

/* --- what happens ------------------------------------------------------------------------------- */

static size_t random_len(struct model *m, const tern_send_options *o)
{
    size_t len = 4 + kit_below(&m->seed, 200);
    bool may_be_long = o->reliability != TERN_LIMITED;
    return may_be_long && kit_below(&m->seed, 6) == 0 ? 4 + kit_below(&m->seed, LEN_MAX - 3) : len;
}

static tern_send_options random_options(struct model *m)
{
    tern_send_options o =
        kit_options((tern_reliability)kit_below(&m->seed, 4), (tern_order)kit_below(&m->seed, 3),
                    (uint32_t)kit_below(&m->seed, CHANNELS));
    o.priority = (unsigned)kit_below(&m->seed, 8);
    o.retransmits = (unsigned)kit_below(&m->seed, 3);
    bool is_timed = o.reliability == TERN_UNTIL_DEADLINE || kit_below(&m->seed, 8) == 0;
    o.lifetime = is_timed ? 1 + kit_below(&m->seed, 300) : 0;
    o.tag = kit_below(&m->seed, 64);
    o.has_depends = kit_below(&m->seed, 8) == 0;
    o.depends = kit_below(&m->seed, 64);
    return o;
}

static bool is_full(const struct model *m, uint64_t held, uint64_t cost)
{
    return held > 0 && held + cost > m->buffer;
}

/* Pushes out as the header says. False: the new one is dropped. */
static bool model_room(struct model *m, unsigned priority, uint64_t cost)
{
    uint64_t gain = 0;
    for (int i = 0; i < m->count; i++) {
        const struct ref *r = &m->refs[i];
        bool may_go = r->is_alive && !r->is_started && r->o.reliability == TERN_UNRELIABLE;
        gain += may_go && r->level >= priority ? r->len + 64 : 0;
    }
    if (is_full(m, m->held - gain, cost)) {
        return false;
    }
    for (unsigned level = 8; level-- > priority;) {
        for (int i = 0; i < m->count; i++) {
            struct ref *r = &m->refs[i];
            if (r->is_alive && !r->is_started && r->o.reliability == TERN_UNRELIABLE &&
                r->level == level && is_full(m, m->held, cost)) {
                die(m, r, TERN_OUTCOME_LOST);
            }
        }
    }
    return true;
}

static void model_accept(struct model *m, struct ref *r, struct ref *older)
{
    tern_send_options *o = &r->o;
    bool is_orphan = o->has_depends && is_dead(m, o->channel, o->depends);
    bool has_room = true;
    if (!is_orphan) {
        if (older != NULL) {
            die(m, older, TERN_OUTCOME_EXPIRED);
        }
        has_room = !is_full(m, m->held, r->len + 64) || model_room(m, o->priority, r->len + 64);
        is_orphan = o->has_depends && is_dead(m, o->channel, o->depends);
    }
    if (is_orphan || !has_room) {
        m->due[o->tag][is_orphan ? TERN_OUTCOME_EXPIRED : TERN_OUTCOME_LOST]++;
        remember_dead(m, o->channel, o->tag);
        return;
    }
    forget_dead(m, o->channel, o->tag);
    m->held += r->len + 64;
    r->is_alive = r->is_queued = true;
    if (o->order == TERN_LATEST) {
        if (m->newest[o->channel] >= 0) {
            m->refs[m->newest[o->channel]].is_twice = false;
        }
        m->newest[o->channel] = (int)(r - m->refs);
    }
}

static bool is_unsent(const struct ref *r)
{
    return r->is_alive && (!r->is_started || (is_long(r) && r->sent[grains(r) - 1] == 0));
}

static unsigned level_for(const struct model *m, const struct ref *r)
{
    unsigned level = r->o.priority;
    for (int i = 0; i < m->count && r->o.order == TERN_ORDERED; i++) {
        const struct ref *other = &m->refs[i];
        if (other->o.order == TERN_ORDERED && other->o.channel == r->o.channel &&
            is_unsent(other)) {
            level = TERN_MAX(level, other->level);
        }
    }
    return level;
}

static bool wants_any(const struct ref *r)
{
    bool wants = r->is_queued;
    for (size_t i = 0; i < grains(r) && is_long(r); i++) {
        wants |= r->wanted[i] != 0 || r->sent[i] == 0;
    }
    return r->is_alive && wants;
}

static void do_send(struct model *m)
{
    if (m->count == MESSAGES) {
        return;
    }
    struct ref *r = &m->refs[m->count];
    uint8_t data[LEN_MAX + 4];
    memset(r, 0, sizeof *r);
    r->o = random_options(m);
    r->len = random_len(m, &r->o);
    r->left = r->o.retransmits;
    for (int i = 0; i < m->count && r->o.lifetime > 0;
         i++) { /* no two at once: who dies first matters */
        if (m->refs[i].is_alive && m->refs[i].expires == m->now + r->o.lifetime) {
            r->o.lifetime++;
            i = -1;
        }
    }
    r->expires = r->o.lifetime > 0 ? m->now + r->o.lifetime : TERN_TIME_NEVER;
    r->level = level_for(m, r);
    kit_fill(data, (uint64_t)m->count, 0, r->len);
    memcpy(data, &m->count, sizeof m->count);
    int newest = r->o.order == TERN_LATEST ? m->newest[r->o.channel] : -1;
    struct ref *older = newest >= 0 && wants_any(&m->refs[newest]) ? &m->refs[newest] : NULL;
    uint64_t spare = older != NULL ? older->len + 64 : 0;
    bool is_again = r->o.reliability != TERN_UNRELIABLE && is_full(m, m->held - spare, r->len + 64);
    int rc = tern_msgout_send(m->k.m, data, r->len, NULL, NULL, &r->o, m->now);
    assert_int_equal(rc, is_again ? TERN_ERR_AGAIN : 0);
    if (rc == 0) {
        m->count++;
        model_accept(m, r, older);
    }
}

static int message_of(struct model *m, const struct tern_msgout_chunk *c)
{
    for (int i = 0; i < m->count; i++) {
        struct ref *r = &m->refs[i];
        if (r->is_alive && r->is_started && r->o.channel == c->part.channel &&
            lane_of(r) == c->part.lane && r->number == c->part.number) {
            return i;
        }
    }
    int index = -1;
    assert_int_equal(c->part.offset, 0);
    memcpy(&index, c->data, sizeof index);
    assert_in_range(index, 0, m->count - 1);
    struct ref *r = &m->refs[index];
    assert_true(r->is_alive && !r->is_started);
    assert_int_equal(m->next[r->o.channel][lane_of(r)], c->part.number);
    for (int i = 0; i < index; i++) { /* first in, first out */
        const struct ref *o = &m->refs[i];
        assert_false(r->o.order == TERN_ORDERED && o->o.order == TERN_ORDERED &&
                     o->o.channel == r->o.channel && is_unsent(o));
    }
    return index;
}

static bool could_leave(const struct model *m, const struct ref *r)
{
    bool has_credit = r->is_started || !has_credit_bit(r) || m->used + r->len + 64 <= m->limit;
    return wants_any(r) && has_credit;
}

static void check_top(struct model *m, unsigned level)
{
    for (int i = 0; i < m->count; i++) {
        const struct ref *r = &m->refs[i];
        bool waits = has_credit_bit(r) && !r->is_started; /* perhaps behind one that lacks credit */
        assert_false(could_leave(m, r) && !waits && r->level < level);
    }
}

static void model_sent(struct model *m, int index, const struct tern_msgout_chunk *c)
{
    struct ref *r = &m->refs[index];
    assert_int_equal(c->part.total, r->len);
    assert_int_equal(c->part.uses_credit, has_credit_bit(r));
    if (!r->is_started) {
        r->is_started = true;
        r->number = m->next[r->o.channel][lane_of(r)]++;
        m->numbers[r->o.channel][lane_of(r)][r->number] = 1;
        m->used += has_credit_bit(r) ? r->len + 64 : 0;
        assert_true(!has_credit_bit(r) || m->used <= m->limit);
    }
    if (!is_long(r)) {
        assert_true(r->is_queued != c->is_copy);
        r->is_queued = false;
        r->is_twice = r->insists;
        r->insists = false;
        r->in_flight++;
    }
    for (size_t i = c->part.offset / 16; i < (c->part.offset + c->part.len + 15) / 16 && is_long(r);
         i++) {
        assert_true(r->acked[i] == 0 && (r->sent[i] == 0 || r->wanted[i] != 0));
        r->sent[i] = 1;
        r->wanted[i] = 0;
        r->flying[i]++;
    }
    r->is_queued = r->is_queued && !is_long(r);
    assert_true(m->flights < FLIGHTS);
    m->flight[m->flights++] = (struct flight){.message = index, .part = c->part};
}

static void do_packet(struct model *m)
{
    struct tern_msgout_chunk c;
    size_t room = 60 + kit_below(&m->seed, 1200);
    tern_msgout_expire(m->k.m, m->now);
    tern_msgout_begin_packet(m->k.m);
    for (int i = 0; i < m->count; i++) {
        m->refs[i].is_queued |= m->refs[i].is_alive && m->refs[i].is_twice;
        m->refs[i].is_twice = false;
    }
    for (;;) {
        unsigned top = tern_msgout_top(m->k.m);
        check_top(m, top);
        if (!tern_msgout_next(m->k.m, room, KIT_FULL, &c)) {
            break;
        }
        int index = message_of(m, &c);
        assert_int_equal(c.priority, top);
        assert_int_equal(m->refs[index].level, top);
        assert_true(c.part.len + 4 <= room);
        size_t from = TERN_MAX(4, c.part.offset);
        for (size_t i = from; i < c.part.offset + c.part.len; i++) {
            assert_int_equal(c.data[i - c.part.offset], kit_byte((uint64_t)index, i));
        }
        model_sent(m, index, &c);
        tern_msgout_on_sent(m->k.m, &c, m->now);
        room -= c.part.len + 4;
    }
    while (tern_msgout_next_copy(m->k.m, room, &c)) {
        int index = message_of(m, &c);
        assert_true(m->refs[index].in_flight > 0 && m->refs[index].len <= LONGEST);
        model_sent(m, index, &c);
        tern_msgout_on_sent(m->k.m, &c, m->now);
        room -= c.part.len + 4;
    }
}

static void do_skips(struct model *m)
{
    struct tern_message_skip s;
    while (tern_msgout_next_skip(m->k.m, &s)) {
        for (uint64_t n = s.first; n < s.first + s.count; n++) {
            assert_int_equal(m->numbers[s.channel][s.lane][n], 2);
            assert_int_equal(m->costs[s.channel][s.lane][n], s.cost);
            m->numbers[s.channel][s.lane][n] = 3;
        }
        tern_msgout_on_skip_sent(m->k.m, &s);
        assert_true(m->flights < FLIGHTS);
        m->flight[m->flights++] = (struct flight){.message = -1, .skip = s};
    }
}

static void model_acked(struct model *m, struct flight *f)
{
    struct ref *r = &m->refs[f->message];
    size_t left = 0;
    if (!r->is_alive) {
        return;
    }
    for (size_t i = 0; i < grains(r) && is_long(r); i++) {
        bool is_in = i >= f->part.offset / 16 && i * 16 < f->part.offset + f->part.len;
        r->acked[i] |= is_in;
        r->wanted[i] = is_in ? 0 : r->wanted[i];
        left += r->acked[i] == 0;
    }
    if (left == 0) {
        vanish(m, r);
        m->numbers[r->o.channel][lane_of(r)][r->number] = 4;
        m->due[r->o.tag][TERN_OUTCOME_ACKED]++;
    }
}

static bool may_repeat(const struct ref *r)
{
    return r->o.reliability != TERN_UNRELIABLE && (r->o.reliability != TERN_LIMITED || r->left > 0);
}

static void model_lost(struct model *m, struct flight *f)
{
    struct ref *r = &m->refs[f->message];
    bool is_old = r->o.order == TERN_LATEST && m->newest[r->o.channel] != f->message;
    bool is_news = false;
    if (!r->is_alive) {
        return;
    }
    if (r->expires <= m->now) {
        die(m, r, TERN_OUTCOME_EXPIRED);
        return;
    }
    for (size_t i = f->part.offset / 16; is_long(r) && i * 16 < f->part.offset + f->part.len; i++) {
        if (--r->flying[i] == 0 && r->acked[i] == 0 && r->wanted[i] == 0) {
            r->wanted[i] = 1;
            is_news = true;
        }
    }
    is_news |= !is_long(r) && --r->in_flight == 0 && !r->is_queued;
    if (is_news && r->is_twice) { /* no round of its own */
        r->is_twice = false;
        r->is_queued = true;
        return;
    }
    if (is_old && (is_news || is_long(r))) {
        die(m, r, TERN_OUTCOME_EXPIRED);
    } else if (is_news && !may_repeat(r)) {
        die(m, r, TERN_OUTCOME_LOST);
    } else if (is_news && !is_long(r)) {
        r->is_queued = true;
        r->insists = r->len <= LONGEST;
        r->left -= r->o.reliability == TERN_LIMITED;
    }
}

static void skip_over(struct model *m, const struct tern_message_skip *s, bool is_acked)
{
    for (uint64_t n = s->first; n < s->first + s->count; n++) {
        uint8_t *state = &m->numbers[s->channel][s->lane][n];
        if (is_acked) {
            *state = 4;
        } else if (*state == 3) {
            *state = 2;
        }
    }
}

/* What becomes of one transmission. Lost ones stay for a while: their receipt may come late. */
static void do_receipt(struct model *m, unsigned loss)
{
    if (m->flights == 0) {
        return;
    }
    size_t at = kit_below(&m->seed, (uint64_t)m->flights);
    struct flight f = m->flight[at];
    bool is_lost = !f.was_lost && kit_below(&m->seed, 100) < loss;
    m->flight[at] = m->flight[--m->flights];
    if (f.was_lost && kit_below(&m->seed, 3) != 0) {
        return;
    }
    if (f.message < 0 && is_lost) {
        tern_msgout_on_skip_lost(m->k.m, &f.skip);
        skip_over(m, &f.skip, false);
    } else if (f.message < 0) {
        tern_msgout_on_skip_acked(m->k.m, &f.skip);
        skip_over(m, &f.skip, true);
    } else if (is_lost) {
        model_lost(m, &f);
        tern_msgout_on_lost(m->k.m, &f.part, m->now);
    } else {
        model_acked(m, &f);
        tern_msgout_on_acked(m->k.m, &f.part);
    }
    if (is_lost) {
        f.was_lost = true;
        m->flight[m->flights++] = f;
    }
}

static void do_repeat(struct model *m)
{
    if (m->flights == 0) {
        return;
    }
    struct flight *f = &m->flight[kit_below(&m->seed, (uint64_t)m->flights)];
    struct ref *r = f->message < 0 ? NULL : &m->refs[f->message];
    if (r == NULL || !r->is_alive || f->was_lost || !may_repeat(r) ||
        (r->o.order == TERN_LATEST && m->newest[r->o.channel] != f->message)) {
        return;
    }
    if (is_long(r)) {
        bool is_partial = wants_any(r) && r->sent[grains(r) - 1] != 0; /* queued again already */
        for (size_t i = f->part.offset / 16; i * 16 < f->part.offset + f->part.len; i++) {
            if (is_partial || r->flying[i] != 1) {
                return; /* the third is not told from the second: [message_parts.c] */
            }
        }
        for (size_t i = f->part.offset / 16; i * 16 < f->part.offset + f->part.len; i++) {
            r->wanted[i] = r->acked[i] == 0;
        }
    } else if (!r->is_queued && !r->is_twice) {
        r->is_queued = true;
        r->left -= r->o.reliability == TERN_LIMITED;
    }
    tern_msgout_repeat(m->k.m, &f->part);
}

static void do_time(struct model *m)
{
    m->now += kit_below(&m->seed, 20);
    for (;;) {
        struct ref *first = NULL;
        for (int i = 0; i < m->count; i++) {
            struct ref *r = &m->refs[i];
            if (r->is_alive && r->expires <= m->now &&
                (first == NULL || r->expires < first->expires)) {
                first = r;
            }
        }
        if (first == NULL) {
            break;
        }
        tern_msgout_expire(m->k.m, first->expires - 1);
        tern_time at = first->expires;
        die(m, first, TERN_OUTCOME_EXPIRED);
        tern_msgout_expire(m->k.m, at);
    }
}

static void do_cancel(struct model *m)
{
    uint64_t tag = kit_below(&m->seed, 64);
    size_t count = 0;
    for (int i = 0; i < m->count; i++) {
        if (m->refs[i].is_alive && m->refs[i].o.tag == tag) {
            vanish(m, &m->refs[i]);
            count++;
        }
    }
    assert_int_equal(tern_msgout_cancel(m->k.m, tag), count);
}

static void step(struct model *m)
{
    uint64_t what = kit_below(&m->seed, 100);
    if (what < 30) {
        do_send(m);
    } else if (what < 55) {
        do_packet(m);
    } else if (what < 85) {
        do_receipt(m, 30);
    } else if (what < 90) {
        do_repeat(m);
    } else if (what < 94) {
        do_skips(m);
    } else if (what < 97) {
        do_time(m);
    } else if (what < 98) {
        do_cancel(m);
    } else {
        m->limit += kit_below(&m->seed, 8000);
        tern_msgout_on_max_data(m->k.m, m->limit);
    }
    take_outcomes(m);
}

/* All credit, no loss: everything ends, and each number that was used is over. */
static void finish(struct model *m)
{
    m->limit = UINT64_C(1) << 40;
    tern_msgout_on_max_data(m->k.m, m->limit);
    for (int i = 0; i < 100000 && (m->flights > 0 || tern_msgout_wants(m->k.m)); i++) {
        do_packet(m);
        do_skips(m);
        do_receipt(m, 0);
        take_outcomes(m);
    }
    for (int i = 0; i < m->count; i++) {
        assert_false(m->refs[i].is_alive);
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        for (size_t l = 0; l < TERN_LANES; l++) {
            for (uint64_t n = 0; n < m->next[c][l]; n++) {
                assert_int_equal(m->numbers[c][l][n], 4);
            }
        }
    }
    assert_int_equal(m->held, 0);
    assert_int_equal(tern_msgout_deadline(m->k.m), TERN_TIME_NEVER);
}

static void a_random_history_is_as_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= TERN_TEST_TIMES(1000); seed++) {
        struct model *m = calloc(1, sizeof *m);
        m->seed = seed;
        m->buffer = 2000 + kit_below(&m->seed, 60000);
        m->limit = kit_below(&m->seed, 20000);
        for (size_t i = 0; i < CHANNELS; i++) {
            m->newest[i] = -1;
        }
        struct tern_msgout_config config = {
            .buffer = m->buffer, .max_size = LEN_MAX, .credit = m->limit, .channels = CHANNELS};
        kit_out_begin_with(&m->k, &config);
        tern_msgout_set_copies(m->k.m, (unsigned)kit_below(&m->seed, 20), LONGEST);
        uint64_t steps = 1000 + kit_below(&m->seed, 2500);
        for (uint64_t i = 0; i < steps; i++) {
            step(m);
        }
        if (seed % 4 != 0) { /* else it ends in the middle */
            finish(m);
        }
        kit_out_end(&m->k);
        free(m);
    }
}

/* --- memory ------------------------------------------------------------------------------------- */

static void a_message_takes_at_most_128_bytes_more_than_its_payload(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 1024; len++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            struct kit_out k;
            kit_out_begin(&k);
            tern_send_options o = kit_options(TERN_RELIABLE, TERN_ORDERED, 0);
            o.lifetime = (kind & 1) != 0 ? 1000 : 0;
            o.has_depends = (kind & 2) != 0;
            kit_post(&k, o, 1, len);
            struct tern_msgout_chunk c = kit_leave(&k);
            size_t size = tern_slab_rounded(tern_sending_size(c.message));
            assert_true(size <= len + 128);
            assert_true(kind > 0 || size + 8 <= len + 104); /* and the slot of its number */
            kit_out_end(&k);
        }
    }
}

static void many_messages_in_flight_take_no_more_than_that(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_UNORDERED, 0), 0, 64);
    (void)kit_leave(&k);
    uint64_t before = k.heap.bytes;
    tern_send_options o = kit_options(TERN_RELIABLE, TERN_UNORDERED, 0);
    o.wants_outcome = false;
    for (uint64_t i = 1; i < 65536; i++) {
        kit_post(&k, o, i, 64);
        (void)kit_leave(&k);
    }
    uint64_t each = (k.heap.bytes - before) / 65535;
    assert_in_range(each, 64, 64 + 96); /* rings that were outgrown wait in the slab, too */
    kit_out_end(&k);
}

/* A window of messages of every kind goes round: losses, skips, copies, times, outcomes. */
static void go_round(struct kit_out *k, unsigned rounds, uint64_t *sent)
{
    static uint8_t data[6000];
    for (unsigned i = 0; i < rounds; i++) {
        struct tern_message_part parts[64];
        struct tern_message_skip skip;
        struct tern_msgout_chunk c;
        size_t count = 0;
        for (unsigned j = 0; j < 10; j++) {
            tern_send_options o = kit_options((tern_reliability)(j % 4), (tern_order)(j % 3), j);
            o.lifetime = 5;
            o.has_depends = j % 2 == 0;
            o.depends = 1000;
            size_t len = j == 7 ? 6000 : 20 + j * 90;
            assert_int_equal(tern_msgout_send(k->m, data, len, NULL, NULL, &o, i), 0);
        }
        tern_msgout_begin_packet(k->m);
        while (count < 64 && (tern_msgout_next(k->m, KIT_FULL, KIT_FULL, &c) ||
                              tern_msgout_next_copy(k->m, KIT_FULL, &c))) {
            tern_msgout_on_sent(k->m, &c, i);
            parts[count++] = c.part;
        }
        for (size_t j = 0; j < count; j++) {
            if (++*sent % 5 != 0) {
                tern_msgout_on_acked(k->m, &parts[j]);
            } else {
                tern_msgout_on_lost(k->m, &parts[j], i);
            }
        }
        tern_msgout_expire(k->m, i);
        while (tern_msgout_next_skip(k->m, &skip)) {
            tern_msgout_on_skip_sent(k->m, &skip);
            tern_msgout_on_skip_acked(k->m, &skip);
        }
        uint64_t tag;
        tern_outcome outcome;
        while (tern_msgout_next_outcome(k->m, &tag, &outcome)) {
        }
    }
}

static void warm_it_allocates_nothing_over_100000_messages(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t sent = 0;
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 8, 200);
    go_round(&k, 2000, &sent);
    uint64_t calls = k.heap.calls;
    go_round(&k, 10000, &sent);
    assert_int_equal(k.heap.calls, calls);
    kit_out_end(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_random_history_is_as_the_model_says),
    cmocka_unit_test(a_message_takes_at_most_128_bytes_more_than_its_payload),
    cmocka_unit_test(many_messages_in_flight_take_no_more_than_that),
    cmocka_unit_test(warm_it_allocates_nothing_over_100000_messages),
};

TERN_TEST_MAIN(tests)
