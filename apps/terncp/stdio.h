/* The far side of a copy that ssh has started: a server for one client.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_STDIO_H
#define TERNCP_STDIO_H

#include "terncp/options.h"

/* Binds a port of the range, says on standard output how to get there, serves whoever knows the secret
 * in that line as the user whom we run as, and ends with him. Returns the exit code. */
int stdio_run(const struct options *options);

#endif
