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
    cmocka_unit_test_setup_teardown(acknowledgements_ride_along, setup, teardown),
};

REPLAY_TEST_MAIN(tests)
