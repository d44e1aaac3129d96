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
    assert_int_equal(tern_key_phase_look_ahead(&client), 0);
    assert_int_equal(tern_key_phase_look_ahead(&server), 0);
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
    tern_key_phase_on_sealed(from, 16, NOW);
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
    tern_key_phase_on_timer(&server, NOW + PTO3 - 1);
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

/* RFC 9001 §6.2: what settles an update is that we could answer it. Our answers are ACKs alone,
 * which nobody acknowledges. */
static void who_only_acknowledges_may_be_updated_again(void **state)
{
    (void)state;
    tern_time now = NOW;
    assert_int_equal(up(now), 0);
    assert_int_equal(down(now), 0);
    for (uint32_t i = 1; i < 5; i++) {
        update_client(now);
        assert_int_equal(up(now), 0);
        assert_int_equal(down(now), 0);
        tern_key_phase_on_acked(&client, client_pn - 1);
        now += PTO3;
        tern_key_phase_on_timer(&client, now);
        tern_key_phase_on_timer(&server, now);
        assert_int_equal(server.phase, i);
    }
}

/* What left before the peer followed is no answer to its following. */
static void an_answer_comes_after_the_question(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    (void)seal(&client, &client_pn); /* lost; the server moves on by itself, twice in a row */
    for (unsigned i = 0; i < 2; i++) {
        server.sealed_bytes = MUCH;
        server.is_acked = true; /* a peer that does not keep the rule */
        server.has_rx_pn = true;
        server.previous_until = TERN_TIME_NEVER;
        assert_int_equal(tern_key_phase_advance(&server, server_pn, PTO3, NOW), 0);
        assert_int_equal(down(NOW), i == 0 ? 0 : TERN_ERR_KEY_UPDATE);
    }
}

/* RFC 9001 §6.1: the old key stays for a while after the first packet with the new one, however
 * late the peer followed. */
static void the_old_key_outlives_a_late_follower(void **state)
{
    (void)state;
    tern_time late = NOW + 20 * PTO3;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    struct packet old = seal(&server, &server_pn);
    struct packet older = seal(&server, &server_pn);
    tern_key_phase_on_timer(&client, late); /* nothing to wipe: all that comes needs it */
    assert_int_equal(up(late), 0);
    assert_int_equal(down(late), 0);
    tern_key_phase_on_timer(&client, late);
    assert_int_equal(open(&client, client_pn, old, late), 0);
    tern_key_phase_on_timer(&client, late + PTO3 - 1);
    assert_int_equal(client.previous_until, late + PTO3);
    tern_key_phase_on_timer(&client, late + PTO3);
    assert_int_equal(open(&client, client_pn, older, late + PTO3), TERN_ERR_CRYPTO);
}

/* Both update at once: neither takes the other's for a second one. */
static void updates_that_cross_are_one(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    server.sealed_bytes = MUCH;
    assert_int_equal(tern_key_phase_advance(&server, server_pn, PTO3, NOW), 0);
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    assert_int_equal(client.phase, 1);
    assert_int_equal(server.phase, 1);
}

/* 10^5 forgeries with either phase bit, then the true packet: same phase, same keys, counted. */
static void a_storm_of_flips_derives_nothing(void **state)
{
    (void)state;
    uint8_t secret[32];
    assert_int_equal(up(NOW), 0);
    memcpy(secret, server.rx_next.secret, sizeof secret);
    for (uint64_t i = 0; i < 100000; i++) {
        struct packet forged = {.pn = i * 3, .phase_bit = (i & 1) != 0, .bytes = {(uint8_t)i}};
        assert_int_equal(open(&server, server_pn, forged, NOW), TERN_ERR_CRYPTO);
        assert_int_equal(tern_key_phase_on_failed(&server), 0);
    }
    assert_int_equal(server.opened_failed, 100000);
    assert_int_equal(server.phase, 0);
    assert_memory_equal(server.rx_next.secret, secret, sizeof secret);
    assert_int_equal(up(NOW), 0);
}

/* s2n-quic's bug: packets of the phase before, replayed late, look like the phase after. */
static void old_packets_do_not_turn_the_key(void **state)
{
    (void)state;
    struct packet old[8];
    for (size_t i = 0; i < TERN_COUNT_OF(old); i++) {
        old[i] = seal(&client, &client_pn);
    }
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    assert_int_equal(up(NOW), 0);
    for (size_t i = 0; i < TERN_COUNT_OF(old) / 2; i++) {
        assert_int_equal(open(&server, server_pn, old[i], NOW), 0);
    }
    tern_key_phase_on_timer(&server, NOW + PTO3);
    for (size_t i = TERN_COUNT_OF(old) / 2; i < TERN_COUNT_OF(old); i++) {
        assert_int_equal(open(&server, server_pn, old[i], NOW + PTO3), TERN_ERR_CRYPTO);
    }
    assert_int_equal(server.phase, 1);
    assert_int_equal(up(NOW + PTO3), 0);
}

/* [P §5.5]: half of the suite's limit, or 1 GiB. */
static void both_limits_start_an_update(void **state)
{
    (void)state;
    uint64_t half = tern_suite_seal_limit(SUITE) / 2;
    tern_key_phase_on_sealed(&server, MUCH - 1000, NOW);
    assert_int_equal(tern_key_phase_advance(&server, 1, PTO3, NOW), 0);
    assert_int_equal(server.phase, 0);
    tern_key_phase_on_sealed(&server, 1000, NOW);
    assert_int_equal(tern_key_phase_advance(&server, 2, PTO3, NOW), 0);
    assert_int_equal(server.phase, 1);
    assert_int_equal(server.sealed_bytes, 0);
    client.tx.sealed = half - 1;
    assert_int_equal(tern_key_phase_advance(&client, 0, PTO3, NOW), 0);
    assert_int_equal(client.phase, 0);
    client.tx.sealed = half;
    assert_int_equal(tern_key_phase_advance(&client, 0, PTO3, NOW), 0);
    assert_int_equal(client.phase, 1);
    assert_int_equal(client.tx.sealed, 0); /* a fresh key is not worn */
    assert_int_equal(client.sealed_bytes, 0);
}

/* [P §5.5]: an hour, or two minutes in which nothing was sealed. */
static void time_starts_an_update(void **state)
{
    (void)state;
    tern_key_phase_on_sealed(&client, 16, NOW);
    assert_int_equal(tern_key_phase_advance(&client, 1, PTO3, NOW), 0);
    for (tern_time at = NOW; at < NOW + 3600 * TERN_SEC; at += 100 * TERN_SEC) {
        tern_key_phase_on_sealed(&client, 16, at);
        assert_int_equal(tern_key_phase_advance(&client, 1, PTO3, at), 0);
        assert_int_equal(client.phase, 0);
    }
    assert_int_equal(tern_key_phase_advance(&client, 1, PTO3, NOW + 3600 * TERN_SEC), 0);
    assert_int_equal(client.phase, 1);
    tern_key_phase_on_sealed(&server, 16, NOW);
    assert_int_equal(tern_key_phase_advance(&server, 1, PTO3, NOW), 0);
    assert_int_equal(tern_key_phase_advance(&server, 1, PTO3, NOW - TERN_SEC), 0);
    assert_int_equal(tern_key_phase_advance(&server, 1, PTO3, NOW + 120 * TERN_SEC - 1), 0);
    assert_int_equal(server.phase, 0);
    assert_int_equal(tern_key_phase_advance(&server, 1, PTO3, NOW + 120 * TERN_SEC), 0);
    assert_int_equal(server.phase, 1);
}

/* [P §5.7]: both mix the same in, and only the one who asked begins. */
static void a_mixed_phase_is_begun_by_one(void **state)
{
    (void)state;
    const uint8_t fresh[32] = {42};
    assert_int_equal(tern_key_phase_mix(&server, fresh, false), 0);
    server.sealed_bytes = MUCH;
    assert_int_equal(tern_key_phase_advance(&server, server_pn, PTO3, NOW), 0);
    assert_int_equal(server.phase, 0);
    assert_int_equal(up(NOW), 0); /* the old phase still works, both ways */
    assert_int_equal(down(NOW), 0);
    client.is_frozen = true;
    client.sealed_bytes = MUCH;
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
    assert_int_equal(client.phase, 0);
    assert_int_equal(tern_key_phase_mix(&client, fresh, true), 0);
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
    assert_int_equal(client.phase, 1);
    assert_int_equal(up(NOW), 0);
    assert_int_equal(server.phase, 1);
    assert_int_equal(down(NOW), 0);
    assert_false(client.has_mix || server.has_mix || client.wants_update);
}

static void another_mix_does_not_open(void **state)
{
    (void)state;
    const uint8_t fresh[32] = {42}, other[32] = {43};
    assert_int_equal(tern_key_phase_mix(&server, fresh, false), 0);
    assert_int_equal(tern_key_phase_mix(&client, other, true), 0);
    assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
    assert_int_equal(up(NOW), TERN_ERR_CRYPTO);
    assert_int_equal(server.phase, 0);
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

/* All packets of the first phase are late, and we have not said a word yet. */
static void the_change_may_come_first(void **state)
{
    (void)state;
    struct packet late = seal(&client, &client_pn);
    update_client(NOW);
    assert_int_equal(up(NOW), 0);
    assert_int_equal(server.phase, 1);
    assert_int_equal(open(&server, server_pn, late, NOW), 0);
    assert_int_equal(server.phase, 1);
    assert_int_equal(down(NOW), 0);
    tern_key_phase_on_timer(&server, NOW + PTO3);
    assert_int_equal(server.previous_until, TERN_TIME_NEVER);
}

/* RFC 9001 §6.1, §6.5: each of the three reasons to wait is reason enough. */
static void an_update_waits_for_all_three(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        (void)teardown(NULL);
        (void)setup(NULL);
        assert_int_equal(up(NOW), 0);
        assert_int_equal(down(NOW), 0);
        update_client(NOW);
        client.is_acked = (i & 1) != 0;
        client.previous_until = (i & 2) != 0 ? TERN_TIME_NEVER : NOW + 1;
        client.has_rx_pn = (i & 4) != 0;
        client.sealed_bytes = MUCH;
        assert_int_equal(tern_key_phase_advance(&client, client_pn, PTO3, NOW), 0);
        assert_int_equal(client.phase, i == 7 ? 2 : 1);
    }
}

/* Who followed an update counts its own acknowledged packets from there. */
static void an_old_ack_settles_no_new_phase(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    uint64_t first = server_pn;
    assert_int_equal(up(NOW), 0);
    tern_key_phase_on_acked(&server, first - 1);
    assert_false(server.is_acked);
    tern_key_phase_on_acked(&server, first);
    assert_true(server.is_acked);
}

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t i = 0;
    while (i < len && p[i] == 0) {
        i++;
    }
    return i == len;
}

static void worn_keys_are_wiped(void **state)
{
    (void)state;
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    update_client(NOW);
    assert_int_equal(up(NOW), 0);
    assert_int_equal(down(NOW), 0);
    assert_false(is_zero(client.rx_previous.secret, TERN_SECRET_SIZE));
    tern_key_phase_on_timer(&client, NOW + PTO3);
    assert_true(is_zero(client.rx_previous.secret, TERN_SECRET_SIZE));
    tern_key_phase_clear(&server);
    assert_true(is_zero(server.tx.secret, TERN_SECRET_SIZE));
    assert_true(is_zero(server.rx.secret, TERN_SECRET_SIZE));
    assert_true(is_zero(server.rx_next.secret, TERN_SECRET_SIZE));
    assert_true(is_zero(server.rx_previous.secret, TERN_SECRET_SIZE));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(nothing_happens_before_it_is_due, setup, teardown),
    cmocka_unit_test_setup_teardown(the_other_end_follows, setup, teardown),
    cmocka_unit_test_setup_teardown(many_updates_in_turn, setup, teardown),
    cmocka_unit_test_setup_teardown(packets_cross_the_change, setup, teardown),
    cmocka_unit_test_setup_teardown(the_next_update_waits, setup, teardown),
    cmocka_unit_test_setup_teardown(two_updates_without_an_answer_are_an_error, setup, teardown),
    cmocka_unit_test_setup_teardown(who_only_acknowledges_may_be_updated_again, setup, teardown),
    cmocka_unit_test_setup_teardown(an_answer_comes_after_the_question, setup, teardown),
    cmocka_unit_test_setup_teardown(the_old_key_outlives_a_late_follower, setup, teardown),
    cmocka_unit_test_setup_teardown(updates_that_cross_are_one, setup, teardown),
    cmocka_unit_test_setup_teardown(a_storm_of_flips_derives_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(old_packets_do_not_turn_the_key, setup, teardown),
    cmocka_unit_test_setup_teardown(both_limits_start_an_update, setup, teardown),
    cmocka_unit_test_setup_teardown(time_starts_an_update, setup, teardown),
    cmocka_unit_test_setup_teardown(a_mixed_phase_is_begun_by_one, setup, teardown),
    cmocka_unit_test_setup_teardown(another_mix_does_not_open, setup, teardown),
    cmocka_unit_test_setup_teardown(a_forgery_moves_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(forgeries_have_a_limit, setup, teardown),
    cmocka_unit_test_setup_teardown(a_worn_key_that_cannot_be_changed_ends_it, setup, teardown),
    cmocka_unit_test_setup_teardown(the_change_may_come_first, setup, teardown),
    cmocka_unit_test_setup_teardown(an_update_waits_for_all_three, setup, teardown),
    cmocka_unit_test_setup_teardown(an_old_ack_settles_no_new_phase, setup, teardown),
    cmocka_unit_test_setup_teardown(worn_keys_are_wiped, setup, teardown),
    cmocka_unit_test(an_unknown_suite_is_refused),
};

TERN_TEST_MAIN(tests)
