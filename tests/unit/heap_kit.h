/* An allocator that counts what is out and can fail from a chosen call on.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_HEAP_KIT_H
#define TERN_TEST_HEAP_KIT_H

#include <stdlib.h>

#include "base/mem.h"

/* The size of each block stands before it. fail_at: the number (from 1) of the call from which on
 * all fail; 0: none does. */
struct kit_heap {
    uint64_t calls, fail_at;
    uint64_t blocks, bytes, peak;
};

#define KIT_HEADER 16

static inline void *kit_count(struct kit_heap *heap, void *block, size_t size)
{
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    heap->blocks++;
    heap->bytes += size;
    heap->peak = TERN_MAX(heap->peak, heap->bytes);
    return (uint8_t *)block + KIT_HEADER;
}

static inline void *kit_alloc(void *user, size_t size)
{
    struct kit_heap *heap = user;
    heap->calls++;
    bool fails = heap->fail_at != 0 && heap->calls >= heap->fail_at;
    return fails ? NULL : kit_count(heap, malloc(size + KIT_HEADER), size);
}

static inline void kit_free(void *user, void *ptr)
{
    struct kit_heap *heap = user;
    size_t size = 0;
    uint8_t *block = (uint8_t *)ptr - KIT_HEADER;
    memcpy(&size, block, sizeof size);
    heap->blocks--;
    heap->bytes -= size;
    free(block);
}

static inline void *kit_realloc(void *user, void *ptr, size_t size)
{
    void *moved = kit_alloc(user, size);
    if (moved != NULL && ptr != NULL) {
        size_t old = 0;
        memcpy(&old, (uint8_t *)ptr - KIT_HEADER, sizeof old);
        memcpy(moved, ptr, TERN_MIN(old, size));
        kit_free(user, ptr);
    }
    return moved;
}

/* fail_at is the one call that fails, and memory is there again: a short drought. */
static inline void *kit_alloc_but_one(void *user, size_t size)
{
    struct kit_heap *heap = user;
    uint64_t fail_at = heap->fail_at;
    heap->fail_at = fail_at == heap->calls + 1 ? fail_at : 0;
    void *block = kit_alloc(user, size);
    heap->fail_at = fail_at;
    return block;
}

static inline void *kit_realloc_but_one(void *user, void *ptr, size_t size)
{
    struct kit_heap *heap = user;
    uint64_t fail_at = heap->fail_at;
    heap->fail_at = fail_at == heap->calls + 1 ? fail_at : 0;
    void *block = kit_realloc(user, ptr, size);
    heap->fail_at = fail_at;
    return block;
}

static inline void kit_mem(struct tern_mem *mem, struct kit_heap *heap)
{
    tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, heap};
    *heap = (struct kit_heap){0};
    tern_mem_init(mem, &hooks);
}

#endif
