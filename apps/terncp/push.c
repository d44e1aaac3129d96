/* Files become streams: header, blocks in order as the workers have read and hashed them, the hash.
 *
 * Blocks are lent to the transport (no copy) and come back when they are acknowledged. Their number
 * is bounded, so that memory is, whatever the files and the network do.
 * SPDX-License-Identifier: MIT */
#include "terncp/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/tree.h"

#define BLOCKS_MAX  24 /* MiB in memory at most */
#define FILES_MAX   48 /* entries under way at once */
#define SOURCES_MAX 1024
#define READ_AHEAD  8 /* blocks of one file being read or waiting for their turn */

/* How many blocks there are. It outlives push, since the transport may hold blocks for longer. */
struct budget {
    unsigned count;
    bool is_orphan;
    uint64_t released; /* bytes that the peer has acknowledged */
};

struct block {
    struct work_job job;
    struct file *file;
    struct budget *budget;
    struct block *next;
    bool is_read;
};

/* An entry on its way. */
struct file {
    struct push *push;
    tern_stream *stream;
    int fd;
    uint64_t size, submitted, written;
    struct block *first, **last; /* read or being read, in order */
    unsigned waiting;            /* in `first` */
    unsigned out;                /* of these, with the workers, who read from fd */
    bool is_dead;                /* free when the last of them is back */
    struct work_root root;
    uint8_t front[PROTO_HEADER_MAX]; /* header, then hash: bytes that are copied */
    size_t front_len, front_at;
    bool has_trailer, is_over;
    char name[PROTO_PATH_MAX + 1];
    struct file *next, **link;
};

struct push {
    struct work *work;
    tern_conn *conn;
    uint8_t session_key[PROTO_KEY_SIZE];
    push_failed_fn failed;
    void *user;
    struct tree_walk *sources[SOURCES_MAX];
    size_t source, source_count;
    struct file *files;
    unsigned file_count;
    struct budget *budget;
    struct tree_entry *held; /* found, but no stream could be opened for it */
    bool has_held;
    struct push_counts counts;
    char current[PROTO_PATH_MAX + 1];
};

struct push *push_new(struct work *work, tern_conn *conn, push_failed_fn failed, void *user)
{
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL || (push->held = calloc(1, sizeof *push->held)) == NULL ||
        (push->budget = calloc(1, sizeof *push->budget)) == NULL ||
        tern_conn_export(conn, PROTO_KEY_LABEL, push->session_key, sizeof push->session_key) != 0) {
        if (push != NULL) {
            free(push->budget);
            free(push->held);
        }
        free(push);
        return NULL;
    }
    push->work = work;
    push->conn = conn;
    push->failed = failed;
    push->user = user;
    return push;
}

int push_add(struct push *push, int root, const char *path, const char *name, bool is_recursive)
{
    if (push->source_count == SOURCES_MAX) {
        return E2BIG;
    }
    struct tree_walk *walk = tree_walk_new(root, path, name, is_recursive);
    if (walk == NULL) {
        return errno;
    }
    push->sources[push->source_count++] = walk;
    return 0;
}

/* --- blocks -------------------------------------------------------------------------------------- */

static void block_free(struct block *block)
{
    struct budget *budget = block->budget;
    budget->count--;
    if (budget->is_orphan && budget->count == 0) {
        free(budget);
    }
    free(block->job.data);
    free(block);
}

static void file_free(struct file *file);

/* The transport needs the bytes no more. Runs inside endpoint calls: only memory is touched. */
static void on_released(void *arg, const void *data, size_t len)
{
    (void)data;
    ((struct block *)arg)->budget->released += len;
    block_free(arg);
}

static void give_up(struct file *file, int error)
{
    if (file->is_over) {
        return;
    }
    file->is_over = true;
    file->push->counts.failed++;
    int rc = tern_stream_reset(file->stream, (uint64_t)proto_status_of(error));
    (void)rc; /* a stream that is over already needs no reset */
    file->push->failed(file->push->user, file->name, error, true);
}

static void on_read(struct work_job *job)
{
    struct block *block = job->owner;
    struct file *file = block->file;
    block->is_read = true;
    file->out--;
    if (file->is_dead) {
        if (file->out == 0) {
            file_free(file);
        }
        return;
    }
    if (job->error != 0) {
        give_up(file, job->error);
    }
    push_pump(file->push);
}

/* Orders the next block of a file from the workers. */
static bool read_ahead(struct file *file)
{
    struct push *push = file->push;
    uint64_t left = file->size - file->submitted;
    if (left == 0 || file->waiting >= READ_AHEAD || push->budget->count >= BLOCKS_MAX) {
        return false;
    }
    size_t len = left < WORK_BLOCK ? (size_t)left : WORK_BLOCK;
    struct block *block = calloc(1, sizeof *block);
    if (block == NULL || (block->job.data = malloc(len)) == NULL) {
        free(block);
        if (push->budget->count == 0) {
            give_up(file, ENOMEM);
        }
        return false;
    }
    block->job.fd = file->fd;
    memcpy(block->job.key, file->root.key, sizeof block->job.key);
    block->job.offset = file->submitted;
    block->job.len = len;
    block->job.done = on_read;
    block->job.owner = block;
    block->file = file;
    block->budget = push->budget;
    *file->last = block;
    file->last = &block->next;
    file->waiting++;
    file->submitted += len;
    push->budget->count++;
    file->out++;
    work_submit(push->work, &block->job);
    return true;
}

/* --- files --------------------------------------------------------------------------------------- */

static void file_free(struct file *file)
{
    while (file->first != NULL) {
        struct block *block = file->first;
        file->first = block->next;
        block_free(block);
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    free(file);
}

/* Takes a file off the list; its memory goes when no worker reads from it any more. */
static void file_drop(struct file *file)
{
    *file->link = file->next;
    if (file->next != NULL) {
        file->next->link = file->link;
    }
    file->push->file_count--;
    file->is_dead = true;
    if (file->out == 0) {
        file_free(file);
    }
}

/* Copies what stands in front (header or hash) into the stream. False: it takes no more now. */
static bool write_front(struct file *file, unsigned flags)
{
    while (file->front_at < file->front_len) {
        ptrdiff_t n = tern_stream_write(file->stream, file->front + file->front_at,
                                        file->front_len - file->front_at, flags);
        if (n <= 0) {
            return false;
        }
        file->front_at += (size_t)n;
    }
    return true;
}

static bool write_blocks(struct file *file)
{
    while (file->first != NULL && file->first->is_read) {
        struct block *block = file->first;
        ptrdiff_t n = tern_stream_write_ref(file->stream, block->job.data, block->job.len,
                                            on_released, block, 0);
        if (n <= 0) {
            return false;
        }
        work_root_add(&file->root, block->job.leaf);
        file->first = block->next;
        file->last = file->first == NULL ? &file->first : file->last;
        file->waiting--;
        block->file = NULL;
        block->next = NULL; /* the transport's now, until on_released */
        file->written += block->job.len;
        (void)read_ahead(file);
    }
    return file->first == NULL;
}

static void advance(struct file *file)
{
    /* What stands in front is the last thing of a folder (its header) and of a file (its hash). */
    bool is_last = file->fd < 0 || file->has_trailer;
    if (file->is_over || !write_front(file, is_last ? TERN_FIN : 0)) {
        return;
    }
    if (is_last) {
        file->is_over = true;
        return;
    }
    while (read_ahead(file)) {
    }
    if (!write_blocks(file) || file->written < file->size) {
        return;
    }
    work_root_final(&file->root, file->front);
    file->front_len = PROTO_HASH_SIZE;
    file->front_at = 0;
    file->has_trailer = true;
    file->is_over = write_front(file, TERN_FIN);
}

static void fill_entry(struct proto_entry *entry, const struct tree_entry *found, uint32_t index)
{
    memset(entry, 0, sizeof *entry);
    entry->type = found->fd >= 0 ? PROTO_FILE : PROTO_FOLDER;
    entry->index = index;
    entry->mode = (uint32_t)found->st.st_mode & 07777;
    entry->mtime_s = found->st.st_mtim.tv_sec;
    entry->mtime_ns = (uint32_t)found->st.st_mtim.tv_nsec;
    entry->size = found->fd >= 0 ? (uint64_t)found->st.st_size : 0;
    memcpy(entry->name, found->name, sizeof entry->name);
}

/* Gives the found entry a stream. False when the peer allows no more streams now. */
static bool begin_file(struct push *push, const struct tree_entry *found)
{
    struct proto_entry entry;
    tern_stream *stream;
    int rc = tern_conn_open_stream(push->conn, TERN_STREAM_UNI, &stream);
    if (rc != 0) {
        return false;
    }
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        rc = tern_stream_reset(stream, PROTO_IO);
        (void)rc; /* the stream is fresh */
        if (found->fd >= 0) {
            (void)close(found->fd);
        }
        push->counts.entries++; /* the receiver counts the reset as one that failed */
        push->counts.failed++;
        push->failed(push->user, found->name, ENOMEM, true);
        return true;
    }
    fill_entry(&entry, found, push->counts.entries++);
    file->push = push;
    file->stream = stream;
    file->fd = found->fd;
    file->size = entry.size;
    file->last = &file->first;
    file->front_len = proto_entry_encode(&entry, file->front, sizeof file->front);
    memcpy(file->name, found->name, sizeof file->name);
    memcpy(push->current, found->name, sizeof push->current);
    work_root_init(&file->root, push->session_key, entry.index, entry.size);
    tern_stream_set_user(stream, file);
    file->link = &push->files;
    file->next = push->files;
    if (file->next != NULL) {
        file->next->link = &file->next;
    }
    push->files = file;
    push->file_count++;
    push->counts.files += entry.type == PROTO_FILE ? 1 : 0;
    push->counts.folders += entry.type == PROTO_FOLDER ? 1 : 0;
    push->counts.total += entry.size;
    return true;
}

/* Finds the next entry into `held`. False when all sources are exhausted. */
static bool find_next(struct push *push)
{
    while (!push->has_held && push->source < push->source_count) {
        switch (tree_walk_next(push->sources[push->source], push->held)) {
        case TREE_ENTRY:
            push->has_held = true;
            break;
        case TREE_SKIPPED:
            push->counts.failed += errno != 0 ? 1 : 0;
            push->failed(push->user, push->held->name, errno, false);
            break;
        case TREE_END:
            tree_walk_free(push->sources[push->source]);
            push->sources[push->source++] = NULL;
            break;
        }
    }
    return push->has_held;
}

void push_pump(struct push *push)
{
    for (struct file *file = push->files; file != NULL; file = file->next) {
        advance(file);
    }
    while (push->file_count < FILES_MAX && push->budget->count < BLOCKS_MAX && find_next(push)) {
        if (!begin_file(push, push->held)) {
            return;
        }
        push->has_held = false;
        if (push->files != NULL) {
            advance(push->files);
        }
    }
}

void push_on_writable(tern_stream *stream)
{
    struct file *file = tern_stream_user(stream);
    if (file != NULL) {
        advance(file);
    }
}

void push_on_stopped(tern_stream *stream)
{
    struct file *file = tern_stream_user(stream);
    if (file != NULL) {
        file->is_over = true; /* the receiver says why on the control stream */
    }
}

void push_on_closed(tern_stream *stream)
{
    struct file *file = tern_stream_user(stream);
    if (file != NULL) {
        struct push *push = file->push;
        tern_stream_set_user(stream, NULL);
        file_drop(file);
        push_pump(push);
    }
}

bool push_is_done(const struct push *push)
{
    return push->source == push->source_count && !push->has_held && push->files == NULL;
}

const struct push_counts *push_counts(struct push *push)
{
    push->counts.bytes = push->budget->released;
    return &push->counts;
}

const char *push_current(const struct push *push)
{
    return push->current;
}

void push_free(struct push *push)
{
    if (push == NULL) {
        return;
    }
    for (struct file *file = push->files, *next; file != NULL; file = next) {
        next = file->next;
        tern_stream_set_user(file->stream, NULL);
        file_drop(file);
    }
    for (size_t i = push->source; i < push->source_count; i++) {
        tree_walk_free(push->sources[i]);
    }
    if (push->has_held && push->held->fd >= 0) {
        (void)close(push->held->fd);
    }
    free(push->held);
    push->budget->is_orphan = true;
    if (push->budget->count == 0) {
        free(push->budget);
    }
    free(push);
}
