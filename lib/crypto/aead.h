/* Packet ciphers: the table of suites, the engines behind them, sealing and opening in place, and the
 * header mask.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_AEAD_H
#define TERN_CRYPTO_AEAD_H

#include <sodium.h>

#include <tern/config.h>

#include "base/def.h"
#include "crypto/gcm.h"

#define TERN_AEAD_KEY_MAX   32
#define TERN_AEAD_NONCE_MAX 32
#define TERN_AEAD_TAG_MAX   32
#define TERN_SAMPLE_SIZE    16 /* RFC 9001 §5.4.2 */
#define TERN_MASK_SIZE      5

/* What one suite needs and how long its keys last. */
struct tern_suite {
    const char *name;
    uint64_t seal_limit; /* packets that one key may seal: confidentiality */
    uint64_t open_limit; /* forgeries that one connection may see: integrity */
    uint16_t bit;        /* TERN_SUITE_* */
    uint8_t key_size, nonce_size, tag_size;
    uint8_t mask_key_size; /* 32: ChaCha20 masks the header; 16: SipHash-2-4 does */
};

/* The row of a suite bit, or NULL when the bit names no suite or this build lacks it. */
const struct tern_suite *tern_suite_find(unsigned suite);

/* Shortcuts into that row; 0 for an unknown suite. */
size_t tern_suite_tag_size(unsigned suite);
uint64_t tern_suite_seal_limit(unsigned suite);
uint64_t tern_suite_open_limit(unsigned suite);

/* Whose code does the work. What one engine seals another opens. */
enum tern_engine {
    TERN_ENGINE_SODIUM,  /* every suite, on every processor that has the instructions */
    TERN_ENGINE_IPSEC_MB /* AES-256-GCM, where the build and the processor have it */
};

/* The one that tern_aead_init takes for a suite. */
enum tern_engine tern_suite_engine(unsigned suite);

/* One key, expanded for one direction. AES-GCM tables want 16-byte alignment, so whoever embeds
 * this must live in memory that is aligned for it; malloc's is on every 64-bit system. */
struct tern_aead {
    _Alignas(16) union {
        uint8_t bytes[TERN_AEAD_KEY_MAX];
        crypto_aead_aes256gcm_state aes;
#ifdef TERN_HAVE_IPSEC_MB
        uint8_t gcm[TERN_GCM_ROOM];
#endif
    } key;
    const struct tern_suite *suite; /* NULL: cleared, opens nothing */
    enum tern_engine engine;
};

/* 0 · TERN_ERR_UNSUPPORTED (this build or machine lacks the suite) */
TERN_MUST_CHECK int tern_aead_init(struct tern_aead *aead, unsigned suite, const uint8_t *key);
/* By a certain engine, so that they can be compared. 0 · TERN_ERR_UNSUPPORTED (it lacks the suite) */
TERN_MUST_CHECK int tern_aead_init_by(struct tern_aead *aead, enum tern_engine engine,
                                      unsigned suite, const uint8_t *key);
void tern_aead_clear(struct tern_aead *aead); /* wipes; may be cleared or zeroed already */

/* Encrypts len bytes of buf in place and appends the tag: buf has room for len + tag_size. The
 * nonce is nonce_size bytes and never used twice. */
void tern_aead_seal(const struct tern_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                    size_t ad_len, uint8_t *buf, size_t len);

/* Opens len bytes, tag included, in place; len - tag_size bytes of plaintext remain. On failure
 * the bytes of buf are spent. 0 · TERN_ERR_CRYPTO */
TERN_MUST_CHECK int tern_aead_open(const struct tern_aead *aead, const uint8_t *nonce,
                                   const uint8_t *ad, size_t ad_len, uint8_t *buf, size_t len);

/* Whether they would open, without opening them, which is half of the work. ChaCha20-Poly1305 alone.
 * 0 · TERN_ERR_CRYPTO · TERN_ERR_UNSUPPORTED (another suite) */
TERN_MUST_CHECK int tern_aead_check(const struct tern_aead *aead, const uint8_t *nonce,
                                    const uint8_t *ad, size_t ad_len, const uint8_t *sealed,
                                    size_t len);

/* The key that hides packet numbers. It outlives key updates (RFC 9001 §6). */
struct tern_mask_key {
    uint8_t bytes[32];
    bool is_siphash;
};

/* The suite must be one that tern_suite_find knows; the key is its mask_key_size bytes. */
void tern_mask_key_init(struct tern_mask_key *mask_key, const struct tern_suite *suite,
                        const uint8_t *key);

void tern_aead_mask(const struct tern_mask_key *mask_key, const uint8_t sample[TERN_SAMPLE_SIZE],
                    uint8_t mask[TERN_MASK_SIZE]);

#endif
