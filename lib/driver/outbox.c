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

/* The longest whole number of segments that one GSO send takes, from `offset` on. */
static struct tern_chunk cut(const struct tern_outbox *box, tern_train *train, size_t offset,
                             bool gso)
{
    size_t left = train->len - offset;
    size_t segments = box->limit / train->segment;
    if (segments > TERN_OUTBOX_SEGMENTS) {
        segments = TERN_OUTBOX_SEGMENTS;
    }
    if (!gso || segments == 0) {
        segments = 1;
    }
    size_t len = segments * train->segment < left ? segments * train->segment : left;
    return (struct tern_chunk){.train = train,
                               .data = train->data + offset,
                               .len = len,
                               .segment = len > train->segment ? train->segment : 0};
}

size_t tern_outbox_peek(struct tern_outbox *box, bool gso, struct tern_chunk *out, size_t max)
{
    size_t n = 0;
    size_t end = box->single ? box->head + 1 : box->count;
    max = box->suspect ? 1 : max;
    for (size_t i = box->head; i < end; i++) {
        tern_train *train = &box->trains[i];
        size_t offset = i == box->head ? box->offset : 0;
        while (offset < train->len && n < max) {
            out[n] = cut(box, train, offset, gso && !box->single);
            offset += out[n++].len;
        }
    }
    return n;
}

void tern_outbox_pop(struct tern_outbox *box, const struct tern_chunk *chunk)
{
    box->offset += chunk->len;
    if (box->offset >= box->trains[box->head].len) {
        box->head++;
        box->offset = 0;
        box->single = box->suspect = false;
    }
}

size_t tern_chunk_datagrams(const struct tern_chunk *chunk)
{
    return chunk->segment == 0 ? 1 : (chunk->len + chunk->segment - 1) / chunk->segment;
}
