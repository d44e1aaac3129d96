/* CLOCK between two connections: who says it, who may not, how often, and what values are refused.
 * [P §17]
 * SPDX-License-Identifier: MIT */
#include "conn/clock.h"

#include "conn/handle.h"
#include "conn_kit.h"
#include "wire/encode.h"

static struct ck k;

static void connect_with(bool client, bool server)
{
    ck_init(&k);
    k.side[CK_CLIENT].config.clock = client;
    k.side[CK_SERVER].config.clock = server;
    ck_ready(&k);
}

static int teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

static int give_clock(uint64_t micros)
{
    struct tern_conn *conn = k.side[CK_SERVER].conn;
    tern_datagram in = {.local = conn->path.local, .remote = conn->path.remote};
    struct tern_handle handle = {
        .conn = conn, .level = TERN_LEVEL_APP, .packet_type = TERN_PACKET_ONE_RTT, .in = &in};
    uint8_t payload[16] = {TERN_FRAME_CLOCK};
    struct tern_writer w;
    tern_writer_init(&w, payload + 1, sizeof payload - 1);
    tern_write_varint(&w, micros);
    int rc = tern_handle_payload(&handle, payload, 1 + tern_writer_used(&w), k.now);
    assert_true(rc != 0 || !handle.is_eliciting);
    return rc;
}

static void unasked_it_is_a_violation(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        connect_with(i == 1, i == 2);
        assert_null(k.side[CK_CLIENT].conn->clock);
        assert_int_equal(give_clock(1), TERN_ERR_PROTOCOL);
        assert_int_equal(ck_clear(&k), 0);
    }
    connect_with(true, true);
    assert_int_equal(give_clock(1), 0);
}

static void values_beyond_the_bound_are_refused(void **state)
{
    (void)state;
    connect_with(true, true);
    assert_int_equal(give_clock(TERN_CLOCK_MAX), 0);
    assert_int_equal(give_clock(TERN_CLOCK_MAX + 1), TERN_ERR_FRAME_ENCODING);
    assert_int_equal(give_clock(TERN_VARINT_MAX), TERN_ERR_FRAME_ENCODING);
}

/* Without a sample of the round trip in the same packet it is read and forgotten. */
static void alone_it_tells_nothing(void **state)
{
    (void)state;
    connect_with(true, true);
    struct tern_conn *server = k.side[CK_SERVER].conn;
    struct tern_peerclock before = server->clock->peer;
    server->counters.packets_received++;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(give_clock(i * 1000003 % TERN_CLOCK_MAX), 0);
    }
    assert_memory_equal(&server->clock->peer, &before, sizeof before);
}

/* Eight come soon, the others every 100 ms at most, and none without an ACK of something new. */
static void they_come_quickly_and_then_seldom(void **state)
{
    (void)state;
    connect_with(true, true);
    struct tern_conn *conn = k.side[CK_CLIENT].conn;
    memset(conn->clock, 0, sizeof *conn->clock);
    uint64_t largest = 0, told = 0;
    for (tern_time t = 0; t < TERN_SEC; t += TERN_MSEC) {
        if (tern_clock_is_due(conn, ++largest, k.now + t)) {
            tern_clock_on_told(conn, largest, k.now + t);
            told++;
            assert_false(tern_clock_is_due(conn, largest, k.now + t + TERN_SEC));
        }
        assert_true(t != 140 * TERN_MSEC || told == 8);
    }
    assert_int_equal(told, 8 + 8); /* 240, 340, ... 940 ms */
}

static void without_memory_there_is_no_connection(void **state)
{
    (void)state;
    connect_with(true, true);
    struct tern_conn *conn = k.side[CK_CLIENT].conn;
    tern_mem_free(conn->env->mem, conn->clock);
    conn->clock = NULL;
    k.side[CK_CLIENT].heap.fail_at = 1;
    assert_int_equal(tern_clock_begin(conn), TERN_ERR_NOMEM);
    k.side[CK_CLIENT].heap.fail_at = 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(unasked_it_is_a_violation, teardown),
    cmocka_unit_test_teardown(values_beyond_the_bound_are_refused, teardown),
    cmocka_unit_test_teardown(alone_it_tells_nothing, teardown),
    cmocka_unit_test_teardown(they_come_quickly_and_then_seldom, teardown),
    cmocka_unit_test_teardown(without_memory_there_is_no_connection, teardown),
};

TERN_TEST_MAIN(tests)
