/* Threads that all do the same, each with a part of its own: the shards of a server.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_CREW_H
#define TERN_APPS_CREW_H

#include <stdbool.h>
#include <stddef.h>

/* Calls work() for each of `count` parts, which lie `size` bytes apart from `parts` on: the first in this
 * thread, the others in threads that take no signals. `stop` is called when a thread cannot be had, and
 * must make those that run end. Returns when all have, and whether all were started. */
bool crew_run(void *(*work)(void *part), void *parts, size_t size, size_t count,
              void (*stop)(void *user), void *user);

#endif
