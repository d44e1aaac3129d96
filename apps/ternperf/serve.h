/* The side that is measured against: takes everybody in and does what requests say.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_SERVE_H
#define TERNPERF_SERVE_H

#include "ternperf/options.h"

/* Where it listens and its key; false ends it. */
typedef bool (*serve_ready_fn)(void *user, const tern_addr *addr, const uint8_t key[TERN_KEY_SIZE]);

/* Serves until SIGINT or SIGTERM. Returns the exit code. `is_lab`: its clients are this machine's and
 * alone with it, so that nothing guards the door. */
int serve_run(const struct options *options, bool is_lab, serve_ready_fn ready, void *user);

#endif
