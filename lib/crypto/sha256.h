/* SHA-256 and HMAC over it (RFC 6234, RFC 2104), from the library at hand that has them fastest.
 *
 * A handshake hashes about 250 blocks. Nettle does that with the instructions that processors have for it,
 * libsodium in portable C, which takes three times as long; where there is no Nettle it serves as well.
 * States are plain data: a copy of one goes on from where the first stood.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_SHA256_H
#define TERN_CRYPTO_SHA256_H

#include "base/def.h"

#define TERN_SHA256_SIZE 32

#ifdef TERN_HAVE_NETTLE
#include <nettle/hmac.h>
struct tern_sha256 {
    struct sha256_ctx state;
};
struct tern_hmac {
    struct sha256_ctx inner, outer;
};
#else
#include <sodium.h>
struct tern_sha256 {
    crypto_hash_sha256_state state;
};
struct tern_hmac {
    crypto_auth_hmacsha256_state state;
};
#endif

/* data may be NULL when len is 0. Neither leaves anything behind in the state after the last step. */
void tern_sha256_init(struct tern_sha256 *hash);
void tern_sha256_update(struct tern_sha256 *hash, const uint8_t *data, size_t len);
void tern_sha256_final(struct tern_sha256 *hash, uint8_t out[TERN_SHA256_SIZE]);

/* With several messages under one key it pays to keep a state that has the key: its two blocks are half of
 * what a short message takes. Who keeps one wipes it with tern_hmac_clear. */
void tern_hmac_init(struct tern_hmac *hmac, const uint8_t *key, size_t key_len);
void tern_hmac_update(struct tern_hmac *hmac, const uint8_t *data, size_t len);
void tern_hmac_final(struct tern_hmac *hmac, uint8_t out[TERN_SHA256_SIZE]);
void tern_hmac_clear(struct tern_hmac *hmac);

#endif
