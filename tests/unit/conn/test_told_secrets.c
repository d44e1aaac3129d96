/* Secrets for a key log: none without the switch; with it each once, before the first packet that it seals or opens,
 * the same at both ends.
 * SPDX-License-Identifier: MIT */
#include "conn_kit.h"
#include "unit/ear_kit.h"

static struct ck k;
#define CLIENT k.side[CK_CLIENT].conn
#define SERVER k.side[CK_SERVER].conn

static void begin(bool has_key_log)
{
    ck_init(&k);
    memset(ears, 0, sizeof ears);
    for (int i = 0; i < 2; i++) {
        k.side[i].config.trace = (tern_trace_sink){ear_listen, &ears[i]};
        k.side[i].config.key_log = has_key_log;
    }
    ck_ready(&k);
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

static void talk(void)
{
    CLIENT->wants_ping = SERVER->wants_ping = true;
    ck_settle(&k);
}

static void nobody_is_told_who_did_not_ask(void **state)
{
    (void)state;
    begin(false);
    talk();
    for (int i = 0; i < 2; i++) {
        assert_true(ears[i].packets[TERN_PACKET_ONE_RTT] > 1);
        assert_int_equal(ears[i].count, 0);
    }
}

static void each_level_is_told_once_and_in_time(void **state)
{
    (void)state;
    static const uint8_t levels[] = {TERN_PACKET_INITIAL, TERN_PACKET_HANDSHAKE,
                                     TERN_PACKET_ONE_RTT};
    begin(true);
    talk();
    talk();
    for (int side = 0; side < 2; side++) {
        assert_int_equal(ears[side].count, 2 * TERN_COUNT_OF(levels));
        assert_int_equal(ears[side].too_late, 0);
        for (size_t i = 0; i < TERN_COUNT_OF(levels); i++) {
            assert_int_equal(ear_told(side, levels[i], 0, true), 1);
            assert_int_equal(ear_told(side, levels[i], 0, false), 1);
        }
    }
    assert_memory_not_equal(ears[0].secrets[0].secret, ears[0].secrets[1].secret, TERN_SECRET_SIZE);
}

static void each_phase_is_told(void **state)
{
    (void)state;
    begin(true);
    talk();
    for (uint32_t phase = 1; phase <= 3; phase++) {
        if (phase == 2) { /* that one with fresh keys */
            assert_int_equal(tern_conn_rekey(CLIENT), 0);
        } else {
            CLIENT->spaces[TERN_LEVEL_APP].keys->update_bytes = 0;
        }
        talk();
        CLIENT->spaces[TERN_LEVEL_APP].keys->update_bytes = UINT64_MAX;
        for (int i = 0; i < 3; i++) { /* the phase before is over, and the other has followed */
            k.now += TERN_SEC;
            tern_conn_tick(CLIENT, k.now);
            tern_conn_tick(SERVER, k.now);
            talk();
        }
        for (int side = 0; side < 2; side++) {
            assert_int_equal(ear_told(side, TERN_PACKET_ONE_RTT, phase, true), 1);
            assert_int_equal(ear_told(side, TERN_PACKET_ONE_RTT, phase, false), 1);
        }
    }
}

static void the_identifier_is_that_of_the_first_packet(void **state)
{
    (void)state;
    struct tern_cid first = {0};
    ck_init(&k);
    memset(ears, 0, sizeof ears);
    k.side[CK_CLIENT].config.trace = (tern_trace_sink){ear_listen, &ears[0]};
    k.side[CK_CLIENT].config.key_log = true;
    assert_int_equal(ck_connect(&k), 0);
    first = CLIENT->handshake->original_dcid;
    static struct ck_flight flight;
    ck_take(&k, CK_CLIENT, &flight);
    assert_true(ears[0].count > 0);
    assert_memory_equal(ears[0].secrets[0].connection, first.bytes, 8);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(nobody_is_told_who_did_not_ask, teardown),
    cmocka_unit_test_teardown(each_level_is_told_once_and_in_time, teardown),
    cmocka_unit_test_teardown(each_phase_is_told, teardown),
    cmocka_unit_test_teardown(the_identifier_is_that_of_the_first_packet, teardown),
};

TERN_TEST_MAIN(tests)
