/* --delete: what stands in the copied folders and the sender did not name goes away.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_MIRROR_H
#define TERNCP_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "terncp/filter.h"

struct mirror;

/* Something was removed (error 0; with is_dry: would be), or could not be. */
typedef void (*mirror_removed_fn)(void *user, const char *name, int error);

struct mirror_request {
    int root;                    /* duplicated */
    int flags;                   /* as for tree_open() */
    const struct filter *filter; /* what it leaves out is left alone; NULL: none. Borrowed. */
    uint64_t max;                /* names to remove at most */
    bool is_dry;
};

struct mirror *mirror_new(
    const struct mirror_request *request); /* NULL: no memory, no descriptor */
void mirror_free(struct mirror *mirror);

/* The sender has named this; `name` is beneath root. 0 or an errno: nothing may be removed then, and
 * mirror_run() removes nothing. */
int mirror_note(struct mirror *mirror, const char *name);
/* This is a folder copied with all that is in it: it is to be cleaned. */
int mirror_note_top(struct mirror *mirror, const char *name);

/* 0, or the first errno. *kept: names that stand because of `max`. A dry run over more names than memory
 * holds may tell one twice. */
int mirror_run(struct mirror *mirror, mirror_removed_fn removed, void *user, uint64_t *kept);

#endif
