/* Worker threads, so that neither the disk nor a hash stops the wire. Jobs are run by any thread in any
 * order, and come back on the loop's own thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_WORK_H
#define TERNCP_WORK_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "terncp/proto.h"

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

/* Reading or writing one block of a file, and its leaf. */
struct work_block {
    struct work_job job; /* error: a read that ends early is ESTALE (the file shrank) */
    int fd;
    uint64_t offset;
    size_t len;
    uint8_t *data;               /* the owner's, of at least len bytes */
    uint8_t key[PROTO_KEY_SIZE]; /* of the file's hash */
    uint8_t leaf[PROTO_LEAF_SIZE];
    bool has_no_leaf; /* and needs none */
};

/* What such a job runs. */
void work_read(struct work_job *job);
void work_write(struct work_job *job);

/* All of a part of a file, or an errno. */
int work_pread(int fd, uint8_t *data, size_t len, uint64_t offset);
int work_pwrite(int fd, const uint8_t *data, size_t len, uint64_t offset);

#endif
