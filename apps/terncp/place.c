/* Staying beneath the root is tree_open's; which name in it, and when, is decided here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "terncp/tree.h"

struct place *place_new(const struct place_request *request)
{
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL) {
        return NULL;
    }
    place->references = 1;
    place->root = fcntl(request->root, F_DUPFD_CLOEXEC, 0);
    if (place->root < 0) {
        place_drop(place);
        return NULL;
    }
    memcpy(place->session_key, request->key, sizeof place->session_key);
    place->is_into = request->is_into;
    place->is_fresh = request->is_fresh;
    place->flags = request->flags;
    place->mask = umask(077);
    (void)umask(place->mask);
    place->links = request->only == NULL ? 0 : TREE_NO_LINKS;
    (void)snprintf(place->target, sizeof place->target, "%s", request->target);
    (void)snprintf(place->only, sizeof place->only, "%s",
                   request->only == NULL ? "" : request->only);
    (void)snprintf(place->partial_dir, sizeof place->partial_dir, "%s",
                   request->partial_dir == NULL ? "" : request->partial_dir);
    return place;
}

struct place *place_hold(struct place *place)
{
    place->references++;
    return place;
}

void place_drop(struct place *place)
{
    if (place == NULL || --place->references > 0) {
        return;
    }
    if (place->root >= 0) {
        (void)close(place->root);
    }
    sodium_memzero(place->session_key, sizeof place->session_key);
    free(place);
}

const char *place_map(const struct place *place, const char *name, char target[PROTO_PATH_MAX + 1])
{
    const size_t size = PROTO_PATH_MAX + 1;
    const char *rest = name;
    int n;
    if (!tree_is_under(name, place->only, (place->flags & PROTO_FLAG_RECURSIVE) != 0)) {
        return "it was not asked for";
    }
    if (!tree_is_safe(name)) {
        return "the name would leave the target";
    }
    if (!place->is_into) {
        rest = strchr(rest, '/');
        n = snprintf(target, size, "%s%s", place->target, rest == NULL ? "" : rest);
    } else if (strcmp(place->target, ".") == 0) {
        n = snprintf(target, size, "%s", rest);
    } else {
        n = snprintf(target, size, "%s/%s", place->target, rest);
    }
    return n > 0 && (size_t)n < size && tree_is_safe(target) ? NULL
                                                             : "the name would leave the target";
}

int place_open_folder(const struct place *place, const char *target, const char **last)
{
    char part[PROTO_PATH_MAX + 1];
    int folder = tree_open_parent(place->root, target, place->links, last);
    if (folder >= 0 || errno != ENOENT || !(place->flags & PROTO_FLAG_RECURSIVE)) {
        return folder;
    }
    (void)snprintf(part, sizeof part, "%s", target);
    for (char *slash = strchr(part, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const char *name;
        *slash = '\0';
        int parent = tree_open_parent(place->root, part, place->links, &name);
        if (parent < 0) {
            return -1;
        }
        int rc = mkdirat(parent, name, 0777);
        int saved = errno;
        (void)close(parent);
        if (rc != 0 && saved != EEXIST) {
            errno = saved;
            return -1;
        }
        *slash = '/';
    }
    return tree_open_parent(place->root, target, place->links, last);
}

static void name_temporary(uint32_t *number, char temporary[PLACE_TEMPORARY_SIZE])
{
    (void)snprintf(temporary, PLACE_TEMPORARY_SIZE, ".terncp-%08x.part", (unsigned)*number);
    *number += 0x9e3779b1u; /* odd, so that all numbers come up */
}

int place_create(int folder, mode_t mode, uint32_t *number, char temporary[PLACE_TEMPORARY_SIZE])
{
    int fd;
    do {
        name_temporary(number, temporary);
        fd = openat(folder, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

void place_flush_folder(const struct place *place, int folder)
{
    int fd = (place->flags & PROTO_FLAG_FSYNC) == 0
                 ? -1
                 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* its failure cannot be undone any more */
        (void)close(fd);
    }
}

int place_move(const struct place *place, int from, const char *temporary, int folder,
               const char *last)
{
    if (!place->is_fresh) {
        return renameat(from, temporary, folder, last);
    }
    if (syscall(SYS_renameat2, from, temporary, folder, last, 1 /* RENAME_NOREPLACE */) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    return linkat(from, temporary, folder, last, 0) == 0 ? unlinkat(from, temporary, 0) : -1;
}

int place_give_attributes(const struct place *place, const struct proto_entry *entry, mode_t has,
                          int fd)
{
    bool is_preserving = (place->flags & PROTO_FLAG_PRESERVE) != 0;
    /* Never set-user-ID and the like: the sender's word must not make a program that runs as us. */
    mode_t mode = (mode_t)(entry->mode & 0777) & ~(is_preserving ? 0 : place->mask);
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)entry->mtime_s, .tv_nsec = (long)entry->mtime_ns}};
    return (mode != has && fchmod(fd, mode) != 0) || (is_preserving && futimens(fd, times) != 0) ||
                   ((place->flags & PROTO_FLAG_FSYNC) != 0 && fsync(fd) != 0)
               ? errno
               : 0;
}

int place_give_name(const struct place *place, const struct proto_entry *entry, mode_t has, int fd,
                    int folder, const char *temporary, const char *last)
{
    int error = place_give_attributes(place, entry, has, fd);
    if (error != 0) {
        return error;
    }
    if (place_move(place, folder, temporary, folder, last) != 0) {
        return errno;
    }
    place_flush_folder(place, folder);
    return 0;
}

int place_make_folder(const struct place *place, int folder, const char *last)
{
    struct stat st;
    bool is_preserving = (place->flags & PROTO_FLAG_PRESERVE) != 0;
    if (mkdirat(folder, last, is_preserving ? 0700 : 0777) == 0) {
        return 0;
    }
    int error = errno;
    bool is_there = error == EEXIST && fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISDIR(st.st_mode);
    return is_there ? 0 : error;
}

int place_make_link(const struct place *place, const struct proto_entry *entry, const char *text,
                    int folder, const char *last, uint32_t *number)
{
    char temporary[PLACE_TEMPORARY_SIZE];
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)entry->mtime_s, .tv_nsec = (long)entry->mtime_ns}};
    int rc;
    do {
        name_temporary(number, temporary);
        rc = symlinkat(text, folder, temporary);
    } while (rc != 0 && errno == EEXIST);
    if (rc != 0) {
        return errno;
    }
    if (((place->flags & PROTO_FLAG_PRESERVE) != 0 &&
         utimensat(folder, temporary, times, AT_SYMLINK_NOFOLLOW) != 0) ||
        place_move(place, folder, temporary, folder, last) != 0) {
        int error = errno;
        (void)unlinkat(folder, temporary, 0);
        return error;
    }
    return 0;
}
