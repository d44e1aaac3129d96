/* SHA-256 and HMAC by whichever library the build has found.
 * SPDX-License-Identifier: MIT */
#include "crypto/sha256.h"

#include "base/mem.h"

#ifdef TERN_HAVE_NETTLE

void tern_sha256_init(struct tern_sha256 *hash)
{
    sha256_init(&hash->state);
}

void tern_sha256_update(struct tern_sha256 *hash, const uint8_t *data, size_t len)
{
    if (len > 0) {
        sha256_update(&hash->state, len, data);
    }
}

void tern_sha256_final(struct tern_sha256 *hash, uint8_t out[TERN_SHA256_SIZE])
{
    sha256_digest(&hash->state, TERN_SHA256_SIZE, out);
    tern_mem_wipe(hash, sizeof *hash);
}

void tern_hmac_init(struct tern_hmac *hmac, const uint8_t *key, size_t key_len)
{
    /* Nettle's own state of HMAC would begin anew by itself, at half as much again. */
    struct sha256_ctx kept;
    hmac_set_key(&hmac->outer, &kept, &hmac->inner, &nettle_sha256, key_len, key);
    tern_mem_wipe(&kept, sizeof kept);
}

void tern_hmac_update(struct tern_hmac *hmac, const uint8_t *data, size_t len)
{
    if (len > 0) {
        sha256_update(&hmac->inner, len, data);
    }
}

void tern_hmac_final(struct tern_hmac *hmac, uint8_t out[TERN_SHA256_SIZE])
{
    sha256_digest(&hmac->inner, TERN_SHA256_SIZE, out);
    sha256_update(&hmac->outer, TERN_SHA256_SIZE, out);
    sha256_digest(&hmac->outer, TERN_SHA256_SIZE, out);
    tern_hmac_clear(hmac);
}

#else

void tern_sha256_init(struct tern_sha256 *hash)
{
    (void)crypto_hash_sha256_init(&hash->state);
}

void tern_sha256_update(struct tern_sha256 *hash, const uint8_t *data, size_t len)
{
    if (len > 0) {
        (void)crypto_hash_sha256_update(&hash->state, data, len);
    }
}

void tern_sha256_final(struct tern_sha256 *hash, uint8_t out[TERN_SHA256_SIZE])
{
    (void)crypto_hash_sha256_final(&hash->state, out);
    tern_mem_wipe(hash, sizeof *hash);
}

void tern_hmac_init(struct tern_hmac *hmac, const uint8_t *key, size_t key_len)
{
    (void)crypto_auth_hmacsha256_init(&hmac->state, key, key_len);
}

void tern_hmac_update(struct tern_hmac *hmac, const uint8_t *data, size_t len)
{
    if (len > 0) {
        (void)crypto_auth_hmacsha256_update(&hmac->state, data, len);
    }
}

void tern_hmac_final(struct tern_hmac *hmac, uint8_t out[TERN_SHA256_SIZE])
{
    (void)crypto_auth_hmacsha256_final(&hmac->state, out);
    tern_hmac_clear(hmac);
}

#endif

void tern_hmac_clear(struct tern_hmac *hmac)
{
    tern_mem_wipe(hmac, sizeof *hmac);
}
