/* A larger file: header, the receiver's plan, blocks in order as the workers have read and hashed them, the
 * hash. Blocks are lent to the transport, with the head of their step right before them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "terncp/holes.h"
#include "terncp/push_file.h"

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

void push_file_free(struct push_file *file)
{
    push_plan_drop(file);
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
    plan_init(&file->plan);
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
    again->attrs = file->attrs; /* nothing more is written of the one that is over */
    file->attrs = NULL;
    file->attrs_at = file->entry.attrs;
    again->entry = file->entry;
    again->entry.size = (uint64_t)st.st_size;
    again->entry.mtime_s = st.st_mtim.tv_sec;
    again->entry.mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
    again->tries = file->tries + 1;
    enqueue(file->s.push, again);
    return true;
}

void push_file_give_up(struct push_file *file, int error)
{
    if (file->is_over) {
        return;
    }
    if (file->is_blind &&
        !file->has_plan) { /* a reset could overtake the header, and nobody knew what failed */
        file->error = error;
        return;
    }
    bool is_again = error == ESTALE && file->tries < RETRIES && try_again(file);
    uint64_t code = (uint64_t)(is_again ? PROTO_AGAIN : proto_status_of(error));
    file->is_over = true;
    int was_reset = tern_stream_reset(file->s.stream, code);
    int was_stopped = tern_stream_stop(file->s.stream, code);
    (void)was_reset; /* halves that are over need neither */
    (void)was_stopped;
    if (is_again) {
        file->s.push->counts.total -= file->entry.size;
    }
    push_fail(file->s.push, file->entry.name, is_again ? EAGAIN : error, true);
}

/* On a worker's thread. */
static void run_block(struct work_job *job)
{
    struct read_block *block = job->owner;
    if (block->file->is_pipe) {
        pipe_read(&block->work, &block->file->stop);
    } else {
        work_read(job);
    }
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
    if (fitting != NULL) {
        packed = fitting;
    }
    block->packed = packed;
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
    if (file->is_pipe && !file->is_dead) {
        file->submitted = block->work.offset + block->work.len;
        file->is_drained = block->work.len < PROTO_BLOCK;
        push->counts.total += block->work.len;
    }
    if (file->is_dead && file->out == 0) {
        push_file_free(file);
    }
    if (push_job_back(push)) {
        return;
    }
    if (error != 0) {
        push_file_give_up(file, error);
    }
    push_pump(push);
}

/* How far the file may be read: to the end of a run, while there is a scan. */
static uint64_t read_limit(const struct push_file *file)
{
    if (!file->has_plan || file->has_parts) {
        uint64_t limit = file->has_plan ? file->submitted : push_plan_limit(file);
        return limit < file->entry.size ? limit : file->entry.size;
    }
    bool is_sending = file->run.kind == MATCH_SEND && file->run.len > 0;
    return file->scan == NULL ? file->entry.size
           : is_sending       ? file->run.offset + file->run.len
                              : file->submitted;
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
    if ((file->s.push->request.flags & PROTO_FLAG_SPARSE) == 0 || file->is_pipe ||
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
    uint64_t left = read_limit(file) - file->submitted;
    if (file->is_pipe) {
        left = file->is_drained || file->out > 0 || left == 0 ? 0 : PROTO_BLOCK;
    }
    if ((push->request.flags & PROTO_FLAG_ZSTD) != 0 && !push->knows_zip) {
        return false; /* or the first blocks, which may be all, would go as they are */
    }
    if (left == 0 || file->waiting >= READ_AHEAD ||
        (push->budget->bytes >= PUSH_MEMORY && file->waiting > 0)) {
        return false;
    }
    size_t edge = (size_t)(PROTO_BLOCK - file->submitted % PROTO_BLOCK);
    size_t len = left < edge ? (size_t)left : edge;
    if (pass_hole(file, len)) {
        return true;
    }
    struct read_block *block = calloc(1, sizeof *block);
    if (block == NULL || (block->memory = malloc(HEAD_ROOM + len)) == NULL) {
        free(block);
        if (file->waiting == 0) {
            push_file_give_up(file, ENOMEM);
        }
        return false;
    }
    block->work = (struct work_block){
        .job = {.run = run_block, .done = on_read, .owner = block},
        .fd = file->fd,
        .offset = file->submitted,
        .len = len,
        .data = block->memory + HEAD_ROOM,
        .has_no_leaf = (push->request.flags & PROTO_FLAG_NO_HASH) != 0 || file->scan != NULL,
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
    if (file->scan == NULL) { /* else the leaf is the scan's */
        hash_root_add(&file->root, block->work.leaf);
    } else {
        file->run.offset += block->work.len;
        file->run.len -= block->work.len;
    }
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

/* A hole needs no bytes. */
static void tell_hole(struct push_file *file, struct read_block *block)
{
    struct push *push = file->s.push;
    struct proto_step step = {.kind = PROTO_STEP_HOLE, .len = block->work.len};
    put_front(file, &step);
    unqueue(file, block);
    push->budget->released += block->work.len;
    push->counts.spared.holes += block->work.len;
    block_free(push, block);
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
    if (block->work.len == 0) { /* there was nothing more in the pipe */
        file->first = NULL;
        file->last = &file->first;
        file->waiting = 0;
        block_free(file->s.push, block);
        return true;
    }
    if (block->is_hole) {
        tell_hole(file, block);
    } else if (!lend(file, block)) {
        return false;
    }
    (void)read_ahead(file);
    return true;
}

/* --- what the receiver has --------------------------------------------------------------------------- */

/* What the receiver has already: a step, and no bytes. */
static void write_run(struct push_file *file)
{
    struct push *push = file->s.push;
    bool is_copy = file->run.kind == MATCH_COPY;
    struct proto_step step = {.kind = is_copy ? PROTO_STEP_COPY : PROTO_STEP_KEEP,
                              .offset = file->run.from,
                              .len = file->run.len};
    put_front(file, &step);
    bool is_old = is_copy || (file->plan.flags & PLAN_IN_PLACE) != 0;
    *(is_old ? &push->counts.spared.copied : &push->counts.spared.kept) += file->run.len;
    push->budget->released += file->run.len;
    file->written += file->run.len;
    file->submitted = file->written;
    file->run.len = 0;
}

/* Goes on with what the scan has told. False: something must happen first. */
static bool write_scanned(struct push_file *file)
{
    push_plan_go_on(file);
    if (file->run.len == 0) {
        if (scan_is_over(file->scan)) {
            push_plan_drop(file); /* what is behind it is sent as if there had been no plan */
            return true;
        }
        if (!scan_pop(file->scan, &file->run)) {
            return false;
        }
    }
    if (file->run.kind != MATCH_SEND) {
        write_run(file);
        return true;
    }
    while (read_ahead(file)) {
    }
    return write_block(file);
}

/* What is left of the receiver's half is of no use, but its end is awaited. */
static void drain(struct push_file *file)
{
    const uint8_t *data;
    size_t len;
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

static bool is_whole(const struct push_file *file)
{
    return file->is_pipe ? file->is_drained && file->first == NULL
                         : file->written == file->entry.size;
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
    if (!file->is_over && write_front(file) && push_plan_read(file) &&
        file->plan.kind == PLAN_SKIP && !file->has_end) {
        ptrdiff_t n = tern_stream_write(file->s.stream, NULL, 0, TERN_FIN);
        file->is_over = file->has_end = n == 0;
    }
    if (file->error != 0 && file->has_plan) {
        push_file_give_up(file, file->error);
    }
    while (!file->is_over && file->error == 0 && (file->has_plan || file->is_blind) &&
           write_front(file)) {
        if (file->has_end) {
            file->is_over = true;
            break;
        }
        if (file->has_parts && file->first == NULL && file->written < file->entry.size) {
            push_plan_scan(file);
            continue;
        }
        if (file->scan != NULL) {
            if (!write_scanned(file)) {
                break;
            }
            continue;
        }
        while (read_ahead(file)) {
        }
        if (is_whole(file)) {
            if (!file->is_pipe && has_changed(file)) {
                push_file_give_up(file, ESTALE);
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

int push_file_add_pipe(struct push *push, int fd, const char *name)
{
    struct push_file *file = calloc(1, sizeof *file);
    struct timespec now;
    mode_t mask = umask(077);
    (void)umask(mask);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (file == NULL || (file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        int error = file == NULL ? ENOMEM : errno;
        free(file);
        return error;
    }
    file->entry = (struct proto_entry){.type = PROTO_FILE,
                                       .mode = 0666 & ~(uint32_t)mask,
                                       .mtime_s = now.tv_sec,
                                       .mtime_ns = (uint32_t)now.tv_nsec,
                                       .size = PROTO_SIZE_UNKNOWN};
    (void)snprintf(file->entry.name, sizeof file->entry.name, "%s", name);
    file->is_pipe = true;
    enqueue(push, file);
    return 0;
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
    file->is_blind = push_plan_is_needless(push, file);
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
    push->counts.total += file->is_pipe ? 0 : file->entry.size;
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
    pipe_stop(&file->stop);
    if (file->out == 0) {
        push_file_free(file);
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
    struct push_file *next;
    for (struct push_file *file = push->files; file != NULL; file = next) {
        next = file->next;
        tern_stream_set_user(file->s.stream, NULL);
        file_drop(file);
    }
    while (push->queued != NULL) {
        struct push_file *file = push->queued;
        push->queued = file->next;
        push_file_free(file);
    }
}
