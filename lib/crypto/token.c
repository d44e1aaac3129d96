/* Reset tokens by a keyed hash of the connection identifier: no state, nothing to look up. [P §11]
 * SPDX-License-Identifier: MIT */
#include "crypto/token.h"

#include <sodium.h>

void tern_token_reset(uint8_t out[TERN_TOKEN_RESET_SIZE], const uint8_t static_key[TERN_KEY_SIZE],
                      const uint8_t *cid, size_t cid_len)
{
    static const uint8_t label[] = {'r', 'e', 's', 'e', 't'};
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    (void)crypto_auth_hmacsha256_init(&state, static_key, TERN_KEY_SIZE);
    (void)crypto_auth_hmacsha256_update(&state, label, sizeof label);
    (void)crypto_auth_hmacsha256_update(&state, cid, cid_len);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    memcpy(out, mac, TERN_TOKEN_RESET_SIZE);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(mac, sizeof mac);
}

bool tern_token_equal(const uint8_t a[TERN_TOKEN_RESET_SIZE],
                      const uint8_t b[TERN_TOKEN_RESET_SIZE])
{
    return sodium_memcmp(a, b, TERN_TOKEN_RESET_SIZE) == 0 &&
           sodium_is_zero(a, TERN_TOKEN_RESET_SIZE) == 0;
}
