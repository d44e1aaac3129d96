/* A lane of a channel as its receiver knows it: which numbers have come, what is unfinished. [P §16.2]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_LANE_H
#define TERN_STREAM_MESSAGE_LANE_H

#include "stream/message_join.h"

#define TERN_INLANE_UNFINISHED 1024 /* messages in parts, [P §14] */
#define TERN_INLANE_LATEST     4    /* the same of a latest lane */

struct tern_inlane {
    uint64_t next;                     /* all below has come, or will not */
    struct tern_runs runs;             /* what has come above; ordered ones wait in there */
    struct tern_incoming **unfinished; /* by number */
    uint32_t unfinished_count, unfinished_capacity;
    struct tern_incoming *fresh; /* latest: the one that is ready */
    uint32_t channel;
    enum tern_lane kind;
};

static inline bool tern_inlane_has(const struct tern_inlane *lane, uint64_t number)
{
    return number < lane->next || (lane->runs.count > 0 && tern_runs_has(&lane->runs, number));
}

/* Could [start, end), end above `next`, be added with at most `limit` gaps? */
bool tern_inlane_can_add(const struct tern_inlane *lane, uint64_t start, uint64_t end,
                         size_t limit);
/* [start, end) has come, with what waits at `start` (if that had not come). *released: what need not wait
 * any longer, in order. 0 · TERN_ERR_AGAIN · TERN_ERR_NOMEM; then nothing has changed. */
TERN_MUST_CHECK int tern_inlane_add(struct tern_inlane *lane, struct tern_slab *slab,
                                    uint64_t start, uint64_t end, struct tern_chain waiting,
                                    size_t limit, struct tern_chain *released);

/* The index of the first unfinished message with this number or a larger one. */
size_t tern_inlane_find(const struct tern_inlane *lane, uint64_t number);
struct tern_incoming *tern_inlane_unfinished(const struct tern_inlane *lane, uint64_t number);
/* 0 · TERN_ERR_NOMEM. There must be less than TERN_INLANE_UNFINISHED. */
TERN_MUST_CHECK int tern_inlane_keep(struct tern_inlane *lane, struct tern_slab *slab,
                                     struct tern_incoming *in);
/* Forgets n unfinished messages from an index on, which are the caller's. */
void tern_inlane_forget(struct tern_inlane *lane, struct tern_slab *slab, size_t at, size_t n);
void tern_inlane_clear(struct tern_inlane *lane, struct tern_slab *slab); /* frees all it holds */

#endif
