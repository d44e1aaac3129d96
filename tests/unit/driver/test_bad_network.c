/* Real connections over loopback through a conditioner: the round trip that it makes, a transfer through
 * loss, and a network where nothing passes.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <tern/sim.h>
#include <tern/tern.h>
#include <tern/udp.h>

#include "tern_test.h"

#define DELAY (20 * TERN_MSEC)

struct end {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_conn *conn;
    bool is_connected, is_closed;
    tern_close_info close;
    size_t read;
};

static struct end client, server;
static tern_conditioner *conditioner;

static void end_open(struct end *end, bool accept)
{
    tern_config config;
    tern_addr any;
    memset(end, 0, sizeof *end);
    tern_config_init(&config);
    config.accept = accept;
    config.clock = true;
    config.handshake_timeout = 400 * TERN_MSEC;
    assert_int_equal(tern_addr_parse(&any, "127.0.0.1:0"), 0);
    assert_int_equal(tern_endpoint_new(&end->endpoint, &config, tern_udp_now()), 0);
    assert_int_equal(tern_udp_open(&end->udp, end->endpoint, &any), 0);
}

static void end_close(struct end *end)
{
    tern_udp_close(end->udp);
    tern_endpoint_free(end->endpoint);
}

static void open_over(const tern_link_config *link)
{
    tern_peer peer;
    uint8_t key[TERN_KEY_SIZE];
    end_open(&client, false);
    end_open(&server, true);
    assert_int_equal(tern_conditioner_new(&conditioner, link, link, 3), 0);
    assert_int_equal(tern_udp_set_conditioner(client.udp, conditioner), 0);
    tern_peer_init(&peer);
    peer.addr = tern_udp_local(server.udp);
    tern_endpoint_public_key(server.endpoint, key);
    peer.key = key;
    assert_int_equal(tern_endpoint_connect(client.endpoint, &peer, &client.conn, tern_udp_now()),
                     0);
}

static void close_all(void)
{
    end_close(&client);
    end_close(&server);
    tern_conditioner_free(conditioner);
}

static void read_all(struct end *end, tern_stream *stream)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0 && len > 0) {
        assert_int_equal(tern_stream_consume(stream, len), 0);
        end->read += len;
    }
}

static void serve(struct end *end)
{
    tern_event ev;
    assert_int_equal(tern_udp_service(end->udp, TERN_MSEC), 0);
    while (tern_endpoint_poll(end->endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            end->is_connected = true;
            end->conn = ev.conn;
        } else if (ev.type == TERN_EVENT_CLOSED) {
            end->is_closed = true;
            end->close = ev.close;
            end->conn = NULL;
        } else if (ev.type == TERN_EVENT_STREAM_READABLE) {
            read_all(end, ev.stream);
        }
    }
}

static void serve_for(tern_time length)
{
    tern_time until = tern_udp_now() + length;
    while (tern_udp_now() < until) {
        serve(&client);
        serve(&server);
    }
}

static void send_bytes(size_t bytes)
{
    static uint8_t zeros[1 << 16];
    tern_stream *stream;
    assert_true(bytes <= sizeof zeros);
    assert_int_equal(tern_conn_open_stream(client.conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, zeros, bytes, TERN_FIN), (ptrdiff_t)bytes);
}

static void the_round_trip_is_that_of_the_links(void **state)
{
    (void)state;
    tern_link_config link;
    tern_link_config_init(&link);
    link.delay = DELAY;
    open_over(&link);
    tern_time start = tern_udp_now();
    while (!client.is_connected && tern_udp_now() < start + TERN_SEC) {
        serve(&client);
        serve(&server);
    }
    assert_true(client.is_connected);
    assert_true(tern_udp_now() - start >= 2 * DELAY);
    send_bytes(40000);
    serve_for(400 * TERN_MSEC);
    assert_int_equal(server.read, 40000);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(client.conn, &stats);
    assert_true(stats.min_rtt >= 2 * DELAY && stats.min_rtt < 4 * DELAY);
    /* Both clocks are this machine's, and their births are known to both ends here. */
    tern_time now = tern_udp_now(), theirs = 0;
    assert_int_equal(tern_conn_peer_time(client.conn, &theirs, now), 0);
    int64_t error = (int64_t)theirs - (int64_t)tern_conn_session_time(server.conn, now);
    assert_true(error < (int64_t)(10 * TERN_MSEC) && error > -(int64_t)(10 * TERN_MSEC));
    close_all();
}

static void a_lossy_network_is_lived_with(void **state)
{
    (void)state;
    tern_link_config link;
    tern_link_config_init(&link);
    link.loss = 0.1;
    link.jitter = link.delay = TERN_MSEC;
    open_over(&link);
    serve_for(300 * TERN_MSEC);
    assert_true(client.is_connected);
    send_bytes(60000);
    for (int i = 0; i < 50 && server.read < 60000; i++) {
        serve_for(100 * TERN_MSEC);
    }
    assert_int_equal(server.read, 60000);
    close_all();
}

static void where_nothing_passes_the_handshake_times_out(void **state)
{
    (void)state;
    tern_link_config link;
    tern_link_config_init(&link);
    link.loss = 1;
    open_over(&link);
    serve_for(700 * TERN_MSEC);
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
