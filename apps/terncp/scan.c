/* Blocks, one after another: their leaves, and what the match makes of them.
 * SPDX-License-Identifier: MIT */
#include "terncp/scan.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "shared/whole.h"

#define RUNS_MAX 512 /* that may wait */

_Static_assert(MATCH_BLOCK == PROTO_BLOCK, "what is kept are blocks of the hash");

int scan_init(struct scan *scan, const struct plan *plan, int fd, uint64_t size,
              const uint8_t key[PROTO_KEY_SIZE])
{
    const struct signs *base = plan->base.count > 0 ? &plan->base : NULL;
    uint64_t tagged = plan->tags_read * MATCH_BLOCK;
    uint8_t chunks[PROTO_KEY_SIZE];
    memset(scan, 0, sizeof *scan);
    scan->plan = plan;
    scan->fd = fd;
    scan->end = base != NULL || size < tagged ? size : tagged;
    scan->job.run = scan_run;
    memcpy(scan->key, key, sizeof scan->key);
    chunk_key(key, chunks);
    int error = match_init(&scan->match, base, plan->level, chunks,
                           (plan->flags & PLAN_IN_PLACE) != 0, plan->tags_read);
    sodium_memzero(chunks, sizeof chunks);
    scan->buf = malloc(PROTO_BLOCK);
    return scan->buf == NULL ? ENOMEM : error;
}

void scan_begin_at(struct scan *scan, uint64_t from)
{
    scan->at = from;
    scan->end = scan->end < from ? from : scan->end;
    match_begin_at(&scan->match, from);
}

void scan_clear(struct scan *scan)
{
    free(scan->buf);
    match_clear(&scan->match);
    match_queue_clear(&scan->ready);
    sodium_memzero(scan, sizeof *scan);
}

bool scan_go(struct scan *scan, struct work *work)
{
    if (scan->is_out || scan->is_done || scan->ready.count >= RUNS_MAX) {
        return false;
    }
    scan->is_out = true;
    work_submit(work, &scan->job);
    return true;
}

int scan_back(struct scan *scan, struct hash_root *root)
{
    struct match_run run;
    int error = scan->job.error;
    scan->is_out = false;
    scan->is_done = scan->at == scan->end;
    for (unsigned i = 0; i < scan->leaf_count; i++) {
        hash_root_add(root, scan->leaves[i]);
    }
    while (error == 0 && match_queue_pop(&scan->match.queue, &run)) {
        error = match_queue_push(&scan->ready, &run);
    }
    return error;
}

bool scan_pop(struct scan *scan, struct match_run *out)
{
    return match_queue_pop(&scan->ready, out);
}

bool scan_is_over(const struct scan *scan)
{
    return scan->is_done && scan->ready.count == 0;
}

void scan_run(struct work_job *job)
{
    struct scan *scan = (struct scan *)(void *)job;
    scan->leaf_count = 0;
    while (scan->at < scan->end && scan->leaf_count < SCAN_BLOCKS) {
        uint64_t left = scan->end - scan->at, block = scan->at / PROTO_BLOCK;
        size_t n = left < PROTO_BLOCK ? (size_t)left : PROTO_BLOCK;
        uint8_t *leaf = scan->leaves[scan->leaf_count];
        job->error = whole_pread(scan->fd, scan->buf, n, scan->at);
        if (job->error != 0) {
            return;
        }
        hash_leaf(scan->key, block, scan->buf, n, leaf);
        scan->at += n;
        scan->leaf_count++;
        job->error =
            match_feed(&scan->match, scan->buf, n, plan_has_block(scan->plan, block, leaf));
        if (job->error != 0) {
            return;
        }
    }
    if (scan->at == scan->end) {
        job->error = match_end(&scan->match);
    }
}
