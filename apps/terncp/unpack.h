/* A batch of small entries, taken from a pack whole, becomes files, folders and links on a worker thread.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_UNPACK_H
#define TERNCP_UNPACK_H

#include "shared/work.h"
#include "terncp/place.h"

#define UNPACK_ENTRIES  PROTO_UNPACKED_MANY
#define UNPACK_CAPACITY PROTO_UNPACKED_MAX

struct unpack_result {
    size_t at;                /* of the entry, in the data */
    enum proto_status status; /* PROTO_IS_CURRENT, PROTO_IS_WANTED: the answer to a question */
    bool has_lost;            /* extended attributes that could not be set */
    int error;                /* an errno that says more, or 0 */
};

struct unpack {
    struct work_job job;
    struct place *place; /* held */
    uint8_t *data;       /* UNPACK_CAPACITY */
    size_t len;          /* of whole entries, when it is submitted */
    unsigned count;      /* of them; a packed batch: 1 until it is unpacked */
    bool is_packed;      /* PROTO_PACKED is what it holds, until it is unpacked */
    unsigned done;       /* entries that are settled, up to here in the data */
    size_t done_at;
    struct unpack_result results[UNPACK_ENTRIES];
};

/* job.run of an unpack: settles all of its entries into the results. job.error: ENOMEM, or EBADMSG when it
 * was packed and makes no sense; then nothing was done. Or PLACE_NOT_YET: to be run again, for the rest of it. */
void unpack_run(struct work_job *job);

#endif
