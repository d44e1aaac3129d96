/* Listing, describing, removing and making beneath a root, without recursion and without following a
 * link out of it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/names_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/tree.h"

#define BUFFER ((size_t)256 << 10) /* of answers that the connection has not taken yet */

/* A folder that the walk is in. */
struct level {
    DIR *dir;
    size_t name_len; /* of its path in `name` */
};

struct names_job {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t room;
    /* Under the lock. */
    uint8_t *data;
    size_t used;
    bool is_over, is_stopped;
    /* The thread's own. */
    int root;
    struct names_message ask, answer;
    uint8_t encoded[NAMES_SIZE_MAX];
    struct level levels[TREE_DEPTH_MAX];
    size_t depth;
    char name[PROTO_PATH_MAX + 1];
    dev_t device; /* REMOVE: of the folder where it began */
    struct names_result result;
    names_wake_fn wake;
    void *user;
};

/* --- the buffer ------------------------------------------------------------------------------------ */

/* False: nobody wants the answer any more. */
static bool tell(struct names_job *job, const struct names_message *m)
{
    size_t len = names_encode(m, job->encoded, sizeof job->encoded);
    (void)pthread_mutex_lock(&job->lock);
    while (job->used + len > BUFFER && !job->is_stopped) {
        (void)pthread_cond_wait(&job->room, &job->lock);
    }
    bool is_wanted = !job->is_stopped;
    bool was_empty = job->used == 0;
    if (is_wanted) {
        memcpy(job->data + job->used, job->encoded, len);
        job->used += len;
    }
    (void)pthread_mutex_unlock(&job->lock);
    if (is_wanted && was_empty) {
        job->wake(job->user);
    }
    return is_wanted;
}

static bool is_stopped(struct names_job *job)
{
    (void)pthread_mutex_lock(&job->lock);
    bool is_stopped = job->is_stopped;
    (void)pthread_mutex_unlock(&job->lock);
    return is_stopped;
}

long names_job_take(struct names_job *job, uint8_t *out, size_t size)
{
    (void)pthread_mutex_lock(&job->lock);
    size_t n = job->used < size ? job->used : size;
    long taken = n == 0 && job->is_over ? -1 : (long)n;
    memcpy(out, job->data, n);
    memmove(job->data, job->data + n, job->used - n);
    job->used -= n;
    (void)pthread_cond_signal(&job->room);
    (void)pthread_mutex_unlock(&job->lock);
    return taken;
}

/* --- answers --------------------------------------------------------------------------------------- */

static const char *reason(int error)
{
    return error == EXDEV       ? "the path leaves the served folder"
           : error == EISDIR    ? "it is a folder; use -r"
           : error == ENOTEMPTY ? "the folder is not empty; use -r"
           : error == EBUSY     ? "it is in use, a mount, or the served folder itself"
                                : strerror(error);
}

static bool fail(struct names_job *job, const char *name, int error, bool is_last)
{
    struct names_message m = {.type = NAMES_FAIL, .is_last = is_last};
    m.status = (uint8_t)(error == EISDIR || error == ENOTEMPTY ? PROTO_BAD_REQUEST
                                                               : proto_status_of(error));
    (void)snprintf(m.text, PROTO_TEXT_MAX, "%.400s: %s", strcmp(name, ".") == 0 ? "/" : name,
                   reason(error));
    if (job->result.failed++ == 0) {
        (void)snprintf(job->result.why, sizeof job->result.why, "%.*s",
                       (int)sizeof job->result.why - 1, m.text);
    }
    return tell(job, &m);
}

static bool tell_name(struct names_job *job, int folder, const char *last, const char *shown,
                      const struct stat *st)
{
    struct names_message *m = &job->answer;
    m->type = NAMES_NAME;
    m->about = (struct names_about){.mode = (uint32_t)st->st_mode,
                                    .links = (uint32_t)st->st_nlink,
                                    .uid = (uint32_t)st->st_uid,
                                    .gid = (uint32_t)st->st_gid,
                                    .size = (uint64_t)st->st_size,
                                    .mtime_s = st->st_mtim.tv_sec,
                                    .mtime_ns = (uint32_t)st->st_mtim.tv_nsec};
    m->target[0] = '\0';
    (void)snprintf(m->text, sizeof m->text, "%s", shown);
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(folder, last, m->target, sizeof m->target - 1);
        m->target[n > 0 ? n : 0] = '\0';
    }
    job->result.count++;
    return tell(job, m);
}

/* --- walking --------------------------------------------------------------------------------------- */

/* Goes into a folder that stands in `name`. An errno, 0 for success. */
static int enter(struct names_job *job, int fd)
{
    struct stat st = {.st_mode = 0};
    int error = fd < 0 ? errno : fstat(fd, &st) != 0 ? errno : 0;
    bool removes = job->ask.verb == NAMES_REMOVE;
    if (error == 0 && job->depth == 0) {
        job->device = st.st_dev;
    } else if (error == 0 && removes && st.st_dev != job->device) {
        error = EBUSY; /* another file system is mounted there: nobody meant that */
    }
    if (error == 0 && job->depth == TREE_DEPTH_MAX) {
        error = ELOOP;
    }
    DIR *dir = error == 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        error = error == 0 ? errno : error;
        if (fd >= 0) {
            (void)close(fd);
        }
        return error;
    }
    job->levels[job->depth++] = (struct level){.dir = dir, .name_len = strlen(job->name)};
    return 0;
}

/* Puts the name of something in the innermost folder behind the folder's own. */
static bool extend(struct names_job *job, size_t folder_len, const char *last)
{
    size_t len = strlen(last), gap = folder_len > 0 ? 1 : 0;
    if (folder_len + gap + len > PROTO_PATH_MAX) {
        return false;
    }
    memcpy(job->name + folder_len, "/", gap);
    memcpy(job->name + folder_len + gap, last, len + 1);
    return true;
}

static bool count_removed(struct names_job *job, int rc)
{
    job->result.count += rc == 0 ? 1 : 0;
    return rc == 0 ? !is_stopped(job) : fail(job, job->name, errno, false);
}

/* One thing in a folder. False: stop. */
static bool visit(struct names_job *job, int folder, const char *last)
{
    struct stat st;
    bool removes = job->ask.verb == NAMES_REMOVE;
    if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? true : fail(job, job->name, errno, false); /* gone meanwhile */
    }
    bool goes_in = S_ISDIR(st.st_mode) && (removes || (job->ask.flags & NAMES_FLAG_RECURSIVE) != 0);
    if (!removes && !tell_name(job, folder, last, job->name, &st)) {
        return false;
    }
    if (goes_in) {
        int error =
            enter(job, openat(folder, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        return error == 0 ? true : fail(job, job->name, error, false);
    }
    return !removes || count_removed(job, unlinkat(folder, last, 0));
}

/* Leaves the innermost folder; a REMOVE takes it away. The outermost is the caller's. */
static bool leave(struct names_job *job)
{
    const struct level *level = &job->levels[--job->depth];
    job->name[level->name_len] = '\0';
    (void)closedir(level->dir);
    if (job->ask.verb != NAMES_REMOVE || job->depth == 0) {
        return true;
    }
    const char *slash = strrchr(job->name, '/');
    return count_removed(job, unlinkat(dirfd(job->levels[job->depth - 1].dir),
                                       slash == NULL ? job->name : slash + 1, AT_REMOVEDIR));
}

/* All that is in the folder entered last, and below it. */
static void walk(struct names_job *job)
{
    bool goes_on = true;
    while (goes_on && job->depth > 0) {
        struct level *level = &job->levels[job->depth - 1];
        const struct dirent *found = readdir(level->dir);
        job->name[level->name_len] = '\0';
        if (found == NULL) {
            goes_on = leave(job);
        } else if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) {
            continue;
        } else if (!extend(job, level->name_len, found->d_name)) {
            goes_on = fail(job, found->d_name, ENAMETOOLONG, false);
        } else {
            goes_on = visit(job, dirfd(level->dir), found->d_name);
        }
    }
    while (job->depth > 0) {
        (void)closedir(job->levels[--job->depth].dir);
    }
}

/* --- where it is ----------------------------------------------------------------------------------- */

static int open_folder(const struct names_job *job, const char *path)
{
    return job->root < 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                         : tree_open(job->root, path, O_RDONLY | O_DIRECTORY, 0);
}

/* The folder that holds a name, and its last component; of the root of all, itself. */
static int open_parent(const struct names_job *job, const char *path, const char **last)
{
    char folder[PROTO_PATH_MAX + 1];
    *last = ".";
    if (job->root >= 0) {
        return strcmp(path, ".") == 0 ? tree_open(job->root, ".", O_PATH | O_DIRECTORY, 0)
                                      : tree_open_parent(job->root, path, 0, last);
    }
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    *last = slash == NULL ? path : slash[1] == '\0' ? "." : slash + 1;
    memcpy(folder, path, len);
    folder[len] = '\0';
    return open(slash == NULL ? "." : len == 0 ? "/" : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* --- the four verbs -------------------------------------------------------------------------------- */

/* A folder's contents, by names from there; or the one thing. */
static int list(struct names_job *job, const char *path)
{
    int fd = open_folder(job, path);
    if (fd >= 0) {
        int error = enter(job, fd);
        if (error == 0) {
            walk(job);
        }
        return error;
    }
    return errno == ENOTDIR ? -1 : errno;
}

static int describe(struct names_job *job, const char *path)
{
    struct stat st = {.st_mode = 0};
    const char *last;
    int folder = open_parent(job, path, &last);
    int error = folder < 0 || fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    if (error == 0) {
        (void)tell_name(job, folder, last, strcmp(path, ".") == 0 ? "/" : path, &st);
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    return error;
}

/* The contents of a folder, then the folder. */
static int remove_folder(struct names_job *job, int parent, const char *path, const char *last)
{
    (void)snprintf(job->name, sizeof job->name, "%s", path);
    uint64_t failed = job->result.failed;
    int error = enter(job, openat(parent, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (error != 0) {
        return error;
    }
    walk(job);
    if (failed < job->result.failed || is_stopped(job)) {
        return 0; /* said already */
    }
    error = unlinkat(parent, last, AT_REMOVEDIR) == 0 ? 0 : errno;
    job->result.count += error == 0 ? 1 : 0;
    return error;
}

static int remove_path(struct names_job *job, const char *path)
{
    struct stat st = {.st_mode = 0};
    const char *last;
    int parent = open_parent(job, path, &last);
    if (parent >= 0 && (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)) {
        (void)close(parent);
        return EBUSY;
    }
    int error = parent < 0 || fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    bool is_recursive = (job->ask.flags & NAMES_FLAG_RECURSIVE) != 0;
    if (error == 0 && S_ISDIR(st.st_mode)) {
        error = is_recursive ? remove_folder(job, parent, path, last) : EISDIR;
    } else if (error == 0) {
        error = unlinkat(parent, last, 0) == 0 ? 0 : errno;
        job->result.count += error == 0 ? 1 : 0;
    }
    if (parent >= 0) {
        (void)close(parent);
    }
    return error;
}

static int make_one(struct names_job *job, const char *path, bool may_exist)
{
    const char *last;
    struct stat st;
    int parent = open_parent(job, path, &last);
    int error = parent < 0 || mkdirat(parent, last, 0777) != 0 ? errno : 0;
    if (error == EEXIST && may_exist && fstatat(parent, last, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
        error = 0;
    } else {
        job->result.count += error == 0 ? 1 : 0;
    }
    if (parent >= 0) {
        (void)close(parent);
    }
    return error;
}

static int make(struct names_job *job, const char *path)
{
    bool with_parents = (job->ask.flags & NAMES_FLAG_PARENTS) != 0;
    char front[PROTO_PATH_MAX + 1];
    int error = 0;
    if (strcmp(path, ".") == 0) {
        return with_parents ? 0 : EEXIST;
    }
    (void)snprintf(front, sizeof front, "%s", path);
    for (char *slash = strchr(front + 1, '/'); with_parents && slash != NULL && error == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        error = make_one(job, front, true);
        *slash = '/';
    }
    return error == 0 ? make_one(job, path, with_parents) : error;
}

/* --- the thread ------------------------------------------------------------------------------------ */

static int work_off(struct names_job *job)
{
    const char *path = job->ask.text;
    int error;
    switch (job->ask.verb) {
    case NAMES_LIST:
        error = list(job, path);
        return error == -1 ? describe(job, path) : error;
    case NAMES_STAT:
        return describe(job, path);
    case NAMES_REMOVE:
        return remove_path(job, path);
    case NAMES_MAKE:
        return make(job, path);
    }
    return EINVAL;
}

static void *run(void *user)
{
    struct names_job *job = user;
    struct names_message end = {.type = NAMES_END};
    int error = work_off(job);
    bool is_wanted = error == 0 || fail(job, job->ask.text, error, true);
    end.count = job->result.count;
    if (is_wanted) {
        (void)tell(job, &end);
    }
    (void)pthread_mutex_lock(&job->lock);
    job->is_over = true;
    (void)pthread_mutex_unlock(&job->lock);
    job->wake(job->user);
    return NULL;
}

/* Signals are the loop's: the thread must not be the one that takes them. */
static int begin(struct names_job *job)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&job->thread, NULL, run, job);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct names_job *names_job_new(int root, const struct names_message *ask, names_wake_fn wake,
                                void *user)
{
    struct names_job *job = calloc(1, sizeof *job);
    uint8_t *data = malloc(BUFFER);
    int copy = root < 0 ? -1 : fcntl(root, F_DUPFD_CLOEXEC, 0);
    int error = job == NULL || data == NULL ? ENOMEM : root >= 0 && copy < 0 ? errno : 0;
    if (error == 0) {
        job->data = data;
        job->root = copy;
        job->ask = *ask;
        job->wake = wake;
        job->user = user;
        (void)pthread_mutex_init(&job->lock, NULL);
        (void)pthread_cond_init(&job->room, NULL);
        error = begin(job);
        if (error == 0) {
            return job;
        }
        (void)pthread_cond_destroy(&job->room);
        (void)pthread_mutex_destroy(&job->lock);
    }
    if (copy >= 0) {
        (void)close(copy);
    }
    free(data);
    free(job);
    errno = error;
    return NULL;
}

void names_job_free(struct names_job *job, struct names_result *out)
{
    if (job == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&job->lock);
    job->is_stopped = true;
    (void)pthread_cond_signal(&job->room);
    (void)pthread_mutex_unlock(&job->lock);
    (void)pthread_join(job->thread, NULL);
    *out = job->result;
    (void)pthread_cond_destroy(&job->room);
    (void)pthread_mutex_destroy(&job->lock);
    if (job->root >= 0) {
        (void)close(job->root);
    }
    free(job->data);
    free(job);
}
