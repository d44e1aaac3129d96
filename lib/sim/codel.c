/* CoDel: the pseudocode of RFC 8289 section 5, turned into one decision a packet and into integers.
 * SPDX-License-Identifier: MIT */
#include "sim/codel.h"

#include "sim/clock.h"

/* Its square still fits into 64 bits. */
#define INTERVAL_MOST (4 * TERN_SEC)

void tern_codel_init(struct tern_codel *codel, tern_time target, tern_time interval)
{
    codel->target = target > 0 ? target : TERN_CODEL_TARGET;
    codel->interval = interval > 0 ? interval : TERN_CODEL_INTERVAL;
    if (codel->interval > INTERVAL_MOST) {
        codel->interval = INTERVAL_MOST;
    }
}

/* The integer part of the square root, bit by bit. */
static uint64_t root(uint64_t x)
{
    uint64_t out = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit > 0; bit >>= 2) {
        uint64_t tried = out + bit;
        out >>= 1;
        if (x >= tried) {
            x -= tried;
            out += bit;
        }
    }
    return out;
}

/* RFC 8289 §5.4, control_law: t + interval / sqrt(count). */
static tern_time control_law(const struct tern_codel *codel, tern_time at)
{
    return tern_time_add(at, root(codel->interval * codel->interval / codel->count));
}

/* RFC 8289 §5.4, dodequeue: the wait has been above the target for a whole interval. */
static bool is_standing(struct tern_codel *codel, const struct tern_codel_packet *packet,
                        tern_time now)
{
    if (packet->waited < codel->target || packet->backlog <= codel->largest) {
        codel->first_above = 0;
        return false;
    }
    if (codel->first_above == 0) {
        codel->first_above = tern_time_add(now, codel->interval);
        return false;
    }
    return now >= codel->first_above;
}

/* Begins where the last dropping state left off if that was not long ago. */
static enum tern_verdict start_dropping(struct tern_codel *codel, bool is_capable, tern_time now)
{
    uint64_t more = codel->count - codel->last_count;
    bool is_soon = now < tern_time_add(codel->drop_next, 16 * codel->interval);
    codel->is_dropping = true;
    codel->count = more > 1 && is_soon ? more : 1;
    codel->last_count = codel->count;
    codel->drop_next = control_law(codel, now);
    return is_capable ? TERN_VERDICT_MARK : TERN_VERDICT_DROP;
}

enum tern_verdict tern_codel_judge(struct tern_codel *codel, const struct tern_codel_packet *packet,
                                   tern_time now)
{
    bool has_dropped = codel->has_dropped;
    codel->has_dropped = false;
    codel->largest = packet->size > codel->largest ? packet->size : codel->largest;
    if (!is_standing(codel, packet, now)) {
        codel->is_dropping = false;
        return TERN_VERDICT_PASS;
    }
    if (!codel->is_dropping) {
        return start_dropping(codel, packet->is_capable, now);
    }
    if (has_dropped) {
        codel->drop_next = control_law(codel, codel->drop_next);
    }
    if (now < codel->drop_next) {
        return TERN_VERDICT_PASS;
    }
    codel->count++;
    if (packet->is_capable) {
        codel->drop_next = control_law(codel, codel->drop_next);
        return TERN_VERDICT_MARK;
    }
    codel->has_dropped = true;
    return TERN_VERDICT_DROP;
}
