/* Where copies go: a destination as a user writes it becomes a folder to open and a name in it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_DEST_H
#define TERNCP_DEST_H

#include <stdbool.h>

#include "terncp/proto.h"

struct dest {
    int root;                        /* the folder; the taker closes it */
    char target[PROTO_PATH_MAX + 1]; /* a name in it, or "." */
    bool is_into;                    /* entries keep their names, beneath target */
};

/* must_be_folder: there are several sources, or the sender said so. 0 or an errno. */
int dest_open(struct dest *dest, const char *destination, bool must_be_folder);

/* Is there nothing yet of what will come, whose names begin with `first`, neither whole nor unfinished? */
bool dest_is_vacant(const struct dest *dest, const char *first);

#endif
