/* The choice of terms, and what of them is in force.
 * SPDX-License-Identifier: MIT */
#include "recovery/cadence.h"

#define THRESHOLD_MIN  2  /* RFC 9000 §13.2.2 */
#define THRESHOLD_MAX  10 /* beyond it little is saved, and what one ACK frees is a burst */
#define ACKS_PER_ROUND 8  /* at least: HyStart++ wants so many RTT samples (RFC 9406 §4.2) */
#define DELAYS_PER_RTT 4
/* A probe timeout must outlast a receiver that was not scheduled for a moment. */
#define DELAY_FLOOR (5 * TERN_MSEC)

void tern_cadence_init(struct tern_cadence *cadence, bool is_usable, tern_time min_delay,
                       tern_time max_delay)
{
    memset(cadence, 0, sizeof *cadence);
    cadence->is_usable = is_usable;
    cadence->least_delay = min_delay;
    cadence->most_delay = max_delay;
    cadence->in_force = max_delay;
    cadence->asked.threshold = THRESHOLD_MIN;
    cadence->asked.delay = max_delay;
    cadence->asked.reordering = 1; /* RFC 9000 §13.2.1 */
}

/* Half as much again, or half as little. */
static bool differs_much(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) >= (b + 1) / 2;
}

static bool is_worth_a_frame(const struct tern_cadence *cadence)
{
    const struct tern_cadence_terms *asked = &cadence->asked, *wanted = &cadence->wanted;
    if (differs_much(wanted->threshold, asked->threshold) ||
        (wanted->threshold == THRESHOLD_MAX && asked->threshold < THRESHOLD_MAX)) {
        return true;
    }
    /* As long as the window is small the receiver's own habits serve well. */
    return cadence->sequence > 0 && (differs_much(wanted->delay, asked->delay) ||
                                     differs_much(wanted->reordering, asked->reordering));
}

void tern_cadence_update(struct tern_cadence *cadence, uint64_t window, size_t datagram,
                         tern_time smoothed_rtt, uint64_t packet_threshold)
{
    struct tern_cadence_terms *wanted = &cadence->wanted;
    if (!cadence->is_usable || cadence->is_pending) { /* at most one in a round trip */
        return;
    }
    uint64_t threshold = window / datagram / ACKS_PER_ROUND;
    tern_time delay = TERN_MAX(smoothed_rtt / DELAYS_PER_RTT, DELAY_FLOOR);
    wanted->threshold = TERN_MIN(TERN_MAX(threshold, (uint64_t)THRESHOLD_MIN), THRESHOLD_MAX);
    wanted->delay = TERN_MAX(TERN_MIN(delay, cadence->most_delay), cadence->least_delay);
    wanted->reordering = packet_threshold; /* sooner than this nothing can be declared lost */
    cadence->wants_send = is_worth_a_frame(cadence);
}

uint64_t tern_cadence_on_sent(struct tern_cadence *cadence)
{
    cadence->asked = cadence->wanted;
    cadence->in_force = TERN_MAX(cadence->in_force, cadence->asked.delay);
    cadence->wants_send = false;
    cadence->is_pending = true;
    return cadence->sequence++;
}

void tern_cadence_on_acked(struct tern_cadence *cadence, uint64_t sequence)
{
    if (sequence + 1 == cadence->sequence) { /* an older one may have been overtaken, or not */
        cadence->is_pending = false;
        cadence->wants_send = false; /* a probe had it on its way again */
        cadence->in_force = cadence->asked.delay;
    }
}

void tern_cadence_on_lost(struct tern_cadence *cadence, uint64_t sequence)
{
    if (sequence + 1 == cadence->sequence) {
        cadence->is_pending = false;
        cadence->wants_send = true;
    }
}
