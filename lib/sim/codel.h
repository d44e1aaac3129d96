/* CoDel (RFC 8289): keeps the time that packets wait in a queue near a target.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_CODEL_H
#define TERN_SIM_CODEL_H

#include <tern/types.h>

#define TERN_CODEL_TARGET   (5 * TERN_MSEC)
#define TERN_CODEL_INTERVAL (100 * TERN_MSEC)

enum tern_verdict { TERN_VERDICT_PASS, TERN_VERDICT_MARK, TERN_VERDICT_DROP };

/* A packet at the head of the queue, about to be sent. */
struct tern_codel_packet {
    tern_time waited;
    size_t size, backlog; /* bytes of it, and of those that wait behind it */
    bool is_capable;      /* of carrying a mark */
};

/* tern_codel_init, then one question a packet. */
struct tern_codel {
    tern_time target, interval;
    tern_time first_above; /* when it will have been above the target for an interval; 0: is not */
    tern_time drop_next;
    uint64_t count, last_count; /* drops since the dropping state began, and what it began with */
    size_t largest;             /* packet so far: one of them always may wait */
    bool is_dropping;
    bool has_dropped; /* the packet before this one, at the same moment */
};

/* Zero asks for the default of RFC 8289. What was learned is kept. */
void tern_codel_init(struct tern_codel *codel, tern_time target, tern_time interval);

/* After a drop the caller asks about the next packet at the same moment. */
enum tern_verdict tern_codel_judge(struct tern_codel *codel, const struct tern_codel_packet *packet,
                                   tern_time now);

#endif
