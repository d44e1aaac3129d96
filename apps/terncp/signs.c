/* An array in the file's order and a hash table of indices into it.
 * SPDX-License-Identifier: MIT */
#include "terncp/signs.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == sizeof(((struct signs *)0)->key), "a key for SipHash");

void signs_init(struct signs *signs)
{
    memset(signs, 0, sizeof *signs);
    randombytes_buf(signs->key, sizeof signs->key);
}

void signs_clear(struct signs *signs)
{
    free(signs->chunks);
    free(signs->slots);
    memset(signs, 0, sizeof *signs);
}

int signs_add(struct signs *signs, uint32_t len, const uint8_t hash[CHUNK_HASH_SIZE])
{
    if (signs->count == CHUNK_COUNT_MAX) {
        return E2BIG;
    }
    if (signs->count == signs->capacity) {
        uint32_t capacity = signs->capacity == 0 ? 64 : signs->capacity * 2;
        struct chunk *grown = realloc(signs->chunks, capacity * sizeof *grown);
        if (grown == NULL) {
            return ENOMEM;
        }
        signs->chunks = grown;
        signs->capacity = capacity;
    }
    struct chunk *chunk = &signs->chunks[signs->count++];
    chunk->offset = signs->size;
    chunk->len = len;
    memcpy(chunk->hash, hash, sizeof chunk->hash);
    signs->size += len;
    return 0;
}

static bool is_same(const struct chunk *a, const struct chunk *b)
{
    return a->len == b->len && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* The slot that holds such a chunk, or the empty one where it belongs. */
static uint32_t slot_of(const struct signs *signs, const struct chunk *chunk)
{
    uint8_t word[crypto_shorthash_BYTES], text[CHUNK_HASH_SIZE + sizeof chunk->len];
    uint32_t slot = 0;
    /* All that makes chunks different, or the peer could choose chunks that all belong in one place. */
    memcpy(text, chunk->hash, CHUNK_HASH_SIZE);
    memcpy(text + CHUNK_HASH_SIZE, &chunk->len, sizeof chunk->len);
    (void)crypto_shorthash(word, text, sizeof text, signs->key);
    memcpy(&slot, word, sizeof slot);
    slot &= signs->mask;
    while (signs->slots[slot] != SIGNS_NONE &&
           !is_same(&signs->chunks[signs->slots[slot]], chunk)) {
        slot = (slot + 1) & signs->mask;
    }
    return slot;
}

int signs_index(struct signs *signs)
{
    uint32_t slots = 16;
    while (slots < 2 * signs->count) {
        slots *= 2;
    }
    free(signs->slots);
    signs->slots = malloc(slots * sizeof *signs->slots);
    if (signs->slots == NULL) {
        return ENOMEM;
    }
    signs->mask = slots - 1;
    for (uint32_t i = 0; i < slots; i++) {
        signs->slots[i] = SIGNS_NONE;
    }
    for (uint32_t i = 0; i < signs->count; i++) {
        uint32_t slot = slot_of(signs, &signs->chunks[i]);
        if (signs->slots[slot] == SIGNS_NONE) { /* of equal chunks the first one stands */
            signs->slots[slot] = i;
        }
    }
    return 0;
}

uint32_t signs_find(const struct signs *signs, const struct chunk *wanted, uint32_t next)
{
    if (next < signs->count && is_same(&signs->chunks[next], wanted)) {
        return next;
    }
    return signs->slots == NULL ? SIGNS_NONE : signs->slots[slot_of(signs, wanted)];
}

uint32_t signs_find_at(const struct signs *signs, const struct chunk *wanted, uint64_t offset)
{
    uint32_t low = 0, high = signs->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (signs->chunks[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < signs->count && signs->chunks[low].offset == offset &&
                   is_same(&signs->chunks[low], wanted)
               ? low
               : SIGNS_NONE;
}
