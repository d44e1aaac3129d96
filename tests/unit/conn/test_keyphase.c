/* Key updates between two ends: who starts, who follows, reordering around the change, limits.
 * SPDX-License-Identifier: MIT */
#include "conn/keyphase.h"

#include "tern_test.h"

#define NOW   (3600 * TERN_SEC)
#define SUITE TERN_SUITE_CHACHA20_POLY1305
#define PTO3  (600 * TERN_MSEC)
#define MUCH  (UINT64_C(1) << 30)

static struct tern_key_phase client, server;
static uint64_t client_pn, server_pn;

struct packet {
    uint64_t pn;
    bool phase_bit;
    uint8_t bytes[32];
};

static int setup(void **state)
{
    (void)state;
    const uint8_t up[32] = {1}, down[32] = {2};
    client_pn = server_pn = 0;
    assert_int_equal(tern_key_phase_init(&client, SUITE, up, down), 0);
    assert_int_equal(tern_key_phase_init(&server, SUITE, down, up), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_key_phase_clear(&client);
    tern_key_phase_clear(&server);
    return 0;
}

static struct packet seal(struct tern_key_phase *from, uint64_t *pn)
{
    struct packet packet = {
        .pn = (*pn)++, .phase_bit = (from->phase & 1) != 0, .bytes = "sixteen bytes..."};
    const uint8_t header = packet.phase_bit;
    assert_int_equal(tern_packet_seal(&from->tx, 0, packet.pn, &header, 1, packet.bytes, 16), 0);
    tern_key_phase_on_sealed(from, packet.pn, 16);
    return packet;
}

/* 0, or what the connection would end with; TERN_ERR_CRYPTO: no key opened it. */
static int open(struct tern_key_phase *at, uint64_t next_pn, struct packet packet, tern_time now)
{
    const uint8_t header = packet.phase_bit;
    enum tern_key_choice choice = tern_key_phase_choose(at, packet.phase_bit, packet.pn);
    struct tern_packet_keys *keys = tern_key_phase_keys(at, choice);
    if (keys == NULL ||
        tern_packet_open(keys, 0, packet.pn, &header, 1, packet.bytes, sizeof packet.bytes) != 0) {
        return TERN_ERR_CRYPTO;
    }
    assert_memory_equal(packet.bytes, "sixteen bytes...", 16);
    return tern_key_phase_on_opened(at, choice, packet.pn, PTO3, next_pn, now);
}

static int up(tern_time now)
{
    return open(&server, server_pn, seal(&client, &client_pn), now);
}

static int down(tern_time now)
{
    return open(&client, client_pn, seal(&server, &server_pn), now);
}

static void update_client(tern_time now)
{
    uint32_t phase = client.phase;
    client.sealed_bytes = MUCH;
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, now), 0);
    assert_int_equal(client.phase, phase + 1);
}

static void nothing_happens_before_it_is_due(void **state)
{
    (void)state;
    client.sealed_bytes = MUCH - 1;
    assert_int_equal(tern_key_phase_advance(&client, 5, PTO3, NOW), 0);
    assert_int_equal(client.phase, 0);
}

static void the_other_end_follows(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    assert_int_equal(down(NOW), 0); /* the old key, from before it heard */
    assert_int_equal(up(NOW), 0);
    assert_int_equal(server.phase, 1);
    assert_int_equal(down(NOW), 0);
    assert_int_equal(client.phase, 1);
    assert_int_equal(up(NOW), 0);
}

static void many_updates_in_turn(void **state)
{
    (void)state;
    tern_time now = NOW;
    assert_int_equal(up(now), 0);
    assert_int_equal(down(now), 0);
    for (uint32_t i = 1; i < 40; i++) {
        update_client(now);
        assert_int_equal(up(now), 0);
        assert_int_equal(down(now), 0);
        tern_key_phase_on_acked(&client, client_pn - 1);
        tern_key_phase_on_acked(&server, server_pn - 1);
        now += PTO3;
        tern_key_phase_on_timer(&client, now);
        tern_key_phase_on_timer(&server, now);
        assert_int_equal(server.phase, i);
    }
}

static void packets_cross_the_change(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    struct packet late = seal(&client, &client_pn);
    struct packet later = seal(&client, &client_pn);
    update_client(NOW);
    assert_int_equal(up(NOW), 0);
    assert_int_equal(open(&server, server_pn, late, NOW), 0); /* reordered behind the new key */
    tern_key_phase_on_timer(&server, NOW + PTO3);             /* 3 PTO later it is wiped */
    assert_int_equal(open(&server, server_pn, later, NOW + PTO3), TERN_ERR_CRYPTO);
}

/* RFC 9001 §6.1: not before one of our packets of this phase was acknowledged, and the old key is
 * gone. */
static void the_next_update_waits(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    uint64_t first = client_pn;
    assert_int_equal(up(NOW), 0);
    client.sealed_bytes = MUCH;
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
    assert_int_equal(client.phase, 1); /* due, but unsettled */
    tern_key_phase_on_acked(&client, first - 1);
    assert_false(client.is_acked); /* of the phase before */
    tern_key_phase_on_acked(&client, first);
    assert_true(client.is_acked);
    assert_int_equal(down(NOW), 0);
    tern_key_phase_on_timer(&client, NOW + PTO3);
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW + PTO3), 0);
    assert_int_equal(client.phase, 2);
}

/* RFC 9001 §6.2 */
static void two_updates_without_an_answer_are_an_error(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    assert_int_equal(up(NOW), 0);
    client.is_acked = true; /* a peer that does not keep the rule */
    client.previous_until = TERN_TIME_NEVER;
    client.has_rx_pn = true;
    update_client(NOW);
    assert_int_equal(up(NOW), TERN_ERR_KEY_UPDATE);
}

/* A flipped phase bit on a forged packet costs one failed opening and derives nothing. */
static void a_forgery_moves_nothing(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    struct packet forged = seal(&client, &client_pn);
    forged.phase_bit = !forged.phase_bit;
    assert_int_equal(open(&server, server_pn, forged, NOW), TERN_ERR_CRYPTO);
    assert_int_equal(server.phase, 0);
    assert_int_equal(up(NOW), 0);
}

static void forgeries_have_a_limit(void **state)
{
    (void)state;
    server.opened_failed = tern_suite_open_limit(SUITE) - 1;
    assert_int_equal(tern_key_phase_on_failed(&server), 0);
    assert_int_equal(tern_key_phase_on_failed(&server), TERN_ERR_AEAD_LIMIT);
}

static void a_worn_key_that_cannot_be_changed_ends_it(void **state)
{
    (void)state;
    update_client(NOW);
    client.tx.sealed = tern_suite_seal_limit(SUITE) / 2;
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
    client.tx.sealed = tern_suite_seal_limit(SUITE);
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), TERN_ERR_AEAD_LIMIT);
}

static void an_unknown_suite_is_refused(void **state)
{
    (void)state;
    struct tern_key_phase kp;
    const uint8_t secret[32] = {1};
    assert_int_equal(tern_key_phase_init(&kp, 0x4000, secret, secret), TERN_ERR_UNSUPPORTED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(nothing_happens_before_it_is_due, setup, teardown),
    cmocka_unit_test_setup_teardown(the_other_end_follows, setup, teardown),
    cmocka_unit_test_setup_teardown(many_updates_in_turn, setup, teardown),
    cmocka_unit_test_setup_teardown(packets_cross_the_change, setup, teardown),
    cmocka_unit_test_setup_teardown(the_next_update_waits, setup, teardown),
    cmocka_unit_test_setup_teardown(two_updates_without_an_answer_are_an_error, setup, teardown),
    cmocka_unit_test_setup_teardown(a_forgery_moves_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(forgeries_have_a_limit, setup, teardown),
    cmocka_unit_test_setup_teardown(a_worn_key_that_cannot_be_changed_ends_it, setup, teardown),
    cmocka_unit_test(an_unknown_suite_is_refused),
};

TERN_TEST_MAIN(tests)
