/* What is written in one frame of a game leaves together: as few datagrams as hold it.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/duo.h"

enum { STREAMS = 20, PIECE = 50, FRAMES = 60 };

static struct duo duo;
static uint64_t datagrams[2], longest;

static bool count(struct duo *d, int from, size_t len, tern_time now)
{
    (void)d;
    (void)now;
    datagrams[from]++;
    longest = TERN_MAX(longest, (uint64_t)len);
    return true;
}

static int setup(void **state)
{
    (void)state;
    duo_init(&duo, "cubic");
    for (int i = 0; i < 2; i++) {
        duo.side[i].config.clock = true;
        duo.side[i].config.max_datagram = 1200; /* no probes among the datagrams that count */
    }
    duo_open(&duo, replay_first_seed());
    duo_run(&duo, TERN_SEC);
    duo.tap = count;
    datagrams[0] = datagrams[1] = longest = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    duo_close(&duo);
    return 0;
}

/* Twenty streams, several writes to each, one service call a frame: a kilobyte and more in one datagram,
 * and besides at most the acknowledgements. */
static void small_writes_share_a_datagram(void **state)
{
    static const uint8_t zeros[PIECE];
    tern_stream *streams[STREAMS];
    tern_conn *conn = duo.side[DUO_CLIENT].conn;
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        assert_int_equal(tern_conn_open_stream(conn, TERN_STREAM_UNI, &streams[i]), 0);
    }
    for (size_t frame = 0; frame < FRAMES; frame++) {
        for (size_t i = 0; i < STREAMS; i++) {
            for (size_t k = 0; k < 5; k++) {
                assert_int_equal(tern_stream_write(streams[i], zeros, PIECE / 5, 0), PIECE / 5);
            }
        }
        duo_run(&duo, TERN_SEC / 60);
    }
    duo_run(&duo, TERN_SEC);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    print_message("%u frames of %u bytes: %llu datagrams there, %llu back\n", FRAMES,
                  STREAMS * PIECE, (unsigned long long)datagrams[DUO_CLIENT],
                  (unsigned long long)datagrams[DUO_SERVER]);
    assert_true(stats.stream_bytes_sent >= FRAMES * STREAMS * PIECE);
    assert_int_equal(stats.packets_lost, 0);
    /* One each, and a few for what the handshake's end still has to say and credit. */
    assert_in_range(datagrams[DUO_CLIENT], FRAMES, FRAMES + FRAMES / 10);
    assert_true(longest <= 1200);
}

/* Messages of many channels, kinds and priorities, and a stream beside them: still one. */
static void messages_share_a_datagram(void **state)
{
    static const uint8_t zeros[PIECE];
    tern_conn *conn = duo.side[DUO_CLIENT].conn;
    (void)state;
    for (unsigned frame = 0; frame < FRAMES; frame++) {
        for (unsigned i = 0; i < 15; i++) {
            tern_send_options options;
            tern_send_options_init(&options);
            options.channel = i;
            options.priority = i % TERN_PRIORITIES;
            options.order = i % 3 == 0 ? TERN_ORDERED : i % 3 == 1 ? TERN_UNORDERED : TERN_LATEST;
            options.reliability = i % 2 == 0 ? TERN_UNRELIABLE : TERN_RELIABLE;
            assert_int_equal(tern_conn_send(conn, zeros, PIECE, &options, tern_sim_now(duo.sim)),
                             0);
        }
        duo_write(&duo, DUO_CLIENT, 100);
        duo_run(&duo, TERN_SEC / 60);
    }
    duo_run(&duo, TERN_SEC);
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    print_message("%u frames: %llu datagrams there\n", FRAMES,
                  (unsigned long long)datagrams[DUO_CLIENT]);
    assert_int_equal(stats.messages_sent, 15 * FRAMES);
    assert_in_range(datagrams[DUO_CLIENT], FRAMES, FRAMES + FRAMES / 10);
}

/* What a narrow budget holds back shows by priority, and since when. */
static void what_waits_is_told(void **state)
{
    static const uint8_t zeros[1000];
    tern_conn *conn = duo.side[DUO_CLIENT].conn;
    tern_send_options options;
    tern_time age = 1;
    (void)state;
    assert_int_equal(tern_conn_queued(conn, 3, &age, tern_sim_now(duo.sim)), 0);
    assert_int_equal(age, 0);
    tern_conn_set_budget(conn, 1000);
    tern_send_options_init(&options);
    for (unsigned i = 0; i < 20; i++) {
        options.priority = i < 10 ? 2 : 5;
        assert_int_equal(tern_conn_send(conn, zeros, sizeof zeros, &options, tern_sim_now(duo.sim)),
                         0);
    }
    duo_run(&duo, 3 * TERN_SEC);
    tern_time now = tern_sim_now(duo.sim);
    assert_in_range(tern_conn_queued(conn, 2, &age, now), 4000, 9000);
    assert_int_equal(age, 3 * TERN_SEC);
    assert_int_equal(tern_conn_queued(conn, 5, NULL, now), 10000);
    assert_int_equal(tern_conn_queued(conn, 3, &age, now), 0);
    assert_int_equal(tern_conn_queued(conn, TERN_PRIORITIES, &age, now), 0);
    tern_conn_set_budget(conn, 0);
    duo_run(&duo, TERN_SEC);
    for (unsigned i = 0; i < TERN_PRIORITIES; i++) {
        assert_int_equal(tern_conn_queued(conn, i, &age, now), 0);
        assert_int_equal(age, 0);
    }
}

/* When both ends play, acknowledgements and the clock ride along with what is said anyway. */
static void acknowledgements_ride_along(void **state)
{
    (void)state;
    for (size_t frame = 0; frame < FRAMES; frame++) {
        duo_write(&duo, DUO_CLIENT, 80);
        duo_write(&duo, DUO_SERVER, 400);
        duo_run(&duo, TERN_SEC / 60);
    }
    print_message("%u frames: %llu datagrams there, %llu back\n", FRAMES,
                  (unsigned long long)datagrams[DUO_CLIENT],
                  (unsigned long long)datagrams[DUO_SERVER]);
    assert_in_range(datagrams[DUO_CLIENT], FRAMES, 2 * FRAMES);
    assert_in_range(datagrams[DUO_SERVER], FRAMES - 2, 2 * FRAMES);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(small_writes_share_a_datagram, setup, teardown),
    cmocka_unit_test_setup_teardown(messages_share_a_datagram, setup, teardown),
    cmocka_unit_test_setup_teardown(what_waits_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown(acknowledgements_ride_along, setup, teardown),
};

REPLAY_TEST_MAIN(tests)
