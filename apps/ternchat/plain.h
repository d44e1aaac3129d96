/* The front end of plain lines: for screen readers, dumb terminals, pipes and bots.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_PLAIN_H
#define TERNCHAT_PLAIN_H

#include "ternchat/options.h"

int plain_run(const struct options *options); /* an exit code */

#endif
