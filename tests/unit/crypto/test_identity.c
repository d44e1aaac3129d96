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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(public_key_matches_rfc7748),
    cmocka_unit_test(generated_keys_are_pairs_and_differ),
};

TERN_TEST_MAIN(tests)
