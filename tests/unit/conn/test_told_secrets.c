/* Secrets for a key log: none without the switch; with it each once, before the first packet that it seals or opens,
 * the same at both ends.
 * SPDX-License-Identifier: MIT */
#include "conn_kit.h"

static struct ck k;
#define CLIENT k.side[CK_CLIENT].conn
#define SERVER k.side[CK_SERVER].conn

enum { HEARD_MAX = 64 };

/* What one end told. */
struct ear {
    struct {
        uint8_t type, secret[TERN_SECRET_SIZE], connection[8];
        bool is_clients;
        uint32_t phase;
        unsigned suite;
    } secrets[HEARD_MAX];
    unsigned count, packets, too_late;
};

static struct ear ears[2];

static bool knows(const struct ear *ear, uint8_t type)
{
    for (unsigned i = 0; i < ear->count; i++) {
        if (ear->secrets[i].type == type) {
            return true;
        }
    }
    return false;
}

static void listen(void *user, const tern_trace_event *event)
{
    struct ear *ear = user;
    if (event->kind == TERN_TRACE_SENT || event->kind == TERN_TRACE_RECEIVED) {
        ear->packets++;
        ear->too_late += knows(ear, event->packet_type) ? 0 : 1;
    }
    if (event->kind == TERN_TRACE_SECRET) {
        assert_true(ear->count < HEARD_MAX);
        ear->secrets[ear->count].type = event->packet_type;
        ear->secrets[ear->count].is_clients = event->is_clients;
        ear->secrets[ear->count].phase = event->key_phase;
        ear->secrets[ear->count].suite = event->suite;
        memcpy(ear->secrets[ear->count].secret, event->secret, TERN_SECRET_SIZE);
        memcpy(ear->secrets[ear->count].connection, event->connection, 8);
        ear->count++;
    }
}

static void begin(bool has_key_log)
{
    ck_init(&k);
    memset(ears, 0, sizeof ears);
    for (int i = 0; i < 2; i++) {
        k.side[i].config.trace = (tern_trace_sink){listen, &ears[i]};
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

/* How often an end told of a level and phase, and that the other knows the same. */
static unsigned told(int side, uint8_t type, uint32_t phase, bool is_clients)
{
    unsigned count = 0;
    const struct ear *mine = &ears[side], *other = &ears[!side];
    for (unsigned i = 0; i < mine->count; i++) {
        if (mine->secrets[i].type != type || mine->secrets[i].phase != phase ||
            mine->secrets[i].is_clients != is_clients) {
            continue;
        }
        count++;
        for (unsigned j = 0; j < other->count; j++) {
            if (other->secrets[j].type == type && other->secrets[j].phase == phase &&
                other->secrets[j].is_clients == is_clients) {
                assert_memory_equal(mine->secrets[i].secret, other->secrets[j].secret,
                                    TERN_SECRET_SIZE);
                assert_int_equal(mine->secrets[i].suite, other->secrets[j].suite);
                assert_memory_equal(mine->secrets[i].connection, other->secrets[j].connection, 8);
            }
        }
    }
    return count;
}

static void nobody_is_told_who_did_not_ask(void **state)
{
    (void)state;
    begin(false);
    talk();
    for (int i = 0; i < 2; i++) {
        assert_true(ears[i].packets > 3);
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
            assert_int_equal(told(side, levels[i], 0, true), 1);
            assert_int_equal(told(side, levels[i], 0, false), 1);
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
            assert_int_equal(told(side, TERN_PACKET_ONE_RTT, phase, true), 1);
            assert_int_equal(told(side, TERN_PACKET_ONE_RTT, phase, false), 1);
        }
    }
}

static void the_identifier_is_that_of_the_first_packet(void **state)
{
    (void)state;
    struct tern_cid first = {0};
    ck_init(&k);
    memset(ears, 0, sizeof ears);
    k.side[CK_CLIENT].config.trace = (tern_trace_sink){listen, &ears[0]};
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
