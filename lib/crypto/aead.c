/* The suites, which engine does each and in which order they are preferred, and the two ways to make a
 * header mask. [P §5.1], [P §5.4]
 * SPDX-License-Identifier: MIT */
#include "crypto/aead.h"

/* AEGIS came with libsodium 1.0.19. The header is asked, not the version: builds differ. */
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
#define HAS_AEGIS 1
#else
#define HAS_AEGIS 0
#endif

#define CHACHA_KEY_SIZE  32
#define SIPHASH_KEY_SIZE 16

_Static_assert(crypto_shorthash_siphash24_KEYBYTES == SIPHASH_KEY_SIZE, "SipHash key");
_Static_assert(crypto_shorthash_siphash24_BYTES >= TERN_MASK_SIZE, "SipHash fills a mask");
_Static_assert(crypto_stream_chacha20_ietf_KEYBYTES == CHACHA_KEY_SIZE, "ChaCha20 key");
_Static_assert(crypto_stream_chacha20_ietf_NONCEBYTES + 4 == TERN_SAMPLE_SIZE, "ChaCha20 sample");

/* Limits: RFC 9001 §6.6 for AES-GCM and ChaCha20-Poly1305. For AES-GCM 2^23 holds for packets of
 * any size (2^28 would do below 2 KiB, Appendix B.1; our loopback packets are larger). AEGIS has no
 * published QUIC analysis, so it takes the AES figures, which are far below its own bounds. */
static const struct tern_suite suites[] = {
#if HAS_AEGIS
    {"aegis-128l", UINT64_C(1) << 23, UINT64_C(1) << 52, TERN_SUITE_AEGIS_128L,
     crypto_aead_aegis128l_KEYBYTES, crypto_aead_aegis128l_NPUBBYTES, crypto_aead_aegis128l_ABYTES,
     SIPHASH_KEY_SIZE},
    {"aegis-256", UINT64_C(1) << 23, UINT64_C(1) << 52, TERN_SUITE_AEGIS_256,
     crypto_aead_aegis256_KEYBYTES, crypto_aead_aegis256_NPUBBYTES, crypto_aead_aegis256_ABYTES,
     SIPHASH_KEY_SIZE},
#endif
    {"aes-256-gcm", UINT64_C(1) << 23, UINT64_C(1) << 52, TERN_SUITE_AES_256_GCM,
     crypto_aead_aes256gcm_KEYBYTES, crypto_aead_aes256gcm_NPUBBYTES, crypto_aead_aes256gcm_ABYTES,
     SIPHASH_KEY_SIZE},
    {"chacha20-poly1305", (UINT64_C(1) << 62) - 1, UINT64_C(1) << 36, TERN_SUITE_CHACHA20_POLY1305,
     crypto_aead_chacha20poly1305_ietf_KEYBYTES, crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
     crypto_aead_chacha20poly1305_ietf_ABYTES, CHACHA_KEY_SIZE},
};

#if HAS_AEGIS
_Static_assert(crypto_aead_aegis128l_ABYTES <= TERN_AEAD_TAG_MAX, "tag");
_Static_assert(crypto_aead_aegis256_ABYTES <= TERN_AEAD_TAG_MAX, "tag");
_Static_assert(crypto_aead_aegis256_NPUBBYTES <= TERN_AEAD_NONCE_MAX, "nonce");
_Static_assert(crypto_aead_aegis256_KEYBYTES <= TERN_AEAD_KEY_MAX, "key");

/* Without AES instructions AEGIS is a table-free emulation, many times slower than ChaCha20. */
static bool has_fast_aegis(void)
{
    return sodium_runtime_has_aesni() != 0 || sodium_runtime_has_armcrypto() != 0;
}
#endif

const struct tern_suite *tern_suite_find(unsigned suite)
{
    for (size_t i = 0; i < TERN_COUNT_OF(suites); i++) {
        if (suites[i].bit == suite) {
            return &suites[i];
        }
    }
    return NULL;
}

size_t tern_suite_tag_size(unsigned suite)
{
    const struct tern_suite *row = tern_suite_find(suite);
    return row == NULL ? 0 : row->tag_size;
}

uint64_t tern_suite_seal_limit(unsigned suite)
{
    const struct tern_suite *row = tern_suite_find(suite);
    return row == NULL ? 0 : row->seal_limit;
}

uint64_t tern_suite_open_limit(unsigned suite)
{
    const struct tern_suite *row = tern_suite_find(suite);
    return row == NULL ? 0 : row->open_limit;
}

const char *tern_suite_name(unsigned suite)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        /* all that the protocol knows, whether this build has them or not */
        {TERN_SUITE_CHACHA20_POLY1305, "chacha20-poly1305"},
        {TERN_SUITE_AES_256_GCM, "aes-256-gcm"},
        {TERN_SUITE_AEGIS_128L, "aegis-128l"},
        {TERN_SUITE_AEGIS_256, "aegis-256"},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        if (names[i].bit == suite) {
            return names[i].name;
        }
    }
    return NULL;
}

static bool has_ipsec_mb(void)
{
#ifdef TERN_HAVE_IPSEC_MB
    return tern_gcm_speed() != TERN_GCM_ABSENT;
#else
    return false;
#endif
}

/* AES-GCM four blocks at a time, which only one engine knows. */
static bool has_wide_gcm(void)
{
#ifdef TERN_HAVE_IPSEC_MB
    return tern_gcm_speed() == TERN_GCM_WIDE;
#else
    return false;
#endif
}

enum tern_engine tern_suite_engine(unsigned suite)
{
    return suite == TERN_SUITE_AES_256_GCM && has_ipsec_mb() ? TERN_ENGINE_IPSEC_MB
                                                             : TERN_ENGINE_SODIUM;
}

/* This machine can run the suite, and at the speed that its place in the ranking promises. */
static bool is_offered(unsigned suite)
{
    switch (suite) {
    case TERN_SUITE_AES_256_GCM:
        return has_ipsec_mb() || crypto_aead_aes256gcm_is_available() != 0;
#if HAS_AEGIS
    case TERN_SUITE_AEGIS_128L:
    case TERN_SUITE_AEGIS_256:
        return has_fast_aegis();
#endif
    default:
        return true;
    }
}

/* Fastest first, by what was measured: ns to seal 64, 1200 and 8900 bytes on a Zen 5 (`ciphers` of
 * tests/bench does it again).
 *
 *     AES-256-GCM, intel-ipsec-mb, wide          45    92   425
 *     AEGIS-128L, libsodium 1.0.22               40   101   509
 *     AEGIS-256, libsodium 1.0.22                50   157   865
 *     AES-256-GCM, intel-ipsec-mb, narrow        80   245  1830
 *     AES-256-GCM, libsodium 1.0.22              57   293  1849
 *     AES-256-GCM, libsodium 1.0.18             146   621  3876
 *     ChaCha20-Poly1305, libsodium, both        365  1305  6158
 *
 * A tag of AEGIS takes 16 bytes more on the wire, so it would have to be clearly faster than the first. */
static const unsigned rankings[2][4] = {
    {TERN_SUITE_AEGIS_128L, TERN_SUITE_AEGIS_256, TERN_SUITE_AES_256_GCM,
     TERN_SUITE_CHACHA20_POLY1305},
    {TERN_SUITE_AES_256_GCM, TERN_SUITE_AEGIS_128L, TERN_SUITE_AEGIS_256,
     TERN_SUITE_CHACHA20_POLY1305},
};

unsigned tern_suites_available(unsigned ranked[4])
{
    unsigned all = 0;
    size_t count = 0;
    if (ranked != NULL) {
        memset(ranked, 0, 4 * sizeof *ranked);
    }
    if (sodium_init() < 0) {
        return 0;
    }
    const unsigned *ranking = rankings[has_wide_gcm() ? 1 : 0];
    for (size_t i = 0; i < TERN_COUNT_OF(rankings[0]); i++) {
        if (tern_suite_find(ranking[i]) != NULL && is_offered(ranking[i])) {
            all |= ranking[i];
            if (ranked != NULL) {
                ranked[count] = ranking[i];
            }
            count++;
        }
    }
    return all;
}

/* 0 · TERN_ERR_UNSUPPORTED */
static int expand_key(struct tern_aead *aead, enum tern_engine engine, const struct tern_suite *row,
                      const uint8_t *key)
{
    if (engine == TERN_ENGINE_IPSEC_MB) {
#ifdef TERN_HAVE_IPSEC_MB
        if (row->bit == TERN_SUITE_AES_256_GCM && has_ipsec_mb()) {
            tern_gcm_expand(aead->key.gcm, key);
            return 0;
        }
#endif
        return TERN_ERR_UNSUPPORTED;
    }
    if (row->bit != TERN_SUITE_AES_256_GCM) {
        memcpy(aead->key.bytes, key, row->key_size);
        return 0;
    }
    if (crypto_aead_aes256gcm_is_available() == 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    return crypto_aead_aes256gcm_beforenm(&aead->key.aes, key) == 0 ? 0 : TERN_ERR_UNSUPPORTED;
}

int tern_aead_init_by(struct tern_aead *aead, enum tern_engine engine, unsigned suite,
                      const uint8_t *key)
{
    const struct tern_suite *row = tern_suite_find(suite);
    memset(aead, 0, sizeof *aead);
    if (row == NULL || sodium_init() < 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    int rc = expand_key(aead, engine, row, key);
    if (rc == 0) {
        aead->suite = row;
        aead->engine = engine;
    }
    return rc;
}

int tern_aead_init(struct tern_aead *aead, unsigned suite, const uint8_t *key)
{
    return tern_aead_init_by(aead, tern_suite_engine(suite), suite, key);
}

void tern_aead_clear(struct tern_aead *aead)
{
    sodium_memzero(aead, sizeof *aead);
}

void tern_aead_seal(const struct tern_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                    size_t ad_len, uint8_t *buf, size_t len)
{
    tern_assert(aead->suite != NULL);
    switch (aead->suite->bit) {
    case TERN_SUITE_CHACHA20_POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(buf, NULL, buf, len, ad, ad_len, NULL,
                                                        nonce, aead->key.bytes);
        break;
    case TERN_SUITE_AES_256_GCM:
#ifdef TERN_HAVE_IPSEC_MB
        if (aead->engine == TERN_ENGINE_IPSEC_MB) {
            tern_gcm_seal(aead->key.gcm, nonce, ad, ad_len, buf, len);
            break;
        }
#endif
        (void)crypto_aead_aes256gcm_encrypt_afternm(buf, NULL, buf, len, ad, ad_len, NULL, nonce,
                                                    &aead->key.aes);
        break;
#if HAS_AEGIS
    case TERN_SUITE_AEGIS_128L:
        (void)crypto_aead_aegis128l_encrypt(buf, NULL, buf, len, ad, ad_len, NULL, nonce,
                                            aead->key.bytes);
        break;
    case TERN_SUITE_AEGIS_256:
        (void)crypto_aead_aegis256_encrypt(buf, NULL, buf, len, ad, ad_len, NULL, nonce,
                                           aead->key.bytes);
        break;
#endif
    default:
        tern_assert(false); /* the table and this switch name the same suites */
        break;
    }
}

int tern_aead_open(const struct tern_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                   size_t ad_len, uint8_t *buf, size_t len)
{
    int rc = -1;
    if (aead->suite == NULL || len < aead->suite->tag_size) {
        return TERN_ERR_CRYPTO;
    }
    switch (aead->suite->bit) {
    case TERN_SUITE_CHACHA20_POLY1305:
        rc = crypto_aead_chacha20poly1305_ietf_decrypt(buf, NULL, NULL, buf, len, ad, ad_len, nonce,
                                                       aead->key.bytes);
        break;
    case TERN_SUITE_AES_256_GCM:
#ifdef TERN_HAVE_IPSEC_MB
        if (aead->engine == TERN_ENGINE_IPSEC_MB) {
            return tern_gcm_open(aead->key.gcm, nonce, ad, ad_len, buf, len - TERN_GCM_TAG_SIZE);
        }
#endif
        rc = crypto_aead_aes256gcm_decrypt_afternm(buf, NULL, NULL, buf, len, ad, ad_len, nonce,
                                                   &aead->key.aes);
        break;
#if HAS_AEGIS
    case TERN_SUITE_AEGIS_128L:
        rc = crypto_aead_aegis128l_decrypt(buf, NULL, NULL, buf, len, ad, ad_len, nonce,
                                           aead->key.bytes);
        break;
    case TERN_SUITE_AEGIS_256:
        rc = crypto_aead_aegis256_decrypt(buf, NULL, NULL, buf, len, ad, ad_len, nonce,
                                          aead->key.bytes);
        break;
#endif
    default:
        break;
    }
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

int tern_aead_check(const struct tern_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                    size_t ad_len, const uint8_t *sealed, size_t len)
{
    if (aead->suite == NULL || aead->suite->bit != TERN_SUITE_CHACHA20_POLY1305) {
        return TERN_ERR_UNSUPPORTED;
    }
    if (len < aead->suite->tag_size) {
        return TERN_ERR_CRYPTO;
    }
    size_t plain = len - aead->suite->tag_size;
    int rc = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
        NULL, NULL, sealed, plain, sealed + plain, ad, ad_len, nonce, aead->key.bytes);
    return rc == 0 ? 0 : TERN_ERR_CRYPTO;
}

void tern_mask_key_init(struct tern_mask_key *mask_key, const struct tern_suite *suite,
                        const uint8_t *key)
{
    memset(mask_key, 0, sizeof *mask_key);
    memcpy(mask_key->bytes, key, suite->mask_key_size);
    mask_key->is_siphash = suite->mask_key_size == SIPHASH_KEY_SIZE;
}

void tern_aead_mask(const struct tern_mask_key *mask_key, const uint8_t sample[TERN_SAMPLE_SIZE],
                    uint8_t mask[TERN_MASK_SIZE])
{
    if (mask_key->is_siphash) {
        uint8_t out[crypto_shorthash_siphash24_BYTES];
        (void)crypto_shorthash_siphash24(out, sample, TERN_SAMPLE_SIZE, mask_key->bytes);
        memcpy(mask, out, TERN_MASK_SIZE);
        return;
    }
    /* RFC 9001 §5.4.4: the sample is a little-endian block counter and a nonce. */
    static const uint8_t zeros[TERN_MASK_SIZE];
    uint32_t counter = (uint32_t)sample[0] | (uint32_t)sample[1] << 8 | (uint32_t)sample[2] << 16 |
                       (uint32_t)sample[3] << 24;
    (void)crypto_stream_chacha20_ietf_xor_ic(mask, zeros, TERN_MASK_SIZE, sample + 4, counter,
                                             mask_key->bytes);
}
