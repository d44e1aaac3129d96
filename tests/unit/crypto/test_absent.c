/* Machines that lack something: AES instructions, or a libsodium that starts. The linker puts these answers in
 * place of the true ones.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>

#include "crypto/aead.h"
#include "crypto/gcm.h"
#include "crypto/keys.h"
#include "crypto/symmetric.h"
#include "tern_test.h"

static bool has_aes, has_engine, does_start;

int __wrap_crypto_aead_aes256gcm_is_available(void);
int __real_crypto_aead_aes256gcm_is_available(void);
int __wrap_crypto_aead_aes256gcm_is_available(void)
{
    return has_aes ? __real_crypto_aead_aes256gcm_is_available() : 0;
}

int __wrap_sodium_init(void);
int __real_sodium_init(void);
int __wrap_sodium_init(void)
{
    return does_start ? __real_sodium_init() : -1;
}

enum tern_gcm_speed __wrap_tern_gcm_speed(void);
#ifdef TERN_HAVE_IPSEC_MB
enum tern_gcm_speed __real_tern_gcm_speed(void);
enum tern_gcm_speed __wrap_tern_gcm_speed(void)
{
    return has_engine ? __real_tern_gcm_speed() : TERN_GCM_ABSENT;
}
#endif

static int setup(void **state)
{
    (void)state;
    has_aes = has_engine = does_start = true;
    return __real_sodium_init() < 0 ? -1 : 0;
}

static const uint8_t key[TERN_AEAD_KEY_MAX] = {1, 2, 3};

static void assert_clear(const struct tern_packet_keys *keys)
{
    assert_int_equal(sodium_is_zero((const uint8_t *)keys, sizeof *keys), 1);
}

static void without_aes_there_is_chacha(void **state)
{
    unsigned ranked[4];
    struct tern_aead aead;
    (void)state;
    has_aes = has_engine = false;
    unsigned all = tern_suites_available(ranked);
    assert_int_equal(all & (TERN_SUITE_AES_256_GCM | TERN_SUITE_CHACHA20_POLY1305),
                     TERN_SUITE_CHACHA20_POLY1305);
    for (size_t i = 0; i < TERN_COUNT_OF(ranked); i++) {
        assert_int_not_equal(ranked[i], TERN_SUITE_AES_256_GCM);
    }
    assert_int_equal(tern_suite_engine(TERN_SUITE_AES_256_GCM), TERN_ENGINE_SODIUM);
    assert_int_equal(tern_aead_init(&aead, TERN_SUITE_AES_256_GCM, key), TERN_ERR_UNSUPPORTED);
    assert_null(aead.suite);
    int rc = tern_aead_init_by(&aead, TERN_ENGINE_IPSEC_MB, TERN_SUITE_AES_256_GCM, key);
    assert_int_equal(rc, TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_aead_init(&aead, TERN_SUITE_CHACHA20_POLY1305, key), 0);
    assert_false(tern_noise_cipher_is_available(TERN_NOISE_AESGCM));
    assert_true(tern_noise_cipher_is_available(TERN_NOISE_CHACHAPOLY));
}

/* libsodium's own AES-GCM takes the place of the faster one. */
static void without_the_engine_libsodium_seals(void **state)
{
    struct tern_aead aead;
    (void)state;
    has_engine = false;
    if (__real_crypto_aead_aes256gcm_is_available() == 0) {
        skip_because("libsodium has no AES-GCM on this processor");
    }
    assert_int_equal(tern_suite_engine(TERN_SUITE_AES_256_GCM), TERN_ENGINE_SODIUM);
    assert_int_equal(tern_aead_init(&aead, TERN_SUITE_AES_256_GCM, key), 0);
    assert_int_equal(aead.engine, TERN_ENGINE_SODIUM);
}

/* A suite that this machine cannot do leaves nothing of a secret behind. */
static void keys_that_cannot_be_made_are_clear(void **state)
{
    struct tern_packet_keys keys, next;
    struct tern_packet_seed seed;
    (void)state;
    int rc = tern_packet_keys_init(&keys, TERN_SUITE_AES_256_GCM, key);
    if (rc != 0) {
        skip_because("libsodium has no AES-GCM on this processor");
    }
    tern_packet_keys_fold(&seed, &keys);
    has_aes = has_engine = false;
    memset(&next, 0x55, sizeof next);
    struct tern_packet_keys before = next;
    assert_int_equal(tern_packet_keys_update(&next, &keys), TERN_ERR_UNSUPPORTED);
    assert_memory_equal(&next, &before, sizeof next);
    assert_int_equal(tern_packet_keys_unfold(&next, &seed), TERN_ERR_UNSUPPORTED);
    assert_clear(&next);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_AES_256_GCM, key),
                     TERN_ERR_UNSUPPORTED);
    assert_clear(&keys);
    seed.suite = 0;
    assert_int_equal(tern_packet_keys_unfold(&next, &seed), TERN_ERR_UNSUPPORTED);
    assert_clear(&next);
}

static void a_libsodium_that_does_not_start_gives_nothing(void **state)
{
    unsigned ranked[4] = {1, 1, 1, 1};
    struct tern_aead aead;
    char code[TERN_CODE_SIZE];
    (void)state;
    does_start = false;
    assert_int_equal(tern_suites_available(ranked), 0);
    assert_int_equal(ranked[0], 0);
    assert_int_equal(tern_aead_init(&aead, TERN_SUITE_CHACHA20_POLY1305, key),
                     TERN_ERR_UNSUPPORTED);
    assert_false(tern_noise_cipher_is_available(TERN_NOISE_CHACHAPOLY));
    assert_int_equal(tern_code_generate(code), TERN_ERR_UNSUPPORTED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(without_aes_there_is_chacha, setup),
    cmocka_unit_test_setup(without_the_engine_libsodium_seals, setup),
    cmocka_unit_test_setup(keys_that_cannot_be_made_are_clear, setup),
    cmocka_unit_test_setup(a_libsodium_that_does_not_start_gives_nothing, setup),
};

TERN_TEST_MAIN(tests)
