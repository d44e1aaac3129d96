/* Stands between the library and libsodium: notes what is sealed under which key and nonce, and
 * remembers points that were multiplied before, so that the ten thousandth handshake costs little.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_MODEL_SEALS_H
#define TERN_TESTS_MODEL_SEALS_H

#include <stdint.h>

/* The linker sends the calls here (--wrap, see CMakeLists.txt): the library is the one that ships. */

/* Another execution begins: forget what was sealed. */
void seals_reset(void);

/* A key and nonce that sealed two different things since then, or NULL. */
const char *seals_broken(void);

/* Seals of this execution. */
uint64_t seals_count(void);

#endif
