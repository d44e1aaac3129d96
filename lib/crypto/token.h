/* Tokens: those of stateless reset, sealed ones that come back to their maker, and the tag of a Retry.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_TOKEN_H
#define TERN_CRYPTO_TOKEN_H

#include "base/random.h"
#include "crypto/sha256.h"

#define TERN_TOKEN_RESET_SIZE 16
#define TERN_TOKEN_KEY_SIZE   32
#define TERN_TOKEN_NONCE_SIZE 24
#define TERN_TOKEN_OVERHEAD   40 /* nonce and tag of a sealed one */
#define TERN_TOKEN_TAG_SIZE   16 /* of a Retry */

/* The first 16 bytes of HMAC-SHA256(static key, "reset" ‖ connection identifier); `keyed` holds the static
 * key, for a server makes one with each identifier that it gives out. */
void tern_token_reset(uint8_t out[TERN_TOKEN_RESET_SIZE], const struct tern_hmac *keyed,
                      const uint8_t *cid, size_t cid_len);

/* Equal, found out in constant time. An all-zero token equals nothing: an unset slot must never
 * match a forged reset (CVE-2026-44434). */
bool tern_token_equal(const uint8_t a[TERN_TOKEN_RESET_SIZE],
                      const uint8_t b[TERN_TOKEN_RESET_SIZE]);

/* A key of its own for one kind of token: HMAC-SHA256(static key, label ‖ salt). */
void tern_token_key(uint8_t out[TERN_TOKEN_KEY_SIZE], const uint8_t static_key[TERN_KEY_SIZE],
                    const char *label, const uint8_t *salt, size_t salt_len);

/* XChaCha20-Poly1305 under a random nonce: nonce ‖ ciphertext ‖ tag, len + TERN_TOKEN_OVERHEAD bytes.
 * The nonce is long enough to be random for as long as a key lives. */
void tern_token_seal(uint8_t *out, const uint8_t key[TERN_TOKEN_KEY_SIZE],
                     struct tern_random *random, const uint8_t *ad, size_t ad_len,
                     const uint8_t *plain, size_t len);
/* len - TERN_TOKEN_OVERHEAD bytes to `plain`. 0 · TERN_ERR_CRYPTO (not of our making, or not for
 * these associated data) */
TERN_MUST_CHECK int tern_token_open(uint8_t *plain, const uint8_t key[TERN_TOKEN_KEY_SIZE],
                                    const uint8_t *ad, size_t ad_len, const uint8_t *sealed,
                                    size_t len);

/* The two keys of Retry's integrity tag, expanded: one that needs the server's public key and one that
 * does not, since a server does not know which of them a client can check. [P §12.3] */
struct tern_retry_keys {
    struct tern_hmac keyed, open;
};

/* server_public NULL: the client knows none, and only the second half of the tag is of use to it. */
void tern_retry_keys_init(struct tern_retry_keys *keys, const uint8_t *server_public);

/* Eight bytes of each key's HMAC over ODCID length ‖ ODCID ‖ packet up to the tag (RFC 9001 §5.8). */
void tern_retry_tag(uint8_t out[TERN_TOKEN_TAG_SIZE], const struct tern_retry_keys *keys,
                    const uint8_t *odcid, size_t odcid_len, const uint8_t *packet, size_t len);

/* Does the half of the tag verify that these keys can check? Constant time. */
bool tern_retry_verify(const uint8_t tag[TERN_TOKEN_TAG_SIZE], const uint8_t *server_public,
                       const uint8_t *odcid, size_t odcid_len, const uint8_t *packet, size_t len);

#endif
