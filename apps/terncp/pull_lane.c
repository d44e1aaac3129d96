/* A pack's stream is cut into batches of whole entries, which the workers turn into files.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "terncp/pull_parts.h"
#include "terncp/unpack.h"
#include "terncp/zip.h"

/* So much makes a batch; less does when nothing else is to do. */
#define BATCH_FULL ((size_t)192 << 10)
#define JOBS_MAX   4 /* of one lane */

struct batch {
    struct unpack unpack;
    struct lane *lane;
    struct batch *next; /* among the late ones */
};

struct lane {
    struct pull_stream s;
    struct batch *filling;
    size_t used;        /* of filling's data; unpack.len of them are whole entries */
    size_t need;        /* from there to the end of the next entry; 0: its header is not whole */
    unsigned out;       /* batches with the workers, or late */
    struct batch *late; /* that must wait until the sender is proved */
    bool has_end, is_bad;
};

struct pull_stream *pull_lane_new(void)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    return &lane->s;
}

static void batch_free(struct batch *batch)
{
    if (batch != NULL) {
        batch->unpack.place->held -= UNPACK_CAPACITY;
        place_drop(batch->unpack.place);
        free(batch->unpack.data);
        free(batch);
    }
}

static struct batch *batch_new(struct lane *lane)
{
    struct batch *batch = malloc(sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    memset(&batch->unpack, 0, offsetof(struct unpack, results));
    batch->lane = lane;
    batch->unpack.data = malloc(UNPACK_CAPACITY);
    if (batch->unpack.data == NULL) {
        free(batch);
        return NULL;
    }
    batch->unpack.place = place_hold(lane->s.pull->place);
    batch->unpack.place->held += UNPACK_CAPACITY;
    return batch;
}

static void lane_free(struct lane *lane)
{
    batch_free(lane->filling);
    free(lane);
}

/* --- settled batches -------------------------------------------------------------------------------- */

static void count(struct pull *pull, const struct proto_entry *entry)
{
    pull->counts.files += entry->type == PROTO_FILE ? 1 : 0;
    pull->counts.folders += entry->type == PROTO_FOLDER ? 1 : 0;
    pull->counts.links += entry->type == PROTO_LINK || entry->type == PROTO_SAME ? 1 : 0;
    if (entry->type == PROTO_FILE) {
        pull->counts.bytes += entry->size;
        pull->counts.total += entry->size;
    }
}

/* What must wait for the end of the copy. NULL, or why it cannot; *waits: it is not settled yet. */
static const char *keep_for_end(struct pull *pull, const struct proto_entry *entry,
                                const char *target, const uint8_t *attrs, bool *waits)
{
    char first[PROTO_LINK_MAX + 1];
    if (entry->type == PROTO_FOLDER && place_keeps_attrs(pull->place)) {
        return pull_note_folder(pull, entry, target, attrs) ? NULL : "too many folders";
    }
    if (entry->type != PROTO_SAME) {
        return NULL;
    }
    memcpy(first, attrs + entry->attrs, (size_t)entry->size);
    first[entry->size] = '\0';
    *waits = pull_note_link(pull, entry, target, first);
    return *waits ? NULL : "too many names of files that have several";
}

static void settle(struct pull *pull, const struct unpack *unpack,
                   const struct unpack_result *result)
{
    struct proto_entry entry;
    char target[PROTO_PATH_MAX + 1];
    enum proto_status status = result->status;
    const char *why = pull_why(status, result->error);
    const uint8_t *data = unpack->data + result->at;
    int n = proto_entry_decode(&entry, data, unpack->len - result->at);
    if (n <= 0) {
        return; /* who cut the batch has seen it whole */
    }
    const char *refused = place_map(pull->place, entry.name, target);
    why = refused != NULL ? refused : why;
    if (status == PROTO_OK && !entry.is_asked) {
        bool waits = false;
        const char *fault = keep_for_end(pull, &entry, target, data + n, &waits);
        if (waits) {
            return;
        }
        status = fault != NULL ? PROTO_IO : status;
        why = fault != NULL ? fault : why;
    }
    if (result->has_lost) {
        pull_settle(pull, &entry, target, PROTO_LOST_ATTRS, pull_why(PROTO_LOST_ATTRS, 0), false);
    }
    if (!entry.is_asked) {
        count(pull, &entry);
    }
    pull_settle(pull, &entry, refused == NULL ? target : NULL, status, why,
                entry.type == PROTO_VOID);
}

static void go_on_late(struct lane *lane)
{
    while (lane->late != NULL) {
        struct batch *batch = lane->late;
        lane->late = batch->next;
        work_submit(lane->s.pull->work, &batch->unpack.job);
    }
}

static void on_unpacked(struct work_job *job)
{
    struct batch *batch = job->owner;
    struct lane *lane = batch->lane;
    struct pull *pull = lane->s.pull;
    if (job->error == PLACE_NOT_YET && pull != NULL) {
        batch->next = lane->late;
        lane->late = batch;
        pull_hold_unproved(pull);
        if (!pull->is_held) {
            go_on_late(lane);
        }
        return;
    }
    lane->out--;
    if (pull == NULL) {
        batch_free(batch);
        if (lane->out == 0) {
            lane_free(lane);
        }
        return;
    }
    for (unsigned i = 0; i < batch->unpack.count && job->error == 0; i++) {
        settle(pull, &batch->unpack, &batch->unpack.results[i]);
    }
    if (job->error == EBADMSG || job->error == ENOMEM) { /* nobody can say what was in it */
        pull_settle(pull, NULL, NULL, PROTO_BAD_REQUEST, "a pack that cannot be unpacked", false);
        pull->counts.settled += UINT32_MAX; /* so nothing more is waited for */
        pull_malformed(&lane->s);
    }
    batch_free(batch);
    if (lane->s.stream == NULL && lane->out == 0) {
        pull_lane_end(&lane->s);
    }
    pull_pump(pull);
}

/* --- bytes that come -------------------------------------------------------------------------------- */

/* A compressed run of entries is a batch of its own. False: it is none. */
static bool cut_packed(struct lane *lane, size_t have)
{
    struct unpack *unpack = &lane->filling->unpack;
    struct proto_packed head;
    int n = proto_packed_decode(&head, unpack->data, have);
    if (n > 0 && have - (size_t)n >= head.packed) {
        unpack->len = (size_t)n + head.packed;
        unpack->count = 1;
        unpack->is_packed = true;
    }
    return n >= 0 && zip_is_there();
}

/* The next entry cannot be in this batch any more. */
static bool is_full(const struct lane *lane)
{
    const struct unpack *unpack = &lane->filling->unpack;
    return unpack->len >= BATCH_FULL || unpack->count == UNPACK_ENTRIES || unpack->is_packed ||
           (unpack->count > 0 && lane->used > unpack->len &&
            unpack->data[unpack->len] == PROTO_PACKED);
}

/* Looks how many entries are whole. False: one of them is none. */
static bool cut(struct lane *lane)
{
    struct unpack *unpack = &lane->filling->unpack;
    struct proto_entry entry;
    while (unpack->count < UNPACK_ENTRIES && !unpack->is_packed) {
        size_t have = lane->used - unpack->len;
        if (have > 0 && unpack->data[unpack->len] == PROTO_PACKED) {
            return unpack->count > 0 || cut_packed(lane, have);
        }
        if (lane->need == 0) {
            int n = proto_entry_decode(&entry, unpack->data + unpack->len, have);
            int64_t size = n > 0 ? proto_packed_size(&entry, lane->s.pull->place->flags) : 0;
            if (n < 0 || size < 0) {
                return false;
            }
            lane->need = n > 0 ? (size_t)n + (size_t)size : 0;
            if (n > 0) {
                memcpy(lane->s.pull->current, entry.name, strlen(entry.name) + 1);
            }
        }
        if (lane->need == 0 || have < lane->need) {
            return true;
        }
        unpack->len += lane->need;
        unpack->count++;
        lane->need = 0;
    }
    return true;
}

/* Hands out the whole entries; the beginning of the next one moves into a batch of its own. */
static bool submit(struct lane *lane)
{
    struct batch *batch = lane->filling;
    size_t rest = lane->used - batch->unpack.len;
    struct batch *next = NULL;
    if (rest > 0) {
        next = batch_new(lane);
        if (next == NULL) {
            return false; /* later, when others have given back theirs */
        }
        memcpy(next->unpack.data, batch->unpack.data + batch->unpack.len, rest);
    }
    lane->filling = next;
    lane->used = rest;
    lane->out++;
    batch->unpack.job.run = unpack_run;
    batch->unpack.job.done = on_unpacked;
    batch->unpack.job.owner = batch;
    batch->unpack.job.is_long = (batch->unpack.place->flags & PROTO_FLAG_CHECKSUM) != 0;
    work_submit(lane->s.pull->work, &batch->unpack.job);
    lane->is_bad = next != NULL && !cut(lane);
    return !lane->is_bad;
}

/* A place for bytes that come. False: wait for the disk. */
static bool need_batch(struct lane *lane)
{
    bool has_full = lane->filling != NULL && is_full(lane);
    if (lane->out > 0 && (lane->filling == NULL || has_full) &&
        (lane->out >= JOBS_MAX || !pull_has_room(lane->s.pull))) {
        return false;
    }
    if (has_full && !submit(lane)) {
        return false;
    }
    if (lane->filling == NULL) {
        lane->filling = batch_new(lane);
        lane->used = 0;
    }
    return lane->filling != NULL && lane->used < UNPACK_CAPACITY;
}

static bool take(struct lane *lane, const uint8_t *data, size_t len, size_t *taken)
{
    size_t n = UNPACK_CAPACITY - lane->used;
    n = len < n ? len : n;
    memcpy(lane->filling->unpack.data + lane->used, data, n);
    lane->used += n;
    *taken = n;
    return cut(lane);
}

/* Nothing more has come: what is whole need not wait, unless there is enough to do. At the end, too: a
 * buffer of short compressed runs would become a batch each, all at once. */
static void submit_rest(struct lane *lane)
{
    while (lane->filling != NULL && lane->filling->unpack.count > 0 && lane->out < 2) {
        if (!submit(lane)) {
            break;
        }
    }
    bool is_cut_off = lane->has_end && lane->filling != NULL && lane->filling->unpack.count == 0;
    if (lane->is_bad || is_cut_off) {
        pull_malformed(&lane->s); /* or the end of an entry is missing */
    }
}

void pull_lane_go(struct pull_stream *s)
{
    struct lane *lane = (struct lane *)(void *)s;
    go_on_late(lane);
    const uint8_t *data;
    size_t len;
    while (s->stream != NULL && !lane->has_end) {
        int rc = tern_stream_peek(s->stream, &data, &len);
        if (rc == TERN_ERR_RESET) {
            pull_malformed(s); /* a pack cannot fail */
            return;
        }
        if (rc != 0) {
            break;
        }
        size_t n = 0;
        lane->has_end = len == 0;
        if (len > 0 && !need_batch(lane)) {
            break; /* the disk is behind: the window closes by itself */
        }
        if (len > 0 && !take(lane, data, len, &n)) {
            pull_malformed(s);
            return;
        }
        if (tern_stream_consume(s->stream, n) != 0) {
            return;
        }
    }
    submit_rest(lane);
}

void pull_lane_end(struct pull_stream *s)
{
    struct lane *lane = (struct lane *)(void *)s;
    while (s->pull == NULL && lane->late != NULL) {
        struct batch *batch = lane->late;
        lane->late = batch->next;
        lane->out--;
        batch_free(batch);
    }
    if (lane->out > 0) {
        return;
    }
    if (s->pull != NULL && lane->filling != NULL && lane->filling->unpack.count > 0) {
        submit_rest(lane); /* the last of them waited for memory */
        return;
    }
    pull_unlink(s);
    lane_free(lane);
}
