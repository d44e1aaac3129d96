/* Two ends that tell each other the time over simulated paths: how far each is off, against the truth of
 * the world's own clock. [P §17]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/duo.h"

#define FRAME_TIME (33 * TERN_MSEC)

static struct duo duo;

static void open_with_clocks(bool client, bool server)
{
    duo.side[DUO_CLIENT].config.clock = client;
    duo.side[DUO_SERVER].config.clock = server;
    duo_open(&duo, replay_first_seed());
}

/* Both ends say something in each frame. */
static void play(tern_time length)
{
    for (tern_time t = 0; t < length; t += FRAME_TIME) {
        duo_write(&duo, DUO_CLIENT, 60);
        duo_write(&duo, DUO_SERVER, 200);
        duo_run(&duo, FRAME_TIME);
    }
}

/* By how much this end is wrong about the other's session clock. */
static int64_t error_of(int side)
{
    tern_time now = tern_sim_now(duo.sim), theirs = 0;
    assert_int_equal(tern_conn_peer_time(duo.side[side].conn, &theirs, now), 0);
    return (int64_t)theirs - (int64_t)tern_conn_session_time(duo.side[1 - side].conn, now);
}

static tern_clock clock_of(int side)
{
    tern_clock clock = {.size = sizeof clock};
    assert_int_equal(tern_conn_clock(duo.side[side].conn, &clock), 0);
    return clock;
}

/* Both within `most` of `bias` (for the client; the server sees it the other way round), and of what they
 * claim. */
static void check_errors(int64_t bias, tern_time most)
{
    for (int side = 0; side < 2; side++) {
        int64_t error = error_of(side);
        int64_t off = side == DUO_CLIENT ? error - bias : error + bias;
        tern_clock clock = clock_of(side);
        print_message("%s: off by %lld us, at most %llu us, drift %lld ppb, %llu samples\n",
                      side == DUO_CLIENT ? "client" : "server", (long long)error / 1000,
                      (unsigned long long)clock.uncertainty / 1000, (long long)clock.drift,
                      (unsigned long long)clock.samples);
        assert_true((tern_time)(off < 0 ? -off : off) <= most);
        assert_true((tern_time)(error < 0 ? -error : error) <= clock.uncertainty + TERN_MSEC);
    }
}

static void an_even_path_is_exact(void **state)
{
    (void)state;
    duo_init(&duo, "cubic");
    open_with_clocks(true, true);
    play(TERN_SEC);
    check_errors(0, TERN_MSEC);
    assert_true(clock_of(DUO_CLIENT).samples >= 12);
    play(70 * TERN_SEC);
    check_errors(0, TERN_MSEC);
    assert_true(clock_of(DUO_CLIENT).samples <= 720); /* no oftener than each 100 ms */
    assert_true(clock_of(DUO_CLIENT).drift > -20000 && clock_of(DUO_CLIENT).drift < 20000);
    duo_close(&duo);
}

static void jitter_and_loss_cost_little(void **state)
{
    (void)state;
    duo_init(&duo, "media");
    for (int i = 0; i < 2; i++) {
        duo.link[i].jitter = 20 * TERN_MSEC;
        duo.link[i].loss = 0.05;
    }
    open_with_clocks(true, true);
    play(30 * TERN_SEC);
    check_errors(0, 3 * TERN_MSEC);
    duo_close(&duo);
}

static void an_uneven_path_costs_half_of_the_difference(void **state)
{
    (void)state;
    duo_init(&duo, "cubic");
    duo.link[DUO_CLIENT].delay = 10 * TERN_MSEC;
    duo.link[DUO_SERVER].delay = 50 * TERN_MSEC;
    open_with_clocks(true, true);
    play(5 * TERN_SEC);
    check_errors(-(int64_t)(20 * TERN_MSEC), TERN_MSEC);
    duo_close(&duo);
}

/* The client goes to another address, as from wifi to a mobile network that is longer one way. */
static void a_new_path_does_not_undo_it(void **state)
{
    (void)state;
    tern_addr addr = {.family = 4, .ip = {10, 9, 0, 7}, .port = 1000};
    duo_init(&duo, "cubic");
    open_with_clocks(true, true);
    play(10 * TERN_SEC);
    struct duo_side *client = &duo.side[DUO_CLIENT], *server = &duo.side[DUO_SERVER];
    tern_link_config back = duo.link[DUO_SERVER];
    back.delay = 60 * TERN_MSEC;
    tern_link_set(tern_sim_link(duo.sim, server->host, client->host), &back);
    assert_int_equal(tern_sim_rebind(duo.sim, client->host, &addr), 0);
    play(20 * TERN_SEC);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(server->conn, &stats);
    assert_int_equal(stats.migrations, 1);
    check_errors(0, TERN_MSEC);
    duo_close(&duo);
}

static void it_takes_both(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        duo_init(&duo, "cubic");
        open_with_clocks(i == 1, i == 2);
        play(TERN_SEC);
        for (int side = 0; side < 2; side++) {
            tern_clock clock = {.size = sizeof clock};
            tern_time theirs;
            assert_int_equal(tern_conn_clock(duo.side[side].conn, &clock), TERN_ERR_UNSUPPORTED);
            assert_int_equal(
                tern_conn_peer_time(duo.side[side].conn, &theirs, tern_sim_now(duo.sim)),
                TERN_ERR_UNSUPPORTED);
        }
        duo_close(&duo);
    }
}

static void nothing_is_known_before_the_first_sample(void **state)
{
    (void)state;
    tern_clock clock = {.size = sizeof clock};
    duo_init(&duo, "cubic");
    open_with_clocks(true, true);
    assert_int_equal(tern_conn_clock(duo.side[DUO_SERVER].conn, &clock), TERN_ERR_STATE);
    duo_close(&duo);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_even_path_is_exact),
    cmocka_unit_test(jitter_and_loss_cost_little),
    cmocka_unit_test(an_uneven_path_costs_half_of_the_difference),
    cmocka_unit_test(a_new_path_does_not_undo_it),
    cmocka_unit_test(it_takes_both),
    cmocka_unit_test(nothing_is_known_before_the_first_sample),
};

REPLAY_TEST_MAIN(tests)
