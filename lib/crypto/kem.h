/* The key encapsulation of hybrid handshakes, ML-KEM-768 of FIPS 203, where libsodium has it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_KEM_H
#define TERN_CRYPTO_KEM_H

#include "base/def.h"

#define TERN_KEM_PUBLIC_SIZE     1184
#define TERN_KEM_CIPHERTEXT_SIZE 1088
#define TERN_KEM_SHARED_SIZE     32
#define TERN_KEM_SEED_SIZE       64 /* of a key pair, which is made anew from it when needed */
#define TERN_KEM_ENC_SEED_SIZE   32

/* Each returns 0, or -1 (the key or ciphertext is malformed). Tests put their own in its place. */
struct tern_kem {
    int (*public_of)(uint8_t public[TERN_KEM_PUBLIC_SIZE], const uint8_t seed[TERN_KEM_SEED_SIZE]);
    int (*enclose)(uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE],
                   uint8_t shared[TERN_KEM_SHARED_SIZE], const uint8_t public[TERN_KEM_PUBLIC_SIZE],
                   const uint8_t seed[TERN_KEM_ENC_SEED_SIZE]);
    int (*disclose)(uint8_t shared[TERN_KEM_SHARED_SIZE],
                    const uint8_t ciphertext[TERN_KEM_CIPHERTEXT_SIZE],
                    const uint8_t seed[TERN_KEM_SEED_SIZE]);
};

/* NULL: libsodium has none (before 1.0.22). */
const struct tern_kem *tern_kem_builtin(void);

#endif
