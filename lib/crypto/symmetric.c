/* Chaining key, transcript hash and cipher of a Noise handshake, as sections 4 and 5 define them.
 * SPDX-License-Identifier: MIT */
#include "crypto/symmetric.h"

#include <sodium.h>

#include "crypto/sha256.h"

#define BLAKE2B_BLOCK_SIZE 128
#define NONCE_SIZE         12
#define NONCE_RESERVED     UINT64_MAX /* Noise §5.1: for REKEY */

_Static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_SIZE, "nonce");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == NONCE_SIZE, "nonce");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == TERN_NOISE_TAG_SIZE, "tag");
_Static_assert(crypto_aead_aes256gcm_ABYTES == TERN_NOISE_TAG_SIZE, "tag");

/* --- the two hashes behind one face -------------------------------------------------------------- */

struct hasher {
    enum tern_noise_hash hash;
    union {
        struct tern_sha256 sha256;
        crypto_generichash_blake2b_state blake2b;
    } state;
};

static size_t hash_size(enum tern_noise_hash hash)
{
    return hash == TERN_NOISE_SHA256 ? TERN_SHA256_SIZE : crypto_generichash_blake2b_BYTES_MAX;
}

static void hasher_init(struct hasher *hasher, enum tern_noise_hash hash)
{
    hasher->hash = hash;
    if (hash == TERN_NOISE_SHA256) {
        tern_sha256_init(&hasher->state.sha256);
    } else {
        (void)crypto_generichash_blake2b_init(&hasher->state.blake2b, NULL, 0,
                                              crypto_generichash_blake2b_BYTES_MAX);
    }
}

static void hasher_update(struct hasher *hasher, const uint8_t *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (hasher->hash == TERN_NOISE_SHA256) {
        tern_sha256_update(&hasher->state.sha256, data, len);
    } else {
        (void)crypto_generichash_blake2b_update(&hasher->state.blake2b, data, len);
    }
}

static void hasher_final(struct hasher *hasher, uint8_t *out)
{
    if (hasher->hash == TERN_NOISE_SHA256) {
        tern_sha256_final(&hasher->state.sha256, out); /* which wipes */
    } else {
        (void)crypto_generichash_blake2b_final(&hasher->state.blake2b, out,
                                               crypto_generichash_blake2b_BYTES_MAX);
        sodium_memzero(hasher, sizeof *hasher);
    }
}

/* libsodium has no HMAC over BLAKE2b, so RFC 2104 by hand. */
static void hmac_blake2b(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                         uint8_t *out)
{
    struct hasher hasher;
    uint8_t pad[BLAKE2B_BLOCK_SIZE] = {0};
    if (key_len > sizeof pad) {
        hasher_init(&hasher, TERN_NOISE_BLAKE2B);
        hasher_update(&hasher, key, key_len);
        hasher_final(&hasher, pad);
    } else {
        memcpy(pad, key, key_len);
    }
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36;
    }
    hasher_init(&hasher, TERN_NOISE_BLAKE2B);
    hasher_update(&hasher, pad, sizeof pad);
    hasher_update(&hasher, data, len);
    hasher_final(&hasher, out);
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    hasher_init(&hasher, TERN_NOISE_BLAKE2B);
    hasher_update(&hasher, pad, sizeof pad);
    hasher_update(&hasher, out, crypto_generichash_blake2b_BYTES_MAX);
    hasher_final(&hasher, out);
    sodium_memzero(pad, sizeof pad);
}

void tern_noise_hmac(enum tern_noise_hash hash, const uint8_t *key, size_t key_len,
                     const uint8_t *data, size_t len, uint8_t *out)
{
    struct tern_hmac state;
    if (hash == TERN_NOISE_BLAKE2B) {
        hmac_blake2b(key, key_len, data, len, out);
        return;
    }
    tern_hmac_init(&state, key, key_len);
    tern_hmac_update(&state, data, len);
    tern_hmac_final(&state, out);
}

/* HKDF of Noise §4.3: two or three outputs of hash_len bytes each, one after the other in out. */
static void noise_hkdf(const struct tern_symmetric *state, const uint8_t *ikm, size_t len,
                       size_t outputs, uint8_t out[3 * TERN_NOISE_HASH_MAX])
{
    uint8_t temp[TERN_NOISE_HASH_MAX], input[TERN_NOISE_HASH_MAX + 1];
    size_t size = state->hash_len, previous = 0;
    struct tern_hmac keyed, hmac; /* the key's blocks are hashed once */
    tern_noise_hmac(state->hash, state->ck, size, ikm, len, temp);
    tern_hmac_init(&keyed, temp, size);
    for (size_t i = 0; i < outputs; i++) {
        input[previous] = (uint8_t)(i + 1);
        if (state->hash == TERN_NOISE_SHA256) {
            hmac = keyed;
            tern_hmac_update(&hmac, input, previous + 1);
            tern_hmac_final(&hmac, out + i * size);
        } else {
            tern_noise_hmac(state->hash, temp, size, input, previous + 1, out + i * size);
        }
        memcpy(input, out + i * size, size);
        previous = size;
    }
    tern_hmac_clear(&keyed);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(input, sizeof input);
}

/* --- CipherState --------------------------------------------------------------------------------- */

bool tern_noise_cipher_is_available(enum tern_noise_cipher cipher)
{
    return sodium_init() >= 0 &&
           (cipher == TERN_NOISE_CHACHAPOLY || crypto_aead_aes256gcm_is_available() != 0);
}

/* Noise §12.3 and §12.4: 32 zero bits, then n, little-endian for ChaChaPoly, big-endian for AESGCM. */
static void make_nonce(enum tern_noise_cipher cipher, uint64_t n, uint8_t nonce[NONCE_SIZE])
{
    memset(nonce, 0, NONCE_SIZE);
    for (size_t i = 0; i < 8; i++) {
        size_t at = cipher == TERN_NOISE_CHACHAPOLY ? 4 + i : 11 - i;
        nonce[at] = (uint8_t)(n >> (8 * i));
    }
}

int tern_noise_cipher_seal(enum tern_noise_cipher cipher, const uint8_t k[TERN_NOISE_KEY_SIZE],
                           uint64_t n, const uint8_t *ad, size_t ad_len, const uint8_t *in,
                           size_t len, uint8_t *out)
{
    uint8_t nonce[NONCE_SIZE];
    if (n == NONCE_RESERVED) {
        return TERN_ERR_LIMIT;
    }
    make_nonce(cipher, n, nonce);
    int rc = cipher == TERN_NOISE_CHACHAPOLY
                 ? crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL,
                                                             nonce, k)
                 : crypto_aead_aes256gcm_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, k);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

int tern_noise_cipher_open(enum tern_noise_cipher cipher, const uint8_t k[TERN_NOISE_KEY_SIZE],
                           uint64_t n, const uint8_t *ad, size_t ad_len, const uint8_t *in,
                           size_t len, uint8_t *out)
{
    uint8_t nonce[NONCE_SIZE];
    if (n == NONCE_RESERVED) {
        return TERN_ERR_LIMIT;
    }
    if (len < TERN_NOISE_TAG_SIZE) {
        return TERN_ERR_CRYPTO;
    }
    make_nonce(cipher, n, nonce);
    int rc = cipher == TERN_NOISE_CHACHAPOLY
                 ? crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len,
                                                             nonce, k)
                 : crypto_aead_aes256gcm_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce, k);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

/* --- SymmetricState ------------------------------------------------------------------------------ */

void tern_symmetric_init(struct tern_symmetric *state, enum tern_noise_cipher cipher,
                         enum tern_noise_hash hash, const char *protocol_name)
{
    size_t len = strlen(protocol_name);
    memset(state, 0, sizeof *state);
    state->cipher = cipher;
    state->hash = hash;
    state->hash_len = hash_size(hash);
    if (len <= state->hash_len) {
        memcpy(state->h, protocol_name, len);
    } else {
        struct hasher hasher;
        hasher_init(&hasher, hash);
        hasher_update(&hasher, (const uint8_t *)protocol_name, len);
        hasher_final(&hasher, state->h);
    }
    memcpy(state->ck, state->h, sizeof state->ck);
}

void tern_symmetric_clear(struct tern_symmetric *state)
{
    sodium_memzero(state, sizeof *state);
}

void tern_symmetric_mix_hash(struct tern_symmetric *state, const uint8_t *data, size_t len)
{
    struct hasher hasher;
    hasher_init(&hasher, state->hash);
    hasher_update(&hasher, state->h, state->hash_len);
    hasher_update(&hasher, data, len);
    hasher_final(&hasher, state->h);
}

/* InitializeKey: hashes of 64 bytes are cut to the cipher's 32. */
static void set_key(struct tern_symmetric *state, const uint8_t *key)
{
    memcpy(state->k, key, sizeof state->k);
    state->has_key = true;
    state->n = 0;
}

void tern_symmetric_mix_key(struct tern_symmetric *state, const uint8_t *ikm, size_t len)
{
    uint8_t out[3 * TERN_NOISE_HASH_MAX];
    noise_hkdf(state, ikm, len, 2, out);
    memcpy(state->ck, out, state->hash_len);
    set_key(state, out + state->hash_len);
    sodium_memzero(out, sizeof out);
}

void tern_symmetric_mix_key_and_hash(struct tern_symmetric *state, const uint8_t *ikm, size_t len)
{
    uint8_t out[3 * TERN_NOISE_HASH_MAX];
    noise_hkdf(state, ikm, len, 3, out);
    memcpy(state->ck, out, state->hash_len);
    tern_symmetric_mix_hash(state, out + state->hash_len, state->hash_len);
    set_key(state, out + 2 * state->hash_len);
    sodium_memzero(out, sizeof out);
}

size_t tern_symmetric_overhead(const struct tern_symmetric *state)
{
    return state->has_key ? TERN_NOISE_TAG_SIZE : 0;
}

int tern_symmetric_encrypt_and_hash(struct tern_symmetric *state, const uint8_t *in, size_t len,
                                    uint8_t *out)
{
    if (state->has_key) {
        int rc = tern_noise_cipher_seal(state->cipher, state->k, state->n, state->h,
                                        state->hash_len, in, len, out);
        if (rc != 0) {
            return rc;
        }
        state->n++;
    } else if (len > 0) {
        memcpy(out, in, len);
    }
    tern_symmetric_mix_hash(state, out, len + tern_symmetric_overhead(state));
    return 0;
}

int tern_symmetric_decrypt_and_hash(struct tern_symmetric *state, const uint8_t *in, size_t len,
                                    uint8_t *out)
{
    if (state->has_key) {
        int rc = tern_noise_cipher_open(state->cipher, state->k, state->n, state->h,
                                        state->hash_len, in, len, out);
        if (rc != 0) {
            return rc;
        }
        state->n++;
    } else if (len > 0) {
        memcpy(out, in, len);
    }
    tern_symmetric_mix_hash(state, in, len);
    return 0;
}

void tern_symmetric_split(const struct tern_symmetric *state, uint8_t first[TERN_NOISE_KEY_SIZE],
                          uint8_t second[TERN_NOISE_KEY_SIZE])
{
    uint8_t out[3 * TERN_NOISE_HASH_MAX];
    noise_hkdf(state, NULL, 0, 2, out);
    memcpy(first, out, TERN_NOISE_KEY_SIZE);
    memcpy(second, out + state->hash_len, TERN_NOISE_KEY_SIZE);
    sodium_memzero(out, sizeof out);
}
