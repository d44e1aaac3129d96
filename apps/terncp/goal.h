/* Where one larger file is written: an unfinished file that an earlier copy may have left, a new one, or the
 * file itself; and the old version, if there is one. All of it is a worker's business.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_GOAL_H
#define TERNCP_GOAL_H

#include "terncp/partial.h"
#include "terncp/place.h"

#define GOAL_OLD_MIN  ((uint64_t)64 << 10) /* a smaller old version is not worth a look */
#define GOAL_LAST_MIN PROTO_BLOCK          /* of a smaller file there is nothing to go on with */

struct goal {
    const char *last;       /* the final name, in its folder */
    int folder, holder;     /* what holds the file, and the unfinished one; -1: none */
    struct partial partial; /* .fd is what is written to; -1: none */
    int old;                /* -1: none, or it does not count */
    uint64_t old_size;
    bool is_in_place;
    dev_t was_device; /* of what stood under the final name; 0: nothing did */
    ino_t was_inode;
    bool has_dir; /* the holder is a folder for unfinished files in this folder */
};

/* A goal that is not open. */
void goal_init(struct goal *goal);
/* `name` is the path beneath the place's root, and must stay. 0 or an errno, and then it is to be closed,
 * too; EBUSY: another copy writes to it, unless is_patient is false, and it is done another way. */
int goal_open(struct goal *goal, const struct place *place, const char *name, uint64_t size,
              bool is_patient);

/* The file is `size` bytes long now: gives it all that it shall have, its name last. `xattrs` and has_lost as
 * place_give_attributes. 0 or an errno. */
int goal_finish(struct goal *goal, const struct place *place, const struct proto_entry *entry,
                const uint8_t *xattrs, uint64_t size, bool *has_lost);

/* keep: an unfinished file that another copy can find and use stays, unless the file was finished by one
 * meanwhile. */
void goal_close(struct goal *goal, bool keep);

#endif
