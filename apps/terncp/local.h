/* Copies of which both sides are on this machine.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_LOCAL_H
#define TERNCP_LOCAL_H

#include "terncp/options.h"

/* The exit code. */
int local_copy(const struct options *options, char **sources, int count, const char *destination);

#endif
