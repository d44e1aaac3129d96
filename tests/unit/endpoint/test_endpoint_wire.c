/* A wire that loses, repeats, reorders and changes datagrams, a clock that steps back, and what old or
 * forged datagrams may do to a connection: nothing.
 * SPDX-License-Identifier: MIT */
#include "crypto/token.h"
#include "one_pair.h"

#define KEPT 64

static uint8_t kept[2][KEPT][1500];
static size_t kept_len[2][KEPT], kept_count[2];
static uint8_t much[100000], got[100001];

static int setup(void **state)
{
    (void)state;
    pair_init(p);
    memset(kept_count, 0, sizeof kept_count);
    for (size_t i = 0; i < sizeof much; i++) {
        much[i] = (uint8_t)(i * 31 + i / 251);
    }
    return 0;
}

static void keep(int from, const uint8_t *data, size_t len)
{
    size_t *n = &kept_count[from];
    if (*n < KEPT && len <= sizeof kept[0][0]) {
        memcpy(kept[from][*n], data, len);
        kept_len[from][(*n)++] = len;
    }
}

static bool keep_all(struct pair *pair, int from, uint8_t *data, size_t len)
{
    (void)pair;
    keep(from, data, len);
    return true;
}

/* A tenth is lost, a tenth changed; before a fifth an older one of that side comes, again or for the
 * first time: a second late, it is a true sample of a long round trip, and all is slow for a while. */
static bool rough(struct pair *pair, int from, uint8_t *data, size_t len)
{
    uint8_t dice[4];
    pair_random(&pair->wire_arg, dice, sizeof dice);
    if (dice[0] < 50 && kept_count[from] > 0) {
        static uint8_t copy[1500];
        size_t i = dice[1] % kept_count[from];
        memcpy(copy, kept[from][i], kept_len[from][i]);
        assert_int_equal(pair_inject(pair, 1 - from, copy, kept_len[from][i]), 0);
    }
    keep(from, data, len);
    if (dice[2] < 25) {
        data[dice[3] * len / 256] ^= (uint8_t)(1 + dice[0] % 255);
    }
    return dice[2] < 230;
}

/* Sends `much` on a new stream of the client. How much of it has the server read in time? */
static size_t transfer(tern_time patience)
{
    tern_stream *stream;
    size_t done = 0;
    server->stream = NULL;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, much, sizeof much, TERN_FIN), sizeof much);
    tern_time end = p->now + patience;
    while (p->now < end && client->closed + server->closed == 0) {
        pair_advance(p, 20 * TERN_MSEC);
        ptrdiff_t n = 1;
        while (server->stream != NULL && n > 0) {
            n = tern_stream_read(server->stream, got + done, sizeof got - done);
            done += n > 0 ? (size_t)n : 0;
        }
        if (n == 0) {
            break;
        }
    }
    assert_int_equal(client->closed + server->closed, 0);
    return done;
}

static void bytes_survive_a_rough_wire(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        pair_close(p);
        (void)setup(NULL);
        memset(got, 0, sizeof got);
        p->wire = rough;
        p->wire_arg = seed * 7919;
        client->config.handshake_timeout = server->config.handshake_timeout = 60 * TERN_SEC;
        client->config.idle_timeout = server->config.idle_timeout = 600 * TERN_SEC;
        pair_open(p);
        assert_int_equal(pair_connect(p, seed % 2 == 0 ? p->key : NULL), 0);
        pair_advance(p, 20 * TERN_SEC);
        assert_int_equal(client->connected, 1);
        assert_int_equal(server->connected, 1);
        assert_int_equal(transfer(600 * TERN_SEC), sizeof much);
        assert_memory_equal(got, much, sizeof much);
        tern_conn_close(client->conn, 2, "done");
        pair_advance(p, 1000 * TERN_SEC);
        assert_int_equal(client->closed, 1);
        assert_int_equal(server->closed, 1);
        assert_int_equal(pair_counters(client).connections, 0);
        assert_int_equal(pair_counters(server).connections, 0);
    }
}

static bool step_back(struct pair *pair, int from, uint8_t *data, size_t len)
{
    uint8_t dice;
    (void)from;
    (void)data;
    (void)len;
    pair_random(&pair->wire_arg, &dice, 1);
    pair->now -= dice < 128 ? dice * 20 * TERN_USEC : 0; /* up to 2.5 hops */
    return true;
}

/* tern/types.h: slightly backward values are tolerated. */
static void the_clock_may_step_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        pair_close(p);
        (void)setup(NULL);
        pair_open(p);
        p->wire = step_back;
        p->wire_arg = seed;
        assert_int_equal(pair_connect(p, p->key), 0);
        pair_advance(p, TERN_SEC);
        assert_int_equal(client->connected, 1);
        assert_int_equal(server->connected, 1);
        assert_int_equal(transfer(20 * TERN_SEC), sizeof much);
        for (int i = 0; i < 2; i++) {
            tern_stats stats = {.size = sizeof stats};
            tern_conn_stats(p->side[i].conn, &stats);
            assert_true(stats.smoothed_rtt < TERN_SEC && stats.rtt_variance < TERN_SEC);
            assert_true(tern_endpoint_deadline(p->side[i].endpoint) < p->now + 40 * TERN_SEC);
        }
    }
}

/* Anybody on the path sees identifiers and may send what he likes to them. */
static void junk_does_nothing_to_a_connection(void **state)
{
    (void)state;
    static uint8_t junk[1501];
    uint64_t seed = 9;
    p->wire = keep_all;
    pair_ready(p);
    assert_int_equal(transfer(5 * TERN_SEC), sizeof much);
    pair_advance(p, TERN_SEC);
    for (int to = 0; to < 2; to++) {
        struct pair_side *side = &p->side[to];
        const uint8_t *real =
            kept[1 - to][kept_count[1 - to] - 1]; /* a short header and its DCID */
        assert_int_equal(real[0] & 0xc0, 0x40);
        memcpy(junk, real, 9);
        assert_int_equal(pair_inject(p, to, junk, 1200), 0); /* awake from here on */
        assert_false(pair_carry(p, to));
        uint64_t blocks = side->heap.blocks, sent = side->datagrams;
        for (size_t len = 0; len <= 1500; len++) {
            pair_random(&seed, junk, len);
            memcpy(junk, real, TERN_MIN(len, (size_t)9));
            assert_int_equal(pair_inject(p, to, junk, len), 0);
            assert_false(pair_carry(p, to));
        }
        assert_int_equal(side->heap.blocks, blocks);
        assert_int_equal(side->datagrams, sent);
    }
    assert_int_equal(client->closed + server->closed, 0);
    assert_int_equal(transfer(5 * TERN_SEC), sizeof much);
}

/* Everything that a client ever sent comes again, to the living connection and to the grave. */
static void old_datagrams_come_again(void **state)
{
    (void)state;
    p->wire = keep_all;
    pair_ready(p);
    assert_int_equal(transfer(5 * TERN_SEC), sizeof much);
    pair_advance(p, TERN_SEC);
    p->wire = NULL;
    tern_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    tern_conn_stats(server->conn, &before);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < kept_count[PAIR_CLIENT]; i++) {
            static uint8_t copy[1500];
            memcpy(copy, kept[PAIR_CLIENT][i], kept_len[PAIR_CLIENT][i]);
            assert_int_equal(pair_inject(p, PAIR_SERVER, copy, kept_len[PAIR_CLIENT][i]), 0);
        }
        pair_exchange(p);
        assert_int_equal(server->connected, 1);
        assert_int_equal(server->opened, 1);
        if (round < 2) {
            tern_conn_stats(server->conn, &after);
            assert_int_equal(after.packets_received, before.packets_received);
            assert_int_equal(after.packets_sent, before.packets_sent);
            assert_true(after.packets_dropped >= before.packets_dropped + kept_count[PAIR_CLIENT]);
        }
        if (round == 1) {
            tern_conn_close(client->conn, 0, NULL);
            pair_advance(p, 20 * TERN_SEC);
            assert_int_equal(server->closed, 1);
            assert_int_equal(pair_counters(server).connections, 0);
        }
    }
    assert_true(pair_counters(server).connections <= 1); /* a first packet is a first packet */
    pair_advance(p, 20 * TERN_SEC);
    assert_int_equal(pair_counters(server).connections, 0);
    assert_int_equal(server->connected, 1);
}

/* [P §11]: resets are neither sent nor acted on in this version. */
static void there_are_no_stateless_resets(void **state)
{
    (void)state;
    uint8_t secret[TERN_KEY_SIZE], public_key[TERN_KEY_SIZE], reset[100] = {0x41};
    tern_key_generate(secret, public_key);
    server->config.secret_key = secret;
    p->wire = keep_all;
    pair_ready(p);
    assert_memory_equal(p->key, public_key, sizeof public_key);
    assert_int_equal(transfer(5 * TERN_SEC), sizeof much);
    pair_advance(p, TERN_SEC);
    uint64_t sent = server->datagrams;
    assert_int_equal(pair_inject(p, PAIR_SERVER, reset, sizeof reset), 0); /* no such identifier */
    assert_false(pair_carry(p, PAIR_SERVER));
    assert_int_equal(server->datagrams, sent);
    /* The true token of the identifier that the client sends to, as a server that forgot all sends
     * it; to the identifier that the server sent to, so that it reaches the connection. */
    const uint8_t *theirs = kept[PAIR_CLIENT][kept_count[PAIR_CLIENT] - 1];
    const uint8_t *ours = kept[PAIR_SERVER][kept_count[PAIR_SERVER] - 1];
    memcpy(reset, ours, 9);
    struct tern_hmac keyed;
    tern_hmac_init(&keyed, secret, TERN_KEY_SIZE);
    tern_token_reset(reset + sizeof reset - 16, &keyed, theirs + 1, 8);
    uint64_t dropped = 0;
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(client->conn, &stats);
    dropped = stats.packets_dropped;
    assert_int_equal(pair_inject(p, PAIR_CLIENT, reset, sizeof reset), 0);
    tern_conn_stats(client->conn, &stats);
    assert_int_equal(stats.packets_dropped, dropped + 1);
    pair_exchange(p);
    assert_int_equal(client->closed, 0);
    assert_int_equal(transfer(5 * TERN_SEC), sizeof much);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(bytes_survive_a_rough_wire, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_clock_may_step_back, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(junk_does_nothing_to_a_connection, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(old_datagrams_come_again, setup, pair_teardown),
    cmocka_unit_test_setup_teardown(there_are_no_stateless_resets, setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
