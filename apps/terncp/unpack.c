/* Entry by entry: name, folder, hash, temporary file, final name.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/unpack.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/whole.h"
#include "terncp/hash.h"
#include "terncp/tree.h"
#include "terncp/zip.h"

_Static_assert(UNPACK_CAPACITY >= 2 * PROTO_SMALL_MAX && UNPACK_CAPACITY >= PROTO_PACKED_MAX,
               "any entry fits");

/* Entries of one folder mostly come together: it is opened once for them. */
struct open_folder {
    int fd; /* -1: none */
    size_t len;
    char name[PROTO_PATH_MAX + 1];
};

static int find_folder(const struct place *place, struct open_folder *open, const char *target,
                       const char **last)
{
    const char *slash = strrchr(target, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - target);
    if (open->fd >= 0 && open->len == len && memcmp(open->name, target, len) == 0) {
        *last = slash == NULL ? target : slash + 1;
        return open->fd;
    }
    if (open->fd >= 0) {
        (void)close(open->fd);
    }
    open->fd = place_open_folder(place, target, last);
    open->len = len;
    memcpy(open->name, target, len);
    return open->fd;
}

/* An entry as it lies in the pack. */
struct parcel {
    const struct proto_entry *entry;
    const uint8_t *attrs, *data; /* entry->attrs bytes; contents */
};

static int make_file(const struct place *place, const struct parcel *parcel, int folder,
                     const char *last, uint32_t *number, bool *has_lost)
{
    const struct proto_entry *entry = parcel->entry;
    char temporary[PLACE_TEMPORARY_SIZE];
    mode_t kept = place_kept_mode(place, folder, last);
    mode_t mode = (mode_t)entry->mode & 0777 & (kept == PLACE_NO_MODE ? 0777 : kept);
    int fd = place_create(folder, mode, number, temporary);
    if (fd < 0) {
        return errno;
    }
    int error = whole_pwrite(fd, parcel->data, (size_t)entry->size, 0);
    if (error == 0) {
        struct place_modes modes = {.has = mode & ~place->mask, .kept = kept};
        error = place_give_name(place, entry, parcel->attrs, modes, fd, folder, temporary, last,
                                has_lost);
    }
    if (error != 0) {
        (void)unlinkat(folder, temporary, 0);
    }
    (void)close(fd);
    return error;
}

static int make_link(const struct place *place, const struct parcel *parcel, int folder,
                     const char *last)
{
    char text[PROTO_LINK_MAX + 1];
    size_t size = (size_t)parcel->entry->size;
    if (memchr(parcel->data, '\0', size) != NULL) {
        return EINVAL;
    }
    memcpy(text, parcel->data, size);
    text[size] = '\0';
    return place_make_link(place, parcel->entry, parcel->attrs, text, folder, last);
}

static int make(const struct place *place, const struct parcel *parcel, int folder,
                const char *last, uint32_t *number, bool *has_lost)
{
    switch (parcel->entry->type) {
    case PROTO_FOLDER:
        return place_make_folder(place, folder, last);
    case PROTO_LINK:
        return make_link(place, parcel, folder, last);
    case PROTO_SAME: /* when everything else stands */
    case PROTO_VOID:
        return 0;
    case PROTO_FILE:
        break;
    }
    return make_file(place, parcel, folder, last, number, has_lost);
}

static bool is_intact(const struct place *place, const struct parcel *parcel)
{
    const struct proto_entry *entry = parcel->entry;
    uint8_t hash[PROTO_HASH_SIZE];
    if ((place->flags & PROTO_FLAG_NO_HASH) != 0 || entry->type == PROTO_FOLDER) {
        return true;
    }
    hash_whole(place->session_key, entry->index, parcel->data, (size_t)entry->size, hash);
    return sodium_memcmp(hash, parcel->data + entry->size, sizeof hash) == 0;
}

static bool may_come(const struct place *place, const struct proto_entry *entry)
{
    return (entry->type != PROTO_LINK || (place->flags & PROTO_FLAG_LINKS) != 0) &&
           (entry->type != PROTO_SAME || (place->flags & PROTO_FLAG_HARD_LINKS) != 0);
}

/* The answer to a question. In a folder that is not there everything is wanted. */
static void answer(const struct place *place, const struct parcel *parcel, int folder,
                   const char *last, struct unpack_result *result)
{
    bool is_missing = folder < 0 && errno == ENOENT;
    if (folder < 0 && !is_missing) {
        result->error = errno;
        result->status = proto_status_of(errno);
        return;
    }
    bool is_current =
        !is_missing && place_is_current(place, parcel->entry, folder, last, parcel->data);
    result->status = is_current ? PROTO_IS_CURRENT : PROTO_IS_WANTED;
}

static void settle(const struct place *place, const struct parcel *parcel, struct open_folder *open,
                   uint32_t *number, struct unpack_result *result)
{
    const struct proto_entry *entry = parcel->entry;
    char target[PROTO_PATH_MAX + 1];
    const char *last = "";
    if (place_map(place, entry->name, target) != NULL || !may_come(place, entry)) {
        result->status = PROTO_REFUSED_PATH;
        return;
    }
    if (entry->is_asked && (place->flags & PROTO_FLAG_DRY_RUN) != 0) {
        int at = tree_open_parent(place->root, target, place->links, &last);
        answer(place, parcel, at, last, result);
        if (at >= 0) {
            (void)close(at);
        }
        return;
    }
    if (!entry->is_asked && !is_intact(place, parcel)) {
        result->status = PROTO_INTEGRITY;
        return;
    }
    if (!attrs_are_valid(parcel->attrs, entry->attrs)) {
        result->status = PROTO_BAD_REQUEST;
        return;
    }
    int folder = find_folder(place, open, target, &last);
    if (entry->is_asked) {
        answer(place, parcel, folder, last, result);
        return;
    }
    result->error =
        folder < 0 ? errno : make(place, parcel, folder, last, number, &result->has_lost);
    result->status = proto_status_of(result->error);
}

/* Whole entries and nothing else? */
static bool count_entries(struct unpack *unpack)
{
    struct proto_entry entry;
    size_t at = 0;
    for (unpack->count = 0; at < unpack->len; unpack->count++) {
        int n = proto_entry_decode(&entry, unpack->data + at, unpack->len - at);
        int64_t size = n > 0 ? proto_packed_size(&entry, unpack->place->flags) : -1;
        if (size < 0 || unpack->count == UNPACK_ENTRIES ||
            (size_t)size > unpack->len - at - (size_t)n) {
            return false;
        }
        at += (size_t)n + (size_t)size;
    }
    return true;
}

static int unzip(struct unpack *unpack)
{
    struct proto_packed head;
    uint8_t *data = malloc(UNPACK_CAPACITY);
    if (data == NULL) {
        return ENOMEM;
    }
    int n = proto_packed_decode(&head, unpack->data, unpack->len);
    if (n <= 0 || !zip_unpack(unpack->data + n, head.packed, data, head.len)) {
        free(data);
        return EBADMSG;
    }
    free(unpack->data);
    unpack->data = data;
    unpack->len = head.len;
    unpack->is_packed = false;
    return count_entries(unpack) ? 0 : EBADMSG;
}

void unpack_run(struct work_job *job)
{
    struct unpack *unpack = (struct unpack *)(void *)job;
    const struct place *place = unpack->place;
    job->error = unpack->is_packed ? unzip(unpack) : 0;
    if (job->error != 0) {
        return;
    }
    struct open_folder open = {.fd = -1};
    struct proto_entry entry;
    uint32_t number = randombytes_random();
    size_t at = unpack->done_at;
    for (unsigned i = unpack->done; i < unpack->count; i++) {
        struct unpack_result *result = &unpack->results[i];
        int n = proto_entry_decode(&entry, unpack->data + at, unpack->len - at);
        int64_t size = n > 0 ? proto_packed_size(&entry, place->flags) : -1;
        *result = (struct unpack_result){.at = at, .status = PROTO_BAD_REQUEST};
        if (size < 0) { /* who cut the batch has seen all of them */
            continue;
        }
        if (entry.type == PROTO_VOID) {
            result->status = entry.mode > PROTO_OK && entry.mode <= PROTO_AGAIN
                                 ? (enum proto_status)entry.mode
                                 : PROTO_IO;
        } else {
            const uint8_t *attrs = unpack->data + at + n;
            struct parcel parcel = {.entry = &entry, .attrs = attrs, .data = attrs + entry.attrs};
            settle(place, &parcel, &open, &number, result);
        }
        if (result->error == PLACE_NOT_YET) {
            job->error = PLACE_NOT_YET;
            break;
        }
        at += (size_t)n + (size_t)size;
        unpack->done = i + 1;
        unpack->done_at = at;
    }
    if (open.fd >= 0) {
        (void)close(open.fd);
    }
}
