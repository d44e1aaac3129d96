/* Staying beneath a root, and walking without recursion.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool tree_is_safe(const char *name)
{
    if (name[0] == '\0' || name[0] == '/') {
        return false;
    }
    for (const char *at = name;; at++) {
        size_t len = strcspn(at, "/");
        if (len == 0 || len > 255 || (len == 1 && at[0] == '.') ||
            (len == 2 && at[0] == '.' && at[1] == '.')) {
            return false;
        }
        at += len;
        if (*at == '\0') {
            return true;
        }
    }
}

bool tree_is_pattern(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

bool tree_is_under(const char *name, const char *top, bool is_recursive)
{
    char first[256];
    size_t len = strcspn(name, "/");
    if (name[len] != '\0' && !is_recursive) {
        return top[0] == '\0';
    }
    if (top[0] == '\0' || (strncmp(name, top, len) == 0 && top[len] == '\0')) {
        return true;
    }
    if (!tree_is_pattern(top) || len == 0 || len >= sizeof first) {
        return false;
    }
    memcpy(first, name, len);
    first[len] = '\0';
    return fnmatch(top, first, FNM_PERIOD) == 0;
}

/* For kernels without openat2: one component at a time, and never through a symbolic link. */
static int open_by_steps(int root, const char *name, int flags, mode_t mode)
{
    int fd = dup(root);
    while (fd >= 0) {
        char part[256];
        size_t len = strcspn(name, "/");
        if (len >= sizeof part) {
            (void)close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(part, name, len);
        part[len] = '\0';
        bool is_last = name[len] == '\0';
        int next = is_last ? openat(fd, part, flags | O_NOFOLLOW | O_CLOEXEC, mode)
                           : openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        (void)close(fd);
        errno = saved;
        if (is_last || next < 0) {
            return next;
        }
        fd = next;
        name += len + 1;
    }
    return -1;
}

int tree_open(int root, const char *name, int flags, mode_t mode)
{
    if (strcmp(name, ".") != 0 && !tree_is_safe(name)) {
        errno = EXDEV;
        return -1;
    }
    bool no_links = (flags & TREE_NO_LINKS) != 0;
    flags &= ~TREE_NO_LINKS;
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
                                      (no_links ? RESOLVE_NO_SYMLINKS : 0u)};
    long fd;
    do { /* EAGAIN: somebody renamed above us at this very moment */
        fd = syscall(SYS_openat2, root, name, &how, sizeof how);
    } while (fd < 0 && errno == EAGAIN);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        return open_by_steps(root, name, flags, mode);
    }
    return (int)fd;
}

int tree_open_parent(int root, const char *name, int flags, const char **last)
{
    char folder[PROTO_PATH_MAX + 1];
    const char *slash = strrchr(name, '/');
    *last = slash == NULL ? name : slash + 1;
    if (slash == NULL) {
        return tree_open(root, ".", O_PATH | O_DIRECTORY | flags, 0);
    }
    size_t len = (size_t)(slash - name);
    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, name, len);
    folder[len] = '\0';
    return tree_open(root, folder, O_PATH | O_DIRECTORY | flags, 0);
}

void tree_basename(const char *path, char *out, size_t size)
{
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    size_t start = len;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    size_t n = len - start < size ? len - start : size - 1;
    memcpy(out, path + start, n);
    out[n] = '\0';
    if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0) {
        out[0] = '\0';
    }
}

bool tree_have_same_name(const char *a, const char *b)
{
    char one[256], other[256];
    tree_basename(a, one, sizeof one);
    tree_basename(b, other, sizeof other);
    return strcmp(one, other) == 0;
}

struct level {
    DIR *dir;
    size_t name_len; /* of the folder's own name */
};

struct tree_walk {
    struct level levels[TREE_DEPTH_MAX];
    size_t depth;
    char name[PROTO_PATH_MAX + 1];
    int first; /* the descriptor of the start, until it was told; -1 afterwards */
    bool has_links;
};

static int open_start(int root, const char *path)
{
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY; /* a FIFO must not hold us up */
    return root >= 0 ? tree_open(root, path, flags, 0) : open(path, flags | O_CLOEXEC);
}

struct tree_walk *tree_walk_new(int root, const char *path, const char *name, bool is_recursive,
                                bool has_links)
{
    struct stat st;
    struct tree_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return NULL;
    }
    walk->has_links = has_links;
    walk->first = open_start(root, path);
    int error = walk->first < 0 || fstat(walk->first, &st) != 0           ? errno
                : S_ISDIR(st.st_mode) && !is_recursive                    ? EISDIR
                : !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)            ? EINVAL
                : snprintf(walk->name, sizeof walk->name, "%s", name) < 0 ? EINVAL
                                                                          : 0;
    if (error != 0) {
        tree_walk_free(walk);
        errno = error;
        return NULL;
    }
    return walk;
}

void tree_walk_free(struct tree_walk *walk)
{
    if (walk == NULL) {
        return;
    }
    while (walk->depth > 0) {
        (void)closedir(walk->levels[--walk->depth].dir);
    }
    if (walk->first >= 0) {
        (void)close(walk->first);
    }
    free(walk);
}

/* Takes over an open descriptor: a folder is entered, a file handed out. */
static enum tree_result take(struct tree_walk *walk, int fd, struct tree_entry *out)
{
    (void)snprintf(out->name, sizeof out->name, "%s", walk->name);
    out->fd = -1;
    if (fstat(fd, &out->st) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return TREE_SKIPPED;
    }
    if (S_ISREG(out->st.st_mode)) {
        out->fd = fd;
        return TREE_ENTRY;
    }
    DIR *dir = NULL;
    errno = 0;
    if (S_ISDIR(out->st.st_mode)) {
        errno = ELOOP;
        dir = walk->depth < TREE_DEPTH_MAX ? fdopendir(fd) : NULL;
    }
    if (dir == NULL) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return TREE_SKIPPED;
    }
    walk->levels[walk->depth++] = (struct level){.dir = dir, .name_len = strlen(walk->name)};
    return TREE_ENTRY;
}

/* False: it is none, or cannot be read any more. */
static bool take_link(const struct tree_walk *walk, int folder, const char *name,
                      struct tree_entry *out)
{
    if (!walk->has_links || fstatat(folder, name, &out->st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISLNK(out->st.st_mode)) {
        return false;
    }
    ssize_t len = readlinkat(folder, name, out->link, sizeof out->link);
    if (len <= 0 || (size_t)len >= sizeof out->link) {
        return false;
    }
    out->link[len] = '\0';
    out->fd = -1;
    return true;
}

enum tree_result tree_walk_next(struct tree_walk *walk, struct tree_entry *out)
{
    if (walk->first >= 0) {
        int fd = walk->first;
        walk->first = -1;
        return take(walk, fd, out);
    }
    while (walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        struct dirent *found = readdir(level->dir);
        walk->name[level->name_len] = '\0';
        if (found == NULL) {
            (void)closedir(level->dir);
            walk->depth--;
            continue;
        }
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        }
        size_t len = level->name_len + 1 + strlen(found->d_name);
        (void)snprintf(out->name, sizeof out->name, "%s", found->d_name);
        if (len > PROTO_PATH_MAX) {
            errno = ENAMETOOLONG;
            return TREE_SKIPPED;
        }
        walk->name[level->name_len] = '/';
        memcpy(walk->name + level->name_len + 1, found->d_name, strlen(found->d_name) + 1);
        int fd = openat(dirfd(level->dir), found->d_name,
                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) {
            int saved = errno == ELOOP || errno == ENXIO ? 0 : errno; /* a link, a socket */
            (void)snprintf(out->name, sizeof out->name, "%s", walk->name);
            if (saved == 0 && take_link(walk, dirfd(level->dir), found->d_name, out)) {
                return TREE_ENTRY;
            }
            errno = saved;
            return TREE_SKIPPED;
        }
        return take(walk, fd, out);
    }
    return TREE_END;
}
