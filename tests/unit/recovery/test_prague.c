/* Prague's answers to marks and losses, and its growth on short and on long round trips.
 * draft-briscoe-iccrg-prague-congestion-control.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "path_kit.h"
#include "tern_test.h"

#define WINDOW ((uint64_t)100 * MDS)

static struct path the_path;
static struct bench b;

/* In congestion avoidance at 100 datagrams, with a round trip of so long. */
static void begin(tern_time trip)
{
    bench_init(&b, &tern_cc_prague);
    tern_rtt_init(&b.rtt, trip);
    tern_rtt_update(&b.rtt, trip, 0, b.now);
    b.cc.cwnd = b.cc.ssthresh = WINDOW;
}

/* One ACK for the whole window: `marked` of its packets are CE; none bears a mark where ECN fails. */
static void trip_of(uint64_t marked, bool is_capable, tern_time queue)
{
    struct tern_rate_sample sample = {0};
    uint64_t packets = b.cc.cwnd / MDS;
    tern_time sent = b.now, trip = b.rtt.smoothed;
    b.now += trip;
    b.cc.bytes_in_flight = b.cc.cwnd;
    b.pn += packets;
    struct tern_cc_ack ack = {
        .acked_bytes = packets * MDS,
        .largest_sent_at = sent,
        .largest_pn = b.pn,
        .prior_in_flight = b.cc.cwnd,
        .rtt = &b.rtt,
        .rtt_sample = trip + queue,
        .rate = &b.rate,
        .sample = &sample,
        .next_pn = b.pn + 1,
        .ect = is_capable ? packets : 0,
        .ce = marked,
    };
    if (marked > 0) {
        struct tern_cc_loss loss = {.is_ecn = true,
                                    .latest_sent_at = sent,
                                    .largest_pn = b.pn,
                                    .next_pn = b.pn + 1,
                                    .rtt = &b.rtt,
                                    .rate = &b.rate};
        tern_cc_on_loss(&b.cc, &loss, b.now);
    }
    b.cc.state->use.was_full[0] = b.cc.state->use.was_full[1] = true;
    tern_cc_on_ack(&b.cc, &ack, b.now);
}

static void is_the_only_one_that_may_mark_ect1(void **state)
{
    const char *const others[] = {"newreno", "cubic", "bbr", "ledbat", "media"};
    (void)state;
    assert_true(tern_cc_prague.is_scalable);
    for (size_t i = 0; i < TERN_COUNT_OF(others); i++) {
        assert_false(tern_cc_find(others[i])->is_scalable);
    }
}

/* Nothing is known of the path's marks: by half. */
static void the_first_mark_halves(void **state)
{
    (void)state;
    begin(50 * TERN_MSEC);
    trip_of(1, true, 0);
    assert_in_range(b.cc.cwnd, WINDOW / 2, WINDOW / 2 + 3 * MDS);
    assert_int_equal(b.cc.ssthresh, WINDOW / 2);
}

/* A slow start ends with it. */
static void a_mark_ends_slow_start(void **state)
{
    (void)state;
    begin(50 * TERN_MSEC);
    b.cc.ssthresh = UINT64_MAX;
    b.cc.state->use.peak[0] = b.cc.state->use.peak[1] = WINDOW;
    trip_of(50, true, 0);
    assert_in_range(b.cc.cwnd, WINDOW / 2, WINDOW / 2 + 3 * MDS);
    assert_int_equal(b.cc.ssthresh, WINDOW / 2);
}

/* After many round trips with the same share of marks alpha is that share, and takes off half of it. */
static void answers_in_proportion(void **state)
{
    const unsigned percents[] = {2, 5, 10, 20, 50, 100};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(percents); i++) {
        begin(50 * TERN_MSEC);
        for (unsigned k = 0; k < 200; k++) {
            b.cc.cwnd = b.cc.ssthresh = WINDOW;
            trip_of(percents[i], true, 0);
        }
        b.cc.cwnd = b.cc.ssthresh = WINDOW;
        trip_of(percents[i], true, 0);
        uint64_t down = WINDOW + MDS - b.cc.cwnd; /* it has grown by one, too */
        uint64_t expected = WINDOW * percents[i] / 200;
        assert_in_range(down, expected - expected / 10 - MDS / 4, expected + expected / 10 + MDS);
    }
}

static void answers_once_a_round_trip(void **state)
{
    (void)state;
    begin(50 * TERN_MSEC);
    trip_of(1, true, 0);
    uint64_t cwnd = b.cc.cwnd;
    struct tern_cc_loss again = {
        .is_ecn = true, .latest_sent_at = b.now, .rtt = &b.rtt, .rate = &b.rate};
    b.now += 49 * TERN_MSEC;
    tern_cc_on_loss(&b.cc, &again, b.now);
    assert_int_equal(b.cc.cwnd, cwnd);
    b.now += TERN_MSEC;
    tern_cc_on_loss(&b.cc, &again, b.now);
    assert_true(b.cc.cwnd < cwnd);
}

/* Growth over 100 ms without marks, in hundredths of a datagram. */
static unsigned growth(tern_time trip, bool is_capable)
{
    begin(trip);
    trip_of(0, is_capable, 0);
    trip_of(0, is_capable, 0);
    for (tern_time t = 0; t < 100 * TERN_MSEC && is_capable; t += trip) {
        trip_of(0, is_capable, 0); /* the first virtual round shows that ECN works */
    }
    b.cc.cwnd = WINDOW;
    for (tern_time t = 0; t < 100 * TERN_MSEC; t += trip) {
        trip_of(0, is_capable, 0);
    }
    return (unsigned)((b.cc.cwnd - WINDOW) * 100 / MDS);
}

/* RFC 9331 §4.3: the rate (window by round trip) of a flow with 5 ms grows no faster than with 25. */
static void short_round_trips_grow_as_if_they_were_longer(void **state)
{
    (void)state;
    assert_in_range(growth(50 * TERN_MSEC, true), 190, 205);
    assert_in_range(growth(25 * TERN_MSEC, true), 385, 410);
    assert_in_range(growth(5 * TERN_MSEC, true), 70, 85); /* 20 trips of 1/25 datagram */
}

/* No marks, no L4S: then it is Reno on every round trip, with Reno's answer to loss. */
static void without_ecn_it_is_reno(void **state)
{
    (void)state;
    assert_in_range(growth(5 * TERN_MSEC, false), 1800, 2010);
    begin(50 * TERN_MSEC);
    bench_lose(&b, MDS, b.now, false);
    assert_int_equal(b.cc.cwnd, WINDOW / 2);
    assert_true(b.cc.state->prr.is_on);
    tern_cc_on_spurious(&b.cc, 0, b.now, b.now); /* 0 packets were counted: not an episode */
    b.cc.ops->on_spurious(&b.cc, b.now);
    assert_int_equal(b.cc.cwnd, WINDOW);
    unsigned share[2];
    for (unsigned i = 0; i < 2; i++) {
        path_init(&the_path, i == 0 ? "prague" : "newreno", 100, 1);
        path_run(&the_path, 60 * TERN_SEC);
        share[i] = (unsigned)path_share(&the_path);
    }
    print_message("0.01 %% of loss: prague %u %%, newreno %u %%\n", share[0], share[1]);
    assert_in_range(share[0], share[1] * 8 / 10, share[1] * 13 / 10);
}

/* RFC 9331 §4.3: marks over a queue of ten milliseconds come from one that others share. */
static void a_classic_queue_is_answered_as_one(void **state)
{
    (void)state;
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        begin(50 * TERN_MSEC);
        for (unsigned k = 0; k < 100; k++) {
            b.cc.cwnd = b.cc.ssthresh = WINDOW;
            trip_of(1, true, is_long ? 10 * TERN_MSEC : TERN_MSEC);
        }
        assert_in_range(b.cc.cwnd, is_long ? WINDOW / 2 : WINDOW * 95 / 100,
                        is_long ? WINDOW / 2 + 2 * MDS : WINDOW + MDS);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_the_only_one_that_may_mark_ect1),
    cmocka_unit_test(the_first_mark_halves),
    cmocka_unit_test(a_mark_ends_slow_start),
    cmocka_unit_test(answers_in_proportion),
    cmocka_unit_test(answers_once_a_round_trip),
    cmocka_unit_test(short_round_trips_grow_as_if_they_were_longer),
    cmocka_unit_test(without_ecn_it_is_reno),
    cmocka_unit_test(a_classic_queue_is_answered_as_one),
};

TERN_TEST_MAIN(tests)
