/* Files with several names: which of those met before is the same file.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_HARDLINKS_H
#define TERNCP_HARDLINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct hardlinks;

/* Takes at most max_bytes; a file for which there is no room is copied once a name. NULL: no memory. */
struct hardlinks *hardlinks_new(size_t max_bytes);
void hardlinks_free(struct hardlinks *links);

/* The first name of the file, or NULL: this is the first (and noted, when there is room). Names must
 * not be empty. What is returned lives until the next call. */
const char *hardlinks_meet(struct hardlinks *links, const struct stat *st, const char *name);

/* Files with several names that found no room. */
size_t hardlinks_forgotten(const struct hardlinks *links);

#endif
