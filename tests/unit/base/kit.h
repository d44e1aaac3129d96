/* What the tests of the lower rooms share: seeded dice, an allocator that counts and can refuse, and
 * blocks of exactly the right size, so that AddressSanitizer sees a single byte too far.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UNIT_BASE_KIT_H
#define TERN_UNIT_BASE_KIT_H

#include <stdlib.h>

#include "base/mem.h"
#include "tern_test.h"

/* splitmix64: the same numbers on every machine. */
static inline uint64_t kit_roll(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline void kit_random_fill(void *user, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)kit_roll(user);
    }
}

struct kit_heap {
    size_t live, calls;
    size_t refuse_from; /* the call from which on NULL is returned; 0: never */
};

static inline bool kit_refuses(struct kit_heap *heap)
{
    heap->calls++;
    return heap->refuse_from != 0 && heap->calls >= heap->refuse_from;
}

static inline void *kit_alloc(void *user, size_t size)
{
    struct kit_heap *heap = user;
    if (kit_refuses(heap)) {
        return NULL;
    }
    heap->live++;
    return malloc(size);
}

static inline void *kit_realloc(void *user, void *ptr, size_t size)
{
    return kit_refuses(user) ? NULL : realloc(ptr, size);
}

static inline void kit_free(void *user, void *ptr)
{
    struct kit_heap *heap = user;
    heap->live--;
    free(ptr);
}

static inline struct tern_mem kit_mem(struct kit_heap *heap)
{
    struct tern_mem mem;
    tern_allocator hooks = {kit_alloc, kit_realloc, kit_free, heap};
    memset(heap, 0, sizeof *heap);
    tern_mem_init(&mem, &hooks);
    return mem;
}

/* A copy without a byte to spare; the caller frees it. */
static inline uint8_t *kit_exact(const void *bytes, size_t len)
{
    uint8_t *copy = calloc(len, 1);
    if (len > 0) {
        assert_non_null(copy);
        memcpy(copy, bytes, len);
    }
    return copy;
}

#endif
