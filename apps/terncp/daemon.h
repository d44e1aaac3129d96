/* terncp serve: from the command line to the shards that serve, and to their end.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_DAEMON_H
#define TERNCP_DAEMON_H

#include "terncp/options.h"

/* Serves until SIGINT, SIGTERM or SIGHUP; copies that are under way may end after the first two, for as
 * long as --stop-time says. Returns the exit code. */
int daemon_run(const struct options *options);

#endif
