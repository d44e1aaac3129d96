/* What the parts of a file that is being received share: pull_file.c (steps, blocks, the end) and pull_plan.c
 * (what it is written to, and what the sender is told of that).
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PULL_FILE_H
#define TERNCP_PULL_FILE_H

#include <ev.h>

#include "terncp/block.h"
#include "terncp/goal.h"
#include "terncp/hash.h"
#include "terncp/planner.h"
#include "terncp/pull_parts.h"

struct pull_file {
    struct pull_stream s;
    struct place *place;
    struct proto_entry entry;
    char target[PROTO_PATH_MAX + 1];
    uint8_t front[PROTO_HEADER_MAX];
    size_t front_used;
    uint8_t *attrs; /* entry.attrs bytes, as they come */
    size_t attrs_used;
    bool has_entry, has_begun, is_open, is_settled, has_lost;
    struct goal goal; /* what is written to, and the old version */
    unsigned tries;   /* to open it, while another has it */
    struct ev_timer again;
    struct ev_loop *loop;
    struct pull_file *other, **other_link; /* the list of those that write to an unfinished file */
    bool may_stay;                         /* unfinished as it is, for another copy to go on with */
    struct planner *planner;
    struct plan_maker plan; /* once it is made */
    size_t plan_at;         /* bytes of it that were written */
    bool has_plan, has_slot;
    struct work_job opening, closing, pausing;
    bool is_pausing; /* in the middle of a long hole */
    /* The step that is being taken. */
    struct proto_step step;
    uint8_t step_bytes[PROTO_STEP_MAX];
    size_t step_used;
    uint64_t step_left; /* of its bytes, or of what it makes */
    bool has_step, is_last, is_sparse;
    uint64_t made; /* of the file */
    uint8_t *packed;
    struct block *filling;
    struct block *first, **last; /* with the workers, in order */
    unsigned waiting, out;       /* in `first`; with the workers, all kinds of jobs */
    uint8_t key[PROTO_KEY_SIZE];
    struct hash_root root;
    uint8_t hash[PROTO_HASH_SIZE];
    size_t hash_used;
    bool has_end, is_intact, is_closing;
};

/* Once: what comes of it is told. by_peer: the sender gave it up. */
void pull_file_settle(struct pull_file *file, enum proto_status status, const char *why,
                      bool by_peer);
void pull_file_fail(struct pull_file *file, int error);
/* Settled: lets go of what nobody has any more. The file may be gone afterwards; so it may after a job. */
void pull_file_rest(struct pull_file *file);
void pull_file_after_job(struct pull_file *file);

void pull_plan_init(struct pull_file *file);
void pull_plan_open(struct pull_file *file);  /* begins: opens what it is written to */
void pull_plan_make(struct pull_file *file);  /* makes the plan, if it is time for that */
void pull_plan_write(struct pull_file *file); /* as much of it as the stream takes */
void pull_plan_stop(struct pull_file *file);  /* the file is settled, or its session over */
void pull_plan_leave(struct pull_file *file); /* no worker has the file any more */

#endif
