/* Messages that leave more than once: copies, and what was lost and leaves again in two packets.
 * SPDX-License-Identifier: MIT */
#include "unit/stream/message_kit.h"

/* --- copies ------------------------------------------------------------------------------------- */

/* One packet: `fresh` messages leave first, then copies as they fit. The tags of the copies, in `tags`. */
static size_t packet(struct kit_out *k, size_t fresh, size_t room, uint64_t *tags)
{
    struct tern_msgout_chunk c;
    size_t count = 0;
    tern_msgout_begin_packet(k->m);
    for (size_t i = 0; i < fresh; i++) {
        assert_true(tern_msgout_next(k->m, KIT_FULL, KIT_FULL, &c));
        tern_msgout_on_sent(k->m, &c, 0);
    }
    while (tern_msgout_next_copy(k->m, room, &c)) {
        assert_true(c.is_copy && c.is_again && !c.part.is_fragment);
        tags[count++] = c.part.number;
        tern_msgout_on_sent(k->m, &c, 0);
    }
    return count;
}

static void copies_go_newest_first_and_not_into_the_packet_of_the_first(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t n[32];
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 16, 100);
    for (uint64_t i = 0; i < 6; i++) {
        kit_post(&k, UNRELIABLE, i, 10);
    }
    assert_int_equal(packet(&k, 2, KIT_FULL, n), 0);
    assert_int_equal(packet(&k, 2, KIT_FULL, n), 2); /* 0 and 1, once in this packet */
    assert_true(n[0] == 1 && n[1] == 0);
    assert_int_equal(packet(&k, 1, KIT_FULL, n), 4);
    assert_true(n[0] == 3 && n[1] == 2 && n[2] == 1 && n[3] == 0);
    assert_int_equal(packet(&k, 1, KIT_FULL, n), 3); /* 0 and 1 have had their two */
    assert_true(n[0] == 4 && n[1] == 3 && n[2] == 2);
    assert_int_equal(tern_msgout_counters(k.m)->copies, 9);
    assert_int_equal(tern_msgout_counters(k.m)->resent, 0);
    kit_out_end(&k);
}

static void eighths_of_copies_are_spread_evenly(void **state)
{
    (void)state;
    for (unsigned eighths = 0; eighths <= 64; eighths += 3) {
        struct kit_out k;
        uint64_t n[512];
        kit_out_begin(&k);
        tern_msgout_set_copies(k.m, eighths, 100);
        for (uint64_t i = 0; i < 80; i++) {
            kit_post(&k, UNRELIABLE, i, 10);
        }
        assert_int_equal(packet(&k, 80, KIT_FULL, n), 0);
        size_t copies[80] = {0}, all = 0;
        for (int i = 0; i < 10; i++) {
            size_t count = packet(&k, 0, KIT_FULL, n);
            all += count;
            for (size_t j = 0; j < count; j++) {
                copies[n[j]]++;
            }
        }
        assert_int_equal(all, eighths * 10);
        for (size_t i = 0; i < 80; i++) {
            assert_in_range(copies[i], eighths / 8, eighths / 8 + (eighths % 8 != 0 ? 1 : 0));
        }
        kit_out_end(&k);
    }
}

static void what_is_not_worth_a_copy_gets_none(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t n[32];
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 8, 100);
    kit_post(&k, UNRELIABLE, 0, 101); /* too long */
    kit_post(&k, UNRELIABLE, 1, 3000);
    kit_post(&k, with_lifetime(UNRELIABLE, 5), 2, 10);
    kit_post(&k, LATEST, 3, 10);
    while (tern_msgout_top(k.m) < TERN_PRIORITIES) {
        (void)kit_leave(&k);
    }
    kit_post(&k, LATEST, 4, 10); /* 3 is superseded */
    kit_post(&k, UNRELIABLE, 5, 10);
    kit_post(&k, UNRELIABLE, 6, 10);
    kit_post(&k, UNRELIABLE, 7, 10);
    kit_post(&k, UNRELIABLE, 8, 10);
    (void)kit_leaves(&k, 4);
    struct tern_message_part acked = kit_leaves(&k, 5), lost = kit_leaves(&k, 6);
    (void)kit_leaves(&k, 7);
    struct tern_message_part last = kit_leaves(&k, 8);
    tern_msgout_on_acked(k.m, &acked);
    tern_msgout_on_lost(k.m, &lost, 0);
    tern_msgout_expire(k.m, 5);
    assert_int_equal(tern_msgout_cancel(k.m, 7), 1);
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 2); /* 8, and 4, number 1 of its lane */
    assert_true(n[0] == last.number && n[1] == 1);
    tern_msgout_set_copies(k.m, 0, 100);
    kit_post(&k, UNRELIABLE, 9, 10);
    (void)kit_leaves(&k, 9);
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 0);
    kit_out_end(&k);
}

static void copies_keep_to_the_room(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 8, 1000);
    kit_post(&k, UNRELIABLE, 0, 50);
    kit_post(&k, UNRELIABLE, 1, 500);
    (void)kit_leaves(&k, 0);
    (void)kit_leaves(&k, 1);
    tern_msgout_begin_packet(k.m);
    assert_true(tern_msgout_next_copy(k.m, 54, &c)); /* 500 does not fit, 50 does */
    assert_int_equal(c.part.number, 0);
    assert_false(tern_msgout_next_copy(k.m, 53, &c));
    kit_out_end(&k);
}

static void a_message_with_copies_is_lost_when_all_are(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t n[8];
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 16, 100);
    kit_post(&k, UNRELIABLE, 0, 10);
    struct tern_message_part part = kit_leaves(&k, 0);
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 1);
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 1);
    tern_msgout_on_lost(k.m, &part, 0);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_no_outcome(&k);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 0, TERN_OUTCOME_LOST);
    kit_out_end(&k);
}

static void a_message_that_was_lost_may_still_have_its_copies(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t n[8];
    kit_out_begin(&k);
    tern_msgout_set_copies(k.m, 8, 100);
    kit_post(&k, RELIABLE, 0, 10);
    struct tern_message_part part = kit_leaves(&k, 0);
    tern_msgout_begin_packet(k.m);
    tern_msgout_on_lost(k.m, &part, 0);
    assert_int_equal(packet(&k, 1, KIT_FULL, n), 0); /* it leaves again in this one */
    assert_int_equal(packet(&k, 1, KIT_FULL, n), 0); /* and in this one */
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 1);
    assert_int_equal(packet(&k, 0, KIT_FULL, n), 0);
    kit_out_end(&k);
}

/* --- lost, and sent again in two packets --------------------------------------------------------- */

/* Small ones insist; no copies. */
static void insist_begin(struct kit_out *k)
{
    kit_out_begin(k);
    tern_msgout_set_copies(k->m, 0, 100);
}

/* Posts it, loses it, and has it leave for the first time of two. */
static struct tern_message_part lose_once(struct kit_out *k, tern_send_options o, uint64_t tag)
{
    kit_post(k, o, tag, 10);
    struct tern_message_part part = kit_leaves(k, tag);
    tern_msgout_on_lost(k->m, &part, 0);
    (void)kit_leaves(k, tag);
    kit_nothing_leaves(k); /* in this packet */
    return part;
}

static void next_packet_is_empty(struct kit_out *k)
{
    assert_false(tern_msgout_wants(k->m));
    tern_msgout_begin_packet(k->m);
    kit_nothing_leaves(k);
}

static void what_was_lost_leaves_again_in_two_packets(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, RELIABLE, 1);
    for (unsigned round = 1; round < 5; round++) { /* and so each time that all is lost */
        assert_true(tern_msgout_wants(k.m));
        assert_true(kit_leave(&k).is_again);
        next_packet_is_empty(&k);
        assert_int_equal(tern_msgout_counters(k.m)->resent, 2 * round);
        tern_msgout_on_lost(k.m, &part, 0); /* one of the two */
        next_packet_is_empty(&k);
        tern_msgout_on_lost(k.m, &part, 0);
        (void)kit_leaves(&k, 1);
    }
    assert_int_equal(tern_msgout_counters(k.m)->copies, 0);
    tern_msgout_on_acked(k.m, &part);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void one_too_long_for_copies_leaves_again_once(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    kit_post(&k, RELIABLE, 1, 101);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 0);
    (void)kit_leaves(&k, 1);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void a_late_acknowledgement_saves_the_second_time(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, RELIABLE, 1);
    tern_msgout_on_acked(k.m, &part);
    kit_outcome(&k, 1, TERN_OUTCOME_ACKED);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void an_unreliable_one_never_insists(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    kit_post(&k, UNRELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    (void)kit_skip(&k, 0, 1, 0);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void a_probe_is_not_sent_twice(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    struct tern_message_part part = kit_leaves(&k, 1);
    tern_msgout_repeat(k.m, &part);
    (void)kit_leaves(&k, 1);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void a_probe_between_the_two_adds_nothing(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, limited(2), 1);
    tern_msgout_repeat(k.m, &part);
    (void)kit_leaves(&k, 1);
    next_packet_is_empty(&k);
    tern_msgout_on_lost(k.m, &part, 0);
    tern_msgout_on_lost(k.m, &part, 0);
    (void)kit_leaves(&k, 1); /* the probe cost none of the two */
    kit_no_outcome(&k);
    kit_out_end(&k);
}

static void a_limited_one_counts_the_two_once(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, limited(2), 1);
    for (unsigned left = 2; left-- > 0;) {
        (void)kit_leaves(&k, 1);
        next_packet_is_empty(&k);
        tern_msgout_on_lost(k.m, &part, 0);
        kit_no_outcome(&k);
        tern_msgout_on_lost(k.m, &part, 0);
        if (left > 0) {
            kit_no_outcome(&k);
            (void)kit_leaves(&k, 1);
        }
    }
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    (void)kit_skip(&k, 0, 1, 0);
    next_packet_is_empty(&k);
    kit_out_end(&k);
}

static void lost_between_the_two_it_waits_for_the_second(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, limited(1), 1);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_no_outcome(&k); /* the last that it may have is still to come */
    assert_true(tern_msgout_wants(k.m));
    (void)kit_leaves(&k, 1);
    tern_msgout_begin_packet(k.m);
    kit_nothing_leaves(&k);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    kit_out_end(&k);
}

static void one_that_dies_between_the_two_is_over(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    (void)lose_once(&k, with_lifetime(RELIABLE, 5), 1);
    tern_msgout_expire(k.m, 5);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    (void)kit_skip(&k, 0, 1, 74);
    next_packet_is_empty(&k);
    (void)lose_once(&k, RELIABLE, 2);
    assert_int_equal(tern_msgout_cancel(k.m, 2), 1);
    (void)kit_skip(&k, 1, 1, 74);
    next_packet_is_empty(&k);
    kit_no_outcome(&k);
    kit_out_end(&k);
}

static void a_newer_latest_saves_the_second_time(void **state)
{
    (void)state;
    struct kit_out k;
    insist_begin(&k);
    struct tern_message_part part = lose_once(&k, LATEST, 1);
    kit_post(&k, LATEST, 2, 10);
    kit_no_outcome(&k); /* it is in flight once, and may arrive */
    (void)kit_leaves(&k, 2);
    next_packet_is_empty(&k);
    tern_msgout_on_lost(k.m, &part, 0);
    kit_outcome(&k, 1, TERN_OUTCOME_EXPIRED);
    kit_out_end(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(copies_go_newest_first_and_not_into_the_packet_of_the_first),
    cmocka_unit_test(eighths_of_copies_are_spread_evenly),
    cmocka_unit_test(what_is_not_worth_a_copy_gets_none),
    cmocka_unit_test(copies_keep_to_the_room),
    cmocka_unit_test(a_message_with_copies_is_lost_when_all_are),
    cmocka_unit_test(a_message_that_was_lost_may_still_have_its_copies),
    cmocka_unit_test(what_was_lost_leaves_again_in_two_packets),
    cmocka_unit_test(one_too_long_for_copies_leaves_again_once),
    cmocka_unit_test(a_late_acknowledgement_saves_the_second_time),
    cmocka_unit_test(an_unreliable_one_never_insists),
    cmocka_unit_test(a_probe_is_not_sent_twice),
    cmocka_unit_test(a_probe_between_the_two_adds_nothing),
    cmocka_unit_test(a_limited_one_counts_the_two_once),
    cmocka_unit_test(lost_between_the_two_it_waits_for_the_second),
    cmocka_unit_test(one_that_dies_between_the_two_is_over),
    cmocka_unit_test(a_newer_latest_saves_the_second_time),
};

TERN_TEST_MAIN(tests)
