/* The front end for terminals: keys in, frames out.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_VIEW_H
#define TERNCHAT_VIEW_H

#include <stdbool.h>

#include "ternchat/options.h"

bool view_is_possible(void);
int view_run(const struct options *options); /* an exit code */

#endif
