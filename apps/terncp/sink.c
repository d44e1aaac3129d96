/* Header, contents or steps, hash: of a pack with one entry, or of a stream of the file's own. Bytes are
 * gathered into blocks, and one block at a time is with a worker; meanwhile nothing more is read.
 * SPDX-License-Identifier: MIT */
#include "terncp/sink.h"
#include "terncp/plan.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "terncp/hash.h"
#include "terncp/pipe.h"
#include "terncp/tree.h"

enum stage {
    STAGE_HEADER,
    STAGE_PACKED,
    STAGE_STEP,
    STAGE_DATA,
    STAGE_HOLE,
    STAGE_HASH,
    STAGE_OVER
};

struct sink {
    struct work_block block; /* first, so that the job leads here */
    struct work *work;
    struct sink_request request;
    struct pipe_stop stop;
    tern_stream *stream; /* the file's; NULL: not opened yet, or closed */
    bool is_taken, is_pack, has_end, is_settled, is_out, is_dead;
    enum stage stage;
    uint8_t front[PROTO_HEADER_MAX]; /* header, step or hash as it comes */
    size_t front_used;
    struct proto_entry entry;
    uint64_t left; /* of what is being taken */
    uint64_t made; /* of the file */
    struct hash_root root;
    char only[256];
    uint8_t key[PROTO_KEY_SIZE];
    struct pull_counts counts;
};

struct sink *sink_new(struct work *work, const struct sink_request *request)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL || (sink->block.data = malloc(PROTO_BLOCK)) == NULL) {
        free(sink);
        return NULL;
    }
    sink->work = work;
    sink->request = *request;
    memcpy(sink->key, request->key, sizeof sink->key);
    size_t len = strlen(request->only);
    memcpy(sink->only, request->only, len < sizeof sink->only ? len : sizeof sink->only - 1);
    return sink;
}

static void sink_delete(struct sink *sink)
{
    free(sink->block.data);
    sodium_memzero(sink->key, sizeof sink->key);
    free(sink);
}

static void refuse(tern_stream *stream, enum proto_status status)
{
    int rc = tern_stream_stop(stream, (uint64_t)status);
    if (tern_stream_kind_of(stream) == TERN_STREAM_BIDI) {
        rc = tern_stream_reset(stream, (uint64_t)status);
    }
    (void)rc; /* halves that have ended need neither */
}

static void settle(struct sink *sink, enum proto_status status, const char *why, bool by_peer)
{
    if (sink->is_settled) {
        return;
    }
    sink->is_settled = true;
    sink->stage = STAGE_OVER;
    sink->counts.settled++;
    sink->counts.failed += status != PROTO_OK ? 1 : 0;
    if (status != PROTO_OK && sink->stream != NULL) {
        refuse(sink->stream, status);
    }
    sink->request.settled(sink->request.user, sink->entry.index, status, sink->only, why, by_peer);
}

static bool has_hash(const struct sink *sink)
{
    return (sink->request.flags & PROTO_FLAG_NO_HASH) == 0;
}

/* --- blocks ------------------------------------------------------------------------------------------- */

static void go(struct sink *sink);

static void run_block(struct work_job *job)
{
    struct sink *sink = job->owner;
    pipe_write(&sink->block, &sink->stop);
}

static void on_block(struct work_job *job)
{
    struct sink *sink = job->owner;
    sink->is_out = false;
    if (sink->is_dead) {
        sink_delete(sink);
        return;
    }
    if (job->error != 0) {
        settle(sink, PROTO_IO, strerror(job->error), false);
    }
    hash_root_add(&sink->root, sink->block.leaf);
    sink->block.offset += sink->block.len;
    sink->block.len = 0;
    go(sink);
}

static void submit(struct sink *sink)
{
    sink->block.job = (struct work_job){.run = run_block, .done = on_block, .owner = sink};
    sink->block.fd = sink->request.fd;
    sink->block.has_no_leaf = !has_hash(sink);
    sink->is_out = true;
    work_submit(sink->work, &sink->block.job);
}

/* Bytes of the file; data NULL: zeros. Returns how many were taken. */
static size_t take_bytes(struct sink *sink, const uint8_t *data, size_t len)
{
    size_t room = PROTO_BLOCK - sink->block.len;
    size_t n = len < room ? len : room;
    n = n < sink->left ? n : (size_t)sink->left;
    if (data == NULL) {
        memset(sink->block.data + sink->block.len, 0, n);
    } else {
        memcpy(sink->block.data + sink->block.len, data, n);
    }
    sink->block.len += n;
    sink->left -= n;
    sink->made += n;
    sink->counts.bytes += n;
    sink->counts.spared.holes += data == NULL ? n : 0;
    if (sink->block.len == PROTO_BLOCK) {
        submit(sink);
    }
    return n;
}

/* --- what comes --------------------------------------------------------------------------------------- */

static void begin_hash(struct sink *sink)
{
    sink->stage = STAGE_HASH;
    sink->left = has_hash(sink) ? PROTO_HASH_SIZE : 0;
    sink->front_used = 0;
    if (sink->block.len > 0) {
        submit(sink);
    }
}

static void on_header(struct sink *sink)
{
    const struct proto_entry *e = &sink->entry;
    sink->counts.files++;
    sink->front_used = 0;
    if (!tree_is_under(e->name, sink->only, false)) {
        settle(sink, PROTO_REFUSED_PATH, "it was not asked for", false);
    } else if (e->type == PROTO_VOID) {
        enum proto_status status =
            e->mode > PROTO_OK && e->mode <= PROTO_AGAIN ? (enum proto_status)e->mode : PROTO_IO;
        settle(sink, status == PROTO_AGAIN ? PROTO_CHANGED : status, proto_status_text(status),
               true);
    } else if (e->type != PROTO_FILE) {
        settle(sink, PROTO_BAD_REQUEST, "it is no file", false);
    } else if (sink->is_pack) {
        sink->stage = STAGE_PACKED;
        sink->left = e->size;
        sink->counts.total = e->size;
    } else {
        static const uint8_t plan[] = {PLAN_WHOLE};
        ptrdiff_t n = tern_stream_write(sink->stream, plan, sizeof plan, TERN_FIN);
        (void)n; /* a fresh stream takes so little; one that is over brings an event */
        sink->stage = STAGE_STEP;
        sink->counts.total = e->size == PROTO_SIZE_UNKNOWN ? 0 : e->size;
    }
    if (!sink->is_settled) {
        hash_file_key(sink->key, e->index, sink->block.key);
        hash_root_init(&sink->root, sink->block.key);
    }
}

static size_t take_header(struct sink *sink, const uint8_t *data, size_t len)
{
    size_t before = sink->front_used, n = sizeof sink->front - before;
    n = len < n ? len : n;
    memcpy(sink->front + before, data, n);
    sink->front_used += n;
    int used = proto_entry_decode(&sink->entry, sink->front, sink->front_used);
    if (used < 0 || (used == 0 && sink->front_used == sizeof sink->front)) {
        settle(sink, PROTO_BAD_REQUEST, "malformed entry", false);
        return n;
    }
    if (used == 0) {
        return n;
    }
    on_header(sink);
    return (size_t)used - before;
}

static size_t take_step(struct sink *sink, const uint8_t *data, size_t len)
{
    struct proto_step step;
    size_t n = 0;
    int rc = 0;
    while (n < len && rc == 0) {
        sink->front[sink->front_used++] = data[n++];
        rc = proto_step_decode(&step, sink->front, sink->front_used);
    }
    if (rc == 0) {
        return n;
    }
    sink->front_used = 0;
    bool is_known = sink->entry.size != PROTO_SIZE_UNKNOWN;
    uint64_t left = (is_known ? sink->entry.size : INT64_MAX) - sink->made;
    if (rc > 0 && step.kind == PROTO_STEP_END && (!is_known || left == 0)) {
        begin_hash(sink);
    } else if (rc > 0 && (step.kind == PROTO_STEP_DATA || step.kind == PROTO_STEP_HOLE) &&
               step.len <= left) {
        sink->stage = step.kind == PROTO_STEP_DATA ? STAGE_DATA : STAGE_HOLE;
        sink->left = step.len;
    } else {
        settle(sink, PROTO_BAD_REQUEST, "a step that does not fit", false);
    }
    return n;
}

static size_t take_hash(struct sink *sink, const uint8_t *data, size_t len)
{
    size_t n = len < sink->left ? len : (size_t)sink->left;
    memcpy(sink->front + sink->front_used, data, n);
    sink->front_used += n;
    sink->left -= n;
    return n;
}

/* Takes what it can. 0: wait for the worker, or nothing more belongs there. */
static size_t take(struct sink *sink, const uint8_t *data, size_t len)
{
    switch (sink->stage) {
    case STAGE_HEADER:
        return take_header(sink, data, len);
    case STAGE_PACKED:
    case STAGE_DATA:
        return take_bytes(sink, data, len);
    case STAGE_STEP:
        return take_step(sink, data, len);
    case STAGE_HASH:
        return take_hash(sink, data, len);
    case STAGE_HOLE:
    case STAGE_OVER:
        break;
    }
    return 0;
}

/* Stages that end without another byte. */
static void move_on(struct sink *sink)
{
    while (sink->stage == STAGE_HOLE && sink->left > 0 && !sink->is_out) {
        (void)take_bytes(sink, NULL, SIZE_MAX);
    }
    if (sink->left > 0 || sink->is_out) {
        return;
    }
    if (sink->stage == STAGE_DATA || sink->stage == STAGE_HOLE) {
        sink->stage = STAGE_STEP;
    } else if (sink->stage == STAGE_PACKED) {
        begin_hash(sink);
    }
}

/* Everything has come, and is written: was it the sender's? */
static void finish(struct sink *sink)
{
    uint8_t hash[PROTO_HASH_SIZE];
    if (sink->stage != STAGE_HASH || sink->left > 0 || sink->is_out || sink->is_settled) {
        return;
    }
    hash_root_final(&sink->root, sink->made, hash);
    bool is_good = !has_hash(sink) || sodium_memcmp(hash, sink->front, sizeof hash) == 0;
    settle(sink, is_good ? PROTO_OK : PROTO_INTEGRITY,
           is_good ? NULL : "the hash of what arrived is not the sender's", false);
}

static void on_reset(struct sink *sink)
{
    uint64_t code = tern_stream_reset_code(sink->stream);
    enum proto_status status =
        code > PROTO_OK && code < PROTO_AGAIN ? (enum proto_status)code : PROTO_CHANGED;
    settle(sink, status, proto_status_text(status), true);
}

/* False: nothing more can be read now. */
static bool read_some(struct sink *sink)
{
    const uint8_t *data;
    size_t len;
    int rc = tern_stream_peek(sink->stream, &data, &len);
    if (rc == TERN_ERR_RESET) {
        on_reset(sink);
        return false;
    }
    if (rc != 0) {
        return false;
    }
    size_t n = len;
    if (!sink->is_settled && len > 0) {
        n = take(sink, data, len);
        if (n == 0 && !sink->is_settled) {
            settle(sink, PROTO_BAD_REQUEST, "bytes behind the end", false);
        }
    }
    if (tern_stream_consume(sink->stream, n) != 0) {
        return false;
    }
    sink->has_end = len == 0;
    return len > 0;
}

static void go(struct sink *sink)
{
    move_on(sink);
    while (sink->stream != NULL && !sink->is_out && !sink->has_end && read_some(sink)) {
        move_on(sink);
    }
    finish(sink);
    bool is_short = sink->has_end && !sink->is_out && !sink->is_settled;
    if (is_short) {
        settle(sink, PROTO_BAD_REQUEST, "the stream ended early", false);
    }
}

/* --- streams ------------------------------------------------------------------------------------------ */

void sink_on_opened(struct sink *sink, tern_stream *stream)
{
    if (sink->is_taken) { /* one file was asked for; a second cannot be put before the first */
        sink->counts.settled++;
        refuse(stream, PROTO_BAD_REQUEST);
        return;
    }
    sink->is_taken = true;
    sink->stream = stream;
    sink->is_pack = tern_stream_kind_of(stream) == TERN_STREAM_UNI;
    go(sink);
}

void sink_on_event(struct sink *sink, const tern_event *event)
{
    if (event->stream != sink->stream) {
        return;
    }
    if (event->type == TERN_EVENT_STREAM_CLOSED) {
        sink->stream = NULL;
    }
    go(sink);
}

const struct pull_counts *sink_counts(const struct sink *sink)
{
    return &sink->counts;
}

void sink_free(struct sink *sink)
{
    if (sink == NULL) {
        return;
    }
    sink->is_dead = true;
    pipe_stop(&sink->stop);
    if (!sink->is_out) {
        sink_delete(sink);
    }
}
