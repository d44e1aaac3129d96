/* Pointers by small numbers of which few are in use: a tree of tables of 64, as high as the largest number needs.
 *
 * What is numbered from 0 on is found in one step, and the tree of a connection with a handful of channels
 * is one table of 512 bytes.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_RADIX_H
#define TERN_BASE_RADIX_H

#include "base/slab.h"

#define TERN_RADIX_BITS 6
#define TERN_RADIX_SIZE ((uint32_t)1 << TERN_RADIX_BITS)

struct tern_radix {
    void **root;    /* NULL: there is nothing */
    unsigned shift; /* of the number, for its place in the root */
};

static inline bool tern_radix_reaches(const struct tern_radix *r, uint32_t number)
{
    return r->root != NULL && number >> r->shift < TERN_RADIX_SIZE;
}

/* NULL: nothing has that number. */
static inline void *tern_radix_find(const struct tern_radix *r, uint32_t number)
{
    void **table = r->root;
    if (!tern_radix_reaches(r, number)) {
        return NULL;
    }
    for (unsigned shift = r->shift; shift > 0 && table != NULL; shift -= TERN_RADIX_BITS) {
        table = table[number >> shift & (TERN_RADIX_SIZE - 1)];
    }
    return table == NULL ? NULL : table[number & (TERN_RADIX_SIZE - 1)];
}

/* Where the pointer of a number below 2^24 stands, NULL in it if there was none. NULL: no memory */
void **tern_radix_place(struct tern_radix *r, struct tern_slab *slab, uint32_t number);
/* The first that is not NULL from *number on, which becomes its number. NULL: there is none */
void *tern_radix_next(const struct tern_radix *r, uint32_t *number);
/* Gives the tables back, not what they point to. */
void tern_radix_clear(struct tern_radix *r, struct tern_slab *slab);

#endif
