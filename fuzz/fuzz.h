/* What the fuzz targets share: the entry point, an input that is eaten from the front, randomness that is
 * the same in each run, and an allocator that counts and fails when told.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FUZZ_H
#define TERN_FUZZ_H

#include <stdlib.h>

#include <tern/config.h>

#include "base/def.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some targets bring a mutator of their own, which asks libFuzzer for its usual changes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A property that must hold whatever the input is; unlike an assertion it stands in every build. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, 0 at the end. */
static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

/* The next n bytes, or all that is left of them. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t n, size_t *len)
{
    const uint8_t *bytes = in->at;
    *len = TERN_MIN(n, in->left);
    in->at += *len;
    in->left -= *len;
    return bytes;
}

/* A number of 1 to 8 bytes. */
static inline uint64_t fuzz_number(struct fuzz_input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | fuzz_u8(in);
    }
    return value;
}

/* SplitMix64: not random, but different each time. */
static inline void fuzz_fill(void *user, uint8_t *buf, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        buf[i] = (uint8_t)(z ^ z >> 31);
    }
}

/* Bytes by which a place in a long run is told from its neighbours; made once. */
static inline void fuzz_pattern(uint8_t *out, size_t len)
{
    for (size_t i = 0; (i > 1 || out[1] == 0) && i < len; i++) {
        out[i] = (uint8_t)(i * 31 + i / 251);
    }
}

/* --- an allocator ------------------------------------------------------------------------------ */

/* fail_in: the call, counted from 1, that fails; 0: none does. */
struct fuzz_heap {
    size_t held; /* bytes that are out */
    uint32_t fail_in;
};

#define FUZZ_HEAP_HEADER 16

static inline void *fuzz_heap_alloc(void *user, size_t size)
{
    struct fuzz_heap *heap = user;
    if (heap->fail_in > 0 && --heap->fail_in == 0) {
        return NULL;
    }
    uint8_t *block = malloc(size + FUZZ_HEAP_HEADER);
    FUZZ_CHECK(block != NULL);
    memcpy(block, &size, sizeof size);
    heap->held += size;
    return block + FUZZ_HEAP_HEADER;
}

static inline void fuzz_heap_free(void *user, void *ptr)
{
    struct fuzz_heap *heap = user;
    size_t size;
    uint8_t *block = (uint8_t *)ptr - FUZZ_HEAP_HEADER;
    memcpy(&size, block, sizeof size);
    FUZZ_CHECK(heap->held >= size);
    heap->held -= size;
    free(block);
}

/* Always to another place, so that a pointer into the old one is noticed. */
static inline void *fuzz_heap_realloc(void *user, void *ptr, size_t size)
{
    size_t old;
    void *moved = fuzz_heap_alloc(user, size);
    if (moved != NULL) {
        memcpy(&old, (uint8_t *)ptr - FUZZ_HEAP_HEADER, sizeof old);
        memcpy(moved, ptr, TERN_MIN(old, size));
        fuzz_heap_free(user, ptr);
    }
    return moved;
}

static inline tern_allocator fuzz_heap_hooks(struct fuzz_heap *heap)
{
    return (tern_allocator){fuzz_heap_alloc, fuzz_heap_realloc, fuzz_heap_free, heap};
}

#endif
