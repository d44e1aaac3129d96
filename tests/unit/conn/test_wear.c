/* Keys that wear out, and whoever would wear them out: limits, forgeries and updates as a whole connection sees
 * them. RFC 9001 §6
 * SPDX-License-Identifier: MIT */
#include "one_ck.h"

#define CLIENT (k.side[CK_CLIENT].conn)
#define SERVER (k.side[CK_SERVER].conn)

static struct tern_key_phase *keys_of(const struct tern_conn *conn)
{
    return conn->spaces[TERN_LEVEL_APP].keys;
}

static size_t next_packet(struct tern_conn *conn, uint8_t out[1500])
{
    tern_train train = {.data = k.buffer, .capacity = sizeof k.buffer};
    conn->wants_ping = true;
    assert_true(tern_conn_transmit(conn, &train, k.now) > 0);
    assert_true(train.segment <= 1500);
    memcpy(out, train.data, train.segment);
    return train.segment;
}

/* To the server, from its client's address. */
static void give(const uint8_t *data, size_t len)
{
    ck_give_from(&k, CK_SERVER, &k.side[CK_CLIENT].addr, data, len);
}

/* A datagram to an identifier of the server's with junk behind it: after the mask, either phase. */
static size_t forge(uint64_t *seed, uint8_t out[60])
{
    ck_random(seed, out, 60);
    out[0] = (uint8_t)(0x40 | (out[0] & 0x3f));
    memcpy(out + 1, SERVER->cids.local[0].cid.bytes, 8);
    return 60;
}

static void one_trial_a_forgery_and_no_new_keys(void **state)
{
    (void)state;
    uint8_t packet[1500], true_one[1500];
    uint64_t seed = 1;
    struct tern_key_phase before = *keys_of(SERVER);
    size_t true_len = next_packet(CLIENT, true_one);
    uint64_t calls = k.side[CK_SERVER].heap.calls;
    for (unsigned i = 1; i <= 100000; i++) {
        size_t len = true_len;
        if (i % 2 == 0) {
            len = forge(&seed, packet);
        } else { /* the phase bit of a true one, and some other bit: the mask hides which is which */
            memcpy(packet, true_one, len);
            packet[0] ^= 0x04;
            packet[9 + i % (len - 9)] ^= (uint8_t)(i % 4);
        }
        give(packet, len);
        assert_int_equal(keys_of(SERVER)->opened_failed, before.opened_failed + i);
    }
    assert_int_equal(keys_of(SERVER)->phase, before.phase);
    assert_memory_equal(keys_of(SERVER)->rx_next.secret, before.rx_next.secret, TERN_SECRET_SIZE);
    assert_int_equal(k.side[CK_SERVER].heap.calls, calls);
    assert_int_equal(SERVER->life.state, TERN_LIFE_ESTABLISHED);
    uint64_t received = SERVER->counters.packets_received;
    give(true_one, true_len);
    assert_int_equal(SERVER->counters.packets_received, received + 1);
}

/* RFC 9001 §6.6 */
static void too_many_forgeries_end_it(void **state)
{
    (void)state;
    uint8_t packet[1500];
    uint64_t seed = 2;
    keys_of(SERVER)->opened_failed = tern_suite_open_limit(SERVER->suite) - 100;
    for (int i = 0; i < 100; i++) {
        give(packet, forge(&seed, packet));
        assert_int_equal(SERVER->life.state, TERN_LIFE_ESTABLISHED);
    }
    give(packet, forge(&seed, packet));
    assert_int_equal(SERVER->life.state, TERN_LIFE_CLOSING);
    assert_int_equal(SERVER->life.code, 0x0f);
    ck_settle(&k);
    assert_int_equal(CLIENT->life.by, TERN_CLOSED_PEER);
    assert_int_equal(CLIENT->life.error, TERN_ERR_AEAD_LIMIT);
}

/* Forgeries are counted for the connection, not for a key: an update does not begin anew. */
static void an_update_forgives_no_forgeries(void **state)
{
    (void)state;
    uint8_t packet[1500];
    uint64_t seed = 3;
    keys_of(SERVER)->opened_failed = 1000;
    keys_of(CLIENT)->sealed_bytes = UINT64_C(1) << 30;
    give(packet, next_packet(CLIENT, packet));
    ck_settle(&k);
    assert_int_equal(keys_of(SERVER)->phase, 1);
    give(packet, forge(&seed, packet));
    assert_int_equal(keys_of(SERVER)->opened_failed, 1001);
}

static void worn_keys_are_changed(void **state)
{
    (void)state;
    uint8_t packet[1500];
    for (unsigned i = 1; i <= 5; i++) {
        struct tern_conn *conn = i % 2 == 0 ? SERVER : CLIENT;
        keys_of(conn)->tx.sealed = tern_suite_seal_limit(conn->suite) / 2;
        size_t len = next_packet(conn, packet);
        ck_give_from(&k, i % 2 == 0 ? CK_CLIENT : CK_SERVER, &k.side[i % 2].addr, packet, len);
        for (int round = 0; round < 2; round++) { /* each change is acknowledged */
            CLIENT->wants_ping = SERVER->wants_ping = true;
            ck_settle(&k);
        }
        k.now += 10 * TERN_SEC; /* the keys before are gone */
        tern_conn_tick(CLIENT, k.now);
        tern_conn_tick(SERVER, k.now);
        assert_int_equal(keys_of(CLIENT)->phase, i);
        assert_int_equal(keys_of(SERVER)->phase, i);
        assert_true(keys_of(conn)->tx.sealed < 100);
    }
    assert_int_equal(CLIENT->life.state, TERN_LIFE_ESTABLISHED);
}

/* ... and when they cannot be, nothing more is sealed under them but the close. */
static void keys_that_are_worn_out_end_it(void **state)
{
    (void)state;
    struct tern_key_phase *keys = keys_of(CLIENT);
    tern_train train = {.data = k.buffer, .capacity = sizeof k.buffer};
    keys->tx.sealed = tern_suite_seal_limit(CLIENT->suite);
    keys->is_acked = false;
    CLIENT->wants_ping = true;
    (void)tern_conn_transmit(CLIENT, &train, k.now);
    assert_int_equal(CLIENT->life.state, TERN_LIFE_CLOSING);
    assert_int_equal(CLIENT->life.code, 0x0f);
}

/* RFC 9001 §6.1: who does not know yet that the other end has finished changes no key, however worn. */
static void no_key_changes_before_the_handshake_is_confirmed(void **state)
{
    (void)state;
    struct ck_flight flight;
    assert_int_equal(ck_clear(&k), 0);
    ck_init(&k);
    assert_int_equal(ck_connect(&k), 0);
    (void)ck_carry(&k, CK_CLIENT);
    (void)ck_carry(&k, CK_SERVER);
    ck_take(&k, CK_CLIENT, &flight);
    assert_int_equal(CLIENT->life.state, TERN_LIFE_ESTABLISHED);
    assert_false(CLIENT->life.is_confirmed);
    keys_of(CLIENT)->sealed_bytes = UINT64_C(1) << 30;
    CLIENT->wants_ping = true;
    (void)ck_lose(&k, CK_CLIENT);
    assert_int_equal(keys_of(CLIENT)->phase, 0);
    for (size_t i = 0; i < flight.count; i++) {
        ck_give(&k, CK_SERVER, &flight, i);
    }
    ck_settle(&k);
    assert_true(CLIENT->life.is_confirmed);
    CLIENT->wants_ping = true;
    ck_settle(&k);
    assert_int_equal(keys_of(CLIENT)->phase, 1);
}

/* RFC 9001 §6.2: a peer that changes keys again before it could have heard of the first change. */
static void an_update_too_early_is_an_error(void **state)
{
    (void)state;
    uint8_t packet[1500];
    for (int i = 0; i < 2; i++) {
        struct tern_key_phase *keys = keys_of(CLIENT);
        keys->sealed_bytes = UINT64_C(1) << 30;
        keys->is_acked = keys->has_rx_pn = true; /* it lies to itself */
        keys->previous_until = TERN_TIME_NEVER;
        give(packet, next_packet(CLIENT, packet));
        assert_int_equal(SERVER->life.state, i == 0 ? TERN_LIFE_ESTABLISHED : TERN_LIFE_CLOSING);
    }
    assert_int_equal(SERVER->life.code, 0x0e);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(one_trial_a_forgery_and_no_new_keys, one_setup_ready,
                                    one_teardown),
    cmocka_unit_test_setup_teardown(too_many_forgeries_end_it, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(an_update_forgives_no_forgeries, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(worn_keys_are_changed, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(keys_that_are_worn_out_end_it, one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(no_key_changes_before_the_handshake_is_confirmed,
                                    one_setup_ready, one_teardown),
    cmocka_unit_test_setup_teardown(an_update_too_early_is_an_error, one_setup_ready, one_teardown),
};

TERN_TEST_MAIN(tests)
