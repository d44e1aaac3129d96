/* HyStart++: leaves slow start on a growing round trip, returns when it was jitter.
 * SPDX-License-Identifier: MIT */
#include "recovery/hystart.h"

#include "tern_test.h"

/* One round of ten samples; returns true when slow start is over. */
static bool run_round(struct tern_hystart *h, uint64_t *pn, tern_time rtt)
{
    bool is_over = false;
    uint64_t next = *pn + 10;
    for (int i = 0; i < 10; i++) {
        is_over = tern_hystart_on_ack(h, rtt, (*pn)++, next) || is_over;
    }
    return is_over;
}

static void steady_round_trip_stays_in_slow_start(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    (void)state;
    tern_hystart_init(&h);
    for (int i = 0; i < 50; i++) {
        assert_false(run_round(&h, &pn, 50 * TERN_MSEC + (tern_time)(i % 3) * TERN_MSEC));
        assert_false(h.in_css);
    }
    assert_int_equal(tern_hystart_growth(&h, 4000), 4000);
}

static void growth_leads_out_in_five_rounds(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    int rounds = 0;
    (void)state;
    tern_hystart_init(&h);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    assert_false(run_round(&h, &pn, 57 * TERN_MSEC)); /* the threshold is an eighth: 6.25 ms */
    assert_true(h.in_css);
    assert_int_equal(tern_hystart_growth(&h, 4000), 1000);
    while (rounds < 20 && !run_round(&h, &pn, 57 * TERN_MSEC)) {
        rounds++;
    }
    assert_in_range(rounds, 3, 5);
}

/* Where the delay rises again the queue follows the window: it would be full long before five rounds. */
static void a_second_rise_leads_out_at_once(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    (void)state;
    tern_hystart_init(&h);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    assert_false(run_round(&h, &pn, 57 * TERN_MSEC));
    assert_true(h.in_css);
    assert_false(run_round(&h, &pn, 70 * TERN_MSEC)); /* 14.25 ms would be enough */
    assert_true(run_round(&h, &pn, 75 * TERN_MSEC));
}

static void below_the_threshold_is_not_growth(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    (void)state;
    tern_hystart_init(&h);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 56 * TERN_MSEC);
    assert_false(h.in_css);
}

static void threshold_has_a_floor_and_a_ceiling(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    (void)state;
    tern_hystart_init(&h); /* a short path: 4 ms */
    (void)run_round(&h, &pn, TERN_MSEC);
    (void)run_round(&h, &pn, TERN_MSEC);
    (void)run_round(&h, &pn, 4 * TERN_MSEC);
    assert_false(h.in_css);
    (void)run_round(&h, &pn, 8 * TERN_MSEC);
    assert_true(h.in_css);
    tern_hystart_init(&h); /* a long one: 16 ms */
    pn = 0;
    (void)run_round(&h, &pn, 600 * TERN_MSEC);
    (void)run_round(&h, &pn, 600 * TERN_MSEC);
    (void)run_round(&h, &pn, 617 * TERN_MSEC);
    assert_true(h.in_css);
}

static void jitter_returns_to_slow_start(void **state)
{
    struct tern_hystart h;
    uint64_t pn = 0;
    (void)state;
    tern_hystart_init(&h);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 50 * TERN_MSEC);
    (void)run_round(&h, &pn, 60 * TERN_MSEC);
    assert_true(h.in_css);
    assert_false(run_round(&h, &pn, 50 * TERN_MSEC));
    assert_false(h.in_css);
    for (int i = 0; i < 10; i++) {
        assert_false(run_round(&h, &pn, 50 * TERN_MSEC));
    }
}

static void few_samples_prove_nothing(void **state)
{
    struct tern_hystart h;
    (void)state;
    tern_hystart_init(&h);
    for (uint64_t pn = 0; pn < 100; pn++) { /* rounds of seven samples */
        assert_false(tern_hystart_on_ack(&h, (50 + pn) * TERN_MSEC, pn, pn + 6));
        assert_false(h.in_css);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(steady_round_trip_stays_in_slow_start),
    cmocka_unit_test(growth_leads_out_in_five_rounds),
    cmocka_unit_test(a_second_rise_leads_out_at_once),
    cmocka_unit_test(below_the_threshold_is_not_growth),
    cmocka_unit_test(threshold_has_a_floor_and_a_ceiling),
    cmocka_unit_test(jitter_returns_to_slow_start),
    cmocka_unit_test(few_samples_prove_nothing),
};

TERN_TEST_MAIN(tests)
