/* A bad network inside the driver, over real sockets: what is delayed, lost, kept and repeated, who wakes
 * for it.
 * SPDX-License-Identifier: MIT */
#include "udp_kit.h"

#include <tern/ev.h>
#include <tern/sim.h>

#define DELAY (20 * TERN_MSEC)

static struct pair pair;
static tern_conditioner *conditioner;
static tern_link_config forth, back;

static int setup(void **state)
{
    (void)state;
    pair_open(&pair);
    tern_link_config_init(&forth);
    tern_link_config_init(&back);
    conditioner = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pair_close(&pair);
    tern_conditioner_free(conditioner);
    return 0;
}

static void condition(tern_udp *udp, uint64_t seed)
{
    assert_int_equal(tern_conditioner_new(&conditioner, &forth, &back, seed), 0);
    assert_int_equal(tern_udp_set_conditioner(udp, conditioner), 0);
}

static tern_link_counters counters_of(bool is_out)
{
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(tern_conditioner_link(conditioner, is_out), &counters);
    return counters;
}

/* Serves both until b has so many, or the time is over. Returns how long it took. */
static tern_time serve(uint32_t datagrams, tern_time limit)
{
    tern_time start = tern_udp_now();
    while (pair.b_end.received < datagrams && tern_udp_now() < start + limit) {
        tern_time left = start + limit - tern_udp_now();
        assert_int_equal(tern_udp_service(pair.a, left < TERN_MSEC ? left : TERN_MSEC), 0);
        assert_int_equal(tern_udp_service(pair.b, 100 * TERN_USEC), 0);
    }
    return tern_udp_now() - start;
}

/* Long trains and odd ends come out whole, one by one, after the delay and no sooner. */
static void the_delay_is_added(void **state)
{
    (void)state;
    forth.delay = DELAY;
    condition(pair.a, 1);
    fake_send(&pair.a_end, &pair.b_addr, 40, 1400, 700);
    fake_send(&pair.a_end, &pair.b_addr, 1, 5, 5);
    tern_time took = serve(41, 10 * TERN_SEC);
    assert_true(took >= DELAY);
    assert_int_equal(pair.b_end.received, 41);
    assert_int_equal(pair.b_end.bad, 0);
    assert_int_equal(pair.b_end.out_of_order, 0);
    assert_int_equal(pair.b_end.bytes, 39 * 1400 + 700 + 5);
    assert_int_equal(counters_of(true).packets_out, 41);
}

/* What comes is held, too: bundles of the kernel's are taken apart. */
static void what_comes_is_delayed_as_well(void **state)
{
    (void)state;
    back.delay = DELAY;
    condition(pair.b, 1);
    fake_send(&pair.a_end, &pair.b_addr, 30, 1200, 100);
    assert_true(serve(30, 10 * TERN_SEC) >= DELAY);
    assert_int_equal(pair.b_end.received, 30);
    assert_int_equal(pair.b_end.bad, 0);
    assert_int_equal(pair.b_end.bundles, 0);
    assert_int_equal(counters_of(false).packets_in, 30);
    assert_true(tern_addr_equal(&pair.b_end.latest.remote, &pair.a_addr));
    assert_true(tern_addr_equal(&pair.b_end.latest.local, &pair.b_addr));
}

/* One call that waits long enough wakes for it by itself. */
static void service_wakes_for_what_is_due(void **state)
{
    (void)state;
    forth.delay = DELAY;
    condition(pair.a, 1);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    tern_time start = tern_udp_now();
    assert_int_equal(tern_udp_service(pair.a, 20 * TERN_SEC), 0);
    assert_in_range(tern_udp_now() - start, DELAY, 10 * TERN_SEC);
    assert_int_equal(stats_of(pair.a).datagrams_sent, 1);
    assert_int_equal(tern_udp_deadline(pair.a), TERN_TIME_NEVER);
}

static void the_deadline_tells_loops_of_your_own(void **state)
{
    (void)state;
    back.delay = DELAY;
    condition(pair.b, 1);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    assert_int_equal(tern_udp_flush(pair.a), 0);
    tern_time start = tern_udp_now();
    while (tern_udp_deadline(pair.b) == TERN_TIME_NEVER) {
        assert_int_equal(tern_udp_receive(pair.b), 0);
    }
    assert_in_range(tern_udp_deadline(pair.b), start, tern_udp_now() + DELAY);
    assert_int_equal(tern_udp_tick(pair.b), 0);
    assert_int_equal(pair.b_end.received, 0);
    pair.b_end.deadline = tern_udp_now(); /* the sooner of the two counts */
    assert_int_equal(tern_udp_deadline(pair.b), pair.b_end.deadline);
    while (pair.b_end.received == 0) {
        assert_int_equal(tern_udp_tick(pair.b), 0);
    }
    assert_int_equal(pair.b_end.ticks, 1);
    assert_true(tern_udp_now() >= start + DELAY);
}

static void at_full_loss_nothing_comes(void **state)
{
    (void)state;
    forth.loss = 1;
    condition(pair.a, 1);
    fake_send(&pair.a_end, &pair.b_addr, 10, 1000, 1000);
    (void)serve(1, 50 * TERN_MSEC);
    assert_int_equal(pair.b_end.received, 0);
    assert_int_equal(counters_of(true).lost, 10);
    /* Taken out, everything passes again. */
    assert_int_equal(tern_udp_set_conditioner(pair.a, NULL), 0);
    fake_send(&pair.a_end, &pair.b_addr, 10, 1000, 1000);
    (void)serve(10, 10 * TERN_SEC);
    assert_int_equal(pair.b_end.received, 10);
}

static void lose_some(uint64_t seed, uint8_t seen[200])
{
    assert_int_equal(setup(NULL), 0);
    forth.loss = 0.3;
    condition(pair.a, seed);
    for (int i = 0; i < 5; i++) {
        fake_send(&pair.a_end, &pair.b_addr, 40, 500, 500);
    }
    while (counters_of(true).packets_in < 200) {
        assert_int_equal(tern_udp_service(pair.a, 0), 0);
    }
    (void)serve((uint32_t)(200 - counters_of(true).lost), 10 * TERN_SEC);
    memcpy(seen, pair.b_end.seen, 200);
    assert_in_range(pair.b_end.received, 100, 180);
    assert_int_equal(teardown(NULL), 0);
}

static void a_seed_repeats_its_losses(void **state)
{
    uint8_t first[200], again[200], other[200];
    (void)state;
    assert_int_equal(teardown(NULL), 0);
    lose_some(7, first);
    lose_some(7, again);
    lose_some(8, other);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    assert_int_equal(setup(NULL), 0);
}

/* The mark that it entered with, and the source that the endpoint chose (Linux; elsewhere neither is
 * known). */
static void marks_and_addresses_are_kept(void **state)
{
    (void)state;
    forth.delay = back.delay = TERN_MSEC;
    condition(pair.a, 1);
    fake_send(&pair.a_end, &pair.b_addr, 3, 100, 100);
    pair.a_end.queue[0].ecn = 1;
    pair.a_end.queue[0].local = pair.a_addr;
    (void)serve(3, 10 * TERN_SEC);
    assert_int_equal(pair.b_end.received, 3);
    assert_int_equal(pair.b_end.latest.ecn, stats_of(pair.a).has_gso ? 1 : 0);
    assert_true(tern_addr_equal(&pair.b_end.latest.remote, &pair.a_addr));
}

/* A network that marks what it is told to. */
static void marks_of_the_link_arrive(void **state)
{
    (void)state;
    back.ecn_mark = 1;
    condition(pair.b, 1);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    pair.a_end.queue[0].ecn = 2;
    (void)serve(1, 10 * TERN_SEC);
    assert_int_equal(pair.b_end.latest.ecn, stats_of(pair.a).has_gso ? 3 : 0);
}

/* Many peers at once: each packet goes where it was going. */
static void each_goes_to_its_own(void **state)
{
    enum { PEERS = 300 };
    (void)state;
    forth.delay = 5 * TERN_MSEC;
    assert_int_equal(tern_conditioner_new(&conditioner, &forth, NULL, 1), 0);
    uint8_t byte = 0;
    tern_datagram d = {.local = pair.a_addr, .remote = pair.b_addr, .data = &byte, .len = 1};
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PEERS; i++) {
            d.remote.port = (uint16_t)(1000 + i);
            byte = (uint8_t)i;
            assert_int_equal(conditioner->send(conditioner, true, &d, TERN_SEC), 0);
        }
    }
    assert_int_equal(conditioner->next(conditioner, true), TERN_SEC + 5 * TERN_MSEC);
    assert_int_equal(conditioner->next(conditioner, false), TERN_TIME_NEVER);
    for (unsigned i = 0; i < 3 * PEERS; i++) {
        uint8_t room[16];
        tern_datagram out = {.data = room, .len = sizeof room};
        assert_int_equal(conditioner->receive(conditioner, true, &out, 2 * TERN_SEC), 1);
        assert_int_equal(out.remote.port, 1000 + i % PEERS);
        assert_true(tern_addr_equal(&out.local, &pair.a_addr));
        assert_int_equal(out.len, 1);
        assert_int_equal(room[0], (uint8_t)(i % PEERS));
    }
}

/* The last words still leave when they are due soon. */
static void close_waits_for_what_is_inside(void **state)
{
    (void)state;
    forth.delay = DELAY;
    condition(pair.a, 1);
    fake_send(&pair.a_end, &pair.b_addr, 2, 100, 100);
    tern_time start = tern_udp_now();
    tern_udp_close(pair.a);
    pair.a = NULL;
    assert_true(tern_udp_now() - start >= DELAY);
    for (int i = 0; i < 100 && pair.b_end.received < 2; i++) {
        assert_int_equal(tern_udp_service(pair.b, 10 * TERN_MSEC), 0);
    }
    assert_int_equal(pair.b_end.received, 2);
}

static void on_ready(tern_ev *binding, void *user)
{
    (void)binding;
    (void)user;
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)timer;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

/* The binding wakes for both directions: b's loop holds what came, then has nothing else to wake it. */
static void the_binding_wakes_for_it(void **state)
{
    (void)state;
    ev_timer limit;
    tern_ev *binding = NULL;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(loop);
    forth.delay = back.delay = DELAY;
    condition(pair.b, 1);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    fake_send(&pair.b_end, &pair.a_addr, 1, 100, 100);
    assert_int_equal(tern_udp_flush(pair.a), 0);
    assert_int_equal(tern_ev_start(&binding, loop, pair.b, &pair.b_end, on_ready, NULL), 0);
    ev_timer_init(&limit, on_limit, 1., 0.);
    ev_timer_start(loop, &limit);
    (void)ev_run(loop, 0);
    assert_int_equal(tern_ev_error(binding), 0);
    tern_ev_stop(binding);
    ev_loop_destroy(loop);
    assert_int_equal(pair.b_end.received, 1);
    assert_int_equal(stats_of(pair.b).datagrams_sent, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_delay_is_added, setup, teardown),
    cmocka_unit_test_setup_teardown(what_comes_is_delayed_as_well, setup, teardown),
    cmocka_unit_test_setup_teardown(service_wakes_for_what_is_due, setup, teardown),
    cmocka_unit_test_setup_teardown(the_deadline_tells_loops_of_your_own, setup, teardown),
    cmocka_unit_test_setup_teardown(at_full_loss_nothing_comes, setup, teardown),
    cmocka_unit_test_setup_teardown(a_seed_repeats_its_losses, setup, teardown),
    cmocka_unit_test_setup_teardown(marks_and_addresses_are_kept, setup, teardown),
    cmocka_unit_test_setup_teardown(marks_of_the_link_arrive, setup, teardown),
    cmocka_unit_test_setup_teardown(each_goes_to_its_own, setup, teardown),
    cmocka_unit_test_setup_teardown(close_waits_for_what_is_inside, setup, teardown),
    cmocka_unit_test_setup_teardown(the_binding_wakes_for_it, setup, teardown),
};

TERN_TEST_MAIN(tests)
