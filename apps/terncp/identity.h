/* Our own key, from its file or none.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_IDENTITY_H
#define TERNCP_IDENTITY_H

#include "terncp/options.h"

/* Loads the secret key that the options name, or the default one. Returns -1 with *has_key set, or an
 * exit code after an error was printed. */
int identity_load(const struct options *options, uint8_t secret[TERN_KEY_SIZE], bool *has_key);

int identity_keygen(const struct options *options);
int identity_show(const struct options *options);

#endif
