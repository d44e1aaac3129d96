/* Entry by entry: name, folder, hash, temporary file, final name.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/unpack.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terncp/hash.h"
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

static int make_file(const struct place *place, const struct proto_entry *entry,
                     const uint8_t *data, int folder, const char *last, uint32_t *number)
{
    char temporary[PLACE_TEMPORARY_SIZE];
    mode_t mode = (mode_t)entry->mode & 0777;
    int fd = place_create(folder, mode, number, temporary);
    if (fd < 0) {
        return errno;
    }
    int error = work_pwrite(fd, data, (size_t)entry->size, 0);
    if (error == 0) {
        error = place_give_name(place, entry, mode & ~place->mask, fd, folder, temporary, last);
    }
    if (error != 0) {
        (void)unlinkat(folder, temporary, 0);
    }
    (void)close(fd);
    return error;
}

static int make_link(const struct place *place, const struct proto_entry *entry,
                     const uint8_t *data, int folder, const char *last, uint32_t *number)
{
    char text[PROTO_LINK_MAX + 1];
    if (memchr(data, '\0', (size_t)entry->size) != NULL) {
        return EINVAL;
    }
    memcpy(text, data, (size_t)entry->size);
    text[entry->size] = '\0';
    return place_make_link(place, entry, text, folder, last, number);
}

static bool is_intact(const struct place *place, const struct proto_entry *entry,
                      const uint8_t *data)
{
    uint8_t hash[PROTO_HASH_SIZE];
    if ((place->flags & PROTO_FLAG_NO_HASH) != 0 || entry->type == PROTO_FOLDER) {
        return true;
    }
    hash_whole(place->session_key, entry->index, data, (size_t)entry->size, hash);
    return sodium_memcmp(hash, data + entry->size, sizeof hash) == 0;
}

static void settle(const struct place *place, const struct proto_entry *entry, const uint8_t *data,
                   struct open_folder *open, uint32_t *number, struct unpack_result *result)
{
    char target[PROTO_PATH_MAX + 1];
    const char *last = "";
    if (place_map(place, entry->name, target) != NULL ||
        (entry->type == PROTO_LINK && (place->flags & PROTO_FLAG_LINKS) == 0)) {
        result->status = PROTO_REFUSED_PATH;
        return;
    }
    if (!is_intact(place, entry, data)) {
        result->status = PROTO_INTEGRITY;
        return;
    }
    int folder = find_folder(place, open, target, &last);
    int error = folder < 0                    ? errno
                : entry->type == PROTO_FOLDER ? place_make_folder(place, folder, last)
                : entry->type == PROTO_LINK   ? make_link(place, entry, data, folder, last, number)
                                              : make_file(place, entry, data, folder, last, number);
    result->error = error;
    result->status = proto_status_of(error);
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
    size_t at = 0;
    for (unsigned i = 0; i < unpack->count; i++) {
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
            settle(place, &entry, unpack->data + at + n, &open, &number, result);
        }
        at += (size_t)n + (size_t)size;
    }
    if (open.fd >= 0) {
        (void)close(open.fd);
    }
}
