/* The sender's side of a plan: reads the file, finds out by its blocks and chunks what the receiver has,
 * and makes the leaves of its hash. Workers do it, some megabytes at a time and not far ahead.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SCAN_H
#define TERNCP_SCAN_H

#include "shared/work.h"
#include "terncp/hash.h"
#include "terncp/match.h"
#include "terncp/plan.h"

#define SCAN_BLOCKS 4 /* of one job */

struct scan {
    struct work_job job; /* of scan_run; done and owner are the caller's */
    const struct plan *plan;
    int fd;
    uint64_t end, at;   /* what there is to scan, and how far it is */
    struct match match; /* the worker's, while the job is out */
    struct match_queue ready;
    uint8_t key[PROTO_KEY_SIZE]; /* the file's */
    uint8_t leaves[SCAN_BLOCKS][PROTO_LEAF_SIZE];
    unsigned leaf_count; /* new ones, when the job is back */
    uint8_t *buf;
    bool is_done, is_out; /* everything is read; the job is with the workers */
};

/* Without an old file the scan ends where the plan's tags do: everything behind is to be sent. The plan must
 * stay. key: the file's. 0 or ENOMEM. */
int scan_init(struct scan *scan, const struct plan *plan, int fd, uint64_t size,
              const uint8_t key[PROTO_KEY_SIZE]);
void scan_clear(struct scan *scan);
/* Right after init: the file was sent up to `from`, whole blocks of it, before the plan came. */
void scan_begin_at(struct scan *scan, uint64_t from);

/* Hands the job to the workers, unless it is out, everything was read, or so many runs wait that they would
 * take memory. False: not so. */
bool scan_go(struct scan *scan, struct work *work);
/* The job is back: takes over its runs and gives its leaves to the root. 0 or an errno. */
int scan_back(struct scan *scan, struct hash_root *root);
/* The next run. False: there is none yet. */
bool scan_pop(struct scan *scan, struct match_run *out);
/* Every run was popped. */
bool scan_is_over(const struct scan *scan);

/* job.run: reads on. */
void scan_run(struct work_job *job);

#endif
