/* Messages received: delivery in each order, putting together, skips, events.
 * SPDX-License-Identifier: MIT */
#include "msgin_kit.h"

/* --- delivery ---------------------------------------------------------------------------------- */

static void nothing_has_come_yet(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    expect_none(&r);
    assert_false(tern_msgin_has_event(r.m));
    assert_false(tern_msgin_wants_limit(r.m));
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void an_empty_message_is_a_message(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 0, 0), 0);
    assert_int_equal(put(&r, 1, U, 0, 0), 0);
    assert_int_equal(put(&r, 1, L, 0, 0), 0);
    expect(&r, 1, O, 0, 0);
    expect(&r, 1, U, 0, 0);
    expect(&r, 1, L, 0, 0);
    expect_none(&r);
    end(&r);
}

static void unordered_ones_come_as_they_come(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 5, 10), 0);
    assert_int_equal(put(&r, 1, U, 0, 20), 0);
    assert_int_equal(put_credit(&r, 1, 3, 30), 0);
    expect(&r, 1, U, 5, 10);
    expect(&r, 1, U, 0, 20);
    expect(&r, 1, U, 3, 30);
    end(&r);
}

static void ordered_ones_wait_for_those_before(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 2, 10), 0);
    assert_int_equal(put(&r, 1, O, 4, 10), 0);
    assert_int_equal(put(&r, 1, O, 1, 10), 0);
    expect_none(&r);
    assert_int_equal(put(&r, 1, O, 0, 10), 0);
    expect(&r, 1, O, 0, 10);
    expect(&r, 1, O, 1, 10);
    expect(&r, 1, O, 2, 10);
    expect_none(&r);
    assert_int_equal(put(&r, 1, O, 3, 10), 0);
    expect(&r, 1, O, 3, 10);
    expect(&r, 1, O, 4, 10);
    expect_none(&r);
    end(&r);
}

static void ordered_ones_that_come_backwards_are_put_right(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint64_t n = 300; n-- > 0;) {
        assert_int_equal(put(&r, 7, O, n, 8), 0);
    }
    for (uint64_t n = 0; n < 300; n++) {
        expect(&r, 7, O, n, 8);
    }
    expect_none(&r);
    end(&r);
}

static void channels_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 1, 10), 0);
    assert_int_equal(put(&r, 2, O, 0, 10), 0);
    assert_int_equal(put(&r, 999, O, 0, 10), 0);
    expect(&r, 2, O, 0, 10);
    expect(&r, 999, O, 0, 10);
    expect_none(&r);
    end(&r);
}

static void the_orders_of_a_channel_are_numbered_by_themselves(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 1, 10), 0);
    assert_int_equal(put(&r, 1, U, 1, 10), 0);
    assert_int_equal(put(&r, 1, L, 1, 10), 0);
    expect(&r, 1, U, 1, 10);
    expect(&r, 1, L, 1, 10);
    expect_none(&r);
    assert_int_equal(put(&r, 1, O, 0, 10), 0);
    expect(&r, 1, O, 0, 10);
    expect(&r, 1, O, 1, 10);
    end(&r);
}

static void the_largest_number_is_taken(void **state)
{
    (void)state;
    struct receiver r;
    uint64_t last = (UINT64_C(1) << 62) - 1;
    begin(&r);
    assert_int_equal(put(&r, 1, U, last, 10), 0);
    assert_int_equal(put(&r, 1, L, last, 10), 0);
    assert_int_equal(put(&r, 1, L, last, 10), 0);
    expect(&r, 1, U, last, 10);
    expect(&r, 1, L, last, 10);
    expect_none(&r);
    assert_int_equal(put(&r, 1, U, last + 1, 10), TERN_ERR_PROTOCOL);
    end(&r);
}

/* --- never twice ------------------------------------------------------------------------------- */

static void a_message_is_delivered_once(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(&r, 1, U, 0, 10), 0);
        assert_int_equal(put(&r, 1, U, 4, 10), 0);
        assert_int_equal(put(&r, 1, O, 0, 10), 0);
        assert_int_equal(put(&r, 1, O, 4, 10), 0);
        assert_int_equal(put(&r, 1, L, 4, 10), 0);
    }
    expect(&r, 1, U, 0, 10);
    expect(&r, 1, U, 4, 10);
    expect(&r, 1, O, 0, 10);
    expect(&r, 1, L, 4, 10);
    expect_none(&r);
    assert_int_equal(tern_msgin_counters(r.m)->duplicates, 10);
    assert_int_equal(put(&r, 1, U, 0, 10), 0); /* and after it was received */
    expect_none(&r);
    end(&r);
}

static void a_number_between_two_others_is_known_again(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    static const uint64_t numbers[] = {10, 12, 11, 20, 9, 13, 0, 2, 1};
    for (size_t i = 0; i < TERN_COUNT_OF(numbers); i++) {
        assert_int_equal(put(&r, 1, U, numbers[i], 10), 0);
        expect(&r, 1, U, numbers[i], 10);
        for (size_t k = 0; k <= i; k++) {
            assert_int_equal(put(&r, 1, U, numbers[k], 10), 0);
        }
        expect_none(&r);
    }
    end(&r);
}

/* --- fragments --------------------------------------------------------------------------------- */

static void fragments_in_order_make_a_message(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, O, 0, 0, 1000, 3000), 0);
    assert_int_equal(piece(&r, O, 0, 1000, 1000, 3000), 0);
    expect_none(&r);
    assert_int_equal(piece(&r, O, 0, 2000, 1000, 3000), 0);
    expect(&r, 1, O, 0, 3000);
    end(&r);
}

static void fragments_out_of_order_make_a_message(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 4000, 1000, 5000), 0);
    assert_int_equal(piece(&r, U, 0, 2000, 1000, 5000), 0);
    assert_int_equal(piece(&r, U, 0, 0, 1000, 5000), 0);
    assert_int_equal(piece(&r, U, 0, 3000, 1000, 5000), 0);
    expect_none(&r);
    assert_int_equal(piece(&r, U, 0, 1000, 1000, 5000), 0);
    expect(&r, 1, U, 0, 5000);
    expect_none(&r);
    end(&r);
}

static void messages_in_fragments_may_interleave(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint32_t offset = 0; offset < 1000; offset += 100) {
        for (uint64_t n = 10; n-- > 0;) {
            assert_int_equal(piece(&r, O, n, offset, 100, 1000), 0);
        }
    }
    for (uint64_t n = 0; n < 10; n++) {
        expect(&r, 1, O, n, 1000);
    }
    expect_none(&r);
    end(&r);
}

static void what_came_first_stays(void **state)
{
    (void)state;
    struct receiver r;
    uint8_t wrong[300];
    struct tern_message_part part = part_on(1, U, 0, 300);
    memset(wrong, 0xee, sizeof wrong);
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 0, 100, 400), 0);
    assert_int_equal(piece(&r, U, 0, 200, 100, 400), 0);
    part.is_fragment = true;
    part.total = 400;
    assert_int_equal(tern_msgin_on_part(r.m, &part, wrong, false), 0); /* only 100..199 is new */
    assert_int_equal(piece(&r, U, 0, 300, 100, 400), 0);
    tern_message message = {.size = sizeof message};
    assert_int_equal(tern_msgin_receive(r.m, &message), 1);
    uint64_t body = body_of(1, U, 0);
    assert_true(kit_matches(message.data, body, 0, 100));
    assert_memory_equal(message.data + 100, wrong, 100);
    assert_true(kit_matches(message.data + 200, body, 200, 200));
    end(&r);
}

static void fragments_may_overlap_in_any_way(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 100, 100, 1000), 0);
    assert_int_equal(piece(&r, U, 0, 300, 100, 1000), 0);
    assert_int_equal(piece(&r, U, 0, 150, 200, 1000), 0); /* from one into the other */
    assert_int_equal(piece(&r, U, 0, 120, 10, 1000), 0);  /* inside */
    assert_int_equal(piece(&r, U, 0, 600, 100, 1000), 0);
    assert_int_equal(piece(&r, U, 0, 50, 900, 1000), 0); /* over all */
    assert_int_equal(piece(&r, U, 0, 0, 1000, 1000), 0);
    expect(&r, 1, U, 0, 1000);
    assert_int_equal(tern_msgin_counters(r.m)->duplicates, 1);
    end(&r);
}

static void a_whole_frame_completes_its_fragments(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, O, 0, 100, 100, 500), 0);
    assert_int_equal(put(&r, 1, O, 0, 500), 0);
    expect(&r, 1, O, 0, 500);
    expect_none(&r);
    assert_int_equal(piece(&r, O, 0, 0, 100, 500), 0);
    expect_none(&r);
    assert_int_equal(tern_msgin_counters(r.m)->duplicates, 1);
    end(&r);
}

static void a_fragment_may_hold_all_or_nothing(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 0, 10, 10), 0);
    expect(&r, 1, U, 0, 10);
    assert_int_equal(piece(&r, U, 1, 5, 0, 10), 0);
    expect_none(&r);
    assert_int_equal(piece(&r, U, 1, 0, 10, 10), 0);
    expect(&r, 1, U, 1, 10);
    assert_int_equal(tern_msgin_counters(r.m)->duplicates, 0);
    end(&r);
}

/* --- the latest -------------------------------------------------------------------------------- */

static void an_older_latest_one_is_ignored(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, L, 5, 10), 0);
    assert_int_equal(put(&r, 1, L, 4, 10), 0);
    expect(&r, 1, L, 5, 10);
    assert_int_equal(put(&r, 1, L, 3, 10), 0);
    expect_none(&r);
    assert_int_equal(tern_msgin_counters(r.m)->superseded, 0);
    end(&r);
}

static void a_newer_latest_one_takes_the_place_of_the_older(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 0, 10), 0);
    assert_int_equal(put(&r, 1, L, 0, 10), 0);
    assert_int_equal(put(&r, 2, L, 0, 10), 0);
    assert_int_equal(put(&r, 1, L, 1, 2000), 0);
    assert_int_equal(put(&r, 1, L, 7, 20), 0);
    expect(&r, 1, U, 0, 10);
    expect(&r, 1, L, 7, 20);
    expect(&r, 2, L, 0, 10);
    expect_none(&r);
    assert_int_equal(tern_msgin_counters(r.m)->superseded, 2);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void a_latest_one_that_is_lent_is_not_replaced(void **state)
{
    (void)state;
    struct receiver r;
    tern_message message;
    begin(&r);
    assert_int_equal(put(&r, 1, L, 0, 10), 0);
    assert_true(take(&r, &message));
    assert_int_equal(put(&r, 1, L, 1, 10), 0);
    assert_true(kit_matches(message.data, body_of(1, L, 0), 0, 10));
    expect(&r, 1, L, 1, 10);
    assert_int_equal(tern_msgin_counters(r.m)->superseded, 0);
    end(&r);
}

static void a_newer_latest_one_drops_older_parts(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, L, 3, 0, 100, 200), 0);
    assert_int_equal(piece(&r, L, 9, 0, 100, 200), 0);
    assert_int_equal(put(&r, 1, L, 5, 10), 0);
    assert_int_equal(tern_msgin_held(r.m), 10 + 64 + 200 + 64);
    assert_int_equal(piece(&r, L, 3, 100, 100, 200), 0); /* no longer */
    expect(&r, 1, L, 5, 10);
    assert_int_equal(piece(&r, L, 9, 100, 100, 200), 0); /* still */
    expect(&r, 1, L, 9, 200);
    expect_none(&r);
    end(&r);
}

static void a_latest_one_in_parts_replaces_as_well(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, L, 0, 10), 0);
    assert_int_equal(piece(&r, L, 1, 100, 100, 200), 0);
    assert_int_equal(tern_msgin_held(r.m), 10 + 64 + 200 + 64);
    assert_int_equal(piece(&r, L, 1, 0, 100, 200), 0);
    assert_int_equal(tern_msgin_held(r.m), 200 + 64);
    expect(&r, 1, L, 1, 200);
    expect_none(&r);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void four_latest_ones_may_be_unfinished(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint64_t n = 1; n <= 5; n++) {
        assert_int_equal(piece(&r, L, n, 0, 100, 200), 0);
    }
    assert_int_equal(piece(&r, L, 0, 0, 100, 200), 0); /* older than the four: ignored */
    assert_int_equal(tern_msgin_held(r.m), 4 * 264);
    assert_int_equal(piece(&r, L, 1, 100, 100, 200), 0);
    expect_none(&r);
    for (uint64_t n = 2; n <= 5; n++) {
        assert_int_equal(piece(&r, L, n, 100, 100, 200), 0);
        expect(&r, 1, L, n, 200);
    }
    end(&r);
}

/* --- skips ------------------------------------------------------------------------------------- */

static void a_skip_delivers_what_waited(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 3, 10), 0);
    assert_int_equal(put(&r, 1, O, 4, 10), 0);
    assert_int_equal(put(&r, 1, O, 8, 10), 0);
    assert_int_equal(give_up(&r, 1, O, 1, 2, 100), 0);
    expect_none(&r);
    assert_int_equal(give_up(&r, 1, O, 0, 1, 100), 0);
    expect(&r, 1, O, 3, 10);
    expect(&r, 1, O, 4, 10);
    expect_none(&r);
    assert_int_equal(give_up(&r, 1, O, 5, 10, 64), 0); /* 8 has come and is not touched */
    expect(&r, 1, O, 8, 10);
    assert_int_equal(put(&r, 1, O, 15, 10), 0);
    expect(&r, 1, O, 15, 10);
    end(&r);
}

static void a_skipped_number_is_ignored(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, U, 2, 3, 0), 0);
    for (uint64_t n = 0; n < 6; n++) {
        assert_int_equal(put(&r, 1, U, n, 10), 0);
    }
    expect(&r, 1, U, 0, 10);
    expect(&r, 1, U, 1, 10);
    expect(&r, 1, U, 5, 10);
    expect_none(&r);
    end(&r);
}

static void a_skip_of_what_was_delivered_changes_nothing(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 0, 100), 0);
    assert_int_equal(put(&r, 1, O, 1, 100), 0);
    expect(&r, 1, O, 0, 100);
    uint64_t held = tern_msgin_held(r.m);
    assert_int_equal(give_up(&r, 1, O, 0, 2, 164), 0);
    assert_int_equal(give_up(&r, 1, O, 0, 2, 164), 0);
    assert_int_equal(tern_msgin_held(r.m), held);
    expect(&r, 1, O, 1, 100);
    expect_none(&r);
    assert_int_equal(tern_msgin_take_limit(r.m), 80000 + 2 * 164);
    end(&r);
}

static void a_skip_drops_parts(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, O, 0, 100, 100, 1000), 0);
    assert_int_equal(piece(&r, O, 1, 0, 1000, 1000), 0);
    assert_int_equal(tern_msgin_held(r.m), 2 * 1064);
    assert_int_equal(give_up(&r, 1, O, 0, 1, 1064), 0);
    assert_int_equal(tern_msgin_held(r.m), 1064);
    assert_int_equal(piece(&r, O, 0, 0, 100, 1000), 0);
    expect(&r, 1, O, 1, 1000);
    expect_none(&r);
    assert_int_equal(tern_msgin_take_limit(r.m), 80000 + 2 * 1064); /* none counted twice */
    end(&r);
}

static void a_skip_repeated_counts_once(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(give_up(&r, 1, O, 5, 10, 1000), 0);
    }
    assert_int_equal(give_up(&r, 1, O, 0, 15, 1000), 0);
    assert_int_equal(tern_msgin_take_limit(r.m), 80000 + 15 * 1000);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void a_skip_of_nearly_all_numbers_costs_nothing(void **state)
{
    (void)state;
    struct receiver r;
    uint64_t all = (UINT64_C(1) << 62) - 1;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 5, 10), 0);
    assert_int_equal(give_up(&r, 1, U, 0, all, 0), 0);
    assert_int_equal(put(&r, 1, U, 1000000, 10), 0);
    expect(&r, 1, U, 5, 10);
    expect_none(&r);
    end(&r);
}

/* --- events ------------------------------------------------------------------------------------ */

static void the_event_comes_when_the_queue_was_empty(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 0, 10), 0);
    assert_true(tern_msgin_has_event(r.m));
    assert_true(tern_msgin_take_event(r.m));
    assert_false(tern_msgin_take_event(r.m));
    assert_int_equal(put(&r, 1, U, 1, 10), 0);
    assert_false(tern_msgin_has_event(r.m));
    expect(&r, 1, U, 0, 10);
    expect(&r, 1, U, 1, 10);
    assert_int_equal(put(&r, 1, U, 2, 10), 0); /* since the last was taken */
    assert_true(tern_msgin_take_event(r.m));
    end(&r);
}

static void no_event_outlives_the_queue(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, L, 0, 10), 0);
    expect(&r, 1, L, 0, 10);
    assert_false(tern_msgin_take_event(r.m));
    end(&r);
}

static void what_only_waits_is_no_event(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 1, 10), 0);
    assert_int_equal(piece(&r, U, 0, 0, 5, 10), 0);
    assert_false(tern_msgin_has_event(r.m));
    assert_int_equal(put(&r, 1, O, 0, 10), 0);
    assert_true(tern_msgin_take_event(r.m));
    expect(&r, 1, O, 0, 10);
    expect(&r, 1, O, 1, 10);
    assert_int_equal(piece(&r, U, 0, 5, 5, 10), 0);
    assert_true(tern_msgin_take_event(r.m));
    end(&r);
}

static void what_is_received_stays_until_the_next(void **state)
{
    (void)state;
    struct receiver r;
    tern_message first, second;
    begin(&r);
    assert_int_equal(put(&r, 1, O, 0, 1000), 0);
    assert_true(take(&r, &first));
    for (uint64_t n = 1; n < 20; n++) {
        assert_int_equal(put(&r, 1, O, n, 1000), 0);
        assert_int_equal(put(&r, 1, U, n, 1000), 0);
    }
    assert_true(kit_matches(first.data, body_of(1, O, 0), 0, 1000));
    assert_true(take(&r, &second));
    end(&r); /* while the second is lent */
}

static void the_counters_say_what_was_received(void **state)
{
    (void)state;
    struct receiver r;
    tern_message message;
    struct tern_message_part part = part_on(1, U, 0, 30);
    begin(&r);
    assert_int_equal(piece_of(&r, &part, true), 0);
    assert_int_equal(piece_of(&r, &part, true), 0);
    assert_int_equal(put(&r, 1, O, 0, 40), 0);
    assert_true(take(&r, &message));
    assert_true(message.is_recovered);
    assert_true(take(&r, &message));
    assert_false(message.is_recovered);
    const struct tern_msgin_counters *counters = tern_msgin_counters(r.m);
    assert_int_equal(counters->received, 2);
    assert_int_equal(counters->bytes, 70);
    assert_int_equal(counters->duplicates, 1);
    assert_int_equal(counters->recovered, 1);
    assert_int_equal(counters->dropped, 0);
    end(&r);
}

static void one_recovered_part_makes_a_recovered_message(void **state)
{
    (void)state;
    struct receiver r;
    tern_message message;
    struct tern_message_part part = part_on(1, U, 0, 100);
    part.is_fragment = true;
    part.total = 200;
    begin(&r);
    assert_int_equal(piece_of(&r, &part, false), 0);
    assert_int_equal(piece_of(&r, &part, true), 0); /* nothing new */
    part.offset = 100;
    assert_int_equal(piece_of(&r, &part, false), 0);
    part = part_on(1, U, 1, 100);
    part.is_fragment = true;
    part.total = 200;
    assert_int_equal(piece_of(&r, &part, true), 0);
    part.offset = 100;
    assert_int_equal(piece_of(&r, &part, false), 0);
    assert_true(take(&r, &message));
    assert_false(message.is_recovered);
    assert_true(take(&r, &message));
    assert_true(message.is_recovered);
    end(&r);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    tern_msgin_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_has_come_yet),
    cmocka_unit_test(an_empty_message_is_a_message),
    cmocka_unit_test(unordered_ones_come_as_they_come),
    cmocka_unit_test(ordered_ones_wait_for_those_before),
    cmocka_unit_test(ordered_ones_that_come_backwards_are_put_right),
    cmocka_unit_test(channels_do_not_wait_for_each_other),
    cmocka_unit_test(the_orders_of_a_channel_are_numbered_by_themselves),
    cmocka_unit_test(the_largest_number_is_taken),
    cmocka_unit_test(a_message_is_delivered_once),
    cmocka_unit_test(a_number_between_two_others_is_known_again),
    cmocka_unit_test(fragments_in_order_make_a_message),
    cmocka_unit_test(fragments_out_of_order_make_a_message),
    cmocka_unit_test(messages_in_fragments_may_interleave),
    cmocka_unit_test(what_came_first_stays),
    cmocka_unit_test(fragments_may_overlap_in_any_way),
    cmocka_unit_test(a_whole_frame_completes_its_fragments),
    cmocka_unit_test(a_fragment_may_hold_all_or_nothing),
    cmocka_unit_test(an_older_latest_one_is_ignored),
    cmocka_unit_test(a_newer_latest_one_takes_the_place_of_the_older),
    cmocka_unit_test(a_latest_one_that_is_lent_is_not_replaced),
    cmocka_unit_test(a_newer_latest_one_drops_older_parts),
    cmocka_unit_test(a_latest_one_in_parts_replaces_as_well),
    cmocka_unit_test(four_latest_ones_may_be_unfinished),
    cmocka_unit_test(a_skip_delivers_what_waited),
    cmocka_unit_test(a_skipped_number_is_ignored),
    cmocka_unit_test(a_skip_of_what_was_delivered_changes_nothing),
    cmocka_unit_test(a_skip_drops_parts),
    cmocka_unit_test(a_skip_repeated_counts_once),
    cmocka_unit_test(a_skip_of_nearly_all_numbers_costs_nothing),
    cmocka_unit_test(the_event_comes_when_the_queue_was_empty),
    cmocka_unit_test(no_event_outlives_the_queue),
    cmocka_unit_test(what_only_waits_is_no_event),
    cmocka_unit_test(what_is_received_stays_until_the_next),
    cmocka_unit_test(the_counters_say_what_was_received),
    cmocka_unit_test(one_recovered_part_makes_a_recovered_message),
    cmocka_unit_test(freeing_nothing_is_fine),
};

TERN_TEST_MAIN(tests)
