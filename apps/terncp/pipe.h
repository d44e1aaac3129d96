/* Standard input and output, which may keep their reader or writer waiting: on a worker's thread, and never
 * for good, since somebody may give up.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PIPE_H
#define TERNCP_PIPE_H

#include <stdatomic.h>

#include "terncp/work_block.h"

/* Set from the loop's thread: whoever waits ends within a moment, with ECANCELED. */
struct pipe_stop {
    atomic_bool is_set;
};

static inline void pipe_stop(struct pipe_stop *stop)
{
    atomic_store(&stop->is_set, true);
}

/* Reads until the block is full or the pipe ends, and makes the leaf; block->len says how much there was. */
void pipe_read(struct work_block *block, const struct pipe_stop *stop);

/* Writes all of the block, and makes the leaf. */
void pipe_write(struct work_block *block, const struct pipe_stop *stop);

#endif
