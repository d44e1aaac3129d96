/* A lane: the numbers that have come, and a sorted array of what is unfinished.
 * SPDX-License-Identifier: MIT */
#include "stream/message_lane.h"

#define CAPACITY_MIN 2

bool tern_inlane_can_add(const struct tern_inlane *lane, uint64_t start, uint64_t end, size_t limit)
{
    return start <= lane->next || tern_runs_can_add(&lane->runs, start, end, limit);
}

int tern_inlane_add(struct tern_inlane *lane, struct tern_slab *slab, uint64_t start, uint64_t end,
                    struct tern_chain waiting, size_t limit, struct tern_chain *released)
{
    *released = (struct tern_chain){NULL, NULL};
    if (start > lane->next) {
        return tern_runs_add(&lane->runs, slab, start, end, waiting, limit);
    }
    lane->next = TERN_MAX(lane->next, end);
    *released = waiting;
    if (lane->runs.count > 0) {
        *released = tern_chain_join(waiting, tern_runs_absorb(&lane->runs, slab, &lane->next));
    }
    return 0;
}

size_t tern_inlane_find(const struct tern_inlane *lane, uint64_t number)
{
    size_t low = 0, high = lane->unfinished_count;
    if (high > 0 && lane->unfinished[high - 1]->number < number) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->unfinished[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct tern_incoming *tern_inlane_unfinished(const struct tern_inlane *lane, uint64_t number)
{
    size_t at = tern_inlane_find(lane, number);
    bool is_there = at < lane->unfinished_count && lane->unfinished[at]->number == number;
    return is_there ? lane->unfinished[at] : NULL;
}

static int set_lane_capacity(struct tern_inlane *lane, struct tern_slab *slab, uint32_t capacity)
{
    struct tern_incoming **items = NULL;
    if (capacity > 0) {
        items = tern_slab_take(slab, capacity * sizeof(struct tern_incoming *));
        if (items == NULL) {
            return TERN_ERR_NOMEM;
        }
        if (lane->unfinished_count > 0) {
            memcpy(items, lane->unfinished,
                   lane->unfinished_count * sizeof(struct tern_incoming *));
        }
    }
    if (lane->unfinished != NULL) {
        tern_slab_give(slab, lane->unfinished,
                       lane->unfinished_capacity * sizeof(struct tern_incoming *));
    }
    lane->unfinished = items;
    lane->unfinished_capacity = capacity;
    return 0;
}

int tern_inlane_keep(struct tern_inlane *lane, struct tern_slab *slab, struct tern_incoming *in)
{
    size_t at = tern_inlane_find(lane, in->number);
    tern_assert(lane->unfinished_count < TERN_INLANE_UNFINISHED);
    if (lane->unfinished_count == lane->unfinished_capacity) {
        int rc =
            set_lane_capacity(lane, slab, TERN_MAX(lane->unfinished_capacity * 2, CAPACITY_MIN));
        if (rc != 0) {
            return rc;
        }
    }
    memmove(&lane->unfinished[at + 1], &lane->unfinished[at],
            (lane->unfinished_count - at) * sizeof(struct tern_incoming *));
    lane->unfinished[at] = in;
    lane->unfinished_count++;
    return 0;
}

void tern_inlane_forget(struct tern_inlane *lane, struct tern_slab *slab, size_t at, size_t n)
{
    if (n == 0) {
        return;
    }
    lane->unfinished_count -= (uint32_t)n;
    memmove(&lane->unfinished[at], &lane->unfinished[at + n],
            (lane->unfinished_count - at) * sizeof(struct tern_incoming *));
    uint32_t capacity = lane->unfinished_count == 0 ? 0 : lane->unfinished_capacity;
    while (capacity > CAPACITY_MIN && lane->unfinished_count <= capacity / 4) {
        capacity /= 2;
    }
    if (capacity < lane->unfinished_capacity) {
        int rc = set_lane_capacity(lane, slab, capacity);
        (void)rc; /* without memory it stays as large as it was */
    }
}

static void free_chain(struct tern_chain chain, struct tern_slab *slab)
{
    struct tern_list *node = chain.first;
    while (node != NULL) {
        struct tern_list *after = node == chain.last ? NULL : node->next;
        tern_incoming_free(TERN_CONTAINER_OF(node, struct tern_incoming, u.link), slab);
        node = after;
    }
}

void tern_inlane_clear(struct tern_inlane *lane, struct tern_slab *slab)
{
    for (size_t i = 0; i < lane->runs.count; i++) {
        free_chain(lane->runs.items[i].chain, slab);
    }
    tern_runs_clear(&lane->runs, slab);
    for (size_t i = 0; i < lane->unfinished_count; i++) {
        tern_runs_clear(&lane->unfinished[i]->u.pieces, slab);
        tern_incoming_free(lane->unfinished[i], slab);
    }
    lane->unfinished_count = 0;
    if (lane->unfinished_capacity > 0) {
        int rc = set_lane_capacity(lane, slab, 0);
        tern_assert(rc == 0); /* nothing is allocated */
        (void)rc;
    }
}
