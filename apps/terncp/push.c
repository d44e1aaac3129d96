/* Sources are walked by one job at a time; what it finds is packed by another, or queued for a stream of its
 * own. Packs are lent to the transport (no copy) and come back when they are acknowledged. Memory is bounded,
 * whatever the files and the network do.
 * SPDX-License-Identifier: MIT */
#include "terncp/push.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/push_parts.h"
#include "terncp/tree.h"

#define FILLS_MAX 3
#define READY_MAX 8

static void on_kick(struct ev_loop *loop, struct ev_watcher *watcher, int events)
{
    (void)loop;
    (void)events;
    push_pump(watcher->data);
}

struct push *push_new(struct work *work, tern_conn *conn, const struct push_request *request)
{
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL || (push->budget = calloc(1, sizeof *push->budget)) == NULL) {
        free(push);
        return NULL;
    }
    push->work = work;
    push->conn = conn;
    push->request = *request;
    if ((request->flags & PROTO_FLAG_HARD_LINKS) != 0) {
        push->hardlinks = hardlinks_new(PUSH_LINKS); /* NULL: names are copied one by one */
    }
    push->ready_last = &push->ready;
    push->queued_last = &push->queued;
    push->budget->loop = work_loop(work);
    ev_init(&push->budget->kick, on_kick);
    push->budget->kick.data = push;
    for (unsigned i = 0; i < PUSH_LANES; i++) {
        push->lanes[i].s = (struct push_stream){.push = push, .is_lane = true};
    }
    return push;
}

int push_add(struct push *push, int root, const char *path, const char *name, bool is_recursive)
{
    if (push->source_count == PUSH_SOURCES) {
        return E2BIG;
    }
    uint64_t flags = push->request.flags;
    struct tree_rules rules = {.links = (flags & PROTO_FLAG_FOLLOW) != 0  ? TREE_LINKS_FOLLOWED
                                        : (flags & PROTO_FLAG_LINKS) != 0 ? TREE_LINKS_KEPT
                                                                          : TREE_LINKS_LEFT_OUT,
                               .filter = push->request.filter};
    struct tree_walk *walk = tree_walk_new(root, path, name, is_recursive, &rules);
    if (walk == NULL) {
        return errno;
    }
    push->sources[push->source_count++] = walk;
    return 0;
}

void push_allow_zip(struct push *push, bool can_unpack)
{
    unsigned level = (unsigned)(push->request.flags >> PROTO_LEVEL_SHIFT) & 0xff;
    push->knows_zip = true;
    if ((push->request.flags & PROTO_FLAG_ZSTD) != 0 && zip_is_there() && can_unpack) {
        work_grow(push->work);
        push->level = level == 0 ? ZIP_LEVEL : level < ZIP_LEVEL_MAX ? (int)level : ZIP_LEVEL_MAX;
    }
}

int push_add_pipe(struct push *push, int fd, const char *name)
{
    return push_file_add_pipe(push, fd, name);
}

void push_begin(struct push *push)
{
    push->has_begun = true;
    push_pump(push);
}

/* --- memory ---------------------------------------------------------------------------------------- */

/* The transport needs the bytes no more. Runs inside endpoint calls: only memory is touched. */
void loan_release(void *arg, const void *data, size_t len)
{
    struct loan *loan = arg;
    struct budget *budget = loan->budget;
    (void)data;
    (void)len;
    budget->released += loan->contents;
    budget->bytes -= loan->size;
    budget->lent--;
    free(loan->memory);
    free(loan);
    if (!budget->is_orphan) {
        ev_feed_event(budget->loop, &budget->kick, EV_CUSTOM);
    } else if (budget->lent == 0) {
        free(budget);
    }
}

static void push_delete(struct push *push)
{
    hardlinks_free(push->hardlinks);
    sodium_memzero(push->request.key, sizeof push->request.key);
    free(push);
}

bool push_job_back(struct push *push)
{
    push->out--;
    if (!push->is_dead) {
        return false;
    }
    if (push->out == 0) {
        push_delete(push);
    }
    return true;
}

const char *push_why(int error)
{
    return error == ESTALE   ? "it changed while it was read"
           : error == EMLINK ? "more than 128 folders in one another"
                             : strerror(error);
}

void push_fail(struct push *push, const char *name, int error, bool is_begun)
{
    push->counts.failed += error != EAGAIN ? 1 : 0;
    push->request.failed(push->request.user, name, error, is_begun);
}

/* --- finding and packing --------------------------------------------------------------------------- */

static void on_filled(struct work_job *job);

static void end_source(struct push *push)
{
    push->counts.excluded += tree_walk_filtered(push->sources[push->source]);
    tree_walk_free(push->sources[push->source]);
    push->sources[push->source++] = NULL;
}

/* What was left out or could not be opened. Under --delete the receiver hears the name: one like it
 * stays there. False: there is nothing to pack. */
static bool sort_out_void(struct push *push, struct batch *batch, struct item *item)
{
    const char *name = batch_name(batch, item);
    if (item->error != 0) {
        push_fail(push, name, item->error, false);
        return false;
    }
    push->request.left(push->request.user, name, item->left);
    if ((push->request.flags & PROTO_FLAG_DELETE) == 0) {
        return false;
    }
    item->is_named = true;
    item->mode = PROTO_LEFT_OUT;
    return true;
}

static void count(struct push *push, const struct item *item)
{
    push->counts.files += item->type == PROTO_FILE ? 1 : 0;
    push->counts.folders += item->type == PROTO_FOLDER ? 1 : 0;
    push->counts.links += item->type == PROTO_LINK || item->type == PROTO_SAME ? 1 : 0;
    push->counts.total += item->type == PROTO_FILE && !item->is_large ? item->size : 0;
}

/* Gives the found entries their indices. Returns how many are to be packed. */
static unsigned sort_out(struct push *push, struct batch *batch)
{
    unsigned small = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        const char *name = batch_name(batch, item);
        if (item->type == PROTO_VOID && !sort_out_void(push, batch, item)) {
            continue;
        }
        memcpy(push->current, name, strlen(name) + 1);
        if (item->has_lost) {
            push->request.left(push->request.user, name, PROTO_LOST_ATTRS);
        }
        item->is_asked = push_asks_about(push, item);
        if (item->is_large && !item->is_asked) {
            if (!push_file_add(push, batch, item)) {
                push_fail(push, name, ENOMEM, false);
            }
            continue;
        }
        item->index = push->counts.entries++;
        batch->unanswered += item->is_asked ? 1 : 0;
        if (!item->is_asked) {
            count(push, item);
        }
        small++;
    }
    return small;
}

void push_pack(struct push *push, struct batch *batch, unsigned count)
{
    if (count == 0) {
        batch_free(batch);
        return;
    }
    batch->flags = push->request.flags;
    batch->level = push->level;
    batch->gauge = push->gauge;
    memcpy(batch->session_key, push->request.key, sizeof batch->session_key);
    batch->job = (struct work_job){.run = batch_fill, .done = on_filled, .owner = push};
    batch->job.is_long = (push->request.flags & PROTO_FLAG_CHECKSUM) != 0;
    push->fills++;
    push->out++;
    push->budget->bytes += (size_t)batch->small;
    work_submit(push->work, &batch->job);
}

static void on_scanned(struct work_job *job)
{
    struct batch *batch = (struct batch *)(void *)job;
    struct push *push = job->owner;
    if (push->is_dead) {
        tree_walk_free(batch->walk);
        batch_free(batch);
        (void)push_job_back(push);
        return;
    }
    (void)push_job_back(push);
    push->scan = NULL;
    if (batch->is_end || job->error != 0) {
        end_source(push);
    }
    push_pack(push, batch, sort_out(push, batch));
    push_pump(push);
}

static void scan_more(struct push *push)
{
    while (push->scan == NULL && push->source < push->source_count && push->has_begun &&
           push->fills < FILLS_MAX && push->asked_count < PUSH_ASKED &&
           push->ready_count < READY_MAX && push->queued_count < PUSH_QUEUED &&
           push->budget->bytes < PUSH_MEMORY) {
        struct batch *batch = batch_new();
        if (batch == NULL) {
            return; /* when memory comes back */
        }
        batch->walk = push->sources[push->source];
        batch->flags = push->request.flags;
        batch->hardlinks = push->hardlinks;
        batch->stop = &push->is_stopped; /* it stays until its jobs are back */
        batch->job = (struct work_job){.run = batch_scan, .done = on_scanned, .owner = push};
        batch->job.is_long = (push->request.flags & (PROTO_FLAG_CHECKSUM | PROTO_FLAG_RULES)) != 0;
        push->scan = batch;
        push->out++;
        work_submit(push->work, &batch->job);
    }
}

static void note_failures(struct push *push, const struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        if (item->type == PROTO_VOID && item->error != 0 && item->mode != 0) { /* it has an index */
            push_fail(push, batch_name(batch, item), item->error, true);
        }
    }
}

static void on_filled(struct work_job *job)
{
    struct batch *batch = (struct batch *)(void *)job;
    struct push *push = job->owner;
    int error = job->error;
    if (push_job_back(push)) {
        batch_free(batch);
        return;
    }
    push->fills--;
    push->budget->bytes -= (size_t)batch->small;
    if (error != 0) { /* the receiver would wait for what has an index: the copy cannot go on */
        batch_free(batch);
        tern_conn_close(push->conn, 1, "out of memory");
        return;
    }
    note_failures(push, batch);
    push->gauge = batch->gauge;
    push->budget->bytes += batch->capacity;
    batch->next = NULL;
    *push->ready_last = batch;
    push->ready_last = &batch->next;
    push->ready_count++;
    push_pump(push);
}

/* --- lanes ----------------------------------------------------------------------------------------- */

/* A client's may come late without harm: a server lets nothing old undo what came after it. A server's are an
 * answer to who has shown its ticket. */
void push_set_early(const struct push *push, tern_stream *stream)
{
    if (!tern_conn_is_established(push->conn)) {
        int rc = tern_stream_set_early(stream);
        (void)rc; /* the stream is ours */
    }
}

static bool open_lane(struct push *push, struct lane *lane)
{
    if (lane->s.stream != NULL) {
        return true;
    }
    if (tern_conn_open_stream(push->conn, TERN_STREAM_UNI, &lane->s.stream) != 0) {
        lane->s.stream = NULL;
        return false;
    }
    push_set_early(push, lane->s.stream);
    lane->is_full = false;
    tern_stream_set_user(lane->s.stream, &lane->s);
    return true;
}

/* Lends a pack to a lane. False: it takes no more now. */
static bool send_pack(struct push *push, struct lane *lane, struct batch *batch)
{
    struct loan *loan = malloc(sizeof *loan);
    if (loan == NULL) {
        return false;
    }
    *loan = (struct loan){.budget = push->budget,
                          .memory = batch->data,
                          .size = batch->capacity,
                          .contents = batch->contents};
    ptrdiff_t n =
        tern_stream_write_ref(lane->s.stream, batch->data, batch->len, loan_release, loan, 0);
    if (n <= 0) {
        lane->is_full = true;
        free(loan);
        return false;
    }
    push->budget->lent++;
    batch->data = NULL;
    return true;
}

static bool send_ready(struct push *push)
{
    struct batch *batch = push->ready;
    for (unsigned i = 0; i < PUSH_LANES; i++) {
        struct lane *lane = &push->lanes[(push->lane + i) % PUSH_LANES];
        if (lane->is_full || !open_lane(push, lane) || !send_pack(push, lane, batch)) {
            continue;
        }
        push->lane = (push->lane + i + 1) % PUSH_LANES;
        push->ready = batch->next;
        push->ready_last = push->ready == NULL ? &push->ready : push->ready_last;
        push->ready_count--;
        if (batch->unanswered > 0) {
            push_ask_wait(push, batch);
        } else {
            batch_free(batch);
        }
        return true;
    }
    return false;
}

/* Nothing will come for the lanes any more: they end. */
static bool end_lanes(struct push *push)
{
    bool is_idle = true;
    for (unsigned i = 0; i < PUSH_LANES; i++) {
        struct lane *lane = &push->lanes[i];
        if (lane->s.stream != NULL) {
            ptrdiff_t n = tern_stream_write(lane->s.stream, NULL, 0, TERN_FIN);
            (void)n; /* a lane that has ended, or broken, needs no end */
            is_idle = false;
        }
    }
    return is_idle;
}

static bool is_packed(const struct push *push)
{
    return push->has_begun && push->source == push->source_count && push->scan == NULL &&
           push->fills == 0 && push->ready == NULL && push->asked == NULL;
}

bool push_is_counted(const struct push *push)
{
    return is_packed(push) && push->queued == NULL && push_files_are_written(push);
}

void push_pump(struct push *push)
{
    scan_more(push);
    while (push->ready != NULL && send_ready(push)) {
    }
    push_files_go(push);
    scan_more(push);
    if (is_packed(push)) {
        (void)end_lanes(push);
    }
    if (!push->was_told && push_is_counted(push)) {
        push->was_told = true;
        push->request.counted(push->request.user);
    }
}

void push_on_event(const tern_event *ev)
{
    struct push_stream *s = tern_stream_user(ev->stream);
    if (s == NULL) {
        return;
    }
    struct push *push = s->push;
    if (!s->is_lane) {
        push_file_on_event(s, ev);
    } else if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        tern_stream_set_user(ev->stream, NULL);
        s->stream = NULL;
    } else if (ev->type == TERN_EVENT_STREAM_WRITABLE) {
        ((struct lane *)(void *)s)->is_full = false;
    }
    push_pump(push);
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

static void budget_drop(struct budget *budget)
{
    (void)ev_clear_pending(budget->loop, &budget->kick);
    budget->is_orphan = true;
    if (budget->lent == 0) {
        free(budget);
    }
}

void push_free(struct push *push)
{
    if (push == NULL) {
        return;
    }
    push->is_dead = true;
    atomic_store(&push->is_stopped, true);
    for (unsigned i = 0; i < PUSH_LANES; i++) {
        if (push->lanes[i].s.stream != NULL) {
            tern_stream_set_user(push->lanes[i].s.stream, NULL);
        }
    }
    push_files_free(push);
    push_ask_free(push);
    if (push->scan != NULL) {
        push->source++; /* whose walk goes with the scan */
    }
    for (size_t i = push->source; i < push->source_count; i++) {
        tree_walk_free(push->sources[i]);
    }
    while (push->ready != NULL) {
        struct batch *batch = push->ready;
        push->ready = batch->next;
        batch_free(batch);
    }
    budget_drop(push->budget);
    push->budget = NULL;
    if (push->out == 0) {
        push_delete(push);
    }
}
