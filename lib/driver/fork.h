/* A mark that a forked child finds gone, so that two processes never seal with the same key and number.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_FORK_H
#define TERN_DRIVER_FORK_H

#include <tern/types.h>

struct tern_fork_guard {
    uint8_t *
        page; /* the kernel wipes it in a child; NULL: it cannot, and the process is asked who it is */
    size_t size;
    long process;
};

void tern_fork_guard_init(struct tern_fork_guard *guard);
void tern_fork_guard_clear(struct tern_fork_guard *guard);

/* This process is a fork of the one that called init. */
bool tern_fork_guard_is_child(const struct tern_fork_guard *guard);

#endif
