/* A batch of small entries, taken from a pack whole, becomes files, folders and links on a worker thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_UNPACK_H
#define TERNCP_UNPACK_H

#include "terncp/place.h"
#include "terncp/work.h"

#define UNPACK_ENTRIES  128
#define UNPACK_CAPACITY ((size_t)512 << 10)

struct unpack_result {
    size_t at; /* of the entry, in the data */
    enum proto_status status;
    int error; /* an errno that says more, or 0 */
};

struct unpack {
    struct work_job job;
    struct place *place; /* held */
    uint8_t *data;       /* UNPACK_CAPACITY */
    size_t len;          /* of whole entries, when it is submitted */
    unsigned count;
    struct unpack_result results[UNPACK_ENTRIES];
};

/* job.run of an unpack: settles all of its entries into the results. */
void unpack_run(struct work_job *job);

#endif
