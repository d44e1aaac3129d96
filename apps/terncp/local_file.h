/* Copying one file within this machine: by the kernel, and compared afterwards.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_LOCAL_FILE_H
#define TERNCP_LOCAL_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "terncp/attrs.h"

struct local_file {
    int from;              /* open for reading */
    const struct stat *st; /* of it */
    int folder;            /* the target's */
    const char *last;      /* its name there */
    const struct attrs *attrs;
    bool is_sparse, is_flushed, is_compared;
    /* Told as it goes on; false: stop. */
    bool (*copied)(void *user, uint64_t bytes, bool is_hole);
    void *user;
    const atomic_bool *stop; /* of the comparison; NULL: nobody will */
};

/* Under a temporary name first, and under its own only when it is whole. 0 or an errno: ESTALE, it changed
 * while it was read; EINTR or ECANCELED, it was told to stop. */
int local_file_copy(const struct local_file *file, int *xattr_error);

#endif
