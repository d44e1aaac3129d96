/* Retry under attack: forged, repeated, cut, replayed, from elsewhere, too late.
 * SPDX-License-Identifier: MIT */
#include "conn/input.h"
#include "conn/proofs.h"
#include "crypto/keys.h"
#include "door_kit.h"
#include "one_pair.h"

static uint8_t first[2000], retry[2000], second[2000];
static size_t first_len, retry_len, second_len;

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    server->config.retry_half_open = 0;
    return 0;
}

/* Up to the server's Retry, which the client has not seen. */
static void begin(const uint8_t *key)
{
    pair_open(p);
    assert_int_equal(pair_connect(p, key == NULL ? NULL : p->key), 0);
    first_len = door_say(p, PAIR_CLIENT, first);
    door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
    retry_len = door_say(p, PAIR_SERVER, retry);
    assert_true(retry_len > 0 && retry_len < first_len / 3);
    assert_int_equal(door_header(retry, retry_len).type, TERN_PACKET_RETRY);
    assert_int_equal(pair_counters(server).connections, 0);
}

static void heed(void)
{
    door_hear(p, PAIR_CLIENT, &server->addr, retry, retry_len);
    second_len = door_say(p, PAIR_CLIENT, second);
    assert_true(second_len >= 1200);
    assert_true(door_header(second, second_len).token_len > 0);
}

/* The client says nothing new: what has come was not heeded. */
static void assert_unmoved(void)
{
    assert_int_equal(door_say(p, PAIR_CLIENT, second), 0);
}

static void finish(void)
{
    door_hear(p, PAIR_SERVER, &client->addr, second, second_len);
    pair_exchange(p);
    assert_int_equal(client->connected, 1);
    assert_int_equal(server->connected, 1);
}

static void a_retry_leads_to_a_connection(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    finish();
    assert_int_equal(pair_counters(server).retries, 1);
}

static void in_first_contact_too(void **state)
{
    (void)state;
    begin(NULL);
    heed();
    finish();
}

static void the_server_forgets_whom_it_asked(void **state)
{
    (void)state;
    begin(p->key);
    uint64_t calls = server->heap.calls, blocks = server->heap.blocks;
    uint8_t out[2000];
    for (int i = 0; i < 10000; i++) {
        door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
        assert_true(door_say(p, PAIR_SERVER, out) > 0);
    }
    assert_int_equal(server->heap.calls, calls);
    assert_int_equal(server->heap.blocks, blocks);
    assert_int_equal(pair_counters(server).half_open, 0);
}

/* RFC 9000 §17.2.5.2: at most one. */
static void a_second_retry_is_ignored(void **state)
{
    (void)state;
    uint8_t other[2000];
    begin(p->key);
    door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
    size_t other_len = door_say(p, PAIR_SERVER, other);
    assert_true(other_len > 0);
    heed();
    uint8_t kept[2000];
    size_t kept_len = second_len;
    memcpy(kept, second, second_len);
    door_hear(p, PAIR_CLIENT, &server->addr, other, other_len);
    assert_unmoved();
    door_hear(p, PAIR_CLIENT, &server->addr, retry, retry_len);
    assert_unmoved();
    memcpy(second, kept, kept_len);
    second_len = kept_len;
    finish();
}

static void none_is_heeded_after_the_server_has_spoken(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    finish();
    door_hear(p, PAIR_CLIENT, &server->addr, retry, retry_len);
    assert_unmoved();
    assert_int_equal(client->closed, 0);
}

/* Cut, longer, any bit changed: dropped, and the true one still counts. */
static void a_damaged_retry_is_ignored(void **state)
{
    (void)state;
    uint8_t copy[2000];
    begin(p->key);
    for (size_t len = 0; len < retry_len; len++) {
        door_hear(p, PAIR_CLIENT, &server->addr, retry, len);
    }
    for (size_t bit = 0; bit < 8 * (retry_len - 8);
         bit++) { /* the last half of the tag is for others */
        memcpy(copy, retry, retry_len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        door_hear(p, PAIR_CLIENT, &server->addr, copy, retry_len);
    }
    memcpy(copy, retry, retry_len);
    copy[retry_len] = 0;
    door_hear(p, PAIR_CLIENT, &server->addr, copy, retry_len + 1);
    assert_unmoved();
    heed();
    finish();
}

/* A Retry of the forger's making, with a tag that is right as far as he can make it. */
static size_t forge(uint8_t *out, const struct tern_cid *dcid, const struct tern_cid *scid,
                    const uint8_t *public_key, const struct tern_cid *odcid, size_t token_len)
{
    struct tern_writer w;
    struct tern_retry_keys keys;
    uint8_t token[1000] = {TERN_ITEM_RETRY}, tag[TERN_RETRY_TAG_SIZE] = {0};
    tern_writer_init(&w, out, 2000);
    tern_header_encode_retry(&w, dcid, scid, token, token_len, tag, 0);
    assert_false(w.failed);
    size_t len = tern_writer_used(&w);
    tern_retry_keys_init(&keys, public_key);
    tern_retry_tag(out + len - sizeof tag, &keys, odcid->bytes, odcid->len, out, len - sizeof tag);
    return len;
}

/* Identifiers of every length, to the client and in its name. */
static void retries_with_odd_identifiers_are_ignored(void **state)
{
    (void)state;
    uint8_t out[2000];
    begin(p->key);
    struct tern_header seen = door_header(first, first_len);
    for (unsigned len = 0; len <= TERN_CID_MAX; len++) {
        struct tern_cid odd = {.len = (uint8_t)len, .bytes = {7, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
        if (len < 8) { /* no identifier for a first packet */
            size_t n = forge(out, &seen.scid, &odd, p->key, &seen.dcid, 40);
            door_hear(p, PAIR_CLIENT, &server->addr, out, n);
        }
        size_t n = forge(out, &odd, &odd, p->key, &seen.dcid, 40);
        door_hear(p, PAIR_CLIENT, &server->addr, out, n);
        door_hear(p, PAIR_SERVER, &client->addr, out, n);
    }
    for (unsigned len = 0; len < 256; len++) { /* and lengths that lie */
        memcpy(out, retry, retry_len);
        out[5] = (uint8_t)len;
        if (len != retry[5]) {
            door_hear(p, PAIR_CLIENT, &server->addr, out, retry_len);
            door_hear(p, PAIR_SERVER, &client->addr, out, retry_len);
        }
    }
    size_t n = forge(out, &seen.scid, &seen.dcid, p->key, &seen.dcid, 40); /* its own identifier */
    door_hear(p, PAIR_CLIENT, &server->addr, out, n);
    struct tern_cid scid = {.len = 8, .bytes = {7, 1}};
    n = forge(out, &seen.scid, &scid, p->key, &seen.dcid, TERN_ADDRESS_TOKEN_MAX + 1);
    door_hear(p, PAIR_CLIENT, &server->addr, out, n);
    n = forge(out, &seen.scid, &scid, NULL, &seen.dcid,
              40); /* who does not know the server's key */
    door_hear(p, PAIR_CLIENT, &server->addr, out, n);
    assert_unmoved();
    heed();
    finish();
}

/* [P §4.3]: an observer who has the server's key and sees the first packet is quicker with a Retry than the
 * server with its answer. The token is none, and still the handshake comes about. */
static void a_forged_retry_blocks_nothing(void **state)
{
    (void)state;
    uint8_t out[2000], answer[2000];
    for (int is_keyed = 0; is_keyed < 2; is_keyed++) {
        pair_close(p);
        pair_init(p);
        pair_open(p);
        assert_int_equal(pair_connect(p, is_keyed != 0 ? p->key : NULL), 0);
        first_len = door_say(p, PAIR_CLIENT, first);
        struct tern_header seen = door_header(first, first_len);
        struct tern_cid scid = {.len = 8, .bytes = {7, 9, 9, 9}};
        size_t len = forge(out, &seen.scid, &scid, p->key, &seen.dcid, 60);
        door_hear(p, PAIR_CLIENT, &server->addr, out, len);
        second_len = door_say(p, PAIR_CLIENT, second);
        struct tern_header again = door_header(second, second_len);
        assert_true(tern_cid_equal(&again.dcid, &scid));
        door_hear(p, PAIR_SERVER, &client->addr, second, second_len);
        door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
        for (uint8_t junk = 0; junk < 20; junk++) { /* neither attempt opens these */
            memcpy(answer, second, 1200);
            answer[600] ^= junk;
            memcpy(answer + 6, seen.scid.bytes, 8);
            door_hear(p, PAIR_CLIENT, &server->addr, answer, 1200);
        }
        pair_exchange(p);
        pair_advance(p, TERN_SEC);
        assert_int_equal(client->connected, 1);
        assert_int_equal(server->connected, 1);
    }
}

/* The Noise ephemeral of message 1 in an Initial packet. */
static void ephemeral_of(uint8_t out[32], const uint8_t *data, size_t len)
{
    uint8_t copy[2000], secrets[2][32];
    struct tern_packet_keys keys;
    struct tern_opened opened;
    struct tern_header header = door_header(data, len);
    memcpy(copy, data, len);
    tern_initial_secrets(secrets[0], secrets[1], header.dcid.bytes, header.dcid.len, p->key);
    assert_int_equal(tern_packet_keys_init(&keys, TERN_SUITE_CHACHA20_POLY1305, secrets[0]), 0);
    assert_int_equal(tern_packet_unseal(&opened, &header, copy, &keys, 0), 0);
    tern_packet_keys_clear(&keys);
    /* CRYPTO type, offset, length (2), then the envelope: type, pattern, suites, id, ticket, length */
    memcpy(out, opened.payload + 4 + 9, 32);
}

/* In XK one ephemeral under two prologues would seal two messages under one key and nonce. */
static void the_second_message_has_another_key_and_number(void **state)
{
    (void)state;
    uint8_t before[32], after[32];
    begin(p->key);
    heed();
    ephemeral_of(before, first, first_len);
    ephemeral_of(after, second, second_len);
    assert_memory_not_equal(before, after, 32);
    struct tern_header a = door_header(first, first_len), b = door_header(second, second_len);
    struct tern_header r = door_header(retry, retry_len);
    assert_false(tern_cid_equal(&a.dcid, &b.dcid));
    assert_true(tern_cid_equal(&b.dcid, &r.scid));
    assert_true(tern_cid_equal(&a.scid, &b.scid));
    assert_int_equal(b.token_len, r.token_len);
    assert_memory_equal(b.token, r.token, r.token_len);
    finish();
}

/* Wherever else a token is shown it opens no door. */
static void a_token_is_good_for_one_place(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    uint64_t seed = 3;
    for (unsigned i = 0; i < TERN_TEST_TIMES(100000u); i++) {
        tern_addr from = client->addr;
        uint8_t noise[3];
        pair_random(&seed, noise, sizeof noise);
        if (i % 2 == 0) {
            from.port = (uint16_t)(from.port + 1 + noise[0]);
        } else {
            from.ip[3] = (uint8_t)(from.ip[3] + 1 + noise[1] % 255);
        }
        door_hear(p, PAIR_SERVER, &from, second, second_len);
        assert_int_equal(pair_counters(server).connections, 0);
        uint8_t out[2000];
        size_t answered = door_say(p, PAIR_SERVER, out); /* a refusal, which is short */
        assert_true(answered < 200);
    }
    finish();
}

static void a_late_token_opens_nothing(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    p->now += 11 * TERN_SEC;
    door_hear(p, PAIR_SERVER, &client->addr, second, second_len);
    assert_int_equal(pair_counters(server).connections, 0);
    assert_int_equal(pair_counters(server).refusals, 1);
    for (unsigned i = 0; i < TERN_TEST_TIMES(100000u); i++) {
        uint8_t out[2000];
        p->now += i % 100 == 0 ? TERN_SEC : 0;
        door_hear(p, PAIR_SERVER, &client->addr, second, second_len);
        assert_true(door_say(p, PAIR_SERVER, out) < 200);
        assert_int_equal(pair_counters(server).connections, 0);
    }
}

/* The connection is there, or was and is over: the same packet makes no second one beside it. */
static void a_replayed_token_makes_no_second_connection(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    for (unsigned i = 0; i < TERN_TEST_TIMES(100000u); i++) {
        door_hear(p, PAIR_SERVER, &client->addr, second, second_len);
        assert_int_equal(pair_counters(server).connections, 1);
    }
    pair_exchange(p);
    assert_int_equal(server->connected, 1);
}

/* The server asked, so the client must not be told three times over that it is unknown there. */
static void an_invalid_token_is_told_to_the_client(void **state)
{
    (void)state;
    begin(p->key);
    heed();
    door_header(second, second_len);
    client->addr.port++; /* a NAT in between has just forgotten */
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(client->connected, 0);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.error, TERN_ERR_INVALID_TOKEN);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
}

/* Silent servers ask only those who know them. */
static void a_silent_server_asks_its_friends_alone(void **state)
{
    (void)state;
    uint8_t out[2000];
    server->config.silent = true;
    begin(p->key);
    heed();
    finish();
    assert_int_equal(pair_connect(p, NULL), 0);
    first_len = door_say(p, PAIR_CLIENT, first);
    door_hear(p, PAIR_SERVER, &client->addr, first, first_len);
    assert_int_equal(door_say(p, PAIR_SERVER, out), 0);
}

/* Packets of both attempts, lost, repeated and in any order. */
static void any_order_around_a_retry(void **state)
{
    (void)state;
    uint64_t seed = 1;
    pair_open(p);
    for (unsigned run = 0; run < TERN_TEST_TIMES(100000u); run++) {
        uint8_t log[40][2000];
        size_t lens[40];
        bool to_server[40];
        size_t count = 0;
        assert_int_equal(pair_connect(p, run % 3 == 0 ? NULL : p->key), 0);
        for (unsigned step = 0; step < 12 && count < 38; step++) {
            size_t len = door_say(p, PAIR_CLIENT, log[count]);
            if (len > 0) {
                to_server[count] = true;
                lens[count++] = len;
            }
            len = door_say(p, PAIR_SERVER, log[count]);
            if (len > 0) {
                to_server[count] = false;
                lens[count++] = len;
            }
            uint8_t pick;
            pair_random(&seed, &pick, 1);
            size_t i = pick % count;
            door_hear(p, to_server[i] ? PAIR_SERVER : PAIR_CLIENT,
                      to_server[i] ? &client->addr : &server->addr, log[i], lens[i]);
        }
        pair_advance(p, 8 * TERN_SEC); /* the timers repair what was lost */
        assert_int_equal(client->connected, run + 1);
        tern_endpoint_close_all(client->endpoint, 0, NULL);
        pair_advance(p, 20 * TERN_SEC);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_retry_leads_to_a_connection, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(in_first_contact_too, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_server_forgets_whom_it_asked, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_second_retry_is_ignored, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(none_is_heeded_after_the_server_has_spoken, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_damaged_retry_is_ignored, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(retries_with_odd_identifiers_are_ignored, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_forged_retry_blocks_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_second_message_has_another_key_and_number, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_token_is_good_for_one_place, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_late_token_opens_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_replayed_token_makes_no_second_connection, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(an_invalid_token_is_told_to_the_client, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_silent_server_asks_its_friends_alone, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(any_order_around_a_retry, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
