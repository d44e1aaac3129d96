/* Unfinished files: found again under a name that follows from the final one, written by one at a time.
 *
 * Whoever has one open holds a lock on it (flock), which ends with the process however that ends. What
 * stands in one is never believed: its blocks are compared with the sender's by their tags.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_PARTIAL_H
#define TERNCP_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define PARTIAL_NAME_SIZE 40

struct partial {
    int fd;                       /* for reading and writing; -1: none */
    char name[PARTIAL_NAME_SIZE]; /* in its folder; "" once it is gone from there */
    bool is_lasting;              /* the next copy will look for it under this name */
    uint64_t found;               /* bytes that stood in it when it was opened */
    dev_t device;                 /* which file it is; of EBUSY: the one that another has */
    ino_t inode;
};

/* Is this the last component of such a name? */
bool partial_is_name(const char *name);

/* The name for a final name. shared: the folder that the final name is in, when its unfinished files are
 * kept in another folder, together with those of others; else NULL. */
void partial_name(char out[PARTIAL_NAME_SIZE], const char *final, const struct stat *shared);

enum partial_choice {
    PARTIAL_LASTING, /* the unfinished file of that name, or a new one */
    PARTIAL_BUSY_OK, /* the same, but another one if somebody else writes to that */
    PARTIAL_RANDOM   /* another one */
};

/* Opens an unfinished file, or makes it. Another one has a random name and is not lasting; it is one, too, if what
 * has the name is not plainly ours (a link, somebody else's, not a file), or the file system knows no locks. 0 or
 * an errno; EBUSY: somebody else writes to it, and that was not fine. */
int partial_open(struct partial *partial, int folder, const char *name, enum partial_choice choice);

/* It has its final name now: closes it. */
void partial_finish(struct partial *partial);

/* Closes it; it stays where it is only if keep is true and the next copy can find it there. */
void partial_close(struct partial *partial, int folder, bool keep);

/* Removes what an earlier copy has left under this name, unless somebody writes to it right now. */
void partial_sweep(int folder, const char *name);

#endif
