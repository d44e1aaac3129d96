/* Long messages with a deadline: what leaves again unasked, when, and how often. [P §16.5]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "unit/stream/message_kit.h"

#define TRIP     (40 * TERN_MSEC)
#define PATIENCE (42 * TERN_MSEC)
#define LIFETIME (100 * TERN_MSEC)
#define LEN      5000
#define PARTS    5

static struct kit_out k;
static struct tern_msgout_chunk sent[PARTS];

static struct tern_msgout_chunk leave_at(tern_time now)
{
    struct tern_msgout_chunk c;
    memset(&c, 0, sizeof c);
    tern_msgout_expire(k.m, now);
    tern_msgout_begin_packet(k.m);
    assert_true(tern_msgout_next(k.m, KIT_FULL, KIT_FULL, &c));
    tern_msgout_on_sent(k.m, &c, now);
    return c;
}

/* One message of five parts, all of which leave at 0. */
static void begin(tern_reliability reliability, tern_time lifetime)
{
    tern_send_options o = kit_options(reliability, TERN_UNORDERED, 0);
    o.lifetime = lifetime;
    kit_out_begin(&k);
    tern_msgout_set_trip(k.m, TRIP, PATIENCE);
    kit_post(&k, o, 1, LEN);
    for (size_t i = 0; i < PARTS; i++) {
        sent[i] = leave_at(1);
    }
    kit_nothing_leaves(&k);
}

static void ack_but(size_t lost)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (i != lost) {
            tern_msgout_on_acked(k.m, &sent[i].part);
        }
    }
}

/* Runs until the message is given up; notes when something left, and checks that it was this part. */
static size_t watch(tern_time from, const struct tern_message_part *part, tern_time *times,
                    size_t most)
{
    size_t count = 0;
    for (tern_time now = from; tern_msgout_holds_any(k.m); now = tern_msgout_deadline(k.m)) {
        assert_true(now >= from && now <= LIFETIME);
        tern_msgout_expire(k.m, now);
        while (tern_msgout_top(k.m) < TERN_PRIORITIES) {
            struct tern_msgout_chunk c = leave_at(now);
            assert_true(c.is_again && count < most);
            assert_int_equal(c.part.offset, part->offset);
            assert_int_equal(c.part.len, part->len);
            times[count++] = now;
        }
    }
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    return count;
}

static void the_last_part_alone_asks_for_an_answer(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    for (size_t i = 0; i < PARTS; i++) {
        assert_int_equal(sent[i].immediate_ack, i == PARTS - 1);
    }
    kit_out_end(&k);
    begin(TERN_RELIABLE, 0);
    assert_false(sent[PARTS - 1].immediate_ack);
    kit_out_end(&k);
}

/* Nothing was sent behind it that would show the loss. */
static void an_end_that_is_lost_leaves_again_unasked(void **state)
{
    tern_time times[8];
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    ack_but(PARTS - 1);
    assert_int_equal(tern_msgout_deadline(k.m), 1 + PATIENCE);
    size_t count = watch(PATIENCE + 1, &sent[PARTS - 1].part, times, TERN_COUNT_OF(times));
    assert_true(count >= 3);
    assert_int_equal(times[0], 1 + PATIENCE);
    for (size_t i = 1; i < count; i++) {
        assert_true(times[i] >= times[i - 1] + 4 * TERN_MSEC);
        assert_true(times[i] + TRIP / 2 + 4 * TERN_MSEC <=
                    LIFETIME); /* else it cannot be in time */
    }
    kit_out_end(&k);
}

/* What is sent again after a loss, when there is no time for another, leaves several times. */
static void a_last_chance_is_taken_more_than_once(void **state)
{
    tern_time times[8];
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    ack_but(1);
    tern_msgout_on_lost(k.m, &sent[1].part, 41 * TERN_MSEC);
    (void)leave_at(41 * TERN_MSEC);
    size_t count = watch(41 * TERN_MSEC, &sent[1].part, times, TERN_COUNT_OF(times));
    assert_in_range(count, 2, 4);
    assert_true(times[0] >= 55 * TERN_MSEC); /* longer than a burst */
    kit_out_end(&k);
}

static void nothing_leaves_again_when_all_is_acknowledged(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    ack_but(PARTS);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    assert_int_equal(tern_msgout_deadline(k.m), TERN_TIME_NEVER);
    kit_out_end(&k);
}

/* A path that answers nothing is slow or dead: it is asked, not flooded. */
static void without_any_answer_the_end_alone_leaves(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    struct tern_msgout_chunk c = leave_at(1 + PATIENCE);
    assert_int_equal(c.part.offset + c.part.len, LEN);
    assert_in_range(c.part.len, 1024, 1024 + 16);
    assert_true(c.immediate_ack);
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

/* With a deadline far away losses have time to show, and each wait is twice the one before. */
static void a_distant_deadline_makes_patient(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, 10 * TERN_SEC);
    ack_but(2);
    tern_time at = 1;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tern_msgout_deadline(k.m), at + (PATIENCE << i));
        at = tern_msgout_deadline(k.m);
        assert_int_equal(leave_at(at).part.offset, sent[2].part.offset);
        kit_nothing_leaves(&k);
    }
    kit_out_end(&k);
}

/* Others that leave for the first time go before, but not until it is too late. */
static void a_repetition_lets_others_pass_for_a_while(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    ack_but(1);
    tern_msgout_on_lost(k.m, &sent[1].part, 41 * TERN_MSEC);
    (void)leave_at(41 * TERN_MSEC);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_UNORDERED, 1), 2, 50000);
    tern_time now = tern_msgout_deadline(k.m);
    assert_true(now < 65 * TERN_MSEC);
    assert_false(leave_at(now).is_again);
    while (now < LIFETIME - TRIP / 2 - 12 * TERN_MSEC) {
        now = tern_msgout_deadline(k.m);
        tern_msgout_expire(k.m, now);
    }
    assert_true(now < LIFETIME - TRIP / 2 - 4 * TERN_MSEC);
    assert_true(leave_at(now).is_again);
    kit_out_end(&k);
}

/* Only what has a deadline is in a hurry, and none that the path's round trip is not known for. */
static void others_wait_for_their_losses(void **state)
{
    const tern_reliability rows[] = {TERN_RELIABLE, TERN_LIMITED, TERN_UNRELIABLE};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        begin(rows[i], LIFETIME);
        assert_int_equal(tern_msgout_deadline(k.m), LIFETIME);
        kit_out_end(&k);
    }
    kit_out_begin(&k);
    tern_send_options o = kit_options(TERN_UNTIL_DEADLINE, TERN_UNORDERED, 0);
    o.lifetime = LIFETIME;
    kit_post(&k, o, 1, LEN);
    for (size_t i = 0; i < PARTS; i++) {
        sent[i] = leave_at(1);
    }
    assert_int_equal(tern_msgout_deadline(k.m), LIFETIME);
    assert_false(tern_msgout_can_mend(k.m, &sent[0], 1));
    kit_out_end(&k);
}

static void whoever_asks_is_told_whether_there_is_time(void **state)
{
    (void)state;
    begin(TERN_UNTIL_DEADLINE, LIFETIME);
    assert_true(tern_msgout_can_mend(k.m, &sent[0], 1));
    assert_false(tern_msgout_can_mend(k.m, &sent[0], 50 * TERN_MSEC));
    kit_out_end(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_last_part_alone_asks_for_an_answer),
    cmocka_unit_test(an_end_that_is_lost_leaves_again_unasked),
    cmocka_unit_test(a_last_chance_is_taken_more_than_once),
    cmocka_unit_test(nothing_leaves_again_when_all_is_acknowledged),
    cmocka_unit_test(without_any_answer_the_end_alone_leaves),
    cmocka_unit_test(a_distant_deadline_makes_patient),
    cmocka_unit_test(a_repetition_lets_others_pass_for_a_while),
    cmocka_unit_test(others_wait_for_their_losses),
    cmocka_unit_test(whoever_asks_is_told_whether_there_is_time),
};

TERN_TEST_MAIN(tests)
