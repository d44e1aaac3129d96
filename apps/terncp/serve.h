/* terncp serve: a folder for others to copy from and to.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SERVE_H
#define TERNCP_SERVE_H

#include "terncp/options.h"

/* Runs until a signal. Returns the exit code. */
int serve_run(const struct options *options);

#endif
