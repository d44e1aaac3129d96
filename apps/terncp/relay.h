/* A copy from one other machine to another: what comes is passed on, and nothing is kept here.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_RELAY_H
#define TERNCP_RELAY_H

#include "terncp/options.h"

/* Copies remote sources to a remote destination. Returns the exit code; what went wrong has been said. */
int relay_copy(const struct options *options, char **sources, int count, const char *destination);

#endif
