/* A gear hash finds the cuts, Poly1305 digests what lies between them.
 *
 * The rolling hash of a position is the sum of a number for each of the last 64 bytes, each doubled once
 * for every byte behind it. A chunk ends where that is small: rarely before the average length, often
 * after it, so that lengths gather around it (Xia et al., "FastCDC", USENIX ATC 2016, normalized
 * chunking). Bytes before the least length are not looked at.
 * SPDX-License-Identifier: MIT */
#include "terncp/chunk.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_onetimeauth_state) <= sizeof(((struct chunk_cutter *)0)->state),
               "a hash state fits");
_Static_assert(crypto_onetimeauth_BYTES == CHUNK_HASH_SIZE &&
                   crypto_onetimeauth_KEYBYTES == PROTO_KEY_SIZE,
               "digests and keys are as long as Poly1305 has them");

unsigned chunk_level(uint64_t size)
{
    unsigned level = CHUNK_LEVEL_MIN;
    while (level < CHUNK_LEVEL_NET && size > UINT64_C(1) << (2 * level - 4)) {
        level++;
    }
    while (level < CHUNK_LEVEL_MAX && size >> level > CHUNK_COUNT_MAX / 2) {
        level++;
    }
    return level;
}

/* Both ends must have the same numbers, and nobody need believe that they were not chosen: they are the
 * keystream of ChaCha20 under a key that says what it is for, 64 bits a byte value, little-endian. */
void chunk_gear(uint64_t gear[256])
{
    static const uint8_t seed[randombytes_SEEDBYTES + 1] = "terncp gear hash table version 2";
    uint8_t bytes[256 * 8];
    randombytes_buf_deterministic(bytes, sizeof bytes, seed);
    for (unsigned i = 0; i < 256; i++) {
        gear[i] = 0;
        for (unsigned k = 8; k-- > 0;) {
            gear[i] = gear[i] << 8 | bytes[8 * i + k];
        }
    }
}

static crypto_onetimeauth_state *state_of(struct chunk_cutter *cutter)
{
    return (crypto_onetimeauth_state *)(void *)cutter->state;
}

static void begin(struct chunk_cutter *cutter)
{
    cutter->rolling = 0;
    cutter->open.len = 0;
    (void)crypto_onetimeauth_init(state_of(cutter), cutter->key);
}

void chunk_key(const uint8_t file_key[PROTO_KEY_SIZE], uint8_t out[PROTO_KEY_SIZE])
{
    static const uint8_t label[] = "chunks"; /* the keys of blocks come from eight bytes */
    (void)crypto_generichash(out, PROTO_KEY_SIZE, label, sizeof label - 1, file_key,
                             PROTO_KEY_SIZE);
}

void chunk_cutter_init(struct chunk_cutter *cutter, unsigned level,
                       const uint8_t key[PROTO_KEY_SIZE])
{
    memset(cutter, 0, sizeof *cutter);
    chunk_gear(cutter->gear);
    cutter->level = level;
    cutter->hard = UINT64_C(1) << (64 - level - 2);
    cutter->easy = UINT64_C(1) << (64 - level + 2);
    memcpy(cutter->key, key, sizeof cutter->key);
    begin(cutter);
}

/* Rolls over at most len bytes. Returns how many were rolled; *is_cut: the last of them ends a chunk. */
static size_t roll(struct chunk_cutter *cutter, const uint8_t *data, size_t len, uint64_t below,
                   bool *is_cut)
{
    const uint64_t *gear = cutter->gear;
    uint64_t rolling = cutter->rolling;
    size_t n = 0;
    *is_cut = false;
    while (n < len && !*is_cut) {
        rolling = (rolling << 1) + gear[data[n++]];
        *is_cut = rolling < below;
    }
    cutter->rolling = rolling;
    return n;
}

/* How many of the bytes belong to the open chunk; *is_cut: that is its end. */
static size_t find_cut(struct chunk_cutter *cutter, const uint8_t *data, size_t len, bool *is_cut)
{
    const uint32_t average = UINT32_C(1) << cutter->level;
    const uint32_t bounds[3] = {chunk_min(cutter->level), average, chunk_max(cutter->level)};
    const uint64_t below[3] = {0, cutter->hard, cutter->easy};
    size_t taken = 0;
    *is_cut = false;
    for (unsigned i = 0; i < 3 && taken < len && !*is_cut; i++) {
        size_t at = cutter->open.len + taken;
        if (at >= bounds[i]) {
            continue;
        }
        size_t left = len - taken;
        size_t n = bounds[i] - at < left ? bounds[i] - at : left;
        taken += i == 0 ? n : roll(cutter, data + taken, n, below[i], is_cut);
    }
    *is_cut = *is_cut || cutter->open.len + taken == bounds[2];
    return taken;
}

static void close_chunk(struct chunk_cutter *cutter, struct chunk *out)
{
    (void)crypto_onetimeauth_final(state_of(cutter), cutter->open.hash);
    *out = cutter->open;
    cutter->open.offset += cutter->open.len;
}

size_t chunk_cutter_take(struct chunk_cutter *cutter, const uint8_t *data, size_t len,
                         struct chunk *out, bool *is_whole)
{
    size_t n = find_cut(cutter, data, len, is_whole);
    (void)crypto_onetimeauth_update(state_of(cutter), data, n);
    cutter->open.len += (uint32_t)n;
    if (*is_whole) {
        close_chunk(cutter, out);
        begin(cutter);
    }
    return n;
}

bool chunk_cutter_end(struct chunk_cutter *cutter, struct chunk *out)
{
    bool has_rest = cutter->open.len > 0;
    if (has_rest) {
        close_chunk(cutter, out);
    }
    sodium_memzero(cutter->key, sizeof cutter->key);
    sodium_memzero(cutter->state, sizeof cutter->state);
    return has_rest;
}
