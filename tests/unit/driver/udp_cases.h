/* Cases that every platform's driver passes; each test file lists them.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UDP_CASES_H
#define TERN_UDP_CASES_H

#include "udp_kit.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Trains of many shapes, back to back, arrive whole and in order. */
static void carry_trains(struct pair *pair)
{
    fake_send(&pair->a_end, &pair->b_addr, 1, 1200, 1200);
    fake_send(&pair->a_end, &pair->b_addr, 44, 1452, 1452);
    fake_send(&pair->a_end, &pair->b_addr, 45, 1452, 7);
    fake_send(&pair->a_end, &pair->b_addr, 2, 1200, 4);
    fake_send(&pair->a_end, &pair->b_addr, 200, 40, 11); /* more than 64 segments */
    fake_send(&pair->a_end, &pair->b_addr, 1, 65487, 65487);
    for (int i = 0; i < 40; i++) {
        fake_send(&pair->a_end, &pair->b_addr, 1, 60, 60); /* more trains than the outbox holds */
    }
    pair_carry(pair, 1 + 44 + 45 + 2 + 200 + 1 + 40);
    assert_int_equal(stats_of(pair->a).datagrams_sent, 333);
    assert_int_equal(stats_of(pair->b).datagrams_received, 333);
    assert_int_equal(stats_of(pair->a).send_errors, 0);
    assert_true(tern_addr_equal(&pair->b_end.latest.remote, &pair->a_addr));
}

static void trains_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    carry_trains(&pair);
    pair_close(&pair);
}

static void service_waits_no_longer_than_told(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_time start = 0, took = TERN_SEC;
    for (int i = 0; i < 1000 && took >= 5 * TERN_MSEC; i++) { /* a busy machine may be elsewhere */
        start = tern_udp_now();
        assert_int_equal(tern_udp_service(pair.a, 0), 0);
        took = tern_udp_now() - start;
    }
    assert_true(took < 5 * TERN_MSEC);
    start = tern_udp_now();
    assert_int_equal(tern_udp_service(pair.a, 20 * TERN_MSEC), 0);
    assert_true(tern_udp_now() - start >= 20 * TERN_MSEC);
    pair_close(&pair);
}

static void service_wakes_at_the_deadline(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_time due = tern_udp_now() + 15 * TERN_MSEC;
    pair.a_end.deadline = due;
    assert_int_equal(tern_udp_service(pair.a, 5 * TERN_SEC), 0);
    assert_int_equal(pair.a_end.ticks, 1);
    assert_in_range(pair.a_end.ticked_at, due, due + 4 * TERN_SEC);
    pair.a_end.deadline = 1; /* in the past: at once */
    assert_int_equal(tern_udp_service(pair.a, TERN_TIME_NEVER), 0);
    assert_int_equal(pair.a_end.ticks, 2);
    pair_close(&pair);
}

/* Who asks over and over hears what comes, keeps the deadline, and ends when told to. */
static void busy_polling_hears_and_gives_up(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_udp_set_busy_poll(pair.b, 20 * TERN_MSEC);
    fake_send(&pair.a_end, &pair.b_addr, 3, 100, 100);
    pair_carry(&pair, 3);
    tern_time start = tern_udp_now();
    assert_int_equal(tern_udp_service(pair.b, 5 * TERN_MSEC), 0); /* less than the spin */
    assert_true(tern_udp_now() - start >= 5 * TERN_MSEC);
    start = tern_udp_now();
    assert_int_equal(tern_udp_service(pair.b, 30 * TERN_MSEC), 0); /* more */
    assert_true(tern_udp_now() - start >= 30 * TERN_MSEC);
    assert_int_equal(pair.b_end.received, 3);
    pair.b_end.deadline = tern_udp_now() + 10 * TERN_MSEC;
    while (pair.b_end.ticks == 0) {
        assert_int_equal(tern_udp_service(pair.b, 3600 * TERN_SEC), 0);
    }
    pair_close(&pair);
}

static void on_signal(int signo)
{
    (void)signo;
}

static void service_returns_on_a_signal(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct sigaction action = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    tern_time start = tern_udp_now();
    assert_int_equal(tern_udp_service(pair.a, 10 * TERN_SEC), 0);
    assert_true(tern_udp_now() - start < 5 * TERN_SEC);
    pair_close(&pair);
}

static void full_socket_loses_nothing(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    fake_send(&pair.a_end, &pair.b_addr, 3, 1200, 1200);
    tern_train *train = tern_outbox_room(&pair.a->outbox);
    assert_non_null(train);
    assert_int_equal(tern_endpoint_transmit(&pair.a_end, train, 0), 3);
    tern_outbox_push(&pair.a->outbox);
    struct tern_chunk chunk;
    assert_int_equal(tern_outbox_peek(&pair.a->outbox, false, &chunk, 1), 1);
    assert_int_equal(tern_udp_on_refused(pair.a, &chunk, EAGAIN), TERN_ERR_AGAIN);
    assert_int_equal(tern_udp_on_refused(pair.a, &chunk, EINTR), 0);
    fake_send(&pair.a_end, &pair.b_addr, 2, 1200, 1200);
    pair_carry(&pair, 5);
    pair_close(&pair);
}

static void refused_datagrams_are_counted_and_given_up(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_addr nowhere = pair.b_addr;
    nowhere.port = 0;
    tern_addr other = addr_of("[::1]:9"); /* a socket of family 4 cannot reach it */
    fake_send(&pair.a_end, &nowhere, 1, 100, 100);
    fake_send(&pair.a_end, &other, 2, 100, 100);
    pair.a_end.next_number = 0;
    assert_int_equal(tern_udp_flush(pair.a), 0);
    assert_int_equal(stats_of(pair.a).send_errors, 3);
    assert_int_equal(stats_of(pair.a).last_error, EAFNOSUPPORT);
    pair.a_end.next_number = 0;
    fake_send(&pair.a_end, &pair.b_addr, 2, 100, 100);
    pair_carry(&pair, 2);
    pair_close(&pair);
}

/* A closed port answers with ICMP, which decides nothing. */
static void unreachable_port_is_no_error(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_udp_close(pair.b);
    for (int i = 0; i < 3; i++) {
        fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
        assert_int_equal(tern_udp_service(pair.a, 5 * TERN_MSEC), 0);
    }
    tern_udp_close(pair.a);
}

static void errors_of_the_endpoint_are_passed_on(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    assert_int_equal(tern_udp_flush(pair.a), 0);
    pair.b_end.receive_result = TERN_ERR_NOMEM;
    assert_int_equal(tern_udp_service(pair.b, TERN_SEC), TERN_ERR_NOMEM);
    pair.a_end.transmit_result = TERN_ERR_NOMEM;
    assert_int_equal(tern_udp_flush(pair.a), TERN_ERR_NOMEM);
    pair.a_end.transmit_result = 0;
    pair_close(&pair);
}

static void dual_stack_shows_ipv4_as_ipv4(void **state)
{
    (void)state;
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    pair.a_end.deadline = pair.b_end.deadline = TERN_TIME_NEVER;
    assert_int_equal(tern_udp_open(&pair.a, &pair.a_end, NULL), 0);
    assert_int_equal(tern_udp_open(&pair.b, &pair.b_end, NULL), 0);
    pair.b_addr = addr_of("127.0.0.1:1");
    pair.b_addr.port = tern_udp_local(pair.b).port;
    fake_send(&pair.a_end, &pair.b_addr, 3, 500, 500);
    pair_carry(&pair, 3);
    assert_int_equal(pair.b_end.latest.remote.family, 4);
    assert_int_equal(pair.b_end.latest.remote.port, tern_udp_local(pair.a).port);
    pair_close(&pair);
}

static void ipv6_carries_trains(void **state)
{
    (void)state;
    struct pair pair;
    tern_udp *probe = NULL;
    tern_addr here = addr_of("[::1]:0");
    if (tern_udp_open(&probe, &pair.a_end, &here) != 0) {
        skip(); /* no IPv6 on this machine */
    }
    memset(&pair, 0, sizeof pair);
    tern_udp_close(probe);
    pair_open_at(&pair, "[::1]:0", "[::1]:0");
    carry_trains(&pair);
    assert_int_equal(pair.b_end.latest.local.family, 6);
    pair_close(&pair);
}

static void open_says_why_it_failed(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    tern_udp *udp = NULL;
    assert_int_equal(tern_udp_open(&udp, &pair.a_end, &pair.a_addr), TERN_ERR_SYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    tern_addr strange = {.family = 5};
    assert_int_equal(tern_udp_open(&udp, &pair.a_end, &strange), TERN_ERR_SYSTEM);
    assert_int_equal(errno, EAFNOSUPPORT);
    assert_null(udp);
    tern_udp_close(NULL);
    pair_close(&pair);
}

static void close_sends_the_last_words(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    fake_send(&pair.a_end, &pair.b_addr, 2, 100, 100);
    tern_udp_close(pair.a);
    assert_int_equal(tern_udp_service(pair.b, TERN_SEC), 0);
    assert_int_equal(pair.b_end.received, 2);
    tern_udp_close(pair.b);
}

/* RFC 9000 §14: no router may cut a datagram, and no forged ICMP tells us a size. */
static void nothing_is_fragmented(void **state)
{
    (void)state;
#ifdef IP_PMTUDISC_PROBE
    const char *places[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        int value = 0;
        socklen_t len = sizeof value;
        pair_open_at(&pair, places[i], places[i]);
        int level = i == 0 ? IPPROTO_IP : IPPROTO_IPV6;
        int option = i == 0 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
        assert_int_equal(getsockopt(tern_udp_fd(pair.a), level, option, &value, &len), 0);
        assert_int_equal(value, i == 0 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE);
        pair_close(&pair);
    }
#else
    skip();
#endif
}

#endif
