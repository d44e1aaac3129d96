/* Tests of crypto/keys: RFC 9001 A.5 and RFC 5869 byte for byte, nonces, updates, limits.
 * SPDX-License-Identifier: MIT */
#include "crypto/keys.h"

#include <stdlib.h>

#include "hex.h"

/* RFC 9001 A.5: a ChaCha20-Poly1305 packet with a short header */
#define A5_SECRET  "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"
#define A5_KEY     "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"
#define A5_IV      "e0459b3474bdd0e44a41c144"
#define A5_HP      "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4"
#define A5_KU      "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"
#define A5_HEADER  "4200bff4"
#define A5_PAYLOAD "655e5cd55c41f69080575d7999c25a5bfb"
#define A5_PACKET  "4cfe4189655e5cd55c41f69080575d7999c25a5bfb"
#define A5_PN      654360564
#define A5_PREFIX  "tls13 quic "

static void init_a5(struct tern_packet_keys *keys)
{
    uint8_t secret[TERN_SECRET_SIZE];
    hex_read(secret, sizeof secret, A5_SECRET);
    assert_int_equal(
        tern_packet_keys_init_as(keys, TERN_SUITE_CHACHA20_POLY1305, secret, A5_PREFIX), 0);
}

static void a5_keys(void **state)
{
    struct tern_packet_keys keys, next;
    (void)state;
    init_a5(&keys);
    assert_hex_equal(keys.aead.key.bytes, 32, A5_KEY);
    assert_hex_equal(keys.iv, 12, A5_IV);
    assert_hex_equal(keys.mask.bytes, 32, A5_HP);
    assert_int_equal(tern_packet_keys_update(&next, &keys), 0);
    assert_hex_equal(next.secret, 32, A5_KU);
    assert_memory_equal(next.mask.bytes, keys.mask.bytes, 32); /* §6: it stays */
    assert_memory_not_equal(next.aead.key.bytes, keys.aead.key.bytes, 32);
}

/* The header's packet number has three bytes: RFC 9001 §5.4.1 masks those and five bits. */
static void mask_a5(const struct tern_packet_keys *keys, uint8_t *packet)
{
    uint8_t mask[TERN_MASK_SIZE];
    tern_aead_mask(&keys->mask, packet + 1 + 4, mask);
    packet[0] ^= mask[0] & 0x1f;
    for (size_t i = 0; i < 3; i++) {
        packet[1 + i] ^= mask[1 + i];
    }
}

static void a5_seal(void **state)
{
    struct tern_packet_keys keys;
    uint8_t packet[4 + 1 + 16];
    (void)state;
    init_a5(&keys);
    hex_read(packet, sizeof packet, A5_HEADER "01");
    assert_int_equal(tern_packet_seal(&keys, 0, A5_PN, packet, 4, packet + 4, 1), 0);
    assert_hex_equal(packet + 4, 17, A5_PAYLOAD);
    mask_a5(&keys, packet);
    assert_hex_equal(packet, sizeof packet, A5_PACKET);
    assert_true(keys.sealed == 1);
}

static void a5_open(void **state)
{
    struct tern_packet_keys keys;
    uint8_t packet[4 + 1 + 16];
    (void)state;
    init_a5(&keys);
    hex_read(packet, sizeof packet, A5_PACKET);
    mask_a5(&keys, packet);
    assert_hex_equal(packet, 4, A5_HEADER);
    assert_int_equal(tern_packet_open(&keys, 0, A5_PN, packet, 4, packet + 4, 17), 0);
    assert_int_equal(packet[4], 0x01);
    assert_true(keys.opened == 1);
}

static void check_hkdf(const char *ikm_hex, const char *salt_hex, const char *info_hex,
                       const char *prk, const char *okm)
{
    uint8_t ikm[128], salt[128], info[128], secret[TERN_SECRET_SIZE], out[128];
    size_t ikm_len = hex_read(ikm, sizeof ikm, ikm_hex);
    size_t salt_len = hex_read(salt, sizeof salt, salt_hex);
    size_t info_len = hex_read(info, sizeof info, info_hex);
    tern_hkdf_extract(secret, salt, salt_len, ikm, ikm_len);
    assert_hex_equal(secret, sizeof secret, prk);
    tern_hkdf_expand(secret, info, info_len, out, strlen(okm) / 2);
    assert_hex_equal(out, strlen(okm) / 2, okm);
}

/* RFC 5869, appendix A.1 to A.3 */
static void hkdf_matches_rfc5869(void **state)
{
    (void)state;
    check_hkdf(
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    check_hkdf(
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
        "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687"
        "88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
        "d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb"
        "41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    check_hkdf(
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

/* The next two expect what an independent HMAC-SHA256 gave. */
static void expand_label_takes_a_context(void **state)
{
    uint8_t secret[TERN_SECRET_SIZE], out[80];
    (void)state;
    for (uint8_t i = 0; i < sizeof secret; i++) {
        secret[i] = i;
    }
    tern_hkdf_expand_label(secret, "tern ", "example", (const uint8_t *)"context", 7, out,
                           sizeof out);
    assert_hex_equal(out, sizeof out,
                     "8368fefbadf150593df60f63f8f6156d82e5b86a39c5515f7c1bac74bf3d4a0c"
                     "f49fc7c9fecc78142d89166181a261984c685d7df271cfd5d12cae4675f800c5"
                     "4fc89aaaf9983a0b8d127d553b6d4e43");
}

static void initial_secrets_depend_on_the_server_key(void **state)
{
    uint8_t dcid[8], key[TERN_KEY_SIZE], client[TERN_SECRET_SIZE], server[TERN_SECRET_SIZE];
    (void)state;
    for (uint8_t i = 0; i < 32; i++) {
        dcid[i % 8] = i % 8;
        key[i] = 32 + i;
    }
    tern_initial_secrets(client, server, dcid, sizeof dcid, NULL);
    assert_hex_equal(client, sizeof client,
                     "e7dbf6cdf41506cdbcba82227a18e17e00eb3d5cc2137ae983d7d135ff301002");
    assert_hex_equal(server, sizeof server,
                     "251f98868371da4a3ef803046c976cd5f2b80b07847102b91261eac096f3de94");
    tern_initial_secrets(client, server, dcid, sizeof dcid, key);
    assert_hex_equal(client, sizeof client,
                     "098953cce7df5f6b9e8376fa5035bbbe4787bef34f93f142cae85eaaa7df8f41");
    assert_hex_equal(server, sizeof server,
                     "78a0691b68ea960a87b19b28dc1287d559e1944c0cfda9ac3148aa76c417a8c3");
}

/* draft-ietf-quic-multipath, section 2.4: path 3, packet 54321 */
static void nonce_matches_the_multipath_draft(void **state)
{
    struct tern_packet_keys keys;
    uint8_t nonce[TERN_AEAD_NONCE_MAX];
    (void)state;
    init_a5(&keys);
    hex_read(keys.iv, sizeof keys.iv, "6b26114b9cba2b63a9e8dd4f");
    tern_packet_nonce(&keys, 3, 54321, nonce);
    assert_hex_equal(nonce, 12, "6b2611489cba2b63a9e8097e");
    tern_packet_nonce(&keys, 0, 54321, nonce);
    assert_hex_equal(nonce, 12, "6b26114b9cba2b63a9e8097e");
}

static int compare_nonces(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

/* No two packets of any two paths share a nonce. */
static void nonces_are_unique(void **state)
{
    static const uint64_t bases[] = {0, 250, 65530, UINT64_C(0xffffffff) - 5, TERN_PN_MAX - 19};
    static const uint32_t paths[] = {0, 1, 2, 3, 255, 256, 0x7fffffff, 0xffffffff};
    static uint8_t nonces[8 * 5 * 20][12];
    struct tern_packet_keys keys;
    size_t count = 0;
    (void)state;
    init_a5(&keys);
    for (size_t path = 0; path < TERN_COUNT_OF(paths); path++) {
        for (size_t base = 0; base < TERN_COUNT_OF(bases); base++) {
            for (uint64_t i = 0; i < 20; i++) {
                uint8_t nonce[TERN_AEAD_NONCE_MAX];
                tern_packet_nonce(&keys, paths[path], bases[base] + i, nonce);
                memcpy(nonces[count++], nonce, 12);
            }
        }
    }
    assert_int_equal(count, TERN_COUNT_OF(nonces));
    qsort(nonces, count, 12, compare_nonces);
    for (size_t i = 1; i < count; i++) {
        assert_true(memcmp(nonces[i - 1], nonces[i], 12) != 0);
    }
}

/* Two ends from one secret, for every suite that this machine has. */
static void for_each_suite(void (*check)(struct tern_packet_keys *tx, struct tern_packet_keys *rx))
{
    unsigned ranked[4];
    uint8_t secret[TERN_SECRET_SIZE];
    (void)tern_suites_available(ranked);
    randombytes_buf(secret, sizeof secret);
    for (size_t i = 0; i < 4 && ranked[i] != 0; i++) {
        struct tern_packet_keys tx, rx;
        assert_int_equal(tern_packet_keys_init(&tx, ranked[i], secret), 0);
        assert_int_equal(tern_packet_keys_init(&rx, ranked[i], secret), 0);
        check(&tx, &rx);
        tern_packet_keys_clear(&tx);
        tern_packet_keys_clear(&rx);
        assert_true(sodium_is_zero((const uint8_t *)&tx, sizeof tx) == 1);
    }
}

static void check_binding(struct tern_packet_keys *tx, struct tern_packet_keys *rx)
{
    static const struct {
        uint32_t path;
        uint64_t pn;
        uint8_t header;
        int rc;
    } cases[] = {
        {7, 1000, 0x40, 0},
        {6, 1000, 0x40, TERN_ERR_CRYPTO},
        {7, 1001, 0x40, TERN_ERR_CRYPTO},
        {7, 1000, 0x41, TERN_ERR_CRYPTO},
        {7, TERN_PN_MAX + 1, 0x40, TERN_ERR_CRYPTO},
    };
    size_t tag = tern_suite_tag_size(tx->suite);
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        uint8_t header[3] = {0x40, 1, 2}, payload[10 + TERN_AEAD_TAG_MAX] = "0123456789";
        assert_int_equal(tern_packet_seal(tx, 7, 1000, header, 3, payload, 10), 0);
        header[0] = cases[i].header;
        assert_int_equal(
            tern_packet_open(rx, cases[i].path, cases[i].pn, header, 3, payload, 10 + tag),
            cases[i].rc);
        assert_true(cases[i].rc != 0 || memcmp(payload, "0123456789", 10) == 0);
    }
    assert_true(tx->sealed == TERN_COUNT_OF(cases));
    assert_true(rx->opened == 1);
}

static void packets_are_bound_to_path_number_and_header(void **state)
{
    (void)state;
    for_each_suite(check_binding);
}

static void check_updates(struct tern_packet_keys *tx, struct tern_packet_keys *rx)
{
    struct tern_packet_keys old = *rx;
    size_t tag = tern_suite_tag_size(tx->suite);
    for (uint64_t phase = 0; phase < 50; phase++) {
        uint8_t header[2] = {0x44, 0}, payload[4 + TERN_AEAD_TAG_MAX] = "ping";
        tx->sealed = 5;
        assert_int_equal(tern_packet_keys_update(tx, tx), 0); /* in place */
        assert_int_equal(tern_packet_keys_update(rx, &old), 0);
        assert_true(tx->sealed == 0);
        assert_memory_equal(&tx->mask, &old.mask, sizeof old.mask);
        assert_int_equal(tern_packet_seal(tx, 0, phase, header, 2, payload, 4), 0);
        uint8_t copy[sizeof payload];
        memcpy(copy, payload, sizeof copy);
        assert_int_equal(tern_packet_open(&old, 0, phase, header, 2, copy, 4 + tag),
                         TERN_ERR_CRYPTO);
        assert_int_equal(tern_packet_open(rx, 0, phase, header, 2, payload, 4 + tag), 0);
        assert_memory_equal(payload, "ping", 4);
        old = *rx; /* a copy of expanded keys is as good as the first */
    }
}

static void updates_keep_both_ends_together(void **state)
{
    (void)state;
    for_each_suite(check_updates);
}

static void check_limit(struct tern_packet_keys *tx, struct tern_packet_keys *rx)
{
    uint8_t payload[4 + TERN_AEAD_TAG_MAX] = "ping";
    (void)rx;
    tx->sealed = tern_suite_seal_limit(tx->suite) - 1;
    assert_int_equal(tern_packet_seal(tx, 0, 1, payload, 0, payload, 4), 0);
    memcpy(payload, "ping", 4);
    assert_int_equal(tern_packet_seal(tx, 0, 2, payload, 0, payload, 4), TERN_ERR_AEAD_LIMIT);
    assert_memory_equal(payload, "ping", 4);
    assert_int_equal(tern_packet_keys_update(tx, tx), 0);
    assert_int_equal(tern_packet_seal(tx, 0, 2, payload, 0, payload, 4), 0);
}

/* RFC 9001 §6.6 */
static void worn_out_keys_seal_nothing(void **state)
{
    (void)state;
    for_each_suite(check_limit);
}

static void clear_keys_open_nothing(void **state)
{
    const uint8_t secret[TERN_SECRET_SIZE] = {0};
    uint8_t payload[64] = {0};
    struct tern_packet_keys keys;
    (void)state;
    assert_int_equal(tern_packet_keys_init(&keys, 0x4000, secret), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_packet_open(&keys, 0, 0, payload, 0, payload, sizeof payload),
                     TERN_ERR_CRYPTO);
    assert_int_equal(tern_packet_check(&keys, 0, payload, 0, payload, sizeof payload),
                     TERN_ERR_CRYPTO);
    assert_int_equal(tern_packet_keys_update(&keys, &keys), TERN_ERR_UNSUPPORTED);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secret), 0);
    int rc = tern_packet_check(&keys, TERN_PN_MAX + 1, payload, 0, payload, sizeof payload);
    assert_int_equal(rc, TERN_ERR_CRYPTO); /* there is no such number */
    rc = tern_packet_open(&keys, 0, TERN_PN_MAX + 1, payload, 0, payload, sizeof payload);
    assert_int_equal(rc, TERN_ERR_CRYPTO);
    tern_packet_keys_clear(&keys);
    tern_packet_keys_clear(&keys);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a5_keys),
    cmocka_unit_test(a5_seal),
    cmocka_unit_test(a5_open),
    cmocka_unit_test(hkdf_matches_rfc5869),
    cmocka_unit_test(expand_label_takes_a_context),
    cmocka_unit_test(initial_secrets_depend_on_the_server_key),
    cmocka_unit_test(nonce_matches_the_multipath_draft),
    cmocka_unit_test(nonces_are_unique),
    cmocka_unit_test(packets_are_bound_to_path_number_and_header),
    cmocka_unit_test(updates_keep_both_ends_together),
    cmocka_unit_test(worn_out_keys_seal_nothing),
    cmocka_unit_test(clear_keys_open_nothing),
};

TERN_TEST_MAIN(tests)
