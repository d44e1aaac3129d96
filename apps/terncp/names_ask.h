/* The asking side of requests about names, and how their answers are shown.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_NAMES_ASK_H
#define TERNCP_NAMES_ASK_H

#include "terncp/options.h"

/* ls, stat, rm or mkdir of one remote name. Returns the exit code; everything that went wrong has been
 * said. */
int names_run(const struct options *options, const char *name);

#endif
