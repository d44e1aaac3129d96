/* The key schedule of RFC 9001 §5 over HMAC-SHA256, with our own labels. [P §5]
 * SPDX-License-Identifier: MIT */
#include "crypto/keys.h"

#include "base/cursor.h"
#include "crypto/sha256.h"

#define HKDF_LABEL_SIZE (2 + 1 + TERN_LABEL_MAX + 1 + 255)
#define FETCH_ROUNDS    (15 * 16) /* AES-256's keys */
#define FETCH_POWERS    (8 * 16)

/* SHA-256 of "tern version 0x54524e01 initial salt", so that nobody need wonder where it is from.
 * Another protocol version takes another salt. */
static const uint8_t initial_salt[32] = {
    0xd9, 0x31, 0x46, 0xad, 0xaf, 0xb1, 0x2c, 0xe0, 0x65, 0x1e, 0x1c, 0xcc, 0x0a, 0x5a, 0xef, 0x70,
    0xa6, 0xf5, 0x46, 0xf6, 0x6a, 0xb4, 0xf6, 0x0d, 0x96, 0x72, 0x48, 0xea, 0x25, 0x3d, 0xb5, 0xb9,
};

void tern_hkdf_extract(uint8_t out[TERN_SECRET_SIZE], const uint8_t *salt, size_t salt_len,
                       const uint8_t *ikm, size_t ikm_len)
{
    static const uint8_t no_salt[TERN_SECRET_SIZE]; /* RFC 5869 §2.2 */
    struct tern_hmac state;
    if (salt_len == 0) {
        salt = no_salt;
        salt_len = sizeof no_salt;
    }
    tern_hmac_init(&state, salt, salt_len);
    tern_hmac_update(&state, ikm, ikm_len);
    tern_hmac_final(&state, out);
}

/* One secret, for several labels: HMAC's two blocks of key are hashed once, which is half of the work. */
static void key_with(struct tern_hmac *keyed, const uint8_t secret[TERN_SECRET_SIZE])
{
    tern_hmac_init(keyed, secret, TERN_SECRET_SIZE);
}

static void expand(const struct tern_hmac *keyed, const uint8_t *info, size_t info_len,
                   uint8_t *out, size_t len)
{
    struct tern_hmac state;
    uint8_t block[TERN_SECRET_SIZE];
    tern_assert(len <= TERN_HKDF_OUT_MAX);
    for (size_t done = 0, n = 1; done < len; done += sizeof block, n++) {
        uint8_t index = (uint8_t)n;
        state = *keyed;
        if (n > 1) {
            tern_hmac_update(&state, block, sizeof block);
        }
        tern_hmac_update(&state, info, info_len);
        tern_hmac_update(&state, &index, 1);
        tern_hmac_final(&state, block);
        memcpy(out + done, block, TERN_MIN(len - done, sizeof block));
    }
    sodium_memzero(block, sizeof block);
}

static void expand_label(const struct tern_hmac *keyed, const char *prefix, const char *label,
                         const uint8_t *context, size_t context_len, uint8_t *out, size_t len)
{
    uint8_t info[HKDF_LABEL_SIZE];
    size_t prefix_len = strlen(prefix), label_len = strlen(label);
    struct tern_writer w;
    tern_assert(prefix_len + label_len <= TERN_LABEL_MAX && context_len <= 255);
    tern_writer_init(&w, info, sizeof info);
    tern_write_uint(&w, len, 2);
    tern_write_u8(&w, (uint8_t)(prefix_len + label_len));
    tern_write_bytes(&w, prefix, prefix_len);
    tern_write_bytes(&w, label, label_len);
    tern_write_u8(&w, (uint8_t)context_len);
    tern_write_bytes(&w, context, context_len);
    tern_assert(!w.failed);
    expand(keyed, info, tern_writer_used(&w), out, len);
}

void tern_hkdf_expand(const uint8_t secret[TERN_SECRET_SIZE], const uint8_t *info, size_t info_len,
                      uint8_t *out, size_t len)
{
    struct tern_hmac keyed;
    key_with(&keyed, secret);
    expand(&keyed, info, info_len, out, len);
    tern_hmac_clear(&keyed);
}

void tern_hkdf_expand_label(const uint8_t secret[TERN_SECRET_SIZE], const char *prefix,
                            const char *label, const uint8_t *context, size_t context_len,
                            uint8_t *out, size_t len)
{
    struct tern_hmac keyed;
    key_with(&keyed, secret);
    expand_label(&keyed, prefix, label, context, context_len, out, len);
    tern_hmac_clear(&keyed);
}

void tern_initial_secrets(uint8_t client[TERN_SECRET_SIZE], uint8_t server[TERN_SECRET_SIZE],
                          const uint8_t *dcid, size_t dcid_len, const uint8_t *server_public)
{
    uint8_t secret[TERN_SECRET_SIZE];
    struct tern_hmac state; /* HKDF-Extract(salt, DCID ‖ key), in pieces */
    tern_hmac_init(&state, initial_salt, sizeof initial_salt);
    tern_hmac_update(&state, dcid, dcid_len);
    if (server_public != NULL) {
        tern_hmac_update(&state, server_public, TERN_KEY_SIZE);
    }
    tern_hmac_final(&state, secret);
    key_with(&state, secret);
    expand_label(&state, TERN_LABEL_PREFIX, "client in", NULL, 0, client, TERN_SECRET_SIZE);
    expand_label(&state, TERN_LABEL_PREFIX, "server in", NULL, 0, server, TERN_SECRET_SIZE);
    tern_hmac_clear(&state);
    sodium_memzero(secret, sizeof secret);
}

void tern_retry_secret(uint8_t out[TERN_SECRET_SIZE], const uint8_t *server_public)
{
    uint8_t secret[TERN_SECRET_SIZE];
    tern_hkdf_extract(secret, initial_salt, sizeof initial_salt, server_public,
                      server_public != NULL ? TERN_KEY_SIZE : 0);
    tern_hkdf_expand_label(secret, TERN_LABEL_PREFIX, "retry", NULL, 0, out, TERN_SECRET_SIZE);
    sodium_memzero(secret, sizeof secret);
}

/* Key and IV of keys->secret, which is in `keyed`; the mask key is not of this phase alone. */
static int derive_phase(struct tern_packet_keys *keys, const struct tern_suite *suite,
                        const struct tern_hmac *keyed)
{
    uint8_t key[TERN_AEAD_KEY_MAX];
    expand_label(keyed, keys->prefix, "key", NULL, 0, key, suite->key_size);
    expand_label(keyed, keys->prefix, "iv", NULL, 0, keys->iv, suite->nonce_size);
    int rc = tern_aead_init(&keys->aead, suite->bit, key);
    sodium_memzero(key, sizeof key);
    return rc;
}

int tern_packet_keys_init_as(struct tern_packet_keys *keys, unsigned suite,
                             const uint8_t secret[TERN_SECRET_SIZE], const char *prefix)
{
    const struct tern_suite *row = tern_suite_find(suite);
    uint8_t mask_key[32];
    struct tern_hmac keyed;
    memset(keys, 0, sizeof *keys);
    if (row == NULL) {
        return TERN_ERR_UNSUPPORTED;
    }
    keys->suite = suite;
    keys->prefix = prefix;
    memcpy(keys->secret, secret, TERN_SECRET_SIZE);
    key_with(&keyed, secret);
    int rc = derive_phase(keys, row, &keyed);
    if (rc == 0) {
        expand_label(&keyed, prefix, "hp", NULL, 0, mask_key, row->mask_key_size);
        tern_mask_key_init(&keys->mask, row, mask_key);
        sodium_memzero(mask_key, sizeof mask_key);
    } else {
        tern_packet_keys_clear(keys);
    }
    tern_hmac_clear(&keyed);
    return rc;
}

int tern_packet_keys_init(struct tern_packet_keys *keys, unsigned suite,
                          const uint8_t secret[TERN_SECRET_SIZE])
{
    return tern_packet_keys_init_as(keys, suite, secret, TERN_LABEL_PREFIX);
}

/* AES-GCM's round keys stand first and the powers of the hash key last, the lowest of all at the end. */
void tern_packet_keys_fetch(const struct tern_packet_keys *keys, bool is_short)
{
    const uint8_t *rest = (const uint8_t *)&keys->aead.suite;
    size_t key = sizeof keys->aead.key, used = offsetof(struct tern_packet_keys, secret) -
                                               offsetof(struct tern_packet_keys, aead.suite);
    if (is_short && key > FETCH_ROUNDS + FETCH_POWERS) {
        tern_prefetch(&keys->aead.key, FETCH_ROUNDS);
        tern_prefetch(rest - FETCH_POWERS, FETCH_POWERS + used);
    } else {
        tern_prefetch(&keys->aead.key, key + used);
    }
}

void tern_packet_keys_clear(struct tern_packet_keys *keys)
{
    sodium_memzero(keys, sizeof *keys);
}

void tern_packet_keys_fold(struct tern_packet_seed *seed, const struct tern_packet_keys *keys)
{
    memset(seed, 0, sizeof *seed); /* the gaps, too: it is packed as octets */
    seed->mask = keys->mask;
    seed->prefix = keys->prefix;
    seed->suite = keys->suite;
    seed->sealed = keys->sealed;
    seed->opened = keys->opened;
    memcpy(seed->secret, keys->secret, TERN_SECRET_SIZE);
}

int tern_packet_keys_unfold(struct tern_packet_keys *keys, const struct tern_packet_seed *seed)
{
    const struct tern_suite *row = tern_suite_find(seed->suite);
    struct tern_hmac keyed;
    memset(keys, 0, sizeof *keys);
    if (row == NULL) {
        return TERN_ERR_UNSUPPORTED;
    }
    keys->mask = seed->mask; /* that of the first phase, which no later secret gives */
    keys->prefix = seed->prefix;
    keys->suite = seed->suite;
    keys->sealed = seed->sealed;
    keys->opened = seed->opened;
    memcpy(keys->secret, seed->secret, TERN_SECRET_SIZE);
    key_with(&keyed, keys->secret);
    int rc = derive_phase(keys, row, &keyed);
    tern_hmac_clear(&keyed);
    if (rc != 0) {
        tern_packet_keys_clear(keys);
    }
    return rc;
}

static int next_phase(struct tern_packet_keys *next, const struct tern_packet_keys *current,
                      const uint8_t secret[TERN_SECRET_SIZE])
{
    const struct tern_suite *row = current->aead.suite;
    struct tern_packet_keys fresh;
    struct tern_hmac keyed;
    if (row == NULL) {
        return TERN_ERR_UNSUPPORTED;
    }
    memset(&fresh, 0, sizeof fresh);
    fresh.suite = current->suite;
    fresh.prefix = current->prefix;
    fresh.mask = current->mask;
    tern_hkdf_expand_label(secret, current->prefix, "ku", NULL, 0, fresh.secret, TERN_SECRET_SIZE);
    key_with(&keyed, fresh.secret);
    int rc = derive_phase(&fresh, row, &keyed);
    if (rc == 0) {
        *next = fresh;
    }
    tern_hmac_clear(&keyed);
    sodium_memzero(&fresh, sizeof fresh);
    return rc;
}

int tern_packet_keys_update(struct tern_packet_keys *next, const struct tern_packet_keys *current)
{
    return next_phase(next, current, current->secret);
}

int tern_packet_keys_ratchet(struct tern_packet_keys *next, const struct tern_packet_keys *current,
                             const uint8_t mix[TERN_SECRET_SIZE])
{
    uint8_t secret[TERN_SECRET_SIZE];
    tern_hkdf_extract(secret, mix, TERN_SECRET_SIZE, current->secret, TERN_SECRET_SIZE);
    int rc = next_phase(next, current, secret);
    sodium_memzero(secret, sizeof secret);
    return rc;
}

void tern_ratchet_public(uint8_t pub[TERN_SECRET_SIZE], const uint8_t secret[TERN_SECRET_SIZE])
{
    (void)crypto_scalarmult_base(pub, secret);
}

int tern_ratchet_mix(uint8_t mix[TERN_SECRET_SIZE], const uint8_t secret[TERN_SECRET_SIZE],
                     const uint8_t client_public[TERN_SECRET_SIZE],
                     const uint8_t server_public[TERN_SECRET_SIZE], bool is_server)
{
    static const char salt[] = "tern rekey";
    uint8_t ikm[3 * TERN_SECRET_SIZE];
    int rc = crypto_scalarmult(ikm, secret, is_server ? client_public : server_public) == 0
                 ? 0
                 : TERN_ERR_CRYPTO;
    if (rc == 0) {
        memcpy(ikm + TERN_SECRET_SIZE, client_public, TERN_SECRET_SIZE);
        memcpy(ikm + 2 * TERN_SECRET_SIZE, server_public, TERN_SECRET_SIZE);
        tern_hkdf_extract(mix, (const uint8_t *)salt, sizeof salt - 1, ikm, sizeof ikm);
    }
    sodium_memzero(ikm, sizeof ikm);
    return rc;
}

/* The word whose bytes in memory are the number's, the highest first. */
static uint64_t big_endian(uint64_t number)
{
    uint8_t bytes[8] = {(uint8_t)(number >> 56), (uint8_t)(number >> 48), (uint8_t)(number >> 40),
                        (uint8_t)(number >> 32), (uint8_t)(number >> 24), (uint8_t)(number >> 16),
                        (uint8_t)(number >> 8),  (uint8_t)number};
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The cipher reads all of it wide at once, and what was written only just now in pieces it gets late: 7 ns of a
 * packet. Two words that are put together, then copied, become one store. */
static inline void mix_nonce(uint8_t out[16], const uint8_t iv[16], uint64_t high, uint64_t low)
{
    uint64_t words[2];
    memcpy(words, iv, sizeof words);
    words[0] ^= big_endian(high);
    words[1] ^= big_endian(low);
    memcpy(out, words, sizeof words);
}

/* The number takes the last twelve bytes: of twelve all, else there are four or more before it. */
void tern_packet_nonce(const struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                       uint8_t nonce[TERN_AEAD_NONCE_MAX])
{
    size_t size = keys->aead.suite->nonce_size;
    if (size == 12) {
        mix_nonce(nonce, keys->iv, (uint64_t)path_id << 32 | pn >> 32, pn << 32);
        return;
    }
    memcpy(nonce, keys->iv, 16);
    mix_nonce(nonce + size - 16, keys->iv + size - 16, path_id, pn);
}

static_assert(TERN_AEAD_NONCE_MAX == 32, "two halves of sixteen bytes, or less");

int tern_packet_seal(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                     const uint8_t *header, size_t header_len, uint8_t *payload, size_t len)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX];
    tern_assert(keys->aead.suite != NULL && pn <= TERN_PN_MAX);
    if (keys->sealed >= keys->aead.suite->seal_limit) {
        return TERN_ERR_AEAD_LIMIT;
    }
    tern_packet_nonce(keys, path_id, pn, nonce);
    tern_aead_seal(&keys->aead, nonce, header, header_len, payload, len);
    keys->sealed++;
    return 0;
}

int tern_packet_check(const struct tern_packet_keys *keys, uint64_t pn, const uint8_t *header,
                      size_t header_len, const uint8_t *sealed, size_t len)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX];
    if (keys->aead.suite == NULL || pn > TERN_PN_MAX) {
        return TERN_ERR_CRYPTO;
    }
    tern_packet_nonce(keys, 0, pn, nonce);
    return tern_aead_check(&keys->aead, nonce, header, header_len, sealed, len);
}

int tern_packet_open(struct tern_packet_keys *keys, uint32_t path_id, uint64_t pn,
                     const uint8_t *header, size_t header_len, uint8_t *payload, size_t len)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX];
    if (keys->aead.suite == NULL || pn > TERN_PN_MAX) {
        return TERN_ERR_CRYPTO;
    }
    tern_packet_nonce(keys, path_id, pn, nonce);
    int rc = tern_aead_open(&keys->aead, nonce, header, header_len, payload, len);
    keys->opened += rc == 0;
    return rc;
}
