/* An intrusive binary heap of deadlines: the earliest on top, each entry knows its place.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_HEAP_H
#define TERN_BASE_HEAP_H

#include "base/mem.h"

#define TERN_HEAP_NOWHERE SIZE_MAX

struct tern_heap_entry {
    tern_time at;
    size_t place; /* index in the heap, or TERN_HEAP_NOWHERE */
    bool is_claimed;
};

/* The time stands beside the entry, whose owner would have to come into the cache only to be compared. */
struct tern_heap_slot {
    tern_time at;
    struct tern_heap_entry *entry;
};

struct tern_heap {
    struct tern_mem *mem;
    struct tern_heap_slot *slots;
    size_t count, capacity;
    size_t claims; /* entries that may be in it, now or later: never more than capacity */
};

void tern_heap_init(struct tern_heap *heap, struct tern_mem *mem);
void tern_heap_clear(struct tern_heap *heap);
static inline void tern_heap_entry_init(struct tern_heap_entry *entry)
{
    entry->at = TERN_TIME_NEVER;
    entry->place = TERN_HEAP_NOWHERE;
    entry->is_claimed = false;
}

/* Makes room for this entry, whenever it will be set, so that tern_heap_set cannot fail.
 * 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_heap_claim(struct tern_heap *heap, struct tern_heap_entry *entry);
/* Takes it out for good; its room is another's. Fine without a claim. */
void tern_heap_release(struct tern_heap *heap, struct tern_heap_entry *entry);

/* Puts the entry at its new time: in, moved, or out when `at` is TERN_TIME_NEVER. The entry
 * is claimed (asserted). */
void tern_heap_set(struct tern_heap *heap, struct tern_heap_entry *entry, tern_time at);
void tern_heap_drop(struct tern_heap *heap, struct tern_heap_entry *entry);
struct tern_heap_entry *tern_heap_top(const struct tern_heap *heap); /* NULL when empty */

#endif
