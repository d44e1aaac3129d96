/* A folder that exists is copied into; anything else is a name to be.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/dest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "terncp/partial.h"

static int open_above(struct dest *dest, const char *destination)
{
    char folder[PROTO_PATH_MAX + 1];
    const char *slash = strrchr(destination, '/');
    int n = slash == NULL ? 0 : slash == destination ? 1 : (int)(slash - destination);
    if (strlen(destination) > PROTO_PATH_MAX) {
        return ENAMETOOLONG;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", n, destination);
    (void)snprintf(dest->target, sizeof dest->target, "%s",
                   slash == NULL ? destination : slash + 1);
    dest->root = open(n == 0 ? "." : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dest->root < 0 ? errno : 0;
}

int dest_open(struct dest *dest, const char *destination, bool must_be_folder)
{
    struct stat st;
    size_t len = strlen(destination);
    bool is_folder = stat(destination, &st) == 0 && S_ISDIR(st.st_mode);
    memset(dest, 0, sizeof *dest);
    if (!is_folder && !must_be_folder && len > 0 && destination[len - 1] != '/') {
        return open_above(dest, destination);
    }
    dest->root = open(destination, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(dest->target, sizeof dest->target, ".");
    dest->is_into = true;
    return dest->root < 0 ? errno : 0;
}

static bool is_absent(int root, const char *name)
{
    struct stat st;
    return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

bool dest_is_vacant(const struct dest *dest, const char *first)
{
    const char *last = dest->is_into ? first : dest->target;
    char name[2 * PROTO_PATH_MAX + 3], unfinished[PARTIAL_NAME_SIZE];
    if (last[0] == '\0' || strchr(last, '/') != NULL) {
        return false;
    }
    const char *folder = dest->is_into ? dest->target : ".";
    (void)snprintf(name, sizeof name, "%s/%s", folder, last);
    if (!is_absent(dest->root, name)) {
        return false;
    }
    partial_name(unfinished, last, NULL);
    (void)snprintf(name, sizeof name, "%s/%s", folder, unfinished);
    return is_absent(dest->root, name);
}
