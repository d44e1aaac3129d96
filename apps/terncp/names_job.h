/* What a request about names does to the disk, in a thread of its own: a slow disk, or a folder with a
 * million names, must not hold up the copies beside it.
 *
 * The thread writes its answer into a buffer of bounded size and waits when that is full; the loop
 * takes from it what the connection takes. So memory does not grow with the folder.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_JOB_H
#define TERNCP_NAMES_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "terncp/names.h"

struct names_job;
/* Something can be taken, or the job is over. From the job's own thread: it must do no more than wake
 * the loop. */
typedef void (*names_wake_fn)(void *user);

/* Begins what `ask` says, beneath the folder `root` (duplicated; -1: wherever its path leads). NULL with
 * errno. */
struct names_job *names_job_new(int root, const struct names_message *ask, names_wake_fn wake,
                                void *user);

/* What came of it, for a log. */
struct names_result {
    uint64_t count; /* told, removed or made */
    uint64_t failed;
    char why[PROTO_TEXT_MAX]; /* the first failure; "" for none */
};
/* Ends it after the call to the kernel that it is in; what was removed or made until then stays so.
 * NULL is fine. */
void names_job_free(struct names_job *job, struct names_result *out);

/* Up to `size` bytes of the answer; 0 when there are none now, -1 at its end. */
long names_job_take(struct names_job *job, uint8_t *out, size_t size);

#endif
