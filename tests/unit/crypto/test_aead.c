/* Tests of crypto/aead: published vectors, every size, every tampered byte, the header masks.
 * SPDX-License-Identifier: MIT */
#include "crypto/aead.h"

#include <stdlib.h>

#include "hex.h"

/* Runs a check for every suite that this machine has, by each engine that has it. */
static void for_each_suite(void (*check)(const struct tern_suite *suite, struct tern_aead *aead))
{
    unsigned ranked[4], ran = 0;
    uint8_t key[TERN_AEAD_KEY_MAX];
    (void)tern_suites_available(ranked);
    randombytes_buf(key, sizeof key);
    for (size_t i = 0; i < 8; i++) {
        enum tern_engine engine = i < 4 ? TERN_ENGINE_SODIUM : TERN_ENGINE_IPSEC_MB;
        struct tern_aead aead;
        if (tern_aead_init_by(&aead, engine, ranked[i % 4], key) == 0) {
            check(tern_suite_find(ranked[i % 4]), &aead);
            ran |= ranked[i % 4];
        }
        tern_aead_clear(&aead);
        assert_true(sodium_is_zero((const uint8_t *)&aead, sizeof aead) == 1);
    }
    assert_int_equal(ran, tern_suites_available(NULL));
}

static void chacha_is_always_there_and_ranked_last(void **state)
{
    unsigned ranked[4], all = 0, rank = 0;
    (void)state;
    unsigned available = tern_suites_available(ranked);
    assert_int_equal(tern_suites_available(NULL), available);
    assert_true((available & TERN_SUITE_CHACHA20_POLY1305) != 0);
    for (size_t i = 0; i < 4; i++) {
        all |= ranked[i];
        if (ranked[i] != 0) {
            assert_int_equal(rank, i); /* no gap */
            rank++;
            assert_non_null(tern_suite_find(ranked[i]));
        }
    }
    assert_int_equal(all, available);
    assert_int_equal(ranked[rank - 1], TERN_SUITE_CHACHA20_POLY1305);
}

static void suites_have_names(void **state)
{
    unsigned ranked[4];
    (void)state;
    assert_string_equal(tern_suite_name(TERN_SUITE_CHACHA20_POLY1305), "chacha20-poly1305");
    assert_string_equal(tern_suite_name(TERN_SUITE_AES_256_GCM), "aes-256-gcm");
    assert_string_equal(tern_suite_name(TERN_SUITE_AEGIS_128L), "aegis-128l");
    assert_string_equal(tern_suite_name(TERN_SUITE_AEGIS_256), "aegis-256");
    assert_null(tern_suite_name(0));
    assert_null(tern_suite_name(TERN_SUITE_CHACHA20_POLY1305 | TERN_SUITE_AES_256_GCM));
    (void)tern_suites_available(ranked);
    for (size_t i = 0; i < 4 && ranked[i] != 0; i++) {
        assert_string_equal(tern_suite_name(ranked[i]), tern_suite_find(ranked[i])->name);
    }
}

/* RFC 9001 §6.6 */
static void limits_are_those_of_rfc9001(void **state)
{
    (void)state;
    assert_true(tern_suite_seal_limit(TERN_SUITE_AES_256_GCM) == UINT64_C(1) << 23);
    assert_true(tern_suite_open_limit(TERN_SUITE_AES_256_GCM) == UINT64_C(1) << 52);
    assert_true(tern_suite_open_limit(TERN_SUITE_CHACHA20_POLY1305) == UINT64_C(1) << 36);
    assert_true(tern_suite_seal_limit(TERN_SUITE_CHACHA20_POLY1305) >= (UINT64_C(1) << 62) - 1);
    assert_int_equal(tern_suite_tag_size(TERN_SUITE_CHACHA20_POLY1305), 16);
    assert_int_equal(tern_suite_tag_size(0x4000), 0);
    assert_true(tern_suite_seal_limit(0x4000) == 0);
    assert_true(tern_suite_open_limit(0x4000) == 0);
}

static void unknown_suites_are_refused(void **state)
{
    const uint8_t key[TERN_AEAD_KEY_MAX] = {0};
    uint8_t buf[64] = {0};
    struct tern_aead aead;
    (void)state;
    assert_int_equal(tern_aead_init(&aead, 0, key), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_aead_init(&aead, 3, key), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_aead_init(&aead, 0x8000, key), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_aead_open(&aead, key, NULL, 0, buf, sizeof buf), TERN_ERR_CRYPTO);
}

struct known {
    unsigned suite;
    const char *key, *nonce, *ad, *plaintext, *sealed;
};

static void check_known_by(enum tern_engine engine, const struct known *known)
{
    uint8_t key[32], nonce[32], ad[64], plaintext[256], buf[256];
    struct tern_aead aead;
    hex_read(key, sizeof key, known->key);
    hex_read(nonce, sizeof nonce, known->nonce);
    size_t ad_len = hex_read(ad, sizeof ad, known->ad);
    size_t len = hex_read(plaintext, sizeof plaintext, known->plaintext);
    assert_int_equal(tern_aead_init_by(&aead, engine, known->suite, key), 0);
    memcpy(buf, plaintext, len);
    tern_aead_seal(&aead, nonce, ad, ad_len, buf, len);
    assert_hex_equal(buf, len + tern_suite_tag_size(known->suite), known->sealed);
    int rc = tern_aead_open(&aead, nonce, ad, ad_len, buf, len + tern_suite_tag_size(known->suite));
    assert_int_equal(rc, 0);
    assert_memory_equal(buf, plaintext, len);
    tern_aead_clear(&aead);
}

static void check_known(const struct known *known)
{
    if ((tern_suites_available(NULL) & known->suite) == 0) {
        skip_because("this libsodium, or this processor, does not have the cipher");
    }
    if (tern_suite_engine(known->suite) != TERN_ENGINE_SODIUM) {
        check_known_by(tern_suite_engine(known->suite), known);
    }
    check_known_by(TERN_ENGINE_SODIUM, known);
}

/* RFC 8439 §2.8.2 */
static void chacha_matches_rfc8439(void **state)
{
    (void)state;
    check_known(&(struct known){
        TERN_SUITE_CHACHA20_POLY1305,
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
        "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620"
        "49"
        "20636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c"
        "20"
        "73756e73637265656e20776f756c642062652069742e",
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da"
        "92"
        "728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594558580"
        "8b"
        "4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"});
}

/* The GCM specification of McGrew and Viega, test case 16 */
static void aes_gcm_matches_its_specification(void **state)
{
    (void)state;
    check_known(&(struct known){
        TERN_SUITE_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
        "a6"
        "b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
        "82"
        "8838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"});
}

/* The buffer is exactly as large as promised, so that a sanitizer sees one byte too many. */
static void round_trip(const struct tern_suite *suite, struct tern_aead *aead, size_t len)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX] = {0}, *plaintext = malloc(len + 1);
    uint8_t *ad = malloc(len % 64 + 1), *buf = malloc(len + suite->tag_size);
    assert_true(plaintext != NULL && ad != NULL && buf != NULL);
    randombytes_buf(plaintext, len);
    randombytes_buf(ad, len % 64);
    memcpy(nonce, &len, sizeof len);
    memcpy(buf, plaintext, len);
    tern_aead_seal(aead, nonce, ad, len % 64, buf, len);
    assert_true(len < 16 || memcmp(buf, plaintext, len) != 0);
    assert_int_equal(tern_aead_open(aead, nonce, ad, len % 64, buf, len + suite->tag_size), 0);
    assert_memory_equal(buf, plaintext, len);
    free(plaintext);
    free(ad);
    free(buf);
}

static void round_trips(const struct tern_suite *suite, struct tern_aead *aead)
{
    for (size_t len = 0; len <= 2000; len++) {
        round_trip(suite, aead, len);
    }
    round_trip(suite, aead, 65535);
}

static void every_size_goes_round(void **state)
{
    (void)state;
    for_each_suite(round_trips);
}

static bool opens(const struct tern_aead *aead, const uint8_t *nonce, const uint8_t *ad,
                  size_t ad_len, const uint8_t *sealed, size_t len)
{
    uint8_t copy[256];
    int asked = tern_aead_check(aead, nonce, ad, ad_len, sealed, len);
    memcpy(copy, sealed, len);
    int rc = tern_aead_open(aead, nonce, ad, ad_len, copy, len);
    bool can_ask = aead->suite->bit == TERN_SUITE_CHACHA20_POLY1305;
    assert_int_equal(asked, can_ask ? rc : TERN_ERR_UNSUPPORTED);
    return rc == 0;
}

static void tamper(const struct tern_suite *suite, struct tern_aead *aead)
{
    uint8_t nonce[TERN_AEAD_NONCE_MAX], ad[20], sealed[100 + TERN_AEAD_TAG_MAX];
    size_t len = 100 + suite->tag_size;
    randombytes_buf(nonce, sizeof nonce);
    randombytes_buf(ad, sizeof ad);
    randombytes_buf(sealed, sizeof sealed);
    tern_aead_seal(aead, nonce, ad, sizeof ad, sealed, 100);
    assert_true(opens(aead, nonce, ad, sizeof ad, sealed, len));
    uint8_t *const parts[] = {sealed, ad, nonce};
    const size_t sizes[] = {len, sizeof ad, suite->nonce_size};
    for (size_t part = 0; part < 3; part++) {
        for (size_t bit = 0; bit < 8 * sizes[part]; bit++) {
            parts[part][bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_false(opens(aead, nonce, ad, sizeof ad, sealed, len));
            parts[part][bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
    for (size_t shorter = 0; shorter < len; shorter++) {
        assert_false(opens(aead, nonce, ad, sizeof ad, sealed, shorter));
    }
    assert_false(opens(aead, nonce, ad, sizeof ad - 1, sealed, len));
    assert_true(opens(aead, nonce, ad, sizeof ad, sealed, len));
}

static void every_tampered_bit_is_noticed(void **state)
{
    (void)state;
    for_each_suite(tamper);
}

/* RFC 9001 A.5 */
static void chacha_mask_matches_rfc9001(void **state)
{
    uint8_t key[32], sample[TERN_SAMPLE_SIZE], mask[TERN_MASK_SIZE];
    struct tern_mask_key mask_key;
    (void)state;
    hex_read(key, sizeof key, "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    hex_read(sample, sizeof sample, "5e5cd55c41f69080575d7999c25a5bfb");
    tern_mask_key_init(&mask_key, tern_suite_find(TERN_SUITE_CHACHA20_POLY1305), key);
    tern_aead_mask(&mask_key, sample, mask);
    assert_hex_equal(mask, sizeof mask, "aefefe7d03");
}

/* The SipHash-2-4 reference vectors, row 16: key and input both 00 01 02 .. 0f */
static void siphash_mask_matches_its_reference(void **state)
{
    uint8_t key[16], sample[TERN_SAMPLE_SIZE], mask[TERN_MASK_SIZE];
    struct tern_mask_key mask_key;
    (void)state;
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = sample[i] = i;
    }
    tern_mask_key_init(&mask_key, tern_suite_find(TERN_SUITE_AES_256_GCM), key);
    tern_aead_mask(&mask_key, sample, mask);
    assert_hex_equal(mask, sizeof mask, "db9bc2577f");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(chacha_is_always_there_and_ranked_last),
    cmocka_unit_test(suites_have_names),
    cmocka_unit_test(limits_are_those_of_rfc9001),
    cmocka_unit_test(unknown_suites_are_refused),
    cmocka_unit_test(chacha_matches_rfc8439),
    cmocka_unit_test(aes_gcm_matches_its_specification),
    cmocka_unit_test(every_size_goes_round),
    cmocka_unit_test(every_tampered_bit_is_noticed),
    cmocka_unit_test(chacha_mask_matches_rfc9001),
    cmocka_unit_test(siphash_mask_matches_its_reference),
};

TERN_TEST_MAIN(tests)
