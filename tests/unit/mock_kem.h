/* A key encapsulation of the right sizes that any libsodium can do: X25519, and a hash over all of the
 * bytes. It proves nothing about ML-KEM, and all about what is built around it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_MOCK_KEM_H
#define TERN_TEST_MOCK_KEM_H

#include <sodium.h>
#include <string.h>

#include "crypto/kem.h"

static inline void mock_kem_stretch(uint8_t *out, size_t len, const uint8_t head[32])
{
    memcpy(out, head, 32);
    for (size_t i = 32; i < len; i++) {
        out[i] = (uint8_t)(out[i - 32] * 7 + i);
    }
}

static inline int mock_kem_shared(uint8_t shared[TERN_KEM_SHARED_SIZE], const uint8_t dh[32],
                                  const uint8_t *ciphertext)
{
    return crypto_generichash(shared, TERN_KEM_SHARED_SIZE, ciphertext, TERN_KEM_CIPHERTEXT_SIZE,
                              dh, 32);
}

static inline int mock_kem_public_of(uint8_t public[TERN_KEM_PUBLIC_SIZE],
                                     const uint8_t seed[TERN_KEM_SEED_SIZE])
{
    uint8_t head[32];
    int rc = crypto_scalarmult_base(head, seed);
    mock_kem_stretch(public, TERN_KEM_PUBLIC_SIZE, head);
    return rc;
}

static inline int mock_kem_enclose(uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE],
                                   uint8_t shared[TERN_KEM_SHARED_SIZE],
                                   const uint8_t public[TERN_KEM_PUBLIC_SIZE],
                                   const uint8_t seed[TERN_KEM_ENC_SEED_SIZE])
{
    uint8_t head[32], dh[32];
    if (crypto_scalarmult_base(head, seed) != 0 || crypto_scalarmult(dh, seed, public) != 0) {
        return -1;
    }
    mock_kem_stretch(ciphertext, TERN_KEM_CIPHERTEXT_SIZE, head);
    return mock_kem_shared(shared, dh, ciphertext);
}

static inline int mock_kem_disclose(uint8_t shared[TERN_KEM_SHARED_SIZE],
                                    const uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE],
                                    const uint8_t seed[TERN_KEM_SEED_SIZE])
{
    uint8_t dh[32];
    int rc = crypto_scalarmult(dh, seed, ciphertext);
    return rc == 0 ? mock_kem_shared(shared, dh, ciphertext) : rc;
}

static const struct tern_kem mock_kem = {mock_kem_public_of, mock_kem_enclose, mock_kem_disclose};

/* The real one where libsodium has it. */
static inline const struct tern_kem *mock_kem_or_builtin(void)
{
    return tern_kem_builtin() != NULL ? tern_kem_builtin() : &mock_kem;
}

#endif
