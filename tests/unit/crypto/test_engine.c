/* Tests of the engines behind crypto/aead: each is the other's oracle, byte for byte.
 * SPDX-License-Identifier: MIT */
#include "crypto/aead.h"

#include <pthread.h>

#include "tern_test.h"

#ifdef TERN_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#define LEN_MAX 2000
#define TAG     16

static const enum tern_engine engines[] = {TERN_ENGINE_SODIUM, TERN_ENGINE_IPSEC_MB};

struct both {
    struct tern_aead by[2];
    uint8_t key[32], nonce[12], ad[80];
};

/* A machine with one engine for AES-GCM, or none, has nothing to compare. */
static void init_both(struct both *b)
{
    randombytes_buf(b, sizeof *b);
    for (size_t i = 0; i < 2; i++) {
        if (tern_aead_init_by(&b->by[i], engines[i], TERN_SUITE_AES_256_GCM, b->key) != 0) {
            skip_because("there are no two engines for AES-GCM here");
        }
        assert_int_equal(b->by[i].engine, engines[i]);
    }
}

static void the_faster_one_is_taken(void **state)
{
    (void)state;
    const uint8_t key[TERN_AEAD_KEY_MAX] = {0};
    struct tern_aead aead;
    assert_int_equal(tern_suite_engine(TERN_SUITE_CHACHA20_POLY1305), TERN_ENGINE_SODIUM);
    int rc = tern_aead_init_by(&aead, TERN_ENGINE_IPSEC_MB, TERN_SUITE_CHACHA20_POLY1305, key);
    assert_int_equal(rc, TERN_ERR_UNSUPPORTED);
    assert_null(aead.suite);
    rc = tern_aead_init_by(&aead, TERN_ENGINE_IPSEC_MB, TERN_SUITE_AES_256_GCM, key);
    assert_int_equal(tern_suite_engine(TERN_SUITE_AES_256_GCM),
                     rc == 0 ? TERN_ENGINE_IPSEC_MB : TERN_ENGINE_SODIUM);
    if (tern_aead_init(&aead, TERN_SUITE_AES_256_GCM, key) == 0) {
        assert_int_equal(aead.engine, tern_suite_engine(TERN_SUITE_AES_256_GCM));
    }
}

/* What is ranked first is what is fastest here: AES-GCM if it is wide, else AEGIS where it is. */
static void engines_decide_the_ranking(void **state)
{
    unsigned ranked[4], first = TERN_SUITE_CHACHA20_POLY1305;
    (void)state;
    unsigned all = tern_suites_available(ranked);
    bool is_wide = false;
#ifdef TERN_HAVE_IPSEC_MB
    is_wide = tern_gcm_speed() == TERN_GCM_WIDE;
#endif
    if ((all & TERN_SUITE_AEGIS_128L) != 0 && !is_wide) {
        first = TERN_SUITE_AEGIS_128L;
    } else if ((all & TERN_SUITE_AES_256_GCM) != 0) {
        first = TERN_SUITE_AES_256_GCM;
    }
    assert_int_equal(ranked[0], first);
}

/* Seals by both, at whatever alignment, and opens what the other has sealed. The buffers end where the
 * page does, so that who reads or writes beyond dies of it: sanitizers see nothing of what assembler does. */
static void seal_and_open(const struct both *b, size_t len, size_t ad_len)
{
    uint8_t plaintext[LEN_MAX], *bufs[2], *ad = sodium_malloc(ad_len + 1);
    randombytes_buf(plaintext, len);
    assert_non_null(ad);
    memcpy(ad + 1, b->ad, ad_len);
    for (size_t i = 0; i < 2; i++) {
        bufs[i] = sodium_malloc(len + TAG);
        assert_non_null(bufs[i]);
        memcpy(bufs[i], plaintext, len);
        tern_aead_seal(&b->by[i], b->nonce, ad + 1, ad_len, bufs[i], len);
    }
    assert_memory_equal(bufs[0], bufs[1], len + TAG);
    for (size_t i = 0; i < 2; i++) {
        const struct tern_aead *other = &b->by[1 - i];
        assert_int_equal(tern_aead_open(other, b->nonce, ad + 1, ad_len, bufs[i], len + TAG), 0);
        assert_memory_equal(bufs[i], plaintext, len);
        sodium_free(bufs[i]);
    }
    sodium_free(ad);
}

static void what_one_seals_the_other_opens(void **state)
{
    struct both b;
    (void)state;
    init_both(&b);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        sodium_increment(b.nonce, sizeof b.nonce);
        seal_and_open(&b, len, len % sizeof b.ad);
    }
    for (size_t ad_len = 0; ad_len <= sizeof b.ad; ad_len++) {
        seal_and_open(&b, 1200, ad_len);
    }
}

static void no_ad_need_not_be_anywhere(void **state)
{
    struct both b;
    uint8_t bufs[2][100 + TAG] = {{0}};
    (void)state;
    init_both(&b);
    for (size_t i = 0; i < 2; i++) {
        tern_aead_seal(&b.by[i], b.nonce, NULL, 0, bufs[i], 100);
    }
    assert_memory_equal(bufs[0], bufs[1], sizeof bufs[0]);
    assert_int_equal(tern_aead_open(&b.by[1], b.nonce, NULL, 0, bufs[0], sizeof bufs[0]), 0);
}

static void large_ones_agree(void **state)
{
    static uint8_t bufs[2][65535 + TAG];
    struct both b;
    (void)state;
    init_both(&b);
    for (size_t i = 0; i < 2; i++) {
        memset(bufs[i], 7, sizeof bufs[i]);
        tern_aead_seal(&b.by[i], b.nonce, b.ad, sizeof b.ad, bufs[i], 65535);
    }
    assert_memory_equal(bufs[0], bufs[1], sizeof bufs[0]);
}

static size_t count_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t equal = 0;
    for (size_t i = 0; i < len; i++) {
        equal += a[i] == b[i];
    }
    return equal;
}

/* Whichever bit of the tag is wrong: what is in the buffer then agrees with the plaintext in one byte of
 * 256, as anything does. */
static void forgeries_leave_no_plaintext(void **state)
{
    struct both b;
    uint8_t plaintext[333], sealed[333 + TAG], copy[sizeof sealed];
    (void)state;
    init_both(&b);
    randombytes_buf(plaintext, sizeof plaintext);
    memcpy(sealed, plaintext, sizeof plaintext);
    tern_aead_seal(&b.by[0], b.nonce, b.ad, sizeof b.ad, sealed, 333);
    for (size_t i = 0; i < 2; i++) {
        for (size_t bit = 0; bit < 8 * TAG; bit++) {
            memcpy(copy, sealed, sizeof copy);
            copy[333 + bit / 8] ^= (uint8_t)(1U << bit % 8);
            int rc = tern_aead_open(&b.by[i], b.nonce, b.ad, sizeof b.ad, copy, sizeof copy);
            assert_int_equal(rc, TERN_ERR_CRYPTO);
            assert_true(count_equal(copy, plaintext, sizeof plaintext) < 40);
        }
        for (size_t len = 0; len < TAG; len++) {
            int rc = tern_aead_open(&b.by[i], b.nonce, b.ad, sizeof b.ad, copy, len);
            assert_int_equal(rc, TERN_ERR_CRYPTO);
        }
    }
}

/* Keys are copied about, as those of the next phase are. */
static void keys_can_be_moved(void **state)
{
    struct both b;
    uint8_t want[1200 + TAG] = {0}, have[1200 + TAG];
    (void)state;
    init_both(&b);
    tern_aead_seal(&b.by[0], b.nonce, b.ad, sizeof b.ad, want, 1200);
    for (size_t shift = 0; shift < 128; shift += 16) {
        _Alignas(64) uint8_t shelf[sizeof(struct tern_aead) + 128];
        struct tern_aead *moved = (struct tern_aead *)(void *)(shelf + shift);
        memcpy(moved, &b.by[1], sizeof *moved);
        memset(have, 0, sizeof have);
        tern_aead_seal(moved, b.nonce, b.ad, sizeof b.ad, have, 1200);
        assert_memory_equal(have, want, sizeof have);
        assert_int_equal(tern_aead_open(moved, b.nonce, b.ad, sizeof b.ad, have, sizeof have), 0);
        tern_aead_clear(moved);
        assert_true(sodium_is_zero(shelf + shift, sizeof *moved) == 1);
    }
}

static void *first_of_many(void *arg)
{
    uint8_t key[32] = {1}, nonce[12] = {2};
    struct tern_aead aead;
    (void)tern_suites_available(NULL);
    if (tern_aead_init(&aead, TERN_SUITE_AES_256_GCM, key) == 0) {
        tern_aead_seal(&aead, nonce, NULL, 0, arg, 64);
    }
    return NULL;
}

/* Each may be the one that finds out about the processor (this is alone in its process). */
static void threads_begin_together(void **state)
{
    enum { MANY = 4 };
    uint8_t bufs[MANY][64 + TAG] = {{0}};
    pthread_t threads[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, first_of_many, bufs[i]), 0);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(bufs[i], bufs[0], sizeof bufs[0]);
    }
}

#ifdef TERN_HAVE_IPSEC_MB
static void check_kernels(const IMB_MGR *mgr)
{
    _Alignas(64) uint8_t shelf[TERN_GCM_ROOM + 64];
    struct gcm_key_data *room = (struct gcm_key_data *)(void *)(shelf + 16);
    struct gcm_context_data context;
    struct both b;
    init_both(&b);
    mgr->gcm256_pre(b.key, room);
    for (size_t len = 0; len <= LEN_MAX; len += 1 + len / 300) {
        uint8_t tag[TAG], want[LEN_MAX + TAG] = {0}, *have = sodium_malloc(len + TAG);
        assert_non_null(have);
        memset(have, 0, len);
        tern_aead_seal(&b.by[0], b.nonce, b.ad, len % 80, want, len);
        mgr->gcm256_enc(room, &context, have, have, len, b.nonce, b.ad, len % 80, have + len, TAG);
        assert_memory_equal(have, want, len + TAG);
        mgr->gcm256_dec(room, &context, have, have, len, b.nonce, b.ad, len % 80, tag, TAG);
        assert_memory_equal(tag, want + len, TAG);
        assert_true(sodium_is_zero(have, len) == 1);
        sodium_free(have);
    }
}
#endif

/* Those for lesser processors, too, with keys no better aligned than ours are. */
static void every_kernel_agrees(void **state)
{
    (void)state;
#ifdef TERN_HAVE_IPSEC_MB
    static const struct {
        void (*init)(IMB_MGR *);
        uint64_t needs;
    } kernels[] = {{init_mb_mgr_sse, IMB_CPUFLAGS_SSE},
                   {init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2},
                   {init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512}};
    IMB_MGR *mgr = alloc_mb_mgr(0);
    assert_non_null(mgr);
    init_mb_mgr_auto(mgr, NULL);
    uint64_t features = mgr->features;
    for (size_t i = 0; i < TERN_COUNT_OF(kernels); i++) {
        if ((features & kernels[i].needs) == kernels[i].needs) {
            kernels[i].init(mgr);
            check_kernels(mgr);
        }
    }
    free_mb_mgr(mgr);
#else
    skip_because("built without intel-ipsec-mb");
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_faster_one_is_taken),
    cmocka_unit_test(engines_decide_the_ranking),
    cmocka_unit_test(what_one_seals_the_other_opens),
    cmocka_unit_test(no_ad_need_not_be_anywhere),
    cmocka_unit_test(large_ones_agree),
    cmocka_unit_test(forgeries_leave_no_plaintext),
    cmocka_unit_test(keys_can_be_moved),
    cmocka_unit_test(threads_begin_together),
    cmocka_unit_test(every_kernel_agrees),
};

TERN_TEST_MAIN(tests)
