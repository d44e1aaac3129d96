/* An allocator that counts: how much of the heap is an endpoint's, and how often it asks for more.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_HEAP_H
#define TERNPERF_HEAP_H

#include <tern/config.h>

struct heap {
    uint64_t bytes; /* out now, as they were asked for: malloc's own overhead is not in it */
    uint64_t blocks;
    uint64_t calls; /* of alloc and realloc, since birth */
};

tern_allocator heap_allocator(struct heap *heap);

#endif
