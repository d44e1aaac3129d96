/* ACK_FREQUENCY and IMMEDIATE_ACK between two connections: what is said, heard, refused and said again.
 * SPDX-License-Identifier: MIT */
#include "conn/fill.h"
#include "conn/handle.h"
#include "conn/receipts.h"
#include "conn/recover.h"
#include "one_ck.h"
#include "wire/decode.h"
#include "wire/encode.h"

static struct tern_handle handle;

/* Frames of the two kinds that a client said. */
static struct heard {
    unsigned asks, pleas;
    struct tern_frame_ack_frequency ask;
    size_t with_plea; /* frames besides it in the same packet */
} heard;

static void listen(void *user, const tern_trace_event *event)
{
    struct tern_reader r;
    size_t frames = 0;
    bool has_plea = false;
    (void)user;
    if (event->kind != TERN_TRACE_SENT || event->is_server) {
        return;
    }
    tern_reader_init(&r, event->payload, event->payload_len);
    while (tern_reader_left(&r) > 0) {
        struct tern_frame f;
        assert_int_equal(tern_frame_decode(&f, &r), 0);
        frames += f.type != TERN_FRAME_PADDING ? 1 : 0;
        has_plea = has_plea || f.type == TERN_FRAME_IMMEDIATE_ACK;
        if (f.type == TERN_FRAME_ACK_FREQUENCY) {
            heard.asks++;
            heard.ask = f.u.ack_frequency;
        }
    }
    heard.pleas += has_plea ? 1 : 0;
    heard.with_plea = has_plea ? frames - 1 : heard.with_plea;
}

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    k.side[CK_CLIENT].config.trace.event = listen;
    one_ready();
    memset(&heard, 0, sizeof heard);
    return 0;
}

static struct tern_acks *acks_of(struct tern_conn *conn)
{
    return &conn->spaces[TERN_LEVEL_APP].acks;
}

static int give(struct tern_conn *conn, struct tern_frame_ack_frequency frame)
{
    uint8_t payload[64];
    struct tern_writer w;
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_ack_frequency(&w, &frame);
    handle = (struct tern_handle){
        .conn = conn, .level = TERN_LEVEL_APP, .packet_type = TERN_PACKET_ONE_RTT};
    return tern_handle_payload(&handle, payload, tern_writer_used(&w), k.now);
}

static void both_ends_can_be_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct tern_conn *conn = k.side[i].conn;
        assert_true(conn->cadence.is_usable);
        assert_int_equal(conn->cadence.least_delay, TERN_MSEC);
        assert_int_equal(tern_conn_peer_ack_delay(conn), 25 * TERN_MSEC);
    }
}

/* max_ack_delay is said in milliseconds: what is said of the least must not pass that. */
static void what_we_say_of_the_two_delays_agrees(void **state)
{
    static const tern_time delays[] = {0,         1,         TERN_MSEC - 1,     TERN_MSEC,
                                       TERN_MSEC, 1999999UL, (1UL << 14) * 1000};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(delays); i++) {
        struct tern_params params;
        k.side[CK_CLIENT].config.max_ack_delay = delays[i];
        tern_conn_local_params(client, &params);
        assert_true(params.has_min_ack_delay);
        assert_true(params.min_ack_delay <= params.max_ack_delay * 1000);
        assert_true(params.min_ack_delay <= 1000);
    }
}

static void a_wish_is_followed(void **state)
{
    (void)state;
    assert_int_equal(give(server, (struct tern_frame_ack_frequency){0, 9, 6000, 3}), 0);
    assert_int_equal(acks_of(server)->threshold, 10);
    assert_int_equal(acks_of(server)->max_delay, 6 * TERN_MSEC);
    assert_int_equal(acks_of(server)->reordering, 3);
    assert_int_equal(give(server, (struct tern_frame_ack_frequency){0, 1, 7000, 1}), 0);
    assert_int_equal(acks_of(server)->threshold, 10); /* not newer */
    assert_int_equal(
        give(server, (struct tern_frame_ack_frequency){1, TERN_VARINT_MAX, 7000, TERN_VARINT_MAX}),
        0);
    assert_int_equal(acks_of(server)->threshold, UINT32_MAX);
    assert_true(handle.is_eliciting);
    assert_false(handle.is_probing_only);
}

static void a_delay_out_of_range_is_a_violation(void **state)
{
    static const uint64_t bad[] = {0, 999, 16384000, TERN_VARINT_MAX};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(bad); i++) {
        assert_int_equal(give(server, (struct tern_frame_ack_frequency){0, 9, bad[i], 3}),
                         TERN_ERR_PROTOCOL);
        assert_non_null(handle.reason);
        assert_int_equal(handle.frame_type, 0xaf);
    }
    assert_int_equal(acks_of(server)->threshold, 2);
    assert_int_equal(give(server, (struct tern_frame_ack_frequency){0, 9, 1000, 3}), 0);
    assert_int_equal(give(server, (struct tern_frame_ack_frequency){1, 9, 16383999, 3}), 0);
}

/* Neither is for the handshake. */
static void they_stand_in_1rtt_alone(void **state)
{
    static const uint8_t plea[] = {0x1f}, ask[] = {0x40, 0xaf, 0, 1, 0x67, 0xd0, 1};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        handle = (struct tern_handle){
            .conn = server, .level = TERN_LEVEL_HANDSHAKE, .packet_type = TERN_PACKET_HANDSHAKE};
        assert_int_equal(tern_handle_payload(&handle, i == 0 ? plea : ask,
                                             i == 0 ? sizeof plea : sizeof ask, k.now),
                         TERN_ERR_PROTOCOL);
    }
}

/* A packet from the client with IMMEDIATE_ACK gets its ACK at once though the threshold is far. */
static void a_plea_is_heard_at_once(void **state)
{
    (void)state;
    assert_int_equal(give(server, (struct tern_frame_ack_frequency){0, 99, 20000, 0}), 0);
    client->wants_ping = true;
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    assert_false(tern_acks_is_due(acks_of(server), k.now));
    assert_true(tern_acks_is_owed(acks_of(server)));
    client->spaces[TERN_LEVEL_APP].probes = 1;
    assert_int_equal(ck_carry(&k, CK_CLIENT), 1);
    assert_int_equal(heard.pleas, 1);
    assert_true(tern_acks_is_due(acks_of(server), k.now));
    assert_int_equal(ck_carry(&k, CK_SERVER), 1);
    assert_int_equal(client->spaces[TERN_LEVEL_APP].loss.sent.eliciting_outstanding, 0);
}

/* RFC 9002 §6.2.4: two probes; the last of them asks, and needs no PING beside it. */
static void the_last_probe_asks_for_its_ack(void **state)
{
    (void)state;
    client->wants_ping = true;
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    k.now = tern_conn_deadline(client, k.now);
    tern_conn_tick(client, k.now);
    assert_int_equal(client->counters.ptos, 1);
    assert_int_equal(ck_lose(&k, CK_CLIENT), 2);
    assert_int_equal(heard.pleas, 1);
    assert_int_equal(heard.with_plea, 0);
}

static void a_peer_that_does_not_know_them_is_spared(void **state)
{
    (void)state;
    client->cadence.is_usable = false;
    client->path.cc.cwnd = 1000 * client->path.cc.datagram;
    client->path.pacer.rate = 0;
    client->wants_ping = true;
    assert_int_equal(ck_lose(&k, CK_CLIENT), 1);
    k.now = tern_conn_deadline(client, k.now);
    tern_conn_tick(client, k.now);
    ck_settle(&k);
    assert_true(client->counters.ptos > 0);
    assert_int_equal(heard.pleas + heard.asks, 0);
}

/* A window that has grown asks for fewer ACKs; in the first ACK after that it is decided. */
static void grow(void)
{
    client->path.cc.cwnd = 1000 * client->path.cc.datagram;
    client->wants_ping = true;
    (void)ck_carry(&k, CK_CLIENT);
    k.now = TERN_MAX(k.now, tern_conn_deadline(server, k.now));
    (void)ck_carry(&k, CK_SERVER);
}

static void a_large_window_asks(void **state)
{
    (void)state;
    grow();
    assert_true(client->cadence.wants_send);
    assert_true(tern_fill_wants_data(client, TERN_LEVEL_APP));
    tern_time before = tern_conn_pto(client, TERN_LEVEL_APP);
    assert_true(ck_carry(&k, CK_CLIENT) > 0);
    assert_int_equal(heard.asks, 1);
    assert_int_equal(heard.ask.sequence, 0);
    assert_int_equal(heard.ask.threshold, 9);
    assert_int_equal(heard.ask.reordering, 3);
    assert_int_equal(acks_of(server)->threshold, 10);
    assert_int_equal(acks_of(server)->max_delay / TERN_USEC, heard.ask.max_delay);
    /* The timeout follows when the peer is known to have heard. */
    assert_int_equal(tern_conn_pto(client, TERN_LEVEL_APP), before);
    ck_settle(&k);
    assert_false(client->cadence.is_pending);
    assert_true(tern_conn_peer_ack_delay(client) < 25 * TERN_MSEC);
    assert_int_equal(tern_conn_peer_ack_delay(client) / TERN_USEC, heard.ask.max_delay);
    assert_int_equal(tern_conn_pto(client, TERN_LEVEL_APP),
                     tern_rtt_pto(&client->path.rtt, tern_conn_peer_ack_delay(client)));
}

static void a_lost_wish_is_said_again(void **state)
{
    (void)state;
    grow();
    assert_true(client->cadence.wants_send);
    assert_true(ck_lose(&k, CK_CLIENT) > 0);
    assert_int_equal(heard.asks, 1);
    assert_int_equal(acks_of(server)->threshold, 2);
    ck_settle(&k);
    assert_true(heard.asks >= 2);
    assert_true(heard.ask.sequence >= 1);
    assert_int_equal(acks_of(server)->threshold, 10);
    assert_int_equal(acks_of(server)->sequence, client->cadence.sequence);
    assert_false(client->cadence.is_pending || client->cadence.wants_send);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(both_ends_can_be_asked, setup, one_teardown),
    cmocka_unit_test_setup_teardown(what_we_say_of_the_two_delays_agrees, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_wish_is_followed, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_delay_out_of_range_is_a_violation, setup, one_teardown),
    cmocka_unit_test_setup_teardown(they_stand_in_1rtt_alone, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_plea_is_heard_at_once, setup, one_teardown),
    cmocka_unit_test_setup_teardown(the_last_probe_asks_for_its_ack, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_peer_that_does_not_know_them_is_spared, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_large_window_asks, setup, one_teardown),
    cmocka_unit_test_setup_teardown(a_lost_wish_is_said_again, setup, one_teardown),
};

TERN_TEST_MAIN(tests)
