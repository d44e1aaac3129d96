/* What a peer's clock shows, from the times in its packets and the round trips they took. [P §17]
 *
 * Each exchange of RFC 5905 §8 gives an offset that is wrong by at most half of its round trip, and by
 * half of what queues and late readers have added to one way of it. So of every two seconds only the
 * exchange with the least round trip is kept, a minute of them, and a straight line is laid through
 * these points, in which the swift ones weigh most. Its slope is the drift.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_PEERCLOCK_H
#define TERN_RECOVERY_PEERCLOCK_H

#include <tern/conn.h>

#include "base/def.h"

enum { TERN_PEERCLOCK_POINTS = 32 };

#define TERN_PEERCLOCK_SLOT (2 * TERN_SEC) /* of which one sample is kept */
/* A longer round trip tells nothing worth knowing. */
#define TERN_PEERCLOCK_DELAY_MAX  (2 * TERN_SEC)
#define TERN_PEERCLOCK_DRIFT_MAX  500000          /* parts per billion, as RFC 5905 §11 has it */
#define TERN_PEERCLOCK_DRIFT_SPAN (10 * TERN_SEC) /* shorter ones tell jitter for drift */

struct tern_peerclock_point {
    tern_time at;    /* on our clock */
    int64_t offset;  /* theirs less ours */
    tern_time delay; /* the round trip without their part */
};

struct tern_peerclock {
    struct tern_peerclock_point points[TERN_PEERCLOCK_POINTS]; /* a ring, the oldest at `first` */
    size_t first, count;
    unsigned strangers; /* samples in a row that contradict the line */
    uint64_t samples;
    tern_clock now; /* the line after the latest sample */
};

void tern_peerclock_init(struct tern_peerclock *pc);

/* A packet of ours left at `sent_at`; the peer answered `held` later, when its clock showed `theirs` (at
 * most TERN_TIME_NEVER / 16), and the answer came now. One that contradicts what is known is not believed,
 * until three in a row do: then the clock has been set, and all begins anew. */
void tern_peerclock_add(struct tern_peerclock *pc, tern_time sent_at, tern_time held,
                        tern_time theirs, tern_time now);

static inline bool tern_peerclock_is_known(const struct tern_peerclock *pc)
{
    return pc->count > 0;
}

/* What theirs shows at `now`; needs is_known. */
tern_time tern_peerclock_at(const struct tern_peerclock *pc, tern_time now);

#endif
