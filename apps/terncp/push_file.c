/* A larger file: header, the receiver's plan, blocks in order as the workers have read and hashed them, the
 * hash. Blocks are lent to the transport, with the head of their step right before them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/hash.h"
#include "terncp/holes.h"
#include "terncp/push_parts.h"

/* One change can look like two: a file system may set the time of a file that it has cut at the beginning of
 * that and again at its end. */
#define RETRIES    2
#define READ_AHEAD 8  /* blocks of one file being read or waiting for their turn */
#define HEAD_ROOM  32 /* before a block's bytes, for the head of its step */

struct read_block {
    struct work_block work;
    struct push_file *file;
    struct read_block *next;
    uint8_t *memory;
    size_t size; /* of memory */
    bool is_read;
    bool is_hole;    /* nothing was read: it is all zeros */
    int level;       /* to be compressed, if it shrinks; 0: not tried */
    uint8_t *packed; /* with HEAD_ROOM, as memory; NULL: it is not */
    size_t packed_len;
};

struct push_file {
    struct push_stream s;
    struct proto_entry entry;
    int fd;
    uint64_t submitted, written;
    struct read_block *first, **last; /* read or being read, in order */
    unsigned waiting;                 /* in `first` */
    unsigned out;                     /* of these, with the workers, who read from fd */
    bool is_dead;                     /* free when the last of them is back */
    uint8_t key[PROTO_KEY_SIZE];
    struct hash_root root;
    /* Bytes that are copied: header, heads of steps without data, the end. */
    uint8_t front[PROTO_HEADER_MAX];
    size_t front_len, front_at;
    uint8_t *attrs; /* right behind the header */
    size_t attrs_at;
    bool has_index;
    uint64_t data_end; /* up to here there is no hole */
    bool has_end, is_over;
    unsigned tries; /* that failed because it changed */
    struct zip_gauge gauge;
    /* The plan as it comes, and the leaves of a part, one at a time. */
    uint8_t plan_bytes[PROTO_PLAN_HEAD_MAX];
    size_t plan_used;
    bool has_plan;
    struct proto_plan plan;
    uint8_t leaf[PROTO_LEAF_SIZE];
    size_t leaf_used;
    uint32_t leaves_used;
    struct push_file *next, **link;
};

/* --- blocks ---------------------------------------------------------------------------------------- */

static void block_free(struct push *push, struct read_block *block)
{
    if (push->budget != NULL) {
        push->budget->bytes -= block->size;
    }
    free(block->packed);
    free(block->memory);
    free(block);
}

static void file_free(struct push_file *file)
{
    while (file->first != NULL) {
        struct read_block *block = file->first;
        file->first = block->next;
        block_free(file->s.push, block);
    }
    (void)close(file->fd);
    free(file->attrs);
    sodium_memzero(file->key, sizeof file->key);
    free(file);
}

static void enqueue(struct push *push, struct push_file *file)
{
    file->s.push = push;
    file->last = &file->first;
    *push->queued_last = file;
    push->queued_last = &file->next;
    push->queued_count++;
}

/* The file as it is now joins the queue. False: it cannot. */
static bool try_again(struct push_file *file)
{
    struct stat st;
    struct push_file *again = calloc(1, sizeof *again);
    if (again == NULL) {
        return false;
    }
    again->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (again->fd < 0 || fstat(again->fd, &st) != 0) {
        if (again->fd >= 0) {
            (void)close(again->fd);
        }
        free(again);
        return false;
    }
    again->entry = file->entry;
    again->entry.size = (uint64_t)st.st_size;
    again->entry.mtime_s = st.st_mtim.tv_sec;
    again->entry.mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
    again->tries = file->tries + 1;
    enqueue(file->s.push, again);
    return true;
}

static void give_up(struct push_file *file, int error)
{
    if (file->is_over) {
        return;
    }
    bool is_again = error == ESTALE && file->tries < RETRIES && try_again(file);
    uint64_t code = (uint64_t)(is_again ? PROTO_AGAIN : proto_status_of(error));
    file->is_over = true;
    int rc = tern_stream_reset(file->s.stream, code);
    rc = tern_stream_stop(file->s.stream, code);
    (void)rc; /* halves that are over need neither */
    if (is_again) {
        file->s.push->counts.total -= file->entry.size;
    }
    push_fail(file->s.push, file->entry.name, is_again ? EAGAIN : error, true);
}

/* On a worker's thread. */
static void run_block(struct work_job *job)
{
    struct read_block *block = job->owner;
    work_read(job);
    if (job->error != 0 || block->level == 0) {
        return;
    }
    uint8_t *packed = malloc(HEAD_ROOM + block->work.len);
    if (packed == NULL) {
        return; /* it goes as it is */
    }
    block->packed_len =
        zip_pack(block->work.data, block->work.len, packed + HEAD_ROOM, block->level);
    if (block->packed_len == 0) {
        free(packed);
        return;
    }
    uint8_t *fitting = realloc(packed, HEAD_ROOM + block->packed_len);
    block->packed = fitting != NULL ? fitting : packed;
}

static void on_read(struct work_job *job)
{
    struct read_block *block = job->owner;
    struct push_file *file = block->file;
    struct push *push = file->s.push;
    block->is_read = true;
    file->out--;
    if (block->level > 0) {
        zip_gauge_note(&file->gauge, block->packed != NULL);
    }
    int error = file->is_dead ? 0 : job->error;
    if (file->is_dead && file->out == 0) {
        file_free(file);
    }
    if (push_job_back(push)) {
        return;
    }
    if (error != 0) {
        give_up(file, error);
    }
    push_pump(push);
}

static void append(struct push_file *file, struct read_block *block)
{
    *file->last = block;
    file->last = &block->next;
    file->waiting++;
    file->submitted += block->work.len;
}

/* The next block lies in a hole: nobody need read it, and its leaf is that of zeros. */
static bool pass_hole(struct push_file *file, size_t len)
{
    struct holes_span span;
    if ((file->s.push->request.flags & PROTO_FLAG_SPARSE) == 0 ||
        file->submitted < file->data_end ||
        holes_next(file->fd, file->submitted, file->entry.size, &span) != 0) {
        return false;
    }
    if (!span.is_hole || span.len < len) { /* to look again for each block would take ever longer */
        file->data_end = file->submitted + span.len;
        return false;
    }
    struct read_block *block = calloc(1, sizeof *block);
    if (block == NULL) {
        return false;
    }
    block->work.offset = file->submitted;
    block->work.len = len;
    block->file = file;
    block->is_read = block->is_hole = true;
    append(file, block);
    return true;
}

/* Orders the next block of a file from the workers. */
static bool read_ahead(struct push_file *file)
{
    struct push *push = file->s.push;
    uint64_t left = file->entry.size - file->submitted;
    if ((push->request.flags & PROTO_FLAG_ZSTD) != 0 && !push->knows_zip) {
        return false; /* or the first blocks, which may be all, would go as they are */
    }
    if (left == 0 || file->waiting >= READ_AHEAD ||
        (push->budget->bytes >= PUSH_MEMORY && file->waiting > 0)) {
        return false;
    }
    size_t len = left < PROTO_BLOCK ? (size_t)left : PROTO_BLOCK;
    if (pass_hole(file, len)) {
        return true;
    }
    struct read_block *block = calloc(1, sizeof *block);
    if (block == NULL || (block->memory = malloc(HEAD_ROOM + len)) == NULL) {
        free(block);
        if (file->waiting == 0) {
            give_up(file, ENOMEM);
        }
        return false;
    }
    block->work = (struct work_block){
        .job = {.run = run_block, .done = on_read, .owner = block},
        .fd = file->fd,
        .offset = file->submitted,
        .len = len,
        .data = block->memory + HEAD_ROOM,
        .has_no_leaf = (push->request.flags & PROTO_FLAG_NO_HASH) != 0 &&
                       file->plan.kind != PROTO_PLAN_PARTIAL,
    };
    memcpy(block->work.key, file->key, sizeof block->work.key);
    block->file = file;
    block->level = push->level > 0 && zip_gauge_wants(&file->gauge) ? push->level : 0;
    block->size = HEAD_ROOM + len;
    append(file, block);
    push->budget->bytes += block->size;
    file->out++;
    push->out++;
    work_submit(push->work, &block->work.job);
    return true;
}

/* --- what is written -------------------------------------------------------------------------------- */

/* Copies what stands in front into the stream. False: it takes no more now. */
static bool write_front(struct push_file *file)
{
    while (file->front_at < file->front_len) {
        ptrdiff_t n =
            tern_stream_write(file->s.stream, file->front + file->front_at,
                              file->front_len - file->front_at, file->has_end ? TERN_FIN : 0);
        if (n <= 0) {
            return false;
        }
        file->front_at += (size_t)n;
    }
    while (file->attrs_at < file->entry.attrs) {
        ptrdiff_t n = tern_stream_write(file->s.stream, file->attrs + file->attrs_at,
                                        file->entry.attrs - file->attrs_at, 0);
        if (n <= 0) {
            return false;
        }
        file->attrs_at += (size_t)n;
    }
    return true;
}

static void put_front(struct push_file *file, const struct proto_step *step)
{
    file->front_at = 0;
    file->front_len = proto_step_encode(step, file->front, sizeof file->front);
}

/* Takes a block off the list; its memory is the caller's. */
static void unqueue(struct push_file *file, struct read_block *block)
{
    hash_root_add(&file->root, block->work.leaf);
    file->first = block->next;
    file->last = file->first == NULL ? &file->first : file->last;
    file->waiting--;
    file->written += block->work.len;
}

static bool lend(struct push_file *file, struct read_block *block)
{
    struct push *push = file->s.push;
    bool is_packed = block->packed != NULL;
    struct proto_step step = {.kind = is_packed ? PROTO_STEP_ZDATA : PROTO_STEP_DATA,
                              .len = block->work.len,
                              .packed = (uint32_t)block->packed_len};
    uint8_t head[PROTO_STEP_MAX];
    size_t head_len = proto_step_encode(&step, head, sizeof head);
    size_t len = is_packed ? block->packed_len : block->work.len;
    uint8_t *memory = is_packed ? block->packed : block->memory;
    uint8_t *data = memory + HEAD_ROOM - head_len;
    struct loan *loan = malloc(sizeof *loan);
    if (loan == NULL) {
        return false;
    }
    memcpy(data, head, head_len);
    *loan = (struct loan){.budget = push->budget,
                          .memory = memory,
                          .size = HEAD_ROOM + len,
                          .contents = block->work.len};
    ptrdiff_t n =
        tern_stream_write_ref(file->s.stream, data, head_len + len, loan_release, loan, 0);
    if (n <= 0) {
        free(loan);
        return false;
    }
    push->budget->lent++;
    push->budget->bytes -= block->size - loan->size;
    unqueue(file, block);
    if (is_packed) {
        free(block->memory);
    }
    free(block);
    return true;
}

/* The receiver has this block already, or needs no bytes for it. */
static void tell_step(struct push_file *file, struct read_block *block)
{
    struct push *push = file->s.push;
    struct proto_step step = {.kind = block->is_hole ? PROTO_STEP_HOLE : PROTO_STEP_COPY,
                              .offset = block->work.offset,
                              .len = block->work.len};
    put_front(file, &step);
    unqueue(file, block);
    push->budget->released += block->work.len;
    block_free(push, block);
}

/* The receiver's leaf of the block that is next. 1: it is there, 0: not yet, -1: there is none. */
static int next_leaf(struct push_file *file)
{
    if (file->plan.kind != PROTO_PLAN_PARTIAL || file->leaves_used >= file->plan.count) {
        return -1;
    }
    while (file->leaf_used < sizeof file->leaf) {
        ptrdiff_t n = tern_stream_read(file->s.stream, file->leaf + file->leaf_used,
                                       sizeof file->leaf - file->leaf_used);
        if (n == TERN_ERR_AGAIN) {
            return 0;
        }
        if (n <= 0) {
            file->plan.count = file->leaves_used; /* it will give no more */
            return -1;
        }
        file->leaf_used += (size_t)n;
    }
    return 1;
}

/* False: something must happen first. */
static bool write_block(struct push_file *file)
{
    struct read_block *block = file->first;
    if (block == NULL || !block->is_read) {
        if (file->written > 0 && file->s.push->budget->lent == 0) {
            zip_gauge_starved(&file->gauge); /* the wire waits for us */
        }
        return false;
    }
    int has_leaf = next_leaf(file);
    if (has_leaf == 0) {
        return false;
    }
    bool is_there = has_leaf > 0 && block->work.len == PROTO_BLOCK &&
                    sodium_memcmp(file->leaf, block->work.leaf, sizeof file->leaf) == 0;
    if (is_there || block->is_hole) {
        tell_step(file, block);
    } else if (!lend(file, block)) {
        return false;
    }
    if (has_leaf > 0) {
        file->leaf_used = 0;
        file->leaves_used++;
    }
    (void)read_ahead(file);
    return true;
}

/* --- the plan --------------------------------------------------------------------------------------- */

/* False: it is not there yet, or is none. */
static bool read_plan(struct push_file *file)
{
    while (!file->has_plan) {
        const uint8_t *data;
        size_t len;
        if (tern_stream_peek(file->s.stream, &data, &len) != 0 || len == 0) {
            return false;
        }
        file->plan_bytes[file->plan_used++] = data[0];
        if (tern_stream_consume(file->s.stream, 1) != 0) {
            return false;
        }
        int rc = proto_plan_decode(&file->plan, file->plan_bytes, file->plan_used);
        if (rc < 0) {
            tern_conn_close(file->s.push->conn, 1, "malformed plan");
            return false;
        }
        file->has_plan = rc > 0;
    }
    return true;
}

/* What is left of the receiver's half is of no use, but its end is awaited. */
static void drain(struct push_file *file)
{
    const uint8_t *data;
    size_t len;
    if (!file->is_over && file->plan.kind == PROTO_PLAN_PARTIAL &&
        file->leaves_used < file->plan.count) {
        return;
    }
    while (tern_stream_peek(file->s.stream, &data, &len) == 0 &&
           tern_stream_consume(file->s.stream, len) == 0 && len > 0) {
    }
}

/* --- files ------------------------------------------------------------------------------------------ */

static bool has_changed(const struct push_file *file)
{
    struct stat st;
    return fstat(file->fd, &st) != 0 || st.st_mtim.tv_sec != file->entry.mtime_s ||
           (uint32_t)st.st_mtim.tv_nsec != file->entry.mtime_ns ||
           (uint64_t)st.st_size != file->entry.size;
}

static void write_end(struct push_file *file)
{
    struct proto_step step = {.kind = PROTO_STEP_END};
    put_front(file, &step);
    if ((file->s.push->request.flags & PROTO_FLAG_NO_HASH) == 0) {
        hash_root_final(&file->root, file->written, file->front + file->front_len);
        file->front_len += PROTO_HASH_SIZE;
    }
    file->has_end = true;
}

static void advance(struct push_file *file)
{
    if (!file->is_over && write_front(file) && read_plan(file) &&
        file->plan.kind == PROTO_PLAN_SKIP && !file->has_end) {
        ptrdiff_t n = tern_stream_write(file->s.stream, NULL, 0, TERN_FIN);
        file->is_over = file->has_end = n == 0;
    }
    while (!file->is_over && file->has_plan && write_front(file)) {
        if (file->has_end) {
            file->is_over = true;
            break;
        }
        while (read_ahead(file)) {
        }
        if (file->written == file->entry.size) {
            if (has_changed(file)) {
                give_up(file, ESTALE);
                break;
            }
            write_end(file);
        } else if (!write_block(file)) {
            break;
        }
    }
    if (file->has_plan || file->is_over) {
        drain(file);
    }
}

bool push_file_add(struct push *push, const struct batch *batch, struct item *item)
{
    struct push_file *file = calloc(1, sizeof *file);
    if (file == NULL || (file->attrs = malloc(item->attrs_len + 1u)) == NULL) {
        free(file);
        return false;
    }
    batch_entry(batch, item, &file->entry);
    file->has_index = (push->request.flags & PROTO_FLAGS_ASK) != 0; /* it was asked about */
    if (item->attrs_len > 0) {
        memcpy(file->attrs, batch->text + item->attrs, item->attrs_len);
    }
    file->fd = item->fd;
    item->fd = -1;
    enqueue(push, file);
    return true;
}

/* Gives the first file of the queue a stream. False: not now. */
static bool begin(struct push *push)
{
    struct push_file *file = push->queued;
    unsigned wish = (unsigned)(push->request.flags >> PROTO_FILES_SHIFT) & 0xff;
    unsigned most = wish > 0 && wish < PUSH_FILES ? wish : PUSH_FILES;
    if (file == NULL || push->file_count >= most ||
        (push->file_count > 0 && push->budget->bytes >= PUSH_MEMORY) ||
        tern_conn_open_stream(push->conn, TERN_STREAM_BIDI, &file->s.stream) != 0) {
        return false;
    }
    push_set_early(push, file->s.stream);
    push->queued = file->next;
    push->queued_last = push->queued == NULL ? &push->queued : push->queued_last;
    push->queued_count--;
    if (!file->has_index) {
        file->entry.index = push->counts.entries++;
    }
    hash_file_key(push->request.key, file->entry.index, file->key);
    hash_root_init(&file->root, file->key);
    file->front_len = proto_entry_encode(&file->entry, file->front, sizeof file->front);
    tern_stream_set_user(file->s.stream, &file->s);
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    file->link = &push->files;
    file->next = push->files;
    if (file->next != NULL) {
        file->next->link = &file->next;
    }
    push->files = file;
    push->file_count++;
    push->counts.files += file->tries > 0 ? 0 : 1;
    push->counts.total += file->entry.size;
    memcpy(push->current, file->entry.name, strlen(file->entry.name) + 1);
    return true;
}

bool push_files_are_written(const struct push *push)
{
    const struct push_file *file = push->files;
    while (file != NULL && file->is_over) {
        file = file->next;
    }
    return file == NULL;
}

void push_files_go(struct push *push)
{
    for (struct push_file *file = push->files; file != NULL; file = file->next) {
        advance(file);
    }
    while (begin(push)) {
        advance(push->files);
    }
}

/* Takes a file off the list; its memory goes when no worker reads from it any more. */
static void file_drop(struct push_file *file)
{
    *file->link = file->next;
    if (file->next != NULL) {
        file->next->link = file->link;
    }
    file->s.push->file_count--;
    file->is_dead = true;
    if (file->out == 0) {
        file_free(file);
    }
}

void push_file_on_event(struct push_stream *s, const tern_event *ev)
{
    struct push_file *file = (struct push_file *)(void *)s;
    if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        tern_stream_set_user(ev->stream, NULL);
        file_drop(file);
        return;
    }
    if (ev->type == TERN_EVENT_STREAM_STOPPED) {
        file->is_over = true; /* the receiver says why on the control stream */
    }
    advance(file);
}

void push_files_free(struct push *push)
{
    while (push->files != NULL) {
        tern_stream_set_user(push->files->s.stream, NULL);
        file_drop(push->files);
    }
    while (push->queued != NULL) {
        struct push_file *file = push->queued;
        push->queued = file->next;
        file_free(file);
    }
}
