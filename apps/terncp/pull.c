/* Which stream is what, folders that are sealed at the end, and the tally.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/pull_parts.h"
#include "terncp/tree.h"

#define FOLDERS_MAX   (1u << 20) /* whose attributes are kept until the end */
#define FOLDERS_BYTES ((size_t)64 << 20)

/* A folder whose mode and times are to be set at the end. */
struct pull_folder {
    uint32_t mode;
    int64_t mtime_s;
    uint32_t mtime_ns, attrs;
    char *name; /* and behind its end the attributes */
};

struct pull *pull_new(struct work *work, const struct place_request *request,
                      pull_settled_fn settled, void *user)
{
    struct pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL || (pull->place = place_new(request)) == NULL) {
        free(pull);
        return NULL;
    }
    pull->work = work;
    pull->settled = settled;
    pull->user = user;
    return pull;
}

/* --- what is settled ------------------------------------------------------------------------------- */

const char *pull_why(enum proto_status status, int error)
{
    if (status == PROTO_INTEGRITY) {
        return "the hash of what arrived is not the sender's";
    }
    if (error == TREE_NO_FILE) {
        return "what stands there is neither file nor folder";
    }
    if (error != 0) {
        return strerror(error);
    }
    return status == PROTO_REFUSED_PATH ? "the name would leave the target"
                                        : proto_status_text(status);
}

void pull_settle(struct pull *pull, const struct proto_entry *entry, const char *target,
                 enum proto_status status, const char *why, bool by_peer)
{
    bool is_answer = status == PROTO_IS_CURRENT || status == PROTO_IS_WANTED;
    bool has_failed = status != PROTO_OK && status != PROTO_AGAIN && !is_answer &&
                      status != PROTO_LOST_ATTRS && !proto_is_left_out(status);
    bool is_dry = (pull->place->flags & PROTO_FLAG_DRY_RUN) != 0;
    bool is_open = status == PROTO_LOST_ATTRS || (status == PROTO_IS_WANTED && !is_dry);
    pull->counts.settled += is_open ? 0 : 1;
    pull->counts.failed += has_failed ? 1 : 0;
    if (entry != NULL && target != NULL) {
        pull_note_name(pull, entry, target);
    }
    if (proto_is_left_out(status)) {
        return; /* nothing is settled for anybody who looks on */
    }
    pull->settled(pull->user, entry == NULL ? PROTO_INDEX_NONE : entry->index, status,
                  target != NULL  ? target
                  : entry != NULL ? entry->name
                                  : "an entry",
                  why, by_peer);
}

/* --- folders --------------------------------------------------------------------------------------- */

bool pull_note_folder(struct pull *pull, const struct proto_entry *entry, const char *target,
                      const uint8_t *attrs)
{
    size_t size = sizeof(struct pull_folder) + strlen(target) + 1 + entry->attrs;
    if (pull->folder_count == FOLDERS_MAX || size > FOLDERS_BYTES - pull->folder_bytes) {
        return false;
    }
    if (pull->folder_count == pull->folder_capacity) {
        size_t capacity = pull->folder_capacity == 0 ? 16 : pull->folder_capacity * 2;
        struct pull_folder *grown = realloc(pull->folders, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        pull->folders = grown;
        pull->folder_capacity = capacity;
    }
    size_t len = strlen(target) + 1;
    struct pull_folder folder = {.mode = entry->mode,
                                 .mtime_s = entry->mtime_s,
                                 .mtime_ns = entry->mtime_ns,
                                 .attrs = entry->attrs,
                                 .name = malloc(len + entry->attrs)};
    if (folder.name == NULL) {
        return false;
    }
    memcpy(folder.name, target, len);
    memcpy(folder.name + len, attrs, entry->attrs);
    pull->folders[pull->folder_count++] = folder;
    pull->folder_bytes += size;
    return true;
}

/* What is inside comes before what it is in, since a sealed folder may not let us in any more. */
static int inner_first(const void *a, const void *b)
{
    return strcmp(((const struct pull_folder *)b)->name, ((const struct pull_folder *)a)->name);
}

static int seal(const struct pull *pull, const struct pull_folder *folder, int *lost)
{
    const struct place *place = pull->place;
    struct proto_entry entry = {.type = PROTO_FOLDER,
                                .mode = folder->mode,
                                .mtime_s = folder->mtime_s,
                                .mtime_ns = folder->mtime_ns,
                                .attrs = folder->attrs};
    struct attrs attrs;
    const uint8_t *xattrs = (const uint8_t *)folder->name + strlen(folder->name) + 1;
    place_attrs(place, &entry, xattrs, &attrs);
    int fd = tree_open(place->root, folder->name, O_RDONLY | O_DIRECTORY | place->links, 0);
    int error = fd < 0 ? errno : attrs_apply(fd, &attrs, lost);
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

void pull_seal_folders(struct pull *pull)
{
    if (pull->folder_count > 0) {
        qsort(pull->folders, pull->folder_count, sizeof *pull->folders, inner_first);
    }
    for (size_t i = 0; i < pull->folder_count; i++) {
        struct pull_folder *folder = &pull->folders[i];
        int lost = 0;
        int error = seal(pull, folder, &lost);
        enum proto_status status = error != 0 ? proto_status_of(error) : PROTO_LOST_ATTRS;
        if (error != 0 || lost != 0) {
            pull->counts.failed += error != 0 ? 1 : 0;
            pull->settled(pull->user, PROTO_INDEX_NONE, status, folder->name,
                          pull_why(status, error), false);
        }
        free(folder->name);
    }
    pull->folder_count = 0;
}

/* --- streams --------------------------------------------------------------------------------------- */

void pull_malformed(struct pull_stream *s)
{
    if (s->stream != NULL) {
        tern_conn_close(tern_stream_conn(s->stream), CLOSE_MALFORMED, "malformed entry");
    }
}

void pull_unlink(struct pull_stream *s)
{
    if (s->link != NULL) {
        *s->link = s->next;
        if (s->next != NULL) {
            s->next->link = s->link;
        }
        s->link = NULL;
    }
}

void pull_on_opened(struct pull *pull, tern_stream *stream)
{
    bool is_lane = tern_stream_kind_of(stream) == TERN_STREAM_UNI;
    struct pull_stream *s = is_lane ? pull_lane_new() : pull_file_new();
    if (s == NULL) {
        tern_conn_close(tern_stream_conn(stream), CLOSE_MALFORMED, "out of memory");
        return;
    }
    s->pull = pull;
    s->stream = stream;
    s->is_lane = is_lane;
    s->link = &pull->streams;
    s->next = pull->streams;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    pull->streams = s;
    tern_stream_set_user(stream, s);
}

static void go(struct pull_stream *s)
{
    if (s->pull->is_held) {
        return;
    }
    if (s->is_lane) {
        pull_lane_go(s);
    } else {
        pull_file_go(s);
    }
}

static void end(struct pull_stream *s)
{
    if (s->is_lane) {
        pull_lane_end(s);
    } else {
        pull_file_end(s);
    }
}

void pull_on_event(const tern_event *ev)
{
    struct pull_stream *s = tern_stream_user(ev->stream);
    if (s == NULL) {
        return;
    }
    if (ev->type == TERN_EVENT_STREAM_CLOSED) {
        tern_stream_set_user(ev->stream, NULL);
        s->stream = NULL;
        end(s);
    } else {
        go(s);
    }
}

void pull_pump(struct pull *pull)
{
    struct pull_stream *next;
    for (struct pull_stream *s = pull->streams; s != NULL; s = next) {
        next = s->next;
        go(s);
    }
}

void pull_hold(struct pull *pull, bool is_held)
{
    pull->is_held = is_held;
    pull_pump(pull);
}

bool pull_is_held(const struct pull *pull)
{
    return pull->is_held;
}

void pull_hold_unproved(struct pull *pull)
{
    if (!atomic_load(&pull->place->is_proved)) {
        pull_hold(pull, true);
    }
}

void pull_prove(struct pull *pull)
{
    place_prove(pull->place);
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
    while (pull->streams != NULL) {
        struct pull_stream *s = pull->streams;
        pull_unlink(s);
        if (s->stream != NULL) {
            tern_stream_set_user(s->stream, NULL);
            s->stream = NULL;
        }
        s->pull = NULL;
        end(s);
    }
    for (size_t i = 0; i < pull->folder_count; i++) {
        free(pull->folders[i].name);
    }
    free(pull->folders);
    pull_end_free(pull);
    atomic_store(&pull->place->is_stopped, true); /* workers may have it still */
    place_drop(pull->place);
    free(pull);
}
