/* Compares times, digests and bytes.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)

bool decide_is_new_enough(const struct stat *there, const struct timespec *mtime, uint64_t size)
{
    if (!S_ISREG(there->st_mode)) {
        return false;
    }
    const struct timespec *at = &there->st_mtim;
    if (at->tv_sec != mtime->tv_sec) {
        return at->tv_sec > mtime->tv_sec;
    }
    /* A file system that keeps whole seconds cannot tell more. */
    bool is_same = at->tv_nsec == mtime->tv_nsec || at->tv_nsec == 0 || mtime->tv_nsec == 0;
    return is_same ? (uint64_t)there->st_size == size : at->tv_nsec > mtime->tv_nsec;
}

/* All of a range, or an errno. */
static int read_all(int fd, uint8_t *buf, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pread(fd, buf, len, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n == 0 ? ESTALE : errno;
        }
        if (n > 0) {
            buf += n;
            len -= (size_t)n;
            at += (uint64_t)n;
        }
    }
    return 0;
}

/* A file of terabytes takes its time, and somebody may want none of that any more. */
static int go_on(const atomic_bool *stop)
{
    return stop != NULL && atomic_load(stop) ? ECANCELED : 0;
}

int decide_digest(int fd, uint64_t size, const atomic_bool *stop, uint8_t out[DECIDE_DIGEST])
{
    crypto_generichash_state state;
    uint8_t *buf = malloc(CHUNK);
    int error = buf == NULL ? ENOMEM : 0;
    (void)crypto_generichash_init(&state, NULL, 0, DECIDE_DIGEST);
    for (uint64_t at = 0; at < size && error == 0;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        error = go_on(stop);
        error = error == 0 ? read_all(fd, buf, n, at) : error;
        if (error == 0) {
            (void)crypto_generichash_update(&state, buf, n);
        }
        at += n;
    }
    (void)crypto_generichash_final(&state, out, DECIDE_DIGEST);
    free(buf);
    return error;
}

int decide_compare(int one, int other, uint64_t size, const atomic_bool *stop)
{
    uint8_t *buf = malloc(2 * CHUNK);
    int error = buf == NULL ? ENOMEM : 0;
    for (uint64_t at = 0; at < size && error == 0;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        error = go_on(stop);
        error = error == 0 ? read_all(one, buf, n, at) : error;
        error = error == 0 ? read_all(other, buf + CHUNK, n, at) : error;
        if (error == 0 && memcmp(buf, buf + CHUNK, n) != 0) {
            error = ESTALE;
        }
        at += n;
    }
    free(buf);
    return error;
}
