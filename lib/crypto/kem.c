/* ML-KEM-768 by libsodium, found out about when tern is configured.
 * SPDX-License-Identifier: MIT */
#include "crypto/kem.h"

#ifdef TERN_HAVE_MLKEM768

#include <sodium.h>

_Static_assert(crypto_kem_mlkem768_PUBLICKEYBYTES == TERN_KEM_PUBLIC_SIZE, "FIPS 203");
_Static_assert(crypto_kem_mlkem768_CIPHERTEXTBYTES == TERN_KEM_CIPHERTEXT_SIZE, "FIPS 203");
_Static_assert(crypto_kem_mlkem768_SEEDBYTES == TERN_KEM_SEED_SIZE, "FIPS 203");

static int public_of(uint8_t public[TERN_KEM_PUBLIC_SIZE], const uint8_t seed[TERN_KEM_SEED_SIZE])
{
    uint8_t secret[crypto_kem_mlkem768_SECRETKEYBYTES];
    int rc = crypto_kem_mlkem768_seed_keypair(public, secret, seed);
    sodium_memzero(secret, sizeof secret);
    return rc;
}

static int disclose(uint8_t shared[TERN_KEM_SHARED_SIZE],
                    const uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE],
                    const uint8_t seed[TERN_KEM_SEED_SIZE])
{
    uint8_t public[TERN_KEM_PUBLIC_SIZE], secret[crypto_kem_mlkem768_SECRETKEYBYTES];
    int rc = crypto_kem_mlkem768_seed_keypair(public, secret, seed);
    if (rc == 0) {
        rc = crypto_kem_mlkem768_dec(shared, ciphertext, secret);
    }
    sodium_memzero(secret, sizeof secret);
    return rc;
}

static const struct tern_kem builtin = {public_of, crypto_kem_mlkem768_enc_deterministic, disclose};

const struct tern_kem *tern_kem_builtin(void)
{
    return &builtin;
}

#else

const struct tern_kem *tern_kem_builtin(void)
{
    return NULL;
}

#endif
