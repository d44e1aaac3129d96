/* What leaves again unasked: parts of messages whose deadline is so near that their loss would be known too late.
 *
 * A loss shows by the answer to something sent later, and then there must be time to send again. The end of a
 * message has nothing behind it; and when there is time for one more transmission alone, that may be lost, too,
 * most of all while losses come in bursts. So what is not acknowledged a round trip after all was sent leaves
 * again, and what could not be sent once more after the next loss leaves several times, as far apart as the time
 * that is left allows. [P §16.5]
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

#define LEAST      (4 * TERN_MSEC) /* between two transmissions, and for the last one to leave */
#define URGES_MOST 6               /* doublings of the patience */

bool tern_urge_minds(const struct tern_message_sending *s)
{
    return s->is_long && s->has_expiry && s->reliability == TERN_UNTIL_DEADLINE;
}

tern_time tern_urge_expiry(struct tern_message_sending *s)
{
    return s->is_long ? tern_sending_parts(s)->expires_at : tern_sending_expiry(s)->at;
}

void tern_msgout_set_trip(struct tern_msgout *m, tern_time trip, tern_time patience)
{
    m->trip = trip;
    m->patience = patience;
}

bool tern_msgout_can_mend(const struct tern_msgout *m, const struct tern_msgout_chunk *chunk,
                          tern_time now)
{
    struct tern_message_sending *s = chunk->message;
    return tern_urge_minds(s) && m->patience > 0 &&
           now + m->patience + m->trip / 2 + 2 * LEAST <= tern_urge_expiry(s);
}

/* The time until the next transmission; 0: there shall be none. */
static tern_time space(const struct tern_msgout *m, const struct tern_sending_parts *p,
                       tern_time now)
{
    tern_time left = tern_sub_sat(p->expires_at, now + m->trip / 2 + LEAST);
    if (left < LEAST) {
        return 0;
    }
    if (left >= m->patience) { /* there is time to see what becomes of this one */
        return m->patience << TERN_MIN(p->urges, (uint32_t)URGES_MOST);
    }
    return left < 3 * LEAST ? left : left / 2;
}

void tern_urge_plan(struct tern_msgout *m, struct tern_message_sending *s, tern_time now)
{
    if (!tern_urge_minds(s) || m->patience == 0) {
        return;
    }
    const struct tern_sending_parts *p = tern_sending_parts(s);
    tern_time wait = space(m, p, now), at = p->expires_at;
    if (wait > 0 && p->sent_at > 0) {
        tern_time next = TERN_MAX(now + wait, p->sent_at + m->patience);
        at = next + m->trip / 2 < p->expires_at ? next : at;
    }
    tern_heap_set(&m->expiries, tern_sending_expiry(s), at);
}

/* Others are on their way for the first time, and what left twice already can let them pass, but not for long. */
static bool must_stay(const struct tern_msgout *m, const struct tern_message_sending *s,
                      const struct tern_sending_parts *p, tern_time now)
{
    bool can_wait = now + m->trip / 2 + 3 * LEAST < p->expires_at;
    bool was_repeated = p->urges + p->rounds > 0;
    return p->lost > 0 ||
           (can_wait && was_repeated && !tern_list_is_empty(&m->levels[s->level].ring));
}

/* Of one of which nothing is acknowledged the path is slow, or dead, rather than that all is lost: its end
 * alone asks what there is. */
static void repeat(struct tern_msgout *m, struct tern_message_sending *s,
                   struct tern_sending_parts *p)
{
    uint32_t from = p->acked > 0 || s->len <= TERN_SENDING_WHOLE ? 0 : s->len - TERN_SENDING_WHOLE;
    from -= from % TERN_SENDING_GRAIN;
    tern_parts_repeat(p, s->len, from, s->len);
    p->urges++;
    if (p->lost > 0) {
        tern_sending_queue_again(m, s);
    }
}

void tern_urge_on_time(struct tern_msgout *m, struct tern_message_sending *s, tern_time now)
{
    struct tern_sending_parts *p = tern_sending_parts(s);
    if (must_stay(m, s, p, now)) {
        tern_heap_set(&m->expiries, tern_sending_expiry(s), TERN_MIN(now + LEAST, p->expires_at));
        return;
    }
    if (!tern_sending_is_superseded(m, s)) {
        repeat(m, s, p);
    }
    tern_urge_plan(m, s, now);
}
