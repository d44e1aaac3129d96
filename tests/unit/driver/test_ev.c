/* The libev binding: what arrives is announced, what is queued leaves, deadlines are met.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "udp_kit.h"

#include <tern/ev.h>

#if defined(__linux__)
#include "faults.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

#if defined(__linux__) && defined(__LP64__)
#define HAS_CLOCK_OF_OURS
static long long leap; /* seconds by which the clock is off */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    *out = (struct timespec){0};
    int rc = (int)syscall(SYS_clock_gettime, clock, out);
    out->tv_sec += clock == CLOCK_MONOTONIC ? (time_t)leap : 0;
    return rc;
}
#endif

struct bench {
    struct pair pair;
    struct ev_loop *loop;
    tern_ev *a, *b;
    ev_timer limit, later;
    uint32_t wanted; /* datagrams at b that end the run */
    uint32_t a_ready;
    bool wakes_the_other;
};

static void on_ready(tern_ev *binding, void *user)
{
    struct bench *bench = user;
    bench->a_ready += binding == bench->a;
    tern_ev_wake(binding); /* from within: harmless */
    if (bench->wakes_the_other) {
        tern_ev_wake(binding == bench->a ? bench->b : bench->a);
    }
    if (bench->pair.b_end.received >= bench->wanted) {
        ev_break(bench->loop, EVBREAK_ALL);
    }
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)timer;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

static void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    pair_open(&bench->pair);
    bench->wanted = UINT32_MAX;
    bench->loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(bench->loop);
    struct pair *pair = &bench->pair;
    assert_int_equal(tern_ev_start(&bench->a, bench->loop, pair->a, &pair->a_end, on_ready, bench),
                     0);
    assert_int_equal(tern_ev_start(&bench->b, bench->loop, pair->b, &pair->b_end, on_ready, bench),
                     0);
}

static void bench_run(struct bench *bench, double seconds)
{
    ev_timer_init(&bench->limit, on_limit, seconds, 0.);
    ev_now_update(bench->loop);
    ev_timer_start(bench->loop, &bench->limit);
    ev_run(bench->loop, 0);
    ev_timer_stop(bench->loop, &bench->limit);
}

static void bench_close(struct bench *bench)
{
    assert_int_equal(tern_ev_error(bench->a), 0);
    assert_int_equal(tern_ev_error(bench->b), 0);
    tern_ev_stop(bench->a);
    tern_ev_stop(bench->b);
    tern_ev_stop(NULL);
    pair_close(&bench->pair);
    ev_loop_destroy(bench->loop);
}

static void queued_before_the_run_is_sent(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    fake_send(&bench.pair.a_end, &bench.pair.b_addr, 20, 1200, 1200);
    bench.wanted = 20;
    bench_run(&bench, 5);
    assert_int_equal(bench.pair.b_end.received, 20);
    bench_close(&bench);
}

static void queue_later(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct bench *bench = timer->data;
    fake_send(&bench->pair.a_end, &bench->pair.b_addr, 3, 100, 100);
}

/* From another watcher, and without a word to the binding. */
static void queued_elsewhere_leaves_before_the_loop_sleeps(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.wanted = 3;
    ev_timer_init(&bench.later, queue_later, 0.01, 0.);
    bench.later.data = &bench;
    ev_timer_start(bench.loop, &bench.later);
    bench_run(&bench, 5);
    assert_int_equal(bench.pair.b_end.received, 3);
    bench_close(&bench);
}

static void wake_calls_ready_and_sends(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    fake_send(&bench.pair.a_end, &bench.pair.b_addr, 3, 100, 100);
    bench.wanted = 3;
    tern_ev_wake(bench.a);
    tern_ev_wake(bench.a);
    bench_run(&bench, 5);
    assert_int_equal(bench.pair.b_end.received, 3);
    assert_int_equal(bench.a_ready, 1);
    tern_ev_wake(bench.a); /* pending when it is stopped */
    bench_close(&bench);
}

/* The loop sees its sockets and timers nevertheless. */
static void two_may_wake_one_another(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.wakes_the_other = true;
    fake_send(&bench.pair.a_end, &bench.pair.b_addr, 3, 100, 100);
    bench.wanted = 3;
    tern_ev_wake(bench.a);
    bench_run(&bench, 5);
    assert_int_equal(bench.pair.b_end.received, 3);
    bench_close(&bench);
}

/* A busy machine may be late now and then, but not each time. */
static void deadlines_are_met(void **state)
{
    (void)state;
    tern_time late = TERN_SEC;
    for (int i = 0; i < 100 && late > 40 * TERN_MSEC; i++) {
        struct bench bench;
        bench_open(&bench);
        tern_time due = tern_udp_now() + 7300 * TERN_USEC;
        bench.pair.a_end.deadline = due;
        bench_run(&bench, 0.05);
        assert_int_equal(bench.pair.a_end.ticks, 1);
        assert_int_equal(bench.a_ready, 1);
        assert_true(bench.pair.a_end.ticked_at >= due);
        late = bench.pair.a_end.ticked_at - due;
        bench_close(&bench);
    }
    assert_true(late <= 40 * TERN_MSEC);
}

static void move_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct bench *bench = timer->data;
    bench->pair.a_end.deadline = tern_udp_now() + 300 * TERN_MSEC;
}

static void moved_deadlines_are_met_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.pair.a_end.deadline = tern_udp_now() + 150 * TERN_MSEC;
    ev_timer_init(&bench.later, move_deadline, 0.005, 0.);
    bench.later.data = &bench;
    ev_timer_start(bench.loop, &bench.later);
    tern_time start = tern_udp_now();
    bench_run(&bench, 0.6);
    assert_int_equal(bench.pair.a_end.ticks, 1);
    assert_true(bench.pair.a_end.ticked_at >= start + 304 * TERN_MSEC);
    bench_close(&bench);
}

static void past_deadlines_ring_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.pair.a_end.deadline = 0;
    bench_run(&bench, 0.02);
    assert_int_equal(bench.pair.a_end.ticks, 1);
    bench_close(&bench);
}

static void errors_are_kept(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.pair.b_end.receive_result = TERN_ERR_NOMEM;
    fake_send(&bench.pair.a_end, &bench.pair.b_addr, 3, 100, 100);
    bench.wanted = 3;
    bench_run(&bench, 5);
    assert_int_equal(tern_ev_error(bench.b), TERN_ERR_NOMEM);
    bench.pair.b_end.receive_result = 0;
    assert_int_equal(tern_ev_error(bench.a), 0);
    tern_ev_stop(bench.b);
    assert_int_equal(
        tern_ev_start(&bench.b, bench.loop, bench.pair.b, &bench.pair.b_end, on_ready, &bench), 0);
    bench_close(&bench);
}

/* The kernel has no memory for what the loop wants to watch, for a while: sockets and timers. */
static void what_cannot_be_watched_is_tried_again(void **state)
{
    (void)state;
#if defined(__linux__)
    for (unsigned n = 1; n <= 12; n++) {
        struct bench bench;
        bench_open(&bench);
        faults.unwatched = n;
        bench.pair.a_end.deadline = tern_udp_now() + 20 * TERN_MSEC;
        ev_timer_init(&bench.later, queue_later, 0.05, 0.);
        bench.later.data = &bench;
        ev_timer_start(bench.loop, &bench.later);
        bench.wanted = 3;
        bench_run(&bench, 5);
        assert_true(faults.unwatched < n);
        faults.unwatched = 0;
        assert_int_equal(bench.pair.b_end.received, 3);
        assert_int_equal(bench.pair.a_end.ticks, 1);
        bench_close(&bench);
    }
#else
    skip_because("libev's calls can be made to fail on Linux only");
#endif
}

/* As on a machine that was moved to a host with another idea of the time. */
static void a_clock_that_steps_back_holds_up_nothing(void **state)
{
    (void)state;
#if defined(HAS_CLOCK_OF_OURS)
    struct bench bench;
    tern_time before = tern_udp_now();
    long long step = (long long)(before / TERN_SEC / 2);
    step = step < 3600 ? step : 3600;
    bench_open(&bench);
    bench.pair.a_end.deadline = before + 60 * TERN_MSEC;
    bench_run(&bench, 0.01);
    for (int i = 0; i < 2; i++) { /* while an alarm is set, and before the next one is */
        leap -= step / 2;
        tern_time now = tern_udp_now();
        assert_in_range(now, before, before + 10 * TERN_SEC);
        unsigned turns = ev_iteration(bench.loop);
        bench_run(&bench, 0.2);
        assert_int_equal(bench.pair.a_end.ticks, i + 1);
        assert_true(bench.pair.a_end.ticked_at >= before + 60 * TERN_MSEC);
        assert_true(bench.pair.a_end.ticked_at < before + 10 * TERN_SEC);
        assert_true(ev_iteration(bench.loop) - turns < 40); /* it rests meanwhile */
        before = tern_udp_now();
        bench.pair.a_end.deadline = before + 60 * TERN_MSEC;
    }
    leap = 0; /* an hour forward: nothing else than a pause */
    assert_true(tern_udp_now() >= before);
    bench_close(&bench);
#else
    skip_because("no clock of ours is put in place of the system's here");
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(queued_before_the_run_is_sent),
    cmocka_unit_test(queued_elsewhere_leaves_before_the_loop_sleeps),
    cmocka_unit_test(wake_calls_ready_and_sends),
    cmocka_unit_test(two_may_wake_one_another),
    cmocka_unit_test(deadlines_are_met),
    cmocka_unit_test(moved_deadlines_are_met_once),
    cmocka_unit_test(past_deadlines_ring_at_once),
    cmocka_unit_test(errors_are_kept),
    cmocka_unit_test(what_cannot_be_watched_is_tried_again),
    cmocka_unit_test(a_clock_that_steps_back_holds_up_nothing),
};

TERN_TEST_MAIN(tests)
