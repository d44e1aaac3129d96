/* Blocks of many sizes from lists of free ones, so that what is warm allocates nothing.
 *
 * Sizes are rounded up to a class: by 16 bytes up to 2 KiB, then by a sixteenth of the power of two.
 * Free blocks are kept up to a number of bytes in all, and the largest of them are given back first.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_SLAB_H
#define TERN_BASE_SLAB_H

#include "base/mem.h"

#define TERN_SLAB_MAX ((size_t)17 * 1024 * 1024) /* larger ones are asserted against */

/* What a free block holds. */
struct tern_slab_free {
    struct tern_slab_free *next;
    size_t size;
};

struct tern_slab {
    struct tern_mem *mem;
    struct tern_slab_free **classes; /* heads of the lists, allocated with the first block */
    size_t kept, keep;               /* bytes in them, and at most */
};

void tern_slab_init(struct tern_slab *slab, struct tern_mem *mem, size_t keep);
void tern_slab_clear(struct tern_slab *slab); /* blocks that are out must have come back before */

/* Uninitialised, aligned for anything; NULL: no memory. */
void *tern_slab_take(struct tern_slab *slab, size_t size);
void tern_slab_give(struct tern_slab *slab, void *block,
                    size_t size);      /* the size it was taken with */
size_t tern_slab_rounded(size_t size); /* what a block of that size really takes */

#endif
