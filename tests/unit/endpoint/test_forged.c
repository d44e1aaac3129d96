/* An observer who forges Initial packets, with keys that it can derive: it neither ends nor blocks a
 * handshake, in either direction. [P §4.3]
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"
#include "seal_kit.h"

static uint8_t first[2000];
static size_t first_len;
static struct tern_header seen; /* of the client's first packet */

static void begin(const uint8_t *key)
{
    pair_open(p);
    assert_int_equal(pair_connect(p, key == NULL ? NULL : p->key), 0);
    tern_train train = {.data = first, .capacity = sizeof first};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    first_len = train.len;
    assert_int_equal(tern_header_decode(&seen, first, first_len, 8), 0);
}

/* Seals a payload as an Initial of either end and hands it to the other. */
static void forge_with(int from, bool is_keyed, const struct tern_cid *scid, const void *frames,
                       size_t len, uint64_t pn)
{
    uint8_t packet[SEAL_MAX];
    struct tern_packet_keys keys;
    const struct tern_cid *dcid = from == PAIR_CLIENT ? &seen.dcid : &seen.scid;
    struct seal_head head = {TERN_PACKET_INITIAL, dcid, scid, pn};
    seal_initial_keys(&keys, from, &seen.dcid, is_keyed ? p->key : NULL);
    size_t sealed = seal_long(packet, &head, &keys, frames, len, 1200 - 60);
    tern_packet_keys_clear(&keys);
    assert_int_equal(pair_inject(p, 1 - from, packet, TERN_MAX(sealed, (size_t)1200)), 0);
}

static void forge(int from, bool is_keyed, const struct tern_cid *scid, const void *frames,
                  size_t len)
{
    static uint64_t pn = 5;
    forge_with(from, is_keyed, scid, frames, len, pn++);
}

static const struct tern_cid other_scid = {.len = 8, .bytes = {9, 8, 7, 6, 5, 4, 3, 2}};

/* Everything that ought to be fatal, or in the way. */
static void forge_all(int from, bool is_keyed)
{
    static const uint8_t close[] = {0x1c, 0x0a, 0x00, 0x00};
    static const uint8_t ack[] = {0x02, 0x40, 0x64, 0x00, 0x00, 0x00};
    static const uint8_t stream[] = {0x08, 0x00, 'x'};           /* not allowed here */
    static const uint8_t unknown[] = {0x7f, 0xff};               /* no frame of ours */
    static const uint8_t cut[] = {0x06, 0x00, 0x47, 0xd0, 0x01}; /* longer than the packet */
    static const uint8_t ping[] = {0x01};
    uint8_t crypto[1100] = {0x06, 0x00, 0x44, 0x00}; /* 1024 bytes at offset 0 */
    const struct tern_cid *own = from == PAIR_CLIENT ? &seen.scid : &other_scid;
    memset(crypto + 4, 0xff, 1024); /* an envelope that asks for 65535 more */
    crypto[4] = from == PAIR_CLIENT ? 1 : 2;
    forge(from, is_keyed, own, ack, sizeof ack);
    forge(from, is_keyed, own, stream, sizeof stream);
    forge(from, is_keyed, own, unknown, sizeof unknown);
    forge(from, is_keyed, own, cut, sizeof cut);
    forge(from, is_keyed, own, crypto, 4 + 1024);
    for (uint8_t i = 0; i < 40; i++) { /* a hole each */
        uint8_t piece[] = {0x06, 0x40, (uint8_t)(2 * i + 1), 0x01, 0xee};
        forge(from, is_keyed, own, piece, sizeof piece);
    }
    forge(from, is_keyed, own, close, sizeof close);
    forge_with(from, is_keyed, own, ping, sizeof ping, 1000); /* numbers far ahead */
    forge(from, is_keyed, &other_scid, ping, sizeof ping);
}

static void go_on(void)
{
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, first_len), 0);
    pair_advance(p, 4 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
    assert_int_equal(client->closed + server->closed, 0);
}

static void a_forger_does_not_disturb_a_client(void **state)
{
    (void)state;
    begin(p->key);
    forge_all(PAIR_SERVER, true);
    assert_int_equal(client->closed, 0);
    go_on();
}

static void nor_in_first_contact(void **state)
{
    (void)state;
    begin(NULL);
    forge_all(PAIR_SERVER, false);
    go_on();
}

static void a_forger_does_not_disturb_a_server(void **state)
{
    (void)state;
    begin(p->key);
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, first_len), 0);
    forge_all(PAIR_CLIENT, true);
    pair_advance(p, 4 * TERN_SEC);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
}

/* The forger's packet comes first and makes the connection. */
static void nor_one_that_is_earlier(void **state)
{
    (void)state;
    begin(p->key);
    forge_all(PAIR_CLIENT, true);
    go_on();
}

static int refuse(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    (void)user;
    (void)conn;
    (void)key;
    return TERN_ERR_REFUSED;
}

/* A close that nothing contradicts is told as the cause in the end. */
static void a_true_close_is_believed(void **state)
{
    (void)state;
    server->config.suites = TERN_SUITE_CHACHA20_POLY1305;
    client->config.suites = TERN_SUITE_AES_256_GCM;
    int rc = tern_endpoint_new(&client->endpoint, &client->config, p->now);
    tern_endpoint_free(client->endpoint);
    client->endpoint = NULL;
    if (rc != 0) { /* no AES here: another refusal at the same place does not exist */
        pair_init(p);
        server->config.verify = refuse;
        pair_open(p);
        return;
    }
    begin(p->key);
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, first_len), 0);
    pair_advance(p, 9 * TERN_SEC);
    assert_int_equal(client->closed, 0); /* it might be a forger's */
    pair_advance(p, 2 * TERN_SEC);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_int_equal(client->close.error, TERN_ERR_UNSUPPORTED);
    assert_string_equal(client->reason, "no common cipher suite");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_forger_does_not_disturb_a_client, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_in_first_contact, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_forger_does_not_disturb_a_server, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nor_one_that_is_earlier, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_true_close_is_believed, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
