/* One block of a file that is being received: bytes that came, compressed ones, and pieces of a version
 * that is here already. A worker puts them together, makes the leaf and writes.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_BLOCK_H
#define TERNCP_BLOCK_H

#include "terncp/place.h"
#include "terncp/work_block.h"

#define BLOCK_PIECES_MAX 1024 /* docs/terncp-protocol.md, section 5 */

/* What a worker fills in. */
struct piece {
    size_t at, len;
    uint64_t offset; /* in the base, unless it is packed */
    uint8_t *packed; /* a zstd frame, the block's own once it is added; NULL: of the base */
    size_t packed_len;
};

struct block {
    struct work_block work; /* first, so that the job leads here */
    struct place *place;    /* held */
    void *owner;
    struct block *next;
    size_t capacity;
    int base; /* where pieces come from; its owner's */
    bool is_done;
    bool is_in_place; /* pieces of the base are where they belong */
    bool is_sparse;   /* pages of zeros are not written */
    struct piece *pieces;
    unsigned piece_count, piece_capacity;
};

struct block *block_new(struct place *place, size_t capacity);
/* A block that is there, done already. */
struct block *block_new_done(struct place *place, const uint8_t leaf[PROTO_LEAF_SIZE]);
void block_free(struct block *block); /* NULL is fine */

/* False: there are too many, or no memory is left; the piece stays the caller's. */
bool block_add(struct block *block, const struct piece *piece);

/* work.job.run of a block. */
void block_run(struct work_job *job);

#endif
