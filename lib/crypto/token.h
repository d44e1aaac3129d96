/* Stateless reset tokens: made from the server's static key, compared in constant time.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_TOKEN_H
#define TERN_CRYPTO_TOKEN_H

#include "base/def.h"

#define TERN_TOKEN_RESET_SIZE 16

/* The first 16 bytes of HMAC-SHA256(static key, "reset" ‖ connection identifier). */
void tern_token_reset(uint8_t out[TERN_TOKEN_RESET_SIZE], const uint8_t static_key[TERN_KEY_SIZE],
                      const uint8_t *cid, size_t cid_len);

/* Equal, found out in constant time. An all-zero token equals nothing: an unset slot must never
 * match a forged reset (CVE-2026-44434). */
bool tern_token_equal(const uint8_t a[TERN_TOKEN_RESET_SIZE],
                      const uint8_t b[TERN_TOKEN_RESET_SIZE]);

#endif
