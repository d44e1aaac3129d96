/* malloc with the size of each block before it.
 * SPDX-License-Identifier: MIT */
#include "ternperf/heap.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 16 /* keeps malloc's alignment */

static void *counted(struct heap *heap, uint8_t *block, size_t size)
{
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    heap->blocks++;
    heap->bytes += size;
    return block + HEADER;
}

static void *heap_alloc(void *user, size_t size)
{
    struct heap *heap = user;
    heap->calls++;
    return size > SIZE_MAX - HEADER ? NULL : counted(heap, malloc(size + HEADER), size);
}

static void heap_free(void *user, void *ptr)
{
    struct heap *heap = user;
    uint8_t *block = (uint8_t *)ptr - HEADER;
    size_t size = 0;
    memcpy(&size, block, sizeof size);
    heap->blocks--;
    heap->bytes -= size;
    free(block);
}

static void *heap_realloc(void *user, void *ptr, size_t size)
{
    struct heap *heap = user;
    if (ptr == NULL) {
        return heap_alloc(user, size);
    }
    uint8_t *block = (uint8_t *)ptr - HEADER;
    size_t before = 0;
    memcpy(&before, block, sizeof before);
    heap->calls++;
    uint8_t *moved = size > SIZE_MAX - HEADER ? NULL : realloc(block, size + HEADER);
    if (moved == NULL) {
        return NULL;
    }
    heap->blocks--;
    heap->bytes -= before;
    return counted(heap, moved, size);
}

tern_allocator heap_allocator(struct heap *heap)
{
    return (tern_allocator){
        .alloc = heap_alloc, .realloc = heap_realloc, .free = heap_free, .user = heap};
}
