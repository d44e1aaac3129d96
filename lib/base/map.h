/* A hash map from short byte strings to pointers under a random key (SipHash-2-4), so that a peer
 * who chooses the keys cannot make them collide.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_MAP_H
#define TERN_BASE_MAP_H

#include "base/mem.h"
#include "base/random.h"

#define TERN_MAP_KEY_MAX 23 /* bytes of key kept in each slot: identifiers, tokens, addresses */

struct tern_map_slot {
    void *value; /* NULL: empty */
    uint8_t len;
    uint8_t key[TERN_MAP_KEY_MAX];
};

struct tern_map {
    struct tern_mem *mem;
    struct tern_map_slot *slots; /* open addressing; grows by half at 3/4 */
    size_t capacity, count;
    uint64_t changes; /* made to what keys lead to, for those who remember what they found */
    uint8_t secret[16];
};

void tern_map_init(struct tern_map *map, struct tern_mem *mem, struct tern_random *random);
void tern_map_clear(struct tern_map *map);

/* 0 · TERN_ERR_NOMEM · TERN_ERR_STATE (the key is there already). value not NULL. */
TERN_MUST_CHECK int tern_map_put(struct tern_map *map, const void *key, size_t len, void *value);
/* Another value for a key that is there (asserted). */
void tern_map_replace(struct tern_map *map, const void *key, size_t len, void *value);
void *tern_map_find(const struct tern_map *map, const void *key, size_t len); /* NULL: absent */
/* The same in two steps, the first of which asks for the memory that the second will want. Between them the map
 * stays as it is. */
size_t tern_map_foresee(const struct tern_map *map, const void *key, size_t len);
void *tern_map_find_at(const struct tern_map *map, size_t foreseen, const void *key, size_t len);
void *tern_map_drop(struct tern_map *map, const void *key, size_t len); /* the value, or NULL */

#endif
