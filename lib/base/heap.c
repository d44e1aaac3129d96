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
    tern_mem_free(heap->mem, heap->slots);
    heap->slots = NULL;
    heap->count = heap->capacity = heap->claims = 0;
}

int tern_heap_claim(struct tern_heap *heap, struct tern_heap_entry *entry)
{
    if (heap->claims == heap->capacity) {
        size_t capacity = TERN_MAX(heap->capacity * 2, (size_t)16);
        void *grown = tern_mem_realloc(heap->mem, heap->slots, capacity * sizeof *heap->slots);
        if (grown == NULL) {
            return TERN_ERR_NOMEM;
        }
        heap->slots = grown;
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

static void put(struct tern_heap *heap, size_t place, struct tern_heap_slot slot)
{
    heap->slots[place] = slot;
    slot.entry->place = place;
}

static void sift_up(struct tern_heap *heap, size_t place, struct tern_heap_slot slot)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (heap->slots[parent].at <= slot.at) {
            break;
        }
        put(heap, place, heap->slots[parent]);
        place = parent;
    }
    put(heap, place, slot);
}

static void sift_down(struct tern_heap *heap, size_t place, struct tern_heap_slot slot)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->slots[child + 1].at < heap->slots[child].at) {
            child++;
        }
        if (slot.at <= heap->slots[child].at) {
            break;
        }
        put(heap, place, heap->slots[child]);
        place = child;
    }
    put(heap, place, slot);
}

void tern_heap_set(struct tern_heap *heap, struct tern_heap_entry *entry, tern_time at)
{
    if (at == TERN_TIME_NEVER) {
        tern_heap_drop(heap, entry);
        entry->at = at;
        return;
    }
    struct tern_heap_slot slot = {.at = at, .entry = entry};
    tern_time before = entry->at;
    entry->at = at;
    if (entry->place == TERN_HEAP_NOWHERE) {
        tern_assert(entry->is_claimed && heap->count < heap->capacity);
        sift_up(heap, heap->count++, slot);
    } else if (at < before) {
        sift_up(heap, entry->place, slot);
    } else if (at > before) {
        sift_down(heap, entry->place, slot);
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
    struct tern_heap_slot moved = heap->slots[heap->count];
    sift_up(heap, place, moved);
    sift_down(heap, moved.entry->place, moved);
}

struct tern_heap_entry *tern_heap_top(const struct tern_heap *heap)
{
    return heap->count > 0 ? heap->slots[0].entry : NULL;
}
