/* One message that is coming: its bytes behind it in one block, put together from parts. [P §16.1]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_JOIN_H
#define TERN_STREAM_MESSAGE_JOIN_H

#include "stream/message.h"
#include "stream/message_runs.h"

struct tern_inlane;

/* 64 bytes: with what stands for it in its lane's list and the rounding of its block it stays
 * within its length and 128. */
struct tern_incoming {
    union {
        struct tern_list link;   /* whole: in a chain of its lane, or ready */
        struct tern_runs pieces; /* unfinished: what has come behind the first gap */
    } u;
    /* Without credit: among the unfinished or the ready ones, oldest first. */
    struct tern_list aged;
    struct tern_inlane *lane;
    uint64_t number;
    uint32_t total, have; /* all below `have` has come */
    bool uses_credit, is_recovered;
};

/* How many pieces may lie behind gaps: TERN_MSGIN_GAPS, fewer in short ones, so that tracking them costs
 * little beside the bytes. */
size_t tern_incoming_limit(uint32_t total);

/* With nothing of it yet. NULL: no memory */
struct tern_incoming *tern_incoming_new(struct tern_slab *slab, struct tern_inlane *lane,
                                        const struct tern_message_part *part);
/* Of an unfinished one the pieces must have been cleared. */
void tern_incoming_free(struct tern_incoming *in, struct tern_slab *slab);
uint8_t *tern_incoming_data(struct tern_incoming *in);
static inline bool tern_incoming_is_whole(const struct tern_incoming *in)
{
    return in->have == in->total;
}

/* Bytes of an unfinished one; what has come stays as it is. *is_new: there were some that had not.
 * 0 · TERN_ERR_AGAIN (too many gaps) · TERN_ERR_NOMEM; then nothing has come. */
TERN_MUST_CHECK int tern_incoming_write(struct tern_incoming *in, struct tern_slab *slab,
                                        uint32_t offset, const uint8_t *data, uint32_t len,
                                        bool *is_new);

#endif
