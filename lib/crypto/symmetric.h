/* The SymmetricState of the Noise specification, section 5.2, with the CipherState inside it.
 *
 * tern itself uses ChaChaPoly and SHA256 alone; AESGCM and BLAKE2b let the published vectors run.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_SYMMETRIC_H
#define TERN_CRYPTO_SYMMETRIC_H

#include "base/def.h"

#define TERN_NOISE_TAG_SIZE 16
#define TERN_NOISE_HASH_MAX 64
#define TERN_NOISE_KEY_SIZE 32

enum tern_noise_cipher { TERN_NOISE_CHACHAPOLY, TERN_NOISE_AESGCM };
enum tern_noise_hash { TERN_NOISE_SHA256, TERN_NOISE_BLAKE2B };

struct tern_symmetric {
    enum tern_noise_cipher cipher;
    enum tern_noise_hash hash;
    size_t hash_len;
    uint8_t ck[TERN_NOISE_HASH_MAX];
    uint8_t h[TERN_NOISE_HASH_MAX];
    uint8_t k[TERN_NOISE_KEY_SIZE];
    uint64_t n;
    bool has_key;
};

/* A cipher's ENCRYPT and DECRYPT, section 4.2, combined form. out and in may be the same.
 * 0 · TERN_ERR_CRYPTO · TERN_ERR_LIMIT (n = 2^64 - 1 is reserved) */
TERN_MUST_CHECK int tern_noise_cipher_seal(enum tern_noise_cipher cipher,
                                           const uint8_t k[TERN_NOISE_KEY_SIZE], uint64_t n,
                                           const uint8_t *ad, size_t ad_len, const uint8_t *in,
                                           size_t len, uint8_t *out);
TERN_MUST_CHECK int tern_noise_cipher_open(enum tern_noise_cipher cipher,
                                           const uint8_t k[TERN_NOISE_KEY_SIZE], uint64_t n,
                                           const uint8_t *ad, size_t ad_len, const uint8_t *in,
                                           size_t len, uint8_t *out);
bool tern_noise_cipher_is_available(enum tern_noise_cipher cipher);

/* HMAC over a Noise hash; out has hash_len bytes (32 or 64). */
void tern_noise_hmac(enum tern_noise_hash hash, const uint8_t *key, size_t key_len,
                     const uint8_t *data, size_t len, uint8_t *out);

void tern_symmetric_init(struct tern_symmetric *state, enum tern_noise_cipher cipher,
                         enum tern_noise_hash hash, const char *protocol_name);
void tern_symmetric_clear(struct tern_symmetric *state);

void tern_symmetric_mix_hash(struct tern_symmetric *state, const uint8_t *data, size_t len);
void tern_symmetric_mix_key(struct tern_symmetric *state, const uint8_t *ikm, size_t len);
void tern_symmetric_mix_key_and_hash(struct tern_symmetric *state, const uint8_t *ikm, size_t len);

/* Bytes that a sealed field adds now: 0 before the first key. */
size_t tern_symmetric_overhead(const struct tern_symmetric *state);

/* len bytes in, len + overhead out. The two must not overlap.
 * 0 · TERN_ERR_LIMIT (nonces used up); state is unchanged then */
TERN_MUST_CHECK int tern_symmetric_encrypt_and_hash(struct tern_symmetric *state, const uint8_t *in,
                                                    size_t len, uint8_t *out);

/* len bytes in, len - overhead out. 0 · TERN_ERR_CRYPTO · TERN_ERR_LIMIT; neither nonce nor hash
 * moves on failure (snow GHSA-7g9j-g5jg-3vv3) */
TERN_MUST_CHECK int tern_symmetric_decrypt_and_hash(struct tern_symmetric *state, const uint8_t *in,
                                                    size_t len, uint8_t *out);

/* The two transport keys: the first for initiator to responder. The state stays as it is. */
void tern_symmetric_split(const struct tern_symmetric *state, uint8_t first[TERN_NOISE_KEY_SIZE],
                          uint8_t second[TERN_NOISE_KEY_SIZE]);

#endif
