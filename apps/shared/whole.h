/* All of a part of a file, however many calls it takes; or an errno.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_WHOLE_H
#define TERN_APPS_WHOLE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* ESTALE: the file is shorter. */
static inline int whole_pread(int fd, uint8_t *data, size_t len, uint64_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : ESTALE;
        }
        done += (size_t)n;
    }
    return 0;
}

static inline int whole_pwrite(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : ENOSPC;
        }
        done += (size_t)n;
    }
    return 0;
}

#endif
