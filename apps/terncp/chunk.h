/* Content-defined chunks: cuts a file where its bytes say so, so that an insertion moves the cuts near
 * it and no others, and digests each chunk.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_CHUNK_H
#define TERNCP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "terncp/proto.h"

#define CHUNK_HASH_SIZE 16
#define CHUNK_LEVEL_MIN 13 /* log2 of the average: 8 KiB */
#define CHUNK_LEVEL_MAX 28
#define CHUNK_LEVEL_NET 16         /* 64 KiB: the level at which most files are cut */
#define CHUNK_COUNT_MAX (1u << 18) /* of one file */

/* No chunk but the last of a file is shorter than the one, none is longer than the other. */
static inline uint32_t chunk_min(unsigned level)
{
    return UINT32_C(1) << (level - 2);
}

static inline uint32_t chunk_max(unsigned level)
{
    return UINT32_C(1) << (level + 2);
}

/* The level for a file of this size. Each chunk costs 20 bytes to tell, each edit about a chunk to send:
 * for a few edits the sum is least near an average of sqrt(16 x size). Beyond 64 KiB only the number of
 * chunks counts, which bounds memory: 2^17 by the average. */
unsigned chunk_level(uint64_t size);

struct chunk {
    uint64_t offset;
    uint32_t len;
    uint8_t hash[CHUNK_HASH_SIZE]; /* Poly1305 of the bytes under the cutter's key */
};

/* Takes a file's bytes in order, in pieces of any size.
 *
 * The digest is Poly1305 under one key for all chunks of a file, a universal hash with a secret that only the
 * two ends have: whoever makes files that shall be mistaken for each other cannot aim. Two chunks of up to
 * 256 KiB are alike with odds of 2^-89, any two among 2^18 old and 2^18 new ones with 2^-53, and then the
 * file's own hash tells. BLAKE2b would cost four times as much as all the rest of the cutting. */
struct chunk_cutter {
    _Alignas(16) unsigned char state[256];
    uint64_t gear[256];
    uint64_t rolling;
    uint64_t hard, easy; /* what the rolling hash must be below, before and after the average */
    unsigned level;
    uint8_t key[PROTO_KEY_SIZE];
    struct chunk open; /* the chunk being collected */
};

/* The key of a file's chunks, from the file's key. */
void chunk_key(const uint8_t file_key[PROTO_KEY_SIZE], uint8_t out[PROTO_KEY_SIZE]);

void chunk_cutter_init(struct chunk_cutter *cutter, unsigned level,
                       const uint8_t key[PROTO_KEY_SIZE]);
/* Takes bytes up to the end of a chunk, or all. Returns how many; *out is set when *is_whole is. */
size_t chunk_cutter_take(struct chunk_cutter *cutter, const uint8_t *data, size_t len,
                         struct chunk *out, bool *is_whole);
/* The file ends here. False: it ended with a chunk, there is no other. Wipes the key either way. */
bool chunk_cutter_end(struct chunk_cutter *cutter, struct chunk *out);

/* The table of the rolling hash: a number for each byte. */
void chunk_gear(uint64_t gear[256]);

#endif
