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

#include "terncp/decide.h"
#include "terncp/graft.h"
#include "terncp/tree.h"

/* Names can be one there only where several come and the target folds them. False: no memory. */
static bool watch_case(struct place *place)
{
    if ((place->flags & (PROTO_FLAG_RECURSIVE | PROTO_FLAG_DRY_RUN)) != PROTO_FLAG_RECURSIVE) {
        return true;
    }
    int folder = tree_open(place->root, place->is_into ? place->target : ".",
                           O_RDONLY | O_DIRECTORY | place->links, 0);
    bool is_blind = folder >= 0 && fold_is_blind(folder);
    if (folder >= 0) {
        (void)close(folder);
    }
    place->fold = is_blind ? fold_new() : NULL;
    return !is_blind || place->fold != NULL;
}

struct place *place_new(const struct place_request *request)
{
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL) {
        return NULL;
    }
    place->references = 1;
    (void)pthread_mutex_init(&place->fold_lock, NULL);
    place->root = fcntl(request->root, F_DUPFD_CLOEXEC, 0);
    if (place->root < 0) {
        place_drop(place);
        return NULL;
    }
    memcpy(place->session_key, request->key, sizeof place->session_key);
    if (request->visits != NULL) {
        place->visits = request->visits;
        place->visit = request->visit;
        memcpy(place->visitor, request->visitor, sizeof place->visitor);
    }
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
    if (!watch_case(place)) {
        place_drop(place);
        return NULL;
    }
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
    fold_free(place->fold);
    (void)pthread_mutex_destroy(&place->fold_lock);
    sodium_memzero(place->session_key, sizeof place->session_key);
    free(place);
}

static bool may_stand(const struct place *place, const char *target)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&place->fold_lock;
    if (place->fold == NULL) {
        return true;
    }
    (void)pthread_mutex_lock(lock);
    bool answer = fold_add(place->fold, target);
    (void)pthread_mutex_unlock(lock);
    return answer;
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
    if (!tree_is_shallow(name)) {
        return "there are too many folders in its name";
    }
    if (!place->is_into) {
        rest = strchr(rest, '/');
        n = snprintf(target, size, "%s%s", place->target, rest == NULL ? "" : rest);
    } else if (strcmp(place->target, ".") == 0) {
        n = snprintf(target, size, "%s", rest);
    } else {
        n = snprintf(target, size, "%s/%s", place->target, rest);
    }
    if (n <= 0 || (size_t)n >= size) {
        return strerror(ENAMETOOLONG);
    }
    return !tree_is_safe(target)       ? "the name would leave the target"
           : !may_stand(place, target) ? "its name differs from another one in case only"
                                       : NULL;
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

void place_prove(struct place *place)
{
    atomic_store(&place->is_proved, true);
}

/* Asked right before, by workers, too: what comes late must not undo what has come after it. */
static bool may_name(const struct place *place)
{
    return place->visits == NULL || atomic_load(&place->is_proved) ||
           visits_is_latest(place->visits, place->visitor, place->visit);
}

int place_move(const struct place *place, int from, const char *temporary, int folder,
               const char *last)
{
    if (!may_name(place)) {
        errno = PLACE_NOT_YET;
        return -1;
    }
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

bool place_keeps_attrs(const struct place *place)
{
    return (place->flags & (PROTO_FLAG_PRESERVE | PROTO_FLAGS_ATTRS)) != 0;
}

void place_attrs(const struct place *place, const struct proto_entry *entry, const uint8_t *xattrs,
                 struct attrs *attrs)
{
    bool is_preserving = (place->flags & PROTO_FLAG_PRESERVE) != 0;
    /* Never set-user-ID and the like: the sender's word must not make a program that runs as us. */
    mode_t all = entry->type == PROTO_FOLDER ? 01777 : 0777;
    *attrs = (struct attrs){
        .has_mode = true,
        .has_times = is_preserving,
        .has_xattrs = (place->flags & PROTO_FLAG_XATTRS) != 0,
        .has_owner = (place->flags & PROTO_FLAG_OWNER) != 0,
        .mode = (mode_t)entry->mode & all & ~(is_preserving ? 0 : place->mask),
        .mtime = {.tv_sec = (time_t)entry->mtime_s, .tv_nsec = (long)entry->mtime_ns},
        .xattrs = xattrs,
        .xattrs_len = entry->attrs};
}

mode_t place_kept_mode(const struct place *place, int folder, const char *last)
{
    struct stat st;
    if ((place->flags & PROTO_FLAG_PRESERVE) != 0 || place->is_fresh ||
        fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
        return PLACE_NO_MODE;
    }
    return st.st_mode & 0777;
}

int place_give_attributes(const struct place *place, const struct proto_entry *entry,
                          const uint8_t *xattrs, struct place_modes modes, int fd, bool *has_lost)
{
    struct attrs attrs;
    int lost = 0;
    place_attrs(place, entry, xattrs, &attrs);
    attrs.mode = modes.kept != PLACE_NO_MODE ? modes.kept : attrs.mode;
    attrs.has_mode = attrs.mode != modes.has;
    int error = attrs_apply(fd, &attrs, &lost);
    if (error != 0) {
        return error;
    }
    *has_lost = lost != 0;
    return (place->flags & PROTO_FLAG_FSYNC) != 0 && fsync(fd) != 0 ? errno : 0;
}

int place_give_name(const struct place *place, const struct proto_entry *entry,
                    const uint8_t *xattrs, struct place_modes modes, int fd, int folder,
                    const char *temporary, const char *last, bool *has_lost)
{
    int error = place_give_attributes(place, entry, xattrs, modes, fd, has_lost);
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
    if (mkdirat(folder, last, place_keeps_attrs(place) ? 0700 : 0777) == 0) {
        return 0;
    }
    int error = errno;
    bool is_there = error == EEXIST && fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISDIR(st.st_mode);
    return is_there ? 0 : error;
}

int place_make_link(const struct place *place, const struct proto_entry *entry,
                    const uint8_t *xattrs, const char *text, int folder, const char *last)
{
    struct attrs attrs;
    place_attrs(place, entry, xattrs, &attrs);
    int error = !may_name(place)                     ? PLACE_NOT_YET
                : !place->is_fresh                   ? graft_symlink(folder, last, text)
                : symlinkat(text, folder, last) == 0 ? 0
                                                     : errno;
    return error != 0 ? error : attrs_apply_link(folder, last, &attrs);
}

/* A file that stands there has these contents, and then what else it is to have. */
static bool keep_contents(const struct place *place, const struct proto_entry *entry, int folder,
                          const char *last, const uint8_t *digest)
{
    uint8_t ours[DECIDE_DIGEST];
    struct attrs attrs;
    int lost;
    int fd = tree_open_regular(folder, last, O_RDONLY);
    bool is_same = fd >= 0 && decide_digest(fd, entry->size, &place->is_stopped, ours) == 0 &&
                   sodium_memcmp(ours, digest, sizeof ours) == 0;
    if (is_same && (place->flags & PROTO_FLAG_PRESERVE) != 0 &&
        (place->flags & PROTO_FLAG_DRY_RUN) == 0) {
        place_attrs(place, entry, NULL, &attrs);
        attrs.has_xattrs = attrs.has_owner = false;    /* a question bears none */
        is_same = attrs_apply(fd, &attrs, &lost) == 0; /* else a copy of our own shall have them */
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_same;
}

bool place_is_current(const struct place *place, const struct proto_entry *entry, int folder,
                      const char *last, const uint8_t *digest)
{
    struct stat st;
    const struct timespec mtime = {.tv_sec = (time_t)entry->mtime_s,
                                   .tv_nsec = (long)entry->mtime_ns};
    if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    if (entry->type == PROTO_FOLDER) {
        return S_ISDIR(st.st_mode);
    }
    if (entry->type != PROTO_FILE || !S_ISREG(st.st_mode)) {
        return false;
    }
    return ((place->flags & PROTO_FLAG_UPDATE) != 0 &&
            decide_is_new_enough(&st, &mtime, entry->size)) ||
           ((place->flags & PROTO_FLAG_CHECKSUM) != 0 && (uint64_t)st.st_size == entry->size &&
            keep_contents(place, entry, folder, last, digest));
}
