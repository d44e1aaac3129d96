/* Tests of crypto/symmetric: HMAC vectors, nonces, and failures that change nothing.
 * SPDX-License-Identifier: MIT */
#include "crypto/symmetric.h"

#include "hex.h"

static void check_hmac(enum tern_noise_hash hash, const char *key_hex, const char *data_hex,
                       const char *wanted)
{
    uint8_t key[256], data[256], out[TERN_NOISE_HASH_MAX];
    size_t key_len = hex_read(key, sizeof key, key_hex);
    size_t len = hex_read(data, sizeof data, data_hex);
    tern_noise_hmac(hash, key, key_len, data, len, out);
    assert_hex_equal(out, strlen(wanted) / 2, wanted);
}

#define HI_THERE "4869205468657265"
#define KEY_20   "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define AA_20    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AA_131   AA_20 AA_20 AA_20 AA_20 AA_20 AA_20 "aaaaaaaaaaaaaaaaaaaaaa"
#define DD_50                                                                                      \
    "dddddddddddddddddddddddddddddddddddddddddddddddddd"                                           \
    "dddddddddddddddddddddddddddddddddddddddddddddddddd"
#define LARGE_KEY                                                                                  \
    "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b" \
    "6579204669727374"

/* RFC 4231, test cases 1, 2, 3 and 6 */
static void hmac_sha256_matches_rfc4231(void **state)
{
    (void)state;
    check_hmac(TERN_NOISE_SHA256, KEY_20, HI_THERE,
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(TERN_NOISE_SHA256, "4a656665",
               "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(TERN_NOISE_SHA256, AA_20, DD_50,
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check_hmac(TERN_NOISE_SHA256, AA_131, LARGE_KEY,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* The inputs of RFC 4231, cases 1 and 6; outputs from an independent implementation. */
static void hmac_blake2b_matches_an_independent_one(void **state)
{
    (void)state;
    check_hmac(TERN_NOISE_BLAKE2B, KEY_20, HI_THERE,
               "358a6a184924894fc34bee5680eedf57d84a37bb38832f288e3b27dc63a98cc8"
               "c91e76da476b508bc6b2d408a248857452906e4a20b48c6b4b55d2df0fe1dd24");
    check_hmac(TERN_NOISE_BLAKE2B, AA_131, LARGE_KEY,
               "a54b2943b2a20227d41ca46c0945af09bc1faefb2f49894c23aebc557fb79c48"
               "89dca74408dc865086667aedee4a3185c53a49c80b814c4c5813ea0c8b38a8f8");
}

/* Noise §5.1: the largest nonce is reserved. */
static void last_nonce_is_an_error(void **state)
{
    const uint8_t k[TERN_NOISE_KEY_SIZE] = {0};
    uint8_t out[32], again[32];
    (void)state;
    assert_int_equal(
        tern_noise_cipher_seal(TERN_NOISE_CHACHAPOLY, k, UINT64_MAX, NULL, 0, k, 8, out),
        TERN_ERR_LIMIT);
    assert_int_equal(
        tern_noise_cipher_seal(TERN_NOISE_CHACHAPOLY, k, UINT64_MAX - 1, NULL, 0, k, 8, out), 0);
    assert_int_equal(
        tern_noise_cipher_open(TERN_NOISE_CHACHAPOLY, k, UINT64_MAX - 1, NULL, 0, out, 24, again),
        0);
    assert_int_equal(
        tern_noise_cipher_open(TERN_NOISE_CHACHAPOLY, k, UINT64_MAX, NULL, 0, out, 24, again),
        TERN_ERR_LIMIT);
}

static void init_keyed(struct tern_symmetric *s)
{
    static const uint8_t ikm[32] = {1, 2, 3};
    tern_symmetric_init(s, TERN_NOISE_CHACHAPOLY, TERN_NOISE_SHA256, "Noise_test");
    tern_symmetric_mix_key(s, ikm, sizeof ikm);
}

/* snow GHSA-7g9j-g5jg-3vv3, flynn/noise GHSA-g9mp-8g3h-3c5c */
static void failed_open_moves_neither_nonce_nor_hash(void **state)
{
    struct tern_symmetric sender, receiver, before;
    uint8_t sealed[5 + TERN_NOISE_TAG_SIZE], out[5];
    (void)state;
    init_keyed(&sender);
    init_keyed(&receiver);
    assert_int_equal(tern_symmetric_encrypt_and_hash(&sender, (const uint8_t *)"hello", 5, sealed),
                     0);
    before = receiver;
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x10;
        assert_int_equal(tern_symmetric_decrypt_and_hash(&receiver, sealed, sizeof sealed, out),
                         TERN_ERR_CRYPTO);
        sealed[i] ^= 0x10;
    }
    for (size_t len = 0; len < sizeof sealed; len++) {
        assert_int_equal(tern_symmetric_decrypt_and_hash(&receiver, sealed, len, out),
                         TERN_ERR_CRYPTO);
    }
    assert_memory_equal(before.h, receiver.h, sizeof before.h);
    assert_true(before.n == receiver.n);
    assert_int_equal(tern_symmetric_decrypt_and_hash(&receiver, sealed, sizeof sealed, out), 0);
    assert_memory_equal(out, "hello", 5);
    assert_memory_equal(sender.h, receiver.h, sizeof sender.h);
}

static void used_up_nonces_leave_the_state(void **state)
{
    struct tern_symmetric s, before;
    uint8_t out[32] = {0};
    (void)state;
    init_keyed(&s);
    s.n = UINT64_MAX;
    before = s;
    assert_int_equal(tern_symmetric_encrypt_and_hash(&s, out, 0, out), TERN_ERR_LIMIT);
    assert_int_equal(tern_symmetric_decrypt_and_hash(&s, out, 16, out), TERN_ERR_LIMIT);
    assert_true(s.n == before.n);
    assert_memory_equal(s.h, before.h, sizeof s.h);
}

static void split_gives_two_keys_and_clear_wipes(void **state)
{
    struct tern_symmetric s;
    uint8_t first[TERN_NOISE_KEY_SIZE], second[TERN_NOISE_KEY_SIZE];
    (void)state;
    init_keyed(&s);
    tern_symmetric_split(&s, first, second);
    assert_memory_not_equal(first, second, sizeof first);
    assert_memory_not_equal(first, s.k, sizeof first);
    tern_symmetric_clear(&s);
    assert_true(sodium_is_zero((const uint8_t *)&s, sizeof s) == 1);
}

/* Noise §5.2: a short protocol name is padded with zeros, a long one is hashed. */
static void protocol_name_becomes_the_first_hash(void **state)
{
    struct tern_symmetric s;
    uint8_t wanted[32] = "Noise_XK_25519_ChaChaPoly_SHA256";
    (void)state;
    tern_symmetric_init(&s, TERN_NOISE_CHACHAPOLY, TERN_NOISE_SHA256,
                        "Noise_XK_25519_ChaChaPoly_SHA256");
    assert_memory_equal(s.h, wanted, 32);
    assert_memory_equal(s.ck, wanted, 32);
    static const char name[] = "Noise_XKpsk3_25519_ChaChaPoly_SHA256";
    tern_symmetric_init(&s, TERN_NOISE_CHACHAPOLY, TERN_NOISE_SHA256, name);
    (void)crypto_hash_sha256(wanted, (const uint8_t *)name, sizeof name - 1);
    assert_memory_equal(s.h, wanted, 32);
    assert_int_equal(tern_symmetric_overhead(&s), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(hmac_sha256_matches_rfc4231),
    cmocka_unit_test(hmac_blake2b_matches_an_independent_one),
    cmocka_unit_test(last_nonce_is_an_error),
    cmocka_unit_test(failed_open_moves_neither_nonce_nor_hash),
    cmocka_unit_test(used_up_nonces_leave_the_state),
    cmocka_unit_test(split_gives_two_keys_and_clear_wipes),
    cmocka_unit_test(protocol_name_becomes_the_first_hash),
};

TERN_TEST_MAIN(tests)
