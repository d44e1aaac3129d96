/* The leaky bucket: bursts, exact rates without drift, and clocks that do not behave.
 * SPDX-License-Identifier: MIT */
#include "recovery/pacer.h"

#include "tern_test.h"

#define NOW (3600 * TERN_SEC)
#define MDS 1200

static struct tern_pacer pacer;

static void start(uint64_t rate)
{
    tern_pacer_init(&pacer, MDS);
    tern_pacer_set_rate(&pacer, rate, MDS, NOW);
}

/* Sends as the connection does: while there is budget, then sleeps until told. Returns bytes sent;
 * *burst: the most at one instant. */
static uint64_t run(tern_time length, uint64_t *burst)
{
    tern_time now = NOW, end = NOW + length;
    uint64_t sent = 0;
    *burst = 0;
    while (now < end) {
        uint64_t at_once = 0;
        while (tern_pacer_budget(&pacer, now) >= MDS) {
            tern_pacer_on_sent(&pacer, MDS, now);
            at_once += MDS;
        }
        sent += at_once;
        *burst = TERN_MAX(*burst, at_once);
        tern_time next = tern_pacer_next(&pacer, MDS);
        assert_true(next > now); /* told to wait, and not for ever */
        now = next;
    }
    return sent;
}

static void without_a_rate_nothing_waits(void **state)
{
    (void)state;
    tern_pacer_init(&pacer, MDS);
    tern_pacer_on_sent(&pacer, 100 * MDS, NOW);
    assert_int_equal(tern_pacer_budget(&pacer, NOW), UINT64_MAX);
    assert_int_equal(tern_pacer_next(&pacer, MDS), 0);
}

/* RFC 9002 §7.7: gentle at 256 kbit/s, within 3 % at 10 Gbit/s, bursts of two datagrams or a
 * millisecond's worth. */
static void rates_are_kept_without_drift(void **state)
{
    (void)state;
    const uint64_t rates[] = {32000, 125000, 12500000, 1250000000};
    for (size_t i = 0; i < TERN_COUNT_OF(rates); i++) {
        uint64_t burst, most = TERN_MAX((uint64_t)2 * MDS, rates[i] / 1000 + MDS);
        start(rates[i]);
        uint64_t sent = run(10 * TERN_SEC, &burst);
        assert_in_range(sent, rates[i] * 10 - MDS, rates[i] * 10 + most + MDS);
        assert_in_range(burst, MDS, most);
    }
}

/* What is earned in pieces must be what is earned in one go. */
static void many_looks_earn_the_same(void **state)
{
    (void)state;
    start(33333);
    tern_pacer_on_sent(&pacer, 2 * MDS, NOW);
    for (tern_time t = NOW; t < NOW + 30 * TERN_MSEC; t += 777) {
        (void)tern_pacer_budget(&pacer, t);
    }
    uint64_t pieces = tern_pacer_budget(&pacer, NOW + 30 * TERN_MSEC);
    start(33333);
    tern_pacer_on_sent(&pacer, 2 * MDS, NOW);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + 30 * TERN_MSEC), pieces);
    assert_int_equal(pieces, 999);
}

static void a_pause_earns_one_burst_at_most(void **state)
{
    (void)state;
    start(125000);
    (void)tern_pacer_budget(&pacer, NOW);
    tern_pacer_on_sent(&pacer, 2 * MDS, NOW);
    tern_time later = NOW + 3600 * TERN_SEC;
    assert_int_equal(tern_pacer_budget(&pacer, later), UINT64_MAX); /* full */
    tern_pacer_on_sent(&pacer, 2 * MDS, later);
    assert_int_equal(tern_pacer_budget(&pacer, later), 0);
}

/* A full bucket lets anything go, also a train that is larger than the bucket. */
static void more_than_the_bucket_goes_when_it_is_full(void **state)
{
    (void)state;
    start(125000);
    assert_int_equal(tern_pacer_next(&pacer, 50 * MDS), 0);
    tern_pacer_on_sent(&pacer, 50 * MDS, NOW);
    assert_int_equal(tern_pacer_budget(&pacer, NOW), 0);
    tern_time next = tern_pacer_next(&pacer, 50 * MDS);
    assert_true(next > NOW && next < NOW + 20 * TERN_MSEC);
    assert_int_equal(tern_pacer_budget(&pacer, next), UINT64_MAX);
}

static void next_is_exact(void **state)
{
    (void)state;
    start(120000); /* a datagram takes 10 ms */
    tern_pacer_on_sent(&pacer, 2 * MDS, NOW);
    assert_int_equal(tern_pacer_next(&pacer, MDS), NOW + 10 * TERN_MSEC);
    assert_true(tern_pacer_budget(&pacer, NOW + 10 * TERN_MSEC - 1) < MDS);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + 10 * TERN_MSEC), MDS);
}

static void a_new_rate_keeps_the_tokens(void **state)
{
    (void)state;
    tern_time now = NOW + TERN_SEC;
    start(12500000); /* burst 12500 */
    assert_int_equal(tern_pacer_budget(&pacer, now), UINT64_MAX);
    tern_pacer_on_sent(&pacer, 2500, now);
    tern_pacer_set_rate(&pacer, 125000, MDS, now); /* burst 2400 */
    assert_int_equal(pacer.tokens, 2 * MDS);
    tern_pacer_on_sent(&pacer, 2 * MDS, now);
    tern_pacer_set_rate(&pacer, 12500000, MDS, now);
    assert_int_equal(tern_pacer_budget(&pacer, now), 0); /* nothing for nothing */
}

/* A clock need not be steady. */
static void a_clock_that_goes_back_earns_nothing(void **state)
{
    (void)state;
    start(125000);
    tern_pacer_on_sent(&pacer, 2 * MDS, NOW);
    assert_int_equal(tern_pacer_budget(&pacer, NOW - TERN_SEC), 0);
    assert_int_equal(tern_pacer_budget(&pacer, NOW), 0);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + TERN_MSEC), 125);
}

static void an_absurd_rate_does_not_overflow(void **state)
{
    (void)state;
    start(UINT64_MAX);
    tern_pacer_on_sent(&pacer, MDS, NOW);
    assert_true(tern_pacer_budget(&pacer, NOW + 1) >= MDS);
    assert_true(tern_pacer_next(&pacer, MDS) <= NOW + 1);
}

/* A second is worth a second's bytes, also where the bucket holds more: large datagrams, slow path. */
static void a_slow_rate_fills_a_large_bucket_slowly(void **state)
{
    (void)state;
    tern_pacer_init(&pacer, 65507);
    tern_pacer_set_rate(&pacer, 32000, 65507, NOW);
    tern_pacer_on_sent(&pacer, (size_t)2 * 65507, NOW);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + TERN_SEC - 1), 31999);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + TERN_SEC), 32000);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + 3 * TERN_SEC), 96000);
    assert_int_equal(tern_pacer_budget(&pacer, NOW + 5 * TERN_SEC), UINT64_MAX);
}

/* The bucket: two datagrams up to 2.4 MB/s at 1200 bytes, from there what a millisecond carries. */
static void the_burst_follows_the_rate(void **state)
{
    (void)state;
    start(2400999);
    assert_int_equal(pacer.burst, 2 * MDS);
    start(2401000);
    assert_int_equal(pacer.burst, 2 * MDS + 1);
    tern_pacer_set_rate(&pacer, 32000, 9000, NOW); /* larger datagrams */
    assert_int_equal(pacer.burst, 18000);
    assert_int_equal(pacer.tokens, 2 * MDS); /* of which none is free */
}

static void a_clock_that_stands_earns_nothing(void **state)
{
    (void)state;
    start(1250000000);
    tern_pacer_on_sent(&pacer, 1250000, NOW);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(tern_pacer_budget(&pacer, NOW), 0);
    }
    assert_int_equal(tern_pacer_next(&pacer, MDS), NOW + 960);
}

/* No rate makes an empty bucket ready at once. */
static void next_is_later_at_every_rate(void **state)
{
    (void)state;
    const uint64_t rates[] = {1, 32000, UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < TERN_COUNT_OF(rates); i++) {
        start(rates[i]);
        pacer.tokens = 0;
        assert_true(tern_pacer_next(&pacer, MDS) > NOW);
    }
}

/* A turn that comes 3 ms late sends what 3 ms carry, and the bucket is no larger after it. */
static void who_is_late_catches_up(void **state)
{
    (void)state;
    start(10000000);
    pacer.tokens = 0;
    tern_time due = tern_pacer_next(&pacer, MDS), now = due + 3 * TERN_MSEC;
    tern_pacer_catch_up(&pacer, MDS, now - due, now);
    assert_int_equal(pacer.tokens, 30000 + MDS);
    assert_int_equal(tern_pacer_budget(&pacer, now), UINT64_MAX);
    assert_in_range(tern_pacer_budget(&pacer, now + TERN_USEC), 10000, UINT64_MAX);
    assert_in_range(pacer.tokens, 0, 10000); /* unused it is gone */
}

static void nobody_catches_up_on_more_than_a_little(void **state)
{
    (void)state;
    const struct {
        uint64_t rate, most;
        tern_time late;
    } cases[] = {
        {125000, 10 * MDS, TERN_SEC}, /* an initial window */
        {125000, MDS + 125, TERN_MSEC},
        {10000000, 40000, TERN_SEC}, /* what 4 ms carry */
        {10000000, 40000, 3600 * TERN_SEC},
        {UINT64_MAX / 8, UINT64_MAX / 8 / 1000 * 4, TERN_SEC},
        {125000, MDS, 0},
    };
    for (size_t i = 0; i < TERN_COUNT_OF(cases); i++) {
        start(cases[i].rate);
        pacer.tokens = 0;
        pacer.at = NOW + cases[i].late;
        tern_pacer_catch_up(&pacer, MDS, cases[i].late, NOW + cases[i].late);
        assert_int_equal(pacer.tokens, cases[i].most);
    }
}

/* It never takes away. */
static void to_be_late_costs_nothing(void **state)
{
    (void)state;
    start(10000000);
    tern_pacer_catch_up(&pacer, MDS, 1, NOW + 1);
    assert_int_equal(pacer.tokens, 2 * MDS);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_a_rate_nothing_waits),
    cmocka_unit_test(rates_are_kept_without_drift),
    cmocka_unit_test(many_looks_earn_the_same),
    cmocka_unit_test(a_pause_earns_one_burst_at_most),
    cmocka_unit_test(more_than_the_bucket_goes_when_it_is_full),
    cmocka_unit_test(next_is_exact),
    cmocka_unit_test(a_new_rate_keeps_the_tokens),
    cmocka_unit_test(a_clock_that_goes_back_earns_nothing),
    cmocka_unit_test(an_absurd_rate_does_not_overflow),
    cmocka_unit_test(a_slow_rate_fills_a_large_bucket_slowly),
    cmocka_unit_test(the_burst_follows_the_rate),
    cmocka_unit_test(a_clock_that_stands_earns_nothing),
    cmocka_unit_test(next_is_later_at_every_rate),
    cmocka_unit_test(who_is_late_catches_up),
    cmocka_unit_test(nobody_catches_up_on_more_than_a_little),
    cmocka_unit_test(to_be_late_costs_nothing),
};

TERN_TEST_MAIN(tests)
