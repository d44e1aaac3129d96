/* A ceiling on what a connection sends, over simulated paths: kept under every controller and loss, without
 * harm to the window, and without a word to what must not wait. [P §9.8]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/duo.h"

#define BUDGET UINT64_C(50000)
#define RATE   UINT64_C(20000000) /* of the links, bits a second */

static struct duo duo;

static const char *const controllers[] = {"cubic", "newreno", "bbr", "ledbat", "media", "prague"};

static void open_duo(const char *cc, double loss)
{
    duo_init(&duo, cc);
    for (int i = 0; i < 2; i++) {
        duo.link[i].rate = RATE;
        duo.link[i].loss = loss;
    }
    duo_open(&duo, replay_first_seed());
    duo_run(&duo, TERN_SEC);
}

static tern_stats stats_of(int side)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(duo.side[side].conn, &stats);
    return stats;
}

/* Bytes a second that leave the client meanwhile. */
static uint64_t sent_in(tern_time length)
{
    uint64_t before = duo_counters(&duo, DUO_CLIENT).bytes_in;
    duo_run(&duo, length);
    uint64_t bytes = duo_counters(&duo, DUO_CLIENT).bytes_in - before;
    return bytes * TERN_SEC / length;
}

static void check_kept(const char *cc, double loss)
{
    open_duo(cc, loss);
    tern_conn_set_budget(duo.side[DUO_CLIENT].conn, BUDGET);
    duo_write(&duo, DUO_CLIENT, 3000000);
    (void)sent_in(TERN_SEC);
    uint64_t cwnd = stats_of(DUO_CLIENT).cwnd;
    uint64_t rate = sent_in(20 * TERN_SEC);
    tern_stats stats = stats_of(DUO_CLIENT);
    print_message("%s, %.0f %% lost: %llu bytes a second, window %llu, then %llu\n", cc, 100 * loss,
                  (unsigned long long)rate, (unsigned long long)cwnd,
                  (unsigned long long)stats.cwnd);
    /* "media" itself goes slower than that where so much is lost. */
    bool is_slow = loss > 0 && strcmp(cc, "media") == 0;
    assert_in_range(rate, BUDGET * (is_slow ? 50 : 97) / 100, BUDGET * 103 / 100);
    assert_true(stats.pacing_rate <= BUDGET);
    /* 50 kB/s over 40 ms are 2 kB: nothing in that makes a window larger. */
    assert_true(stats.cwnd <= TERN_MAX(cwnd, (uint64_t)24000));
    /* Without it the connection is as fast as any. */
    tern_conn_set_budget(duo.side[DUO_CLIENT].conn, 0);
    if (loss == 0) {
        tern_time took = duo_finish(&duo, 20 * TERN_SEC);
        print_message("    the rest in %.2f s\n", (double)took / (double)TERN_SEC);
        assert_true(took < 8 * TERN_SEC);
    }
    duo_close(&duo);
}

static void it_is_kept_under_every_controller(void **state)
{
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(controllers); i++) {
        check_kept(controllers[i], 0);
    }
}

/* What is sent again counts, too. */
static void it_is_kept_where_packets_are_lost(void **state)
{
    (void)state;
    check_kept("cubic", 0.02);
    check_kept("media", 0.05);
}

/* It can be set lower and higher while data flows. */
static void it_can_change(void **state)
{
    static const uint64_t rates[] = {100000, 10000, 500000, 30000};
    (void)state;
    open_duo("cubic", 0);
    duo_write(&duo, DUO_CLIENT, 8000000);
    for (size_t i = 0; i < TERN_COUNT_OF(rates); i++) {
        tern_conn_set_budget(duo.side[DUO_CLIENT].conn, rates[i]);
        (void)sent_in(TERN_SEC);
        assert_in_range(sent_in(5 * TERN_SEC), rates[i] * 97 / 100, rates[i] * 103 / 100);
    }
    duo_close(&duo);
}

/* An end that only receives acknowledges as ever: the sender does not feel the receiver's budget, as long
 * as that holds the acknowledgements at all. */
static void acknowledgements_do_not_wait(void **state)
{
    static const uint64_t budgets[] = {0, 20000, 1000};
    tern_time took[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        open_duo("cubic", 0);
        tern_conn_set_budget(duo.side[DUO_CLIENT].conn, budgets[i]);
        duo_write(&duo, DUO_CLIENT, 1); /* the server has the stream then */
        duo_run(&duo, 2 * TERN_SEC);
        duo_write(&duo, DUO_SERVER, 4000000);
        took[i] = duo_finish(&duo, 60 * TERN_SEC);
        /* And what it has to say then does not wait for ever. */
        duo_write(&duo, DUO_CLIENT, 100);
        assert_true(duo_finish(&duo, 10 * TERN_SEC) < 5 * TERN_SEC);
        duo_close(&duo);
    }
    print_message("4 MB in %.2f s, in %.2f s, in %.2f s\n", (double)took[0] / (double)TERN_SEC,
                  (double)took[1] / (double)TERN_SEC, (double)took[2] / (double)TERN_SEC);
    assert_true(took[1] <= took[0] + took[0] / 5);
    assert_true(took[2] <= 10 * took[0]); /* credit for more waits: that is no acknowledgement */
}

/* A frame's worth leaves at once: the budget is no pace of single packets. */
static void a_frame_leaves_together(void **state)
{
    (void)state;
    open_duo("cubic", 0);
    tern_conn_set_budget(duo.side[DUO_CLIENT].conn, 200000);
    duo_write(&duo, DUO_CLIENT, 1);
    duo_run(&duo, TERN_SEC);
    duo_write(&duo, DUO_CLIENT, 2500);
    tern_time took = duo_finish(&duo, TERN_SEC);
    assert_true(took <= 25 * TERN_MSEC);
    duo_close(&duo);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_is_kept_under_every_controller),
    cmocka_unit_test(it_is_kept_where_packets_are_lost),
    cmocka_unit_test(it_can_change),
    cmocka_unit_test(acknowledgements_do_not_wait),
    cmocka_unit_test(a_frame_leaves_together),
};

REPLAY_TEST_MAIN(tests)
