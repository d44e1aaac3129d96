/* Tests of crypto/token.
 * SPDX-License-Identifier: MIT */
#include "crypto/token.h"

#include "hex.h"

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)i;
    }
}

/* The expected bytes come from an independent HMAC-SHA256. */
static void reset_token_is_the_truncated_mac(void **state)
{
    uint8_t key[TERN_KEY_SIZE], cid[8], token[TERN_TOKEN_RESET_SIZE];
    (void)state;
    fill(key, sizeof key);
    fill(cid, sizeof cid);
    tern_token_reset(token, key, cid, sizeof cid);
    assert_hex_equal(token, sizeof token, "60682b642389109e3008bce90eceea98");
}

static void reset_tokens_differ_by_cid_and_key(void **state)
{
    uint8_t key[TERN_KEY_SIZE], cid[8], first[TERN_TOKEN_RESET_SIZE], other[TERN_TOKEN_RESET_SIZE];
    (void)state;
    fill(key, sizeof key);
    fill(cid, sizeof cid);
    tern_token_reset(first, key, cid, sizeof cid);
    tern_token_reset(other, key, cid, sizeof cid - 1);
    assert_false(tern_token_equal(first, other));
    cid[7] ^= 1;
    tern_token_reset(other, key, cid, sizeof cid);
    assert_false(tern_token_equal(first, other));
    cid[7] ^= 1;
    key[0] ^= 1;
    tern_token_reset(other, key, cid, sizeof cid);
    assert_false(tern_token_equal(first, other));
    key[0] ^= 1;
    tern_token_reset(other, key, cid, sizeof cid);
    assert_true(tern_token_equal(first, other));
}

/* S18: an unset slot is all zero, and so may be a forged reset. */
static void zero_token_equals_nothing(void **state)
{
    const uint8_t zero[TERN_TOKEN_RESET_SIZE] = {0};
    (void)state;
    assert_false(tern_token_equal(zero, zero));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reset_token_is_the_truncated_mac),
    cmocka_unit_test(reset_tokens_differ_by_cid_and_key),
    cmocka_unit_test(zero_token_equals_nothing),
};

TERN_TEST_MAIN(tests)
