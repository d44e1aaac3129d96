/* A peer that acknowledges what it never received, to be sent more than the path carries: RFC 9000
 * section 21.4.
 * SPDX-License-Identifier: MIT */
#include "conn/handle.h"
#include "conn_kit.h"
#include "wire/encode.h"
#include "wire/frame.h"

static struct ck k;
static struct tern_conn *client;
static tern_stream *stream;
static uint64_t written, k_seed = 1;

static int setup(void **state)
{
    (void)state;
    ck_init(&k);
    k.side[CK_CLIENT].seed += k_seed;
    written = 0;
    k.side[CK_SERVER].config.stream_window = k.side[CK_SERVER].config.conn_window = 1u << 30;
    k.side[CK_CLIENT].config.stream_send_buffer = 1u << 30;
    ck_ready(&k);
    client = k.side[CK_CLIENT].conn;
    assert_int_equal(tern_conn_open_stream(client, TERN_STREAM_UNI, &stream), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

/* One train leaves and is lost; or time passes until one may. */
static void send_some(void)
{
    static const uint8_t data[65536];
    while (written - client->streams.bytes_sent < 4 * sizeof data) {
        ptrdiff_t n = tern_streams_write(&client->streams, stream, data, sizeof data, 0);
        assert_true(n > 0);
        written += (uint64_t)n;
    }
    if (ck_lose(&k, CK_CLIENT) == 0) {
        tern_time at = tern_conn_deadline(client, k.now);
        k.now = TERN_MAX(k.now + 1, TERN_MIN(at, k.now + TERN_MSEC));
    }
}

static uint64_t next_number(void)
{
    return client->spaces[TERN_LEVEL_APP].loss.sent.next_pn;
}

/* An ACK of all numbers from `from` on. */
static int acknowledge(uint64_t from, uint64_t to)
{
    uint8_t payload[32];
    struct tern_writer w;
    struct tern_range range = {.start = from, .end = to};
    struct tern_handle handle = {
        .conn = client, .level = TERN_LEVEL_APP, .packet_type = TERN_PACKET_ONE_RTT};
    tern_writer_init(&w, payload, sizeof payload);
    tern_frame_encode_ack(&w, to - 1, 0, &range, 1, NULL);
    return tern_handle_payload(&handle, payload, tern_writer_used(&w), k.now);
}

/* What was sent since `from`, a round trip later, and no number that was left out. */
static void acknowledge_honestly(uint64_t from)
{
    const struct tern_sent *sent = &client->spaces[TERN_LEVEL_APP].loss.sent;
    uint64_t end = next_number();
    k.now += 2 * CK_HOP;
    while (from < end) {
        uint64_t to = from;
        while (to < end && tern_sent_find(sent, to)->state != TERN_SENT_SKIPPED) {
            to++;
        }
        if (to > from) {
            assert_int_equal(acknowledge(from, to), 0);
        }
        from = to + 1;
    }
}

/* How many packets the liar gets before it is found out. It acknowledges each train at once. */
static uint64_t lie(void)
{
    uint64_t from = next_number(), told = from;
    int rc = 0;
    while (rc == 0) {
        send_some();
        if (next_number() > told) {
            rc = acknowledge(told, next_number());
            told = next_number();
        }
        assert_true(told - from < 100000);
    }
    assert_int_equal(rc, TERN_ERR_PROTOCOL);
    return next_number() - from;
}

/* From the first packet on. What was acknowledged so early has not let the window grow, either. */
static void a_liar_is_found_out_soon(void **state)
{
    (void)state;
    for (k_seed = 1; k_seed < 30; k_seed++) {
        assert_int_equal(teardown(state), 0);
        (void)setup(state);
        uint64_t before = client->path.cc.cwnd;
        assert_true(lie() <= 16 + 255 + 64);
        assert_true(client->path.cc.cwnd <= 2 * before);
    }
}

/* One that was honest until the window was large: within about a window, too. */
static void a_late_liar_is_found_out_within_a_window(void **state)
{
    const uint64_t windows[] = {100, 400, 1000};
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        uint64_t wanted = windows[seed % TERN_COUNT_OF(windows)];
        acknowledge_honestly(next_number() - 1); /* an ACK, to which none came */
        for (int round = 0; round < 20; round++) {
            uint64_t from = next_number();
            client->path.cc.cwnd = client->path.cc.ssthresh = wanted * client->path.cc.datagram;
            while (tern_cc_room(&client->path.cc) >= client->path.cc.datagram) {
                send_some();
            }
            acknowledge_honestly(from);
        }
        assert_int_equal(client->counters.packets_lost, 0);
        uint64_t sent = lie();
        assert_true(sent <= TERN_MAX(wanted, (uint64_t)192) + 2 * 64);
        assert_int_equal(teardown(state), 0);
        k_seed = seed + 2;
        (void)setup(state);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_liar_is_found_out_soon, setup, teardown),
    cmocka_unit_test_setup_teardown(a_late_liar_is_found_out_within_a_window, setup, teardown),
};

TERN_TEST_MAIN(tests)
