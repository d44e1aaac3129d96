/* Links by way of temporary names, since neither symlinkat() nor linkat() replaces anything.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/graft.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "terncp/tree.h"

void graft_temporary(char name[GRAFT_TEMPORARY_SIZE])
{
    (void)snprintf(name, GRAFT_TEMPORARY_SIZE, ".terncp-%08x.part", (unsigned)randombytes_random());
}

/* What is under the final name already: 0, or EISDIR. *has: there is something. */
static int look(int folder, const char *last, struct stat *st, bool *has)
{
    *has = fstatat(folder, last, st, AT_SYMLINK_NOFOLLOW) == 0;
    return *has && S_ISDIR(st->st_mode) ? EISDIR : 0;
}

static int give_name(int folder, const char *temporary, const char *last)
{
    int error = renameat(folder, temporary, folder, last) == 0 ? 0 : errno;
    if (error != 0) {
        (void)unlinkat(folder, temporary, 0);
    }
    return error;
}

int graft_symlink(int folder, const char *last, const char *target)
{
    char temporary[GRAFT_TEMPORARY_SIZE], old[PROTO_PATH_MAX + 1];
    struct stat st;
    bool has;
    int error = look(folder, last, &st, &has);
    if (error != 0) {
        return error;
    }
    if (has && S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(folder, last, old, sizeof old);
        if (n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0) {
            return 0;
        }
    }
    do {
        graft_temporary(temporary);
        error = symlinkat(target, folder, temporary) == 0 ? 0 : errno;
    } while (error == EEXIST);
    return error != 0 ? error : give_name(folder, temporary, last);
}

int graft_link(int root, const char *existing, int flags, int folder, const char *last)
{
    char temporary[GRAFT_TEMPORARY_SIZE];
    const char *name;
    struct stat st, first;
    bool has;
    int error = look(folder, last, &st, &has);
    if (error != 0) {
        return error;
    }
    int from = tree_open_parent(root, existing, flags, &name);
    if (from < 0) {
        return errno;
    }
    if (fstatat(from, name, &first, AT_SYMLINK_NOFOLLOW) != 0) {
        error = errno;
    } else if (has && first.st_ino == st.st_ino && first.st_dev == st.st_dev) {
        /* It is that file already; renaming one name of it to another would do nothing. */
        error = -1;
    }
    while (error == 0) {
        graft_temporary(temporary);
        if (linkat(from, name, folder, temporary, 0) == 0) {
            error = give_name(folder, temporary, last);
            break;
        }
        error = errno == EEXIST ? 0 : errno;
    }
    (void)close(from);
    return error == -1 ? 0 : error;
}
