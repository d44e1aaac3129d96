/* Messages received from a peer that means ill, by an application that does not read, without memory.
 * SPDX-License-Identifier: MIT */
#include "msgin_kit.h"

static const uint64_t LAST = (UINT64_C(1) << 62) - 1;

/* --- what no peer may say ---------------------------------------------------------------------- */

static void a_message_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 0, 10001), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, 1, O, 0, 10001), TERN_ERR_PROTOCOL);
    assert_int_equal(piece(&r, L, 0, 0, 1, 10001), TERN_ERR_PROTOCOL);
    assert_int_equal(piece(&r, L, 0, 0, 1, UINT32_MAX), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_msgin_held(r.m), 0);
    assert_int_equal(put(&r, 1, U, 0, 10000), 0);
    expect(&r, 1, U, 0, 10000);
    end(&r);
}

static void a_channel_out_of_range_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1000, U, 0, 10), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, 65536, U, 0, 10), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, UINT32_MAX, O, 0, 10), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1000, U, 0, 1, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, UINT32_MAX, U, 0, 1, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(r.heap.blocks, 1); /* no lane came of it */
    assert_int_equal(put(&r, 999, U, 0, 10), 0);
    end(&r);
}

static void all_channels_can_be_used(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = small_config();
    config.channels = TERN_CHANNELS;
    receiver_init(&r, &config);
    for (uint32_t channel = 0; channel < TERN_CHANNELS; channel += 255) {
        assert_int_equal(put(&r, channel, O, 0, 10), 0);
        expect(&r, channel, O, 0, 10);
    }
    assert_int_equal(put(&r, TERN_CHANNELS, O, 0, 10), TERN_ERR_PROTOCOL);
    end(&r);
}

static void fragments_that_contradict_are_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 0, 10, 100), 0);
    assert_int_equal(piece(&r, U, 0, 10, 10, 101), TERN_ERR_PROTOCOL); /* total */
    assert_int_equal(piece(&r, U, 0, 10, 10, 99), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, 1, U, 0, 50), TERN_ERR_PROTOCOL);
    assert_int_equal(put_credit(&r, 1, 0, 100), TERN_ERR_PROTOCOL); /* credit */
    assert_int_equal(tern_msgin_held(r.m), 164);
    end(&r);
}

static void fragments_out_of_their_message_are_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, U, 0, 100, 1, 100), TERN_ERR_PROTOCOL);
    assert_int_equal(piece(&r, U, 0, UINT32_MAX, 10, 100), TERN_ERR_PROTOCOL);
    assert_int_equal(piece(&r, U, 0, 0, 101, 100), TERN_ERR_PROTOCOL);
    assert_int_equal(piece(&r, U, 0, 0, 0, 0), TERN_ERR_PROTOCOL); /* of nothing */
    struct tern_message_part part = part_on(1, U, 0, 10);
    part.total = 20; /* no fragment, and not all */
    assert_int_equal(piece_of(&r, &part, false), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void an_order_has_its_credit_bit(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_message_part part = part_on(1, L, 0, 10);
    begin(&r);
    part.uses_credit = true;
    assert_int_equal(piece_of(&r, &part, false), TERN_ERR_PROTOCOL);
    part = part_on(1, O, 0, 10);
    part.uses_credit = false;
    assert_int_equal(piece_of(&r, &part, false), TERN_ERR_PROTOCOL);
    part = part_on(1, TERN_LANES, 0, 10);
    assert_int_equal(piece_of(&r, &part, false), TERN_ERR_PROTOCOL);
    end(&r);
}

static void a_number_past_the_last_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, LAST + 1, 10), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, 1, U, UINT64_MAX, 10), TERN_ERR_PROTOCOL);
    assert_int_equal(put(&r, 1, U, LAST, 10), 0);
    expect(&r, 1, U, LAST, 10);
    end(&r);
}

static void a_skip_past_the_last_number_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, U, 1, LAST, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, LAST, 1, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, UINT64_MAX, UINT64_MAX, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, 5, UINT64_MAX - 4, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, 0, LAST, 0), 0);
    assert_int_equal(give_up(&r, 1, U, 0, 0, 0), 0);
    end(&r);
}

static void a_skip_costs_what_a_message_can(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, U, 0, 1, 63), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, 0, 1, 10065), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, O, 0, 1, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, 0, 1, 64), 0);
    assert_int_equal(give_up(&r, 1, U, 1, 1, 10064), 0);
    end(&r);
}

static void a_skip_of_latest_ones_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, L, 0, 1, 0), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, TERN_LANES, 0, 1, 0), TERN_ERR_PROTOCOL);
    end(&r);
}

static void a_skip_that_contradicts_parts_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(piece(&r, O, 3, 0, 10, 100), 0);
    assert_int_equal(piece(&r, U, 3, 0, 10, 100), 0);
    assert_int_equal(give_up(&r, 1, O, 0, 10, 165), TERN_ERR_PROTOCOL);
    assert_int_equal(give_up(&r, 1, U, 0, 10, 164), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_msgin_held(r.m), 2 * 164); /* and nothing was dropped */
    assert_int_equal(give_up(&r, 1, O, 0, 10, 164), 0);
    assert_int_equal(give_up(&r, 1, U, 0, 10, 0), 0);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

/* --- credit ------------------------------------------------------------------------------------ */

static void credit_ends_at_the_limit(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint64_t n = 0; n < 79; n++) {
        assert_int_equal(put(&r, 1, O, n, 936), 0); /* 1000 each */
    }
    assert_int_equal(put(&r, 1, O, 79, 937), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(piece(&r, O, 79, 0, 1, 937), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(give_up(&r, 1, O, 79, 1, 1001), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(tern_msgin_held(r.m), 79000);
    assert_int_equal(put(&r, 1, O, 79, 936), 0);
    assert_int_equal(put_credit(&r, 2, 0, 0), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(put(&r, 1, O, 5, 936), 0); /* one of before costs nothing */
    end(&r);
}

static void a_skip_beyond_the_credit_is_refused(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, O, 0, 81, 1000), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(give_up(&r, 1, O, 0, LAST, 64), TERN_ERR_FLOW_CONTROL); /* would wrap */
    assert_int_equal(give_up(&r, 1, U, 0, UINT64_C(1) << 58, 64), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(give_up(&r, 1, U, 1, UINT64_C(1) << 58, 64), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(tern_msgin_take_limit(r.m), 80000);
    assert_int_equal(give_up(&r, 1, O, 0, 80, 1000), 0);
    assert_int_equal(tern_msgin_take_limit(r.m), 160000);
    end(&r);
}

static void credit_is_counted_with_the_first_part(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint64_t n = 0; n < 8; n++) {
        assert_int_equal(piece(&r, O, n, 9000, 1, 9936), 0); /* 10000 each */
    }
    assert_int_equal(piece(&r, O, 8, 0, 1, 9936), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(put(&r, 1, O, 3, 9936), 0); /* it was counted */
    end(&r);
}

static void credit_comes_back_as_messages_are_taken(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (uint64_t n = 0; n < 20; n++) {
        assert_int_equal(put(&r, 1, O, n, 936), 0);
    }
    for (uint64_t n = 0; n < 10; n++) {
        expect(&r, 1, O, n, 936);
        assert_false(tern_msgin_wants_limit(r.m)); /* the tenth is still lent */
    }
    expect(&r, 1, O, 10, 936);
    assert_true(tern_msgin_wants_limit(r.m)); /* an eighth of the window */
    assert_int_equal(tern_msgin_take_limit(r.m), 90000);
    assert_false(tern_msgin_wants_limit(r.m));
    for (uint64_t n = 11; n < 20; n++) {
        expect(&r, 1, O, n, 936);
    }
    expect_none(&r);
    assert_int_equal(tern_msgin_take_limit(r.m), 100000);
    end(&r);
}

/* All was taken, so nothing more will come of itself: either news of the limit leaves, or the sender has
 * enough left for the longest message. */
static void credit_for_the_longest_message_comes_in_time(void **state)
{
    (void)state;
    for (uint64_t window = 1000; window <= 1300; window++) {
        struct receiver r;
        struct tern_msgin_config config = {
            .max_size = 936, .channels = 1, .window = window, .queue = 1000};
        uint64_t told = window, used = 0, number = 0, news = 0, seed = window;
        receiver_init(&r, &config);
        for (int i = 0; i < 100; i++) {
            uint32_t len = (uint32_t)kit_below(&seed, 200);
            assert_int_equal(put(&r, 0, O, number, len), 0);
            used += len + 64;
            expect(&r, 0, O, number++, len);
            expect_none(&r);
            if (tern_msgin_wants_limit(r.m)) {
                told = tern_msgin_take_limit(r.m);
                news++;
            }
            assert_true(told - used >= 1000);
        }
        assert_true(window == 1000 ? news == 100 : news > 0);
        end(&r);
    }
}

static void a_lost_limit_is_told_again(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, O, 0, 10, 1000), 0);
    assert_int_equal(tern_msgin_take_limit(r.m), 90000);
    tern_msgin_on_limit_lost(r.m, 90000);
    assert_true(tern_msgin_wants_limit(r.m));
    assert_int_equal(tern_msgin_take_limit(r.m), 90000);
    assert_int_equal(give_up(&r, 1, O, 10, 10, 1000), 0);
    assert_int_equal(tern_msgin_take_limit(r.m), 100000);
    tern_msgin_on_limit_lost(r.m, 90000); /* a larger one was told since */
    assert_false(tern_msgin_wants_limit(r.m));
    end(&r);
}

static void what_is_refused_leaves_no_trace(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(give_up(&r, 1, O, 0, 75, 1000), 0);
    assert_int_equal(piece(&r, O, 75, 0, 10, 9000), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(put(&r, 1, O, 75, 6000), TERN_ERR_FLOW_CONTROL);
    assert_int_equal(tern_msgin_held(r.m), 0);
    assert_int_equal(put(&r, 1, O, 75, 4936), 0);
    expect(&r, 1, O, 75, 4936);
    end(&r);
}

/* --- the queue --------------------------------------------------------------------------------- */

static void the_oldest_parts_make_room_first(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r); /* 20000 */
    assert_int_equal(put(&r, 1, U, 0, 4936), 0);
    assert_int_equal(piece(&r, U, 1, 0, 10, 4936), 0);
    assert_int_equal(piece(&r, L, 2, 0, 10, 4936), 0);
    assert_int_equal(put(&r, 2, L, 0, 4936), 0);
    assert_int_equal(put(&r, 2, U, 0, 936), 0); /* the part of 1 goes */
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 1);
    assert_int_equal(tern_msgin_held(r.m), 16000);
    assert_int_equal(piece(&r, U, 1, 10, 4926, 4936), 0); /* ignored */
    assert_int_equal(tern_msgin_held(r.m), 16000);
    assert_int_equal(piece(&r, L, 2, 10, 4926, 4936), 0); /* still there */
    expect(&r, 1, U, 0, 4936);
    expect(&r, 2, L, 0, 4936);
    expect(&r, 2, U, 0, 936);
    expect(&r, 1, L, 2, 4936);
    expect_none(&r);
    end(&r);
}

static void then_unordered_ones_then_latest_ones(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, L, 0, 4936), 0);
    assert_int_equal(put(&r, 2, L, 0, 4936), 0);
    assert_int_equal(put(&r, 1, U, 0, 4936), 0);
    assert_int_equal(put(&r, 1, U, 1, 4936), 0);
    assert_int_equal(put(&r, 1, U, 2, 4936), 0);
    assert_int_equal(put(&r, 1, U, 0, 4936), 0); /* dropped, and ignored */
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 1);
    assert_int_equal(put(&r, 3, L, 0, 9936), 0); /* both unordered ones */
    assert_int_equal(put(&r, 4, L, 0, 4936), 0); /* the latest one of 1 */
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 4);
    expect(&r, 2, L, 0, 4936);
    expect(&r, 3, L, 0, 9936);
    expect(&r, 4, L, 0, 4936);
    expect_none(&r);
    assert_int_equal(put(&r, 1, L, 0, 4936), 0); /* it was dropped: not again */
    expect_none(&r);
    end(&r);
}

static void credit_messages_make_no_room(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put_credit(&r, 1, 0, 9936), 0);
    assert_int_equal(put(&r, 1, O, 0, 9936), 0);
    for (uint64_t n = 1; n < 50; n++) {
        assert_int_equal(put(&r, 1, U, n, 936), 0);
    }
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 29);
    assert_int_equal(tern_msgin_held(r.m), 40000);
    expect(&r, 1, U, 0, 9936);
    expect(&r, 1, O, 0, 9936);
    expect(&r, 1, U, 30, 936);
    end(&r);
}

static void a_message_larger_than_the_queue_is_dropped(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = small_config();
    config.queue = 5000;
    receiver_init(&r, &config);
    assert_int_equal(put(&r, 1, U, 0, 100), 0);
    assert_int_equal(put(&r, 1, L, 0, 100), 0);
    assert_int_equal(put(&r, 1, U, 1, 4937), 0);
    assert_int_equal(piece(&r, U, 2, 0, 100, 9000), 0);
    assert_int_equal(piece(&r, U, 2, 100, 100, 9000), 0);
    assert_int_equal(put(&r, 1, L, 1, 4937), 0);
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 3); /* each once */
    expect(&r, 1, U, 0, 100);                               /* and nothing went for them */
    expect(&r, 1, L, 0, 100);
    expect_none(&r);
    assert_int_equal(put(&r, 1, O, 0, 9000), 0); /* with credit it is another matter */
    expect(&r, 1, O, 0, 9000);
    expect_none(&r);
    assert_int_equal(put(&r, 1, U, 3, 4936), 0);
    expect(&r, 1, U, 3, 4936);
    end(&r);
}

static void what_is_lent_is_not_dropped(void **state)
{
    (void)state;
    struct receiver r;
    tern_message message;
    struct tern_msgin_config config = small_config();
    config.queue = 5000;
    receiver_init(&r, &config);
    assert_int_equal(put(&r, 1, U, 0, 4000), 0);
    assert_true(take(&r, &message));
    assert_int_equal(put(&r, 1, U, 1, 3000), 0);
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 1);
    assert_true(kit_matches(message.data, body_of(1, U, 0), 0, 4000));
    assert_int_equal(put(&r, 1, L, 0, 800), 0);
    assert_int_equal(put(&r, 1, L, 1, 900), 0); /* no room: the older one stays */
    expect(&r, 1, L, 0, 800);
    expect_none(&r);
    assert_int_equal(tern_msgin_held(r.m), 0);
    end(&r);
}

static void a_latest_one_finds_the_room_of_its_predecessor(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 0, 9936), 0);
    for (uint64_t n = 0; n < 20; n++) {
        assert_int_equal(put(&r, 1, L, n, 9936), 0);
    }
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 0);
    assert_int_equal(tern_msgin_counters(r.m)->superseded, 19);
    expect(&r, 1, U, 0, 9936);
    expect(&r, 1, L, 19, 9936);
    end(&r);
}

static void the_event_goes_with_what_is_dropped(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    assert_int_equal(put(&r, 1, U, 0, 9936), 0);
    assert_int_equal(put(&r, 1, U, 1, 9936), 0);
    for (uint64_t n = 2; n < 5; n++) {
        assert_int_equal(piece(&r, U, n, 0, 1, 9936), 0);
    }
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 3);
    assert_true(tern_msgin_has_message(r.m) == tern_msgin_take_event(r.m));
    end(&r);
}

/* --- gaps -------------------------------------------------------------------------------------- */

static void a_lane_keeps_a_thousand_gaps(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    for (enum tern_lane lane = U; lane <= O; lane++) {
        for (uint64_t n = 1; n <= TERN_MSGIN_GAPS; n++) {
            assert_int_equal(put(&r, 1, lane, 2 * n, 0), 0);
        }
        struct tern_msgin_counters before = *tern_msgin_counters(r.m);
        uint64_t held = tern_msgin_held(r.m);
        assert_int_equal(put(&r, 1, lane, 5000, 0), TERN_ERR_AGAIN);
        assert_int_equal(piece(&r, lane, 5000, 0, 1, 10), TERN_ERR_AGAIN);
        assert_int_equal(give_up(&r, 1, lane, 5000, 5, 64), TERN_ERR_AGAIN);
        assert_memory_equal(&before, tern_msgin_counters(r.m), sizeof before);
        assert_int_equal(tern_msgin_held(r.m), held);
        assert_int_equal(put(&r, 1, lane, 2049, 0), 0); /* at the end of one that has come */
        assert_int_equal(put(&r, 1, lane, 501, 0), 0);  /* closes one */
        assert_int_equal(put(&r, 1, lane, 5000, 0), 0);
        assert_int_equal(put(&r, 1, lane, 5002, 0), TERN_ERR_AGAIN);
    }
    end(&r);
}

static void all_lanes_keep_so_many_gaps(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = small_config();
    receiver_init(&r, &config);
    for (uint32_t channel = 0; channel < TERN_MSGIN_GAPS_ALL / 1000; channel++) {
        for (uint64_t n = 0; n < 1000; n++) {
            assert_int_equal(give_up(&r, channel, U, 2 * n + 1, 1, 0), 0);
        }
    }
    for (uint64_t n = 0; n < TERN_MSGIN_GAPS_ALL % 1000; n++) {
        assert_int_equal(give_up(&r, 500, U, 2 * n + 1, 1, 0), 0);
    }
    assert_int_equal(give_up(&r, 501, U, 5, 1, 0), TERN_ERR_AGAIN);
    assert_int_equal(put(&r, 501, U, 5, 10), TERN_ERR_AGAIN);
    assert_int_equal(put(&r, 501, U, 0, 10), 0);
    assert_int_equal(put(&r, 501, L, 5, 10), 0);
    assert_true(r.heap.bytes < (uint64_t)TERN_MSGIN_GAPS_ALL * 128); /* [P §14] */
    assert_int_equal(give_up(&r, 3, U, 0, 10, 0), 0);
    assert_int_equal(give_up(&r, 501, U, 5, 1, 0), 0);
    end(&r);
}

static void gaps_give_their_memory_back(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    tern_slab_init(&r.slab, &r.mem, 0); /* which keeps nothing */
    for (uint32_t channel = 0; channel < 100; channel++) {
        for (uint64_t n = 1; n <= TERN_MSGIN_GAPS; n++) {
            assert_int_equal(give_up(&r, channel, U, 2 * n, 1, 0), 0);
        }
        assert_int_equal(give_up(&r, channel, U, 4, 2 * TERN_MSGIN_GAPS, 0), 0); /* two are left */
    }
    assert_true(r.heap.bytes < 100000);
    end(&r);
}

static void a_message_keeps_few_gaps(void **state)
{
    (void)state;
    struct receiver r;
    begin(&r);
    uint32_t at = 10; /* 2, and one for each 512 bytes */
    for (int i = 0; i < 2 + 19; i++, at += 20) {
        assert_int_equal(piece(&r, U, 0, at, 10, 10000), 0);
    }
    assert_int_equal(piece(&r, U, 0, at, 10, 10000), TERN_ERR_AGAIN);
    assert_int_equal(tern_msgin_counters(r.m)->duplicates, 0);
    assert_int_equal(piece(&r, U, 0, 20, 10, 10000), 0);
    assert_int_equal(piece(&r, U, 0, at, 10, 10000), 0);
    assert_int_equal(piece(&r, U, 0, 0, 10000, 10000), 0);
    expect(&r, 1, U, 0, 10000);
    end(&r);
}

static void a_large_message_keeps_a_thousand_gaps(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = {
        .max_size = 1 << 20, .channels = 1000, .window = 1 << 21, .queue = 1 << 21};
    receiver_init(&r, &config);
    for (uint32_t i = 0; i < TERN_MSGIN_GAPS; i++) {
        assert_int_equal(piece(&r, O, 0, 2 * i + 1, 1, 1 << 20), 0);
    }
    assert_int_equal(piece(&r, O, 0, 5000, 1, 1 << 20), TERN_ERR_AGAIN);
    for (uint32_t at = 0; at < 1 << 20; at += 65536) {
        assert_int_equal(piece(&r, O, 0, at, 65536, 1 << 20), 0);
    }
    expect(&r, 1, O, 0, 1 << 20);
    end(&r);
}

static void a_lane_keeps_a_thousand_unfinished(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = small_config();
    config.window = config.queue = 1 << 20;
    receiver_init(&r, &config);
    for (uint64_t n = 0; n < 1024; n++) {
        assert_int_equal(piece(&r, O, n, 1, 1, 3), 0);
        assert_int_equal(piece(&r, U, n, 1, 1, 3), 0);
    }
    assert_int_equal(piece(&r, O, 1024, 1, 1, 3), TERN_ERR_AGAIN);
    assert_int_equal(piece(&r, U, 1024, 1, 1, 3), 0); /* of those without credit the oldest goes */
    assert_int_equal(tern_msgin_counters(r.m)->dropped, 1);
    assert_int_equal(tern_msgin_held(r.m), 2048 * 67);
    assert_int_equal(put(&r, 1, U, 0, 3), 0);
    expect_none(&r);
    for (uint64_t n = 0; n < 1024; n++) {
        assert_int_equal(put(&r, 1, O, n, 3), 0);
        expect(&r, 1, O, n, 3);
    }
    end(&r);
}

/* --- memory ------------------------------------------------------------------------------------ */

/* The slab keeps nothing, so that what the heap counts is what the messages cost. */
static void a_receiver_that_never_reads_holds_no_more(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = {
        .max_size = 1000, .channels = 8, .window = 1 << 20, .queue = 1 << 19};
    uint64_t seed = 5, numbers[8][TERN_LANES] = {{0}};
    receiver_init(&r, &config);
    tern_slab_init(&r.slab, &r.mem, 0);
    for (int i = 0; i < 60000; i++) {
        uint32_t channel = (uint32_t)kit_below(&seed, 8);
        enum tern_lane lane = (enum tern_lane)kit_below(&seed, TERN_LANES);
        struct tern_message_part part =
            part_on(channel, lane, numbers[channel][lane]++, 1 + (uint32_t)kit_below(&seed, 300));
        if (kit_below(&seed, 10) == 0) {
            part.is_fragment = true;
            part.offset = part.total = part.len;
            part.total *= 2;
        }
        int rc = piece_of(&r, &part, false);
        assert_true(rc == 0 || (part.uses_credit && rc == TERN_ERR_FLOW_CONTROL) ||
                    rc == TERN_ERR_AGAIN);
        assert_true(tern_msgin_held(r.m) <= config.window + config.queue);
    }
    assert_true(tern_msgin_held(r.m) > config.window + config.queue - 2000);
    assert_true(tern_msgin_counters(r.m)->dropped > 1000);
    /* Twice as much as counts and the lanes: each of length + 64 takes up to length + 128. */
    assert_true(r.heap.bytes < tern_msgin_held(r.m) * 2 + 40000);
    assert_false(tern_msgin_wants_limit(r.m));
    end(&r);
}

static void a_message_takes_its_length_and_128_bytes(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = {
        .max_size = 1000, .channels = 1, .window = 1 << 20, .queue = 1 << 20};
    receiver_init(&r, &config);
    tern_slab_init(&r.slab, &r.mem, 0);
    assert_int_equal(put(&r, 0, U, 0, 0), 0);
    assert_int_equal(put(&r, 0, O, 1, 0), 0);
    uint64_t before = r.heap.bytes;
    for (uint64_t n = 0; n < 1000; n++) {
        assert_int_equal(put(&r, 0, U, n + 1, 64), 0);
        assert_int_equal(put(&r, 0, O, n + 2, 64), 0);
    }
    assert_true(r.heap.bytes - before <= 2000 * (64 + 128));
    end(&r);
}

static void nothing_is_allocated_once_warm(void **state)
{
    (void)state;
    struct receiver r;
    struct tern_msgin_config config = {
        .max_size = 10000, .channels = 4, .window = 1 << 20, .queue = 1 << 20};
    tern_message message;
    uint64_t calls = 0;
    receiver_init(&r, &config);
    for (uint64_t n = 0; n < 110000; n += 10) {
        if (n == 10000) {
            calls = r.heap.calls;
        }
        static const uint8_t shuffled[10] = {1, 0, 3, 9, 2, 8, 4, 7, 5, 6};
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(put(&r, 0, U, n + i, 64), 0);
            assert_int_equal(put(&r, 1, U, n + shuffled[i], 100), 0);
            assert_int_equal(put(&r, 2, O, n + shuffled[i], 1200), 0);
            assert_int_equal(put(&r, 3, L, n + shuffled[i], 30), 0);
        }
        assert_int_equal(piece(&r, O, n / 10, 6000, 3000, 9000), 0);
        assert_int_equal(piece(&r, O, n / 10, 0, 3000, 9000), 0);
        assert_int_equal(piece(&r, O, n / 10, 3000, 3000, 9000), 0);
        while (take(&r, &message)) {
        }
        if (tern_msgin_wants_limit(r.m)) {
            (void)tern_msgin_take_limit(r.m);
        }
    }
    assert_int_equal(r.heap.calls, calls);
    assert_int_equal(tern_msgin_counters(r.m)->received, 3 * 110000 + 2 * 11000);
    end(&r);
}

/* Everything that needs memory, with the n-th call failing: nothing leaks, and afterwards all goes on. */
static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    for (uint64_t fail = 1; fail < 30; fail++) {
        struct receiver r;
        tern_message message;
        int failures = 0;
        begin(&r);
        tern_slab_init(&r.slab, &r.mem, 0);
        for (int round = 0; round < 2; round++) {
            r.heap.fail_at = round == 0 ? r.heap.calls + fail : 0;
            int rcs[] = {put(&r, 1, U, 0, 10),
                         put(&r, 1, U, 4, 10),
                         put(&r, 1, O, 2, 10),
                         put(&r, 1, O, 4, 10),
                         put(&r, 1, O, 6, 10),
                         put(&r, 1, O, 8, 10),
                         piece(&r, O, 0, 500, 100, 1000),
                         piece(&r, O, 0, 100, 100, 1000),
                         piece(&r, O, 0, 300, 100, 1000),
                         piece(&r, U, 9, 5, 5, 10),
                         piece(&r, U, 9, 0, 5, 10),
                         give_up(&r, 1, O, 10, 5, 100),
                         put(&r, 1, L, 1, 10),
                         put(&r, 1, L, 2, 10)};
            for (size_t i = 0; i < TERN_COUNT_OF(rcs); i++) {
                assert_true(rcs[i] == 0 || (round == 0 && rcs[i] == TERN_ERR_NOMEM));
                failures += rcs[i] != 0;
            }
        }
        assert_true(failures > 0 || fail > 15);
        assert_int_equal(piece(&r, O, 0, 0, 1000, 1000), 0);
        assert_int_equal(give_up(&r, 1, O, 0, 10, 74), 0);
        int count = 0;
        while (take(&r, &message)) {
            count++;
        }
        assert_int_equal(count, 2 + 1 + 1 + 5);
        assert_int_equal(tern_msgin_held(r.m), 0);
        end(&r);
    }
}

static void without_memory_there_is_no_receiver(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_slab slab;
    struct tern_msgin_config config = small_config();
    kit_mem(&mem, &heap);
    tern_slab_init(&slab, &mem, 0);
    heap.fail_at = 1;
    assert_null(tern_msgin_new(&mem, &slab, &config));
    assert_int_equal(heap.blocks, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_message_over_the_limit_is_refused),
    cmocka_unit_test(a_channel_out_of_range_is_refused),
    cmocka_unit_test(all_channels_can_be_used),
    cmocka_unit_test(fragments_that_contradict_are_refused),
    cmocka_unit_test(fragments_out_of_their_message_are_refused),
    cmocka_unit_test(an_order_has_its_credit_bit),
    cmocka_unit_test(a_number_past_the_last_is_refused),
    cmocka_unit_test(a_skip_past_the_last_number_is_refused),
    cmocka_unit_test(a_skip_costs_what_a_message_can),
    cmocka_unit_test(a_skip_of_latest_ones_is_refused),
    cmocka_unit_test(a_skip_that_contradicts_parts_is_refused),
    cmocka_unit_test(credit_ends_at_the_limit),
    cmocka_unit_test(a_skip_beyond_the_credit_is_refused),
    cmocka_unit_test(credit_is_counted_with_the_first_part),
    cmocka_unit_test(credit_comes_back_as_messages_are_taken),
    cmocka_unit_test(credit_for_the_longest_message_comes_in_time),
    cmocka_unit_test(a_lost_limit_is_told_again),
    cmocka_unit_test(what_is_refused_leaves_no_trace),
    cmocka_unit_test(the_oldest_parts_make_room_first),
    cmocka_unit_test(then_unordered_ones_then_latest_ones),
    cmocka_unit_test(credit_messages_make_no_room),
    cmocka_unit_test(a_message_larger_than_the_queue_is_dropped),
    cmocka_unit_test(what_is_lent_is_not_dropped),
    cmocka_unit_test(a_latest_one_finds_the_room_of_its_predecessor),
    cmocka_unit_test(the_event_goes_with_what_is_dropped),
    cmocka_unit_test(a_lane_keeps_a_thousand_gaps),
    cmocka_unit_test(all_lanes_keep_so_many_gaps),
    cmocka_unit_test(gaps_give_their_memory_back),
    cmocka_unit_test(a_message_keeps_few_gaps),
    cmocka_unit_test(a_large_message_keeps_a_thousand_gaps),
    cmocka_unit_test(a_lane_keeps_a_thousand_unfinished),
    cmocka_unit_test(a_receiver_that_never_reads_holds_no_more),
    cmocka_unit_test(a_message_takes_its_length_and_128_bytes),
    cmocka_unit_test(nothing_is_allocated_once_warm),
    cmocka_unit_test(without_memory_nothing_is_lost),
    cmocka_unit_test(without_memory_there_is_no_receiver),
};

TERN_TEST_MAIN(tests)
