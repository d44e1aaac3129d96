/* Pointers by small numbers of which few are in use.
 * SPDX-License-Identifier: MIT */
#include "base/radix.h"

#define TABLE (TERN_RADIX_SIZE * sizeof(void *))
#define MASK  (TERN_RADIX_SIZE - 1)
/* Below: a shift never reaches a number's width. */
#define NUMBER ((uint32_t)1 << 4 * TERN_RADIX_BITS)

static void **new_table(struct tern_slab *slab)
{
    void **table = tern_slab_take(slab, TABLE);
    for (uint32_t i = 0; table != NULL && i < TERN_RADIX_SIZE; i++) {
        table[i] = NULL;
    }
    return table;
}

/* A root that reaches the number; the one before is its first. */
static bool grow_levels(struct tern_radix *r, struct tern_slab *slab, uint32_t number)
{
    while (!tern_radix_reaches(r, number)) {
        void **root = new_table(slab);
        if (root == NULL) {
            return false;
        }
        root[0] = r->root;
        r->shift += r->root != NULL ? TERN_RADIX_BITS : 0;
        r->root = root;
    }
    return true;
}

void **tern_radix_place(struct tern_radix *r, struct tern_slab *slab, uint32_t number)
{
    tern_assert(number < NUMBER);
    if (!grow_levels(r, slab, number)) {
        return NULL;
    }
    void **table = r->root;
    for (unsigned shift = r->shift; shift > 0; shift -= TERN_RADIX_BITS) {
        void **place = &table[number >> shift & MASK];
        if (*place == NULL && (*place = new_table(slab)) == NULL) {
            return NULL;
        }
        table = *place;
    }
    return &table[number & MASK];
}

void *tern_radix_next(const struct tern_radix *r, uint32_t *number)
{
    uint32_t at = *number;
    while (tern_radix_reaches(r, at)) {
        void **table = r->root;
        unsigned shift = r->shift;
        for (; shift > 0 && table[at >> shift & MASK] != NULL; shift -= TERN_RADIX_BITS) {
            table = table[at >> shift & MASK];
        }
        if (shift == 0 && table[at & MASK] != NULL) {
            *number = at;
            return table[at & MASK];
        }
        at = ((at >> shift) + 1) << shift; /* behind all that this place could lead to */
    }
    return NULL;
}

static void clear_table(struct tern_slab *slab, void **table, unsigned shift)
{
    for (uint32_t i = 0; shift > 0 && i < TERN_RADIX_SIZE; i++) {
        if (table[i] != NULL) {
            clear_table(slab, table[i], shift - TERN_RADIX_BITS);
        }
    }
    tern_slab_give(slab, table, TABLE);
}

void tern_radix_clear(struct tern_radix *r, struct tern_slab *slab)
{
    if (r->root != NULL) {
        clear_table(slab, r->root, r->shift);
    }
    *r = (struct tern_radix){.root = NULL};
}
