/* Tags of blocks first, then chunks.
 * SPDX-License-Identifier: MIT */
#include "terncp/planner.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "shared/whole.h"
#include "terncp/hash.h"

#define PIECE ((uint64_t)PROTO_BLOCK)
#define ROUND (8 * PIECE) /* of one job, so that other files have their turn */

int planner_init(struct planner *planner, const struct planner_source *unfinished,
                 const struct planner_source *old, bool is_in_place, uint64_t size,
                 const uint8_t key[PROTO_KEY_SIZE])
{
    memset(planner, 0, sizeof *planner);
    planner->unfinished = *unfinished;
    planner->old = *old;
    planner->size = size;
    planner->job.run = planner_run;
    memcpy(planner->key, key, sizeof planner->key);
    unsigned level = old->fd >= 0 ? chunk_level(old->size) : 0;
    if (level > 0) {
        uint8_t chunks[PROTO_KEY_SIZE];
        chunk_key(key, chunks);
        chunk_cutter_init(&planner->cutter, level, chunks);
        sodium_memzero(chunks, sizeof chunks);
    }
    planner->buf = malloc(PIECE);
    return planner->buf == NULL
               ? ENOMEM
               : plan_maker_init(&planner->maker, is_in_place ? PLAN_IN_PLACE : 0, level);
}

void planner_clear(struct planner *planner)
{
    free(planner->buf);
    plan_maker_clear(&planner->maker);
    sodium_memzero(planner, sizeof *planner);
}

/* A whole block, or what is the last of the file to come; 0: there are no more of these. */
static size_t tag_one(struct planner *planner)
{
    uint8_t tag[PLAN_TAG_SIZE];
    uint64_t at = planner->tagged;
    uint64_t n = planner->size - at < PIECE ? planner->size - at : PIECE;
    if (planner->unfinished.fd < 0 || n == 0 || planner->unfinished.size < at + n ||
        at / PIECE >= PLAN_TAGS_MAX ||
        whole_pread(planner->unfinished.fd, planner->buf, (size_t)n, at) != 0) {
        return 0;
    }
    hash_leaf(planner->key, at / PIECE, planner->buf, (size_t)n, tag);
    planner->job.error = plan_maker_tag(&planner->maker, tag);
    planner->tagged += n;
    return (size_t)n;
}

/* The next piece of the old file; 0: it is over. */
static size_t cut_one(struct planner *planner)
{
    struct chunk chunk;
    uint64_t left = planner->old.fd < 0 ? 0 : planner->old.size - planner->cut;
    size_t len = left < PIECE ? (size_t)left : (size_t)PIECE;
    if (len == 0 || planner->maker.chunks == CHUNK_COUNT_MAX ||
        whole_pread(planner->old.fd, planner->buf, len, planner->cut) != 0) {
        return 0;
    }
    for (size_t at = 0; at < len && planner->job.error == 0;) {
        bool is_whole;
        at += chunk_cutter_take(&planner->cutter, planner->buf + at, len - at, &chunk, &is_whole);
        planner->job.error = is_whole ? plan_maker_chunk(&planner->maker, &chunk) : 0;
    }
    planner->cut += len;
    return len;
}

static void end(struct planner *planner)
{
    struct chunk chunk;
    if (planner->old.fd >= 0 && chunk_cutter_end(&planner->cutter, &chunk)) {
        planner->job.error = plan_maker_chunk(&planner->maker, &chunk);
    }
    plan_maker_end(&planner->maker);
    free(planner->buf);
    planner->buf = NULL;
    planner->is_done = true;
}

void planner_run(struct work_job *job)
{
    struct planner *planner = (struct planner *)(void *)job;
    size_t n = 1;
    for (uint64_t done = 0; done < ROUND && n > 0 && job->error == 0; done += n) {
        n = tag_one(planner);
        n = n == 0 && job->error == 0 ? cut_one(planner) : n;
    }
    if (n == 0) {
        end(planner);
    }
}
