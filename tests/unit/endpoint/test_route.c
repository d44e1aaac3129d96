/* Which connection a datagram belongs to: by identifier, from any address, many at once.
 * SPDX-License-Identifier: MIT */
#include "one_pair.h"

#define MANY 100

static void say_number(tern_conn *conn, uint8_t number)
{
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, &number, 1, TERN_FIN), 1);
}

static uint8_t hear_number(void)
{
    uint8_t number = 0;
    assert_non_null(server->stream);
    assert_int_equal(tern_stream_read(server->stream, &number, 1), 1);
    return number;
}

/* All from one address and port: only the identifiers tell them apart. */
static void many_share_one_address(void **state)
{
    (void)state;
    tern_conn *conns[MANY];
    pair_open(p);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pair_connect(p, p->key), 0);
        conns[i] = client->conn;
        pair_exchange(p);
        assert_non_null(server->conn);
        tern_conn_set_user(server->conn, &conns[i]);
    }
    assert_int_equal(server->connected, MANY);
    for (int i = MANY - 1; i >= 0; i--) {
        tern_event ev;
        say_number(conns[i], (uint8_t)i);
        (void)pair_carry(p, PAIR_CLIENT);
        bool has_come = false;
        while (tern_endpoint_poll(server->endpoint, &ev) == 1) {
            if (ev.type == TERN_EVENT_STREAM_OPENED) {
                server->stream = ev.stream;
                assert_int_equal(hear_number(), i);
                assert_ptr_equal(tern_conn_user(ev.conn), &conns[i]);
                has_come = true;
            }
        }
        assert_true(has_come);
        pair_exchange(p);
    }
}

static void an_identifier_is_found_from_another_address(void **state)
{
    (void)state;
    pair_ready(p);
    pair_advance(p, TERN_SEC);
    client->addr.port = 2000; /* a NAT forgot */
    say_number(client->conn, 7);
    pair_advance(p, TERN_SEC);
    assert_int_equal(hear_number(), 7);
    tern_addr remote = tern_conn_remote(server->conn);
    assert_int_equal(remote.port, 2000);
    assert_int_equal(server->connected, 1);
}

static void unknown_identifiers_are_counted_and_dropped(void **state)
{
    (void)state;
    uint8_t datagram[100] = {0x40, 1, 2, 3};
    pair_ready(p);
    tern_endpoint_counters before = {.size = sizeof before}, after = {.size = sizeof after};
    tern_endpoint_stats(server->endpoint, &before);
    assert_int_equal(pair_inject(p, PAIR_SERVER, datagram, sizeof datagram), 0);
    tern_endpoint_stats(server->endpoint, &after);
    assert_int_equal(after.dropped_unknown, before.dropped_unknown + 1);
    assert_int_equal(after.connections, 1);
}

/* Several datagrams in one buffer, as UDP GRO hands them over; the last one shorter. */
static void segments_are_taken_apart(void **state)
{
    (void)state;
    static uint8_t batch[65536];
    static char text[8000];
    pair_ready(p);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client->conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, text, sizeof text, TERN_FIN), sizeof text);
    tern_train train = {.data = batch, .capacity = sizeof batch};
    for (int i = 0; i < 3; i++) { /* a first datagram of full size leaves alone, then a probe */
        int count = tern_endpoint_transmit(client->endpoint, &train, p->now);
        assert_true(i < 2 ? count == 1 : count > 1);
        tern_datagram in = {.local = server->addr,
                            .remote = client->addr,
                            .data = batch,
                            .len = train.len,
                            .segment = train.segment};
        assert_int_equal(tern_endpoint_receive(server->endpoint, &in, 1, p->now), 0);
    }
    pair_poll(server);
    assert_non_null(server->stream);
    char back[8000];
    size_t most = train.len - 40 * (train.len / train.segment + 1);
    ptrdiff_t n = tern_stream_read(server->stream, back, sizeof back);
    assert_in_range(n, most < sizeof back ? most : sizeof back, sizeof back);
}

/* A second client that chose the same identifier is not heard, and harms nobody. */
static void two_first_packets_with_one_identifier(void **state)
{
    (void)state;
    uint8_t first[2000], again[2000];
    pair_open(p);
    assert_int_equal(pair_connect(p, p->key), 0);
    tern_train train = {.data = first, .capacity = sizeof first};
    assert_int_equal(tern_endpoint_transmit(client->endpoint, &train, p->now), 1);
    memcpy(again, first, train.len);
    assert_int_equal(pair_inject(p, PAIR_SERVER, first, train.len), 0);
    tern_datagram in = {.local = server->addr, .data = again, .len = train.len};
    assert_int_equal(tern_addr_parse(&in.remote, "203.0.113.9:9"), 0);
    assert_int_equal(tern_endpoint_receive(server->endpoint, &in, 1, p->now), 0);
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(server->endpoint, &counters);
    assert_int_equal(counters.connections, 1);
    pair_advance(p, 5 * TERN_SEC);
    assert_int_equal(client->connected, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(many_share_one_address, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(an_identifier_is_found_from_another_address, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(unknown_identifiers_are_counted_and_dropped, pair_setup,
                                    pair_teardown),
    cmocka_unit_test_setup_teardown(segments_are_taken_apart, pair_setup, pair_teardown),
    cmocka_unit_test_setup_teardown(two_first_packets_with_one_identifier, pair_setup,
                                    pair_teardown),
};

TERN_TEST_MAIN(tests)
