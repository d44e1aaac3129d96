/* Sockets that cannot do what they should, or stop doing it in the middle of a transfer: whatever the kernel says,
 * every byte arrives.
 * SPDX-License-Identifier: MIT */
#include <errno.h>

#include "faults.h"
#include "two_ends.h"

#define BYTES ((size_t)2 << 20)

static int setup(void **state)
{
    (void)state;
    memset(&faults, 0, sizeof faults);
    return 0;
}

static tern_udp_counters counters_of(const struct end *end)
{
    tern_udp_counters counters = {.size = sizeof counters};
    tern_udp_stats(end->udp, &counters);
    return counters;
}

static void open_both(void)
{
    end_open(&client, false, 60 * TERN_SEC);
    end_open(&server, true, 60 * TERN_SEC);
    ends_connect();
    while (!client.is_connected) {
        assert_false(client.is_closed);
        serve(&client);
        serve(&server);
    }
}

/* Connects and carries it all under the faults, which pass, if they do, when the client has met one. */
static void carry_while(bool passes)
{
    static uint8_t zeros[BYTES];
    tern_stream *stream;
    open_both();
    assert_int_equal(tern_conn_open_stream(client.conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, zeros, BYTES, TERN_FIN), (ptrdiff_t)BYTES);
    tern_time until = tern_udp_now() + 60 * TERN_SEC;
    while (passes && counters_of(&client).send_errors == 0 && tern_udp_now() < until) {
        serve(&client);
        serve(&server);
    }
    faults.error = passes ? 0 : faults.error;
    serve_until_read(BYTES);
    assert_int_equal(server.read, BYTES);
    assert_false(client.is_closed || server.is_closed);
}

static void carry(void)
{
    carry_while(false);
}

static void close_both(void)
{
    memset(&faults, 0, sizeof faults);
    end_close(&client);
    end_close(&server);
}

static void without_gso_and_gro(void **state)
{
    (void)state;
    faults.has_no_gso = faults.has_no_gro = true;
    carry();
    assert_false(counters_of(&client).has_gso || counters_of(&client).has_gro);
    assert_false(counters_of(&server).has_gso || counters_of(&server).has_gro);
    assert_int_equal(counters_of(&client).send_errors, 0);
    assert_true(counters_of(&client).datagrams_sent > BYTES / 1500);
    close_both();
}

/* A kernel offers it, and the device has no use for it; or the route changes to such a one. */
static void gso_refused_in_mid_flight(void **state)
{
    (void)state;
    faults.error = EIO;
    faults.is_gso = true;
    faults.first = 20;
    carry();
    assert_true(faults.refused > 0);
    assert_false(counters_of(&client).has_gso);
    assert_int_equal(counters_of(&client).send_errors, 0);
    assert_int_equal(stats_of_client().packets_lost, 0);
    close_both();
}

static void without_ancillary_data(void **state)
{
    (void)state;
    faults.has_no_ancillary = true;
    carry();
    close_both();
}

/* EAGAIN: what does not fit waits, and nothing of it is lost. */
static void a_full_socket(void **state)
{
    (void)state;
    faults.error = EAGAIN;
    faults.every = 2;
    carry();
    assert_true(faults.refused > 10);
    assert_int_equal(counters_of(&client).send_errors, 0);
    assert_int_equal(stats_of_client().packets_lost, 0);
    close_both();
}

/* The device's queue is full: that is a loss like any other. */
static void no_buffers(void **state)
{
    (void)state;
    faults.error = ENOBUFS;
    faults.every = 9;
    carry();
    assert_true(faults.refused > 0 && counters_of(&client).send_errors > 0);
    assert_int_equal(counters_of(&client).last_error, ENOBUFS);
    close_both();
}

/* The route has become narrower than what we send. */
static void datagrams_become_too_long(void **state)
{
    (void)state;
    faults.error = EMSGSIZE;
    faults.longest = 1300;
    faults.first = 30;
    carry();
    assert_true(faults.refused > 0);
    assert_true(stats_of_client().datagram_size <= 1300);
    close_both();
}

/* An interface goes down for a while, and a route with it. */
static void an_interface_goes_down(void **state)
{
    (void)state;
    const int errors[] = {ENETDOWN, ENETUNREACH};
    for (size_t i = 0; i < 2; i++) {
        memset(&faults, 0, sizeof faults);
        faults.error = errors[i];
        faults.first = 12;
        carry_while(true);
        assert_true(faults.refused > 0 && counters_of(&client).send_errors > 0);
        assert_int_equal(counters_of(&client).last_error, errors[i]);
        close_both();
    }
}

/* It goes down while the connection is silent: nothing ends for that. */
static void down_while_silent(void **state)
{
    (void)state;
    open_both();
    faults.error = ENETDOWN;
    serve_for(50 * TERN_MSEC);
    tern_stream *stream;
    assert_int_equal(tern_conn_open_stream(client.conn, TERN_STREAM_UNI, &stream), 0);
    assert_int_equal(tern_stream_write(stream, "x", 1, TERN_FIN), 1);
    serve_for(200 * TERN_MSEC);
    assert_int_equal(server.read, 0);
    faults.error = 0;
    serve_until_read(1);
    assert_int_equal(server.read, 1);
    assert_false(client.is_closed || server.is_closed);
    close_both();
}

/* A few packets fit. The counters say so, for programs to warn of it. */
static void tiny_buffers(void **state)
{
    (void)state;
    faults.buffer = 4096;
    carry();
    assert_true(counters_of(&client).send_buffer > 0 && counters_of(&client).send_buffer <= 16384);
    assert_true(counters_of(&server).receive_buffer > 0 &&
                counters_of(&server).receive_buffer <= 16384);
    close_both();
    open_both();
    assert_true(counters_of(&server).receive_buffer >= 65536);
    close_both();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(without_gso_and_gro, setup, NULL),
    cmocka_unit_test_setup_teardown(gso_refused_in_mid_flight, setup, NULL),
    cmocka_unit_test_setup_teardown(without_ancillary_data, setup, NULL),
    cmocka_unit_test_setup_teardown(a_full_socket, setup, NULL),
    cmocka_unit_test_setup_teardown(no_buffers, setup, NULL),
    cmocka_unit_test_setup_teardown(datagrams_become_too_long, setup, NULL),
    cmocka_unit_test_setup_teardown(an_interface_goes_down, setup, NULL),
    cmocka_unit_test_setup_teardown(down_while_silent, setup, NULL),
    cmocka_unit_test_setup_teardown(tiny_buffers, setup, NULL),
};

TERN_TEST_MAIN(tests)
