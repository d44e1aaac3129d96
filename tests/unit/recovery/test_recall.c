/* Careful resume over a window: scouting, the jump, what validates it and what makes it retreat.
 * SPDX-License-Identifier: MIT */
#include "cc_kit.h"
#include "recovery/recall.h"
#include "tern_test.h"

#define VOLUME 600000 /* 500 datagrams, of which the jump takes half */
#define RTT    (100 * TERN_MSEC)
#define FIRST  (10 * MDS)

static struct bench b;

static int setup(void **state)
{
    (void)state;
    bench_init(&b, &tern_cc_newreno);
    tern_recall_begin(&b.cc, VOLUME, RTT, &b.rate);
    return 0;
}

static const struct tern_recall *recall(void)
{
    return &b.cc.state->recall;
}

/* The first window leaves and arrives. */
static void scout(void)
{
    bench_fill(&b);
    b.now += RTT;
    b.rate.delivered += FIRST;
    bench_ack(&b, FIRST, b.now - RTT, RTT);
}

static void lose(uint64_t bytes)
{
    struct tern_cc_loss loss = {
        .lost_bytes = bytes,
        .lost_packets = bytes / MDS,
        .next_pn = b.pn + 100,
        .latest_sent_at = b.now - RTT / 2,
        .largest_pn = b.pn,
        .prior_in_flight = b.cc.bytes_in_flight,
        .rtt = &b.rtt,
        .rate = &b.rate,
    };
    tern_cc_on_loss(&b.cc, &loss, b.now);
}

static void jumps_to_half_when_the_first_window_has_arrived(void **state)
{
    (void)state;
    bench_fill(&b);
    b.now += RTT;
    b.rate.delivered += FIRST - MDS;
    bench_ack(&b, FIRST - MDS, b.now - RTT, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_SCOUTING);
    assert_true(b.cc.cwnd < 2 * FIRST);
    b.rate.delivered += MDS;
    bench_ack(&b, MDS, b.now - RTT, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_JUMPED);
    assert_int_equal(b.cc.cwnd, VOLUME / 2);
}

/* A window in a round trip, where slow start would take half of one. */
static void the_jump_is_paced(void **state)
{
    (void)state;
    scout();
    assert_int_equal(tern_cc_pace(&b.cc, &b.rtt), VOLUME / 2 * 10);
    assert_true(tern_cc_newreno.pacing_rate(&b.cc, &b.rtt) > VOLUME / 2 * 10);
}

static void slow_start_goes_on_from_what_was_validated(void **state)
{
    (void)state;
    scout();
    bench_fill(&b);
    b.now += RTT;
    b.pn = recall()->from;
    bench_ack(&b, MDS, b.now - RTT, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_VALIDATING);
    b.pn = recall()->until;
    bench_ack(&b, VOLUME / 4, b.now - RTT, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_true(b.cc.cwnd >= VOLUME / 2);
    assert_true(tern_cc_is_starting(&b.cc));
}

static void what_was_not_used_is_given_back(void **state)
{
    (void)state;
    scout();
    bench_send(&b, 2 * MDS); /* and no more */
    b.now += RTT;
    b.pn = recall()->from;
    bench_ack(&b, 2 * MDS, b.now - RTT, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_true(b.cc.cwnd <= FIRST + 2 * MDS);
}

static void loss_retreats_to_half_of_what_came(void **state)
{
    (void)state;
    scout();
    bench_fill(&b);
    b.now += RTT;
    b.pn = recall()->from;
    bench_ack(&b, 20 * MDS, b.now - RTT, RTT);
    uint64_t pipe = recall()->pipe;
    assert_true(pipe >= 20 * MDS && pipe <= 21 * MDS);
    lose(5 * MDS);
    assert_int_equal(recall()->phase, TERN_RECALL_RETREATING);
    assert_int_equal(b.cc.cwnd, pipe / 2);
    assert_false(b.cc.state->prr.is_on);
    b.pn = recall()->until - 2;
    bench_ack(&b, 40 * MDS, b.now - RTT / 2, RTT);
    assert_int_equal(b.cc.cwnd, pipe / 2); /* held, until all of the jump is accounted for */
    b.pn = recall()->until;
    b.now += RTT;
    bench_ack(&b, 10 * MDS, b.now - TERN_MSEC, RTT);
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_int_equal(b.cc.ssthresh, (pipe + 50 * MDS) / 2);
}

/* What is held to was measured in the datagrams of then (found by fuzz_cc). */
static void a_retreat_leaves_room_for_larger_datagrams(void **state)
{
    (void)state;
    scout();
    bench_fill(&b);
    b.now += RTT;
    b.pn = recall()->from;
    lose(200 * MDS);
    assert_int_equal(recall()->phase, TERN_RECALL_RETREATING);
    tern_cc_set_datagram(&b.cc, 65507);
    b.pn = recall()->until - 2;
    bench_ack(&b, MDS, b.now - RTT / 2, RTT);
    assert_true(b.cc.cwnd >= tern_cc_min_window(&b.cc));
    lose(MDS);
    assert_true(b.cc.cwnd >= tern_cc_min_window(&b.cc));
}

static void loss_while_scouting_is_an_ordinary_loss(void **state)
{
    struct bench plain;
    (void)state;
    bench_init(&plain, &tern_cc_newreno);
    bench_fill(&plain);
    bench_lose(&plain, MDS, plain.now, false);
    bench_fill(&b);
    bench_lose(&b, MDS, b.now, false);
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_int_equal(b.cc.cwnd, plain.cc.cwnd);
    assert_int_equal(b.cc.ssthresh, plain.cc.ssthresh);
}

static void another_round_trip_is_another_path(void **state)
{
    static const struct {
        tern_time then;
        bool is_same;
    } rows[] = {{2 * RTT, false},     {2 * RTT - 2, true}, {RTT, true},
                {RTT / 10 + 1, true}, {RTT / 10, false},   {RTT / 50, false}};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        bench_init(&b, &tern_cc_cubic);
        tern_recall_begin(&b.cc, VOLUME, rows[i].then, &b.rate);
        scout();
        assert_int_equal(recall()->phase == TERN_RECALL_JUMPED, rows[i].is_same);
        assert_int_equal(b.cc.cwnd == VOLUME / 2, rows[i].is_same);
    }
}

static void a_memory_of_little_is_not_used(void **state)
{
    (void)state;
    tern_recall_begin(&b.cc, 2 * FIRST, RTT, &b.rate);
    scout();
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_int_equal(b.cc.cwnd, 2 * FIRST); /* doubled, as ever */
}

static void an_application_that_says_little_waits(void **state)
{
    (void)state;
    b.is_limited = true;
    scout();
    assert_int_equal(recall()->phase, TERN_RECALL_SCOUTING);
    assert_true(b.cc.cwnd < VOLUME / 2);
    b.is_limited = false;
    scout();
    assert_int_equal(recall()->phase, TERN_RECALL_JUMPED);
}

static void another_controller_forgets_it(void **state)
{
    (void)state;
    tern_cc_switch(&b.cc, &tern_cc_cubic, &b.rtt, &b.rate, b.now);
    scout();
    assert_int_equal(recall()->phase, TERN_RECALL_NONE);
    assert_true(b.cc.cwnd <= 2 * FIRST);
}

/* --- observing --- */

static void note(struct tern_capacity *c, uint64_t rate, tern_time now)
{
    struct tern_rate_sample sample = {.rate = rate};
    tern_capacity_note(c, &sample, now);
}

static void capacity_is_the_best_rate_of_late(void **state)
{
    struct tern_capacity c = {.since = TERN_SEC};
    (void)state;
    assert_int_equal(tern_capacity_volume(&c, RTT), 0);
    note(&c, 1000000, TERN_SEC);
    note(&c, 5000000, 2 * TERN_SEC);
    note(&c, 2000000, 3 * TERN_SEC);
    note(&c, 0, 4 * TERN_SEC);
    assert_int_equal(tern_capacity_volume(&c, RTT), 500000);
    note(&c, 1500000, 12 * TERN_SEC);
    assert_int_equal(tern_capacity_volume(&c, RTT), 500000);
    note(&c, 1200000, 23 * TERN_SEC);
    assert_int_equal(tern_capacity_volume(&c, RTT), 150000);
    note(&c, UINT64_MAX, 23 * TERN_SEC);
    assert_int_equal(tern_capacity_volume(&c, RTT), UINT64_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(jumps_to_half_when_the_first_window_has_arrived, setup),
    cmocka_unit_test_setup(the_jump_is_paced, setup),
    cmocka_unit_test_setup(slow_start_goes_on_from_what_was_validated, setup),
    cmocka_unit_test_setup(what_was_not_used_is_given_back, setup),
    cmocka_unit_test_setup(loss_retreats_to_half_of_what_came, setup),
    cmocka_unit_test_setup(a_retreat_leaves_room_for_larger_datagrams, setup),
    cmocka_unit_test_setup(loss_while_scouting_is_an_ordinary_loss, setup),
    cmocka_unit_test_setup(another_round_trip_is_another_path, setup),
    cmocka_unit_test_setup(a_memory_of_little_is_not_used, setup),
    cmocka_unit_test_setup(an_application_that_says_little_waits, setup),
    cmocka_unit_test_setup(another_controller_forgets_it, setup),
    cmocka_unit_test_setup(capacity_is_the_best_rate_of_late, setup),
};

TERN_TEST_MAIN(tests)
