/* Jobs that read or write a block of a file and hash it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_WORK_BLOCK_H
#define TERNCP_WORK_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "shared/work.h"
#include "terncp/proto.h"

/* Reading or writing one block of a file, and its leaf. */
struct work_block {
    struct work_job job; /* error: a read that ends early is ESTALE (the file shrank) */
    int fd;
    uint64_t offset;
    size_t len;
    uint8_t *data;               /* the owner's, of at least len bytes */
    uint8_t key[PROTO_KEY_SIZE]; /* of the file's hash */
    uint8_t leaf[PROTO_LEAF_SIZE];
    bool has_no_leaf; /* and needs none */
};

/* What such a job runs. */
void work_read(struct work_job *job);
void work_write(struct work_job *job);

#endif
