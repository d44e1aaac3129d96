/* Our own key, from its file or none.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_IDENTITY_H
#define TERN_APPS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/types.h>

/* Loads the secret key of a file, or (NULL) the default one. Returns -1 with *has_key set, or an
 * exit code after an error was printed. */
int identity_load(const char *file, uint8_t secret[TERN_KEY_SIZE], bool *has_key);

/* Makes a key in a file, or (NULL) the default one, and shows it; shows the one there is. Exit codes. */
int identity_keygen(const char *file);
int identity_show(const char *file);

#endif
