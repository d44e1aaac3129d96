/* Loaded before the C library: a disk that breaks. A file whose name contains FAULTY_NAME fails with errno
 * FAULTY_ERROR from byte FAULTY_FROM on, when it is read or (FAULTY_WRITE set) written; or, with FAULTY_SLEEP, takes
 * so many seconds for the first such call, and goes on.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*pread_fn)(int, void *, size_t, off_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);

static bool is_broken(int fd, off_t end, bool is_write)
{
    char link[64], path[4096];
    const char *name = getenv("FAULTY_NAME"), *from = getenv("FAULTY_FROM");
    if (name == NULL || from == NULL || (getenv("FAULTY_WRITE") != NULL) != is_write ||
        end <= strtoll(from, NULL, 10)) {
        return false;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) {
        return false;
    }
    path[n] = '\0';
    return strstr(path, name) != NULL;
}

static bool is_slow(void)
{
    static atomic_flag was_slow = ATOMIC_FLAG_INIT;
    const char *seconds = getenv("FAULTY_SLEEP");
    if (seconds != NULL && !atomic_flag_test_and_set(&was_slow)) {
        (void)sleep((unsigned)strtoul(seconds, NULL, 10));
    }
    return seconds != NULL;
}

static int error(void)
{
    const char *number = getenv("FAULTY_ERROR");
    return number == NULL ? EIO : (int)strtol(number, NULL, 10);
}

/* ISO C knows no conversion from an object pointer to a function's. */
static void find(const char *name, void *out)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(out, &symbol, sizeof symbol);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    pread_fn next;
    find("pread", &next);
    if (is_broken(fd, offset + (off_t)len, false) && !is_slow()) {
        errno = error();
        return -1;
    }
    return next(fd, data, len, offset);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    pwrite_fn next;
    find("pwrite", &next);
    if (is_broken(fd, offset + (off_t)len, true) && !is_slow()) {
        errno = error();
        return -1;
    }
    return next(fd, data, len, offset);
}
