/* Chunks of the new file looked up among those of the old; blocks that need not move cover what is found.
 * SPDX-License-Identifier: MIT */
#include "terncp/match.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int match_queue_push(struct match_queue *queue, const struct match_run *run)
{
    bool is_full = queue->first + queue->count == queue->capacity;
    if (is_full && queue->first > queue->count) {
        memmove(queue->runs, queue->runs + queue->first, queue->count * sizeof *queue->runs);
        queue->first = 0;
    } else if (is_full) {
        size_t capacity = queue->capacity == 0 ? 32 : queue->capacity * 2;
        struct match_run *grown = realloc(queue->runs, capacity * sizeof *grown);
        if (grown == NULL) {
            return ENOMEM;
        }
        queue->runs = grown;
        queue->capacity = capacity;
    }
    queue->runs[queue->first + queue->count++] = *run;
    return 0;
}

bool match_queue_pop(struct match_queue *queue, struct match_run *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->runs[queue->first++];
    queue->count--;
    queue->first = queue->count == 0 ? 0 : queue->first;
    return true;
}

void match_queue_clear(struct match_queue *queue)
{
    free(queue->runs);
    memset(queue, 0, sizeof *queue);
}

int match_init(struct match *match, const struct signs *base, unsigned level,
               const uint8_t key[PROTO_KEY_SIZE], bool is_in_place, uint64_t blocks)
{
    memset(match, 0, sizeof *match);
    match->base = base;
    match->is_in_place = is_in_place;
    match->kept_blocks = blocks;
    match->next = SIGNS_NONE;
    if (base != NULL) {
        chunk_cutter_init(&match->cutter, level, key);
    }
    match->kept = blocks == 0 ? NULL : calloc(1, (size_t)(blocks / 8 + 1));
    return blocks > 0 && match->kept == NULL ? ENOMEM : 0;
}

void match_begin_at(struct match *match, uint64_t from)
{
    match->fed = match->told = match->cutter.open.offset = from;
}

void match_clear(struct match *match)
{
    sodium_memzero(&match->cutter, sizeof match->cutter);
    free(match->kept);
    match->kept = NULL;
    match_queue_clear(&match->queue);
}

static bool is_kept(const struct match *match, uint64_t block)
{
    return block < match->kept_blocks && (match->kept[block / 8] >> (block % 8) & 1) != 0;
}

/* Puts the last run into the queue. */
static int flush(struct match *match)
{
    int error = match->last.len > 0 ? match_queue_push(&match->queue, &match->last) : 0;
    match->last.len = 0;
    return error;
}

/* A piece behind all others: part of the last run if it goes on with that. */
static int tell_piece(struct match *match, const struct match_run *piece)
{
    struct match_run *last = &match->last;
    bool goes_on = last->len > 0 && last->kind == piece->kind &&
                   last->len + piece->len <= MATCH_RUN_MAX &&
                   (piece->kind != MATCH_COPY || last->from + last->len == piece->from);
    match->told += piece->len;
    if (goes_on) {
        last->len += piece->len;
        return 0;
    }
    int error = flush(match);
    match->last = *piece;
    return error;
}

/* Everything up to `end` is of a kind, except for blocks that are kept, which go whole, also beyond the
 * end, and what was told already as part of them. from: of `start`. */
static int tell(struct match *match, enum match_kind kind, uint64_t start, uint64_t end,
                uint64_t from)
{
    int error = 0;
    while (error == 0 && match->told < end) {
        uint64_t block = match->told / MATCH_BLOCK;
        uint64_t block_end = (block + 1) * MATCH_BLOCK;
        struct match_run piece = {.kind = kind, .offset = match->told};
        if (is_kept(match, block)) {
            piece.kind = MATCH_KEEP;
            piece.len = (block_end < match->fed ? block_end : match->fed) - match->told;
        } else {
            uint64_t left = end - match->told;
            piece.len = block_end < end ? block_end - match->told : left;
            piece.from = from + (match->told - start);
        }
        error = tell_piece(match, &piece);
    }
    return error;
}

static int tell_chunk(struct match *match, const struct chunk *chunk)
{
    uint64_t end = chunk->offset + chunk->len;
    uint32_t found = match->is_in_place ? signs_find_at(match->base, chunk, chunk->offset)
                                        : signs_find(match->base, chunk, match->next);
    if (found == SIGNS_NONE) {
        return tell(match, MATCH_SEND, chunk->offset, end, 0);
    }
    match->next = found + 1;
    return tell(match, MATCH_COPY, chunk->offset, end, match->base->chunks[found].offset);
}

int match_feed(struct match *match, const uint8_t *data, size_t len, bool keep)
{
    uint64_t block = match->fed / MATCH_BLOCK;
    int error = 0;
    if (keep && block < match->kept_blocks) {
        match->kept[block / 8] |= (uint8_t)(1u << (block % 8));
    }
    match->fed += len;
    if (match->base == NULL) {
        return tell(match, MATCH_SEND, match->told, match->fed, 0);
    }
    while (error == 0 && len > 0) {
        struct chunk chunk;
        bool is_whole;
        size_t n = chunk_cutter_take(&match->cutter, data, len, &chunk, &is_whole);
        data += n;
        len -= n;
        error = is_whole ? tell_chunk(match, &chunk) : 0;
    }
    return error;
}

int match_end(struct match *match)
{
    struct chunk chunk;
    int error = 0;
    if (match->base != NULL && chunk_cutter_end(&match->cutter, &chunk)) {
        error = tell_chunk(match, &chunk);
    }
    return error != 0 ? error : flush(match);
}
