/* The caller's allocator with malloc as the default, and the page pool.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>

static void *default_alloc(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void *default_realloc(void *user, void *ptr, size_t size)
{
    (void)user;
    return realloc(ptr, size);
}

static void default_free(void *user, void *ptr)
{
    (void)user;
    free(ptr);
}

void tern_mem_init(struct tern_mem *mem, const tern_allocator *hooks)
{
    if (hooks != NULL && hooks->alloc != NULL && hooks->realloc != NULL && hooks->free != NULL) {
        mem->hooks = *hooks;
        return;
    }
    mem->hooks = (tern_allocator){
        .alloc = default_alloc, .realloc = default_realloc, .free = default_free, .user = NULL};
}

void *tern_mem_alloc(struct tern_mem *mem, size_t size)
{
    tern_assert(size > 0);
    return mem->hooks.alloc(mem->hooks.user, size);
}

void *tern_mem_zalloc(struct tern_mem *mem, size_t size)
{
    void *ptr = tern_mem_alloc(mem, size);
    if (ptr != NULL) {
        memset(ptr, 0, size);
    }
    return ptr;
}

void *tern_mem_realloc(struct tern_mem *mem, void *ptr, size_t size)
{
    tern_assert(size > 0);
    return ptr == NULL ? tern_mem_alloc(mem, size) : mem->hooks.realloc(mem->hooks.user, ptr, size);
}

void tern_mem_free(struct tern_mem *mem, void *ptr)
{
    if (ptr != NULL) {
        mem->hooks.free(mem->hooks.user, ptr);
    }
}

void tern_mem_wipe(void *ptr, size_t size)
{
    sodium_memzero(ptr, size);
}

void tern_pool_init(struct tern_pool *pool, struct tern_mem *mem, size_t page_size, size_t keep)
{
    tern_assert(page_size >= sizeof(void *));
    memset(pool, 0, sizeof *pool);
    pool->mem = mem;
    pool->page_size = page_size;
    pool->keep = keep;
}

void tern_pool_clear(struct tern_pool *pool)
{
    while (pool->free_pages != NULL) {
        void *page = pool->free_pages;
        memcpy(&pool->free_pages, page, sizeof pool->free_pages);
        tern_mem_free(pool->mem, page);
    }
    pool->kept = 0;
}

void *tern_pool_take(struct tern_pool *pool)
{
    void *page = pool->free_pages;
    if (page == NULL) {
        return tern_mem_alloc(pool->mem, pool->page_size);
    }
    memcpy(&pool->free_pages, page, sizeof pool->free_pages);
    pool->kept--;
    return page;
}

void tern_pool_give(struct tern_pool *pool, void *page)
{
    if (pool->kept >= pool->keep) {
        tern_mem_free(pool->mem, page);
        return;
    }
    memcpy(page, &pool->free_pages, sizeof pool->free_pages);
    pool->free_pages = page;
    pool->kept++;
}
