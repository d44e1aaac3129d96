/* Who moves when the machine's addresses change, and that the system is heard. The loopback serves as the
 * one way there is: to 127.0.0.1 every system sends from 127.0.0.1.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "udp_kit.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static tern_endpoint end;
static tern_udp *udp;

static int setup(void **state)
{
    (void)state;
    tern_addr any = {.family = 4};
    memset(&end, 0, sizeof end);
    end.deadline = TERN_TIME_NEVER;
    return tern_udp_open(&udp, &end, &any);
}

static int teardown(void **state)
{
    (void)state;
    tern_udp_close(udp);
    return 0;
}

static tern_conn *add(const char *local, const char *remote)
{
    tern_conn *conn = &end.conns[end.conn_count++];
    conn->local = addr_of(local);
    conn->remote = addr_of(remote);
    return conn;
}

static void who_would_leave_from_elsewhere_moves(void **state)
{
    (void)state;
    tern_conn *stale = add("192.0.2.1:1", "127.0.0.1:7437");
    tern_conn *fresh = add("127.0.0.1:1", "127.0.0.1:7437");
    assert_false(tern_udp_move_all(udp));
    assert_int_equal(stale->moves, 1);
    assert_int_equal(fresh->moves, 0);
    assert_int_equal(stale->probes, 0); /* its way may be a new one: it asks there */
    assert_int_equal(fresh->probes, 1); /* its way may have been gone */
    tern_addr to = addr_of("127.0.0.1:1");
    to.port = tern_udp_local(udp).port;
    assert_true(tern_addr_equal(&stale->moved_to, &to));
}

static void servers_stay(void **state)
{
    (void)state;
    tern_conn *conn = add("192.0.2.1:1", "127.0.0.1:7437");
    conn->is_server = true;
    assert_false(tern_udp_move_all(udp));
    assert_int_equal(conn->moves, 0);
}

static void where_no_way_leads_nobody_moves(void **state)
{
    (void)state;
    tern_conn *conn = add("192.0.2.1:1", "255.255.255.255:1"); /* to all is not allowed */
    assert_false(tern_udp_move_all(udp));
    assert_int_equal(conn->moves, 0);
}

/* A connection that cannot move yet is asked again with the next datagrams. */
static void who_cannot_yet_is_asked_again(void **state)
{
    (void)state;
    tern_conn *conn = add("192.0.2.1:1", "127.0.0.1:7437");
    conn->result = TERN_ERR_LIMIT;
    udp->must_roam = tern_udp_move_all(udp);
    assert_true(udp->must_roam);
    conn->result = 0;
    assert_int_equal(tern_udp_receive(udp), 0);
    assert_int_equal(conn->moves, 2);
    assert_false(udp->must_roam);
}

static void a_bound_socket_does_not_roam(void **state)
{
    (void)state;
    tern_udp *bound;
    tern_addr addr = addr_of("127.0.0.1:0");
    assert_int_equal(tern_udp_open(&bound, &end, &addr), 0);
    assert_int_equal(tern_udp_roam(bound), TERN_ERR_STATE);
    assert_int_equal(tern_udp_roam_fd(bound), -1);
    tern_udp_on_roam(bound);
    tern_udp_close(bound);
}

/* In a network of our own, where we may change what we like. */
static void a_new_address_is_heard_of(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) != 0) {
        skip_because("no network of our own may be made here");
    }
    tern_udp *here;
    assert_int_equal(tern_udp_open(&here, &end, NULL), 0);
    assert_int_equal(tern_udp_roam(here), 0);
    assert_int_equal(tern_udp_roam(here), 0); /* once is enough */
    assert_true(tern_udp_roam_fd(here) >= 0);
    assert_false(tern_udp_roam_read(tern_udp_roam_fd(here)));
    tern_conn *conn = add("192.0.2.1:1", "127.0.0.1:7437");
    if (system("ip link set lo up && ip addr add 127.0.0.2/8 dev lo 2>/dev/null") != 0) {
        tern_udp_close(here);
        skip_because("there is no ip(8), or it may not change that network");
    }
    assert_int_equal(tern_udp_service(here, TERN_SEC), 0);
    assert_true(conn->moves >= 1);
    tern_udp_close(here);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(who_would_leave_from_elsewhere_moves, setup, teardown),
    cmocka_unit_test_setup_teardown(servers_stay, setup, teardown),
    cmocka_unit_test_setup_teardown(where_no_way_leads_nobody_moves, setup, teardown),
    cmocka_unit_test_setup_teardown(who_cannot_yet_is_asked_again, setup, teardown),
    cmocka_unit_test_setup_teardown(a_bound_socket_does_not_roam, setup, teardown),
    cmocka_unit_test_setup_teardown(a_new_address_is_heard_of, setup, teardown),
};

TERN_TEST_MAIN(tests)
