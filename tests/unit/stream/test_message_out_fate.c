/* What becomes of messages that left: acknowledged, lost, expired, skipped.
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"
#include "unit/stream/message_kit.h"

static tern_send_options with_depends(tern_send_options o, uint64_t depends)
{
    o.has_depends = true;
    o.depends = depends;
    return o;
}

/* --- loss --------------------------------------------------------------------------------------- */

static void a_reliable_message_is_sent_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    for (unsigned i = 1; i <= 100; i++) {
        kit_nothing_leaves(&k);
        tern_msgout_on_lost(k.m, &part, 0);
        struct tern_msgout_chunk c = kit_leave(&k);
        assert_true(c.is_again);
        assert_int_equal(c.part.number, 0);
        assert_int_equal(tern_msgout_counters(k.m)->resent, i);
    }
    kit_no_outcome(&k);
    tern_msgout_on_acked(k.m, &part);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_no_outcome(&k);
    kit_no_skip(&k);
    assert_int_equal(tern_msgout_counters(k.m)->sent, 1);
    assert_int_equal(tern_msgout_counters(k.m)->acked, 1);
    kit_out_end(&k);
}

static void a_lost_message_goes_in_front_of_its_priority(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options urgent = RELIABLE;
    urgent.priority = 1;
    kit_post(&k, RELIABLE, 1, 10);
    kit_post(&k, RELIABLE, 2, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    kit_post(&k, urgent, 3, 10);
    tern_msgout_on_lost(k.m, &part, 0);
    (void)kit_leaves(&k, 3);
    (void)kit_leaves(&k, 1);
    (void)kit_leaves(&k, 2);
    kit_out_end(&k);
}

static void an_unreliable_message_is_lost_with_its_packet(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, UNRELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_nothing_leaves(&k);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    (void)kit_skip(&k, 0, 1, 0);
    assert_int_equal(tern_msgout_counters(k.m)->lost, 1);
    assert_int_equal(tern_msgout_counters(k.m)->dropped, 0);
    kit_out_end(&k);
}

static void a_limited_message_is_sent_again_so_many_times(void **state)
{
    (void)state;
    for (unsigned limit = 0; limit < 4; limit++) {
        struct kit_out k;
        kit_out_begin(&k);
        kit_post(&k, limited(limit), 1, 10);
        struct tern_message_part part = kit_leaves(&k, 1);
        for (unsigned i = 0; i < limit; i++) {
            tern_msgout_on_lost(k.m, &part, 0);
            kit_no_outcome(&k);
            (void)kit_leaves(&k, 1);
        }
        tern_msgout_on_lost(k.m, &part, 0);
        kit_outcome(&k, 1, TERN_OUTCOME_LOST);
        kit_nothing_leaves(&k);
        kit_out_end(&k);
    }
}

static void a_long_limited_message_is_given_up_by_rounds(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part first[8], again[8];
    kit_out_begin(&k);
    kit_post(&k, limited(1), 1, 8000);
    for (size_t i = 0; i < 7; i++) {
        first[i] = kit_leaves(&k, 1);
    }
    for (size_t i = 0; i < 6; i++) { /* each part may be sent once more */
        tern_msgout_on_lost(k.m, &first[i], 0);
        again[i] = kit_leaves(&k, 1);
    }
    kit_no_outcome(&k);
    tern_msgout_on_lost(k.m, &again[2], 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    (void)kit_skip(&k, 0, 1, 0);
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

static void a_late_acknowledgement_takes_it_out_of_the_queue(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 0);
    assert_int_equal(tern_msgout_top(k.m), 3);
    tern_msgout_on_acked(k.m, &part);
    kit_nothing_leaves(&k);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_out_end(&k);
}

static void receipts_of_what_is_gone_are_ignored(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1), other = part;
    tern_msgout_on_acked(k.m, &part);
    tern_msgout_on_acked(k.m, &part);
    tern_msgout_on_lost(k.m, &part, 0);
    tern_msgout_repeat(k.m, &part);
    kit_post(&k, UNRELIABLE, 2, 10);
    part = kit_leaves(&k, 2);
    tern_msgout_on_lost(k.m, &part, 0);
    tern_msgout_on_acked(k.m, &part); /* a skip is owed for it all the same */
    tern_msgout_on_lost(k.m, &part, 0);
    other.number = 77;
    tern_msgout_on_acked(k.m, &other);
    other.channel = 700;
    tern_msgout_on_lost(k.m, &other, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_outcome(&k, 2, TERN_OUTCOME_LOST);
    kit_no_outcome(&k);
    (void)kit_skip(&k, 1, 1, 0);
    kit_out_end(&k);
}

static void only_the_lost_parts_of_a_long_message_are_sent_again(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part parts[9], part;
    kit_out_begin(&k);
    kit_post(&k, ORDERED, 1, 9000);
    for (size_t i = 0; i < 8; i++) {
        parts[i] = kit_leaves(&k, 1);
    }
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &parts[5], 0);
    tern_msgout_on_lost(k.m, &parts[1], 0);
    tern_msgout_on_lost(k.m, &parts[2], 0);
    tern_msgout_on_acked(k.m, &parts[2]); /* late */
    part = kit_leaves(&k, 1);
    assert_int_equal(part.offset, parts[1].offset);
    assert_int_equal(part.len, parts[1].len);
    part = kit_leaves(&k, 1);
    assert_int_equal(part.offset, parts[5].offset);
    kit_nothing_leaves(&k);
    for (size_t i = 0; i < 8; i++) {
        kit_no_outcome(&k);
        tern_msgout_on_acked(k.m, &parts[i]);
    }
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_out_end(&k);
}

static void a_late_acknowledgement_takes_a_part_out_of_the_queue(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part a, b;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 2000);
    a = kit_leaves(&k, 1);
    b = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &a, 0);
    assert_int_equal(tern_msgout_top(k.m), 3);
    tern_msgout_on_acked(k.m, &a);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &b, 0);
    (void)kit_leaves(&k, 1);
    tern_msgout_on_acked(k.m, &b);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_out_end(&k);
}

static void a_long_unreliable_message_is_lost_with_one_part(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, UNRELIABLE, 1, 5000);
    struct tern_message_part part = kit_leaves(&k, 1);
    (void)kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_nothing_leaves(&k); /* the rest is not sent either */
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    (void)kit_skip(&k, 0, 1, 0);
    kit_out_end(&k);
}

static void a_message_cut_otherwise_the_second_time_is_whole(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 1190);
    struct tern_message_part whole = kit_leaves(&k, 1);
    assert_false(whole.is_fragment);
    tern_msgout_on_lost(k.m, &whole, 0);
    uint32_t at = 0;
    while (tern_msgout_next(k.m, 400, 1100, &c)) {
        assert_true(c.part.is_fragment && c.is_again);
        assert_int_equal(c.part.offset, at);
        at += c.part.len;
        tern_msgout_on_sent(k.m, &c, 0);
        kit_no_outcome(&k);
        tern_msgout_on_acked(k.m, &c.part);
    }
    assert_int_equal(at, 1190);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    kit_out_end(&k);
}

/* --- probes ------------------------------------------------------------------------------------- */

static void a_probe_repeats_what_may_be_sent_again(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    kit_post(&k, UNRELIABLE, 2, 10);
    kit_post(&k, limited(0), 3, 10);
    struct tern_message_part a = kit_leaves(&k, 1), b = kit_leaves(&k, 2), c = kit_leaves(&k, 3);
    tern_msgout_repeat(k.m, &b);
    tern_msgout_repeat(k.m, &c);
    kit_nothing_leaves(&k);
    tern_msgout_repeat(k.m, &a);
    tern_msgout_repeat(k.m, &a);
    (void)kit_leaves(&k, 1);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &a, 0); /* the other is still on its way */
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &a, 0);
    (void)kit_leaves(&k, 1);
    kit_out_end(&k);
}

static void a_part_in_flight_twice_is_lost_when_both_are(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 3000);
    struct tern_message_part a = kit_leaves(&k, 1);
    (void)kit_leaves(&k, 1);
    (void)kit_leaves(&k, 1);
    tern_msgout_repeat(k.m, &a);
    assert_int_equal(kit_leaves(&k, 1).offset, 0);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &a, 0);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &a, 0);
    assert_int_equal(kit_leaves(&k, 1).offset, 0);
    kit_out_end(&k);
}

static void a_probe_of_what_is_queued_already_adds_nothing(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, limited(1), 1, 10);
    struct tern_message_part a = kit_leaves(&k, 1);
    tern_msgout_repeat(k.m, &a);
    tern_msgout_on_lost(k.m, &a, 0); /* it waits to be sent: nothing is over */
    kit_no_outcome(&k);
    (void)kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &a, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    kit_out_end(&k);
}

/* --- time --------------------------------------------------------------------------------------- */

static void messages_expire_in_the_order_of_their_time(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options o = kit_options(TERN_UNTIL_DEADLINE, TERN_UNORDERED, 0);
    assert_int_equal(tern_msgout_deadline(k.m), TERN_TIME_NEVER);
    for (uint64_t i = 0; i < 50; i++) {
        kit_post(&k, with_lifetime(o, 100 + i * 37 % 50), i * 37 % 50, 10);
    }
    kit_post(&k, RELIABLE, 99, 10);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(tern_msgout_deadline(k.m), 100 + i);
        tern_msgout_expire(k.m, 99 + i);
        kit_no_outcome(&k);
        tern_msgout_expire(k.m, 100 + i);
        kit_outcome(&k, i, TERN_OUTCOME_EXPIRED);
    }
    kit_no_skip(&k); /* nothing of them was sent */
    (void)kit_leaves(&k, 99);
    assert_int_equal(tern_msgout_deadline(k.m), TERN_TIME_NEVER);
    assert_int_equal(tern_msgout_counters(k.m)->expired, 50);
    kit_out_end(&k);
}

static void each_kind_with_a_lifetime_expires_in_flight(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (unsigned i = 0; i < 4; i++) {
        tern_send_options o = kit_options((tern_reliability)i, TERN_UNORDERED, i);
        kit_post(&k, with_lifetime(o, 10 + i), i, i == 2 ? 3000 : 10);
        struct tern_message_part part = kit_leaves(&k, i);
        tern_msgout_expire(k.m, 10 + i);
        kit_outcome(&k, i, TERN_OUTCOME_EXPIRED);
        tern_msgout_on_acked(k.m, &part);
        (void)kit_skip(&k, 0, 1, i == 0 ? 74 : i == 2 ? 3064 : 0);
        kit_nothing_leaves(&k);
        kit_no_outcome(&k);
    }
    kit_out_end(&k);
}

static void lost_after_its_time_it_is_expired(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options o = kit_options(TERN_UNTIL_DEADLINE, TERN_UNORDERED, 0);
    kit_post(&k, with_lifetime(o, 10), 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 9);
    (void)kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 10);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

/* --- dependents --------------------------------------------------------------------------------- */

static void the_death_of_one_ends_all_that_depend_on_it(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, UNRELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    kit_post(&k, with_depends(RELIABLE, 1), 2, 10);
    (void)kit_leaves(&k, 2);
    kit_post(&k, with_depends(RELIABLE, 1), 3, 10);
    kit_post(&k, with_depends(RELIABLE, 2), 4, 10); /* a chain */
    kit_post(&k, with_depends(RELIABLE, 4), 5, 10);
    kit_post(&k, with_depends(RELIABLE, 77), 6, 10);
    kit_post(&k, with_depends(kit_options(TERN_RELIABLE, TERN_ORDERED, 1), 1), 7, 10);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    for (uint64_t tag = 2; tag <= 5; tag++) {
        kit_outcome(&k, tag, TERN_OUTCOME_EXPIRED);
    }
    kit_no_outcome(&k);
    (void)kit_leaves(&k, 6);
    (void)kit_leaves(&k, 7); /* another channel */
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

/* Who ends looks through one list of many, in which others may stand by chance. */
static void dependents_that_share_a_list_do_not_mix(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, UNRELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    kit_post(&k, with_depends(RELIABLE, 1), 2, 10);
    uint64_t other = 3;
    while (tern_dependents_of(k.m, 0, other) != tern_dependents_of(k.m, 0, 1)) {
        other++;
    }
    uint32_t channel = 1;
    while (tern_dependents_of(k.m, channel, 1) != tern_dependents_of(k.m, 0, 1)) {
        channel++;
    }
    kit_post(&k, with_depends(RELIABLE, other), 4, 10);
    kit_post(&k, with_depends(kit_options(TERN_RELIABLE, TERN_ORDERED, channel), 1), 5, 10);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    kit_outcome(&k, 2, TERN_OUTCOME_EXPIRED);
    kit_no_outcome(&k);
    (void)kit_leaves(&k, 4);
    (void)kit_leaves(&k, 5);
    for (uint64_t tag = 10; tag < 1000; tag++) { /* and few of those that stand somewhere do here */
        kit_post(&k, with_depends(RELIABLE, tag), 10000 + tag, 1);
    }
    size_t n = 0;
    struct tern_list *head = tern_dependents_of(k.m, 0, 1);
    for (const struct tern_list *node = head->next; node != head; node = node->next) {
        n++;
    }
    assert_true(n < 10);
    kit_out_end(&k);
}

static void a_long_chain_of_dependents_ends_without_recursion(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, with_lifetime(RELIABLE, 5), 0, 1);
    for (uint64_t i = 1; i < 3000; i++) {
        kit_post(&k, with_depends(RELIABLE, i - 1), i, 1);
    }
    tern_msgout_expire(k.m, 5);
    assert_int_equal(tern_msgout_counters(k.m)->expired, 3000);
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

static void the_last_16_dead_of_a_channel_are_remembered(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (uint64_t i = 1; i <= 20; i++) {
        kit_post(&k, with_lifetime(RELIABLE, i), i, 1);
        tern_msgout_expire(k.m, i);
        kit_outcome(&k, i, TERN_OUTCOME_EXPIRED);
    }
    for (uint64_t i = 1; i <= 20; i++) {
        kit_post(&k, with_depends(UNRELIABLE, i), 100 + i, 1);
        if (i <= 4) {
            (void)kit_leaves(&k, 100 + i); /* forgotten */
        } else {
            kit_outcome(&k, 100 + i, TERN_OUTCOME_EXPIRED);
            i += i == 12 ? 8 : 0; /* those that expired are dead too: they push the eldest out */
        }
    }
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

static void one_that_ends_what_it_depends_on_is_dead(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, LATEST, 1, 10);
    kit_post(&k, with_depends(LATEST, 1), 2, 10);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    kit_outcome(&k, 2, TERN_OUTCOME_EXPIRED);
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

static void a_dead_tag_that_is_used_anew_lives(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (uint64_t i = 0; i < 3; i++) {
        kit_post(&k, with_lifetime(RELIABLE, 1), i, 1);
    }
    tern_msgout_expire(k.m, 1);
    assert_int_equal(tern_msgout_counters(k.m)->expired, 3);
    kit_post(&k, RELIABLE, 1, 1);
    kit_post(&k, with_depends(RELIABLE, 1), 8, 1);
    (void)kit_leaves(&k, 1);
    (void)kit_leaves(&k, 8);
    kit_post(&k, with_depends(RELIABLE, 0), 9, 1);
    kit_post(&k, with_depends(RELIABLE, 2), 10, 1);
    kit_nothing_leaves(&k);
    assert_int_equal(tern_msgout_counters(k.m)->expired, 5);
    kit_out_end(&k);
}

static void those_that_depend_on_an_acknowledged_or_cancelled_one_live(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    kit_post(&k, RELIABLE, 2, 10);
    kit_post(&k, with_depends(RELIABLE, 1), 3, 10);
    kit_post(&k, with_depends(RELIABLE, 2), 4, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_acked(k.m, &part);
    assert_int_equal(tern_msgout_cancel(k.m, 2), 1);
    (void)kit_leaves(&k, 3);
    (void)kit_leaves(&k, 4);
    kit_out_end(&k);
}

/* --- latest ------------------------------------------------------------------------------------- */

static void an_unsent_latest_is_replaced(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, LATEST, 1, 10);
    kit_post(&k, LATEST, 2, 10);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_LATEST, 1), 3, 10);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    kit_no_outcome(&k);
    assert_int_equal(kit_leaves(&k, 2).number, 0);
    (void)kit_leaves(&k, 3);
    kit_nothing_leaves(&k);
    kit_no_skip(&k);
    kit_out_end(&k);
}

static void a_sent_latest_is_not_sent_again_after_a_newer_one(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, LATEST, 1, 10);
    struct tern_message_part a = kit_leaves(&k, 1), b, c;
    kit_post(&k, LATEST, 2, 10);
    kit_no_outcome(&k); /* it may arrive */
    tern_msgout_repeat(k.m, &a);
    b = kit_leaves(&k, 2);
    tern_msgout_on_lost(k.m, &a, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &b, 0); /* the newest is sent again */
    kit_post(&k, LATEST, 3, 10);     /* until a newer one comes */
    kit_outcome(&k, 2, TERN_OUTCOME_EXPIRED);
    c = kit_leaves(&k, 3);
    assert_int_equal(c.number, 2);
    tern_msgout_on_acked(k.m, &c);
    kit_outcome(&k, 3, TERN_OUTCOME_ACKED);
    kit_nothing_leaves(&k);
    kit_no_skip(&k); /* nothing is owed */
    kit_out_end(&k);
}

static void a_long_latest_that_is_half_sent_gives_way(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, LATEST, 1, 5000);
    struct tern_message_part part = kit_leaves(&k, 1);
    kit_post(&k, LATEST, 2, 10);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    tern_msgout_on_lost(k.m, &part, 0);
    assert_int_equal(kit_leaves(&k, 2).number, 1);
    kit_nothing_leaves(&k);
    kit_no_skip(&k);
    kit_out_end(&k);
}

/* --- skips -------------------------------------------------------------------------------------- */

static void neighbours_of_equal_cost_are_one_skip(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part parts[10];
    kit_out_begin(&k);
    for (uint64_t i = 0; i < 10; i++) {
        kit_post(&k, with_lifetime(ORDERED, i == 4 ? 1000 : 10), i, i < 7 ? 10 : 20);
        parts[i] = kit_leaves(&k, i);
    }
    tern_msgout_expire(k.m, 10);
    (void)kit_skip(&k, 0, 4, 74);
    (void)kit_skip(&k, 5, 2, 74);
    assert_true(tern_msgout_wants(k.m));
    (void)kit_skip(&k, 7, 3, 84);
    assert_false(tern_msgout_wants(k.m));
    kit_no_skip(&k);
    (void)parts;
    kit_out_end(&k);
}

static void a_skip_is_said_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (uint64_t i = 0; i < 5; i++) {
        kit_post(&k, with_lifetime(ORDERED, 10), i, 10);
        (void)kit_leaves(&k, i);
    }
    tern_msgout_expire(k.m, 10);
    struct tern_message_skip skip = kit_skip(&k, 0, 5, 74), part = {0, TERN_LANE_ORDERED, 1, 2, 74};
    kit_no_skip(&k);
    tern_msgout_on_skip_lost(k.m, &skip);
    tern_msgout_on_skip_acked(k.m, &part); /* late */
    (void)kit_skip(&k, 0, 1, 74);
    (void)kit_skip(&k, 3, 2, 74);
    kit_no_skip(&k);
    tern_msgout_on_skip_acked(k.m, &skip);
    tern_msgout_on_skip_lost(k.m, &skip); /* it is over */
    tern_msgout_on_skip_acked(k.m, &skip);
    kit_no_skip(&k);
    kit_post(&k, ORDERED, 9, 10);
    assert_int_equal(kit_leaves(&k, 9).number, 5);
    kit_out_end(&k);
}

static void a_lost_skip_that_is_owed_again_grows(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part parts[4];
    kit_out_begin(&k);
    for (uint64_t i = 0; i < 4; i++) {
        kit_post(&k, UNRELIABLE, i, 10);
        parts[i] = kit_leaves(&k, i);
    }
    tern_msgout_on_lost(k.m, &parts[1], 0);
    struct tern_message_skip skip = kit_skip(&k, 1, 1, 0);
    tern_msgout_on_lost(k.m, &parts[2], 0);
    tern_msgout_on_lost(k.m, &parts[0], 0);
    tern_msgout_on_skip_lost(k.m, &skip);
    (void)kit_skip(&k, 0, 3, 0);
    kit_out_end(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_reliable_message_is_sent_until_it_is_acknowledged),
    cmocka_unit_test(a_lost_message_goes_in_front_of_its_priority),
    cmocka_unit_test(an_unreliable_message_is_lost_with_its_packet),
    cmocka_unit_test(a_limited_message_is_sent_again_so_many_times),
    cmocka_unit_test(a_long_limited_message_is_given_up_by_rounds),
    cmocka_unit_test(a_late_acknowledgement_takes_it_out_of_the_queue),
    cmocka_unit_test(receipts_of_what_is_gone_are_ignored),
    cmocka_unit_test(only_the_lost_parts_of_a_long_message_are_sent_again),
    cmocka_unit_test(a_late_acknowledgement_takes_a_part_out_of_the_queue),
    cmocka_unit_test(a_long_unreliable_message_is_lost_with_one_part),
    cmocka_unit_test(a_message_cut_otherwise_the_second_time_is_whole),
    cmocka_unit_test(a_probe_repeats_what_may_be_sent_again),
    cmocka_unit_test(a_part_in_flight_twice_is_lost_when_both_are),
    cmocka_unit_test(a_probe_of_what_is_queued_already_adds_nothing),
    cmocka_unit_test(messages_expire_in_the_order_of_their_time),
    cmocka_unit_test(each_kind_with_a_lifetime_expires_in_flight),
    cmocka_unit_test(lost_after_its_time_it_is_expired),
    cmocka_unit_test(the_death_of_one_ends_all_that_depend_on_it),
    cmocka_unit_test(dependents_that_share_a_list_do_not_mix),
    cmocka_unit_test(a_long_chain_of_dependents_ends_without_recursion),
    cmocka_unit_test(the_last_16_dead_of_a_channel_are_remembered),
    cmocka_unit_test(one_that_ends_what_it_depends_on_is_dead),
    cmocka_unit_test(a_dead_tag_that_is_used_anew_lives),
    cmocka_unit_test(those_that_depend_on_an_acknowledged_or_cancelled_one_live),
    cmocka_unit_test(an_unsent_latest_is_replaced),
    cmocka_unit_test(a_sent_latest_is_not_sent_again_after_a_newer_one),
    cmocka_unit_test(a_long_latest_that_is_half_sent_gives_way),
    cmocka_unit_test(neighbours_of_equal_cost_are_one_skip),
    cmocka_unit_test(a_skip_is_said_until_it_is_acknowledged),
    cmocka_unit_test(a_lost_skip_that_is_owed_again_grows),
};

TERN_TEST_MAIN(tests)
