/* Names and folders: what a name may be, opening it without leaving a root, walking a tree.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TREE_H
#define TERNCP_TREE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "terncp/filter.h"
#include "terncp/proto.h"

#define TREE_DEPTH_MAX 128

/* Besides the flags of open(): no component may be a symbolic link, not even one that stays beneath. */
#define TREE_NO_LINKS (1 << 30)

/* The two names that every folder holds and nobody means. */
static inline bool tree_is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Relative, no empty, "." or ".." component. */
bool tree_is_safe(const char *name);

/* No deeper than what a walk goes down to: nobody sends more, nor could remove it again. */
bool tree_is_shallow(const char *name);

/* It holds what a shell would take for a pattern. */
bool tree_is_pattern(const char *name);

/* The name is `top`, or what `top` is a pattern for, or, when it is recursive, something below it. An empty top: any name. */
bool tree_is_under(const char *name, const char *top, bool is_recursive);

/* Opens a relative name beneath a root without ever leaving it: no component may be a symbolic link
 * that leads out, nor "..". Returns a descriptor, or -1 with errno (EXDEV: it would leave). */
int tree_open(int root, const char *name, int flags, mode_t mode);

/* The folder that holds a name, and the last component. -1 with errno. */
int tree_open_parent(int root, const char *name, int flags, const char **last);

/* A regular file in an open folder. Nothing else is opened at all, since to open a device or a FIFO is to do something
 * to it: -1 with errno, which is TREE_NO_FILE for these, ELOOP for a link, EISDIR for a folder. Never blocks. */
#define TREE_NO_FILE EMEDIUMTYPE
int tree_open_regular(int folder, const char *name, int flags);

/* The name itself is a symbolic link, not to a folder: a file put there replaces it and never follows
 * it. */
bool tree_is_link(int root, const char *name);

/* Why a walk left something out. */
enum tree_why {
    TREE_WHY_ERROR,   /* errno tells */
    TREE_WHY_LINK,    /* a symbolic link, and links are not copied */
    TREE_WHY_SPECIAL, /* a device, FIFO or socket */
    TREE_WHY_LOOP,    /* a link to a folder that it is in, or to itself */
    TREE_WHY_DEEP,    /* more than TREE_DEPTH_MAX folders in one another */
    TREE_WHY_OUTSIDE  /* a followed link leads out of the root */
};

/* One thing that a walk found. */
struct tree_entry {
    char name[PROTO_PATH_MAX + 1]; /* as the receiver shall know it */
    struct stat st;
    int fd;            /* files: open for reading, the taker closes; others: -1 */
    enum tree_why why; /* of what was skipped */
};

enum tree_result {
    TREE_ENTRY,
    TREE_SKIPPED, /* `name` was left out; `why` says why, and errno is 0 when nothing failed */
    TREE_END
};

enum tree_links { TREE_LINKS_LEFT_OUT, TREE_LINKS_KEPT, TREE_LINKS_FOLLOWED };

/* What a walk finds. The filter, which sees names relative to the start, is borrowed; NULL: all. */
struct tree_rules {
    enum tree_links links;
    const struct filter *filter;
};

/* A walk over one file or folder, folders before what is in them. */
struct tree_walk;

/* `path` is opened beneath `root` when root is not negative, else as the user wrote it. `name` is
 * what the first entry is called. NULL with errno when it cannot be opened. With is_recursive false
 * a folder is refused with EISDIR. A start that is a link is followed unless rules keep links. */
struct tree_walk *tree_walk_new(int root, const char *path, const char *name, bool is_recursive,
                                const struct tree_rules *rules);
void tree_walk_free(struct tree_walk *walk);
enum tree_result tree_walk_next(struct tree_walk *walk, struct tree_entry *out);

/* Of the entry found last: what a link points to (else ""), and the open folder (else -1). */
const char *tree_walk_target(const struct tree_walk *walk);
int tree_walk_folder(const struct tree_walk *walk);
/* The folder found last is not looked into. */
void tree_walk_leave(struct tree_walk *walk);
/* How many names the filter left out so far. */
uint64_t tree_walk_filtered(const struct tree_walk *walk);

/* The last component of a path as typed, without trailing slashes; "" for "/" and the like. */
void tree_basename(const char *path, char *out, size_t size);
/* They have the same last component: the second would replace the first. */
bool tree_have_same_name(const char *a, const char *b);

#endif
