/* Keyed hashes and sealed boxes that spare a server its memory. [P §11], [P §12.3]
 * SPDX-License-Identifier: MIT */
#include "crypto/token.h"

#include "crypto/keys.h"

void tern_token_reset(uint8_t out[TERN_TOKEN_RESET_SIZE], const struct tern_hmac *keyed,
                      const uint8_t *cid, size_t cid_len)
{
    static const uint8_t label[] = {'r', 'e', 's', 'e', 't'};
    struct tern_hmac state = *keyed;
    uint8_t mac[TERN_SHA256_SIZE];
    tern_hmac_update(&state, label, sizeof label);
    tern_hmac_update(&state, cid, cid_len);
    tern_hmac_final(&state, mac);
    memcpy(out, mac, TERN_TOKEN_RESET_SIZE);
    sodium_memzero(mac, sizeof mac);
}

bool tern_token_equal(const uint8_t a[TERN_TOKEN_RESET_SIZE],
                      const uint8_t b[TERN_TOKEN_RESET_SIZE])
{
    return sodium_memcmp(a, b, TERN_TOKEN_RESET_SIZE) == 0 &&
           sodium_is_zero(a, TERN_TOKEN_RESET_SIZE) == 0;
}

void tern_token_key(uint8_t out[TERN_TOKEN_KEY_SIZE], const uint8_t static_key[TERN_KEY_SIZE],
                    const char *label, const uint8_t *salt, size_t salt_len)
{
    struct tern_hmac state;
    tern_hmac_init(&state, static_key, TERN_KEY_SIZE);
    tern_hmac_update(&state, (const uint8_t *)label, strlen(label));
    tern_hmac_update(&state, salt, salt_len);
    tern_hmac_final(&state, out);
}

void tern_token_seal(uint8_t *out, const uint8_t key[TERN_TOKEN_KEY_SIZE],
                     struct tern_random *random, const uint8_t *ad, size_t ad_len,
                     const uint8_t *plain, size_t len)
{
    tern_random_fill(random, out, TERN_TOKEN_NONCE_SIZE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + TERN_TOKEN_NONCE_SIZE, NULL, plain, len,
                                                     ad, ad_len, NULL, out, key);
}

int tern_token_open(uint8_t *plain, const uint8_t key[TERN_TOKEN_KEY_SIZE], const uint8_t *ad,
                    size_t ad_len, const uint8_t *sealed, size_t len)
{
    if (len < TERN_TOKEN_OVERHEAD) {
        return TERN_ERR_CRYPTO;
    }
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain, NULL, NULL, sealed + TERN_TOKEN_NONCE_SIZE, len - TERN_TOKEN_NONCE_SIZE, ad, ad_len,
        sealed, key);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

void tern_retry_keys_init(struct tern_retry_keys *keys, const uint8_t *server_public)
{
    uint8_t secret[TERN_SECRET_SIZE];
    tern_retry_secret(secret, server_public);
    tern_hmac_init(&keys->keyed, secret, sizeof secret);
    tern_retry_secret(secret, NULL);
    tern_hmac_init(&keys->open, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
}

static void half_tag(uint8_t *out, const struct tern_hmac *key, const uint8_t *odcid,
                     size_t odcid_len, const uint8_t *packet, size_t len)
{
    struct tern_hmac state = *key;
    uint8_t mac[TERN_SHA256_SIZE], prefix = (uint8_t)odcid_len;
    tern_hmac_update(&state, &prefix, 1);
    tern_hmac_update(&state, odcid, odcid_len);
    tern_hmac_update(&state, packet, len);
    tern_hmac_final(&state, mac);
    memcpy(out, mac, TERN_TOKEN_TAG_SIZE / 2);
}

void tern_retry_tag(uint8_t out[TERN_TOKEN_TAG_SIZE], const struct tern_retry_keys *keys,
                    const uint8_t *odcid, size_t odcid_len, const uint8_t *packet, size_t len)
{
    half_tag(out, &keys->keyed, odcid, odcid_len, packet, len);
    half_tag(out + TERN_TOKEN_TAG_SIZE / 2, &keys->open, odcid, odcid_len, packet, len);
}

bool tern_retry_verify(const uint8_t tag[TERN_TOKEN_TAG_SIZE], const uint8_t *server_public,
                       const uint8_t *odcid, size_t odcid_len, const uint8_t *packet, size_t len)
{
    struct tern_retry_keys keys;
    uint8_t expected[TERN_TOKEN_TAG_SIZE];
    size_t half = server_public != NULL ? 0 : TERN_TOKEN_TAG_SIZE / 2;
    tern_retry_keys_init(&keys, server_public);
    tern_retry_tag(expected, &keys, odcid, odcid_len, packet, len);
    return sodium_memcmp(expected + half, tag + half, TERN_TOKEN_TAG_SIZE / 2) == 0;
}
