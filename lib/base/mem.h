/* Memory through the caller's allocator, and a pool of equal pages that spares the allocator.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_MEM_H
#define TERN_BASE_MEM_H

#include <tern/config.h>

#include "base/def.h"

/* The allocator with the defaults filled in; copied from the configuration once. */
struct tern_mem {
    tern_allocator hooks;
};

void tern_mem_init(struct tern_mem *mem, const tern_allocator *hooks);

/* Uninitialised, zeroed, resized memory, or NULL. size must not be 0. */
void *tern_mem_alloc(struct tern_mem *mem, size_t size);
void *tern_mem_zalloc(struct tern_mem *mem, size_t size);
void *tern_mem_realloc(struct tern_mem *mem, void *ptr, size_t size);
void tern_mem_free(struct tern_mem *mem, void *ptr); /* NULL is fine */

/* Overwrites a secret in a way that the compiler keeps. */
void tern_mem_wipe(void *ptr, size_t size);

/* A pool of pages of one size. Given-back pages are kept for the next taker, up to `keep`, so that
 * a warm connection allocates nothing. */
struct tern_pool {
    struct tern_mem *mem;
    void *free_pages; /* linked through their first word */
    size_t page_size;
    size_t kept, keep;
};

void tern_pool_init(struct tern_pool *pool, struct tern_mem *mem, size_t page_size, size_t keep);
void tern_pool_clear(struct tern_pool *pool);
void *tern_pool_take(struct tern_pool *pool); /* uninitialised, or NULL */
void tern_pool_give(struct tern_pool *pool, void *page);

#endif
