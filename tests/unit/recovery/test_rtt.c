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

/* protocol-notes row 2. The "=" case: exactly the minimum may be reached, nothing below it. */
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

/* protocol-notes row 4: the larger of both, so that a growing queue loses nothing. */
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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(before_a_sample_the_initial_value_counts),
    cmocka_unit_test(first_sample_replaces_everything),
    cmocka_unit_test(later_samples_are_weighted),
    cmocka_unit_test(claimed_delay_never_goes_below_the_minimum),
    cmocka_unit_test(minimum_follows_down_at_once),
    cmocka_unit_test(pto_has_a_floor_for_variation),
    cmocka_unit_test(loss_delay_takes_the_larger),
};

TERN_TEST_MAIN(tests)
