/* Names and folders: what a name may be, opening it without leaving a root, walking a tree.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_TREE_H
#define TERNCP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "terncp/proto.h"

#define TREE_DEPTH_MAX 128

/* Besides the flags of open(): no component may be a symbolic link, not even one that stays beneath. */
#define TREE_NO_LINKS (1 << 30)

/* Relative, no empty, "." or ".." component. */
bool tree_is_safe(const char *name);

/* It holds what a shell would take for a pattern. */
bool tree_is_pattern(const char *name);

/* The name is `top`, or what `top` is a pattern for, or, when it is recursive, something below it. An empty top: any name. */
bool tree_is_under(const char *name, const char *top, bool is_recursive);

/* Opens a relative name beneath a root without ever leaving it: no component may be a symbolic link
 * that leads out, nor "..". Returns a descriptor, or -1 with errno (EXDEV: it would leave). */
int tree_open(int root, const char *name, int flags, mode_t mode);

/* The folder that holds a name, and the last component. -1 with errno. */
int tree_open_parent(int root, const char *name, int flags, const char **last);

/* One thing that a walk found. */
struct tree_entry {
    char name[PROTO_PATH_MAX + 1]; /* as the receiver shall know it */
    struct stat st;
    int fd;                        /* files: open for reading, the taker closes; else -1 */
    char link[PROTO_LINK_MAX + 1]; /* what a symbolic link holds */
};

enum tree_result {
    TREE_ENTRY,
    TREE_SKIPPED, /* `name` was left out; errno says why (0: not a file or folder) */
    TREE_END
};

/* A walk over one file or folder, folders before what is in them. */
struct tree_walk;

/* `path` is opened beneath `root` when root is not negative, else as the user wrote it. `name` is
 * what the first entry is called. NULL with errno when it cannot be opened. With is_recursive false
 * a folder is refused with EISDIR. With has_links symbolic links below are found as such. */
struct tree_walk *tree_walk_new(int root, const char *path, const char *name, bool is_recursive,
                                bool has_links);
void tree_walk_free(struct tree_walk *walk);
enum tree_result tree_walk_next(struct tree_walk *walk, struct tree_entry *out);

/* The last component of a path as typed, without trailing slashes; "" for "/" and the like. */
void tree_basename(const char *path, char *out, size_t size);
/* They have the same last component: the second would replace the first. */
bool tree_have_same_name(const char *a, const char *b);

#endif
