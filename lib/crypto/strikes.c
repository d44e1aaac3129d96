/* Keyed hashes of 64 bits in two tables that take turns.
 * SPDX-License-Identifier: MIT */
#include "crypto/strikes.h"

#include <sodium.h>

int tern_strikes_init(struct tern_strikes *strikes, struct tern_mem *mem,
                      struct tern_random *random, size_t capacity, tern_time window, tern_time now)
{
    tern_assert(capacity >= 4 && (capacity & (capacity - 1)) == 0);
    memset(strikes, 0, sizeof *strikes);
    strikes->mem = mem;
    strikes->capacity = capacity;
    strikes->window = window;
    strikes->turned_at = now;
    tern_random_fill(random, strikes->secret, sizeof strikes->secret);
    for (size_t i = 0; i < 2; i++) {
        strikes->buckets[i] = tern_mem_zalloc(mem, capacity * sizeof *strikes->buckets[i]);
        if (strikes->buckets[i] == NULL) {
            tern_strikes_clear(strikes);
            return TERN_ERR_NOMEM;
        }
    }
    return 0;
}

void tern_strikes_clear(struct tern_strikes *strikes)
{
    for (size_t i = 0; i < 2; i++) {
        if (strikes->buckets[i] != NULL) {
            tern_mem_free(strikes->mem, strikes->buckets[i]);
            strikes->buckets[i] = NULL;
        }
    }
}

static void change_places(struct tern_strikes *strikes)
{
    uint64_t *oldest = strikes->buckets[1];
    strikes->buckets[1] = strikes->buckets[0];
    strikes->buckets[0] = oldest;
    memset(oldest, 0, strikes->capacity * sizeof *oldest);
    strikes->count = 0;
}

static void turn(struct tern_strikes *strikes, tern_time now)
{
    for (unsigned i = 0; i < 2 && tern_sub_sat(now, strikes->turned_at) >= strikes->window; i++) {
        change_places(strikes);
        strikes->turned_at += strikes->window;
    }
    if (tern_sub_sat(now, strikes->turned_at) >= strikes->window) { /* nothing came for long */
        strikes->turned_at = now;
    }
}

static uint64_t hash_of(const struct tern_strikes *strikes, const uint8_t *id, size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(out, id, len, strikes->secret);
    memcpy(&hash, out, sizeof hash);
    return hash == 0 ? 1 : hash;
}

/* Where it is, or would be. Each table keeps a quarter free, so that the search ends. */
static uint64_t *place_of(const struct tern_strikes *strikes, size_t bucket, uint64_t hash)
{
    size_t mask = strikes->capacity - 1;
    uint64_t *slots = strikes->buckets[bucket];
    size_t at = (size_t)hash & mask;
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

bool tern_strikes_has(struct tern_strikes *strikes, const uint8_t *id, size_t len, tern_time now)
{
    uint64_t hash = hash_of(strikes, id, len);
    turn(strikes, now);
    return *place_of(strikes, 0, hash) == hash || *place_of(strikes, 1, hash) == hash;
}

bool tern_strikes_mark(struct tern_strikes *strikes, const uint8_t *id, size_t len, tern_time now)
{
    if (tern_strikes_has(strikes, id, len, now) || 4 * strikes->count >= 3 * strikes->capacity) {
        return false;
    }
    uint64_t hash = hash_of(strikes, id, len);
    *place_of(strikes, 0, hash) = hash;
    strikes->count++;
    return true;
}

void tern_strikes_make_room(struct tern_strikes *strikes, tern_time now)
{
    change_places(strikes);
    strikes->turned_at = now;
}
