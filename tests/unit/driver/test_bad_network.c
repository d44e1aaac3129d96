/* Real connections over loopback through a conditioner: the round trip that it makes, a transfer through
 * loss, and a network where nothing passes.
 * SPDX-License-Identifier: MIT */
#include <tern/sim.h>

#include "two_ends.h"

#define DELAY (20 * TERN_MSEC)

static tern_conditioner *conditioner;

static void open_over(const tern_link_config *link, tern_time handshake_timeout)
{
    end_open(&client, false, handshake_timeout);
    end_open(&server, true, handshake_timeout);
    assert_int_equal(tern_conditioner_new(&conditioner, link, link, 3), 0);
    assert_int_equal(tern_udp_set_conditioner(client.udp, conditioner), 0);
    ends_connect();
}

static void close_all(void)
{
    end_close(&client);
    end_close(&server);
    tern_conditioner_free(conditioner);
}

static void send_bytes(size_t bytes)
{
    static uint8_t zeros[1 << 16];
    tern_stream *stream;
    assert_true(bytes <= sizeof zeros);
    assert_int_equal(tern_conn_open_stream(client.conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, zeros, bytes, TERN_FIN), (ptrdiff_t)bytes);
}

/* False: neither the round trip nor the other's clock are as they are where nothing else takes time. */
static bool has_measured(void)
{
    tern_link_config link;
    tern_link_config_init(&link);
    link.delay = DELAY;
    open_over(&link, 10 * TERN_SEC);
    tern_time start = tern_udp_now();
    serve_until(&client.is_connected);
    assert_true(client.is_connected);
    assert_true(tern_udp_now() - start >= 2 * DELAY);
    send_bytes(40000);
    serve_until_read(40000);
    assert_int_equal(server.read, 40000);
    serve_for(300 * TERN_MSEC);
    tern_stats stats = stats_of_client();
    assert_true(stats.min_rtt >= 2 * DELAY);
    /* Both clocks are this machine's, and their births are known to both ends here. */
    tern_time now = tern_udp_now(), theirs = 0;
    assert_int_equal(tern_conn_peer_time(client.conn, &theirs, now), 0);
    int64_t error = (int64_t)theirs - (int64_t)tern_conn_session_time(server.conn, now);
    close_all();
    return stats.min_rtt < 4 * DELAY && error < (int64_t)(10 * TERN_MSEC) &&
           error > -(int64_t)(10 * TERN_MSEC);
}

/* A busy machine may be late now and then, but not each time. */
static void the_round_trip_is_that_of_the_links(void **state)
{
    (void)state;
    int tries = 0;
    while (!has_measured()) {
        assert_true(++tries < 20);
    }
}

static void a_lossy_network_is_lived_with(void **state)
{
    (void)state;
    tern_link_config link;
    tern_link_config_init(&link);
    link.loss = 0.1;
    link.jitter = link.delay = TERN_MSEC;
    open_over(&link, 30 * TERN_SEC);
    serve_until(&client.is_connected);
    assert_true(client.is_connected);
    send_bytes(60000);
    serve_until_read(60000);
    assert_int_equal(server.read, 60000);
    close_all();
}

static void where_nothing_passes_the_handshake_times_out(void **state)
{
    (void)state;
    tern_link_config link;
    tern_link_config_init(&link);
    link.loss = 1;
    open_over(&link, 400 * TERN_MSEC);
    serve_until(&client.is_closed);
    assert_true(client.is_closed && !client.is_connected && !server.is_connected);
    assert_int_equal((int)client.close.by, TERN_CLOSED_TIMEOUT);
    close_all();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_round_trip_is_that_of_the_links),
    cmocka_unit_test(a_lossy_network_is_lived_with),
    cmocka_unit_test(where_nothing_passes_the_handshake_times_out),
};

TERN_TEST_MAIN(tests)
