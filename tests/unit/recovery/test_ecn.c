/* ECN validation over paths that keep, wipe, change, drop or forge marks: RFC 9000 section 13.4.2.
 * SPDX-License-Identifier: MIT */
#include "recovery/ecn.h"

#include "tern_test.h"

#define NOW   (3600 * TERN_SEC)
#define PTO_3 (600 * TERN_MSEC)

static struct tern_ecn ecn;
static struct tern_ecn_counts counts;

static int setup(void **state)
{
    (void)state;
    tern_ecn_init(&ecn);
    memset(&counts, 0, sizeof counts);
    return 0;
}

/* Sends packets one by one; returns how many bore a mark. */
static uint64_t send(uint64_t packets, tern_time now)
{
    uint64_t marked = 0;
    for (uint64_t i = 0; i < packets; i++) {
        tern_ecn_choose(&ecn, PTO_3, now);
        if (ecn.mark != TERN_ECN_NONE) {
            assert_int_equal(ecn.mark, TERN_ECN_ECT0);
            tern_ecn_on_sent(&ecn);
            marked++;
        }
    }
    return marked;
}

static void a_good_path_is_capable(void **state)
{
    (void)state;
    assert_int_equal(send(30, NOW), 10); /* the test, and then we wait */
    assert_int_equal(ecn.state, TERN_ECN_UNKNOWN);
    counts.ect0 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    assert_int_equal(send(30, NOW), 30);
}

static void the_test_ends_in_time(void **state)
{
    (void)state;
    assert_int_equal(send(3, NOW), 3);
    assert_int_equal(send(1, NOW + PTO_3 - 1), 1);
    assert_int_equal(send(5, NOW + PTO_3), 0);
}

static void a_mark_by_congestion_is_told_once(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 9;
    counts.ce = 1;
    assert_true(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    (void)send(5, NOW);
    counts.ect0 = 14;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 5, 0));
}

static void wiped_marks_fail(void **state)
{
    (void)state;
    (void)send(10, NOW);
    assert_false(tern_ecn_on_ack(&ecn, NULL, 4, 0)); /* no counts at all */
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
    (void)setup(state);
    (void)send(10, NOW);
    counts.ect0 = 5; /* fewer than were acknowledged */
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
    assert_int_equal(send(20, NOW), 0);
    counts.ect0 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 0)); /* and stay so */
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void wiping_may_begin_later(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 10;
    (void)tern_ecn_on_ack(&ecn, &counts, 10, 0);
    (void)send(10, NOW);
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void changed_marks_fail(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 9;
    counts.ect1 = 1;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 9, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void more_than_was_sent_fails(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 11;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
    (void)setup(state);
    (void)send(10, NOW);
    counts.ect0 = 5;
    counts.ce = UINT64_MAX;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 5, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void counts_that_fall_fail(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 10;
    (void)tern_ecn_on_ack(&ecn, &counts, 10, 0);
    counts.ect0 = 9;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void a_path_that_marks_everything_fails(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ce = 4;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 4, 0)); /* not believed yet */
    assert_true(ecn.state != TERN_ECN_FAILED && ecn.state != TERN_ECN_CAPABLE);
    counts.ce = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 6, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void a_path_that_drops_marks_fails(void **state)
{
    (void)state;
    (void)send(20, NOW);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ecn.state, TERN_ECN_UNKNOWN);
        assert_int_equal(tern_ecn_on_lost(&ecn, NOW), i == 9);
    }
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

/* A NAT forgot its mapping: what went to the old port says nothing about marks on the way to the new. */
static void losses_from_before_the_test_do_not_fail(void **state)
{
    (void)state;
    (void)send(20, NOW);
    tern_ecn_restart(&ecn);
    (void)send(20, NOW + TERN_SEC);
    for (int i = 0; i < 100; i++) {
        assert_false(tern_ecn_on_lost(&ecn, NOW));
    }
    assert_int_equal(ecn.state, TERN_ECN_UNKNOWN);
}

static void ordinary_loss_does_not_fail(void **state)
{
    (void)state;
    (void)send(20, NOW);
    for (int i = 0; i < 9; i++) {
        assert_false(tern_ecn_on_lost(&ecn, NOW));
    }
    counts.ect0 = 1;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 1, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    for (int i = 0; i < 100; i++) {
        assert_false(tern_ecn_on_lost(&ecn, NOW));
    }
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
}

static void another_path_is_tested_anew(void **state)
{
    (void)state;
    (void)send(10, NOW);
    assert_false(tern_ecn_on_ack(&ecn, NULL, 4, 0));
    tern_ecn_restart(&ecn);
    assert_int_equal(send(30, NOW), 10);
    counts.ect0 = 10; /* those of the first path were wiped, these not */
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    assert_string_equal(tern_ecn_name(ecn.state), "capable");
}

/* [P §9.2]: they need not come with each ACK, and those that come must cover all. */
static void counts_may_wait(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    (void)send(300, NOW);
    for (int i = 0; i < 25; i++) {
        assert_false(tern_ecn_on_ack(&ecn, NULL, 10, 0));
        assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    }
    counts.ect0 = 260;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    assert_false(tern_ecn_on_ack(&ecn, NULL, 20, 0));
    counts.ect0 = 279; /* one of those since was wiped */
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void counts_that_stay_away_fail(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 0));
    (void)send(300, NOW);
    assert_false(tern_ecn_on_ack(&ecn, NULL, 256, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    assert_false(tern_ecn_on_ack(&ecn, NULL, 1, 0));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static void unmarked_packets_need_no_counts(void **state)
{
    (void)state;
    assert_false(tern_ecn_on_ack(&ecn, NULL, 0, 0));
    assert_int_equal(ecn.state, TERN_ECN_TESTING);
}

/* --- ECT(1) --- */

static void ect1_is_counted_as_ect1(void **state)
{
    (void)state;
    tern_ecn_use(&ecn, TERN_ECN_ECT1);
    for (unsigned i = 0; i < 10; i++) {
        tern_ecn_choose(&ecn, PTO_3, NOW);
        assert_int_equal(ecn.mark, TERN_ECN_ECT1);
        tern_ecn_on_sent(&ecn);
    }
    counts.ect1 = 8;
    counts.ce = 2;
    assert_true(tern_ecn_on_ack(&ecn, &counts, 0, 10));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
}

/* A box that knows one kind of ECT alone writes ECT(0) over it. */
static void ect1_that_became_ect0_fails(void **state)
{
    (void)state;
    tern_ecn_use(&ecn, TERN_ECN_ECT1);
    for (unsigned i = 0; i < 10; i++) {
        tern_ecn_choose(&ecn, PTO_3, NOW);
        tern_ecn_on_sent(&ecn);
    }
    counts.ect0 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 10));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

/* A change of the controller tests the other kind, while packets of the first are on their way. */
static void another_kind_is_tested_anew(void **state)
{
    (void)state;
    (void)send(10, NOW);
    counts.ect0 = 6;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 6, 0));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    tern_ecn_use(&ecn, TERN_ECN_ECT0); /* no change */
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    tern_ecn_use(&ecn, TERN_ECN_ECT1);
    assert_int_equal(ecn.state, TERN_ECN_TESTING);
    for (unsigned i = 0; i < 10; i++) {
        tern_ecn_choose(&ecn, PTO_3, NOW);
        assert_int_equal(ecn.mark, TERN_ECN_ECT1);
        tern_ecn_on_sent(&ecn);
    }
    counts.ect0 = 10;
    counts.ect1 = 3;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 4, 3));
    assert_int_equal(ecn.state, TERN_ECN_CAPABLE);
    counts.ect0 = 11; /* more than there ever were */
    counts.ect1 = 9;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 0, 7));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

/* What is missing of one kind is not made up for by the other. */
static void each_kind_answers_for_itself(void **state)
{
    (void)state;
    (void)send(10, NOW);
    ecn.sent_ect1 = 10;
    counts.ect0 = 5;
    counts.ect1 = 10;
    assert_false(tern_ecn_on_ack(&ecn, &counts, 10, 5));
    assert_int_equal(ecn.state, TERN_ECN_FAILED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_good_path_is_capable, setup),
    cmocka_unit_test_setup(ect1_is_counted_as_ect1, setup),
    cmocka_unit_test_setup(ect1_that_became_ect0_fails, setup),
    cmocka_unit_test_setup(another_kind_is_tested_anew, setup),
    cmocka_unit_test_setup(each_kind_answers_for_itself, setup),
    cmocka_unit_test_setup(the_test_ends_in_time, setup),
    cmocka_unit_test_setup(a_mark_by_congestion_is_told_once, setup),
    cmocka_unit_test_setup(wiped_marks_fail, setup),
    cmocka_unit_test_setup(wiping_may_begin_later, setup),
    cmocka_unit_test_setup(changed_marks_fail, setup),
    cmocka_unit_test_setup(more_than_was_sent_fails, setup),
    cmocka_unit_test_setup(counts_that_fall_fail, setup),
    cmocka_unit_test_setup(a_path_that_marks_everything_fails, setup),
    cmocka_unit_test_setup(a_path_that_drops_marks_fails, setup),
    cmocka_unit_test_setup(losses_from_before_the_test_do_not_fail, setup),
    cmocka_unit_test_setup(ordinary_loss_does_not_fail, setup),
    cmocka_unit_test_setup(another_path_is_tested_anew, setup),
    cmocka_unit_test_setup(counts_may_wait, setup),
    cmocka_unit_test_setup(counts_that_stay_away_fail, setup),
    cmocka_unit_test_setup(unmarked_packets_need_no_counts, setup),
};

TERN_TEST_MAIN(tests)
