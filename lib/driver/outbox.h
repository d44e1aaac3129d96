/* Trains that wait for the kernel, cut into what one send call may carry.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_OUTBOX_H
#define TERN_DRIVER_OUTBOX_H

#include <tern/types.h>

enum {
    TERN_OUTBOX_TRAINS = 32,
    TERN_OUTBOX_ARENA = 128 * 1024,
    /* Linux: one GSO send is one IP packet until it is cut (UDP_MAX_SEGMENTS, and 65535 bytes with
     * both headers, or with the UDP header alone where the address is IPv6). */
    TERN_OUTBOX_SEGMENTS = 64,
    TERN_OUTBOX_LEN4 = 65507,
    TERN_OUTBOX_LEN6 = 65487
};

/* What one send call carries. segment 0: a single datagram. */
struct tern_chunk {
    tern_train *train;
    uint8_t *data;
    size_t len;
    size_t segment;
};

/* Trains lie back to back in the arena, so that small ones of many connections go out in one
 * system call and a long one still finds room. Trains head..count-1 wait; of the first of them
 * `offset` bytes are gone. */
struct tern_outbox {
    uint8_t *arena;
    size_t used;
    size_t limit; /* most bytes in a train */
    tern_train trains[TERN_OUTBOX_TRAINS];
    size_t head, count, offset;
    bool single;  /* send the first train datagram by datagram: its GSO send was refused ... */
    bool suspect; /* ... and whether GSO is to blame shows with the next datagram */
};

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_outbox_init(struct tern_outbox *box, size_t limit);
void tern_outbox_clear(struct tern_outbox *box);
static inline bool tern_outbox_is_empty(const struct tern_outbox *box)
{
    return box->head == box->count;
}

/* A train to fill, with room for the longest; NULL when trains must go first. Filled trains are
 * kept with tern_outbox_push, others need nothing. */
tern_train *tern_outbox_room(struct tern_outbox *box);
void tern_outbox_push(struct tern_outbox *box);

/* The next chunks in order, without taking them. */
size_t tern_outbox_peek(struct tern_outbox *box, bool gso, struct tern_chunk *out, size_t max);

/* The first chunk is gone, sent or given up. */
void tern_outbox_pop(struct tern_outbox *box, const struct tern_chunk *chunk);

size_t tern_chunk_datagrams(const struct tern_chunk *chunk);

#endif
