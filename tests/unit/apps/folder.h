/* A folder of a test's own that goes away with it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UNIT_APPS_FOLDER_H
#define TERN_UNIT_APPS_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tern_test.h"

struct folder {
    char path[64];
    int fd;
};

static inline int folder_make(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/tern-unit.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->fd >= 0);
    *state = folder;
    return 0;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int folder_remove(void **state)
{
    struct folder *folder = *state;
    (void)close(folder->fd);
    int rc = nftw(folder->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
    return rc;
}

static inline const char *folder_path(const struct folder *folder, const char *name, char *buf,
                                      size_t size)
{
    (void)snprintf(buf, size, "%s/%s", folder->path, name);
    return buf;
}

static inline void folder_write(const struct folder *folder, const char *name, const char *text,
                                mode_t mode)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

#endif
