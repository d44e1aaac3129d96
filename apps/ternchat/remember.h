/* Where a client's memory lies: a file for each key of ours and each server that we name.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_REMEMBER_H
#define TERNCHAT_REMEMBER_H

#include "ternchat/memory.h"
#include "ternchat/options.h"

/* NULL: there is none; about says why, if the person must be told. secret: our key. */
struct memory *remember_open(const struct options *options, const uint8_t secret[TERN_KEY_SIZE],
                             char about[MEMORY_WHY_SIZE]);

#endif
