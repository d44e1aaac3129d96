/* Makes the receiver's plan for a file, out of what stands in the unfinished file and in the old one. The
 * reading is done by workers, some megabytes at a time.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PLANNER_H
#define TERNCP_PLANNER_H

#include "shared/work.h"
#include "terncp/plan.h"

struct planner_source {
    int fd; /* -1: there is none */
    uint64_t size;
};

struct planner {
    struct work_job job; /* of planner_run; done and owner are the caller's */
    struct planner_source unfinished, old;
    uint64_t size;               /* of the file to come */
    uint64_t tagged, cut;        /* bytes done */
    uint8_t key[PROTO_KEY_SIZE]; /* the file's */
    struct plan_maker maker;
    struct chunk_cutter cutter;
    uint8_t *buf;
    bool is_done; /* else: submit it once more */
};

/* The sources stay open until the end. key: the file's. 0 or ENOMEM. */
int planner_init(struct planner *planner, const struct planner_source *unfinished,
                 const struct planner_source *old, bool is_in_place, uint64_t size,
                 const uint8_t key[PROTO_KEY_SIZE]);
void planner_clear(struct planner *planner);

/* job.run: goes on with the plan. What cannot be read is not in it; errors are for lack of memory alone. */
void planner_run(struct work_job *job);

#endif
