/* Opening and finishing, and which names are used meanwhile.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/goal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/tree.h"

#define MAKE_TRIES 16 /* whoever makes and removes it all the time shall not hold us up */

void goal_init(struct goal *goal)
{
    memset(goal, 0, sizeof *goal);
    goal->folder = goal->holder = goal->old = goal->partial.fd = -1;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* --- unfinished files ------------------------------------------------------------------------------- */

/* A folder for unfinished files in the folder that the file is in, made if need be. Never through a link, and never
 * outside. -1 with errno. */
static int open_dir(int folder, const char *dir)
{
    const char *last;
    if (!tree_is_safe(dir)) {
        errno = EXDEV;
        return -1;
    }
    int parent = tree_open_parent(folder, dir, TREE_NO_LINKS, &last);
    if (parent < 0) {
        return -1;
    }
    int fd = mkdirat(parent, last, 0700) != 0 && errno != EEXIST
                 ? -1
                 : tree_open(parent, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | TREE_NO_LINKS, 0);
    int error = errno;
    (void)close(parent);
    errno = error;
    return fd;
}

/* The folder for unfinished files: one for all of them, or one in each folder that has some. */
static int open_holder(struct goal *goal, const struct place *place)
{
    const char *dir = place->partial_dir;
    struct stat here, there;
    goal->has_dir = dir[0] != '\0' && dir[0] != '/';
    goal->holder = dir[0] == '\0'  ? fcntl(goal->folder, F_DUPFD_CLOEXEC, 0)
                   : goal->has_dir ? open_dir(goal->folder, dir)
                                   : open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (goal->holder < 0) {
        return errno;
    }
    if (fstat(goal->folder, &here) != 0 || fstat(goal->holder, &there) != 0) {
        return errno;
    }
    return here.st_dev == there.st_dev ? 0
                                       : EXDEV; /* no file is renamed into another file system */
}

static void name_partial(const struct goal *goal, const struct place *place,
                         char name[PARTIAL_NAME_SIZE])
{
    struct stat folder;
    bool is_shared = place->partial_dir[0] == '/' && fstat(goal->folder, &folder) == 0;
    partial_name(name, goal->last, is_shared ? &folder : NULL);
}

static int open_unfinished(struct goal *goal, const struct place *place, uint64_t size,
                           bool is_patient)
{
    char name[PARTIAL_NAME_SIZE];
    bool is_lasting = (place->flags & PROTO_FLAG_NO_RESUME) == 0 && size >= GOAL_LAST_MIN &&
                      size != PROTO_SIZE_UNKNOWN;
    int error = open_holder(goal, place);
    if (error != 0) {
        return error;
    }
    name_partial(goal, place, name);
    return partial_open(&goal->partial, goal->holder, name,
                        !is_lasting  ? PARTIAL_RANDOM
                        : is_patient ? PARTIAL_LASTING
                                     : PARTIAL_BUSY_OK);
}

/* --- the old version -------------------------------------------------------------------------------- */

/* Just to read from; whatever is wrong with it, the file can be made without. */
static void open_old(struct goal *goal)
{
    struct stat st;
    int fd = tree_open_regular(goal->folder, goal->last, O_RDONLY);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < GOAL_OLD_MIN) {
        (void)close(fd);
        return;
    }
    goal->old = fd;
    goal->old_size = (uint64_t)st.st_size;
}

/* What stands under the final name, made if nothing does. -1 with errno. */
static int open_or_make(const struct goal *goal)
{
    int fd = -1;
    errno = ENOENT;
    for (int i = 0; i < MAKE_TRIES && fd < 0 && (errno == ENOENT || errno == EEXIST); i++) {
        fd = tree_open_regular(goal->folder, goal->last, O_RDWR);
        if (fd < 0 && errno == ENOENT) {
            fd = openat(goal->folder, goal->last,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        }
    }
    return fd;
}

/* The file itself is what is written to, and what was there before. */
static int open_in_place(struct goal *goal, const struct place *place, uint64_t size)
{
    struct stat st;
    int fd = open_or_make(goal);
    if (fd < 0) {
        return errno;
    }
    goal->partial.fd = fd;
    goal->is_in_place = true;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    goal->partial.device = st.st_dev;
    goal->partial.inode = st.st_ino;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return EBUSY; /* two writers would make a mixture */
    }
    bool is_wanted = (place->flags & PROTO_FLAG_WHOLE_FILE) == 0 && size != PROTO_SIZE_UNKNOWN;
    goal->partial.found = (uint64_t)st.st_size;
    if (is_wanted && goal->partial.found >= GOAL_OLD_MIN) {
        goal->old = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        goal->old_size = goal->old < 0 ? 0 : goal->partial.found;
    }
    return 0;
}

/* What stands under the final name. */
static int look(struct goal *goal, struct stat *st)
{
    if (fstatat(goal->folder, goal->last, st, AT_SYMLINK_NOFOLLOW) != 0) {
        memset(st, 0, sizeof *st);
    }
    return S_ISDIR(st->st_mode) ? EISDIR : 0;
}

int goal_open(struct goal *goal, const struct place *place, const char *name, uint64_t size,
              bool is_patient)
{
    struct stat st;
    goal->folder = place_open_folder(place, name, &goal->last);
    if (goal->folder < 0) {
        return errno;
    }
    if (look(goal, &st) != 0) {
        return EISDIR;
    }
    goal->was_device = st.st_dev;
    goal->was_inode = st.st_ino;
    if ((place->flags & PROTO_FLAG_IN_PLACE) != 0 && !place->is_fresh) {
        return open_in_place(goal, place, size);
    }
    if ((place->flags & PROTO_FLAG_WHOLE_FILE) == 0 && size != PROTO_SIZE_UNKNOWN) {
        open_old(goal);
    }
    return open_unfinished(goal, place, size, is_patient);
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* What an earlier copy has left of this file, under the name that this one did not use. */
static void sweep(struct goal *goal, const struct place *place)
{
    char name[PARTIAL_NAME_SIZE];
    name_partial(goal, place, name);
    partial_sweep(goal->holder, name);
}

/* If it is empty now. */
static void remove_dir(int folder, const char *dir)
{
    const char *last;
    int parent = tree_open_parent(folder, dir, TREE_NO_LINKS, &last);
    if (parent >= 0) {
        (void)unlinkat(parent, last, AT_REMOVEDIR);
        (void)close(parent);
    }
}

int goal_finish(struct goal *goal, const struct place *place, const struct proto_entry *entry,
                const uint8_t *xattrs, uint64_t size, bool *has_lost)
{
    struct stat st;
    if (fstat(goal->partial.fd, &st) != 0 ||
        ((uint64_t)st.st_size != size && ftruncate(goal->partial.fd, (off_t)size) != 0)) {
        return errno;
    }
    /* What is written to in place has been made by us if nothing was there. */
    mode_t kept = goal->is_in_place && goal->was_inode == 0
                      ? PLACE_NO_MODE
                      : place_kept_mode(place, goal->folder, goal->last);
    struct place_modes modes = {.has = st.st_mode & 07777, .kept = kept};
    int error = place_give_attributes(place, entry, xattrs, modes, goal->partial.fd, has_lost);
    if (error != 0 || goal->is_in_place) {
        return error;
    }
    bool is_lasting = goal->partial.is_lasting;
    if (place_move(place, goal->holder, goal->partial.name, goal->folder, goal->last) != 0) {
        return errno;
    }
    partial_finish(&goal->partial);
    if (!is_lasting) {
        sweep(goal, place);
    }
    if (goal->has_dir) {
        remove_dir(goal->folder, place->partial_dir);
    }
    place_flush_folder(place, goal->folder);
    return 0;
}

/* Is there something in the unfinished file that another copy could use, of a file that none has finished
 * meanwhile? */
static bool is_worth_it(struct goal *goal)
{
    struct stat st;
    return goal->partial.is_lasting && goal->partial.fd >= 0 && fstat(goal->partial.fd, &st) == 0 &&
           (uint64_t)st.st_size >= GOAL_LAST_MIN && look(goal, &st) == 0 &&
           st.st_dev == goal->was_device && st.st_ino == goal->was_inode;
}

void goal_close(struct goal *goal, bool keep)
{
    if (goal->is_in_place) {
        close_one(&goal->partial.fd);
    } else if (goal->holder >= 0) {
        partial_close(&goal->partial, goal->holder, keep && is_worth_it(goal));
    }
    close_one(&goal->old);
    close_one(&goal->holder);
    close_one(&goal->folder);
}
