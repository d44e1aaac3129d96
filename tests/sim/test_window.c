/* What the congestion window does over time, between real endpoints: idleness, an application that
 * wants little, the end of slow start, dead paths, bursts of loss.
 * SPDX-License-Identifier: MIT */
#include "sim/duo.h"
#include "tern_test.h"

#define RTT  (50 * TERN_MSEC)
#define RATE ((uint64_t)100000000)
#define BDP  ((uint64_t)625000)

static struct duo d;

static const char *const loss_based[] = {"newreno", "cubic"};

static struct tern_path *path_of(int side)
{
    return &d.side[side].conn->path;
}

static uint64_t cwnd(void)
{
    return path_of(DUO_CLIENT)->cc.cwnd;
}

static tern_stats stats_of(int side)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(d.side[side].conn, &stats);
    return stats;
}

/* 100 Mbit/s, 50 ms, a queue of one product of both. */
static void fast(const char *cc)
{
    duo_init(&d, cc);
    for (int i = 0; i < 2; i++) {
        d.link[i].delay = RTT / 2;
        d.link[i].rate = RATE;
        d.link[i].queue = BDP;
        d.side[i].config.idle_timeout = 600 * TERN_SEC;
        d.side[i].config.stream_window = d.side[i].config.conn_window = 8 << 20;
        d.side[i].config.stream_window_max = d.side[i].config.conn_window_max = 8 << 20;
    }
}

/* RFC 9438 §4.2, RFC 9002 §7.8: a minute of silence neither shrinks nor inflates the window, and the
 * burst that follows is paced: nothing is lost. */
static void a_silent_minute_leaves_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(loss_based); i++) {
        fast(loss_based[i]);
        duo_open(&d, 1);
        duo_write(&d, DUO_CLIENT, 40000000);
        (void)duo_finish(&d, 60 * TERN_SEC);
        duo_run(&d, TERN_SEC);
        uint64_t before = cwnd(), lost = stats_of(DUO_CLIENT).packets_lost;
        assert_true(before > BDP / 2);
        duo_run(&d, 60 * TERN_SEC);
        assert_int_equal(cwnd(), before);
        duo_write(&d, DUO_CLIENT, BDP); /* less than a window */
        tern_time took = duo_finish(&d, 10 * TERN_SEC);
        print_message("%s: window %llu, burst of %llu in %.0f ms\n", loss_based[i],
                      (unsigned long long)before, (unsigned long long)BDP, (double)took / 1e6);
        assert_int_equal(stats_of(DUO_CLIENT).packets_lost, lost);
        assert_true(took < 3 * RTT);
        assert_in_range(cwnd(), before, before + before / 10);
        duo_close(&d);
    }
}

/* RFC 9002 §7.8, RFC 9438 §4.2: a tenth of the path for a minute. */
static void a_modest_minute_does_not_grow_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(loss_based); i++) {
        fast(loss_based[i]);
        duo_open(&d, 1);
        duo_write(&d, DUO_CLIENT, 40000000);
        (void)duo_finish(&d, 60 * TERN_SEC);
        duo_run(&d, TERN_SEC);
        uint64_t before = cwnd();
        for (int n = 0; n < 1200; n++) {
            duo_write(&d, DUO_CLIENT, BDP / 10);
            duo_run(&d, RTT);
        }
        print_message("%s: window %llu, after a modest minute %llu\n", loss_based[i],
                      (unsigned long long)before, (unsigned long long)cwnd());
        assert_int_equal(cwnd(), before);
        duo_close(&d);
    }
}

/* RFC 9002 §7.8: from its start a flow of a tenth of the path gets no more than twice its flight. */
static void a_modest_flow_keeps_it_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(loss_based); i++) {
        uint64_t flight = 0;
        fast(loss_based[i]);
        duo_open(&d, 1);
        for (int n = 0; n < 100; n++) {
            duo_write(&d, DUO_CLIENT, BDP / 10);
            duo_run(&d, RTT);
            flight = TERN_MAX(flight, path_of(DUO_CLIENT)->cc.use.peak[0]);
            flight = TERN_MAX(flight, path_of(DUO_CLIENT)->cc.use.peak[1]);
        }
        print_message("%s: flight %llu, window %llu\n", loss_based[i], (unsigned long long)flight,
                      (unsigned long long)cwnd());
        assert_in_range(flight, BDP / 10, BDP / 2); /* it begins with what the first window held up */
        assert_true(cwnd() <= 2 * flight);
        duo_close(&d);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_silent_minute_leaves_it),
    cmocka_unit_test(a_modest_minute_does_not_grow_it),
    cmocka_unit_test(a_modest_flow_keeps_it_small),
};

TERN_TEST_MAIN(tests)
