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

static void reset(uint8_t out[TERN_TOKEN_RESET_SIZE], const uint8_t key[TERN_KEY_SIZE],
                  const uint8_t *cid, size_t len)
{
    struct tern_hmac keyed;
    tern_hmac_init(&keyed, key, TERN_KEY_SIZE);
    tern_token_reset(out, &keyed, cid, len);
}

/* The expected bytes come from an independent HMAC-SHA256. */
static void reset_token_is_the_truncated_mac(void **state)
{
    uint8_t key[TERN_KEY_SIZE], cid[8], token[TERN_TOKEN_RESET_SIZE];
    (void)state;
    fill(key, sizeof key);
    fill(cid, sizeof cid);
    reset(token, key, cid, sizeof cid);
    assert_hex_equal(token, sizeof token, "60682b642389109e3008bce90eceea98");
}

static void reset_tokens_differ_by_cid_and_key(void **state)
{
    uint8_t key[TERN_KEY_SIZE], cid[8], first[TERN_TOKEN_RESET_SIZE], other[TERN_TOKEN_RESET_SIZE];
    (void)state;
    fill(key, sizeof key);
    fill(cid, sizeof cid);
    reset(first, key, cid, sizeof cid);
    reset(other, key, cid, sizeof cid - 1);
    assert_false(tern_token_equal(first, other));
    cid[7] ^= 1;
    reset(other, key, cid, sizeof cid);
    assert_false(tern_token_equal(first, other));
    cid[7] ^= 1;
    key[0] ^= 1;
    reset(other, key, cid, sizeof cid);
    assert_false(tern_token_equal(first, other));
    key[0] ^= 1;
    reset(other, key, cid, sizeof cid);
    assert_true(tern_token_equal(first, other));
}

/* An unset slot is all zero, and so may be a forged reset. */
static void zero_token_equals_nothing(void **state)
{
    const uint8_t zero[TERN_TOKEN_RESET_SIZE] = {0};
    (void)state;
    assert_false(tern_token_equal(zero, zero));
}

static struct tern_random *generator(void)
{
    static struct tern_random random;
    tern_random_source none = {0};
    tern_random_init(&random, &none);
    return &random;
}

static void sealed_tokens_open_for_their_data_alone(void **state)
{
    uint8_t key[TERN_TOKEN_KEY_SIZE], sealed[7 + TERN_TOKEN_OVERHEAD], plain[7];
    (void)state;
    fill(key, sizeof key);
    tern_token_seal(sealed, key, generator(), (const uint8_t *)"who", 3, (const uint8_t *)"content",
                    7);
    assert_int_equal(tern_token_open(plain, key, (const uint8_t *)"who", 3, sealed, sizeof sealed),
                     0);
    assert_memory_equal(plain, "content", 7);
    assert_int_equal(tern_token_open(plain, key, (const uint8_t *)"wha", 3, sealed, sizeof sealed),
                     TERN_ERR_CRYPTO);
    for (size_t len = 0; len < sizeof sealed; len++) {
        assert_int_equal(tern_token_open(plain, key, (const uint8_t *)"who", 3, sealed, len),
                         TERN_ERR_CRYPTO);
    }
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_int_equal(
            tern_token_open(plain, key, (const uint8_t *)"who", 3, sealed, sizeof sealed),
            TERN_ERR_CRYPTO);
        sealed[i] ^= 1;
    }
}

static void keys_differ_by_label_and_salt(void **state)
{
    uint8_t key[TERN_KEY_SIZE], a[TERN_TOKEN_KEY_SIZE], b[TERN_TOKEN_KEY_SIZE];
    (void)state;
    fill(key, sizeof key);
    tern_token_key(a, key, "address token", NULL, 0);
    tern_token_key(b, key, "address token", (const uint8_t *)"s", 1);
    assert_memory_not_equal(a, b, sizeof a);
    tern_token_key(b, key, "address tokem", NULL, 0);
    assert_memory_not_equal(a, b, sizeof a);
}

/* Each kind of client checks the half that it can, and every bit before the tag counts. */
static void a_retry_is_checked_with_and_without_the_key(void **state)
{
    uint8_t server[TERN_KEY_SIZE], other[TERN_KEY_SIZE] = {1}, packet[50];
    uint8_t tag[TERN_TOKEN_TAG_SIZE], odcid[8] = {1, 2, 3};
    struct tern_retry_keys keys;
    (void)state;
    fill(server, sizeof server);
    fill(packet, sizeof packet);
    tern_retry_keys_init(&keys, server);
    tern_retry_tag(tag, &keys, odcid, sizeof odcid, packet, sizeof packet);
    assert_true(tern_retry_verify(tag, server, odcid, 8, packet, sizeof packet));
    assert_true(tern_retry_verify(tag, NULL, odcid, 8, packet, sizeof packet));
    assert_false(tern_retry_verify(tag, other, odcid, 8, packet, sizeof packet));
    assert_false(tern_retry_verify(tag, server, odcid, 7, packet, sizeof packet));
    assert_false(tern_retry_verify(tag, NULL, odcid, 8, packet, sizeof packet - 1));
    for (size_t i = 0; i < sizeof packet; i++) {
        packet[i] ^= 0x10;
        assert_false(tern_retry_verify(tag, server, odcid, 8, packet, sizeof packet));
        assert_false(tern_retry_verify(tag, NULL, odcid, 8, packet, sizeof packet));
        packet[i] ^= 0x10;
    }
    tag[0] ^= 1;
    assert_false(tern_retry_verify(tag, server, odcid, 8, packet, sizeof packet));
    assert_true(tern_retry_verify(tag, NULL, odcid, 8, packet, sizeof packet));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reset_token_is_the_truncated_mac),
    cmocka_unit_test(reset_tokens_differ_by_cid_and_key),
    cmocka_unit_test(zero_token_equals_nothing),
    cmocka_unit_test(sealed_tokens_open_for_their_data_alone),
    cmocka_unit_test(keys_differ_by_label_and_salt),
    cmocka_unit_test(a_retry_is_checked_with_and_without_the_key),
};

TERN_TEST_MAIN(tests)
