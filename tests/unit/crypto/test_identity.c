/* Tests of crypto/identity.
 * SPDX-License-Identifier: MIT */
#include <tern/config.h>

#include "hex.h"

/* RFC 7748 §6.1, Bob */
static void public_key_matches_rfc7748(void **state)
{
    uint8_t secret[TERN_KEY_SIZE], pub[TERN_KEY_SIZE];
    (void)state;
    hex_read(secret, sizeof secret,
             "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    tern_key_public(pub, secret);
    assert_hex_equal(pub, sizeof pub,
                     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

static void generated_keys_are_pairs_and_differ(void **state)
{
    uint8_t secrets[2][TERN_KEY_SIZE], pubs[2][TERN_KEY_SIZE], again[TERN_KEY_SIZE];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tern_key_generate(secrets[i], pubs[i]);
        tern_key_public(again, secrets[i]);
        assert_memory_equal(pubs[i], again, sizeof again);
    }
    assert_memory_not_equal(secrets[0], secrets[1], TERN_KEY_SIZE);
    assert_memory_not_equal(pubs[0], pubs[1], TERN_KEY_SIZE);
}

/* Zeros, ones, and bytes that count up; by Python: base64.b32encode(key).lower().rstrip(b'=') */
static void keys_have_one_text_each(void **state)
{
    static const char *const texts[3] = {
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tern:777777777777777777777777777777777777777777777777777q",
        "tern:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq",
    };
    char text[TERN_KEY_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t key[TERN_KEY_SIZE], back[TERN_KEY_SIZE] = {9};
        for (size_t k = 0; k < sizeof key; k++) {
            key[k] = (uint8_t)(i == 0 ? 0 : i == 1 ? 0xff : k);
        }
        assert_ptr_equal(tern_key_format(key, text, sizeof text), text);
        assert_string_equal(text, texts[i]);
        assert_int_equal(tern_key_parse(back, text), 0);
        assert_memory_equal(back, key, sizeof key);
    }
    /* Cut where the buffer ends. */
    uint8_t key[TERN_KEY_SIZE] = {0};
    memset(text, 'x', sizeof text);
    (void)tern_key_format(key, text, 8);
    assert_string_equal(text, "tern:aa");
    assert_int_equal(text[8], 'x');
    (void)tern_key_format(key, text, 0);
    assert_string_equal(text, "tern:aa");
}

static void other_texts_are_no_keys(void **state)
{
    static const char *const texts[] = {
        "",
        "tern:",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "Tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
        "tern:Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "tern:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", /* bits behind the last */
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t key[TERN_KEY_SIZE] = {7};
        assert_int_equal(tern_key_parse(key, texts[i]), TERN_ERR_INVALID);
        assert_int_equal(key[0], 7);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(public_key_matches_rfc7748),
    cmocka_unit_test(generated_keys_are_pairs_and_differ),
    cmocka_unit_test(keys_have_one_text_each),
    cmocka_unit_test(other_texts_are_no_keys),
};

TERN_TEST_MAIN(tests)
