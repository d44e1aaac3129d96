/* Blocks of a file, all of each or an error.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/work_block.h"

#include <pthread.h>

#include "shared/whole.h"
#include "terncp/hash.h"

static void add_leaf(struct work_block *block)
{
    if (!block->has_no_leaf) {
        hash_leaf(block->key, block->offset / PROTO_BLOCK, block->data, block->len, block->leaf);
    }
}

void work_read(struct work_job *job)
{
    struct work_block *block = (struct work_block *)(void *)job;
    job->error = whole_pread(block->fd, block->data, block->len, block->offset);
    if (job->error == 0) {
        add_leaf(block);
    }
}

/* Writers of one file wait for each other in the kernel, at work: while one writes, the other hashes. */
void work_write(struct work_job *job)
{
    struct work_block *block = (struct work_block *)(void *)job;
    pthread_mutex_t *turn = work_turn(job->work);
    bool is_hashed = pthread_mutex_trylock(turn) != 0;
    if (is_hashed) {
        add_leaf(block);
        (void)pthread_mutex_lock(turn);
    }
    job->error = whole_pwrite(block->fd, block->data, block->len, block->offset);
    (void)pthread_mutex_unlock(turn);
    if (!is_hashed && job->error == 0) {
        add_leaf(block);
    }
}
