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

#define OPEN_TRIES 1000

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

bool tree_is_shallow(const char *name)
{
    unsigned folders = 0;
    for (const char *at = name; (at = strchr(at, '/')) != NULL; at++) {
        folders++;
    }
    return folders <= TREE_DEPTH_MAX;
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

/* A link that is not followed says so, also where a folder was wanted. */
static int why_not(int folder, const char *part, int error)
{
    struct stat st;
    bool is_link = error == ENOTDIR && fstatat(folder, part, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISLNK(st.st_mode);
    return is_link ? ELOOP : error;
}

/* O_PATH with O_NOFOLLOW opens the link itself, which is not what was asked for. */
static int no_link(int fd, int flags)
{
    struct stat st;
    if (fd < 0 || (flags & O_PATH) == 0 || (flags & O_NOFOLLOW) != 0 ||
        (fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode))) {
        return fd;
    }
    (void)close(fd);
    errno = ELOOP;
    return -1;
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
        int error = next < 0 ? why_not(fd, part, errno) : 0;
        (void)close(fd);
        errno = error;
        if (is_last || next < 0) {
            return no_link(next, flags);
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
    unsigned tries = 0;
    do { /* EAGAIN: somebody renamed above us at this very moment; who goes on with that shall not hold us up */
        fd = syscall(SYS_openat2, root, name, &how, sizeof how);
    } while (fd < 0 && errno == EAGAIN && ++tries < OPEN_TRIES);
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
    if (tree_is_dots(out)) {
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

bool tree_is_link(int root, const char *path)
{
    struct stat st;
    const char *last;
    int parent = tree_open_parent(root, path, 0, &last);
    if (parent < 0) {
        return false;
    }
    bool answer = fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
                  (fstatat(parent, last, &st, 0) != 0 || !S_ISDIR(st.st_mode));
    (void)close(parent);
    return answer;
}

/* --- what is opened at all ------------------------------------------------------------------------------ */

#define OPEN_FLAGS                                                                                 \
    (O_RDONLY | O_NONBLOCK | O_NOCTTY) /* who makes it a FIFO now must not hold us up */

static bool are_same(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* The very file that `at` (O_PATH) stands for, whatever has its name by now. -1 with errno: ENOENT where there is
 * no /proc. */
static int reopen(int at, int flags)
{
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    return open(link, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* What was opened by its name after all, unless it is another file by now. */
static int keep_same(int fd, int at)
{
    if (fd >= 0 && !are_same(fd, at)) {
        (void)close(fd);
        errno = ESTALE;
        return -1;
    }
    return fd;
}

static void close_quietly(int fd)
{
    int saved = errno;
    (void)close(fd);
    errno = saved;
}

int tree_open_regular(int folder, const char *name, int flags)
{
    struct stat st;
    int at = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0) {
        return -1;
    }
    int fd = -1;
    if (fstat(at, &st) == 0) {
        errno = S_ISREG(st.st_mode)   ? 0
                : S_ISDIR(st.st_mode) ? EISDIR
                : S_ISLNK(st.st_mode) ? ELOOP
                                      : TREE_NO_FILE;
    }
    if (errno == 0) {
        fd = reopen(at, flags);
        if (fd < 0 && errno == ENOENT) {
            fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
            fd = keep_same(fd, at);
        }
    }
    close_quietly(at);
    return fd;
}

/* --- walks ------------------------------------------------------------------------------------------------ */

struct level {
    DIR *dir;
    size_t name_len; /* of the folder's own name */
    dev_t device;
    ino_t number;
};

struct tree_walk {
    struct level levels[TREE_DEPTH_MAX];
    size_t depth;
    char name[PROTO_PATH_MAX + 1];
    size_t top_len; /* of the first entry's name in it */
    int first;      /* the descriptor of the start, until it was told; -1 afterwards */
    int root;
    char *path; /* of the start beneath root */
    struct tree_rules rules;
    char target[PROTO_PATH_MAX + 1];
    bool is_in_folder; /* the entry found last is the innermost level */
    uint64_t filtered;
};

static int open_named(const struct tree_walk *walk, const char *path, int flags)
{
    return walk->root >= 0 ? tree_open(walk->root, path, flags, 0) : open(path, flags | O_CLOEXEC);
}

/* O_PATH for a link that is kept: its text is all there is to it. A file is opened when it is known to be one: to open
 * a device or a FIFO is to do something to it. -1 with EINVAL: it is neither. */
static int open_start(const struct tree_walk *walk, const char *path)
{
    struct stat st;
    int flags = walk->rules.links == TREE_LINKS_KEPT ? O_PATH | O_NOFOLLOW : O_PATH;
    int at = open_named(walk, path, flags);
    if (at < 0 || (fstat(at, &st) == 0 && S_ISLNK(st.st_mode))) {
        return at;
    }
    int fd = -1;
    errno = EINVAL;
    if (S_ISDIR(st.st_mode)) {
        fd = open_named(walk, path, OPEN_FLAGS | O_DIRECTORY);
    } else if (S_ISREG(st.st_mode)) {
        fd = reopen(at, OPEN_FLAGS);
        if (fd < 0 && errno == ENOENT) {
            fd = keep_same(open_named(walk, path, OPEN_FLAGS), at);
        }
    }
    close_quietly(at);
    return fd;
}

static int check_start(const struct tree_walk *walk, bool is_recursive)
{
    struct stat st;
    if (walk->first < 0 || fstat(walk->first, &st) != 0) {
        return errno;
    }
    if (S_ISDIR(st.st_mode)) {
        return is_recursive ? 0 : EISDIR;
    }
    return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? 0 : EINVAL;
}

struct tree_walk *tree_walk_new(int root, const char *path, const char *name, bool is_recursive,
                                const struct tree_rules *rules)
{
    struct tree_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return NULL;
    }
    walk->root = root;
    walk->rules = *rules;
    walk->path = strdup(path);
    walk->first = open_start(walk, path);
    walk->top_len = strlen(name);
    int error = walk->path == NULL               ? ENOMEM
                : walk->top_len > PROTO_PATH_MAX ? ENAMETOOLONG
                                                 : check_start(walk, is_recursive);
    if (error != 0) {
        tree_walk_free(walk);
        errno = error;
        return NULL;
    }
    memcpy(walk->name, name, walk->top_len + 1);
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
    free(walk->path);
    free(walk);
}

static enum tree_result skip(struct tree_entry *out, enum tree_why why, int error)
{
    out->why = why;
    errno = why == TREE_WHY_ERROR ? error : 0;
    return TREE_SKIPPED;
}

static bool is_loop(const struct tree_walk *walk, const struct stat *st)
{
    bool is = false;
    for (size_t i = 0; i < walk->depth && walk->rules.links == TREE_LINKS_FOLLOWED; i++) {
        is = is || (walk->levels[i].number == st->st_ino && walk->levels[i].device == st->st_dev);
    }
    return is;
}

/* An open folder becomes the innermost level. */
static enum tree_result enter(struct tree_walk *walk, int fd, struct tree_entry *out)
{
    enum tree_why why = is_loop(walk, &out->st)         ? TREE_WHY_LOOP
                        : walk->depth == TREE_DEPTH_MAX ? TREE_WHY_DEEP
                                                        : TREE_WHY_ERROR;
    DIR *dir = why == TREE_WHY_ERROR ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int saved = errno;
        (void)close(fd);
        return skip(out, why, saved);
    }
    walk->levels[walk->depth++] = (struct level){.dir = dir,
                                                 .name_len = strlen(walk->name),
                                                 .device = out->st.st_dev,
                                                 .number = out->st.st_ino};
    walk->is_in_folder = true;
    return TREE_ENTRY;
}

/* Takes over an open descriptor: a folder is entered, a file handed out. */
static enum tree_result take(struct tree_walk *walk, int fd, struct tree_entry *out)
{
    if (fstat(fd, &out->st) != 0) {
        int saved = errno;
        (void)close(fd);
        return skip(out, TREE_WHY_ERROR, saved);
    }
    if (S_ISREG(out->st.st_mode)) {
        out->fd = fd;
        return TREE_ENTRY;
    }
    if (S_ISDIR(out->st.st_mode)) {
        return enter(walk, fd, out);
    }
    (void)close(fd);
    return skip(out, TREE_WHY_SPECIAL, 0);
}

/* A link's own text; folder and name, or an O_PATH descriptor of it and "". */
static enum tree_result take_link(struct tree_walk *walk, int at, const char *name,
                                  struct tree_entry *out)
{
    ssize_t n = -1;
    if (fstatat(at, name, &out->st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0) {
        n = readlinkat(at, name, walk->target, sizeof walk->target);
    }
    if (n <= 0 || (size_t)n == sizeof walk->target) {
        int saved = n < 0 ? errno : ENAMETOOLONG;
        walk->target[0] = '\0';
        return skip(out, TREE_WHY_ERROR, saved);
    }
    walk->target[n] = '\0';
    return TREE_ENTRY;
}

/* What a link leads to. */
static int open_followed(const struct tree_walk *walk, int folder, const char *last, int flags)
{
    char path[2 * PROTO_PATH_MAX + 2];
    if (walk->root < 0) {
        return openat(folder, last, flags | O_CLOEXEC);
    }
    const char *below = walk->name + walk->top_len;
    bool is_root = strcmp(walk->path, ".") == 0;
    (void)snprintf(path, sizeof path, "%s%s", is_root ? "" : walk->path, below + (is_root ? 1 : 0));
    return tree_open(walk->root, path, flags, 0);
}

/* Looked at (O_PATH) before it is opened: opening alone may rewind a tape. */
static enum tree_result follow_to(struct tree_walk *walk, int folder, const char *last, int at,
                                  struct tree_entry *out)
{
    bool is_known = fstat(at, &out->st) == 0;
    bool is_folder = is_known && S_ISDIR(out->st.st_mode);
    if (!is_folder && (!is_known || !S_ISREG(out->st.st_mode))) {
        return skip(out, TREE_WHY_SPECIAL, 0);
    }
    if (is_folder && filter_leaves_out(walk->rules.filter, walk->name + walk->top_len + 1, true)) {
        walk->filtered++;
        return TREE_END;
    }
    int fd = is_folder ? open_followed(walk, folder, last, OPEN_FLAGS | O_DIRECTORY)
                       : reopen(at, OPEN_FLAGS);
    if (!is_folder && fd < 0 && errno == ENOENT) {
        fd = keep_same(open_followed(walk, folder, last, OPEN_FLAGS), at);
    }
    return fd < 0 ? skip(out, TREE_WHY_ERROR, errno) : take(walk, fd, out);
}

static enum tree_result follow(struct tree_walk *walk, int folder, const char *last,
                               struct tree_entry *out)
{
    int at = open_followed(walk, folder, last, O_PATH);
    if (at < 0) {
        return skip(out,
                    errno == ELOOP   ? TREE_WHY_LOOP
                    : errno == EXDEV ? TREE_WHY_OUTSIDE
                                     : TREE_WHY_ERROR,
                    errno);
    }
    enum tree_result result = follow_to(walk, folder, last, at, out);
    close_quietly(at);
    return result;
}

/* The kind of a name, as the folder tells it or, where it does not, as it is. */
static unsigned char kind_of(int folder, const struct dirent *found)
{
    struct stat st;
    if (found->d_type != DT_UNKNOWN) {
        return found->d_type;
    }
    bool is_known = fstatat(folder, found->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return (unsigned char)(is_known ? IFTODT(st.st_mode) : DT_REG);
}

/* One name of the innermost folder. TREE_END: nothing to tell of it. */
static enum tree_result look_at(struct tree_walk *walk, const struct dirent *found,
                                struct tree_entry *out)
{
    struct level *level = &walk->levels[walk->depth - 1];
    int folder = dirfd(level->dir);
    size_t len = level->name_len + 1 + strlen(found->d_name);
    if (len > PROTO_PATH_MAX) {
        (void)snprintf(out->name, sizeof out->name, "%s", found->d_name);
        return skip(out, TREE_WHY_ERROR, ENAMETOOLONG);
    }
    walk->name[level->name_len] = '/';
    memcpy(walk->name + level->name_len + 1, found->d_name, strlen(found->d_name) + 1);
    memcpy(out->name, walk->name, len + 1);
    unsigned char kind = kind_of(folder, found);
    if (filter_leaves_out(walk->rules.filter, walk->name + walk->top_len + 1, kind == DT_DIR)) {
        walk->filtered++;
        return TREE_END;
    }
    if (kind == DT_LNK) {
        return walk->rules.links == TREE_LINKS_KEPT ? take_link(walk, folder, found->d_name, out)
               : walk->rules.links == TREE_LINKS_FOLLOWED ? follow(walk, folder, found->d_name, out)
                                                          : skip(out, TREE_WHY_LINK, 0);
    }
    if (kind != DT_REG && kind != DT_DIR) {
        return skip(out, TREE_WHY_SPECIAL, 0);
    }
    int fd = openat(folder, found->d_name, OPEN_FLAGS | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) { /* ELOOP, ENXIO: it has just become a link or a socket */
        return errno == ELOOP ? skip(out, TREE_WHY_LINK, 0) : skip(out, TREE_WHY_ERROR, errno);
    }
    return take(walk, fd, out);
}

static enum tree_result begin(struct tree_walk *walk, struct tree_entry *out)
{
    struct stat st;
    int fd = walk->first;
    walk->first = -1;
    memcpy(out->name, walk->name, walk->top_len + 1);
    if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
        enum tree_result result = take_link(walk, fd, "", out);
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return result;
    }
    return take(walk, fd, out);
}

enum tree_result tree_walk_next(struct tree_walk *walk, struct tree_entry *out)
{
    out->fd = -1;
    out->why = TREE_WHY_ERROR;
    walk->target[0] = '\0';
    walk->is_in_folder = false;
    if (walk->first >= 0) {
        return begin(walk, out);
    }
    while (walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        errno = 0;
        const struct dirent *found = readdir(level->dir);
        walk->name[level->name_len] = '\0';
        if (found == NULL) {
            int error = errno;
            (void)closedir(level->dir);
            walk->depth--;
            if (error != 0) { /* not all of the folder could be read */
                memcpy(out->name, walk->name, level->name_len + 1);
                return skip(out, TREE_WHY_ERROR, error);
            }
            continue;
        }
        if (tree_is_dots(found->d_name)) {
            continue;
        }
        enum tree_result result = look_at(walk, found, out);
        if (result != TREE_END) {
            return result;
        }
    }
    return TREE_END;
}

const char *tree_walk_target(const struct tree_walk *walk)
{
    return walk->target;
}

int tree_walk_folder(const struct tree_walk *walk)
{
    return walk->is_in_folder ? dirfd(walk->levels[walk->depth - 1].dir) : -1;
}

void tree_walk_leave(struct tree_walk *walk)
{
    if (walk->is_in_folder) {
        (void)closedir(walk->levels[--walk->depth].dir);
        walk->is_in_folder = false;
    }
}

uint64_t tree_walk_filtered(const struct tree_walk *walk)
{
    return walk->filtered;
}
