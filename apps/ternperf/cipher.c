/* The engines that tern takes, called without it.
 * SPDX-License-Identifier: MIT */
#include "ternperf/cipher.h"

#include <assert.h>
#include <string.h>
#include <tern/config.h>

#define NONCE_MAX 32

#ifdef TERN_HAVE_IPSEC_MB
static IMB_MGR *mb; /* NULL: not asked for yet, or not there */
#endif

static size_t tag_size(unsigned suite)
{
    switch (suite) {
    case TERN_SUITE_AES_256_GCM:
        return crypto_aead_aes256gcm_ABYTES;
    case TERN_SUITE_CHACHA20_POLY1305:
        return crypto_aead_chacha20poly1305_ietf_ABYTES;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        return crypto_aead_aegis128l_ABYTES;
    case TERN_SUITE_AEGIS_256:
        return crypto_aead_aegis256_ABYTES;
#endif
    default:
        return 0;
    }
}

#ifdef TERN_HAVE_IPSEC_MB
static void mb_init(struct cipher *c)
{
    const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    mb = mb == NULL ? alloc_mb_mgr(0) : mb;
    if (mb == NULL) {
        return; /* libsodium's then */
    }
    init_mb_mgr_auto(mb, NULL);
    c->is_mb = (mb->features & needed) == needed;
    if (c->is_mb) {
        mb->gcm256_pre(c->key, &c->gcm);
    }
}
#endif

void cipher_init(struct cipher *c, unsigned suite)
{
    memset(c, 0, sizeof *c);
    c->suite = suite;
    c->tag = tag_size(suite);
    if (suite == TERN_SUITE_AES_256_GCM) {
#ifdef TERN_HAVE_IPSEC_MB
        mb_init(c);
#endif
        (void)crypto_aead_aes256gcm_beforenm(&c->aes, c->key);
    }
}

static void seal_gcm(const struct cipher *c, uint8_t *packet, const uint8_t *from, size_t len,
                     const uint8_t *nonce)
{
    uint8_t *body = packet + CIPHER_HEADER;
#ifdef TERN_HAVE_IPSEC_MB
    if (c->is_mb) {
        struct gcm_context_data context;
        mb->gcm256_enc(&c->gcm, &context, body, from, len, nonce, packet, CIPHER_HEADER, body + len,
                       c->tag);
        return;
    }
#endif
    (void)crypto_aead_aes256gcm_encrypt_afternm(body, NULL, from, len, packet, CIPHER_HEADER, NULL,
                                                nonce, &c->aes);
}

#ifdef TERN_HAVE_IPSEC_MB
/* In constant time and by words, as tern does it: byte by byte it is a third of what opening takes. */
static bool is_same_tag(const uint8_t *a, const uint8_t *b)
{
    uint64_t x[2], y[2];
    static_assert(sizeof x == crypto_aead_aes256gcm_ABYTES, "two words");
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}
#endif

static bool open_gcm(const struct cipher *c, uint8_t *packet, size_t len, const uint8_t *nonce)
{
    uint8_t *body = packet + CIPHER_HEADER;
#ifdef TERN_HAVE_IPSEC_MB
    if (c->is_mb) {
        struct gcm_context_data context;
        uint8_t tag[crypto_aead_aes256gcm_ABYTES];
        size_t inside = len < sizeof tag ? 0 : len - sizeof tag;
        mb->gcm256_dec(&c->gcm, &context, body, body, inside, nonce, packet, CIPHER_HEADER, tag,
                       sizeof tag);
        return len >= sizeof tag && is_same_tag(tag, body + inside);
    }
#endif
    return crypto_aead_aes256gcm_decrypt_afternm(body, NULL, NULL, body, len, packet, CIPHER_HEADER,
                                                 nonce, &c->aes) == 0;
}

void cipher_seal(const struct cipher *c, uint8_t *packet, const uint8_t *from, size_t len,
                 uint64_t number)
{
    uint8_t nonce[NONCE_MAX] = {0};
    memcpy(nonce, &number, sizeof number);
    memcpy(packet + 1, &number, sizeof number);
    switch (c->suite) {
    case TERN_SUITE_AES_256_GCM:
        seal_gcm(c, packet, from, len, nonce);
        break;
    case TERN_SUITE_CHACHA20_POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(packet + CIPHER_HEADER, NULL, from, len,
                                                        packet, CIPHER_HEADER, NULL, nonce, c->key);
        break;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        (void)crypto_aead_aegis128l_encrypt(packet + CIPHER_HEADER, NULL, from, len, packet,
                                            CIPHER_HEADER, NULL, nonce, c->key);
        break;
    case TERN_SUITE_AEGIS_256:
        (void)crypto_aead_aegis256_encrypt(packet + CIPHER_HEADER, NULL, from, len, packet,
                                           CIPHER_HEADER, NULL, nonce, c->key);
        break;
#endif
    default:
        break;
    }
}

bool cipher_open(const struct cipher *c, uint8_t *packet, size_t len)
{
    uint8_t nonce[NONCE_MAX] = {0}, *body = packet + CIPHER_HEADER;
    memcpy(nonce, packet + 1, sizeof(uint64_t));
    len -= CIPHER_HEADER;
    switch (c->suite) {
    case TERN_SUITE_AES_256_GCM:
        return open_gcm(c, packet, len, nonce);
    case TERN_SUITE_CHACHA20_POLY1305:
        return crypto_aead_chacha20poly1305_ietf_decrypt(body, NULL, NULL, body, len, packet,
                                                         CIPHER_HEADER, nonce, c->key) == 0;
#if defined(crypto_aead_aegis128l_KEYBYTES) && defined(crypto_aead_aegis256_KEYBYTES)
    case TERN_SUITE_AEGIS_128L:
        return crypto_aead_aegis128l_decrypt(body, NULL, NULL, body, len, packet, CIPHER_HEADER,
                                             nonce, c->key) == 0;
    case TERN_SUITE_AEGIS_256:
        return crypto_aead_aegis256_decrypt(body, NULL, NULL, body, len, packet, CIPHER_HEADER,
                                            nonce, c->key) == 0;
#endif
    default:
        return false;
    }
}
