/* Tests of conn/grant: what a matchmaker seals is what a server reads, and nothing else is.
 * SPDX-License-Identifier: MIT */
#include "conn/grant.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

static const uint8_t key[TERN_CONNECT_KEY_SIZE] = {1, 2, 3};
static tern_addr server;
static tern_connect_grant grant;
static uint8_t token[TERN_CONNECT_TOKEN_MAX];
static size_t token_len;

static int setup(void **state)
{
    (void)state;
    static const uint8_t words[] = "player 7, red team";
    assert_int_equal(tern_addr_parse(&server, "192.0.2.2:7437"), 0);
    tern_connect_grant_init(&grant);
    memset(grant.client_key, 0xcc, sizeof grant.client_key);
    grant.issued = 1700000000;
    grant.expires = 1700000030;
    grant.data = words;
    grant.data_len = sizeof words;
    return 0;
}

static void seal(void)
{
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant), 0);
}

static int open_token(struct tern_grant *out, const uint8_t *with)
{
    struct tern_reader field;
    struct tern_item item;
    tern_reader_init(&field, token, token_len);
    assert_true(tern_item_next(&field, &item));
    assert_int_equal(tern_reader_left(&field), 0);
    assert_int_equal(item.type, TERN_ITEM_CONNECT);
    return tern_grant_open(out, &item, with, &server);
}

static void what_is_sealed_is_read(void **state)
{
    (void)state;
    struct tern_grant out, other;
    seal();
    assert_int_equal(open_token(&out, key), 0);
    assert_memory_equal(out.client_key, grant.client_key, TERN_KEY_SIZE);
    assert_int_equal(out.issued, grant.issued);
    assert_int_equal(out.expires, grant.expires);
    assert_int_equal(out.data_len, grant.data_len);
    assert_memory_equal(out.data, grant.data, grant.data_len);
    seal(); /* the same words again: another token */
    assert_int_equal(open_token(&other, key), 0);
    assert_memory_not_equal(out.id, other.id, sizeof out.id);
}

static void it_is_for_the_servers_it_names(void **state)
{
    (void)state;
    struct tern_grant out;
    for (size_t n = 1; n <= TERN_CONNECT_SERVERS_MAX; n++) {
        for (size_t i = 0; i < n; i++) {
            const char *text = i % 2 == 0 ? "203.0.113.9:1" : "[2001:db8::9]:1";
            assert_int_equal(tern_addr_parse(&grant.servers[i], text), 0);
        }
        grant.server_count = n;
        seal();
        assert_int_equal(open_token(&out, key), TERN_ERR_INVALID_TOKEN);
        grant.servers[n - 1] = server;
        seal();
        assert_int_equal(open_token(&out, key), 0);
        server.port++;
        assert_int_equal(open_token(&out, key), TERN_ERR_INVALID_TOKEN);
        server.port--;
    }
}

static void nothing_else_opens(void **state)
{
    (void)state;
    struct tern_grant out;
    static const uint8_t other[TERN_CONNECT_KEY_SIZE] = {9};
    seal();
    assert_int_equal(open_token(&out, other), TERN_ERR_INVALID_TOKEN);
    for (size_t i = TERN_ITEM_HEADER; i < token_len; i++) {
        token[i] ^= 4;
        assert_int_equal(open_token(&out, key), TERN_ERR_INVALID_TOKEN);
        token[i] ^= 4;
    }
    size_t whole = token_len - TERN_ITEM_HEADER;
    for (size_t len = 0; len < whole; len++) {
        struct tern_item item = {
            .type = TERN_ITEM_CONNECT, .value = token + TERN_ITEM_HEADER, .len = len};
        assert_int_equal(tern_grant_open(&out, &item, key, &server), TERN_ERR_INVALID_TOKEN);
    }
}

/* Of another format, cut, or with lengths that lie: whoever seals has the key, and is not believed. */
static void a_wrong_inside_is_refused(void **state)
{
    (void)state;
    static const uint8_t label[] = "tern connect";
    uint8_t plain[80] = {1}, sealed[80 + TERN_TOKEN_OVERHEAD];
    struct tern_random random;
    struct tern_grant out;
    tern_random_source none = {0};
    tern_random_init(&random, &none);
    for (size_t len = 0; len <= sizeof plain; len++) { /* 52 bytes are a token without words */
        struct tern_item item = {
            .type = TERN_ITEM_CONNECT, .value = sealed, .len = len + TERN_TOKEN_OVERHEAD};
        tern_token_seal(sealed, key, &random, label, sizeof label - 1, plain, len);
        assert_int_equal(tern_grant_open(&out, &item, key, &server),
                         len < 52 ? TERN_ERR_INVALID_TOKEN : 0);
        plain[50] = 0xff; /* the length of the words */
        tern_token_seal(sealed, key, &random, label, sizeof label - 1, plain, len);
        assert_int_equal(tern_grant_open(&out, &item, key, &server), TERN_ERR_INVALID_TOKEN);
        plain[50] = 0;
        plain[49] = 200; /* the number of servers */
        tern_token_seal(sealed, key, &random, label, sizeof label - 1, plain, len);
        assert_int_equal(tern_grant_open(&out, &item, key, &server), TERN_ERR_INVALID_TOKEN);
        plain[49] = 0;
        plain[0] = 2;
        tern_token_seal(sealed, key, &random, label, sizeof label - 1, plain, len);
        assert_int_equal(tern_grant_open(&out, &item, key, &server), TERN_ERR_INVALID_TOKEN);
        plain[0] = 1;
    }
}

static void senseless_grants_are_not_sealed(void **state)
{
    (void)state;
    tern_connect_grant good = grant;
    grant.expires = grant.issued;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
    grant.expires = grant.issued + TERN_CONNECT_LIFE_MAX + 1;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
    grant = good;
    grant.server_count = TERN_CONNECT_SERVERS_MAX + 1;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
    grant = good;
    grant.data_len = TERN_CONNECT_DATA_MAX + 1;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
    grant = good;
    grant.data = NULL;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
    grant = good;
    grant.size = 0;
    assert_int_equal(tern_connect_token_seal(token, sizeof token, &token_len, key, &grant),
                     TERN_ERR_INVALID);
}

static void the_largest_fits_and_less_room_is_told(void **state)
{
    (void)state;
    static uint8_t words[TERN_CONNECT_DATA_MAX];
    struct tern_grant out;
    grant.data = words;
    grant.data_len = sizeof words;
    grant.server_count = TERN_CONNECT_SERVERS_MAX;
    for (size_t i = 0; i < TERN_CONNECT_SERVERS_MAX; i++) {
        assert_int_equal(tern_addr_parse(&grant.servers[i], "[2001:db8::9]:1"), 0);
    }
    server = grant.servers[3];
    seal();
    assert_int_equal(open_token(&out, key), 0);
    assert_int_equal(out.data_len, TERN_CONNECT_DATA_MAX);
    size_t len = token_len;
    uint8_t small[TERN_CONNECT_TOKEN_MAX];
    for (size_t room = 0; room < len; room += 7) {
        assert_int_equal(tern_connect_token_seal(small, room, &token_len, key, &grant),
                         TERN_ERR_BUFFER);
    }
}

static void a_copy_has_only_what_there_is(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_grant out;
    kit_mem(&mem, &heap);
    seal();
    assert_int_equal(open_token(&out, key), 0);
    struct tern_grant *copy = tern_grant_copy(&out, &mem);
    assert_non_null(copy);
    assert_true(heap.bytes < sizeof out - 200);
    assert_memory_equal(copy->data, out.data, out.data_len);
    tern_grant_free(copy, &mem);
    assert_int_equal(heap.blocks, 0);
    heap.fail_at = heap.calls + 1;
    assert_null(tern_grant_copy(&out, &mem));
    tern_grant_free(NULL, &mem);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_is_sealed_is_read, setup, NULL),
    cmocka_unit_test_setup_teardown(it_is_for_the_servers_it_names, setup, NULL),
    cmocka_unit_test_setup_teardown(nothing_else_opens, setup, NULL),
    cmocka_unit_test_setup_teardown(a_wrong_inside_is_refused, setup, NULL),
    cmocka_unit_test_setup_teardown(senseless_grants_are_not_sealed, setup, NULL),
    cmocka_unit_test_setup_teardown(the_largest_fits_and_less_room_is_told, setup, NULL),
    cmocka_unit_test_setup_teardown(a_copy_has_only_what_there_is, setup, NULL),
};

TERN_TEST_MAIN(tests)
