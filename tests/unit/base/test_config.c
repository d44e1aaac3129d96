/* The defaults that tern/config.h promises.
 * SPDX-License-Identifier: MIT */
#include <tern/config.h>

#include "base/def.h"
#include "tern_test.h"

static void config_has_the_documented_defaults(void **state)
{
    (void)state;
    tern_config c;
    memset(&c, 0xa5, sizeof c);
    tern_config_init(&c);
    assert_int_equal(c.size, sizeof c);
    assert_int_equal(c.suites, TERN_SUITE_ANY);
    assert_string_equal(c.cc, "cubic");
    assert_int_equal(c.handshake_timeout, 10 * TERN_SEC);
    assert_int_equal(c.idle_timeout, 30 * TERN_SEC);
    assert_int_equal(c.keepalive, 0);
    assert_int_equal(c.probe_interval, 0);
    assert_int_equal(c.max_ack_delay, 25 * TERN_MSEC);
    assert_int_equal(c.initial_rtt, 333 * TERN_MSEC);
    assert_int_equal(c.max_datagram, 1452);
    assert_int_equal(c.stream_window, 256 << 10);
    assert_int_equal(c.stream_window_max, 16 << 20);
    assert_int_equal(c.conn_window, 1 << 20);
    assert_int_equal(c.conn_window_max, 24 << 20);
    assert_int_equal(c.stream_send_buffer, 16 << 20);
    assert_int_equal(c.max_streams_bidi, 128);
    assert_int_equal(c.max_streams_uni, 128);
    assert_int_equal(c.max_connections, 65536);
    assert_int_equal(c.max_half_open, 16384);
}

static void config_names_nobody_and_calls_nobody(void **state)
{
    (void)state;
    tern_config c;
    memset(&c, 0xa5, sizeof c);
    tern_config_init(&c);
    assert_null(c.secret_key);
    assert_false(c.accept);
    assert_false(c.silent);
    assert_true(c.verify == NULL && c.verify_user == NULL);
    assert_true(c.allocator.alloc == NULL && c.allocator.realloc == NULL);
    assert_true(c.allocator.free == NULL && c.allocator.user == NULL);
    assert_true(c.random.fill == NULL && c.random.user == NULL);
    assert_true(c.trace.event == NULL && c.trace.user == NULL);
}

static void peer_starts_empty(void **state)
{
    (void)state;
    tern_peer p;
    memset(&p, 0xa5, sizeof p);
    tern_peer_init(&p);
    assert_int_equal(p.size, sizeof p);
    assert_int_equal(p.addr.family, 0);
    assert_int_equal(p.local.family, 0);
    assert_null(p.key);
    assert_null(p.cc);
}

static void version_is_three_numbers(void **state)
{
    (void)state;
    const char *at = tern_version();
    size_t dots = 0;
    for (; *at != '\0'; at++) {
        dots += *at == '.';
        assert_true(*at == '.' || (*at >= '0' && *at <= '9'));
    }
    assert_int_equal(dots, 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(config_has_the_documented_defaults),
    cmocka_unit_test(config_names_nobody_and_calls_nobody),
    cmocka_unit_test(peer_starts_empty),
    cmocka_unit_test(version_is_three_numbers),
};

TERN_TEST_MAIN(tests)
