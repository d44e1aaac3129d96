/* Asks the file system for holes, and makes them.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/holes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the next data (or hole) begins at or behind `at`; size when there is none before. */
static int seek(int fd, uint64_t at, uint64_t size, int whence, uint64_t *out)
{
    off_t found = lseek(fd, (off_t)at, whence);
    *out = size;
    if (found >= 0) {
        *out = (uint64_t)found < size ? (uint64_t)found : size;
        return 0;
    }
    return errno == ENXIO ? 0 : errno; /* nothing of the kind any more, or the file shrank */
}

int holes_next(int fd, uint64_t at, uint64_t size, struct holes_span *span)
{
    uint64_t data, hole;
    int error = seek(fd, at, size, SEEK_DATA, &data);
    span->is_hole = false;
    span->len = size - at;
    if (error != 0) {
        return error == EINVAL || error == ENOTSUP ? 0 : error;
    }
    if (data - at >= HOLES_MIN || (data == size && data > at)) {
        span->is_hole = true;
        span->len = data - at;
        return 0;
    }
    while (data < size) { /* short holes belong to the data around them */
        error = seek(fd, data, size, SEEK_HOLE, &hole);
        if (error == 0) {
            error = seek(fd, hole, size, SEEK_DATA, &data);
        }
        if (error != 0) {
            return error;
        }
        if (hole < size && (data - hole >= HOLES_MIN || data == size)) {
            span->len = hole - at;
            return 0;
        }
    }
    return 0;
}

/* For file systems that punch no holes. */
static int write_zeros(int fd, uint64_t at, uint64_t len)
{
    static const char zeros[64 * 1024];
    while (len > 0) {
        ssize_t n = pwrite(fd, zeros, len < sizeof zeros ? (size_t)len : sizeof zeros, (off_t)at);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            at += (uint64_t)n;
            len -= (uint64_t)n;
        }
    }
    return 0;
}

int holes_make(int fd, uint64_t at, uint64_t len)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    uint64_t size = (uint64_t)st.st_size;
    if (at >= size || len == 0) {
        return 0;
    }
    len = len < size - at ? len : size - at;
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (fallocate(fd, mode, (off_t)at, (off_t)len) == 0) {
        return 0;
    }
    return errno == EOPNOTSUPP || errno == ENOSYS ? write_zeros(fd, at, len) : errno;
}
