/* Addresses as hash keys. (Parsing, formatting and equality are public: tern/types.h.)
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_ADDR_H
#define TERN_BASE_ADDR_H

#include "base/def.h"

#define TERN_ADDR_KEY_SIZE 23

/* Writes family, address, port and scope without padding, so that equal addresses give equal bytes. */
void tern_addr_key(uint8_t out[TERN_ADDR_KEY_SIZE], const tern_addr *addr);

/* An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) as the IPv4 address that it stands for: packets from
 * there arrive under that one. Others stay as they are. */
tern_addr tern_addr_unmapped(const tern_addr *addr);

#endif
