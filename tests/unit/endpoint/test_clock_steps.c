/* Clocks that step back: each call of either endpoint may be told a time a second before the last.
 * SPDX-License-Identifier: MIT */
#include "pair_kit.h"
#include "unit/stream/stream_kit.h"

#define SIZE 300000

static struct pair pair;
static uint64_t seed;

/* What a call is told: now and then it is a second ago. */
static tern_time told(void)
{
    return pair.now - (kit_below(&seed, 8) == 0 ? TERN_SEC : 0);
}

struct work {
    tern_stream *stream;
    size_t written, read;
};

static struct work work[2];

static void write_some(int i)
{
    static const uint8_t data[4096];
    while (work[i].stream != NULL && work[i].written < SIZE) {
        size_t len = TERN_MIN(sizeof data, SIZE - work[i].written);
        ptrdiff_t n = tern_stream_write(work[i].stream, data, len, 0);
        assert_true(n >= 0);
        work[i].written += (size_t)n;
        if ((size_t)n < len) {
            return;
        }
    }
}

static void read_some(int i)
{
    const uint8_t *data;
    size_t len;
    while (work[i].stream != NULL && tern_stream_peek(work[i].stream, &data, &len) == 0 &&
           len > 0) {
        work[i].read += len;
        assert_int_equal(tern_stream_consume(work[i].stream, len), 0);
    }
}

static void poll_both(void)
{
    for (int i = 0; i < 2; i++) {
        pair_poll(&pair.side[i]);
        work[i].stream = i == PAIR_SERVER ? pair.side[i].stream : work[i].stream;
        read_some(i);
        write_some(i);
        assert_int_equal(pair.side[i].closed, 0);
    }
}

/* All that one side wants to send reaches the other, but for one datagram in fifty. */
static bool carry(int from)
{
    tern_train train = {.data = pair.buffer, .capacity = sizeof pair.buffer};
    bool is_busy = false;
    for (int n = 0; n < 20 && tern_endpoint_transmit(pair.side[from].endpoint, &train, told()) > 0;
         n++) {
        is_busy = true;
        for (size_t at = 0; at < train.len; at += train.segment) {
            tern_datagram in = {.local = pair.side[1 - from].addr,
                                .remote = pair.side[from].addr,
                                .data = train.data + at,
                                .len = TERN_MIN(train.segment, train.len - at)};
            if (kit_below(&seed, 50) != 0) {
                assert_int_equal(
                    tern_endpoint_receive(pair.side[1 - from].endpoint, &in, 1, told()), 0);
            }
        }
    }
    return is_busy;
}

static void pass_time(bool is_busy)
{
    tern_time next = pair.now + TERN_MSEC;
    for (int i = 0; i < 2 && !is_busy; i++) {
        tern_time at = tern_endpoint_deadline(pair.side[i].endpoint);
        next = i == 0 ? TERN_MAX(at, next) : TERN_MIN(next, TERN_MAX(at, pair.now + TERN_MSEC));
    }
    pair.now = next;
    for (int i = 0; i < 2; i++) {
        tern_endpoint_tick(pair.side[i].endpoint, told());
    }
}

static void transfer(uint64_t number)
{
    seed = number;
    memset(work, 0, sizeof work);
    pair_init(&pair);
    pair.side[PAIR_CLIENT].config.cc = pair.side[PAIR_SERVER].config.cc =
        (const char *[]){"cubic", "newreno", "bbr", "ledbat"}[number % 4];
    pair_open(&pair);
    assert_int_equal(pair_connect(&pair, pair.key), 0);
    assert_int_equal(tern_conn_open_stream(pair.side[PAIR_CLIENT].conn, TERN_STREAM_BIDI,
                                           &work[PAIR_CLIENT].stream),
                     0);
    write_some(PAIR_CLIENT);
    tern_time start = pair.now;
    while (work[PAIR_CLIENT].read < SIZE || work[PAIR_SERVER].read < SIZE) {
        bool is_busy = carry(PAIR_CLIENT);
        is_busy = carry(PAIR_SERVER) || is_busy;
        poll_both();
        pass_time(is_busy);
        assert_true(pair.now - start < 120 * TERN_SEC);
    }
    pair_close(&pair);
}

/* No assertion, no end but the right one, whenever the clock steps: RFC 9002 knows only durations, and
 * one that is negative is none. */
static void transfers_survive_steps_of_a_second(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 200; i++) {
        transfer(i);
    }
}

/* CVE-2021-46873: a clock that was once set to the future kept everybody out for as long. */
static void leaps_of_ten_years_shut_nobody_out(void **state)
{
    (void)state;
    static const tern_time decade = 315576000 * TERN_SEC;
    struct pair_side *server = &pair.side[PAIR_SERVER], *client = &pair.side[PAIR_CLIENT];
    pair_init(&pair);
    pair.now = 4 * decade;
    server->config.initial_rate = 20;
    server->config.early_data = true;
    pair_open(&pair);
    const tern_time at[] = {4 * decade, 5 * decade, 4 * decade, 3 * decade, decade};
    unsigned count = 0;
    for (size_t i = 0; i < TERN_COUNT_OF(at); i++) {
        pair.now = at[i];
        for (int n = 0; n < 50; n++) { /* more than may come in a second */
            assert_int_equal(pair_connect(&pair, n % 2 == 0 ? pair.key : NULL), 0);
            pair_advance(&pair, n == 0 ? 3 * TERN_SEC : 100 * TERN_MSEC);
            count++;
            assert_int_equal(client->connected, count);
            assert_int_equal(server->connected, count);
        }
    }
    pair_close(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(leaps_of_ten_years_shut_nobody_out),
    cmocka_unit_test(transfers_survive_steps_of_a_second),
};

TERN_TEST_MAIN(tests)
