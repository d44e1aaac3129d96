/* Sending messages: what is taken and refused, priorities, turns, credit.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"
#include "stream/message_state.h"
#include "unit/stream/message_kit.h"

/* --- what is refused ---------------------------------------------------------------------------- */

static void a_message_over_the_peers_limit_is_refused(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_config config = {
        .buffer = 1000000, .max_size = 100, .credit = 1000000, .channels = 8};
    kit_out_begin_with(&k, &config);
    assert_int_equal(kit_try(&k, RELIABLE, 1, 101, 0), TERN_ERR_LIMIT);
    assert_int_equal(kit_try(&k, RELIABLE, 1, 100, 0), 0);
    kit_out_end(&k);
}

static void a_channel_beyond_the_peers_limit_is_refused(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_config config = {
        .buffer = 1000000, .max_size = 100, .credit = 1000000, .channels = 8};
    kit_out_begin_with(&k, &config);
    assert_int_equal(kit_try(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 8), 1, 1, 0),
                     TERN_ERR_LIMIT);
    assert_int_equal(kit_try(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 7), 1, 1, 0), 0);
    kit_out_end(&k);
}

static void options_out_of_range_are_invalid(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options bad[7];
    for (size_t i = 0; i < 7; i++) {
        bad[i] = RELIABLE;
    }
    bad[0].priority = 8;
    bad[1].channel = TERN_CHANNELS;
    bad[2].reliability = TERN_UNTIL_DEADLINE;
    bad[3].reliability = (tern_reliability)4;
    bad[4].order = (tern_order)3;
    bad[5].size = sizeof bad[5] - 1;
    bad[6].size = 0;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(kit_try(&k, bad[i], 1, 1, 0), TERN_ERR_INVALID);
    }
    kit_nothing_leaves(&k);
    kit_no_outcome(&k);
    kit_out_end(&k);
}

static void a_weight_out_of_range_is_invalid(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    assert_int_equal(tern_msgout_set_weight(k.m, 0, 0), TERN_ERR_INVALID);
    assert_int_equal(tern_msgout_set_weight(k.m, 0, 256), TERN_ERR_INVALID);
    assert_int_equal(tern_msgout_set_weight(k.m, TERN_CHANNELS, 1), TERN_ERR_INVALID);
    assert_int_equal(tern_msgout_set_weight(k.m, TERN_CHANNELS - 1, 255), 0);
    kit_out_end(&k);
}

static void want_of_memory_at_any_call_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t fail = 1;; fail++) {
        struct kit_out k;
        kit_out_begin(&k);
        tern_send_options o = RELIABLE;
        o.lifetime = 100;
        k.heap.fail_at = k.heap.calls + fail;
        int rc = tern_msgout_send(k.m, "abc", 3, kit_release, &k.releases, &o, 0);
        bool is_over = rc == 0;
        if (!is_over) {
            assert_int_equal(rc, TERN_ERR_NOMEM);
            assert_int_equal(tern_msgout_top(k.m), TERN_PRIORITIES);
            assert_int_equal(tern_msgout_deadline(k.m), TERN_TIME_NEVER);
            assert_int_equal(k.releases, 0);
            k.heap.fail_at = 0;
            assert_int_equal(tern_msgout_send(k.m, "abc", 3, kit_release, &k.releases, &o, 0), 0);
        }
        k.heap.fail_at = 0;
        kit_out_end(&k);
        assert_int_equal(k.releases, 1);
        if (is_over) {
            assert_true(fail > 4);
            return;
        }
    }
}

static void want_of_memory_for_numbers_waits(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 3);
    k.heap.fail_at = k.heap.calls + 1;
    assert_false(tern_msgout_next(k.m, KIT_FULL, KIT_FULL, &c));
    k.heap.fail_at = 0;
    (void)kit_leaves(&k, 1);
    kit_out_end(&k);
}

/* --- what leaves -------------------------------------------------------------------------------- */

static void a_message_leaves_as_it_was_given(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options o = kit_options(TERN_RELIABLE, TERN_ORDERED, 65535);
    o.immediate_ack = true;
    kit_post(&k, o, 7, 50);
    assert_int_equal(tern_msgout_top(k.m), 3);
    struct tern_msgout_chunk c = kit_leave(&k);
    assert_int_equal(c.part.channel, 65535);
    assert_int_equal(c.part.lane, TERN_LANE_ORDERED);
    assert_true(c.part.uses_credit);
    assert_false(c.part.is_fragment);
    assert_int_equal(c.part.number, 0);
    assert_int_equal(c.part.len, 50);
    assert_int_equal(c.part.total, 50);
    assert_true(kit_matches(c.data, 7, 0, 50));
    assert_true(c.immediate_ack);
    assert_false(c.is_again);
    assert_false(c.is_copy);
    assert_int_equal(c.priority, 3);
    kit_nothing_leaves(&k);
    assert_int_equal(tern_msgout_counters(k.m)->sent, 1);
    assert_int_equal(tern_msgout_counters(k.m)->bytes, 50);
    kit_out_end(&k);
}

static void an_empty_message_leaves(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options o = RELIABLE;
    assert_int_equal(tern_msgout_send(k.m, NULL, 0, NULL, NULL, &o, 0), 0);
    struct tern_msgout_chunk c = kit_leave(&k);
    assert_int_equal(c.part.total, 0);
    tern_msgout_on_acked(k.m, &c.part);
    kit_outcome(&k, 0, TERN_OUTCOME_ACKED);
    kit_out_end(&k);
}

static void numbers_are_given_when_sent_by_lane(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    struct tern_msgout_chunk c;
    kit_post(&k, RELIABLE, 1, 5);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 0), 2, 5);
    kit_post(&k, kit_options(TERN_UNRELIABLE, TERN_LATEST, 0), 3, 5);
    kit_post(&k, RELIABLE, 4, 5);
    assert_true(tern_msgout_next(k.m, KIT_FULL, KIT_FULL, &c)); /* looked at, not sent */
    assert_int_equal(tern_msgout_cancel(k.m, 1), 1);
    assert_int_equal(kit_leaves(&k, 2).number, 0);
    assert_int_equal(kit_leaves(&k, 3).number, 0);
    assert_int_equal(kit_leaves(&k, 4).number, 0);
    kit_post(&k, RELIABLE, 5, 5);
    assert_int_equal(kit_leaves(&k, 5).number, 1);
    kit_out_end(&k);
}

static void credit_bits_are_as_the_protocol_has_them(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    static const bool expected[4][3] = {
        {true, true, false},  /* reliable: ordered, unordered, latest */
        {true, false, false}, /* unreliable */
        {true, true, false},  /* until a deadline */
        {true, false, false}, /* limited */
    };
    for (unsigned r = 0; r < 4; r++) {
        for (unsigned o = 0; o < 3; o++) {
            tern_send_options options = kit_options((tern_reliability)r, (tern_order)o, 0);
            options.lifetime = 1000;
            kit_post(&k, options, 1, 1);
            assert_int_equal(kit_leave(&k).part.uses_credit, expected[r][o]);
        }
    }
    kit_out_end(&k);
}

static void what_does_not_fit_waits_whole(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 500);
    assert_false(tern_msgout_next(k.m, 504, KIT_FULL, &c)); /* type, channel, number, length of 2 */
    assert_true(tern_msgout_next(k.m, 505, KIT_FULL, &c));
    tern_msgout_cancel(k.m, 1);
    kit_post(&k, RELIABLE, 2, 1150);
    assert_false(tern_msgout_next(k.m, 900, KIT_FULL, &c)); /* it would fit an empty packet */
    assert_true(tern_msgout_next(k.m, 900, 1000, &c));
    assert_true(c.part.is_fragment);
    kit_out_end(&k);
}

static void a_long_message_is_cut_into_parts_without_slivers(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 9, 5000);
    assert_false(tern_msgout_next(k.m, 64 + 5, KIT_FULL, &c)); /* a sliver */
    uint32_t at = 0;
    while (at < 5000) {
        struct tern_message_part part = kit_leaves(&k, 9);
        assert_true(part.is_fragment);
        assert_int_equal(part.offset, at);
        assert_int_equal(part.total, 5000);
        assert_int_equal(part.number, 0);
        assert_true(part.len > KIT_FULL - 26 || at + part.len == 5000);
        at += part.len;
        assert_int_equal(tern_msgout_counters(k.m)->sent, at == 5000);
    }
    kit_nothing_leaves(&k);
    kit_out_end(&k);
}

static void the_rest_of_a_message_may_be_a_sliver(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_msgout_chunk c;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 9, 1200);
    assert_true(tern_msgout_next(k.m, 1199, 1199, &c));
    tern_msgout_on_sent(k.m, &c, 0);
    assert_in_range(c.part.len, 1170, 1190);
    assert_true(tern_msgout_next(k.m, 64, 1199, &c));
    assert_int_equal(c.part.offset + c.part.len, 1200);
    kit_out_end(&k);
}

static void parts_never_exceed_the_room(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    uint64_t seed = 5;
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 70), 9, 900000);
    for (uint32_t at = 0; at < 900000;) {
        struct tern_msgout_chunk c;
        size_t room = 1 + kit_below(&seed, 40) * kit_below(&seed, 900);
        if (tern_msgout_next(k.m, room, room, &c)) {
            size_t head = 1 + 2 + 1 + tern_varint_size(c.part.offset) + 4;
            assert_true(head + tern_varint_size(c.part.len) + c.part.len <= room);
            assert_int_equal(c.part.offset, at);
            at += c.part.len;
            tern_msgout_on_sent(k.m, &c, 0);
        } else {
            assert_true(room < 100);
        }
    }
    kit_out_end(&k);
}

/* --- whose turn --------------------------------------------------------------------------------- */

static void priorities_are_strict(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (unsigned i = 0; i < 8; i++) {
        kit_post(&k, kit_with_priority(RELIABLE, 7 - i), 7 - i, 20);
        kit_post(&k, kit_with_priority(RELIABLE, 7 - i), 7 - i, 30);
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(tern_msgout_top(k.m), i / 2);
        assert_int_equal(kit_leaves(&k, i / 2).len, i % 2 == 0 ? 20 : 30);
    }
    kit_out_end(&k);
}

static void an_ordered_lane_is_first_in_first_out_whatever_the_priorities(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    tern_send_options o = kit_options(TERN_RELIABLE, TERN_ORDERED, 4);
    static const unsigned priorities[] = {5, 2, 7, 0, 3, 6};
    for (size_t i = 0; i < 6; i++) {
        kit_post(&k, kit_with_priority(o, priorities[i]), i, 20);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(kit_leaves(&k, i).number, i);
    }
    kit_post(&k, kit_with_priority(o, 0), 9, 20);
    assert_int_equal(tern_msgout_top(k.m), 0); /* nothing waits before it any more */
    kit_out_end(&k);
}

/* How many of `rounds` messages of 1000 bytes each of three channels sends. */
static void share(struct kit_out *k, unsigned rounds, unsigned *counts)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (uint32_t channel = 0; channel < 3; channel++) {
            kit_post(k, kit_options(TERN_RELIABLE, TERN_UNORDERED, channel), channel, 1000);
        }
    }
    for (unsigned i = 0; i < rounds; i++) {
        counts[kit_leave(k).part.channel]++;
    }
}

static void channels_take_turns_by_weight(void **state)
{
    (void)state;
    struct kit_out k;
    unsigned counts[3] = {0};
    kit_out_begin(&k);
    assert_int_equal(tern_msgout_set_weight(k.m, 1, 48), 0);
    assert_int_equal(tern_msgout_set_weight(k.m, 2, 1), 0);
    share(&k, 650, counts);
    assert_in_range(counts[0], 150, 170); /* 16 of 65 */
    assert_in_range(counts[1], 470, 490); /* 48 */
    assert_in_range(counts[2], 6, 14);    /* 1 */
    kit_out_end(&k);
}

static void equal_channels_share_bytes_not_messages(void **state)
{
    (void)state;
    struct kit_out k;
    uint64_t bytes[2] = {0};
    kit_out_begin(&k);
    for (unsigned i = 0; i < 1000; i++) {
        kit_post(&k, kit_options(TERN_UNRELIABLE, TERN_UNORDERED, 0), 0, 1000);
        kit_post(&k, kit_options(TERN_UNRELIABLE, TERN_UNORDERED, 1), 1, 100);
    }
    while (bytes[1] < 90000) {
        struct tern_msgout_chunk c = kit_leave(&k);
        bytes[c.part.channel] += c.part.len;
    }
    assert_in_range(bytes[0], 85000, 105000);
    kit_out_end(&k);
}

static void a_weight_changes_while_messages_wait(void **state)
{
    (void)state;
    struct kit_out k;
    unsigned counts[3] = {0};
    kit_out_begin(&k);
    for (unsigned i = 0; i < 100; i++) {
        kit_post(&k, kit_options(TERN_RELIABLE, TERN_UNORDERED, 0), 0, 1000);
    }
    assert_int_equal(tern_msgout_set_weight(k.m, 0, 255), 0);
    share(&k, 90, counts);
    assert_true(counts[0] > 70);
    while (tern_msgout_top(k.m) < TERN_PRIORITIES) {
        (void)kit_leave(&k);
    }
    kit_out_end(&k);
}

static void streams_are_one_member_of_weight_16(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    uint64_t streams = 0, messages = 0;
    for (unsigned i = 0; i < 3000; i++) {
        kit_post(&k, kit_options(TERN_UNRELIABLE, TERN_UNORDERED, i % 3), i, 995);
    }
    assert_false(tern_msgout_yields(k.m, 3));
    for (unsigned i = 0; i < 2000; i++) {
        if (tern_msgout_yields(k.m, 3)) {
            tern_msgout_on_stream_bytes(k.m, 3, 1200);
            streams += 1200;
        } else {
            (void)kit_leave(&k);
            messages += 1000;
        }
    }
    assert_in_range(streams * 100 / (streams + messages), 24, 26); /* 16 of 64 */
    for (unsigned i = 0; i < 1000; i++) {
        tern_msgout_on_stream_bytes(k.m, 3, 1200); /* alone for a while: no debt for ever */
    }
    unsigned alone = 0;
    while (!tern_msgout_yields(k.m, 3)) {
        (void)kit_leave(&k);
        alone++;
    }
    assert_in_range(alone, 1, 10);
    kit_out_end(&k);
}

/* --- credit ------------------------------------------------------------------------------------- */

static void begin_with_credit(struct kit_out *k, uint64_t credit)
{
    struct tern_msgout_config config = {
        .buffer = 1u << 24, .max_size = 1u << 20, .credit = credit, .channels = TERN_CHANNELS};
    kit_out_begin_with(k, &config);
}

static void credit_counts_length_and_64_when_first_sent(void **state)
{
    (void)state;
    struct kit_out k;
    begin_with_credit(&k, 2 * (100 + 64));
    for (uint64_t i = 0; i < 3; i++) {
        kit_post(&k, RELIABLE, i, 100);
    }
    struct tern_message_part part = kit_leaves(&k, 0);
    (void)kit_leaves(&k, 1);
    kit_nothing_leaves(&k);
    assert_false(tern_msgout_wants(k.m));
    tern_msgout_on_lost(k.m, &part, 0); /* what was sent needs no more */
    (void)kit_leaves(&k, 0);
    tern_msgout_on_max_data(k.m, 3 * 164 - 1);
    kit_nothing_leaves(&k);
    tern_msgout_on_max_data(k.m, 3 * 164);
    tern_msgout_on_max_data(k.m, 5); /* never falls */
    assert_true(tern_msgout_wants(k.m));
    (void)kit_leaves(&k, 2);
    kit_out_end(&k);
}

static void without_credit_only_those_that_need_it_wait(void **state)
{
    (void)state;
    struct kit_out k;
    begin_with_credit(&k, 0);
    kit_post(&k, kit_with_priority(RELIABLE, 0), 1, 10);
    kit_nothing_leaves(&k);
    kit_post(&k, kit_with_priority(UNRELIABLE, 0), 2, 10); /* same channel and priority */
    kit_post(&k, kit_with_priority(UNRELIABLE, 7), 3, 10);
    kit_post(&k, kit_options(TERN_LIMITED, TERN_UNORDERED, 1), 4, 10);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_LATEST, 1), 5, 10);
    (void)kit_leaves(&k, 2);
    (void)kit_leaves(&k, 4);
    (void)kit_leaves(&k, 5);
    (void)kit_leaves(&k, 3);
    kit_nothing_leaves(&k);
    tern_msgout_on_max_data(k.m, 74);
    assert_int_equal(tern_msgout_top(k.m), 0);
    (void)kit_leaves(&k, 1);
    kit_out_end(&k);
}

static void a_large_message_is_not_starved_of_credit_by_small_ones(void **state)
{
    (void)state;
    struct kit_out k;
    begin_with_credit(&k, 1000);
    kit_post(&k, RELIABLE, 1, 5000);
    kit_nothing_leaves(&k);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 9), 2, 10);
    kit_nothing_leaves(&k);
    kit_post(&k, kit_with_priority(RELIABLE, 2), 3, 10); /* more urgent: passes */
    (void)kit_leaves(&k, 3);
    assert_int_equal(tern_msgout_cancel(k.m, 1), 1); /* nothing is in the way any more */
    (void)kit_leaves(&k, 2);
    kit_out_end(&k);
}

static size_t length(const struct tern_list *list)
{
    size_t n = 0;
    for (const struct tern_list *node = list->next; node != list; node = node->next) {
        n++;
    }
    return n;
}

/* Credit for one message: one channel is looked at, not all that wait, and each in its turn. */
static void a_little_credit_wakes_one_channel(void **state)
{
    (void)state;
    struct kit_out k;
    begin_with_credit(&k, 0);
    for (uint32_t channel = 0; channel < 100; channel++) {
        kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, channel), channel, 2100);
        kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, channel), channel, 2100);
    }
    assert_int_equal(tern_msgout_top(k.m), TERN_PRIORITIES);
    struct tern_list *ring = &k.m->levels[3].ring;
    for (uint32_t i = 0; i < 200; i++) {
        tern_msgout_on_max_data(k.m, i * 2164 + 1); /* of no use yet */
        assert_true(length(ring) <= 3);
        assert_int_equal(tern_msgout_top(k.m), TERN_PRIORITIES);
        tern_msgout_on_max_data(k.m, (i + 1) * 2164);
        assert_true(length(ring) <= 3);
        struct tern_msgout_chunk c;
        for (uint32_t sent = 0; sent < 2100; sent += c.part.len) {
            tern_msgout_begin_packet(k.m);
            assert_true(tern_msgout_next(k.m, KIT_FULL, KIT_FULL, &c));
            assert_int_equal(c.part.channel, i % 100);
            tern_msgout_on_sent(k.m, &c, 0);
        }
    }
    assert_int_equal(tern_msgout_top(k.m), TERN_PRIORITIES);
    kit_out_end(&k);
}

static void ordered_messages_keep_their_order_without_credit(void **state)
{
    (void)state;
    struct kit_out k;
    begin_with_credit(&k, 100);
    tern_send_options o = kit_options(TERN_RELIABLE, TERN_ORDERED, 4);
    kit_post(&k, kit_with_priority(o, 2), 1, 500);
    kit_post(&k, kit_with_priority(o, 6), 2, 5);
    kit_nothing_leaves(&k);
    tern_msgout_on_max_data(k.m, 2000);
    assert_int_equal(kit_leaves(&k, 1).number, 0);
    assert_int_equal(kit_leaves(&k, 2).number, 1);
    kit_out_end(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_message_over_the_peers_limit_is_refused),
    cmocka_unit_test(a_channel_beyond_the_peers_limit_is_refused),
    cmocka_unit_test(options_out_of_range_are_invalid),
    cmocka_unit_test(a_weight_out_of_range_is_invalid),
    cmocka_unit_test(want_of_memory_at_any_call_changes_nothing),
    cmocka_unit_test(want_of_memory_for_numbers_waits),
    cmocka_unit_test(a_message_leaves_as_it_was_given),
    cmocka_unit_test(an_empty_message_leaves),
    cmocka_unit_test(numbers_are_given_when_sent_by_lane),
    cmocka_unit_test(credit_bits_are_as_the_protocol_has_them),
    cmocka_unit_test(what_does_not_fit_waits_whole),
    cmocka_unit_test(a_long_message_is_cut_into_parts_without_slivers),
    cmocka_unit_test(the_rest_of_a_message_may_be_a_sliver),
    cmocka_unit_test(parts_never_exceed_the_room),
    cmocka_unit_test(priorities_are_strict),
    cmocka_unit_test(an_ordered_lane_is_first_in_first_out_whatever_the_priorities),
    cmocka_unit_test(channels_take_turns_by_weight),
    cmocka_unit_test(equal_channels_share_bytes_not_messages),
    cmocka_unit_test(a_weight_changes_while_messages_wait),
    cmocka_unit_test(streams_are_one_member_of_weight_16),
    cmocka_unit_test(credit_counts_length_and_64_when_first_sent),
    cmocka_unit_test(without_credit_only_those_that_need_it_wait),
    cmocka_unit_test(a_large_message_is_not_starved_of_credit_by_small_ones),
    cmocka_unit_test(a_little_credit_wakes_one_channel),
    cmocka_unit_test(ordered_messages_keep_their_order_without_credit),
};

TERN_TEST_MAIN(tests)
