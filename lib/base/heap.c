/* Sift up, sift down, and every entry told its new place.
 * SPDX-License-Identifier: MIT */
#include "base/heap.h"

void tern_heap_init(struct tern_heap *heap, struct tern_mem *mem)
{
    memset(heap, 0, sizeof *heap);
    heap->mem = mem;
}

void tern_heap_clear(struct tern_heap *heap)
{
    tern_mem_free(heap->mem, heap->entries);
    heap->entries = NULL;
    heap->count = heap->capacity = heap->claims = 0;
}

int tern_heap_claim(struct tern_heap *heap, struct tern_heap_entry *entry)
{
    if (heap->claims == heap->capacity) {
        size_t capacity = TERN_MAX(heap->capacity * 2, (size_t)16);
        void *grown = tern_mem_realloc(heap->mem, heap->entries, capacity * sizeof *heap->entries);
        if (grown == NULL) {
            return TERN_ERR_NOMEM;
        }
        heap->entries = grown;
        heap->capacity = capacity;
    }
    heap->claims++;
    entry->is_claimed = true;
    return 0;
}

void tern_heap_release(struct tern_heap *heap, struct tern_heap_entry *entry)
{
    tern_heap_drop(heap, entry);
    heap->claims -= entry->is_claimed ? 1 : 0;
    entry->is_claimed = false;
}

static void put(struct tern_heap *heap, size_t place, struct tern_heap_entry *entry)
{
    heap->entries[place] = entry;
    entry->place = place;
}

static void sift_up(struct tern_heap *heap, size_t place)
{
    struct tern_heap_entry *entry = heap->entries[place];
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (heap->entries[parent]->at <= entry->at) {
            break;
        }
        put(heap, place, heap->entries[parent]);
        place = parent;
    }
    put(heap, place, entry);
}

static void sift_down(struct tern_heap *heap, size_t place)
{
    struct tern_heap_entry *entry = heap->entries[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->entries[child + 1]->at < heap->entries[child]->at) {
            child++;
        }
        if (entry->at <= heap->entries[child]->at) {
            break;
        }
        put(heap, place, heap->entries[child]);
        place = child;
    }
    put(heap, place, entry);
}

void tern_heap_set(struct tern_heap *heap, struct tern_heap_entry *entry, tern_time at)
{
    if (at == TERN_TIME_NEVER) {
        tern_heap_drop(heap, entry);
        entry->at = at;
        return;
    }
    tern_time before = entry->at;
    entry->at = at;
    if (entry->place == TERN_HEAP_NOWHERE) {
        tern_assert(entry->is_claimed && heap->count < heap->capacity);
        put(heap, heap->count, entry);
        sift_up(heap, heap->count++);
    } else if (at < before) {
        sift_up(heap, entry->place);
    } else if (at > before) {
        sift_down(heap, entry->place);
    }
}

void tern_heap_drop(struct tern_heap *heap, struct tern_heap_entry *entry)
{
    size_t place = entry->place;
    if (place == TERN_HEAP_NOWHERE) {
        return;
    }
    entry->place = TERN_HEAP_NOWHERE;
    heap->count--;
    if (place == heap->count) {
        return;
    }
    struct tern_heap_entry *moved = heap->entries[heap->count];
    put(heap, place, moved);
    sift_up(heap, place);
    sift_down(heap, moved->place);
}

struct tern_heap_entry *tern_heap_top(const struct tern_heap *heap)
{
    return heap->count > 0 ? heap->entries[0] : NULL;
}
