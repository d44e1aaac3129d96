/* Peers and clocks that do not keep to the rules, and ends that come at a bad time.
 * SPDX-License-Identifier: MIT */
#include "sim/duo.h"
#include "tern_test.h"

#define MBIT 1000000

static struct duo d;

static struct tern_conn *conn_of(int side)
{
    return d.side[side].conn;
}

/* --- the end ------------------------------------------------------------------------------------------ */

/* RFC 9000 §10.2: with the window full, the pacer empty and more to say, the peer knows of the end as
 * soon as what is in flight has arrived: well within a round trip. */
static void a_close_passes_a_full_window(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr", "ledbat"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        duo_init(&d, names[i]);
        d.link[DUO_CLIENT].rate = 10 * MBIT;
        d.link[DUO_CLIENT].queue = 100000;
        duo_open(&d, 1);
        duo_write(&d, DUO_CLIENT, 20000000);
        duo_run(&d, TERN_SEC);
        while (tern_cc_room(&conn_of(DUO_CLIENT)->path.cc) >= 1452) {
            duo_run(&d, TERN_MSEC);
        }
        tern_time queued = duo_counters(&d, DUO_CLIENT).queue_now * 8 * TERN_SEC / (10 * MBIT);
        tern_time rtt = 40 * TERN_MSEC + queued, at = tern_sim_now(d.sim);
        tern_conn_close(conn_of(DUO_CLIENT), 7, "enough");
        duo_run(&d, TERN_SEC);
        assert_true(d.side[DUO_SERVER].is_closed);
        print_message("%s: told after %.1f ms of %.1f\n", names[i],
                      (double)(d.side[DUO_SERVER].closed_at - at) / 1e6, (double)rtt / 1e6);
        assert_true(d.side[DUO_SERVER].closed_at - at <= rtt);
        assert_int_equal(d.side[DUO_SERVER].close.code, 7);
        duo_close(&d);
    }
}

/* --- paths -------------------------------------------------------------------------------------------- */

/* Another path with ten times the round trip, and with a tenth: RFC 9002 §6.1.2 takes the latest sample
 * where it is longer, and a path starts with an estimate of its own, so that nothing that arrives is
 * given up. */
static void switch_path(tern_time before, tern_time after)
{
    tern_addr elsewhere = {.family = 4, .ip = {10, 9, 9, 9}, .port = 5000};
    duo_init(&d, "cubic");
    d.link[0].delay = d.link[1].delay = before / 2;
    d.link[0].rate = d.link[1].rate = 20 * MBIT;
    duo_open(&d, 1);
    for (int i = 0; i < 2; i++) { /* little enough to be no queue */
        duo_write(&d, i, 1);
    }
    duo_run(&d, TERN_SEC);
    duo_write(&d, DUO_CLIENT, 20000);
    (void)duo_finish(&d, 10 * TERN_SEC);
    duo_run(&d, TERN_SEC); /* nothing is in flight on the old path */
    for (int i = 0; i < 2; i++) {
        d.link[i].delay = after / 2;
        tern_link_set(tern_sim_link(d.sim, d.side[i].host, d.side[1 - i].host), &d.link[i]);
    }
    assert_int_equal(tern_sim_rebind(d.sim, d.side[DUO_CLIENT].host, &elsewhere), 0);
    for (int n = 0; n < 50; n++) {
        duo_write(&d, DUO_CLIENT, 20000);
        duo_run(&d, 50 * TERN_MSEC);
    }
    (void)duo_finish(&d, 10 * TERN_SEC);
    duo_write(&d, DUO_SERVER, 200000);
    (void)duo_finish(&d, 10 * TERN_SEC);
    tern_addr remote = tern_conn_remote(conn_of(DUO_SERVER));
    assert_int_equal(remote.port, 5000);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(conn_of(i)->counters.packets_lost, 0);
        assert_int_equal(conn_of(i)->counters.packets_spurious, 0);
    }
    duo_close(&d);
}

/* A transfer to the client that has filled a link of 20 Mbit/s for two seconds. */
static void begin_at_full_rate(const char *cc)
{
    duo_init(&d, cc);
    for (int k = 0; k < 2; k++) {
        d.link[k].rate = 20 * MBIT;
        d.link[k].queue = 200000;
        d.side[k].config.keepalive = 50 * TERN_MSEC;
    }
    duo_open(&d, 1);
    duo_write(&d, DUO_CLIENT, 1);
    duo_run(&d, 100 * TERN_MSEC);
    duo_write(&d, DUO_SERVER, 100000000);
    duo_run(&d, 2 * TERN_SEC);
}

/* RFC 9000 §9.4: a client that moves to another host in the midst of a transfer loses what was on its
 * way, and nothing of that slows the new path down: as fast as a new connection it is at full rate. */
static void what_the_old_path_lost_does_not_slow_the_new_one(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr", "ledbat"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        tern_addr elsewhere = {.family = 4, .ip = {10, 9, 9, 9}, .port = 5000};
        begin_at_full_rate(names[i]);
        assert_int_equal(tern_sim_rebind(d.sim, d.side[DUO_CLIENT].host, &elsewhere), 0);
        tern_time at = tern_sim_now(d.sim);
        while (tern_conn_remote(conn_of(DUO_SERVER)).port != 5000) {
            duo_run(&d, TERN_MSEC);
        }
        print_message("%s: moved after %.0f ms;", names[i],
                      (double)(tern_sim_now(d.sim) - at) / 1e6);
        uint64_t before = duo_counters(&d, DUO_SERVER).bytes_out;
        const struct tern_cc *cc = &conn_of(DUO_SERVER)->path.cc;
        assert_true(cc->bytes_in_flight <= 15000);
        duo_run(&d, TERN_SEC);
        uint64_t sent = duo_counters(&d, DUO_SERVER).bytes_out - before;
        print_message(" %llu bytes in the next second\n", (unsigned long long)sent);
        assert_true(strcmp(names[i], "ledbat") == 0 || sent >= 20 * MBIT / 8 * 6 / 10);
        assert_string_equal(tern_ecn_name(conn_of(DUO_SERVER)->path.ecn.state), "capable");
        duo_close(&d);
    }
}

/* RFC 9000 §13.4.2: after another port of the same host, too, marks are tested anew, and those that went
 * to the old one are no part of the test. */
static void marks_lost_at_the_old_port_fail_nothing(void **state)
{
    tern_addr elsewhere = {.family = 4, .ip = {10, 0, 0, 1}, .port = 5000};
    (void)state;
    begin_at_full_rate("cubic");
    assert_int_equal(tern_sim_rebind(d.sim, d.side[DUO_CLIENT].host, &elsewhere), 0);
    duo_run(&d, 2 * TERN_SEC);
    assert_int_equal(tern_conn_remote(conn_of(DUO_SERVER)).port, 5000);
    assert_true(conn_of(DUO_SERVER)->counters.packets_lost > 20);
    assert_string_equal(tern_ecn_name(conn_of(DUO_SERVER)->path.ecn.state), "capable");
    duo_close(&d);
}

static void another_path_loses_nothing(void **state)
{
    (void)state;
    switch_path(20 * TERN_MSEC, 200 * TERN_MSEC);
    switch_path(200 * TERN_MSEC, 20 * TERN_MSEC);
}

/* RFC 9002 §6.1.2: the larger of smoothed and latest sample, so that a round trip that grows from 10 to
 * 100 ms in half a second is no loss. */
static void a_growing_delay_loses_nothing(void **state)
{
    const char *const names[] = {"newreno", "cubic", "bbr", "ledbat"};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(names); i++) {
        duo_init(&d, names[i]);
        d.link[0].delay = d.link[1].delay = 5 * TERN_MSEC;
        d.side[DUO_SERVER].config.stream_window = 100000;
        d.side[DUO_SERVER].config.stream_window_max = 100000;
        duo_open(&d, 1);
        duo_write(&d, DUO_CLIENT, 100000000);
        duo_run(&d, TERN_SEC);
        for (int n = 0; n < 90; n++) {
            for (int k = 0; k < 2; k++) {
                d.link[k].delay += TERN_MSEC / 2;
                tern_link_set(tern_sim_link(d.sim, d.side[k].host, d.side[1 - k].host), &d.link[k]);
            }
            duo_run(&d, 5 * TERN_MSEC);
        }
        duo_run(&d, TERN_SEC);
        assert_true(conn_of(DUO_CLIENT)->path.rtt.smoothed >= 95 * TERN_MSEC);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(conn_of(k)->counters.packets_lost, 0);
        }
        duo_close(&d);
    }
}

/* --- memory ------------------------------------------------------------------------------------------- */

static uint64_t held, most_held;

static void *count_alloc(void *user, size_t size)
{
    size_t *block = malloc(size + 16);
    (void)user;
    if (block == NULL) {
        return NULL;
    }
    *block = size;
    held += size;
    most_held = TERN_MAX(most_held, held);
    return (uint8_t *)block + 16;
}

static void count_free(void *user, void *ptr)
{
    uint8_t *block = (uint8_t *)ptr - 16;
    size_t size;
    (void)user;
    memcpy(&size, block, sizeof size);
    held -= size;
    free(block);
}

static void *count_realloc(void *user, void *ptr, size_t size)
{
    void *moved = count_alloc(user, size);
    if (moved != NULL && ptr != NULL) {
        size_t old;
        memcpy(&old, (uint8_t *)ptr - 16, sizeof old);
        memcpy(moved, ptr, TERN_MIN(old, size));
        count_free(user, ptr);
    }
    return moved;
}

/* RFC 9000 §4: an application that reads a kilobyte a second holds up its window and no more. */
static void a_slow_reader_holds_one_window(void **state)
{
    const uint64_t window = 1 << 18;
    (void)state;
    duo_init(&d, "cubic");
    tern_allocator hooks = {count_alloc, count_realloc, count_free, NULL};
    struct duo_side *server = &d.side[DUO_SERVER];
    server->config.allocator = hooks;
    server->config.stream_window = server->config.conn_window = window;
    server->config.stream_window_max = server->config.conn_window_max = 64 * window;
    server->sip = 0;
    server->config.keepalive = 10 * TERN_SEC;
    d.link[0].rate = d.link[1].rate = 100 * MBIT;
    held = most_held = 0;
    duo_open(&d, 1);
    uint64_t before = held;
    duo_write(&d, DUO_CLIENT, 8 * window);
    for (int n = 0; n < 60; n++) {
        server->sip += 1024;
        duo_run(&d, TERN_SEC);
    }
    print_message("window %llu, held %llu\n", (unsigned long long)window,
                  (unsigned long long)(most_held - before));
    assert_true(most_held - before <= window + window / 8); /* and the books about it */
    assert_true(server->read >= 59 * 1024);
    duo_close(&d);
    assert_int_equal(held, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_close_passes_a_full_window),
    cmocka_unit_test(another_path_loses_nothing),
    cmocka_unit_test(marks_lost_at_the_old_port_fail_nothing),
    cmocka_unit_test(what_the_old_path_lost_does_not_slow_the_new_one),
    cmocka_unit_test(a_growing_delay_loses_nothing),
    cmocka_unit_test(a_slow_reader_holds_one_window),
};

REPLAY_TEST_MAIN(tests)
