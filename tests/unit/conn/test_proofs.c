/* Tests of conn/proofs: whom a token is for, and for how long.
 * SPDX-License-Identifier: MIT */
#include "conn/proofs.h"

#include "tern_test.h"

#define NOW (1000 * TERN_SEC)

static struct tern_random random_source;
static struct tern_proofs proofs;
static tern_addr client, server;
static const struct tern_cid odcid = {.len = 11, .bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
static const struct tern_cid scid = {.len = 8, .bytes = {7, 7, 7}};
static uint8_t bytes[TERN_RETRY_ITEM_MAX];

static int setup(void **state)
{
    (void)state;
    static const uint8_t key[TERN_KEY_SIZE] = {9};
    tern_random_source none = {0};
    tern_random_init(&random_source, &none);
    tern_proofs_init(&proofs, key, 1700000000, 10 * TERN_SEC, &random_source, NOW);
    assert_int_equal(tern_addr_parse(&client, "192.0.2.1:1000"), 0);
    assert_int_equal(tern_addr_parse(&server, "192.0.2.2:7437"), 0);
    return 0;
}

static struct tern_item item_of(const uint8_t *data, size_t len)
{
    struct tern_reader field;
    struct tern_item item;
    tern_reader_init(&field, data, len);
    assert_true(tern_item_next(&field, &item));
    assert_int_equal(tern_reader_left(&field), 0);
    return item;
}

static struct tern_item retry_item(void)
{
    return item_of(bytes, tern_proofs_seal_retry(&proofs, bytes, &random_source, &server, &client,
                                                 &scid, &odcid, NOW));
}

static int open_retry(const struct tern_item *item, tern_time now)
{
    struct tern_cid found;
    int rc = tern_proofs_open_retry(&proofs, item, &server, &client, &scid, &found, now);
    assert_true(rc != 0 || tern_cid_equal(&found, &odcid));
    return rc;
}

static void a_retry_token_gives_the_first_identifier_back(void **state)
{
    (void)state;
    struct tern_item item = retry_item();
    assert_int_equal(item.type, TERN_ITEM_RETRY);
    assert_int_equal(open_retry(&item, NOW), 0);
    assert_int_equal(open_retry(&item, NOW + 10 * TERN_SEC), 0);
    assert_int_equal(open_retry(&item, NOW + 10 * TERN_SEC + 2 * TERN_MSEC),
                     TERN_ERR_INVALID_TOKEN);
}

/* Whatever else it is shown with, it is none. */
static void a_retry_token_is_bound_to_everything(void **state)
{
    (void)state;
    struct tern_item item = retry_item();
    client.port++;
    assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
    client.port--;
    client.ip[3]++;
    assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
    client.ip[3]--;
    server.port++;
    assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
    server.port--;
    struct tern_cid found;
    assert_int_equal(tern_proofs_open_retry(&proofs, &item, &server, &client, &odcid, &found, NOW),
                     TERN_ERR_INVALID_TOKEN);
    for (size_t i = 0; i < item.len; i++) {
        bytes[TERN_ITEM_HEADER + i] ^= 0x80;
        assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
        bytes[TERN_ITEM_HEADER + i] ^= 0x80;
    }
    for (item.len = 0; item.len < TERN_RETRY_ITEM_MAX; item.len++) {
        if (item.len != retry_item().len) {
            assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
        }
    }
}

static void an_address_token_is_for_an_address_and_a_day(void **state)
{
    (void)state;
    uint8_t token[TERN_ADDRESS_ITEM];
    tern_proofs_seal_address(&proofs, token, &random_source, &client, NOW);
    struct tern_item item = item_of(token, sizeof token);
    assert_int_equal(item.type, TERN_ITEM_ADDRESS);
    client.port = 4; /* another NAT mapping is still the same address */
    assert_true(tern_proofs_open_address(&proofs, &item, &client, NOW));
    assert_true(tern_proofs_open_address(&proofs, &item, &client, NOW + 24 * 3600 * TERN_SEC));
    assert_false(tern_proofs_open_address(&proofs, &item, &client, NOW + 24 * 3601 * TERN_SEC));
    client.ip[0]++;
    assert_false(tern_proofs_open_address(&proofs, &item, &client, NOW));
}

/* One kind does not pass for the other. */
static void kinds_are_kept_apart(void **state)
{
    (void)state;
    uint8_t token[TERN_ADDRESS_ITEM];
    struct tern_item item = retry_item();
    assert_false(tern_proofs_open_address(&proofs, &item, &client, NOW));
    tern_proofs_seal_address(&proofs, token, &random_source, &client, NOW);
    item = item_of(token, sizeof token);
    assert_int_equal(open_retry(&item, NOW), TERN_ERR_INVALID_TOKEN);
}

/* With the time of day known, another endpoint with the same key takes it; without, none does. */
static void tokens_outlive_an_endpoint_that_knows_the_time(void **state)
{
    (void)state;
    static const uint8_t key[TERN_KEY_SIZE] = {9};
    uint8_t token[TERN_ADDRESS_ITEM];
    struct tern_proofs later;
    tern_proofs_seal_address(&proofs, token, &random_source, &client, NOW);
    struct tern_item item = item_of(token, sizeof token);
    tern_proofs_init(&later, key, 1700000000 + 3600, 10 * TERN_SEC, &random_source, 5 * TERN_SEC);
    assert_true(tern_proofs_open_address(&later, &item, &client, 6 * TERN_SEC));
    tern_proofs_init(&later, key, 1700000000 - 3600, 10 * TERN_SEC, &random_source, 5 * TERN_SEC);
    assert_false(tern_proofs_open_address(&later, &item, &client, 6 * TERN_SEC)); /* made later */
    tern_proofs_init(&later, key, 0, 10 * TERN_SEC, &random_source, NOW);
    assert_false(tern_proofs_open_address(&later, &item, &client, NOW));
    tern_proofs_seal_address(&later, token, &random_source, &client, NOW);
    assert_true(tern_proofs_open_address(&later, &item, &client, NOW));
}

/* A field that is cut, or lies about its lengths, has fewer items and nothing else. */
static void items_are_read_within_the_field(void **state)
{
    (void)state;
    static const uint8_t field[] = {1, 0, 2, 'a', 'b', 9, 0, 0, 3, 0, 1, 'c'};
    static const size_t counts[] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3};
    for (size_t len = 0; len <= sizeof field; len++) {
        struct tern_reader r;
        struct tern_item item;
        size_t count = 0;
        tern_reader_init(&r, field, len);
        while (tern_item_next(&r, &item)) {
            count++;
        }
        assert_int_equal(count, counts[len]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_retry_token_gives_the_first_identifier_back, setup, NULL),
    cmocka_unit_test_setup_teardown(a_retry_token_is_bound_to_everything, setup, NULL),
    cmocka_unit_test_setup_teardown(an_address_token_is_for_an_address_and_a_day, setup, NULL),
    cmocka_unit_test_setup_teardown(kinds_are_kept_apart, setup, NULL),
    cmocka_unit_test_setup_teardown(tokens_outlive_an_endpoint_that_knows_the_time, setup, NULL),
    cmocka_unit_test_setup_teardown(items_are_read_within_the_field, setup, NULL),
};

TERN_TEST_MAIN(tests)
