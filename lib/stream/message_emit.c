/* What goes into a packet: messages or parts of them that fit, and copies of small ones.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"
#include "stream/fec_out.h"
#include "stream/message_state.h"

#define COPIES_PASSED 16 /* those too long for the room, before the walk is given up */

/* --- sizes -------------------------------------------------------------------------------------- */

/* [P §16.1], without the length and the data. */
static size_t head_size(const struct tern_message_part *part)
{
    size_t size = 1 + tern_varint_size(part->channel) + tern_varint_size(part->number);
    if (part->is_fragment) {
        size += tern_varint_size(part->offset) + tern_varint_size(part->total);
    }
    return size;
}

static size_t part_size(const struct tern_message_part *part)
{
    return head_size(part) + tern_varint_size(part->len) + part->len;
}

/* The most bytes that fit behind such a head. */
static size_t bytes_of_part(const struct tern_message_part *part, size_t room)
{
    size_t head = head_size(part), left = (size_t)tern_sub_sat(room, head + 1);
    if (left < 64) {
        return left;
    }
    left = room - head - 2;
    return left < 16384 ? left : TERN_MAX(room - head - 4, (size_t)16383);
}

/* --- messages ----------------------------------------------------------------------------------- */

static void describe_part(struct tern_msgout *m, struct tern_message_sending *s,
                          struct tern_msgout_chunk *out)
{
    memset(out, 0, sizeof *out);
    out->part.channel = s->channel;
    out->part.lane = (enum tern_lane)s->lane;
    out->part.uses_credit = s->uses_credit;
    out->part.number =
        s->is_started ? s->as.sent.number : tern_sending_channel(m, s)->lanes[s->lane].next;
    out->part.len = out->part.total = s->len;
    out->priority = s->level;
    out->immediate_ack = s->immediate_ack;
    out->message = s;
}

void tern_msgout_set_fec(struct tern_msgout *m, const struct tern_fec_out *fec)
{
    m->fec = fec;
}

/* The next part of a long one. Cuts are at grains; in a protected lane at symbols, which wait for a packet that
 * holds them whole. */
static bool cut(const struct tern_msgout *m, size_t room, size_t full, struct tern_sending_parts *p,
                struct tern_message_part *part)
{
    uint32_t start = 0, end = 0;
    bool has_some = tern_parts_next(p, part->total, &start, &end);
    tern_assert(has_some);
    (void)has_some;
    if (start == 0 && end == part->total && part_size(part) <= full) {
        return part_size(part) <= room;
    }
    part->is_fragment = true;
    part->offset = start;
    uint32_t size = m->fec != NULL ? tern_fec_out_cut(m->fec, part->channel, part->lane) : 0;
    if (size > 0 && size <= bytes_of_part(part, full)) {
        part->len = TERN_MIN(end - start, size - start % size);
        return part->len <= bytes_of_part(part, room);
    }
    part->len = (uint32_t)TERN_MIN(bytes_of_part(part, room), (size_t)(end - start));
    if (part->len < end - start) {
        part->len -= part->len % TERN_SENDING_GRAIN;
        return part->len >= TERN_SENDING_SLIVER;
    }
    return true;
}

/* Nothing more of it is left to be sent behind this part: what is lost at the end shows only by an answer to
 * what stands there. */
static bool is_last(struct tern_message_sending *s, const struct tern_message_part *part)
{
    const struct tern_sending_parts *p = tern_sending_parts(s);
    uint32_t end = part->offset + part->len;
    return p->lost > 0 ? p->sent == s->len && p->lost == tern_parts_grains(part->len)
                       : end == s->len;
}

bool tern_msgout_next(struct tern_msgout *m, size_t room, size_t full,
                      struct tern_msgout_chunk *out)
{
    struct tern_message_sending *s = tern_msgqueue_pick(m);
    if (s == NULL) {
        return false;
    }
    if (!s->is_started && !tern_lane_has_room(m, &tern_sending_channel(m, s)->lanes[s->lane])) {
        return false;
    }
    describe_part(m, s, out);
    out->is_again = s->place == TERN_PLACE_AGAIN;
    if (s->is_long) {
        struct tern_sending_parts *p = tern_sending_parts(s);
        out->is_again = p->lost > 0;
        if (!cut(m, room, full, p, &out->part)) {
            return false;
        }
        out->immediate_ack |= tern_urge_minds(s) && is_last(s, &out->part);
    } else if (part_size(&out->part) > room) {
        return false;
    }
    out->data = tern_sending_data(s) + out->part.offset;
    return true;
}

/* Each gets as many copies as the eighths hold wholes, and of each eight as many one more as are left. */
static uint8_t draw_copies(struct tern_msgout *m, const struct tern_message_sending *s)
{
    if (s->is_long || s->len > m->longest) {
        return 0;
    }
    unsigned copies = m->eighths / 8;
    m->phase += m->eighths % 8;
    if (m->phase >= 8) {
        m->phase -= 8;
        copies++;
    }
    return (uint8_t)TERN_MIN(copies, 255u);
}

static void start_message(struct tern_msgout *m, struct tern_message_sending *s)
{
    struct tern_lane_ring *r = &tern_sending_channel(m, s)->lanes[s->lane];
    tern_msgqueue_start(m, s);
    s->as.sent.number = r->next++;
    s->as.sent.in_flight = 0;
    s->as.sent.copies = draw_copies(m, s);
    *tern_lane_slot(r, s->as.sent.number) = (uintptr_t)s;
    m->credit_used += s->uses_credit ? tern_message_cost(s->len) : 0;
}

static void count_part(struct tern_msgout *m, const struct tern_message_sending *s)
{
    m->counters.sent++;
    m->counters.bytes += s->len;
}

static void on_part_sent(struct tern_msgout *m, struct tern_message_sending *s,
                         const struct tern_message_part *part, tern_time now)
{
    struct tern_sending_parts *p = tern_sending_parts(s);
    uint32_t before = p->sent;
    tern_parts_on_sent(p, s->len, part->offset, part->offset + part->len);
    if (p->sent == s->len && before < s->len) {
        count_part(m, s);
        p->sent_at = now;
        tern_urge_plan(m, s, now);
    }
    if (p->lost == 0 && p->sent == s->len) {
        tern_msgqueue_drop(m, s);
    }
}

static void on_whole_sent(struct tern_msgout *m, struct tern_message_sending *s)
{
    s->as.sent.in_flight++;
    tern_msgqueue_drop(m, s);
    if (s->insists) {
        tern_list_push_back(&m->twice, &s->link);
        s->place = TERN_PLACE_TWICE;
    } else if (s->as.sent.copies > 0) {
        tern_list_push_front(&m->fresh, &s->link);
        s->place = TERN_PLACE_COPIES;
    }
}

static void on_copy_sent(struct tern_msgout *m, struct tern_message_sending *s)
{
    m->counters.copies++;
    s->as.sent.in_flight++;
    s->as.sent.copies--;
    m->cursor = s->link.next;
    if (s->as.sent.copies == 0) {
        tern_msgqueue_drop(m, s);
    }
}

void tern_msgout_on_sent(struct tern_msgout *m, const struct tern_msgout_chunk *chunk,
                         tern_time now)
{
    struct tern_message_sending *s = chunk->message;
    if (chunk->is_copy) {
        on_copy_sent(m, s);
        return;
    }
    m->counters.resent += chunk->is_again ? 1 : 0;
    if (!s->is_started) {
        start_message(m, s);
        if (!s->is_long) {
            count_part(m, s);
        }
    }
    tern_msgqueue_charge(m, s, part_size(&chunk->part));
    if (s->is_long) {
        on_part_sent(m, s, &chunk->part, now);
    } else {
        on_whole_sent(m, s);
    }
}

/* --- copies ------------------------------------------------------------------------------------- */

void tern_msgout_set_copies(struct tern_msgout *m, unsigned eighths, size_t longest)
{
    m->eighths = eighths;
    m->longest = longest;
}

/* Late already, they had better not be lost again: that would be found out a round trip later still. */
static void insist(struct tern_msgout *m)
{
    while (!tern_list_is_empty(&m->twice)) {
        tern_msgqueue_insist(m, tern_sending_of(m->twice.next));
    }
}

void tern_msgout_begin_packet(struct tern_msgout *m)
{
    insist(m);
    if (!tern_list_is_empty(&m->fresh)) {
        struct tern_list *first = m->fresh.next, *last = m->fresh.prev;
        last->next = m->copies.next;
        last->next->prev = last;
        m->copies.next = first;
        first->prev = &m->copies;
        tern_list_init(&m->fresh);
    }
    m->cursor = m->copies.next;
}

bool tern_msgout_next_copy(struct tern_msgout *m, size_t room, struct tern_msgout_chunk *out)
{
    unsigned passed = 0;
    while (m->eighths > 0 && m->cursor != &m->copies && passed < COPIES_PASSED) {
        struct tern_message_sending *s = tern_sending_of(m->cursor);
        if (s->lane == TERN_LANE_LATEST && tern_sending_channel(m, s)->latest != s) {
            tern_msgqueue_drop(m, s); /* a newer one makes it useless */
            continue;
        }
        describe_part(m, s, out);
        if (part_size(&out->part) <= room) {
            out->data = tern_sending_data(s);
            out->is_again = out->is_copy = true;
            return true;
        }
        m->cursor = m->cursor->next;
        passed++;
    }
    return false;
}
