/* Stateless reset with its traps: forged tokens, retired ones, loops, floods, oracles.
 * SPDX-License-Identifier: MIT */
#include "crypto/token.h"
#include "door_kit.h"
#include "endpoint/endpoint.h"
#include "one_pair.h"

static const uint8_t secret[TERN_KEY_SIZE] = {3, 1, 4};

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    server->config.secret_key = secret;
    return 0;
}

/* The server's process ends and another one with the same key takes its place. */
static void restart_server(void)
{
    tern_endpoint_free(server->endpoint);
    assert_int_equal(tern_endpoint_new(&server->endpoint, &server->config, p->now), 0);
    server->conn = NULL;
}

static void say_something(void)
{
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "are you there?", 14, TERN_FIN), 14);
}

static void a_restarted_server_is_noticed_at_once(void **state)
{
    (void)state;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    restart_server();
    say_something();
    pair_exchange(p);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->close.by, TERN_CLOSED_PEER);
    assert_int_equal(client->close.error, TERN_ERR_FORGOTTEN);
    assert_int_equal(pair_counters(server).resets_sent, 1);
    assert_int_equal(pair_counters(client).resets_received, 1);
    uint64_t said = client->datagrams; /* RFC 9000 §10.3.1: not a word more */
    pair_advance(p, 10 * TERN_SEC);
    assert_int_equal(client->datagrams, said);
    assert_int_equal(pair_counters(client).connections, 0);
}

static void another_key_resets_nothing(void **state)
{
    (void)state;
    static const uint8_t other[TERN_KEY_SIZE] = {2, 7};
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    server->config.secret_key = other;
    restart_server();
    say_something();
    pair_advance(p, 5 * TERN_SEC);
    assert_true(pair_counters(server).resets_sent > 0);
    assert_int_equal(client->closed, 0);
    assert_int_equal(pair_counters(client).resets_received, 0);
}

static void silent_servers_and_clients_send_none(void **state)
{
    (void)state;
    server->config.silent = true;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    restart_server();
    say_something();
    uint64_t said = server->datagrams;
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(server->datagrams, said);
    uint8_t stray[100] = {0x40, 7};
    assert_int_equal(pair_inject(p, PAIR_CLIENT, stray, sizeof stray), 0);
    uint8_t out[2000];
    while (door_say(p, PAIR_CLIENT, out) > 0) { /* its own probes have full size or are sealed */
        assert_true(p->now > 0);
    }
    assert_int_equal(pair_counters(client).resets_sent, 0);
}

static bool is_unharmed(void)
{
    uint8_t key[TERN_KEY_SIZE];
    pair_poll(client);
    return client->closed == 0 && tern_conn_peer_key(client->conn, key) == 0 &&
           tern_conn_is_established(client->conn);
}

static void try_token(const uint8_t *token, const tern_addr *from, size_t len)
{
    uint8_t datagram[100];
    memset(datagram, 0x5a, sizeof datagram);
    memcpy(datagram + len - 16, token, 16);
    datagram[0] = 0x41;
    door_hear(p, PAIR_CLIENT, from, datagram, len);
}

static void only_the_token_in_use_counts(void **state)
{
    (void)state;
    uint8_t token[16];
    uint64_t seed = 11;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    struct tern_conn *conn = client->conn;
    memset(token, 0, sizeof token);
    try_token(token, &server->addr, 43);
    memset(token, 0xff, sizeof token);
    try_token(token, &server->addr, 43);
    for (int i = 0; i < 1000; i++) {
        pair_random(&seed, token, sizeof token);
        try_token(token, &server->addr, 21 + (size_t)i % 70);
    }
    memcpy(token, conn->door.reset_token, sizeof token);
    for (unsigned bit = 0; bit < 128; bit++) {
        token[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_token(token, &server->addr, 43);
        token[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(is_unharmed());
    tern_addr elsewhere = server->addr;
    elsewhere.port++;
    try_token(token, &elsewhere, 43); /* it is for where we talk to */
    uint8_t cut[20] = {0x40};
    memcpy(cut + 4, token, 16);
    door_hear(p, PAIR_CLIENT, &server->addr, cut, sizeof cut);
    assert_true(is_unharmed());
    try_token(token, &server->addr, 21);
    pair_poll(client);
    assert_int_equal(client->closed, 1);
}

/* The identifiers in reserve have tokens too, and those of retired ones are forgotten. */
static void tokens_go_with_their_identifiers(void **state)
{
    (void)state;
    uint8_t old[16], token[16];
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    struct tern_conn *conn = client->conn;
    memcpy(old, conn->door.reset_token, sizeof old);
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        const struct tern_cid_remote *slot = &conn->cids.remote[i];
        assert_true(slot->is_used && slot->has_token);
        for (size_t j = 0; j < i; j++) { /* no two are the same */
            assert_false(tern_token_equal(slot->reset_token, conn->cids.remote[j].reset_token));
        }
        if (i != conn->cids.active) {
            try_token(slot->reset_token, &server->addr, 43); /* nothing was sent to it yet */
        }
    }
    assert_true(is_unharmed());
    conn->cids.remote[conn->cids.active].is_used = false; /* as NEW_CONNECTION_ID would make it */
    conn->cids.active = (conn->cids.active + 1) % TERN_CIDS_LIMIT;
    tern_conn_mark_ready(conn);
    pair_exchange(p);
    memcpy(token, conn->door.reset_token, sizeof token);
    assert_memory_not_equal(token, old, sizeof token);
    try_token(old, &server->addr, 43);
    assert_true(is_unharmed());
    try_token(token, &server->addr, 43);
    pair_poll(client);
    assert_int_equal(client->closed, 1);
}

static size_t reset_for(uint8_t first_octet, size_t len, uint8_t *out)
{
    uint8_t stray[100] = {0x40, first_octet, 1, 2, 3};
    assert_true(len <= sizeof stray);
    assert_int_equal(pair_inject(p, PAIR_SERVER, stray, len), 0);
    return door_say(p, PAIR_SERVER, out);
}

/* RFC 9000 §10.3.3: always shorter, so that two who reset each other come to an end. */
static void resets_are_shorter_than_their_cause(void **state)
{
    (void)state;
    uint8_t out[2000], mine[16];
    pair_open(p);
    for (size_t len = 1; len <= 100; len++) {
        p->now += 20 * TERN_MSEC;
        size_t answered = reset_for(7, len, out);
        assert_int_equal(answered, len < 22 ? 0 : TERN_MIN(len - 1, (size_t)43));
        if (answered > 0) {
            static const uint8_t cid[8] = {7, 1, 2, 3};
            assert_int_equal(out[0] & 0xc0, 0x40);
            struct tern_hmac keyed;
            tern_hmac_init(&keyed, secret, TERN_KEY_SIZE);
            tern_token_reset(mine, &keyed, cid, sizeof cid);
            assert_memory_equal(out + answered - 16, mine, 16);
        }
    }
    assert_int_equal(reset_for(6, 100, out), 0); /* no identifier that we could have given */
    size_t len = 100, rounds = 0;
    uint8_t ball[2000] = {0x40, 7};
    while (len > 0) { /* as between two servers, each with a packet that the other does not know */
        p->now += 20 * TERN_MSEC;
        ball[0] = 0x40;
        ball[1] = 7;
        assert_int_equal(pair_inject(p, PAIR_SERVER, ball, len), 0);
        size_t next = door_say(p, PAIR_SERVER, ball);
        assert_true(next < len);
        len = next;
        rounds++;
    }
    assert_true(rounds <= 24);
}

static void a_flood_has_few_resets_and_takes_no_memory(void **state)
{
    (void)state;
    uint8_t out[2000];
    unsigned count = 0;
    pair_open(p);
    uint64_t calls = server->heap.calls;
    for (int i = 0; i < 20000; i++) {
        p->now += TERN_SEC / 10000;
        count += reset_for(7, 60, out) > 0 ? 1 : 0;
    }
    assert_in_range(count, 200, 300); /* 64 and two seconds' worth */
    assert_int_equal(server->heap.calls, calls);
    p->now -= 3000 * TERN_SEC; /* a clock that is set back stops it no longer than a full bucket */
    assert_int_equal(reset_for(7, 60, out), 0);
    p->now += 20 * TERN_MSEC;
    assert_true(reset_for(7, 60, out) > 0);
}

/* RFC 9000 §21.11: a live connection's token is given to nobody, whoever asks from wherever. */
static void no_oracle_for_live_identifiers(void **state)
{
    (void)state;
    uint8_t stray[60] = {0x40}, out[2000];
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    tern_addr stranger = door_addr("203.0.113.5:1");
    struct tern_conn *conn = server->conn;
    for (size_t i = 0; i < TERN_CIDS_LIMIT; i++) {
        assert_true(conn->cids.local[i].is_used);
        memcpy(stray + 1, conn->cids.local[i].cid.bytes, 8);
        door_hear(p, PAIR_SERVER, &stranger, stray, sizeof stray);
        assert_int_equal(door_say(p, PAIR_SERVER, out), 0);
    }
    assert_int_equal(pair_counters(server).resets_sent, 0);
}

/* RFC 9000 §21.11: servers that share a key, each with a number in its identifiers. None answers for what
 * another has issued, and so gives no token of another's connections away. */
static void nobody_answers_for_another_server(void **state)
{
    (void)state;
    uint8_t out[2000];
    server->config.cid_prefix[0] = 3;
    server->config.cid_prefix[1] = 9;
    server->config.cid_prefix_len = 2;
    server->config.cid_rotation = 2;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    uint8_t stray[60] = {0x40, 2 << 5 | 7, 3, 9, 1};
    assert_int_equal(pair_inject(p, PAIR_SERVER, stray, sizeof stray), 0);
    assert_true(door_say(p, PAIR_SERVER, out) > 0); /* one that it may have lost */
    for (size_t i = 1; i <= 3; i++) {
        uint8_t others[60] = {0x40, 2 << 5 | 7, 3, 9, 1};
        others[i] ^= (uint8_t)(i == 1 ? 1 << 5 : 1);
        assert_int_equal(pair_inject(p, PAIR_SERVER, others, sizeof others), 0);
        assert_int_equal(door_say(p, PAIR_SERVER, out), 0);
    }
    restart_server();
    say_something();
    pair_exchange(p);
    assert_int_equal(client->close.error, TERN_ERR_FORGOTTEN);
}

/* A server that gives two connections one token: the second goes without, and nothing breaks. */
static void one_token_for_two_is_kept_once(void **state)
{
    (void)state;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    struct tern_conn *one = client->conn;
    assert_int_equal(pair_connect(p, p->key), 0);
    struct tern_conn *two = client->conn;
    pair_advance(p, TERN_SEC);
    memcpy(two->cids.remote[two->cids.active].reset_token, one->door.reset_token, 16);
    tern_conn_mark_ready(two);
    pair_exchange(p);
    assert_true(one->door.has_reset_token);
    assert_false(two->door.has_reset_token);
    memset(two->cids.remote[two->cids.active].reset_token, 0, 16); /* nor does an empty one count */
    tern_conn_mark_ready(two);
    pair_exchange(p);
    assert_false(two->door.has_reset_token);
    tern_endpoint_close_all(client->endpoint, 0, NULL);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(pair_counters(client).connections, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_restarted_server_is_noticed_at_once, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(another_key_resets_nothing, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(silent_servers_and_clients_send_none, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(only_the_token_in_use_counts, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(tokens_go_with_their_identifiers, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(resets_are_shorter_than_their_cause, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_flood_has_few_resets_and_takes_no_memory, setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(no_oracle_for_live_identifiers, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(nobody_answers_for_another_server, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(one_token_for_two_is_kept_once, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
