/* The RTT estimate against RFC 9002 section 5, and what is derived from it.
 * SPDX-License-Identifier: MIT */
#include "recovery/rtt.h"

#include "tern_test.h"

#define NOW (3600 * TERN_SEC)

static struct tern_rtt rtt;

static void before_a_sample_the_initial_value_counts(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    assert_false(rtt.has_sample);
    /* RFC 9002 §6.2.2: srtt + 4 var = 333 + 666 ms */
    assert_int_equal(tern_rtt_pto(&rtt, 0), 999 * TERN_MSEC);
}

static void first_sample_replaces_everything(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 80 * TERN_MSEC, 50 * TERN_MSEC, NOW); /* the delay is ignored here */
    assert_true(rtt.has_sample);
    assert_int_equal(rtt.first_sample_at, NOW);
    assert_int_equal(rtt.min, 80 * TERN_MSEC);
    assert_int_equal(rtt.smoothed, 80 * TERN_MSEC);
    assert_int_equal(rtt.variation, 40 * TERN_MSEC);
}

static void later_samples_are_weighted(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 80 * TERN_MSEC, 0, NOW);
    tern_rtt_update(&rtt, 130 * TERN_MSEC, 10 * TERN_MSEC, NOW + TERN_SEC);
    assert_int_equal(rtt.latest, 130 * TERN_MSEC);
    assert_int_equal(rtt.min, 80 * TERN_MSEC);
    /* adjusted 120: variation (3*40 + 40)/4, smoothed (7*80 + 120)/8 */
    assert_int_equal(rtt.variation, 40 * TERN_MSEC);
    assert_int_equal(rtt.smoothed, 85 * TERN_MSEC);
    assert_int_equal(rtt.first_sample_at, NOW);
}

/* RFC 9002 §5.3. The "=" case: exactly the minimum may be reached, nothing below it. */
static void claimed_delay_never_goes_below_the_minimum(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 50 * TERN_MSEC, 0, NOW);
    for (int i = 0; i < 200; i++) {
        tern_rtt_update(&rtt, 60 * TERN_MSEC, TERN_SEC, NOW); /* a lie: ignored */
        assert_true(rtt.smoothed >= rtt.min);
        assert_true(tern_rtt_pto(&rtt, 0) >= 50 * TERN_MSEC);
    }
    assert_in_range(rtt.smoothed, 59 * TERN_MSEC, 60 * TERN_MSEC);
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 50 * TERN_MSEC, 0, NOW);
    tern_rtt_update(&rtt, 60 * TERN_MSEC, 10 * TERN_MSEC, NOW);
    assert_int_equal(rtt.smoothed, 50 * TERN_MSEC);
    tern_rtt_update(&rtt, 60 * TERN_MSEC, UINT64_MAX, NOW); /* no overflow either */
    assert_true(rtt.smoothed > 50 * TERN_MSEC);
}

static void minimum_follows_down_at_once(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 50 * TERN_MSEC, 0, NOW);
    tern_rtt_update(&rtt, 20 * TERN_MSEC, 15 * TERN_MSEC, NOW);
    assert_int_equal(rtt.min, 20 * TERN_MSEC); /* without the peer's delay */
}

static void pto_has_a_floor_for_variation(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    for (int i = 0; i < 300; i++) {
        tern_rtt_update(&rtt, 20 * TERN_MSEC, 0, NOW);
    }
    assert_true(4 * rtt.variation < TERN_RTT_GRANULARITY);
    assert_int_equal(tern_rtt_pto(&rtt, 25 * TERN_MSEC), rtt.smoothed + 26 * TERN_MSEC);
}

/* RFC 9002 §6.1.2: the larger of both, so that a growing queue loses nothing. */
static void loss_delay_takes_the_larger(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 80 * TERN_MSEC, 0, NOW);
    assert_int_equal(tern_rtt_loss_delay(&rtt), 90 * TERN_MSEC);
    tern_rtt_update(&rtt, 160 * TERN_MSEC, 0, NOW);
    assert_int_equal(tern_rtt_loss_delay(&rtt), 180 * TERN_MSEC);
    tern_rtt_update(&rtt, TERN_MSEC, 0, NOW);
    assert_int_equal(tern_rtt_loss_delay(&rtt), rtt.smoothed + rtt.smoothed / 8);
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 50 * TERN_USEC, 0, NOW);
    assert_int_equal(tern_rtt_loss_delay(&rtt), TERN_RTT_GRANULARITY);
}

/* RFC 9002 §5.3, in nanoseconds: both averages round down, and never below the minimum. */
static void the_least_sample_does_no_harm(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 1, TERN_SEC, NOW);
    assert_int_equal(rtt.smoothed, 1);
    assert_int_equal(rtt.variation, 0);
    tern_rtt_update(&rtt, 1, 0, NOW);
    assert_int_equal(rtt.smoothed, 1);
    assert_int_equal(tern_rtt_pto(&rtt, 0), 1 + TERN_RTT_GRANULARITY);
    assert_int_equal(tern_rtt_loss_delay(&rtt), TERN_RTT_GRANULARITY);
}

static void a_shorter_sample_widens_the_variation_too(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 80 * TERN_MSEC, 0, NOW);
    tern_rtt_update(&rtt, 16 * TERN_MSEC, 0, NOW);
    assert_int_equal(rtt.variation, 46 * TERN_MSEC); /* (3*40 + 64)/4 */
    assert_int_equal(rtt.smoothed, 72 * TERN_MSEC);  /* (7*80 + 16)/8 */
    assert_int_equal(tern_rtt_pto(&rtt, 0), 256 * TERN_MSEC);
}

static void the_minimum_stays_when_samples_grow(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 400 * TERN_MSEC, 0,
                    NOW); /* above the initial value, which is no sample */
    assert_int_equal(rtt.min, 400 * TERN_MSEC);
    tern_rtt_update(&rtt, 500 * TERN_MSEC, 200 * TERN_MSEC, NOW);
    assert_int_equal(rtt.min, 400 * TERN_MSEC);
    assert_int_equal(rtt.smoothed, (7 * 400 + 500) * TERN_MSEC / 8); /* 300 would be below it */
}

/* The two sides of the granularity, a nanosecond apart: 9/8 of 888 888 ns is 999 999. */
static void granularity_takes_over_exactly(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 888888, 0, NOW);
    assert_int_equal(tern_rtt_loss_delay(&rtt), TERN_RTT_GRANULARITY);
    tern_rtt_update(&rtt, 888896, 0, NOW); /* latest is the larger */
    assert_int_equal(tern_rtt_loss_delay(&rtt), 1000008);
    rtt.smoothed = TERN_MSEC;
    rtt.variation = TERN_RTT_GRANULARITY / 4;
    assert_int_equal(tern_rtt_pto(&rtt, 0), 2 * TERN_MSEC);
    rtt.variation++;
    assert_int_equal(tern_rtt_pto(&rtt, 0), 2 * TERN_MSEC + 4);
}

/* RFC 9002 §5.2: after persistent congestion the path may be another, longer one. */
static void persistent_congestion_renews_the_minimum(void **state)
{
    (void)state;
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    tern_rtt_update(&rtt, 20 * TERN_MSEC, 0, NOW);
    tern_rtt_update(&rtt, 200 * TERN_MSEC, 0, NOW);
    assert_int_equal(rtt.min, 20 * TERN_MSEC);
    tern_rtt_on_persistent(&rtt);
    assert_int_equal(rtt.min, 200 * TERN_MSEC);
    tern_rtt_update(&rtt, 190 * TERN_MSEC, 0, NOW);
    assert_int_equal(rtt.min, 190 * TERN_MSEC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(persistent_congestion_renews_the_minimum),
    cmocka_unit_test(before_a_sample_the_initial_value_counts),
    cmocka_unit_test(first_sample_replaces_everything),
    cmocka_unit_test(later_samples_are_weighted),
    cmocka_unit_test(claimed_delay_never_goes_below_the_minimum),
    cmocka_unit_test(minimum_follows_down_at_once),
    cmocka_unit_test(pto_has_a_floor_for_variation),
    cmocka_unit_test(loss_delay_takes_the_larger),
    cmocka_unit_test(the_least_sample_does_no_harm),
    cmocka_unit_test(a_shorter_sample_widens_the_variation_too),
    cmocka_unit_test(the_minimum_stays_when_samples_grow),
    cmocka_unit_test(granularity_takes_over_exactly),
};

TERN_TEST_MAIN(tests)
