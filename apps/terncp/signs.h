/* The chunks of a file that the other end has, to be looked up by their digests.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SIGNS_H
#define TERNCP_SIGNS_H

#include "terncp/chunk.h"

#define SIGNS_NONE UINT32_MAX

/* At most CHUNK_COUNT_MAX chunks: 8 MiB, and 2 MiB of slots. */
struct signs {
    struct chunk *chunks; /* in the file's order, without gaps */
    uint32_t count, capacity;
    uint64_t size;   /* of the bytes that they cover */
    uint32_t *slots; /* index of a chunk, or SIGNS_NONE; open addressing */
    uint32_t mask;
    uint8_t key[16]; /* of the slots: digests chosen to collide there do not */
};

void signs_init(struct signs *signs);
void signs_clear(struct signs *signs);

/* The next chunk of the file. 0, ENOMEM, or E2BIG: there are CHUNK_COUNT_MAX. */
int signs_add(struct signs *signs, uint32_t len, const uint8_t hash[CHUNK_HASH_SIZE]);
/* Makes them ready to be found. 0 or ENOMEM. */
int signs_index(struct signs *signs);

/* A chunk of the same bytes: `next`, if that is one (which goes on with a run), or the first. */
uint32_t signs_find(const struct signs *signs, const struct chunk *wanted, uint32_t next);
/* The chunk that begins at that offset, and has the same bytes. */
uint32_t signs_find_at(const struct signs *signs, const struct chunk *wanted, uint64_t offset);

#endif
