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

#include "terncp/pull_file.h"
#include "terncp/zip.h"

#define FILE_BLOCKS_MAX 8   /* of one file with the workers */
#define SKIPPED_MAX     64  /* blocks that need no worker and wait behind others */
#define HOLE_ROUND      512 /* blocks; then it is somebody else's turn */

static struct pull_file *file_of(struct pull_stream *s)
{
    return (struct pull_file *)(void *)s;
}

struct pull_stream *pull_file_new(void)
{
    struct pull_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return NULL;
    }
    goal_init(&file->goal);
    file->may_stay = true;
    pull_plan_init(file);
    file->last = &file->first;
    return &file->s;
}

/* --- the end of a file, good or bad ---------------------------------------------------------------- */

/* No worker has the file any more. */
static void drop_target(struct pull_file *file)
{
    pull_plan_leave(file);
    goal_close(&file->goal, file->may_stay);
}

static void drop_blocks(struct pull_file *file)
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

static void file_free(struct pull_file *file)
{
    drop_target(file);
    drop_blocks(file);
    plan_maker_clear(&file->plan);
    place_drop(file->place);
    free(file->attrs);
    sodium_memzero(file->key, sizeof file->key);
    free(file);
}

/* Settled, and nobody has anything of it any more. */
void pull_file_rest(struct pull_file *file)
{
    if (file->out > 0) {
        return;
    }
    drop_target(file);
    drop_blocks(file);
    if (file->s.stream == NULL) {
        pull_unlink(&file->s);
        file_free(file);
    }
}

static void refuse_stream(struct pull_file *file, enum proto_status status)
{
    if (file->s.stream != NULL) { /* halves that have ended need neither */
        int was_stopped = tern_stream_stop(file->s.stream, (uint64_t)status);
        int was_reset = tern_stream_reset(file->s.stream, (uint64_t)status);
        (void)was_stopped;
        (void)was_reset;
    }
}

void pull_file_settle(struct pull_file *file, enum proto_status status, const char *why,
                      bool by_peer)
{
    if (file->is_settled) {
        return;
    }
    file->is_settled = true;
    pull_plan_stop(file);
    if (status != PROTO_OK) {
        refuse_stream(file, status);
    }
    if (file->s.pull != NULL) {
        pull_settle(file->s.pull, file->has_entry ? &file->entry : NULL,
                    file->target[0] != '\0' ? file->target : NULL, status, why, by_peer);
    }
}

/* Of our own making: what is there is of no use, or there is no room for it. */
void pull_file_fail(struct pull_file *file, int error)
{
    file->may_stay = error == ECANCELED;
    enum proto_status status = proto_status_of(error);
    pull_file_settle(file, status, pull_why(status, error), false);
}

/* --- giving the name ------------------------------------------------------------------------------- */

static void finish(struct pull_file *file);

static void run_closing(struct work_job *job)
{
    struct pull_file *file = job->owner;
    job->error = goal_finish(&file->goal, file->place, &file->entry, file->attrs, file->made,
                             &file->has_lost);
}

static void on_closed(struct work_job *job)
{
    struct pull_file *file = job->owner;
    file->out--;
    if (job->error == PLACE_NOT_YET && file->s.pull != NULL && !file->is_settled) {
        file->is_closing = false;
        pull_hold_unproved(file->s.pull);
        finish(file); /* or else when it is let go */
        return;
    }
    if (job->error == 0) {
        if (file->has_lost && file->s.pull != NULL) {
            pull_settle(file->s.pull, &file->entry, file->target, PROTO_LOST_ATTRS,
                        pull_why(PROTO_LOST_ATTRS, 0), false);
        }
        pull_file_settle(file, PROTO_OK, NULL, false);
    } else {
        pull_file_fail(file, job->error);
    }
    pull_file_after_job(file);
}

static void finish(struct pull_file *file)
{
    uint8_t hash[PROTO_HASH_SIZE];
    if (file->is_settled || !file->has_end || file->out > 0 || file->first != NULL ||
        file->is_closing || file->s.pull->is_held) {
        return;
    }
    if ((file->place->flags & PROTO_FLAG_NO_HASH) == 0 && !file->is_intact) {
        hash_root_final(&file->root, file->made, hash);
        if (sodium_memcmp(hash, file->hash, sizeof hash) != 0) {
            file->may_stay = false;
            pull_file_settle(file, PROTO_INTEGRITY, pull_why(PROTO_INTEGRITY, 0), false);
            pull_file_rest(file);
            return;
        }
    }
    file->is_intact = file->is_closing = true;
    file->closing = (struct work_job){.run = run_closing, .done = on_closed, .owner = file};
    file->out++;
    work_submit(file->s.pull->work, &file->closing);
}

/* --- blocks ---------------------------------------------------------------------------------------- */

/* Leaves go into the root in order. */
static void gather(struct pull_file *file)
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
void pull_file_after_job(struct pull_file *file)
{
    struct pull *pull = file->s.pull;
    if (pull == NULL) {
        if (file->out == 0) {
            file_free(file);
        }
        return;
    }
    if (file->is_settled) {
        pull_file_rest(file);
    } else {
        finish(file);
    }
    pull_pump(pull);
}

static void on_written(struct work_job *job)
{
    struct block *block = job->owner;
    struct pull_file *file = block->owner;
    block->is_done = true;
    file->out--;
    if (job->error != 0) {
        pull_file_fail(file, job->error);
    }
    gather(file);
    pull_file_after_job(file);
}

static void append(struct pull_file *file, struct block *block)
{
    *file->last = block;
    file->last = &block->next;
    file->waiting++;
}

static void submit(struct pull_file *file)
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

static size_t capacity_at(const struct pull_file *file)
{
    uint64_t left = file->entry.size - file->made;
    return file->entry.size != PROTO_SIZE_UNKNOWN && left < PROTO_BLOCK ? (size_t)left
                                                                        : PROTO_BLOCK;
}

/* Zeros need not be written where nothing was before. */
static bool can_skip(const struct pull_file *file, uint64_t offset)
{
    return file->is_sparse && offset >= file->goal.partial.found;
}

/* Somewhere to put the next bytes. False: wait until the disk has caught up. */
static bool need_block(struct pull_file *file)
{
    if (file->filling != NULL) {
        return true;
    }
    if (file->out > 0 && (file->out >= FILE_BLOCKS_MAX || !pull_has_room(file->s.pull))) {
        return false;
    }
    struct block *block = block_new(file->place, capacity_at(file));
    if (block == NULL) {
        pull_file_fail(file, ENOMEM);
        return false;
    }
    block->owner = file;
    block->base = file->goal.old;
    block->is_in_place = file->goal.is_in_place;
    block->is_sparse = can_skip(file, file->made);
    block->work.fd = file->goal.partial.fd;
    block->work.offset = file->made;
    block->work.has_no_leaf = (file->place->flags & PROTO_FLAG_NO_HASH) != 0;
    memcpy(block->work.key, file->key, sizeof block->work.key);
    file->filling = block;
    return true;
}

/* So many bytes of the file are arranged for. */
static void advance(struct pull_file *file, size_t n)
{
    file->made += n;
    file->s.pull->counts.bytes += n;
    file->filling->work.len += n;
    if (file->filling->work.len == file->filling->capacity) {
        submit(file);
    }
}

/* --- steps ----------------------------------------------------------------------------------------- */

static bool is_allowed(const struct pull_file *file, const struct proto_step *step)
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
        return plan_maker_allows_copy(&file->plan, file->entry.size, file->made, step->offset,
                                      step->len);
    case PROTO_STEP_KEEP:
        return plan_maker_allows_keep(&file->plan, file->entry.size, file->made, step->len);
    case PROTO_STEP_END:
        return file->entry.size == PROTO_SIZE_UNKNOWN || left == 0;
    }
    return false;
}

static void begin_step(struct pull_file *file)
{
    const struct proto_step *step = &file->step;
    file->has_step = true;
    file->step_used = 0;
    file->step_left = step->kind == PROTO_STEP_ZDATA ? step->packed : step->len;
    if (!is_allowed(file, step)) {
        pull_file_settle(file, PROTO_BAD_REQUEST, "a step that does not fit", false);
        return;
    }
    if (step->kind == PROTO_STEP_ZDATA && (file->packed = malloc(step->packed)) == NULL) {
        pull_file_fail(file, ENOMEM);
    }
    file->is_sparse = file->is_sparse || step->kind == PROTO_STEP_HOLE;
    if (step->kind == PROTO_STEP_END) {
        file->is_last = true;
        if (file->filling != NULL) { /* of a file whose size nobody knew */
            submit(file);
        }
    }
}

static size_t take_step(struct pull_file *file, const uint8_t *data, size_t len)
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
        pull_file_settle(file, PROTO_BAD_REQUEST, "malformed step", false);
    }
    return n;
}

static size_t take_data(struct pull_file *file, const uint8_t *data, size_t len)
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

static size_t take_packed(struct pull_file *file, const uint8_t *data, size_t len)
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
        pull_file_settle(file, PROTO_BAD_REQUEST, "too many pieces", false);
        return n;
    }
    file->packed = NULL;
    file->has_step = false;
    advance(file, piece.len);
    return n;
}

/* Steps that are followed by no bytes. False: wait. */
static bool make_copy(struct pull_file *file)
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
            pull_file_settle(file, PROTO_BAD_REQUEST, "too many pieces", false);
            return true;
        }
        file->s.pull->counts.spared.copied += piece.len;
        file->step_left -= piece.len;
        advance(file, piece.len);
    }
    return true;
}

/* A whole block needs no worker: it is there, and this is its leaf. */
static bool skip_block(struct pull_file *file, const uint8_t leaf[PROTO_LEAF_SIZE])
{
    size_t len = capacity_at(file);
    struct block *block = file->waiting < SKIPPED_MAX ? block_new_done(file->place, leaf) : NULL;
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

/* What the unfinished file has: its leaves are the tags that we have told. */
static bool make_keep(struct pull_file *file)
{
    while (file->step_left > 0) {
        uint64_t left = file->step_left;
        if (!skip_block(file, plan_maker_tag_of(&file->plan, file->made / PROTO_BLOCK))) {
            return false;
        }
        struct proto_spared *spared = &file->s.pull->counts.spared;
        *(file->goal.is_in_place ? &spared->copied : &spared->kept) += left - file->step_left;
    }
    return true;
}

static void run_nothing(struct work_job *job)
{
    (void)job;
}

static void on_pause_over(struct work_job *job)
{
    struct pull_file *file = job->owner;
    file->out--;
    file->is_pausing = false;
    pull_file_after_job(file);
}

/* A hole of exabytes takes its sender 9 bytes: others have their turn while its leaves are counted. */
static void pause_step(struct pull_file *file)
{
    file->pausing = (struct work_job){.run = run_nothing, .done = on_pause_over, .owner = file};
    file->is_pausing = true;
    file->out++;
    work_submit(file->s.pull->work, &file->pausing);
}

static bool make_zeros(struct pull_file *file)
{
    static const uint8_t zeros[PROTO_LEAF_SIZE]; /* the leaf of a block of them */
    for (unsigned i = 0; file->step_left > 0 && !file->is_settled; i++) {
        if (file->is_pausing) {
            return false;
        }
        if (i == HOLE_ROUND) {
            pause_step(file);
            return false;
        }
        if (file->filling == NULL && can_skip(file, file->made) &&
            file->step_left >= capacity_at(file)) {
            if (!skip_block(file, zeros)) {
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
        file->filling->is_sparse = can_skip(file, file->filling->work.offset);
        file->step_left -= n;
        advance(file, n);
    }
    return true;
}

static bool make_hole(struct pull_file *file)
{
    uint64_t left = file->step_left;
    bool is_made = make_zeros(file);
    file->s.pull->counts.spared.holes += left - file->step_left;
    return is_made;
}

static size_t take_hash(struct pull_file *file, const uint8_t *data, size_t len)
{
    size_t size = (file->place->flags & PROTO_FLAG_NO_HASH) != 0 ? 0 : sizeof file->hash;
    size_t n = size - file->hash_used;
    n = len < n ? len : n;
    memcpy(file->hash + file->hash_used, data, n);
    file->hash_used += n;
    if (n == 0 && len > 0) {
        pull_file_settle(file, PROTO_BAD_REQUEST, "bytes behind the end", false);
    }
    return n;
}

/* Goes on with a step that needs no bytes. False: it must wait, or there is none. */
static bool make_step(struct pull_file *file)
{
    bool is_made = true;
    if (!file->has_step) {
        return true;
    }
    switch (file->step.kind) {
    case PROTO_STEP_COPY:
        is_made = make_copy(file);
        break;
    case PROTO_STEP_KEEP:
        is_made = make_keep(file);
        break;
    case PROTO_STEP_HOLE:
        is_made = make_hole(file);
        break;
    case PROTO_STEP_DATA:
    case PROTO_STEP_ZDATA:
    case PROTO_STEP_END:
        return true;
    }
    file->has_step = !is_made;
    return is_made;
}

/* --- the beginning --------------------------------------------------------------------------------- */

static void begin(struct pull_file *file)
{
    struct pull *pull = file->s.pull;
    file->has_begun = true;
    if (!attrs_are_valid(file->attrs, file->entry.attrs)) {
        pull_file_settle(file, PROTO_BAD_REQUEST, "malformed attributes", false);
        return;
    }
    const char *why = file->entry.type != PROTO_FILE || file->entry.is_asked
                          ? "only files have a stream of their own"
                          : place_map(pull->place, file->entry.name, file->target);
    if (why != NULL) {
        file->target[0] = '\0';
        pull_file_settle(file, PROTO_REFUSED_PATH, why, false);
        return;
    }
    memcpy(pull->current, file->target, strlen(file->target) + 1);
    file->place = place_hold(pull->place);
    file->loop = work_loop(pull->work);
    hash_file_key(file->place->session_key, file->entry.index, file->key);
    hash_root_init(&file->root, file->key);
    file->is_sparse = (file->place->flags & PROTO_FLAG_SPARSE) != 0;
    pull_plan_open(file);
}

static size_t take_header(struct pull_file *file, const uint8_t *data, size_t len)
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

static size_t take_attrs(struct pull_file *file, const uint8_t *data, size_t len)
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
static size_t take(struct pull_file *file, const uint8_t *data, size_t len)
{
    if (!file->has_entry) {
        return take_header(file, data, len);
    }
    if (!file->has_begun) {
        return take_attrs(file, data, len);
    }
    if (!file->has_plan || !make_step(file) || file->is_settled) {
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

static void on_end(struct pull_file *file)
{
    bool has_hash = file->hash_used == sizeof file->hash ||
                    (file->place != NULL && (file->place->flags & PROTO_FLAG_NO_HASH) != 0);
    file->has_end = true;
    if (file->is_settled) {
        return;
    }
    if (!file->is_last || !has_hash) {
        pull_file_settle(file, PROTO_BAD_REQUEST, "the stream ended early", false);
        return;
    }
    finish(file);
}

static void on_reset(struct pull_file *file)
{
    uint64_t code = tern_stream_reset_code(file->s.stream);
    enum proto_status status =
        code > PROTO_OK && code <= PROTO_AGAIN ? (enum proto_status)code : PROTO_IO;
    pull_file_settle(file, status, proto_status_text(status), true);
}

/* False: nothing more to read now. */
static bool read_some(struct pull_file *file)
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
    if (len == 0 && file->has_begun && !file->is_settled && (!file->has_plan || !make_step(file))) {
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
    struct pull_file *file = file_of(s);
    pull_plan_make(file);
    pull_plan_write(file);
    while (s->stream != NULL && !file->has_end && read_some(file)) {
    }
    if (file->is_settled) {
        pull_file_rest(file);
    } else {
        finish(file); /* it may have been held back */
    }
}

void pull_file_end(struct pull_stream *s)
{
    struct pull_file *file = file_of(s);
    if (s->pull == NULL) {
        pull_plan_stop(file);
        if (file->out == 0) {
            file_free(file);
        }
    } else if (file->is_settled) {
        pull_file_rest(file);
    }
}
