/* Addresses as hash keys. (Parsing, formatting and equality are public: tern/types.h.)
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_ADDR_H
#define TERN_BASE_ADDR_H

#include "base/def.h"

#define TERN_ADDR_KEY_SIZE 23

/* Writes family, address, port and scope without padding, so that equal addresses give equal bytes. */
void tern_addr_key(uint8_t out[TERN_ADDR_KEY_SIZE], const tern_addr *addr);

#endif
