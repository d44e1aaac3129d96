/* Runs of numbers that have come above a gap, each with the messages that wait in it.
 *
 * A number joins the end or the start of a run, closes the gap between two, or begins one: whatever
 * waits in a run is a chain, so that a thousand runs, and not the messages in them, are the most that is
 * ever searched or moved. The bytes of a message that is put together are tracked likewise, without
 * chains. SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_RUNS_H
#define TERN_STREAM_MESSAGE_RUNS_H

#include "base/list.h"
#include "base/slab.h"

/* Nodes one after another whose ends lead nowhere; NULL, NULL: none. */
struct tern_chain {
    struct tern_list *first, *last;
};

struct tern_run {
    uint64_t start, end; /* [start, end) */
    struct tern_chain chain;
};

/* Ascending, disjoint, never touching. All zero: empty, and without memory. */
struct tern_runs {
    struct tern_run *items;
    uint32_t count, capacity;
};

struct tern_chain tern_chain_join(struct tern_chain a, struct tern_chain b);
void tern_chain_append(struct tern_chain chain, struct tern_list *head); /* to the end of a list */

/* Forgets all; the chains are the caller's. */
void tern_runs_clear(struct tern_runs *runs, struct tern_slab *slab);

/* The index of the first run that ends at `value` or above; count: none. */
size_t tern_runs_find(const struct tern_runs *runs, uint64_t value);
bool tern_runs_has(const struct tern_runs *runs, uint64_t value);
/* How many numbers of [start, end) are in runs. */
uint64_t tern_runs_overlap(const struct tern_runs *runs, uint64_t start, uint64_t end);

/* Would [start, end), start < end, leave at most `limit` runs, or no more than there are? */
bool tern_runs_can_add(const struct tern_runs *runs, uint64_t start, uint64_t end, size_t limit);
/* Adds it. `chain` is what waits at `start`, if that was in no run. 0 · TERN_ERR_AGAIN (not can_add) ·
 * TERN_ERR_NOMEM; then nothing has changed. */
TERN_MUST_CHECK int tern_runs_add(struct tern_runs *runs, struct tern_slab *slab, uint64_t start,
                                  uint64_t end, struct tern_chain chain, size_t limit);

/* All below *bound has come: takes away the runs that start at or below it, and raises it to the end of
 * the last. Returns what waited in them. */
struct tern_chain tern_runs_absorb(struct tern_runs *runs, struct tern_slab *slab, uint64_t *bound);

#endif
