/* copy_file_range() where the kernel can, reading and writing where it cannot; holes are left.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/local_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/whole.h"
#include "terncp/decide.h"
#include "terncp/graft.h"
#include "terncp/holes.h"

#define STRIDE ((size_t)8 << 20) /* between two looks at whether to go on */

/* One stride by hand. Bytes copied, 0 at the end of the file, or -1 with errno. */
static ssize_t copy_by_hand(int from, int to, off_t at, size_t len)
{
    char buf[64 * 1024];
    ssize_t n;
    do {
        n = pread(from, buf, len < sizeof buf ? len : sizeof buf, at);
    } while (n < 0 && errno == EINTR);
    int error = n > 0 ? whole_pwrite(to, (const uint8_t *)buf, (size_t)n, (uint64_t)at) : 0;
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : n;
}

static ssize_t copy_some(int from, int to, off_t at, size_t len, bool *by_hand)
{
    if (!*by_hand) {
        off_t in = at, out = at;
        ssize_t n = copy_file_range(from, &in, to, &out, len, 0);
        /* Some file systems say 0 for what they cannot do: what is at the end, reading tells. */
        *by_hand = n <= 0 && (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                              errno == EOPNOTSUPP || errno == EPERM || errno == EBADF);
        if (!*by_hand) {
            return n;
        }
    }
    return copy_by_hand(from, to, at, len);
}

static int copy_range(const struct local_file *file, int to, uint64_t at, uint64_t len)
{
    bool by_hand = false;
    while (len > 0) {
        size_t stride = len < STRIDE ? (size_t)len : STRIDE;
        ssize_t n = copy_some(file->from, to, (off_t)at, stride, &by_hand);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ESTALE : errno; /* it shrank */
        }
        at += (uint64_t)n;
        len -= (uint64_t)n;
        if (!file->copied(file->user, (uint64_t)n, false)) {
            return EINTR;
        }
    }
    return 0;
}

static int copy_contents(const struct local_file *file, int to)
{
    uint64_t size = (uint64_t)file->st->st_size;
    struct holes_span span = {.is_hole = false, .len = size};
    for (uint64_t at = 0; at < size; at += span.len) {
        int error = file->is_sparse ? holes_next(file->from, at, size, &span) : 0;
        if (error == 0 && !span.is_hole) {
            error = copy_range(file, to, at, span.len);
        } else if (error == 0 && !file->copied(file->user, span.len, true)) {
            error = EINTR;
        }
        if (error != 0) {
            return error;
        }
    }
    return ftruncate(to, (off_t)size) != 0 ? errno : 0; /* a hole at the end */
}

/* The same file as before, which nobody has written to meanwhile, and the copy has the same bytes. */
static int check(const struct local_file *file, int to)
{
    struct stat st;
    int error = file->is_compared
                    ? decide_compare(file->from, to, (uint64_t)file->st->st_size, file->stop)
                    : 0;
    if (error == 0 && fstat(file->from, &st) != 0) {
        error = errno;
    }
    bool is_same = error != 0 || (st.st_size == file->st->st_size &&
                                  st.st_mtim.tv_sec == file->st->st_mtim.tv_sec &&
                                  st.st_mtim.tv_nsec == file->st->st_mtim.tv_nsec);
    return is_same ? error : ESTALE;
}

static int make_temporary(int folder, char name[GRAFT_TEMPORARY_SIZE])
{
    int fd;
    do {
        graft_temporary(name);
        fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

static void flush_folder(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* the name itself, which cannot be taken back any more */
        (void)close(fd);
    }
}

int local_file_copy(const struct local_file *file, int *xattr_error)
{
    char name[GRAFT_TEMPORARY_SIZE];
    *xattr_error = 0;
    int to = make_temporary(file->folder, name);
    if (to < 0) {
        return errno;
    }
    int error = copy_contents(file, to);
    error = error == 0 ? check(file, to) : error;
    error = error == 0 ? attrs_apply(to, file->attrs, xattr_error) : error;
    if (error == 0 && file->is_flushed && fsync(to) != 0) {
        error = errno;
    }
    if (error == 0 && renameat(file->folder, name, file->folder, file->last) != 0) {
        error = errno;
    }
    (void)close(to);
    if (error != 0) {
        (void)unlinkat(file->folder, name, 0);
    } else if (file->is_flushed) {
        flush_folder(file->folder);
    }
    return error;
}
