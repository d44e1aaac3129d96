/* poll before each call, so that a stop is seen.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/pipe.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "terncp/hash.h"

#define LOOK_EVERY 100  /* ms */
#define PIPE_PIECE 4096 /* what poll promises of a pipe: PIPE_BUF (pipe(7)) */

/* 0, or an errno. */
static int wait_for(int fd, short events, const struct pipe_stop *stop)
{
    struct pollfd at = {.fd = fd, .events = events};
    while (!atomic_load(&stop->is_set)) {
        int n = poll(&at, 1, LOOK_EVERY);
        if (n > 0) {
            return 0; /* errors, too: the call will say which */
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
    }
    return ECANCELED;
}

static void make_leaf(struct work_block *block)
{
    if (!block->has_no_leaf && block->len > 0) {
        hash_leaf(block->key, block->offset / PROTO_BLOCK, block->data, block->len, block->leaf);
    }
}

void pipe_read(struct work_block *block, const struct pipe_stop *stop)
{
    size_t most = block->len;
    block->len = 0;
    while (block->len < most && block->job.error == 0) {
        block->job.error = wait_for(block->fd, POLLIN, stop);
        if (block->job.error != 0) {
            break;
        }
        ssize_t n = read(block->fd, block->data + block->len, most - block->len);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            block->len += (size_t)n;
        } else if (errno != EINTR && errno != EAGAIN) {
            block->job.error = errno;
        }
    }
    make_leaf(block);
}

void pipe_write(struct work_block *block, const struct pipe_stop *stop)
{
    size_t done = 0;
    make_leaf(block);
    while (done < block->len && block->job.error == 0) {
        block->job.error = wait_for(block->fd, POLLOUT, stop);
        if (block->job.error != 0) {
            break;
        }
        /* A pipe that has room for one byte would keep us for the rest of a larger write. */
        size_t n = block->len - done < PIPE_PIECE ? block->len - done : PIPE_PIECE;
        ssize_t written = write(block->fd, block->data + done, n);
        if (written > 0) {
            done += (size_t)written;
        } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
            block->job.error = errno;
        }
    }
}
