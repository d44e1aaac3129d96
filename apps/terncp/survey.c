/* A walk that opens folders alone.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/tree.h"

struct survey {
    pthread_t thread;
    int root;
    char **paths;
    int count;
    struct tree_rules rules;
    void (*wake)(void *user);
    void *user;
    uint64_t files, bytes; /* the thread's until it is done */
    atomic_bool is_done, is_stopped;
};

static void count_one(struct survey *f, const struct stat *st)
{
    if (S_ISREG(st->st_mode)) {
        f->files++;
        f->bytes += (uint64_t)st->st_size;
    }
}

/* The next thing in a folder. True: it is a folder, of which *fd is open now. */
static bool look(struct survey *f, DIR *dir, const char *name, int *fd)
{
    struct stat st;
    if (tree_is_dots(name) || fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    count_one(f, &st);
    *fd = S_ISDIR(st.st_mode)
              ? openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
              : -1;
    return *fd >= 0;
}

static void walk(struct survey *f, int fd)
{
    DIR *dirs[TREE_DEPTH_MAX];
    size_t depth = 0;
    while (fd >= 0 || depth > 0) {
        if (fd >= 0 && depth < TREE_DEPTH_MAX && (dirs[depth] = fdopendir(fd)) != NULL) {
            depth++;
        } else if (fd >= 0) {
            (void)close(fd);
        }
        fd = -1;
        if (depth == 0) {
            return;
        }
        const struct dirent *found = atomic_load(&f->is_stopped) ? NULL : readdir(dirs[depth - 1]);
        if (found == NULL) {
            (void)closedir(dirs[--depth]);
        } else if (!look(f, dirs[depth - 1], found->d_name, &fd)) {
            fd = -1;
        }
    }
}

/* What rules leave out does not count, and what links lead to does: the walk of the copy itself. */
static void walk_by_rules(struct survey *f, const char *path)
{
    struct tree_entry *entry = malloc(sizeof *entry);
    struct tree_walk *walk =
        entry == NULL ? NULL : tree_walk_new(f->root, path, "-", true, &f->rules);
    enum tree_result found = TREE_END;
    while (walk != NULL && !atomic_load(&f->is_stopped) &&
           (found = tree_walk_next(walk, entry)) != TREE_END) {
        if (found == TREE_ENTRY) {
            count_one(f, &entry->st);
        }
        if (found == TREE_ENTRY && entry->fd >= 0) {
            (void)close(entry->fd);
        }
    }
    tree_walk_free(walk);
    free(entry);
}

static int open_top(const struct survey *f, const char *path, int flags)
{
    return f->root >= 0 ? tree_open(f->root, path, flags, 0) : open(path, flags | O_CLOEXEC);
}

static void *run(void *user)
{
    struct survey *f = user;
    for (int i = 0; i < f->count; i++) {
        struct stat st;
        if (f->rules.filter != NULL || f->rules.links == TREE_LINKS_FOLLOWED) {
            walk_by_rules(f, f->paths[i]);
            continue;
        }
        int at = open_top(f, f->paths[i], O_PATH);
        bool is_known = at >= 0 && fstat(at, &st) == 0;
        if (is_known && S_ISDIR(st.st_mode)) {
            walk(f, open_top(f, f->paths[i], O_RDONLY | O_DIRECTORY));
        } else if (is_known) {
            count_one(f, &st);
        }
        if (at >= 0) {
            (void)close(at);
        }
    }
    atomic_store(&f->is_done, true);
    if (f->wake != NULL) {
        f->wake(f->user);
    }
    return NULL;
}

static void release(struct survey *f)
{
    for (int i = 0; f->paths != NULL && i < f->count; i++) {
        free(f->paths[i]);
    }
    free(f->paths);
    if (f->root >= 0) {
        (void)close(f->root);
    }
    free(f);
}

struct survey *survey_new(int root, char *const *paths, int count, const struct tree_rules *rules,
                          void (*wake)(void *user), void *user)
{
    sigset_t all, before;
    struct survey *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->root = root < 0 ? -1 : fcntl(root, F_DUPFD_CLOEXEC, 0);
    f->paths = calloc((size_t)count, sizeof *f->paths);
    f->count = f->paths == NULL ? 0 : count;
    f->rules = *rules;
    f->wake = wake;
    f->user = user;
    bool is_good = f->paths != NULL && (root < 0 || f->root >= 0);
    for (int i = 0; is_good && i < count; i++) {
        f->paths[i] = strdup(paths[i]);
        is_good = f->paths[i] != NULL;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    is_good = is_good && pthread_create(&f->thread, NULL, run, f) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!is_good) {
        release(f);
        return NULL;
    }
    return f;
}

bool survey_read(const struct survey *f, uint64_t *files, uint64_t *bytes)
{
    if (!atomic_load(&f->is_done)) {
        return false;
    }
    *files = f->files;
    *bytes = f->bytes;
    return true;
}

void survey_free(struct survey *f)
{
    if (f != NULL) {
        atomic_store(&f->is_stopped, true);
        (void)pthread_join(f->thread, NULL);
        release(f);
    }
}
