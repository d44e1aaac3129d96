/* The ledger of keys and nonces, and the memory of points.
 * SPDX-License-Identifier: MIT */
#include "model/seals.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define KEY_SIZE   32
#define NONCE_MAX  24
#define POINT_SIZE 32
#define CID_MAX    20

/* What one key and nonce sealed. Saying the very same bytes again gives nothing away.
 *
 * Initial keys follow from what everybody sees and keep no secret ([P §5.2]), and a message 1 that comes
 * once more when its connection is long confirmed begins another one with the same. There the sender's
 * identifier counts as part of the key: one connection still may not use a number twice. */
struct slot {
    uint8_t key[KEY_SIZE], nonce[NONCE_MAX], scid[CID_MAX];
};

struct seal {
    uint64_t run; /* the execution that it belongs to; others are empty places */
    struct slot slot;
    uint64_t content;
};

enum { SEALS = 1 << 13, POINTS = 1 << 14 };

static struct seal seals[SEALS];
static uint64_t run = 1, count;
static const char *broken;

void seals_reset(void)
{
    run++;
    count = 0;
    broken = NULL;
}

const char *seals_broken(void)
{
    return broken;
}

uint64_t seals_count(void)
{
    return count;
}

static uint64_t digest(const void *data, size_t len, uint64_t salt)
{
    uint8_t key[crypto_shorthash_KEYBYTES] = {0}, out[crypto_shorthash_BYTES];
    uint64_t value;
    memcpy(key, &salt, sizeof salt);
    (void)crypto_shorthash(out, data, len, key);
    memcpy(&value, out, sizeof value);
    return value;
}

/* The source identifier of an Initial packet's header, else nothing. [P §3] */
static void read_scid(uint8_t scid[CID_MAX], const uint8_t *ad, size_t ad_len)
{
    static const uint8_t version[] = {0x54, 0x52, 0x4e, 0x01};
    if (ad_len < 7 || (ad[0] & 0xb0) != 0x80 || memcmp(ad + 1, version, sizeof version) != 0) {
        return;
    }
    size_t at = 6 + (size_t)ad[5];
    if (at < ad_len && ad[at] <= CID_MAX && at + 1 + ad[at] <= ad_len) {
        memcpy(scid, ad + at + 1, ad[at]);
    }
}

static void note(const struct slot *slot, uint64_t content)
{
    size_t at = (size_t)(digest(slot, sizeof *slot, 0) % SEALS);
    while (seals[at].run == run) {
        if (memcmp(&seals[at].slot, slot, sizeof *slot) == 0) {
            broken = seals[at].content == content ? broken : "a nonce was used twice under one key";
            return;
        }
        at = (at + 1) % SEALS;
    }
    seals[at] = (struct seal){.run = run, .slot = *slot, .content = content};
    count++;
    if (count > SEALS / 2) {
        broken = "too many seals for one execution";
    }
}

static uint64_t content_of(const uint8_t *m, size_t m_len, const uint8_t *ad, size_t ad_len)
{
    static const uint8_t none[1];
    return digest(ad == NULL ? none : ad, ad_len, digest(m == NULL ? none : m, m_len, m_len));
}

static void note_call(const uint8_t *key, const uint8_t *nonce, size_t nonce_len, const uint8_t *m,
                      size_t m_len, const uint8_t *ad, size_t ad_len)
{
    struct slot slot = {.key = {0}};
    memcpy(slot.key, key, KEY_SIZE);
    memcpy(slot.nonce, nonce, nonce_len);
    read_scid(slot.scid, ad, ad_len);
    note(&slot, content_of(m, m_len, ad, ad_len));
}

/* --- in place of libsodium's --- */

/* The names are the linker's. */

#define SEAL_FN(name)                                                                              \
    int name(unsigned char *c, unsigned long long *c_len, const unsigned char *m,                  \
             unsigned long long m_len, const unsigned char *ad, unsigned long long ad_len,         \
             const unsigned char *nsec, const unsigned char *npub, const unsigned char *k)

SEAL_FN(__real_crypto_aead_chacha20poly1305_ietf_encrypt);
SEAL_FN(__wrap_crypto_aead_chacha20poly1305_ietf_encrypt);
SEAL_FN(__wrap_crypto_aead_chacha20poly1305_ietf_encrypt)
{
    note_call(k, npub, crypto_aead_chacha20poly1305_ietf_NPUBBYTES, m, m_len, ad, ad_len);
    return __real_crypto_aead_chacha20poly1305_ietf_encrypt(c, c_len, m, m_len, ad, ad_len, nsec,
                                                            npub, k);
}

SEAL_FN(__real_crypto_aead_xchacha20poly1305_ietf_encrypt);
SEAL_FN(__wrap_crypto_aead_xchacha20poly1305_ietf_encrypt);
SEAL_FN(__wrap_crypto_aead_xchacha20poly1305_ietf_encrypt)
{
    note_call(k, npub, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, m, m_len, ad, ad_len);
    return __real_crypto_aead_xchacha20poly1305_ietf_encrypt(c, c_len, m, m_len, ad, ad_len, nsec,
                                                             npub, k);
}

/* A product that was computed before; the newest of those that share a place stays. */
struct point {
    bool is_taken;
    uint8_t scalar[POINT_SIZE], base[POINT_SIZE], product[POINT_SIZE];
    int rc;
};

typedef int (*multiply_fn)(unsigned char *q, const unsigned char *n, const unsigned char *p);

static int multiply(struct point *points, multiply_fn real, unsigned char *q,
                    const unsigned char *n, const unsigned char *p)
{
    uint8_t both[2 * POINT_SIZE];
    memcpy(both, n, POINT_SIZE);
    memcpy(both + POINT_SIZE, p, POINT_SIZE);
    struct point *point = &points[digest(both, sizeof both, 0) % POINTS];
    if (!point->is_taken || memcmp(point->scalar, n, POINT_SIZE) != 0 ||
        memcmp(point->base, p, POINT_SIZE) != 0) {
        memcpy(point->scalar, n, POINT_SIZE);
        memcpy(point->base, p, POINT_SIZE);
        point->rc = real(point->product, point->scalar, point->base);
        point->is_taken = true;
    }
    memcpy(q, point->product, POINT_SIZE);
    return point->rc;
}

int __real_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
    static struct point points[POINTS];
    return multiply(points, __real_crypto_scalarmult, q, n, p);
}

int __wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n);
int __wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n)
{
    static const uint8_t nine[POINT_SIZE] = {9}; /* RFC 7748 §6.1 */
    return __wrap_crypto_scalarmult(q, n, nine);
}

int __real_crypto_scalarmult_ristretto255(unsigned char *q, const unsigned char *n,
                                          const unsigned char *p);
int __wrap_crypto_scalarmult_ristretto255(unsigned char *q, const unsigned char *n,
                                          const unsigned char *p);
int __wrap_crypto_scalarmult_ristretto255(unsigned char *q, const unsigned char *n,
                                          const unsigned char *p)
{
    static struct point points[POINTS];
    return multiply(points, __real_crypto_scalarmult_ristretto255, q, n, p);
}
