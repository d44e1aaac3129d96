/* The driver of this platform: trains, offload and its fallback, ECN, local addresses, names.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "udp_cases.h"

#include <netinet/in.h>
#include <sys/socket.h>

static void trains_arrive_without_offload(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_udp_set_offload(pair.a, false, false);
    tern_udp_set_offload(pair.b, false, false);
    assert_false(stats_of(pair.a).has_gso);
    assert_false(stats_of(pair.b).has_gro);
    carry_trains(&pair);
    assert_int_equal(pair.b_end.bundles, 0);
    pair_close(&pair);
}

static void trains_arrive_with_half_the_offload(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair pair;
        pair_open(&pair);
        tern_udp_set_offload(pair.a, i == 0, i == 0);
        tern_udp_set_offload(pair.b, i == 1, i == 1);
        carry_trains(&pair);
        pair_close(&pair);
    }
}

static void offload_saves_system_calls(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    if (!stats_of(pair.a).has_gso || !stats_of(pair.b).has_gro) {
        pair_close(&pair);
        skip_because("this kernel has no GSO and GRO");
    }
    for (int i = 0; i < 10; i++) {
        fake_send(&pair.a_end, &pair.b_addr, 40, 1200, 1200);
    }
    pair_carry(&pair, 400);
    assert_true(stats_of(pair.a).sendmsg_calls <= 10);
    assert_true(stats_of(pair.b).recvmsg_calls <= 20);
    assert_true(pair.b_end.bundles > 0);
    pair_close(&pair);
}

/* What the kernel says to a GSO send that the device cannot do. */
static void refuse_gso(struct pair *pair, int error)
{
    fake_send(&pair->a_end, &pair->b_addr, 3, 1200, 1200);
    tern_train *train = tern_outbox_room(&pair->a->outbox);
    assert_non_null(train);
    assert_int_equal(tern_endpoint_transmit(&pair->a_end, train, 0), 3);
    tern_outbox_push(&pair->a->outbox);
    struct tern_chunk chunk;
    assert_int_equal(tern_outbox_peek(&pair->a->outbox, true, &chunk, 1), 1);
    assert_int_equal(tern_chunk_datagrams(&chunk), 3);
    assert_int_equal(tern_udp_on_refused(pair->a, &chunk, error), 0);
}

static void refused_gso_is_switched_off_in_flight(void **state)
{
    (void)state;
    const int errors[] = {EIO, EINVAL, EMSGSIZE};
    for (size_t i = 0; i < 3; i++) {
        struct pair pair;
        pair_open(&pair);
        tern_udp_set_offload(pair.a, true, true);
        pair.a->counters.has_gso = true;
        refuse_gso(&pair, errors[i]);
        pair_carry(&pair, 3);
        assert_false(stats_of(pair.a).has_gso);
        assert_int_equal(stats_of(pair.a).send_errors, 0);
        fake_send(&pair.a_end, &pair.b_addr, 10, 1200, 1200);
        pair_carry(&pair, 13);
        pair_close(&pair);
    }
}

/* A datagram that is too long alone was not GSO's fault. */
static void too_long_datagrams_leave_gso_on(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.a->counters.has_gso = true;
    refuse_gso(&pair, EMSGSIZE);
    struct tern_chunk chunk;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tern_outbox_peek(&pair.a->outbox, true, &chunk, 1), 1);
        assert_int_equal(tern_chunk_datagrams(&chunk), 1);
        assert_int_equal(tern_udp_on_refused(pair.a, &chunk, EMSGSIZE), 0);
    }
    assert_true(tern_outbox_is_empty(&pair.a->outbox));
    assert_true(stats_of(pair.a).has_gso);
    assert_int_equal(stats_of(pair.a).send_errors, 3);
    assert_int_equal(stats_of(pair.a).last_error, EMSGSIZE);
    pair_close(&pair);
}

static void ecn_bits_travel(void **state)
{
    (void)state;
    const char *places[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_open_at(&pair, places[i], places[i]);
        for (uint8_t ecn = 0; ecn < 4; ecn++) {
            fake_send(&pair.a_end, &pair.b_addr, 5, 1200, 100);
            pair.a_end.queue[pair.a_end.queued - 1].ecn = ecn;
            pair_carry(&pair, 5 * (ecn + 1u));
            assert_int_equal(pair.b_end.latest.ecn, ecn);
        }
        pair_close(&pair);
    }
}

/* Asked at 127.0.0.3, the server answers from 127.0.0.3. */
static void replies_leave_from_the_address_that_was_asked(void **state)
{
    (void)state;
    const char *anywhere[] = {"0.0.0.0:0", "[::]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_open_at(&pair, "127.0.0.1:0", anywhere[i]);
        tern_addr asked = addr_of("127.0.0.3:1");
        asked.port = pair.b_addr.port;
        fake_send(&pair.a_end, &asked, 2, 100, 100);
        pair_carry(&pair, 2);
        assert_true(tern_addr_equal(&pair.b_end.latest.local, &asked));
        fake_send(&pair.b_end, &pair.b_end.latest.remote, 2, 100, 100);
        pair.b_end.queue[0].local = pair.b_end.latest.local;
        assert_int_equal(tern_udp_flush(pair.b), 0);
        assert_int_equal(tern_udp_service(pair.a, TERN_SEC), 0);
        assert_int_equal(pair.a_end.received, 2);
        assert_true(tern_addr_equal(&pair.a_end.latest.remote, &asked));
        pair_close(&pair);
    }
}

static void lost_source_address_does_not_stop_sending(void **state)
{
    (void)state;
    struct pair pair;
    pair_open_at(&pair, "0.0.0.0:0", "127.0.0.1:0");
    for (int i = 0; i < 2; i++) {
        fake_send(&pair.a_end, &pair.b_addr, 3, 1200, 1200);
        pair.a_end.queue[i].local = addr_of("192.0.2.77:1"); /* not an address of ours */
        pair_carry(&pair, 3u * (unsigned)(i + 1));
    }
    assert_int_equal(stats_of(pair.a).send_errors, 0);
    assert_int_equal(stats_of(pair.a).has_gso, stats_of(pair.b).has_gso);
    pair_close(&pair);
}

/* b's endpoint wants to answer, and the latest send is not long ago, whatever the clock says. */
static void want_answer(struct pair *pair)
{
    fake_send(&pair->b_end, &pair->a_addr, 1, 100, 100);
    pair->b->flushed_at = tern_udp_now() + 3600 * TERN_SEC;
}

/* While there is more to be read than one receive takes, what is ready waits, but not for long. */
static void who_is_behind_answers_later(void **state)
{
    (void)state;
    enum { ONE_RECEIVE = TERN_UDP_ROUNDS * TERN_UDP_SLOTS };
    struct pair pair;
    pair_open(&pair);
    tern_udp_set_offload(pair.a, false, false);
    tern_udp_set_offload(pair.b, false, false);
    fake_send(&pair.a_end, &pair.b_addr, 2 * ONE_RECEIVE, 100, 100);
    assert_int_equal(tern_udp_flush(pair.a), 0);
    assert_int_equal(tern_udp_receive(pair.b), 0);
    assert_int_equal(pair.b_end.received, ONE_RECEIVE);
    want_answer(&pair);
    assert_int_equal(tern_udp_flush(pair.b), 0);
    assert_int_equal(pair.b_end.taken, 0);
    pair.b->flushed_at = 0; /* that is long ago */
    assert_int_equal(tern_udp_flush(pair.b), 0);
    assert_int_equal(pair.b_end.taken, 1);
    want_answer(&pair);
    assert_int_equal(tern_udp_receive(pair.b), 0); /* it looks full, and was the last */
    assert_int_equal(pair.b_end.received, 2 * ONE_RECEIVE);
    assert_int_equal(tern_udp_flush(pair.b), 0);
    assert_int_equal(pair.b_end.taken, 2);
    pair_close(&pair);
}

static void names_are_resolved(void **state)
{
    (void)state;
    tern_addr addr = {0}, expected = addr_of("127.0.0.1:4433");
    const char *reason = NULL;
    assert_int_equal(tern_udp_resolve(&addr, "127.0.0.1", 4433, 0, &reason), 0);
    assert_true(tern_addr_equal(&addr, &expected));
    expected = addr_of("[::1]:4433");
    assert_int_equal(tern_udp_resolve(&addr, "[::1]", 4433, 0, NULL), 0);
    assert_true(tern_addr_equal(&addr, &expected));
    assert_int_equal(tern_udp_resolve(&addr, "::1", 4433, 6, NULL), 0);
    assert_true(tern_addr_equal(&addr, &expected));
    assert_null(reason);
    assert_int_equal(tern_udp_resolve(&addr, "::1", 1, 4, &reason), TERN_ERR_INVALID);
    assert_non_null(reason);
    assert_int_equal(tern_udp_resolve(&addr, "host.invalid", 1, 0, NULL), TERN_ERR_INVALID);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(trains_arrive_whole_and_in_order),
    cmocka_unit_test(trains_arrive_without_offload),
    cmocka_unit_test(trains_arrive_with_half_the_offload),
    cmocka_unit_test(offload_saves_system_calls),
    cmocka_unit_test(refused_gso_is_switched_off_in_flight),
    cmocka_unit_test(too_long_datagrams_leave_gso_on),
    cmocka_unit_test(ecn_bits_travel),
    cmocka_unit_test(nothing_is_fragmented),
    cmocka_unit_test(replies_leave_from_the_address_that_was_asked),
    cmocka_unit_test(lost_source_address_does_not_stop_sending),
    cmocka_unit_test(who_is_behind_answers_later),
    cmocka_unit_test(names_are_resolved),
    cmocka_unit_test(service_waits_no_longer_than_told),
    cmocka_unit_test(service_wakes_at_the_deadline),
    cmocka_unit_test(busy_polling_hears_and_gives_up),
    cmocka_unit_test(service_returns_on_a_signal),
    cmocka_unit_test(full_socket_loses_nothing),
    cmocka_unit_test(refused_datagrams_are_counted_and_given_up),
    cmocka_unit_test(unreachable_port_is_no_error),
    cmocka_unit_test(errors_of_the_endpoint_are_passed_on),
    cmocka_unit_test(dual_stack_shows_ipv4_as_ipv4),
    cmocka_unit_test(ipv6_carries_trains),
    cmocka_unit_test(open_says_why_it_failed),
    cmocka_unit_test(close_sends_the_last_words),
};

TERN_TEST_MAIN(tests)
