/* Trains that wait for the kernel: filled in an arena, cut into chunks, popped in order.
 * SPDX-License-Identifier: MIT */
#include "driver/outbox.h"

#include <stdlib.h>

int tern_outbox_init(struct tern_outbox *box, size_t limit)
{
    *box = (struct tern_outbox){.limit = limit};
    box->arena = malloc(TERN_OUTBOX_ARENA);
    return box->arena != NULL ? 0 : TERN_ERR_NOMEM;
}

void tern_outbox_clear(struct tern_outbox *box)
{
    free(box->arena);
    *box = (struct tern_outbox){0};
}

tern_train *tern_outbox_room(struct tern_outbox *box)
{
    if (tern_outbox_is_empty(box)) {
        box->head = box->count = box->used = 0;
    }
    if (box->count == TERN_OUTBOX_TRAINS || box->used + box->limit > TERN_OUTBOX_ARENA) {
        return NULL;
    }
    tern_train *train = &box->trains[box->count];
    *train = (tern_train){.data = box->arena + box->used, .capacity = box->limit};
    return train;
}

void tern_outbox_push(struct tern_outbox *box)
{
    tern_train *train = &box->trains[box->count];
    if (train->segment == 0 || train->segment > train->len) {
        train->segment = train->len;
    }
    box->used += train->len;
    box->count += train->len > 0;
}

/* What follows can leave with the first in one GSO send: the same way, behind it in the arena, in datagrams
 * of the same size or as a single shorter one at the end. */
static bool goes_along(const tern_train *first, const tern_train *last, const tern_train *next,
                       size_t room)
{
    bool fits = next->segment == first->segment ||
                (next->len == next->segment && next->segment < first->segment);
    return fits && next->segment <= room && last->data + last->len == next->data &&
           next->ecn == first->ecn && tern_addr_equal(&next->remote, &first->remote) &&
           tern_addr_equal(&next->local, &first->local);
}

/* Cuts off the longest whole number of segments that one GSO send takes, from `offset` in train `at` on,
 * and moves both behind it. Connections that speak with the same peer share a send: each alone may be
 * allowed a datagram or two at a time. */
static struct tern_chunk cut(struct tern_outbox *box, size_t *at, size_t *offset, size_t end,
                             bool gso)
{
    tern_train *first = &box->trains[*at];
    size_t segments = TERN_OUTBOX_SEGMENTS;
    if (box->limit / first->segment < segments) {
        segments = box->limit / first->segment;
    }
    size_t most = first->segment * (gso && segments > 0 ? segments : 1);
    struct tern_chunk chunk = {.train = first, .data = first->data + *offset};
    for (bool goes_on = true; goes_on;) {
        const tern_train *train = &box->trains[*at];
        size_t left = train->len - *offset, room = most - chunk.len;
        size_t len = left < room ? left : room;
        chunk.len += len;
        *offset += len;
        if (*offset < train->len) {
            break;
        }
        (*at)++;
        *offset = 0;
        goes_on = gso && *at < end && chunk.len % first->segment == 0 &&
                  goes_along(first, train, &box->trains[*at], most - chunk.len);
    }
    chunk.segment = chunk.len > first->segment ? first->segment : 0;
    return chunk;
}

size_t tern_outbox_peek(struct tern_outbox *box, bool gso, struct tern_chunk *out, size_t max)
{
    size_t n = 0, at = box->head, offset = box->offset;
    size_t end = box->single ? box->head + 1 : box->count;
    max = box->suspect ? 1 : max;
    while (at < end && n < max) {
        out[n++] = cut(box, &at, &offset, end, gso && !box->single);
    }
    return n;
}

void tern_outbox_pop(struct tern_outbox *box, const struct tern_chunk *chunk)
{
    box->offset += chunk->len;
    while (!tern_outbox_is_empty(box) && box->offset >= box->trains[box->head].len) {
        box->offset -= box->trains[box->head].len;
        box->head++;
        box->single = box->suspect = false;
    }
}

size_t tern_chunk_datagrams(const struct tern_chunk *chunk)
{
    return chunk->segment == 0 ? 1 : (chunk->len + chunk->segment - 1) / chunk->segment;
}
