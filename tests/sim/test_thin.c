/* Thin flows probe each round trip for a while: what that costs a link that is dead, slow or suddenly slow.
 * [P §9.4]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/post.h"

#define THIN_PTOS 64u

static struct post p;

static tern_conn *client(void)
{
    return p.duo.side[DUO_CLIENT].conn;
}

static void open(const char *cc, tern_time delay, uint64_t seed)
{
    post_init(&p, cc);
    for (int i = 0; i < 2; i++) {
        p.duo.link[i].delay = delay;
        p.duo.side[i].config.idle_timeout = 0;
    }
    post_open(&p, seed);
    post_run(&p, TERN_SEC + 6 * delay);
}

static void set_links(double loss, tern_time delay)
{
    for (int i = 0; i < 2; i++) {
        p.duo.link[i].delay = delay;
    }
    duo_set_loss(&p.duo, loss);
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

/* --- a dead link ---------------------------------------------------------------------------------- */

/* How many datagrams one small thing costs that cannot arrive for so long. */
static uint64_t cost_of_silence(bool is_message, const char *cc, tern_time delay, tern_time length)
{
    open(cc, delay, 1);
    say(DUO_CLIENT);
    duo_write(&p.duo, DUO_CLIENT, 100);
    post_run(&p, 4 * TERN_SEC + 10 * delay);
    assert_int_equal(post_arrived(&p), 1);
    set_links(1, delay);
    uint64_t before = datagrams(DUO_CLIENT);
    if (is_message) {
        say(DUO_CLIENT);
    } else {
        duo_write(&p.duo, DUO_CLIENT, 100);
    }
    post_run(&p, length);
    uint64_t spent = datagrams(DUO_CLIENT) - before;
    set_links(0, delay);
    if (is_message) { /* it comes when the next probe is due */
        post_await(&p, 2, 5 * TERN_SEC + 2 * delay);
    }
    post_run(&p, TERN_SEC + 4 * delay);
    uint64_t awake = datagrams(DUO_CLIENT);
    post_run(&p, 20 * TERN_SEC);
    assert_true(datagrams(DUO_CLIENT) - awake <= 2); /* all is quiet */
    post_close(&p);
    return spent;
}

static void a_dead_link_costs_64_probes_more(void **state)
{
    (void)state;
    const tern_time delays[] = {100 * TERN_USEC, TERN_MSEC, 20 * TERN_MSEC, 150 * TERN_MSEC};
    const char *const names[] = {"cubic", "bbr", "media"};
    for (size_t i = 0; i < TERN_COUNT_OF(delays) * TERN_COUNT_OF(names); i++) {
        tern_time delay = delays[i % TERN_COUNT_OF(delays)];
        const char *cc = names[i / TERN_COUNT_OF(delays)];
        uint64_t usual = cost_of_silence(false, cc, delay, 60 * TERN_SEC);
        uint64_t thin = cost_of_silence(true, cc, delay, 60 * TERN_SEC);
        print_message("%s, %.1f ms: %u datagrams in 60 s, %u without messages\n", cc,
                      (double)delay / 1e6, (unsigned)thin, (unsigned)usual);
        assert_true(usual <= 2 * 12 + 2 * 16 + 1); /* every 5 s, after doubling up to there */
        assert_true(thin <= usual + THIN_PTOS);
        assert_true(thin >= THIN_PTOS); /* it is about these */
    }
}

/* Who keeps talking into it sends what it has to say, as far as the window goes, and the probes. */
static void talking_to_nobody_ends_with_the_window(void **state)
{
    (void)state;
    open("cubic", 20 * TERN_MSEC, 1);
    say(DUO_CLIENT);
    post_run(&p, 4 * TERN_SEC);
    set_links(1, 20 * TERN_MSEC);
    uint64_t window = client()->path.cc.cwnd / 100; /* packets with one message each */
    uint64_t before = datagrams(DUO_CLIENT);
    for (unsigned i = 0; i < 60 * 60; i++) {
        say(DUO_CLIENT);
        post_run(&p, TERN_SEC / 60);
    }
    uint64_t spent = datagrams(DUO_CLIENT) - before;
    print_message("%u datagrams for %u messages\n", (unsigned)spent, 60 * 60);
    assert_true(spent <= window + THIN_PTOS + 40);
    set_links(0, 20 * TERN_MSEC);
    post_await(&p, p.count, 10 * TERN_SEC);
    post_run(&p, TERN_SEC);
    post_close(&p);
}

/* --- slow links ------------------------------------------------------------------------------------ */

/* Nothing is lost: what is sent is what there is to say, a probe now and then, and ACKs. */
static void two_seconds_of_round_trip_are_no_storm(void **state)
{
    (void)state;
    for (unsigned jitter = 0; jitter <= 200; jitter += 100) {
        post_init(&p, "cubic");
        for (int i = 0; i < 2; i++) {
            p.duo.link[i].delay = TERN_SEC;
            p.duo.link[i].jitter = jitter * TERN_MSEC;
            p.duo.side[i].config.idle_timeout = 0;
        }
        post_open(&p, 1);
        post_run(&p, 20 * TERN_SEC);
        tern_stats first = post_stats(&p, DUO_CLIENT);
        uint64_t before = datagrams(DUO_CLIENT);
        for (unsigned i = 0; i < 60; i++) { /* one at a time, then many */
            for (unsigned j = 0; j < (i < 30 ? 1 : 10); j++) {
                say(DUO_CLIENT);
                post_run(&p, i < 30 ? TERN_SEC : TERN_SEC / 10);
            }
        }
        post_run(&p, 10 * TERN_SEC);
        tern_stats last = post_stats(&p, DUO_CLIENT);
        uint64_t spent = datagrams(DUO_CLIENT) - before;
        print_message("jitter %u ms: %u datagrams for %u messages, %u PTOs, %u taken for lost\n",
                      jitter, (unsigned)spent, (unsigned)p.count,
                      (unsigned)(last.ptos - first.ptos),
                      (unsigned)(last.packets_lost - first.packets_lost));
        assert_int_equal(post_arrived(&p), p.count);
        assert_int_equal(last.packets_lost, first.packets_lost);
        assert_true(last.ptos - first.ptos <= 12);
        assert_true(spent <= p.count + 30);
        post_close(&p);
    }
}

/* Forty milliseconds become two seconds at once, as behind a queue that fills: the probes that find it out
 * have an end, and after the first ACK there are no more. */
static void a_link_that_slows_down_is_not_flooded(void **state)
{
    (void)state;
    open("cubic", 20 * TERN_MSEC, 1);
    say(DUO_CLIENT);
    post_run(&p, 4 * TERN_SEC);
    set_links(0, TERN_SEC);
    tern_stats first = post_stats(&p, DUO_CLIENT);
    uint64_t before = datagrams(DUO_CLIENT);
    say(DUO_CLIENT);
    post_run(&p, 20 * TERN_SEC);
    uint64_t burst = datagrams(DUO_CLIENT) - before;
    for (unsigned i = 0; i < 30; i++) {
        say(DUO_CLIENT);
        post_run(&p, TERN_SEC);
    }
    uint64_t later = datagrams(DUO_CLIENT) - before - burst;
    tern_stats last = post_stats(&p, DUO_CLIENT);
    print_message("%u datagrams for the first, %u for the next 30, %u PTOs\n", (unsigned)burst,
                  (unsigned)later, (unsigned)(last.ptos - first.ptos));
    assert_true(burst <= THIN_PTOS + 20);
    assert_true(later <= 30 + 15);
    post_run(&p, 10 * TERN_SEC);
    assert_int_equal(post_arrived(&p), p.count);
    post_close(&p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_dead_link_costs_64_probes_more),
    cmocka_unit_test(talking_to_nobody_ends_with_the_window),
    cmocka_unit_test(two_seconds_of_round_trip_are_no_storm),
    cmocka_unit_test(a_link_that_slows_down_is_not_flooded),
};

TERN_TEST_MAIN(tests)
