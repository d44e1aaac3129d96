/* Walks the target, never through a link, and asks the set of what was named.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/mirror.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/fold.h"
#include "terncp/nameset.h"
#include "terncp/tree.h"

#define TOPS_MAX 1024

struct mirror {
    struct mirror_request request;
    struct nameset *names;
    bool is_blind;
    int error; /* a name could not be noted: the set is not whole */
    char *tops[TOPS_MAX];
    size_t top_count;
    mirror_removed_fn removed;
    void *user;
    uint64_t removed_count, kept;
    int first_error;
    char name[PROTO_PATH_MAX + 1]; /* of what is looked at */
    size_t top_len;
};

struct mirror *mirror_new(const struct mirror_request *request)
{
    struct mirror *mirror = calloc(1, sizeof *mirror);
    if (mirror == NULL) {
        return NULL;
    }
    mirror->request = *request;
    mirror->request.root = openat(request->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mirror->names = nameset_new(mirror->request.root, NAMESET_IN_MEMORY);
    if (mirror->request.root < 0 || mirror->names == NULL) {
        mirror_free(mirror);
        return NULL;
    }
    /* A dry run writes nothing, not even to find this out. */
    mirror->is_blind = !request->is_dry && fold_is_blind(mirror->request.root);
    return mirror;
}

void mirror_free(struct mirror *mirror)
{
    if (mirror == NULL) {
        return;
    }
    for (size_t i = 0; i < mirror->top_count; i++) {
        free(mirror->tops[i]);
    }
    nameset_free(mirror->names);
    if (mirror->request.root >= 0) {
        (void)close(mirror->request.root);
    }
    free(mirror);
}

int mirror_note(struct mirror *mirror, const char *name)
{
    int error = nameset_add(mirror->names, fold_hash(name, mirror->is_blind));
    mirror->error = mirror->error == 0 ? error : mirror->error;
    return error;
}

int mirror_note_top(struct mirror *mirror, const char *name)
{
    int error = mirror->top_count == TOPS_MAX ? E2BIG : !tree_is_safe(name) ? EINVAL : 0;
    if (error == 0) {
        char *copy = strdup(name);
        error = copy == NULL ? ENOMEM : 0;
        if (copy != NULL) {
            mirror->tops[mirror->top_count++] = copy;
        }
    }
    mirror->error = mirror->error == 0 ? error : mirror->error;
    return error;
}

static void tell(struct mirror *mirror, int error)
{
    mirror->first_error = mirror->first_error == 0 ? error : mirror->first_error;
    mirror->removed(mirror->user, mirror->name, error);
}

/* What an unfinished copy, perhaps another one, has left for its resumption. */
static bool is_ours(const char *name)
{
    size_t len = strlen(name);
    return strncmp(name, ".terncp-", 8) == 0 && len > 13 && strcmp(name + len - 5, ".part") == 0;
}

/* Removes one name. True: it is gone (or would be). */
static bool remove_one(struct mirror *mirror, int folder, const char *last, bool is_folder)
{
    if (mirror->removed_count >= mirror->request.max) {
        mirror->kept++;
        return false;
    }
    if (!mirror->request.is_dry && unlinkat(folder, last, is_folder ? AT_REMOVEDIR : 0) != 0) {
        if (!is_folder || (errno != ENOTEMPTY && errno != EEXIST)) {
            tell(mirror, errno);
        }
        return false;
    }
    mirror->removed_count++;
    tell(mirror, 0);
    return true;
}

static bool clean(struct mirror *mirror, int folder, unsigned depth, bool is_doomed);

/* One name in a folder. True: it does not stand any more. */
static bool look_at(struct mirror *mirror, int folder, const char *last, unsigned depth,
                    bool is_doomed)
{
    struct stat st;
    if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT;
    }
    bool is_folder = S_ISDIR(st.st_mode);
    const char *below = mirror->name + mirror->top_len + 1;
    if (is_ours(last) || filter_leaves_out(mirror->request.filter, below, is_folder)) {
        return false;
    }
    enum nameset_answer answer =
        is_doomed ? NAMESET_HAS_NOT
                  : nameset_ask(mirror->names, fold_hash(mirror->name, mirror->is_blind));
    bool goes = answer == NAMESET_HAS_NOT;
    if (is_folder) {
        int inner = openat(folder, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0) {
            tell(mirror, errno);
            return false;
        }
        goes = clean(mirror, inner, depth + 1, goes) && goes;
    }
    return goes && remove_one(mirror, folder, last, is_folder);
}

/* Closes `folder`. True: nothing is left in it. is_doomed: all in it was not named either. */
static bool clean(struct mirror *mirror, int folder, unsigned depth, bool is_doomed)
{
    size_t len = strlen(mirror->name);
    DIR *dir = depth < TREE_DEPTH_MAX ? fdopendir(folder) : NULL;
    if (dir == NULL) {
        tell(mirror, depth < TREE_DEPTH_MAX ? errno : ENAMETOOLONG);
        (void)close(folder);
        return false;
    }
    bool is_empty = true;
    for (const struct dirent *found; (found = readdir(dir)) != NULL;) {
        size_t n = strlen(found->d_name);
        if (tree_is_dots(found->d_name)) {
            continue;
        }
        if (len + 1 + n > PROTO_PATH_MAX) {
            is_empty = false; /* no sender can have named it, and we cannot tell of it */
            continue;
        }
        mirror->name[len] = '/';
        memcpy(mirror->name + len + 1, found->d_name, n + 1);
        is_empty = look_at(mirror, dirfd(dir), found->d_name, depth, is_doomed) && is_empty;
        mirror->name[len] = '\0';
    }
    (void)closedir(dir);
    return is_empty;
}

int mirror_run(struct mirror *mirror, mirror_removed_fn removed, void *user, uint64_t *kept)
{
    mirror->removed = removed;
    mirror->user = user;
    unsigned passes = nameset_passes(mirror->names);
    int error = mirror->error;
    for (unsigned pass = 0; pass < passes && error == 0; pass++) {
        error = nameset_begin(mirror->names, pass);
        for (size_t i = 0; i < mirror->top_count && error == 0; i++) {
            int folder = tree_open(mirror->request.root, mirror->tops[i],
                                   O_RDONLY | O_DIRECTORY | mirror->request.flags, 0);
            if (folder < 0) {
                error = errno == ENOENT && mirror->request.is_dry ? 0 : errno;
                continue;
            }
            mirror->top_len = strlen(mirror->tops[i]);
            memcpy(mirror->name, mirror->tops[i], mirror->top_len + 1);
            (void)clean(mirror, folder, 0, false);
        }
    }
    *kept = mirror->kept;
    return error != 0 ? error : mirror->first_error;
}
