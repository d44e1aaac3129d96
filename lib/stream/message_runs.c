/* Runs of numbers: joined, begun, and taken away from below.
 * SPDX-License-Identifier: MIT */
#include "stream/message_runs.h"

#define CAPACITY_MIN 2

struct tern_chain tern_chain_join(struct tern_chain a, struct tern_chain b)
{
    if (a.first == NULL) {
        return b;
    }
    if (b.first == NULL) {
        return a;
    }
    a.last->next = b.first;
    b.first->prev = a.last;
    return (struct tern_chain){a.first, b.last};
}

void tern_chain_append(struct tern_chain chain, struct tern_list *head)
{
    if (chain.first != NULL) {
        chain.first->prev = head->prev;
        head->prev->next = chain.first;
        chain.last->next = head;
        head->prev = chain.last;
    }
}

void tern_runs_clear(struct tern_runs *runs, struct tern_slab *slab)
{
    if (runs->items != NULL) {
        tern_slab_give(slab, runs->items, runs->capacity * sizeof *runs->items);
    }
    memset(runs, 0, sizeof *runs);
}

static int set_capacity(struct tern_runs *runs, struct tern_slab *slab, uint32_t capacity)
{
    struct tern_run *items = tern_slab_take(slab, capacity * sizeof *items);
    if (items == NULL) {
        return TERN_ERR_NOMEM;
    }
    if (runs->items != NULL) {
        memcpy(items, runs->items, runs->count * sizeof *items);
        tern_slab_give(slab, runs->items, runs->capacity * sizeof *items);
    }
    runs->items = items;
    runs->capacity = capacity;
    return 0;
}

/* The top is looked at first, since that is where nearly everything happens. */
size_t tern_runs_find(const struct tern_runs *runs, uint64_t value)
{
    size_t low = 0, high = runs->count;
    if (high > 0 && runs->items[high - 1].end < value) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (runs->items[middle].end < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool tern_runs_has(const struct tern_runs *runs, uint64_t value)
{
    size_t at = tern_runs_find(runs, value + 1);
    return at < runs->count && runs->items[at].start <= value;
}

uint64_t tern_runs_overlap(const struct tern_runs *runs, uint64_t start, uint64_t end)
{
    uint64_t n = 0;
    for (size_t i = tern_runs_find(runs, start); i < runs->count && runs->items[i].start < end;
         i++) {
        n += tern_sub_sat(TERN_MIN(runs->items[i].end, end), TERN_MAX(runs->items[i].start, start));
    }
    return n;
}

bool tern_runs_can_add(const struct tern_runs *runs, uint64_t start, uint64_t end, size_t limit)
{
    if (runs->count < limit) {
        return true;
    }
    size_t at = tern_runs_find(runs, start);
    return at < runs->count && runs->items[at].start <= end;
}

/* Takes n runs out, and gives back memory when three quarters of it lie idle: many lanes may each have
 * had their thousand once. */
static void erase_runs(struct tern_runs *runs, struct tern_slab *slab, size_t at, size_t n)
{
    if (n == 0) {
        return;
    }
    runs->count -= (uint32_t)n;
    memmove(&runs->items[at], &runs->items[at + n], (runs->count - at) * sizeof *runs->items);
    if (runs->count == 0) {
        tern_runs_clear(runs, slab);
        return;
    }
    uint32_t capacity = runs->capacity;
    while (capacity > CAPACITY_MIN && runs->count <= capacity / 4) {
        capacity /= 2;
    }
    if (capacity < runs->capacity) {
        int rc = set_capacity(runs, slab, capacity);
        (void)rc; /* without memory it stays as large as it was */
    }
}

static int insert_run(struct tern_runs *runs, struct tern_slab *slab, size_t at,
                      struct tern_run run, size_t limit)
{
    if (runs->count >= limit) {
        return TERN_ERR_AGAIN;
    }
    if (runs->count == runs->capacity) {
        int rc = set_capacity(runs, slab, TERN_MAX(runs->capacity * 2, CAPACITY_MIN));
        if (rc != 0) {
            return rc;
        }
    }
    memmove(&runs->items[at + 1], &runs->items[at], (runs->count - at) * sizeof run);
    runs->items[at] = run;
    runs->count++;
    return 0;
}

int tern_runs_add(struct tern_runs *runs, struct tern_slab *slab, uint64_t start, uint64_t end,
                  struct tern_chain chain, size_t limit)
{
    struct tern_run whole = {start, end, {NULL, NULL}};
    size_t at = tern_runs_find(runs, start), after = at;
    tern_assert(start < end);
    if (at == runs->count || runs->items[at].start > end) {
        whole.chain = chain;
        return insert_run(runs, slab, at, whole, limit);
    }
    for (; after < runs->count && runs->items[after].start <= whole.end; after++) {
        struct tern_run *run = &runs->items[after];
        if (run->start > start) { /* what waits at `start` comes before what waits in there */
            whole.chain = tern_chain_join(whole.chain, chain);
            chain = (struct tern_chain){NULL, NULL};
        }
        whole.start = TERN_MIN(whole.start, run->start);
        whole.end = TERN_MAX(whole.end, run->end);
        whole.chain = tern_chain_join(whole.chain, run->chain);
    }
    whole.chain = tern_chain_join(whole.chain, chain);
    runs->items[at] = whole;
    erase_runs(runs, slab, at + 1, after - at - 1);
    return 0;
}

struct tern_chain tern_runs_absorb(struct tern_runs *runs, struct tern_slab *slab, uint64_t *bound)
{
    struct tern_chain chain = {NULL, NULL};
    size_t n = 0;
    for (; n < runs->count && runs->items[n].start <= *bound; n++) {
        *bound = TERN_MAX(*bound, runs->items[n].end);
        chain = tern_chain_join(chain, runs->items[n].chain);
    }
    erase_runs(runs, slab, 0, n);
    return chain;
}
