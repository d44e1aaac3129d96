/* Open addressing with linear probing and backward-shift deletion, hashed by SipHash-2-4.
 * SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <sodium.h>

#define FIRST_CAPACITY 16

/* A server has several slots for each connection, a third of them empty. Hence no room for the hash, which
 * only growth and deletion make anew, and no doubling. */
static_assert(sizeof(struct tern_map_slot) <= 32, "slots are small");

void tern_map_init(struct tern_map *map, struct tern_mem *mem, struct tern_random *random)
{
    memset(map, 0, sizeof *map);
    map->mem = mem;
    tern_random_fill_open(random, map->secret, sizeof map->secret);
}

void tern_map_clear(struct tern_map *map)
{
    tern_mem_free(map->mem, map->slots);
    map->slots = NULL;
    map->capacity = map->count = 0;
}

/* Where a key would like to be: half of its hash, which is enough for any map that fits in memory, as a
 * share of the capacity, which is no power of two. */
static size_t home_of(const struct tern_map *map, const void *key, size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint32_t hash;
    crypto_shorthash(out, key, len, map->secret);
    memcpy(&hash, out, sizeof hash);
    return (size_t)((uint64_t)hash * map->capacity >> 32);
}

static size_t after(const struct tern_map *map, size_t at)
{
    return at + 1 < map->capacity ? at + 1 : 0;
}

/* The slot that holds the key, or the empty one where it would go, from the one on where it would like to be. */
static size_t probe_from(const struct tern_map *map, size_t at, const void *key, size_t len)
{
    for (;; at = after(map, at)) {
        const struct tern_map_slot *slot = &map->slots[at];
        if (slot->value == NULL || (slot->len == len && memcmp(slot->key, key, len) == 0)) {
            return at;
        }
    }
}

static size_t probe(const struct tern_map *map, const void *key, size_t len)
{
    return probe_from(map, home_of(map, key, len), key, len);
}

static int grow(struct tern_map *map)
{
    struct tern_map wider = *map;
    wider.capacity = map->capacity == 0 ? FIRST_CAPACITY : map->capacity + map->capacity / 2;
    wider.slots = tern_mem_zalloc(map->mem, wider.capacity * sizeof *wider.slots);
    if (wider.slots == NULL) {
        return TERN_ERR_NOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        const struct tern_map_slot *slot = &map->slots[i];
        if (slot->value != NULL) {
            wider.slots[probe(&wider, slot->key, slot->len)] = *slot;
        }
    }
    tern_mem_free(map->mem, map->slots);
    *map = wider;
    return 0;
}

int tern_map_put(struct tern_map *map, const void *key, size_t len, void *value)
{
    tern_assert(len <= TERN_MAP_KEY_MAX && value != NULL);
    if (map->capacity > 0 && map->slots[probe(map, key, len)].value != NULL) {
        return TERN_ERR_STATE;
    }
    if (4 * (map->count + 1) > 3 * map->capacity) {
        int rc = grow(map);
        if (rc != 0) {
            return rc;
        }
    }
    struct tern_map_slot *slot = &map->slots[probe(map, key, len)];
    slot->value = value;
    slot->len = (uint8_t)len;
    memcpy(slot->key, key, len);
    map->count++;
    map->changes++;
    return 0;
}

void tern_map_replace(struct tern_map *map, const void *key, size_t len, void *value)
{
    struct tern_map_slot *slot = &map->slots[probe(map, key, len)];
    tern_assert(slot->value != NULL && value != NULL);
    slot->value = value;
    map->changes++;
}

void *tern_map_find(const struct tern_map *map, const void *key, size_t len)
{
    if (map->count == 0 || len > TERN_MAP_KEY_MAX) {
        return NULL;
    }
    return map->slots[probe(map, key, len)].value;
}

size_t tern_map_foresee(const struct tern_map *map, const void *key, size_t len)
{
    size_t at = 0;
    if (map->count > 0) {
        at = home_of(map, key, len);
        tern_prefetch(&map->slots[at], 2 * sizeof *map->slots);
    }
    return at;
}

void *tern_map_find_at(const struct tern_map *map, size_t foreseen, const void *key, size_t len)
{
    if (map->count == 0 || len > TERN_MAP_KEY_MAX) {
        return NULL;
    }
    return map->slots[probe_from(map, foreseen, key, len)].value;
}

static size_t distance(const struct tern_map *map, size_t from, size_t to)
{
    return to >= from ? to - from : to + map->capacity - from;
}

void *tern_map_drop(struct tern_map *map, const void *key, size_t len)
{
    if (map->count == 0 || len > TERN_MAP_KEY_MAX) {
        return NULL;
    }
    size_t hole = probe(map, key, len);
    void *value = map->slots[hole].value;
    if (value == NULL) {
        return NULL;
    }
    /* Pull back what probed past the hole, so that no tombstone is needed. */
    for (size_t at = after(map, hole); map->slots[at].value != NULL; at = after(map, at)) {
        size_t home = home_of(map, map->slots[at].key, map->slots[at].len);
        if (distance(map, home, at) >= distance(map, hole, at)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole].value = NULL;
    map->count--;
    map->changes++;
    return value;
}
