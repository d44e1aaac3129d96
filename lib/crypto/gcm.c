/* The functions of intel-ipsec-mb that suit the processor, and calls to them.
 * SPDX-License-Identifier: MIT */
#include "crypto/gcm.h"

#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdatomic.h>

#define FEATURES_NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ)
#define FEATURES_WIDE   (IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ)

_Static_assert(sizeof(struct gcm_key_data) <= TERN_GCM_ROOM, "room for a key");

#define UNKNOWN (-1)

/* Written before `speed` is, always with the same values: threads that come first together do the same
 * work, and whoever has seen the speed sees the functions. */
static atomic_int speed = UNKNOWN;
static _Atomic(aes_gcm_pre_t) expand_with;
static _Atomic(aes_gcm_enc_dec_t) seal_with, open_with;

static bool is_sound(const IMB_MGR *mgr)
{
    uint64_t features = mgr->features;
#ifdef IMB_FEATURE_SELF_TEST
    if ((features & IMB_FEATURE_SELF_TEST) != 0 && (features & IMB_FEATURE_SELF_TEST_PASS) == 0) {
        return false;
    }
#endif
#ifdef IMB_FEATURE_AESNI_EMU
    if ((features & IMB_FEATURE_AESNI_EMU) != 0) {
        return false; /* tables in place of instructions: slow, and they tell the cache about the key */
    }
#endif
    return (features & FEATURES_NEEDED) == FEATURES_NEEDED && mgr->gcm256_pre != NULL &&
           mgr->gcm256_enc != NULL && mgr->gcm256_dec != NULL;
}

/* A manager is 200 KB, and all that we want of it are three of its members. */
static int find_widest(void)
{
    int found = TERN_GCM_ABSENT;
    IMB_MGR *mgr = alloc_mb_mgr(0);
    if (mgr == NULL) {
        return found;
    }
    init_mb_mgr_auto(mgr, NULL);
    if (is_sound(mgr)) {
        bool is_wide = (mgr->features & FEATURES_WIDE) == FEATURES_WIDE;
        found = is_wide ? TERN_GCM_WIDE : TERN_GCM_NARROW;
        atomic_store_explicit(&expand_with, mgr->gcm256_pre, memory_order_relaxed);
        atomic_store_explicit(&seal_with, mgr->gcm256_enc, memory_order_relaxed);
        atomic_store_explicit(&open_with, mgr->gcm256_dec, memory_order_relaxed);
    }
    free_mb_mgr(mgr);
    return found;
}

enum tern_gcm_speed tern_gcm_speed(void)
{
    int known = atomic_load_explicit(&speed, memory_order_acquire);
    if (known == UNKNOWN) {
        known = find_widest();
        atomic_store_explicit(&speed, known, memory_order_release);
    }
    return (enum tern_gcm_speed)known;
}

/* The library reads and writes it byte by byte or without asking for alignment. */
static const struct gcm_key_data *key_in(const uint8_t room[TERN_GCM_ROOM])
{
    return (const struct gcm_key_data *)(const void *)room;
}

void tern_gcm_expand(uint8_t room[TERN_GCM_ROOM], const uint8_t key[TERN_GCM_KEY_SIZE])
{
    aes_gcm_pre_t expand = atomic_load_explicit(&expand_with, memory_order_relaxed);
    expand(key, (struct gcm_key_data *)(void *)room);
}

void tern_gcm_seal(const uint8_t room[TERN_GCM_ROOM], const uint8_t nonce[TERN_GCM_NONCE_SIZE],
                   const uint8_t *ad, size_t ad_len, uint8_t *buf, size_t len)
{
    struct gcm_context_data context;
    aes_gcm_enc_dec_t seal = atomic_load_explicit(&seal_with, memory_order_relaxed);
    seal(key_in(room), &context, buf, buf, len, nonce, ad, ad_len, buf + len, TERN_GCM_TAG_SIZE);
}

/* In constant time, as sodium_memcmp, which takes the bytes one by one: a tenth of what opening takes. */
static bool is_same_tag(const uint8_t *a, const uint8_t *b)
{
    uint64_t x[2], y[2];
    static_assert(sizeof x == TERN_GCM_TAG_SIZE, "two words");
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

int tern_gcm_open(const uint8_t room[TERN_GCM_ROOM], const uint8_t nonce[TERN_GCM_NONCE_SIZE],
                  const uint8_t *ad, size_t ad_len, uint8_t *buf, size_t len)
{
    struct gcm_context_data context;
    uint8_t tag[TERN_GCM_TAG_SIZE];
    aes_gcm_enc_dec_t open = atomic_load_explicit(&open_with, memory_order_relaxed);
    open(key_in(room), &context, buf, buf, len, nonce, ad, ad_len, tag, sizeof tag);
    if (!is_same_tag(tag, buf + len)) {
        sodium_memzero(buf, len); /* what nobody has vouched for */
        return TERN_ERR_CRYPTO;
    }
    return 0;
}
