/* The figures of a HUD against links whose loss, jitter and marks are known.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/duo.h"

static struct duo duo;

static tern_stats stats_of(int side)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(duo.side[side].conn, &stats);
    return stats;
}

static void open_duo(double loss, tern_time jitter, double mark)
{
    duo_init(&duo, "cubic");
    for (int i = 0; i < 2; i++) {
        duo.link[i].loss = loss;
        duo.link[i].jitter = jitter;
        duo.link[i].ecn_mark = mark;
    }
    duo_open(&duo, replay_first_seed());
}

/* 200 bytes each way, 60 times a second; the means of what is shown each second. */
struct shown {
    double loss, ce, jitter;
};

static struct shown play(unsigned seconds)
{
    struct shown mean = {0};
    for (unsigned i = 0; i < 60 * seconds; i++) {
        duo_write(&duo, DUO_CLIENT, 200);
        duo_write(&duo, DUO_SERVER, 200);
        duo_run(&duo, TERN_SEC / 60);
        if (i % 60 == 59) {
            tern_stats stats = stats_of(DUO_CLIENT);
            mean.loss += (double)stats.loss_rate / seconds;
            mean.ce += (double)stats.ce_rate / seconds;
            mean.jitter += (double)stats.jitter / seconds;
        }
    }
    print_message("loss %.2f %%, CE %.2f %%, jitter %.2f ms\n", mean.loss / 100, mean.ce / 100,
                  mean.jitter / (double)TERN_MSEC);
    return mean;
}

static void a_clean_path_shows_none(void **state)
{
    (void)state;
    open_duo(0, 0, 0);
    struct shown shown = play(10);
    assert_true(shown.loss == 0 && shown.ce == 0);
    assert_true(shown.jitter < 100e3); /* ns: ACK delays are told in steps of 8 us */
    duo_close(&duo);
}

static void loss_is_that_of_the_link(void **state)
{
    (void)state;
    open_duo(0.05, 0, 0);
    struct shown shown = play(120);
    assert_true(shown.loss > 300 && shown.loss < 700);
    duo_close(&duo);
}

/* Each way is longer by a uniform 0 to 10 ms: two round trips differ by 4.7 ms in the mean, less where
 * jitter does not reorder. */
static void jitter_is_that_of_the_link(void **state)
{
    (void)state;
    open_duo(0, 10 * TERN_MSEC, 0);
    struct shown shown = play(30);
    assert_true(shown.jitter > 3e6 && shown.jitter < 6e6);
    duo_close(&duo);
}

static void marks_are_those_of_the_link(void **state)
{
    (void)state;
    open_duo(0, 0, 0.2);
    struct shown shown = play(60);
    assert_true(shown.ce > 1500 && shown.ce < 2500);
    assert_string_equal(stats_of(DUO_CLIENT).ecn, "capable");
    duo_close(&duo);
}

static void another_network_has_another_number(void **state)
{
    tern_addr addr = {.family = 4, .ip = {10, 9, 0, 7}, .port = 1000};
    (void)state;
    open_duo(0, 0, 0);
    (void)play(2);
    unsigned before = stats_of(DUO_SERVER).path;
    assert_int_equal(tern_sim_rebind(duo.sim, duo.side[DUO_CLIENT].host, &addr), 0);
    (void)play(2);
    assert_int_not_equal(stats_of(DUO_SERVER).path, before);
    duo_close(&duo);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_clean_path_shows_none),
    cmocka_unit_test(loss_is_that_of_the_link),
    cmocka_unit_test(jitter_is_that_of_the_link),
    cmocka_unit_test(marks_are_those_of_the_link),
    cmocka_unit_test(another_network_has_another_number),
};

REPLAY_TEST_MAIN(tests)
