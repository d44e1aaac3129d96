/* ternchat serve.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SERVE_H
#define TERNCHAT_SERVE_H

#include "ternchat/options.h"

int serve_run(const struct options *options); /* an exit code */

#endif
