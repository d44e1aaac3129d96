/* SHA-256 and HMAC: published vectors, and libsodium as the oracle for every length around the blocks.
 * SPDX-License-Identifier: MIT */
#include "crypto/sha256.h"

#include <sodium.h>

#include "tern_test.h"

#define LONGEST 260 /* four blocks and a little */

static uint8_t text[LONGEST];

static int fill_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 167 + 13);
    }
    return sodium_init() < 0 ? -1 : 0;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *wanted)
{
    char hex[2 * 64 + 1];
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, bytes, len), wanted);
}

static void hash_in_two(uint8_t out[TERN_SHA256_SIZE], const uint8_t *data, size_t first,
                        size_t second)
{
    struct tern_sha256 hash;
    tern_sha256_init(&hash);
    tern_sha256_update(&hash, data, first);
    tern_sha256_update(&hash, data + first, second);
    tern_sha256_final(&hash, out);
}

static void mac(uint8_t out[TERN_SHA256_SIZE], const uint8_t *key, size_t key_len,
                const uint8_t *data, size_t len)
{
    struct tern_hmac hmac;
    tern_hmac_init(&hmac, key, key_len);
    tern_hmac_update(&hmac, data, len);
    tern_hmac_final(&hmac, out);
}

static void oracle_mac(uint8_t out[TERN_SHA256_SIZE], const uint8_t *key, size_t key_len,
                       const uint8_t *data, size_t len)
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key, key_len);
    (void)crypto_auth_hmacsha256_update(&state, data, len);
    (void)crypto_auth_hmacsha256_final(&state, out);
}

/* FIPS 180-4, the examples of one block and of two. */
static void published_hashes(void **state)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t out[TERN_SHA256_SIZE];
    (void)state;
    hash_in_two(out, (const uint8_t *)"abc", 3, 0);
    assert_hex(out, sizeof out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_in_two(out, (const uint8_t *)two, 9, sizeof two - 10);
    assert_hex(out, sizeof out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231 §4.3, and §4.7 with a key longer than a block. */
static void published_macs(void **state)
{
    static const char what[] = "what do ya want for nothing?";
    static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    uint8_t out[TERN_SHA256_SIZE], key[131];
    (void)state;
    mac(out, (const uint8_t *)"Jefe", 4, (const uint8_t *)what, sizeof what - 1);
    assert_hex(out, sizeof out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    mac(out, key, sizeof key, (const uint8_t *)larger, sizeof larger - 1);
    assert_hex(out, sizeof out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void every_length_in_two_pieces(void **state)
{
    uint8_t out[TERN_SHA256_SIZE], wanted[TERN_SHA256_SIZE];
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        (void)crypto_hash_sha256(wanted, text, len);
        for (size_t first = 0; first <= len; first += len / 5 + 1) {
            hash_in_two(out, text, first, len - first);
            assert_memory_equal(out, wanted, sizeof out);
        }
    }
}

static void every_length_of_key_and_message(void **state)
{
    uint8_t out[TERN_SHA256_SIZE], wanted[TERN_SHA256_SIZE];
    (void)state;
    for (size_t key_len = 0; key_len <= 130; key_len++) {
        for (size_t len = 0; len <= 130; len++) {
            mac(out, text, key_len, text + 100, len);
            oracle_mac(wanted, text, key_len, text + 100, len);
            assert_memory_equal(out, wanted, sizeof out);
        }
    }
}

static void a_copy_goes_on_by_itself(void **state)
{
    struct tern_hmac keyed, copy;
    uint8_t out[TERN_SHA256_SIZE], wanted[TERN_SHA256_SIZE];
    (void)state;
    tern_hmac_init(&keyed, text, 32);
    for (size_t len = 0; len <= 100; len += 7) {
        copy = keyed;
        tern_hmac_update(&copy, text + 50, len);
        tern_hmac_final(&copy, out);
        oracle_mac(wanted, text, 32, text + 50, len);
        assert_memory_equal(out, wanted, sizeof out);
    }
    tern_hmac_clear(&keyed);
}

static void nothing_stays_in_a_state_that_is_done(void **state)
{
    struct tern_sha256 hash;
    struct tern_hmac hmac;
    uint8_t out[TERN_SHA256_SIZE];
    (void)state;
    tern_sha256_init(&hash);
    tern_sha256_update(&hash, text, 70);
    tern_sha256_final(&hash, out);
    assert_true(sodium_is_zero((const uint8_t *)&hash, sizeof hash));
    tern_hmac_init(&hmac, text, 32);
    tern_hmac_update(&hmac, text, 70);
    tern_hmac_final(&hmac, out);
    assert_true(sodium_is_zero((const uint8_t *)&hmac, sizeof hmac));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(published_hashes, fill_text),
    cmocka_unit_test_setup(published_macs, fill_text),
    cmocka_unit_test_setup(every_length_in_two_pieces, fill_text),
    cmocka_unit_test_setup(every_length_of_key_and_message, fill_text),
    cmocka_unit_test_setup(a_copy_goes_on_by_itself, fill_text),
    cmocka_unit_test_setup(nothing_stays_in_a_state_that_is_done, fill_text),
};

TERN_TEST_MAIN(tests)
