/* Version Negotiation: when it is sent, what it says, and that it is no amplifier.
 * SPDX-License-Identifier: MIT */
#include "endpoint/endpoint.h"
#include "one_pair.h"
#include "wire/limits.h"

static uint8_t ask[1500];
static uint8_t answer[1500];

/* A long header of some version: RFC 8999 §5.1. */
static void make_ask(uint32_t version)
{
    memset(ask, 0, sizeof ask);
    ask[0] = 0xc0;
    for (int i = 0; i < 4; i++) {
        ask[1 + i] = (uint8_t)(version >> (24 - 8 * i));
    }
    ask[5] = 20;
    memset(ask + 6, 0xdd, 20);
    ask[26] = 5;
    memset(ask + 27, 0x55, 5);
}

/* Length of what comes back, 0: nothing. */
static size_t knock(size_t len)
{
    uint8_t copy[1500];
    memcpy(copy, ask, len);
    assert_int_equal(pair_inject(p, PAIR_SERVER, copy, len), 0);
    tern_train train = {.data = answer, .capacity = sizeof answer, .ecn = 3};
    tern_time deadline = tern_endpoint_deadline(p->side[PAIR_SERVER].endpoint);
    int n = tern_endpoint_transmit(p->side[PAIR_SERVER].endpoint, &train, p->now);
    assert_int_equal(deadline, n == 0 ? TERN_TIME_NEVER : 0); /* the loop must come round for it */
    if (n == 0) {
        return 0;
    }
    assert_int_equal(n, 1);
    assert_int_equal(train.ecn, 0);
    assert_int_equal(train.segment, train.len);
    assert_true(tern_addr_equal(&train.local, &p->side[PAIR_SERVER].addr));
    assert_true(tern_addr_equal(&train.remote, &p->side[PAIR_CLIENT].addr));
    return train.len;
}

static void an_unknown_version_is_told_ours(void **state)
{
    (void)state;
    pair_open(p);
    make_ask(0x0a1a2a3a);
    size_t len = knock(1200);
    assert_int_equal(len, 1 + 4 + 1 + 5 + 1 + 20 + 4);
    assert_true((answer[0] & 0x80) != 0);
    assert_memory_equal(answer + 1, "\0\0\0\0", 4);
    assert_int_equal(answer[5], 5); /* the identifiers swapped */
    assert_memory_equal(answer + 6, ask + 27, 5);
    assert_int_equal(answer[11], 20);
    assert_memory_equal(answer + 12, ask + 6, 20);
    assert_memory_equal(answer + 32, "TRN\x01", 4);
}

/* RFC 8999 §5.1: in other versions identifiers may have up to 255 bytes. */
static void the_longest_identifiers_are_returned(void **state)
{
    (void)state;
    pair_open(p);
    make_ask(0x0a1a2a3a);
    ask[5] = 255;
    memset(ask + 6, 0xdd, 255);
    ask[6 + 255] = 255;
    memset(ask + 7 + 255, 0x55, 255);
    assert_int_equal(knock(1200), 1 + 4 + 1 + 255 + 1 + 255 + 4);
    assert_int_equal(answer[5], 255);
    assert_memory_equal(answer + 6, ask + 7 + 255, 255);
    assert_int_equal(answer[6 + 255], 255);
    assert_memory_equal(answer + 7 + 255, ask + 6, 255);
    assert_memory_equal(answer + 7 + 510, "TRN\x01", 4);
}

/* RFC 9000 §6.1: or two servers would talk for ever. */
static void negotiation_is_never_answered(void **state)
{
    (void)state;
    pair_open(p);
    make_ask(0);
    assert_int_equal(knock(1200), 0);
}

static void small_datagrams_get_nothing(void **state)
{
    (void)state;
    pair_open(p);
    make_ask(0x0a1a2a3a);
    for (size_t len = 0; len < 1200; len++) {
        assert_int_equal(knock(len), 0);
    }
    assert_true(knock(1200) > 0);
}

static void silent_servers_and_clients_say_nothing(void **state)
{
    (void)state;
    p->side[PAIR_SERVER].config.silent = true;
    pair_open(p);
    make_ask(0x0a1a2a3a);
    assert_int_equal(knock(1200), 0);
    assert_int_equal(pair_inject(p, PAIR_CLIENT, ask, 1200), 0);
    tern_train train = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(tern_endpoint_transmit(p->side[PAIR_CLIENT].endpoint, &train, p->now), 0);
}

static void a_flood_is_answered_by_a_few(void **state)
{
    (void)state;
    pair_open(p);
    make_ask(0x0a1a2a3a);
    uint64_t calls = p->side[PAIR_SERVER].heap.calls;
    for (int i = 0; i < 1000; i++) {
        uint8_t copy[1200];
        memcpy(copy, ask, sizeof copy);
        assert_int_equal(pair_inject(p, PAIR_SERVER, copy, sizeof copy), 0);
    }
    tern_train train = {.data = answer, .capacity = sizeof answer};
    int count = 0;
    while (tern_endpoint_transmit(p->side[PAIR_SERVER].endpoint, &train, p->now) > 0) {
        count++;
    }
    assert_int_equal(count, 64);
    assert_int_equal(p->side[PAIR_SERVER].heap.calls, calls); /* no memory was taken */
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(p->side[PAIR_SERVER].endpoint, &counters);
    assert_int_equal(counters.version_negotiations, 64);
    assert_int_equal(counters.connections, 0);
}

/* A forged one must not end a handshake; [P §12.2]: there is no other version to turn to. */
static void a_client_does_not_heed_it(void **state)
{
    (void)state;
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    tern_train train = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(tern_endpoint_transmit(p->side[PAIR_CLIENT].endpoint, &train, p->now), 1);
    uint8_t forged[64] = {0xc0};
    size_t dcid = answer[5], scid = answer[6 + dcid], at = 5;
    forged[at++] = (uint8_t)scid;
    memcpy(forged + at, answer + 7 + dcid, scid);
    at += scid;
    forged[at++] = (uint8_t)dcid;
    memcpy(forged + at, answer + 6, dcid);
    at += dcid;
    memcpy(forged + at, "\x0a\x0a\x0a\x0a", 4);
    assert_int_equal(pair_inject(p, PAIR_CLIENT, forged, at + 4), 0);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(p->side[PAIR_CLIENT].connected, 1);
}

/* Of each kind: what has no room is not said, and what has come first leaves first. */
static void a_full_ring_takes_no_more(void **state)
{
    struct tern_stateless ring;
    struct tern_header header;
    struct tern_proofs proofs;
    struct tern_retry_keys keys;
    struct tern_random random;
    tern_datagram in = {.local = p->side[PAIR_SERVER].addr, .remote = p->side[PAIR_CLIENT].addr};
    tern_train train = {.data = answer, .capacity = sizeof answer};
    uint8_t reset[40] = {0x41}, key[TERN_KEY_SIZE] = {9};
    (void)state;
    pair_open(p);
    tern_random_init(&random, NULL);
    tern_proofs_init(&proofs, key, 0, TERN_SEC, &random, p->now);
    tern_retry_keys_init(&keys, key);
    make_ask(0x54524e02);
    assert_int_equal(tern_header_decode(&header, ask, 1200, TERN_CID_SIZE), 0);
    header.dcid = header.scid = (struct tern_cid){.len = 8};
    assert_int_equal(tern_stateless_init(&ring, &p->side[PAIR_SERVER].endpoint->mem, 2), 0);
    assert_false(tern_stateless_next(&ring, &train));
    assert_true(tern_stateless_push(&ring, &in, reset, sizeof reset));
    tern_stateless_refuse(&ring, &header, &in, key, 2, "no room");
    assert_int_equal(ring.refusals, 1);
    assert_false(tern_stateless_push(&ring, &in, reset, sizeof reset));
    tern_stateless_refuse(&ring, &header, &in, key, 2, "no room");
    tern_stateless_retry(&ring, &header, &in, &proofs, &keys, &random, p->now);
    tern_stateless_negotiate(&ring, &header, &in, 1200, &random);
    assert_int_equal(ring.refusals, 1);
    assert_int_equal(ring.retries + ring.negotiations, 0);
    assert_true(tern_stateless_next(&ring, &train));
    assert_int_equal(train.len, sizeof reset);
    assert_memory_equal(answer, reset, sizeof reset);
    tern_stateless_retry(&ring, &header, &in, &proofs, &keys, &random, p->now);
    assert_int_equal(ring.retries, 1);
    assert_true(tern_stateless_next(&ring, &train));
    assert_true(tern_stateless_next(&ring, &train));
    assert_int_equal(answer[0] & 0xf0, 0xf0); /* the Retry came last */
    assert_false(tern_stateless_next(&ring, &train));
    tern_stateless_clear(&ring);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_full_ring_takes_no_more, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_unknown_version_is_told_ours, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(the_longest_identifiers_are_returned, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(negotiation_is_never_answered, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(small_datagrams_get_nothing, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(silent_servers_and_clients_say_nothing, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(a_flood_is_answered_by_a_few, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(a_client_does_not_heed_it, pair_setup, pair_teardown),
};

TERN_TEST_MAIN(tests)
