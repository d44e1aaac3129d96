/* Who waits for the end of a blackout, and has said so, hears of it within a round trip; so does who is
 * waited for. [P §9.4]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/post.h"

#define DELAY    (20 * TERN_MSEC)
#define BLACKOUT (60 * TERN_SEC)
#define PHASES   12 /* ends of the blackout against the probes' beat */

static struct post p;

static void open_both(tern_time interval, tern_time back, tern_time keepalive)
{
    post_init(&p, "cubic");
    for (int i = 0; i < 2; i++) {
        p.duo.link[i].delay = DELAY;
        p.duo.side[i].config.idle_timeout = 90 * TERN_SEC;
    }
    p.duo.side[DUO_CLIENT].config.probe_interval = interval;
    p.duo.side[DUO_SERVER].config.probe_interval = back;
    p.duo.side[DUO_CLIENT].config.keepalive = keepalive;
    post_open(&p, 1);
    post_run(&p, TERN_SEC);
}

/* The client alone wants it. */
static void open(tern_time interval, tern_time keepalive)
{
    open_both(interval, 0, keepalive);
}

static uint64_t datagrams(int from)
{
    return duo_counters(&p.duo, from).packets_in;
}

static void say(int from)
{
    tern_send_options o = post_options(TERN_RELIABLE, TERN_ORDERED, 0);
    assert_int_equal(post_send(&p, from, 100, &o), 0);
}

/* Both have spoken, and all was heard. */
static void talk(void)
{
    for (unsigned i = 0; i < 5; i++) {
        say(DUO_CLIENT);
        say(DUO_SERVER);
        post_run(&p, TERN_SEC);
    }
    assert_int_equal(post_arrived(&p), p.count);
}

/* Three things are said into a blackout, which ends so much later than it would. */
static void black_out(int from, tern_time longer)
{
    duo_set_loss(&p.duo, 1);
    for (unsigned i = 0; i < 3; i++) {
        post_run(&p, BLACKOUT / 4);
        say(from);
    }
    post_run(&p, BLACKOUT / 4 + longer);
    duo_set_loss(&p.duo, 0);
}

/* From now until all has come. */
static tern_time until_heard(void)
{
    tern_time now = tern_sim_now(p.duo.sim);
    post_await(&p, p.count, 10 * TERN_SEC);
    tern_time last = now;
    for (size_t i = 0; i < p.count; i++) {
        last = TERN_MAX(last, p.letters[i].came_at);
    }
    return last - now;
}

static tern_time worst(int from, tern_time interval, tern_time back, tern_time keepalive)
{
    tern_time most = 0, sum = 0;
    for (unsigned i = 0; i < PHASES; i++) {
        open_both(interval, back, keepalive);
        talk();
        black_out(from, i * 7 * TERN_MSEC);
        tern_time took = until_heard();
        most = TERN_MAX(most, took);
        sum += took;
        assert_int_equal(post_arrived(&p), p.count);
        post_close(&p);
    }
    print_message("after a blackout all is there in %.1f ms, at the most %.1f\n",
                  (double)sum / PHASES / 1e6, (double)most / 1e6);
    return most;
}

/* Two probes a round trip, and the way of one of them: no more. */
static void who_waits_is_heard_within_a_round_trip(void **state)
{
    (void)state;
    assert_true(worst(DUO_CLIENT, 20 * TERN_MSEC, 0, 0) <= 2 * DELAY + TERN_MSEC);
}

/* From the side that backs off; but a probe of the other, whose keepalive got no answer, makes it speak. */
static void who_is_waited_for_is_heard_a_trip_later(void **state)
{
    (void)state;
    assert_true(worst(DUO_SERVER, 20 * TERN_MSEC, 0, 15 * TERN_SEC) <= 4 * DELAY + TERN_MSEC);
}

/* Where both ask, nobody needs to be asked first. */
static void where_both_ask_both_are_heard_within_a_round_trip(void **state)
{
    (void)state;
    tern_time interval = 20 * TERN_MSEC;
    assert_true(worst(DUO_CLIENT, interval, interval, 15 * TERN_SEC) <= 2 * DELAY + TERN_MSEC);
    assert_true(worst(DUO_SERVER, interval, interval, 15 * TERN_SEC) <= 2 * DELAY + TERN_MSEC);
}

/* Without the wish, it is seconds. */
static void who_has_not_asked_waits(void **state)
{
    (void)state;
    assert_true(worst(DUO_CLIENT, 0, 0, 0) > TERN_SEC);
}

static void an_interval_has_its_price_and_no_more(void **state)
{
    (void)state;
    const tern_time intervals[] = {20 * TERN_MSEC, 200 * TERN_MSEC, TERN_SEC};
    for (size_t i = 0; i < TERN_COUNT_OF(intervals); i++) {
        open(intervals[i], 0);
        talk();
        uint64_t before = datagrams(DUO_CLIENT);
        black_out(DUO_CLIENT, 0);
        uint64_t spent = datagrams(DUO_CLIENT) - before;
        tern_time every = TERN_MAX(intervals[i], DELAY);
        print_message("every %.0f ms: %u datagrams in %.0f s\n", (double)intervals[i] / 1e6,
                      (unsigned)spent, (double)BLACKOUT / 1e9);
        assert_true(spent <= BLACKOUT / every + 64 + 10); /* 64: of a thin flow */
        assert_true(spent >= (BLACKOUT - BLACKOUT / 4) / (every + every / 2)); /* and variations */
        (void)until_heard();
        post_run(&p, TERN_SEC);
        uint64_t after = datagrams(DUO_CLIENT);
        post_run(&p, 20 * TERN_SEC);
        assert_true(datagrams(DUO_CLIENT) - after <= 2); /* all is quiet */
        post_close(&p);
    }
}

/* --- when something else tells that the network is back ----------------------------------------------- */

static tern_time with_a_nudge(int from)
{
    open(0, 15 * TERN_SEC);
    talk();
    black_out(from, 333 * TERN_MSEC); /* between two probes of their own */
    tern_conn_probe(p.duo.side[DUO_CLIENT].conn, tern_sim_now(p.duo.sim));
    tern_time took = until_heard();
    print_message("nudged: %.1f ms\n", (double)took / 1e6);
    post_close(&p);
    return took;
}

static void a_nudge_is_as_good_as_new(void **state)
{
    (void)state;
    assert_true(with_a_nudge(DUO_CLIENT) <= DELAY + TERN_MSEC);
    assert_true(with_a_nudge(DUO_SERVER) <= 2 * DELAY + TERN_MSEC);
}

/* Nothing is owed: after a silence it asks whether the other is there, and not again at once. */
static void a_nudge_asks_a_silent_peer(void **state)
{
    (void)state;
    open(0, 0);
    talk();
    post_run(&p, 5 * TERN_SEC);
    uint64_t before = datagrams(DUO_CLIENT);
    for (unsigned i = 0; i < 5; i++) {
        tern_conn_probe(p.duo.side[DUO_CLIENT].conn, tern_sim_now(p.duo.sim));
        post_run(&p, 2 * DELAY + TERN_MSEC);
    }
    assert_int_equal(datagrams(DUO_CLIENT) - before, 1);
    post_close(&p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_waits_is_heard_within_a_round_trip),
    cmocka_unit_test(who_is_waited_for_is_heard_a_trip_later),
    cmocka_unit_test(where_both_ask_both_are_heard_within_a_round_trip),
    cmocka_unit_test(who_has_not_asked_waits),
    cmocka_unit_test(an_interval_has_its_price_and_no_more),
    cmocka_unit_test(a_nudge_is_as_good_as_new),
    cmocka_unit_test(a_nudge_asks_a_silent_peer),
};

TERN_TEST_MAIN(tests)
