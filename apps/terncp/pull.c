/* Streams become files: header, blocks that workers write and hash, hash compared, name given.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/tree.h"

#define BLOCKS_MAX      24 /* MiB with the workers or being filled, over all files */
#define FILE_BLOCKS_MAX 8
#define FOLDERS_MAX     (1u << 20) /* whose attributes are kept until the end */

/* How many blocks there are. It outlives pull, since workers may still write when the session is gone. */
struct budget {
    unsigned count;
    bool is_orphan;
};

struct block {
    struct budget *budget;
    struct work_job job;
    struct file *file;
    struct block *next;
    size_t capacity;
    bool is_done;
};

struct file {
    struct pull *pull;
    tern_stream *stream; /* NULL once it is closed */
    struct proto_entry entry;
    uint8_t front[PROTO_HEADER_MAX];
    size_t front_used;
    bool has_entry, is_settled, is_dead;
    int folder, fd; /* the folder that holds it, the temporary file; -1: none */
    char temporary[32];
    char target[PROTO_PATH_MAX + 1];
    uint64_t received;
    struct block *filling;
    struct block *first, **last; /* with the workers, in order */
    unsigned out;
    struct work_root root;
    uint8_t hash[PROTO_HASH_SIZE];
    size_t hash_used;
    bool has_end;
    struct file *next, **link;
};

/* A folder whose mode and times are to be set at the end. */
struct folder {
    uint32_t mode;
    int64_t mtime_s;
    uint32_t mtime_ns;
    char *name;
};

struct pull {
    struct work *work;
    uint8_t session_key[PROTO_KEY_SIZE];
    int root;
    bool is_into;
    unsigned flags;
    mode_t mask;
    pull_settled_fn settled;
    void *user;
    struct file *files;
    struct budget *budget;
    struct pull_counts counts;
    struct folder *folders;
    size_t folder_count, folder_capacity;
    char target[PROTO_PATH_MAX + 1];
    char only[256]; /* empty: any name */
    int links;      /* TREE_NO_LINKS or 0 */
    char current[PROTO_PATH_MAX + 1];
};

struct pull *pull_new(struct work *work, const tern_conn *conn, const struct pull_request *request,
                      pull_settled_fn settled, void *user)
{
    struct pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL || (pull->budget = calloc(1, sizeof *pull->budget)) == NULL) {
        free(pull);
        return NULL;
    }
    pull->root = fcntl(request->root, F_DUPFD_CLOEXEC, 0);
    if (pull->root < 0 ||
        tern_conn_export(conn, PROTO_KEY_LABEL, pull->session_key, sizeof pull->session_key) != 0) {
        if (pull->root >= 0) {
            (void)close(pull->root);
        }
        free(pull->budget);
        free(pull);
        return NULL;
    }
    pull->work = work;
    pull->is_into = request->is_into;
    pull->flags = request->flags;
    pull->mask = umask(077);
    (void)umask(pull->mask);
    pull->settled = settled;
    pull->user = user;
    (void)snprintf(pull->target, sizeof pull->target, "%s", request->target);
    pull->links = request->only == NULL ? 0 : TREE_NO_LINKS;
    (void)snprintf(pull->only, sizeof pull->only, "%s", request->only == NULL ? "" : request->only);
    return pull;
}

/* --- the end of a file, good or bad ---------------------------------------------------------------- */

/* The name alone: workers may still write to the descriptor. */
static void drop_temporary_name(struct file *file)
{
    if (file->temporary[0] != '\0') {
        (void)unlinkat(file->folder, file->temporary, 0);
        file->temporary[0] = '\0';
    }
}

static void drop_temporary(struct file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
        file->fd = -1;
        drop_temporary_name(file);
    }
    if (file->folder >= 0) {
        (void)close(file->folder);
        file->folder = -1;
    }
}

static void block_free(struct block *block)
{
    struct budget *budget = block->budget;
    if (--budget->count == 0 && budget->is_orphan) {
        free(budget);
    }
    free(block->job.data);
    free(block);
}

static void file_free(struct file *file)
{
    drop_temporary(file);
    if (file->filling != NULL) {
        block_free(file->filling);
    }
    while (file->first != NULL) {
        struct block *block = file->first;
        file->first = block->next;
        block_free(block);
    }
    free(file);
}

static void settle(struct file *file, enum proto_status status, const char *why, bool by_peer)
{
    struct pull *pull = file->pull;
    if (file->is_settled) {
        return;
    }
    file->is_settled = true;
    pull->counts.settled++;
    pull->counts.failed += status != PROTO_OK ? 1 : 0;
    if (status != PROTO_OK && file->stream != NULL) {
        int rc = tern_stream_stop(file->stream, (uint64_t)status);
        (void)rc; /* a stream that has ended needs no stop */
    }
    if (status != PROTO_OK && file->out == 0) {
        drop_temporary(file);
    }
    pull->settled(pull->user, file->has_entry ? file->entry.index : PROTO_INDEX_NONE, status,
                  file->has_entry ? file->target : "an entry", why, by_peer);
}

static void fail_errno(struct file *file, int error)
{
    settle(file, proto_status_of(error), strerror(error), false);
}

/* Mode, times, and the final name. 0 or an errno. */
static int give_name(struct file *file)
{
    const struct pull *pull = file->pull;
    bool is_preserving = (pull->flags & PROTO_FLAG_PRESERVE) != 0;
    /* Never set-user-ID and the like: the sender's word must not make a program that runs as us. */
    mode_t mode = (mode_t)(file->entry.mode & 0777) & ~(is_preserving ? 0 : pull->mask);
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)file->entry.mtime_s, .tv_nsec = (long)file->entry.mtime_ns}};
    const char *last = strrchr(file->target, '/');
    last = last == NULL ? file->target : last + 1;
    if (fchmod(file->fd, mode) != 0 || (is_preserving && futimens(file->fd, times) != 0) ||
        ((pull->flags & PROTO_FLAG_FSYNC) != 0 && fsync(file->fd) != 0) ||
        renameat(file->folder, file->temporary, file->folder, last) != 0) {
        return errno;
    }
    file->temporary[0] = '\0';
    (void)close(file->fd);
    file->fd = -1;
    if ((pull->flags & PROTO_FLAG_FSYNC) != 0) {
        int folder = openat(file->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0) {
            (void)fsync(folder); /* the name itself; its failure cannot be undone any more */
            (void)close(folder);
        }
    }
    return 0;
}

static void finish(struct file *file)
{
    uint8_t root[PROTO_HASH_SIZE];
    if (file->is_settled || !file->has_end || file->out > 0) {
        return;
    }
    work_root_final(&file->root, root);
    if (sodium_memcmp(root, file->hash, sizeof root) != 0) {
        settle(file, PROTO_INTEGRITY, "the hash of what arrived is not the sender's", false);
        return;
    }
    int error = give_name(file);
    if (error != 0) {
        fail_errno(file, error);
        return;
    }
    drop_temporary(file);
    settle(file, PROTO_OK, NULL, false);
}

/* --- blocks ---------------------------------------------------------------------------------------- */

static void read_stream(struct file *file);

static void on_written(struct work_job *job)
{
    struct block *done = job->owner;
    struct file *file = done->file;
    done->is_done = true;
    file->out--;
    if (file->is_dead) {
        if (file->out == 0) {
            file_free(file);
        }
        return;
    }
    if (job->error != 0) {
        fail_errno(file, job->error);
    }
    while (file->first != NULL && file->first->is_done) { /* leaves go into the root in order */
        struct block *block = file->first;
        work_root_add(&file->root, block->job.leaf);
        file->first = block->next;
        file->last = file->first == NULL ? &file->first : file->last;
        block_free(block);
    }
    if (file->is_settled) {
        if (file->out == 0) {
            drop_temporary(file);
        }
        return;
    }
    finish(file);
    pull_pump(file->pull);
}

static void submit(struct file *file)
{
    struct block *block = file->filling;
    file->filling = NULL;
    *file->last = block;
    file->last = &block->next;
    file->out++;
    work_submit(file->pull->work, &block->job);
}

/* Somewhere to put the next bytes. False: wait until the disk has caught up. */
static bool need_block(struct file *file)
{
    struct pull *pull = file->pull;
    if (file->filling != NULL) {
        return true;
    }
    if (file->out >= FILE_BLOCKS_MAX || (pull->budget->count >= BLOCKS_MAX && file->out > 0)) {
        return false;
    }
    uint64_t left = file->entry.size - file->received;
    struct block *block = calloc(1, sizeof *block);
    size_t capacity = left < WORK_BLOCK ? (size_t)left : WORK_BLOCK;
    if (block == NULL || (block->job.data = malloc(capacity)) == NULL) {
        free(block);
        fail_errno(file, ENOMEM);
        return false;
    }
    block->capacity = capacity;
    block->job.is_write = true;
    block->job.fd = file->fd;
    memcpy(block->job.key, file->root.key, sizeof block->job.key);
    block->job.offset = file->received;
    block->job.done = on_written;
    block->job.owner = block;
    block->file = file;
    file->filling = block;
    block->budget = pull->budget;
    block->budget->count++;
    return true;
}

/* --- entries ----------------------------------------------------------------------------------------- */

/* Where the entry goes. False: its name, or what came of it, is no name of ours. */
static bool map_name(struct file *file)
{
    const struct pull *pull = file->pull;
    const char *rest = file->entry.name;
    int n;
    if (!tree_is_safe(file->entry.name)) {
        return false;
    }
    if (!pull->is_into) {
        rest = strchr(rest, '/');
        n = snprintf(file->target, sizeof file->target, "%s%s", pull->target,
                     rest == NULL ? "" : rest);
    } else if (strcmp(pull->target, ".") == 0) {
        n = snprintf(file->target, sizeof file->target, "%s", rest);
    } else {
        n = snprintf(file->target, sizeof file->target, "%s/%s", pull->target, rest);
    }
    return n > 0 && (size_t)n < sizeof file->target && tree_is_safe(file->target);
}

/* A folder's stream may come later than those of its files: makes what is missing above a name. */
static int open_folder_of(struct file *file, const char **last)
{
    char part[PROTO_PATH_MAX + 1];
    int root = file->pull->root;
    int folder = tree_open_parent(root, file->target, file->pull->links, last);
    if (folder >= 0 || errno != ENOENT || !(file->pull->flags & PROTO_FLAG_RECURSIVE)) {
        return folder;
    }
    (void)snprintf(part, sizeof part, "%s", file->target);
    for (char *slash = strchr(part, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const char *name;
        *slash = '\0';
        int parent = tree_open_parent(root, part, file->pull->links, &name);
        if (parent < 0) {
            return -1;
        }
        int rc = mkdirat(parent, name, 0777);
        int saved = errno;
        (void)close(parent);
        if (rc != 0 && saved != EEXIST) {
            errno = saved;
            return -1;
        }
        *slash = '/';
    }
    return tree_open_parent(root, file->target, file->pull->links, last);
}

static bool note_folder(struct file *file)
{
    struct pull *pull = file->pull;
    if (pull->folder_count == FOLDERS_MAX) {
        return false;
    }
    if (pull->folder_count == pull->folder_capacity) {
        size_t capacity = pull->folder_capacity == 0 ? 16 : pull->folder_capacity * 2;
        struct folder *grown = realloc(pull->folders, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        pull->folders = grown;
        pull->folder_capacity = capacity;
    }
    struct folder folder = {.mode = file->entry.mode & 01777,
                            .mtime_s = file->entry.mtime_s,
                            .mtime_ns = file->entry.mtime_ns,
                            .name = strdup(file->target)};
    if (folder.name == NULL) {
        return false;
    }
    pull->folders[pull->folder_count++] = folder;
    return true;
}

/* What is inside comes before what it is in, since a sealed folder may not let us in any more. */
static int inner_first(const void *a, const void *b)
{
    return strcmp(((const struct folder *)b)->name, ((const struct folder *)a)->name);
}

void pull_seal_folders(struct pull *pull)
{
    if (pull->folder_count > 0) {
        qsort(pull->folders, pull->folder_count, sizeof *pull->folders, inner_first);
    }
    for (size_t i = 0; i < pull->folder_count; i++) {
        struct folder *folder = &pull->folders[i];
        struct timespec times[2] = {
            {.tv_nsec = UTIME_OMIT},
            {.tv_sec = (time_t)folder->mtime_s, .tv_nsec = (long)folder->mtime_ns}};
        int fd = tree_open(pull->root, folder->name, O_RDONLY | O_DIRECTORY | pull->links, 0);
        if (fd < 0 || futimens(fd, times) != 0 || fchmod(fd, (mode_t)folder->mode) != 0) {
            pull->counts.failed++;
            pull->settled(pull->user, PROTO_INDEX_NONE, proto_status_of(errno), folder->name,
                          strerror(errno), false);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
        free(folder->name);
    }
    pull->folder_count = 0;
}

static void begin_folder(struct file *file, const char *last)
{
    struct stat st;
    bool is_preserving = (file->pull->flags & PROTO_FLAG_PRESERVE) != 0;
    if (mkdirat(file->folder, last, is_preserving ? 0700 : 0777) != 0 &&
        (errno != EEXIST || fstatat(file->folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
         !S_ISDIR(st.st_mode))) {
        fail_errno(file, errno);
        return;
    }
    if (is_preserving && !note_folder(file)) {
        fail_errno(file, ENOMEM);
        return;
    }
    file->pull->counts.folders++;
    settle(file, PROTO_OK, NULL, false);
}

static void begin_file(struct file *file, const char *last)
{
    struct stat st;
    if (fstatat(file->folder, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
        fail_errno(file, EISDIR);
        return;
    }
    do {
        uint32_t number = randombytes_random();
        (void)snprintf(file->temporary, sizeof file->temporary, ".terncp-%08x.part",
                       (unsigned)number);
        file->fd = openat(file->folder, file->temporary,
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (file->fd < 0 && errno == EEXIST);
    if (file->fd < 0) {
        int error = errno;
        file->temporary[0] = '\0';
        fail_errno(file, error);
        return;
    }
    file->pull->counts.files++;
    file->pull->counts.total += file->entry.size;
    work_root_init(&file->root, file->pull->session_key, file->entry.index, file->entry.size);
}

static void begin(struct file *file)
{
    const char *last = "";
    bool is_recursive = (file->pull->flags & PROTO_FLAG_RECURSIVE) != 0;
    bool was_asked_for = tree_is_under(file->entry.name, file->pull->only, is_recursive);
    if (!was_asked_for || !map_name(file)) {
        memcpy(file->target, file->entry.name, sizeof file->target);
        settle(file, PROTO_REFUSED_PATH,
               was_asked_for ? "the name would leave the target" : "it was not asked for", false);
        return;
    }
    memcpy(file->pull->current, file->target, sizeof file->target);
    file->folder = open_folder_of(file, &last);
    if (file->folder < 0) {
        fail_errno(file, errno);
    } else if (file->entry.type == PROTO_FOLDER) {
        begin_folder(file, last);
    } else {
        begin_file(file, last);
    }
}

/* Takes bytes into the header, the current block or the hash. Returns how many; 0: wait. */
static size_t take(struct file *file, const uint8_t *data, size_t len)
{
    if (!file->has_entry) {
        size_t n = sizeof file->front - file->front_used;
        size_t before = file->front_used;
        n = len < n ? len : n;
        memcpy(file->front + before, data, n);
        file->front_used += n;
        int used = proto_entry_decode(&file->entry, file->front, file->front_used);
        if (used < 0 || (used == 0 && file->front_used == sizeof file->front)) {
            settle(file, PROTO_BAD_REQUEST, "malformed entry", false);
            return n;
        }
        if (used > 0) {
            file->has_entry = true;
            begin(file);
            return (size_t)used - before;
        }
        return n;
    }
    if (file->received < file->entry.size) {
        if (!need_block(file)) {
            return 0;
        }
        struct block *block = file->filling;
        size_t n = block->capacity - block->job.len;
        n = len < n ? len : n;
        memcpy(block->job.data + block->job.len, data, n);
        block->job.len += n;
        file->received += n;
        file->pull->counts.bytes += n;
        if (block->job.len == block->capacity) {
            submit(file);
        }
        return n;
    }
    size_t n = sizeof file->hash - file->hash_used;
    n = len < n ? len : n;
    memcpy(file->hash + file->hash_used, data, n);
    file->hash_used += n;
    if (n == 0) {
        settle(file, PROTO_BAD_REQUEST, "bytes behind the hash", false);
        return len;
    }
    return n;
}

static void on_end(struct file *file)
{
    bool is_folder = file->has_entry && file->entry.type == PROTO_FOLDER;
    if (is_folder || file->is_settled) {
        return;
    }
    if (!file->has_entry || file->received < file->entry.size ||
        file->hash_used < sizeof file->hash) {
        settle(file, PROTO_BAD_REQUEST, "the stream ended early", false);
        return;
    }
    file->has_end = true;
    finish(file);
}

static void on_reset(struct file *file)
{
    uint64_t code = tern_stream_reset_code(file->stream);
    enum proto_status status =
        code > PROTO_OK && code <= PROTO_CHANGED ? (enum proto_status)code : PROTO_IO;
    settle(file, status, proto_status_text(status), true);
}

static void read_stream(struct file *file)
{
    const uint8_t *data;
    size_t len;
    while (file->stream != NULL && !file->has_end) {
        int rc = tern_stream_peek(file->stream, &data, &len);
        if (rc == TERN_ERR_RESET) {
            on_reset(file);
            return;
        }
        if (rc != 0) {
            return;
        }
        size_t n = file->is_settled ? len : len == 0 ? 0 : take(file, data, len);
        if (len > 0 && n == 0 && !file->is_settled) {
            return; /* the disk is behind: the window closes by itself */
        }
        if (tern_stream_consume(file->stream, n) != 0) {
            return;
        }
        if (len == 0) {
            on_end(file);
            return;
        }
    }
}

void pull_on_opened(struct pull *pull, tern_stream *stream)
{
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        int rc = tern_stream_stop(stream, PROTO_IO);
        (void)rc; /* the stream is fresh */
        pull->counts.settled++;
        pull->counts.failed++;
        pull->settled(pull->user, PROTO_INDEX_NONE, PROTO_IO, "an entry", strerror(ENOMEM), false);
        return;
    }
    file->pull = pull;
    file->stream = stream;
    file->folder = file->fd = -1;
    file->last = &file->first;
    file->link = &pull->files;
    file->next = pull->files;
    if (file->next != NULL) {
        file->next->link = &file->next;
    }
    pull->files = file;
    tern_stream_set_user(stream, file);
}

void pull_on_readable(tern_stream *stream)
{
    struct file *file = tern_stream_user(stream);
    if (file != NULL) {
        read_stream(file);
    }
}

static void file_drop(struct file *file)
{
    *file->link = file->next;
    if (file->next != NULL) {
        file->next->link = file->link;
    }
    file->is_dead = true;
    if (file->out == 0) {
        file_free(file);
    }
}

void pull_on_closed(tern_stream *stream)
{
    struct file *file = tern_stream_user(stream);
    if (file != NULL) {
        tern_stream_set_user(stream, NULL);
        file->stream = NULL;
        if (file->is_settled) {
            file_drop(file);
        }
    }
}

void pull_pump(struct pull *pull)
{
    struct file *next;
    for (struct file *file = pull->files; file != NULL; file = next) {
        next = file->next;
        if (file->stream != NULL) {
            read_stream(file);
        } else if (file->is_settled) {
            file_drop(file);
        }
    }
}

const struct pull_counts *pull_counts(const struct pull *pull)
{
    return &pull->counts;
}

const char *pull_current(const struct pull *pull)
{
    return pull->current;
}

void pull_free(struct pull *pull)
{
    if (pull == NULL) {
        return;
    }
    for (struct file *file = pull->files, *next; file != NULL; file = next) {
        next = file->next;
        if (file->stream != NULL) {
            tern_stream_set_user(file->stream, NULL);
        }
        drop_temporary_name(file);
        file->is_dead = true;
        if (file->out == 0) {
            file_free(file);
        }
    }
    for (size_t i = 0; i < pull->folder_count; i++) {
        free(pull->folders[i].name);
    }
    free(pull->folders);
    pull->budget->is_orphan = true;
    if (pull->budget->count == 0) {
        free(pull->budget);
    }
    (void)close(pull->root);
    sodium_memzero(pull->session_key, sizeof pull->session_key);
    free(pull);
}
