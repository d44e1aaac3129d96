/* A file with a stream of its own: header, our plan, then steps that workers turn into blocks of the file;
 * hash compared, name given.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/block.h"
#include "terncp/hash.h"
#include "terncp/pull_parts.h"
#include "terncp/tree.h"
#include "terncp/zip.h"

#define FILE_BLOCKS_MAX 8  /* of one file with the workers */
#define HOLES_MAX       64 /* blocks of zeros that wait behind others */

struct file {
    struct pull_stream s;
    struct place *place;
    struct proto_entry entry;
    char target[PROTO_PATH_MAX + 1];
    char temporary[PLACE_TEMPORARY_SIZE];
    uint8_t front[PROTO_HEADER_MAX];
    size_t front_used;
    uint8_t *attrs; /* entry.attrs bytes, as they come */
    size_t attrs_used;
    bool has_entry, has_begun, is_open, is_settled, has_lost;
    int folder, fd,
        base; /* that holds it, the temporary file, the version that there was; -1: none */
    uint64_t base_size;
    struct proto_plan plan;
    uint8_t plan_bytes[PROTO_PLAN_HEAD_MAX];
    size_t plan_len, plan_at;
    struct work_job opening, closing;
    /* The step that is being taken. */
    struct proto_step step;
    uint8_t step_bytes[PROTO_STEP_MAX];
    size_t step_used;
    uint64_t step_left; /* of its bytes, or of what it makes */
    bool has_step, is_last, is_sparse;
    uint64_t made; /* of the file */
    uint8_t *packed;
    struct block *filling;
    struct block *first, **last; /* with the workers, in order */
    unsigned waiting, out;       /* in `first`; with the workers, all kinds of jobs */
    uint8_t key[PROTO_KEY_SIZE];
    struct hash_root root;
    uint8_t hash[PROTO_HASH_SIZE];
    size_t hash_used;
    bool has_end, is_closing;
};

static struct file *file_of(struct pull_stream *s)
{
    return (struct file *)(void *)s;
}

struct pull_stream *pull_file_new(void)
{
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return NULL;
    }
    file->folder = file->fd = file->base = -1;
    file->last = &file->first;
    return &file->s;
}

/* --- the end of a file, good or bad ---------------------------------------------------------------- */

static void close_one(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* No worker has the file any more. */
static void drop_temporary(struct file *file)
{
    close_one(&file->fd);
    close_one(&file->base);
    if (file->temporary[0] != '\0') {
        (void)unlinkat(file->folder, file->temporary, 0);
        file->temporary[0] = '\0';
    }
    close_one(&file->folder);
}

static void drop_blocks(struct file *file)
{
    block_free(file->filling);
    file->filling = NULL;
    while (file->first != NULL) {
        struct block *block = file->first;
        file->first = block->next;
        block_free(block);
    }
    file->last = &file->first;
    file->waiting = 0;
    free(file->packed);
    file->packed = NULL;
}

static void file_free(struct file *file)
{
    drop_temporary(file);
    drop_blocks(file);
    place_drop(file->place);
    free(file->attrs);
    sodium_memzero(file->key, sizeof file->key);
    free(file);
}

/* Settled, and nobody has anything of it any more. */
static void rest(struct file *file)
{
    if (file->out > 0) {
        return;
    }
    drop_temporary(file);
    drop_blocks(file);
    if (file->s.stream == NULL) {
        pull_unlink(&file->s);
        file_free(file);
    }
}

static void refuse_stream(struct file *file, enum proto_status status)
{
    if (file->s.stream != NULL) { /* halves that have ended need neither */
        int rc = tern_stream_stop(file->s.stream, (uint64_t)status);
        rc = tern_stream_reset(file->s.stream, (uint64_t)status);
        (void)rc;
    }
}

static void settle(struct file *file, enum proto_status status, const char *why, bool by_peer)
{
    if (file->is_settled) {
        return;
    }
    file->is_settled = true;
    if (status != PROTO_OK) {
        refuse_stream(file, status);
    }
    if (file->s.pull != NULL) {
        pull_settle(file->s.pull, file->has_entry ? &file->entry : NULL,
                    file->target[0] != '\0' ? file->target : NULL, status, why, by_peer);
    }
}

static void fail_errno(struct file *file, int error)
{
    settle(file, proto_status_of(error), strerror(error), false);
}

/* --- giving the name ------------------------------------------------------------------------------- */

static void run_closing(struct work_job *job)
{
    struct file *file = job->owner;
    const char *last = strrchr(file->target, '/');
    last = last == NULL ? file->target : last + 1;
    if (file->is_sparse && ftruncate(file->fd, (off_t)file->made) != 0) {
        job->error = errno;
        return;
    }
    job->error = place_give_name(file->place, &file->entry, file->attrs, 0600, file->fd,
                                 file->folder, file->temporary, last, &file->has_lost);
}

static void after_job(struct file *file);

static void on_closed(struct work_job *job)
{
    struct file *file = job->owner;
    file->out--;
    if (job->error == 0) {
        file->temporary[0] = '\0';
        if (file->has_lost && file->s.pull != NULL) {
            pull_settle(file->s.pull, &file->entry, file->target, PROTO_LOST_ATTRS,
                        pull_why(PROTO_LOST_ATTRS, 0), false);
        }
        settle(file, PROTO_OK, NULL, false);
    } else {
        fail_errno(file, job->error);
    }
    after_job(file);
}

static void finish(struct file *file)
{
    uint8_t hash[PROTO_HASH_SIZE];
    if (file->is_settled || !file->has_end || file->out > 0 || file->first != NULL ||
        file->is_closing) {
        return;
    }
    if ((file->place->flags & PROTO_FLAG_NO_HASH) == 0) {
        hash_root_final(&file->root, file->made, hash);
        if (sodium_memcmp(hash, file->hash, sizeof hash) != 0) {
            settle(file, PROTO_INTEGRITY, pull_why(PROTO_INTEGRITY, 0), false);
            rest(file);
            return;
        }
    }
    file->is_closing = true;
    file->closing = (struct work_job){.run = run_closing, .done = on_closed, .owner = file};
    file->out++;
    work_submit(file->s.pull->work, &file->closing);
}

/* --- blocks ---------------------------------------------------------------------------------------- */

/* Leaves go into the root in order. */
static void gather(struct file *file)
{
    while (file->first != NULL && file->first->is_done) {
        struct block *block = file->first;
        hash_root_add(&file->root, block->work.leaf);
        file->first = block->next;
        file->last = file->first == NULL ? &file->first : file->last;
        file->waiting--;
        block_free(block);
    }
}

/* A job is back: what next? The file may be gone afterwards. */
static void after_job(struct file *file)
{
    struct pull *pull = file->s.pull;
    if (pull == NULL) {
        if (file->out == 0) {
            file_free(file);
        }
        return;
    }
    if (file->is_settled) {
        rest(file);
    } else {
        finish(file);
    }
    pull_pump(pull);
}

static void on_written(struct work_job *job)
{
    struct block *block = job->owner;
    struct file *file = block->owner;
    block->is_done = true;
    file->out--;
    if (job->error != 0) {
        fail_errno(file, job->error);
    }
    gather(file);
    after_job(file);
}

static void append(struct file *file, struct block *block)
{
    *file->last = block;
    file->last = &block->next;
    file->waiting++;
}

static void submit(struct file *file)
{
    struct block *block = file->filling;
    file->filling = NULL;
    block->work.job.run = block_run;
    block->work.job.done = on_written;
    block->work.job.owner = block;
    append(file, block);
    file->out++;
    work_submit(file->s.pull->work, &block->work.job);
}

static size_t capacity_at(const struct file *file)
{
    uint64_t left = file->entry.size - file->made;
    return file->entry.size != PROTO_SIZE_UNKNOWN && left < PROTO_BLOCK ? (size_t)left
                                                                        : PROTO_BLOCK;
}

/* Somewhere to put the next bytes. False: wait until the disk has caught up. */
static bool need_block(struct file *file)
{
    if (file->filling != NULL) {
        return true;
    }
    if (file->out > 0 && (file->out >= FILE_BLOCKS_MAX || !pull_has_room(file->s.pull))) {
        return false;
    }
    struct block *block = block_new(file->place, capacity_at(file));
    if (block == NULL) {
        fail_errno(file, ENOMEM);
        return false;
    }
    block->owner = file;
    block->base = file->plan.kind == PROTO_PLAN_PARTIAL ? file->fd : file->base;
    block->is_sparse = file->is_sparse;
    block->work.fd = file->fd;
    block->work.offset = file->made;
    block->work.has_no_leaf = (file->place->flags & PROTO_FLAG_NO_HASH) != 0;
    memcpy(block->work.key, file->key, sizeof block->work.key);
    file->filling = block;
    return true;
}

/* So many bytes of the file are arranged for. */
static void advance(struct file *file, size_t n)
{
    file->made += n;
    file->s.pull->counts.bytes += n;
    file->filling->work.len += n;
    if (file->filling->work.len == file->filling->capacity) {
        submit(file);
    }
}

/* --- steps ----------------------------------------------------------------------------------------- */

static bool is_allowed(const struct file *file, const struct proto_step *step)
{
    uint64_t left =
        (file->entry.size == PROTO_SIZE_UNKNOWN ? INT64_MAX : file->entry.size) - file->made;
    uint64_t to_edge = PROTO_BLOCK - file->made % PROTO_BLOCK;
    switch (step->kind) {
    case PROTO_STEP_DATA:
        return step->len <= left && step->len <= to_edge;
    case PROTO_STEP_ZDATA:
        return step->len <= left && step->len <= to_edge && zip_is_there();
    case PROTO_STEP_HOLE:
        return step->len <= left;
    case PROTO_STEP_COPY:
        return step->len <= left && step->offset + step->len <= file->base_size &&
               (file->plan.kind == PROTO_PLAN_BASE ||
                (file->plan.kind == PROTO_PLAN_PARTIAL && step->offset == file->made &&
                 file->made % PROTO_BLOCK == 0 && step->len % PROTO_BLOCK == 0));
    case PROTO_STEP_END:
        return file->entry.size == PROTO_SIZE_UNKNOWN || left == 0;
    }
    return false;
}

static void begin_step(struct file *file)
{
    const struct proto_step *step = &file->step;
    file->has_step = true;
    file->step_used = 0;
    file->step_left = step->kind == PROTO_STEP_ZDATA ? step->packed : step->len;
    if (!is_allowed(file, step)) {
        settle(file, PROTO_BAD_REQUEST, "a step that does not fit", false);
        return;
    }
    if (step->kind == PROTO_STEP_ZDATA && (file->packed = malloc(step->packed)) == NULL) {
        fail_errno(file, ENOMEM);
    }
    file->is_sparse = file->is_sparse || step->kind == PROTO_STEP_HOLE;
    if (step->kind == PROTO_STEP_END) {
        file->is_last = true;
        if (file->filling != NULL) { /* of a file whose size nobody knew */
            submit(file);
        }
    }
}

static size_t take_step(struct file *file, const uint8_t *data, size_t len)
{
    size_t n = 0;
    int rc = 0;
    while (n < len && rc == 0) {
        file->step_bytes[file->step_used++] = data[n++];
        rc = proto_step_decode(&file->step, file->step_bytes, file->step_used);
    }
    if (rc > 0) {
        begin_step(file);
    } else if (rc < 0) {
        settle(file, PROTO_BAD_REQUEST, "malformed step", false);
    }
    return n;
}

static size_t take_data(struct file *file, const uint8_t *data, size_t len)
{
    if (!need_block(file)) {
        return 0;
    }
    size_t n = len < file->step_left ? len : (size_t)file->step_left;
    memcpy(file->filling->work.data + file->filling->work.len, data, n);
    file->step_left -= n;
    advance(file, n);
    file->has_step = file->step_left > 0;
    return n;
}

static size_t take_packed(struct file *file, const uint8_t *data, size_t len)
{
    if (!need_block(file)) {
        return 0;
    }
    size_t n = len < file->step_left ? len : (size_t)file->step_left;
    memcpy(file->packed + (file->step.packed - file->step_left), data, n);
    file->step_left -= n;
    if (file->step_left > 0) {
        return n;
    }
    struct piece piece = {.at = file->filling->work.len,
                          .len = (size_t)file->step.len,
                          .packed = file->packed,
                          .packed_len = file->step.packed};
    if (!block_add(file->filling, &piece)) {
        settle(file, PROTO_BAD_REQUEST, "too many pieces", false);
        return n;
    }
    file->packed = NULL;
    file->has_step = false;
    advance(file, piece.len);
    return n;
}

/* Steps that are followed by no bytes. False: wait. */
static bool make_copy(struct file *file)
{
    while (file->step_left > 0 && !file->is_settled) {
        if (!need_block(file)) {
            return false;
        }
        size_t room = file->filling->capacity - file->filling->work.len;
        struct piece piece = {.at = file->filling->work.len,
                              .len = file->step_left < room ? (size_t)file->step_left : room,
                              .offset = file->step.offset + file->step.len - file->step_left};
        if (!block_add(file->filling, &piece)) {
            settle(file, PROTO_BAD_REQUEST, "too many pieces", false);
            return true;
        }
        file->filling->is_kept = file->plan.kind == PROTO_PLAN_PARTIAL;
        file->step_left -= piece.len;
        advance(file, piece.len);
    }
    return true;
}

/* A whole block of zeros needs no worker. */
static bool skip_block(struct file *file)
{
    size_t len = capacity_at(file);
    struct block *block = file->waiting < HOLES_MAX ? block_new_hole(file->place) : NULL;
    if (block == NULL) {
        return false;
    }
    append(file, block);
    file->made += len;
    file->s.pull->counts.bytes += len;
    file->step_left -= len;
    gather(file);
    return true;
}

static bool make_hole(struct file *file)
{
    while (file->step_left > 0 && !file->is_settled) {
        if (file->filling == NULL && file->step_left >= capacity_at(file)) {
            if (!skip_block(file)) {
                return file->waiting == 0; /* no memory and nobody to wait for */
            }
            continue;
        }
        if (!need_block(file)) {
            return false;
        }
        size_t room = file->filling->capacity - file->filling->work.len;
        size_t n = file->step_left < room ? (size_t)file->step_left : room;
        memset(file->filling->work.data + file->filling->work.len, 0, n);
        file->filling->is_sparse = true;
        file->step_left -= n;
        advance(file, n);
    }
    return true;
}

static size_t take_hash(struct file *file, const uint8_t *data, size_t len)
{
    size_t size = (file->place->flags & PROTO_FLAG_NO_HASH) != 0 ? 0 : sizeof file->hash;
    size_t n = size - file->hash_used;
    n = len < n ? len : n;
    memcpy(file->hash + file->hash_used, data, n);
    file->hash_used += n;
    if (n == 0 && len > 0) {
        settle(file, PROTO_BAD_REQUEST, "bytes behind the end", false);
    }
    return n;
}

/* Goes on with a step that needs no bytes. False: it must wait, or there is none. */
static bool make_step(struct file *file)
{
    if (!file->has_step ||
        (file->step.kind != PROTO_STEP_COPY && file->step.kind != PROTO_STEP_HOLE)) {
        return true;
    }
    bool is_made = file->step.kind == PROTO_STEP_COPY ? make_copy(file) : make_hole(file);
    file->has_step = !is_made;
    return is_made;
}

/* --- the beginning --------------------------------------------------------------------------------- */

/* On a worker's thread: what may take its time before the plan can be made. */
static void run_opening(struct work_job *job)
{
    struct file *file = job->owner;
    struct stat st;
    const char *last = "";
    uint32_t number = randombytes_random();
    file->folder = place_open_folder(file->place, file->target, &last);
    if (file->folder < 0) {
        job->error = errno;
        return;
    }
    if (fstatat(file->folder, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
        job->error = EISDIR;
        return;
    }
    file->fd = place_create(file->folder, 0600, &number, file->temporary);
    if (file->fd < 0) {
        job->error = errno;
        file->temporary[0] = '\0';
        return;
    }
    bool is_taking_room = (file->place->flags & PROTO_FLAG_PREALLOCATE) != 0 &&
                          file->entry.size > 0 && file->entry.size != PROTO_SIZE_UNKNOWN;
    if (is_taking_room && fallocate(file->fd, 0, 0, (off_t)file->entry.size) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS) {
        job->error = errno;
    }
    file->plan.kind = PROTO_PLAN_WHOLE;
}

static void write_plan(struct file *file)
{
    while (file->s.stream != NULL && file->plan_at < file->plan_len) {
        ptrdiff_t n = tern_stream_write(file->s.stream, file->plan_bytes + file->plan_at,
                                        file->plan_len - file->plan_at, TERN_FIN);
        if (n <= 0) {
            return;
        }
        file->plan_at += (size_t)n;
    }
}

static void on_open(struct work_job *job)
{
    struct file *file = job->owner;
    struct pull *pull = file->s.pull;
    file->out--;
    if (job->error != 0) {
        fail_errno(file, job->error);
    } else if (pull != NULL) {
        file->is_open = true;
        pull->counts.files++;
        pull->counts.total += file->entry.size == PROTO_SIZE_UNKNOWN ? 0 : file->entry.size;
        file->plan_len = proto_plan_encode(&file->plan, file->plan_bytes, sizeof file->plan_bytes);
        write_plan(file);
    }
    after_job(file);
}

static void begin(struct file *file)
{
    struct pull *pull = file->s.pull;
    file->has_begun = true;
    if (!attrs_are_valid(file->attrs, file->entry.attrs)) {
        settle(file, PROTO_BAD_REQUEST, "malformed attributes", false);
        return;
    }
    const char *why = file->entry.type != PROTO_FILE || file->entry.is_asked
                          ? "only files have a stream of their own"
                          : place_map(pull->place, file->entry.name, file->target);
    if (why != NULL) {
        file->target[0] = '\0';
        settle(file, PROTO_REFUSED_PATH, why, false);
        return;
    }
    memcpy(pull->current, file->target, strlen(file->target) + 1);
    file->place = place_hold(pull->place);
    hash_file_key(file->place->session_key, file->entry.index, file->key);
    hash_root_init(&file->root, file->key);
    file->opening = (struct work_job){.run = run_opening, .done = on_open, .owner = file};
    file->out++;
    work_submit(pull->work, &file->opening);
}

static size_t take_header(struct file *file, const uint8_t *data, size_t len)
{
    size_t n = sizeof file->front - file->front_used;
    size_t before = file->front_used;
    n = len < n ? len : n;
    memcpy(file->front + before, data, n);
    file->front_used += n;
    int used = proto_entry_decode(&file->entry, file->front, file->front_used);
    if (used < 0 || (used == 0 && file->front_used == sizeof file->front)) {
        pull_malformed(&file->s);
        return n;
    }
    if (used == 0) {
        return n;
    }
    bool may_have = (file->s.pull->place->flags & PROTO_FLAGS_ATTRS) != 0;
    if (file->entry.attrs > 0 && (!may_have || (file->attrs = malloc(file->entry.attrs)) == NULL)) {
        pull_malformed(&file->s);
        return n;
    }
    file->has_entry = true;
    if (file->entry.attrs == 0) {
        begin(file);
    }
    return (size_t)used - before;
}

static size_t take_attrs(struct file *file, const uint8_t *data, size_t len)
{
    size_t n = file->entry.attrs - file->attrs_used;
    n = len < n ? len : n;
    memcpy(file->attrs + file->attrs_used, data, n);
    file->attrs_used += n;
    if (file->attrs_used == file->entry.attrs) {
        begin(file);
    }
    return n;
}

/* --- what comes ------------------------------------------------------------------------------------- */

/* Takes bytes into the header, a step, or what follows it. Returns how many; 0: wait. */
static size_t take(struct file *file, const uint8_t *data, size_t len)
{
    if (!file->has_entry) {
        return take_header(file, data, len);
    }
    if (!file->has_begun) {
        return take_attrs(file, data, len);
    }
    if (!file->is_open || !make_step(file) || file->is_settled) {
        return 0;
    }
    if (file->is_last) {
        return take_hash(file, data, len);
    }
    if (!file->has_step) {
        return take_step(file, data, len);
    }
    return file->step.kind == PROTO_STEP_DATA ? take_data(file, data, len)
                                              : take_packed(file, data, len);
}

static void on_end(struct file *file)
{
    bool has_hash = file->hash_used == sizeof file->hash ||
                    (file->place != NULL && (file->place->flags & PROTO_FLAG_NO_HASH) != 0);
    file->has_end = true;
    if (file->is_settled) {
        return;
    }
    if (!file->is_last || !has_hash) {
        settle(file, PROTO_BAD_REQUEST, "the stream ended early", false);
        return;
    }
    finish(file);
}

static void on_reset(struct file *file)
{
    uint64_t code = tern_stream_reset_code(file->s.stream);
    enum proto_status status =
        code > PROTO_OK && code <= PROTO_AGAIN ? (enum proto_status)code : PROTO_IO;
    settle(file, status, proto_status_text(status), true);
}

/* False: nothing more to read now. */
static bool read_some(struct file *file)
{
    const uint8_t *data;
    size_t len;
    int rc = tern_stream_peek(file->s.stream, &data, &len);
    if (rc == TERN_ERR_RESET) {
        on_reset(file);
        return false;
    }
    if (rc != 0) {
        return false;
    }
    if (len == 0 && file->has_begun && !file->is_settled && (!file->is_open || !make_step(file))) {
        return false; /* the end waits for the disk, too */
    }
    size_t n = file->is_settled ? len : len == 0 ? 0 : take(file, data, len);
    if (len > 0 && n == 0 && !file->is_settled) {
        return false; /* the disk is behind: the window closes by itself */
    }
    n = file->is_settled ? len : n;
    if (tern_stream_consume(file->s.stream, n) != 0) {
        return false;
    }
    if (len == 0) {
        on_end(file);
    }
    return len > 0;
}

void pull_file_go(struct pull_stream *s)
{
    struct file *file = file_of(s);
    if (s->stream != NULL) {
        write_plan(file);
    }
    while (s->stream != NULL && !file->has_end && read_some(file)) {
    }
    if (file->is_settled) {
        rest(file);
    }
}

void pull_file_end(struct pull_stream *s)
{
    struct file *file = file_of(s);
    if (s->pull == NULL) {
        if (file->is_open && file->temporary[0] != '\0' && !file->is_closing) {
            (void)unlinkat(file->folder, file->temporary, 0); /* who still writes does so in vain */
            file->temporary[0] = '\0';
        }
        if (file->out == 0) {
            file_free(file);
        }
    } else if (file->is_settled) {
        rest(file);
    }
}
