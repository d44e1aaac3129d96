/* Static key pairs: the public functions of tern/config.h that make them.
 * SPDX-License-Identifier: MIT */
#include <tern/config.h>

#include <sodium.h>

#include "base/def.h"

_Static_assert(crypto_scalarmult_BYTES == TERN_KEY_SIZE, "X25519 keys");
_Static_assert(crypto_scalarmult_SCALARBYTES == TERN_KEY_SIZE, "X25519 keys");

void tern_key_generate(uint8_t secret[TERN_KEY_SIZE], uint8_t pub[TERN_KEY_SIZE])
{
    int rc = sodium_init();
    tern_assert(rc >= 0);
    (void)rc;
    randombytes_buf(secret, TERN_KEY_SIZE);
    tern_key_public(pub, secret);
}

void tern_key_public(uint8_t pub[TERN_KEY_SIZE], const uint8_t secret[TERN_KEY_SIZE])
{
    (void)crypto_scalarmult_base(pub, secret);
}
