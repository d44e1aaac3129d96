/* Blocks of many sizes from lists of free ones.
 * SPDX-License-Identifier: MIT */
#include "base/slab.h"

#define GRAIN    ((size_t)16)
#define FINE_MAX ((size_t)2048) /* up to here classes are a grain apart */
#define FINE     (FINE_MAX / GRAIN)
#define STEPS    16 /* classes in each power of two above */
#define POWERS   14 /* 2 KiB to 32 MiB */
#define CLASSES  (FINE + STEPS * POWERS)

/* The class that holds `size`, and how large its blocks are. */
static size_t class_of(size_t size, size_t *rounded)
{
    size = TERN_MAX(size, GRAIN);
    if (size <= FINE_MAX) {
        size_t i = (size - 1) / GRAIN;
        *rounded = (i + 1) * GRAIN;
        return i;
    }
    size_t power = 0, base = FINE_MAX;
    while (size > 2 * base) {
        base *= 2;
        power++;
    }
    size_t step = base / STEPS;
    size_t i = (size - base - 1) / step;
    *rounded = base + (i + 1) * step;
    return FINE + power * STEPS + i;
}

size_t tern_slab_rounded(size_t size)
{
    size_t rounded;
    (void)class_of(size, &rounded);
    return rounded;
}

void tern_slab_init(struct tern_slab *slab, struct tern_mem *mem, size_t keep)
{
    memset(slab, 0, sizeof *slab);
    slab->mem = mem;
    slab->keep = keep;
}

/* Frees from the largest class down until no more than `most` bytes are kept. */
static void shrink(struct tern_slab *slab, size_t most)
{
    for (size_t i = CLASSES; slab->kept > most && i-- > 0;) {
        while (slab->classes[i] != NULL && slab->kept > most) {
            struct tern_slab_free *block = slab->classes[i];
            slab->classes[i] = block->next;
            slab->kept -= block->size;
            tern_mem_free(slab->mem, block);
        }
    }
}

void tern_slab_clear(struct tern_slab *slab)
{
    if (slab->classes != NULL) {
        shrink(slab, 0);
        tern_mem_free(slab->mem, slab->classes);
        slab->classes = NULL;
    }
}

void *tern_slab_take(struct tern_slab *slab, size_t size)
{
    size_t rounded, i = class_of(size, &rounded);
    tern_assert(size <= TERN_SLAB_MAX);
    if (slab->classes == NULL) {
        slab->classes = tern_mem_zalloc(slab->mem, CLASSES * sizeof *slab->classes);
        if (slab->classes == NULL) {
            return NULL;
        }
    }
    struct tern_slab_free *block = slab->classes[i];
    if (block == NULL) {
        return tern_mem_alloc(slab->mem, rounded);
    }
    slab->classes[i] = block->next;
    slab->kept -= rounded;
    return block;
}

void tern_slab_give(struct tern_slab *slab, void *block, size_t size)
{
    size_t rounded, i = class_of(size, &rounded);
    struct tern_slab_free *freed = block;
    tern_assert(slab->classes != NULL);
    if (rounded > slab->keep) {
        tern_mem_free(slab->mem, block);
        return;
    }
    freed->next = slab->classes[i];
    freed->size = rounded;
    slab->classes[i] = freed;
    slab->kept += rounded;
    if (slab->kept > slab->keep) { /* by a quarter at once: not at each block that comes back */
        shrink(slab, slab->keep - slab->keep / 4);
    }
}
