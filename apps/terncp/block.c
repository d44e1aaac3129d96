/* Putting together, and leaving out pages of zeros.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/whole.h"
#include "terncp/hash.h"
#include "terncp/zip.h"

#define PAGE ((size_t)4096)

struct block *block_new(struct place *place, size_t capacity)
{
    struct block *block = calloc(1, sizeof *block);
    if (block == NULL || (block->work.data = malloc(capacity > 0 ? capacity : 1)) == NULL) {
        free(block);
        return NULL;
    }
    block->place = place_hold(place);
    block->place->held += capacity;
    block->capacity = capacity;
    block->base = -1;
    return block;
}

struct block *block_new_done(struct place *place, const uint8_t leaf[PROTO_LEAF_SIZE])
{
    struct block *block = calloc(1, sizeof *block);
    if (block != NULL) {
        block->place = place_hold(place);
        memcpy(block->work.leaf, leaf, PROTO_LEAF_SIZE);
        block->is_done = true;
    }
    return block;
}

void block_free(struct block *block)
{
    if (block == NULL) {
        return;
    }
    block->place->held -= block->capacity;
    for (unsigned i = 0; i < block->piece_count; i++) {
        block->place->held -= block->pieces[i].packed_len;
        free(block->pieces[i].packed);
    }
    place_drop(block->place);
    free(block->pieces);
    free(block->work.data);
    free(block);
}

bool block_add(struct block *block, const struct piece *piece)
{
    if (block->piece_count == BLOCK_PIECES_MAX) {
        return false;
    }
    if (block->piece_count == block->piece_capacity) {
        unsigned capacity = block->piece_capacity == 0 ? 4 : block->piece_capacity * 4;
        struct piece *grown = realloc(block->pieces, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        block->pieces = grown;
        block->piece_capacity = capacity;
    }
    block->place->held += piece->packed_len;
    block->pieces[block->piece_count++] = *piece;
    return true;
}

static int fill_piece(const struct block *block, const struct piece *piece)
{
    uint8_t *to = block->work.data + piece->at;
    if (piece->packed != NULL) {
        return zip_unpack(piece->packed, piece->packed_len, to, piece->len) ? 0 : EBADMSG;
    }
    return whole_pread(block->base, to, piece->len, piece->offset);
}

static int write_sparse(const struct work_block *work)
{
    static const uint8_t zeros[PAGE];
    for (size_t at = 0, end; at < work->len; at = end) {
        size_t n = work->len - at < PAGE ? work->len - at : PAGE;
        bool is_zero = memcmp(work->data + at, zeros, n) == 0;
        for (end = at + n; end < work->len; end += n) {
            n = work->len - end < PAGE ? work->len - end : PAGE;
            if ((memcmp(work->data + end, zeros, n) == 0) != is_zero) {
                break;
            }
        }
        int error =
            is_zero ? 0 : whole_pwrite(work->fd, work->data + at, end - at, work->offset + at);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* All of it is one piece of the base, which the file system may share between the two files if it lies on the
 * same edges. False: it cannot be done that way. */
static bool share(const struct block *block)
{
    const struct work_block *work = &block->work;
    const struct piece *piece = block->pieces;
    if (block->piece_count != 1 || piece->packed != NULL || piece->len != work->len ||
        block->is_in_place || block->is_sparse || (piece->offset ^ work->offset) % PAGE != 0) {
        return false;
    }
    off_t from = (off_t)piece->offset, to = (off_t)work->offset;
    for (size_t left = work->len; left > 0;) {
        ssize_t n = copy_file_range(block->base, &from, work->fd, &to, left, 0);
        if (n <= 0) {
            return false; /* what it did is done once more */
        }
        left -= (size_t)n;
    }
    return true;
}

/* In place, with nothing but what is there: nothing is to be written. */
static bool is_there(const struct block *block)
{
    size_t len = 0;
    for (unsigned i = 0; i < block->piece_count; i++) {
        len += block->pieces[i].packed == NULL ? block->pieces[i].len : 0;
    }
    return block->is_in_place && len == block->work.len;
}

static void add_leaf(struct work_block *work)
{
    if (!work->has_no_leaf) {
        hash_leaf(work->key, work->offset / PROTO_BLOCK, work->data, work->len, work->leaf);
    }
}

void block_run(struct work_job *job)
{
    struct block *block = (struct block *)(void *)job;
    struct work_block *work = &block->work;
    if (share(block)) { /* hashed is what stands in the file, even if the base changes meanwhile */
        job->error = whole_pread(work->fd, work->data, work->len, work->offset);
        add_leaf(work);
        return;
    }
    for (unsigned i = 0; i < block->piece_count && job->error == 0; i++) {
        job->error = fill_piece(block, &block->pieces[i]);
    }
    if (job->error != 0) {
        return;
    }
    if (is_there(block)) {
        add_leaf(work);
    } else if (block->is_sparse) {
        add_leaf(work);
        job->error = write_sparse(work);
    } else {
        work_write(job);
    }
}
