/* Putting together, and leaving out pages of zeros.
 * SPDX-License-Identifier: MIT */
#include "terncp/block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

struct block *block_new_hole(struct place *place)
{
    struct block *block = calloc(1, sizeof *block);
    if (block != NULL) {
        block->place = place_hold(place);
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
    return work_pread(block->base, to, piece->len, piece->offset);
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
            is_zero ? 0 : work_pwrite(work->fd, work->data + at, end - at, work->offset + at);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

void block_run(struct work_job *job)
{
    struct block *block = (struct block *)(void *)job;
    struct work_block *work = &block->work;
    for (unsigned i = 0; i < block->piece_count && job->error == 0; i++) {
        job->error = fill_piece(block, &block->pieces[i]);
    }
    if (job->error != 0) {
        return;
    }
    if (!block->is_kept && !block->is_sparse) {
        work_write(job);
        return;
    }
    if (!work->has_no_leaf) {
        hash_leaf(work->key, work->offset / PROTO_BLOCK, work->data, work->len, work->leaf);
    }
    job->error = block->is_kept ? 0 : write_sparse(work);
}
