/* Worker threads, so that neither the disk nor a hash stops the wire. Jobs are run by any thread in any
 * order, and come back on the loop's own thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_WORK_H
#define TERN_APPS_WORK_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

#define WORK_THREADS     2 /* enough for reading, writing and hashing */
#define WORK_THREADS_MAX 4 /* with compression, on a machine that has so many processors */

struct work;
struct work_job;
typedef void (*work_fn)(struct work_job *job);

struct work_job {
    work_fn run;  /* on a worker's thread; not at all when work_free is quicker */
    work_fn done; /* on the loop's thread */
    void *owner;
    int error;    /* an errno, or 0; ECANCELED: not run */
    bool is_long; /* it may take minutes: others do not wait behind it */
    struct work *work;
    struct work_job *next; /* the work's own, while the job is out */
};

/* NULL when threads cannot be had. */
struct work *work_new(struct ev_loop *loop);
void work_free(struct work *work); /* waits for what is running; every job comes back first */
void work_grow(struct work *work); /* there is compressing to do */
void work_submit(struct work *work, struct work_job *job);
struct ev_loop *work_loop(struct work *work);
/* For what no two of its jobs are to do at once. */
pthread_mutex_t *work_turn(struct work *work);

#endif
