/* Sending messages: those that find the buffer full, are cancelled, or were lent.
 * SPDX-License-Identifier: MIT */
#include "base/cursor.h"
#include "stream/message_state.h"
#include "unit/stream/message_kit.h"

/* --- the full buffer ---------------------------------------------------------------------------- */

static void begin_small(struct kit_out *k)
{
    struct tern_msgout_config config = {
        .buffer = 1640, .max_size = 1u << 20, .credit = 1u << 20, .channels = TERN_CHANNELS};
    kit_out_begin_with(k, &config);
}

static void a_full_buffer_is_again_and_writable_at_half(void **state)
{
    (void)state;
    struct kit_out k;
    struct tern_message_part parts[10];
    begin_small(&k);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(kit_try(&k, RELIABLE, i, 100, 0), 0);
    }
    assert_false(tern_msgout_is_writable(k.m));
    assert_int_equal(kit_try(&k, RELIABLE, 10, 100, 0), TERN_ERR_AGAIN);
    assert_int_equal(kit_try(&k, kit_options(TERN_LIMITED, TERN_LATEST, 0), 10, 100, 0),
                     TERN_ERR_AGAIN);
    for (size_t i = 0; i < 10; i++) {
        parts[i] = kit_leaves(&k, i);
    }
    for (size_t i = 0; i < 4; i++) {
        tern_msgout_on_acked(k.m, &parts[i]);
        assert_false(tern_msgout_take_writable(k.m));
    }
    tern_msgout_on_acked(k.m, &parts[4]);
    assert_true(tern_msgout_is_writable(k.m));
    assert_true(tern_msgout_take_writable(k.m));
    assert_false(tern_msgout_take_writable(k.m));
    kit_out_end(&k);
}

static void the_oldest_unsent_unreliable_one_makes_room(void **state)
{
    (void)state;
    struct kit_out k;
    begin_small(&k);
    for (uint64_t i = 0; i < 10; i++) {
        kit_post(&k, kit_with_priority(UNRELIABLE, i < 3 ? 3 : 5), i, 100);
    }
    kit_post(&k, kit_with_priority(UNRELIABLE, 3), 10, 100);
    kit_outcome(&k, 3, TERN_OUTCOME_LOST); /* the first of priority 5 */
    kit_post(&k, kit_with_priority(UNRELIABLE, 0), 11, 300);
    kit_outcome(&k, 4, TERN_OUTCOME_LOST);
    kit_outcome(&k, 5, TERN_OUTCOME_LOST);
    kit_outcome(&k, 6, TERN_OUTCOME_LOST);
    kit_no_outcome(&k);
    assert_int_equal(tern_msgout_counters(k.m)->dropped, 4);
    assert_int_equal(tern_msgout_counters(k.m)->lost, 4);
    kit_no_skip(&k);
    (void)kit_leaves(&k, 11);
    assert_int_equal(kit_leaves(&k, 0).number, 1);
    kit_out_end(&k);
}

static void a_new_unreliable_one_is_dropped_when_none_can_make_room(void **state)
{
    (void)state;
    struct kit_out k;
    begin_small(&k);
    for (uint64_t i = 0; i < 9; i++) {
        kit_post(&k, RELIABLE, i, 100);
    }
    kit_post(&k, kit_with_priority(UNRELIABLE, 1), 9, 100);
    kit_post(&k, kit_with_priority(UNRELIABLE, 2), 10, 100); /* 9 is more urgent */
    kit_outcome(&k, 10, TERN_OUTCOME_LOST);
    kit_post(&k, kit_with_priority(UNRELIABLE, 1), 11, 200); /* 9 alone would not do */
    kit_outcome(&k, 11, TERN_OUTCOME_LOST);
    (void)kit_leaves(&k, 9);
    kit_post(&k, kit_with_priority(UNRELIABLE, 1), 12, 100); /* 9 is on its way */
    kit_outcome(&k, 12, TERN_OUTCOME_LOST);
    kit_no_outcome(&k);
    assert_int_equal(tern_msgout_counters(k.m)->dropped, 3);
    assert_false(tern_msgout_is_writable(k.m));
    kit_out_end(&k);
}

static void an_empty_buffer_takes_a_message_larger_than_it(void **state)
{
    (void)state;
    struct kit_out k;
    begin_small(&k);
    kit_post(&k, UNRELIABLE, 1, 10);
    kit_post(&k, UNRELIABLE, 2, 100000);
    kit_outcome(&k, 1, TERN_OUTCOME_LOST);
    assert_int_equal(kit_try(&k, RELIABLE, 3, 1, 0), TERN_ERR_AGAIN);
    (void)kit_leaves(&k, 2);
    kit_out_end(&k);
}

static void what_waits_is_told_with_its_age(void **state)
{
    (void)state;
    struct kit_out k;
    tern_time since = 0;
    kit_out_begin(&k);
    assert_int_equal(tern_msgout_queued(k.m, 3, &since), 0);
    assert_int_equal(since, TERN_TIME_NEVER);
    assert_int_equal(kit_try(&k, RELIABLE, 1, 3000, 50), 0);
    assert_int_equal(kit_try(&k, UNRELIABLE, 2, 30, 70), 0);
    assert_int_equal(tern_msgout_queued(k.m, 3, &since), 3030);
    assert_int_equal(since, 50);
    (void)kit_leaves(&k, 1); /* its first part */
    assert_int_equal(tern_msgout_queued(k.m, 3, &since), 30);
    assert_int_equal(since, 70);
    assert_int_equal(tern_msgout_queued(k.m, 2, &since), 0);
    kit_out_end(&k);
}

/* --- cancel ------------------------------------------------------------------------------------- */

static void cancelled_by_tag_the_unsent_vanish_and_the_sent_are_skipped(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 5, 10);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 2), 5, 20);
    (void)kit_leave(&k);
    (void)kit_leave(&k);
    kit_post(&k, kit_options(TERN_RELIABLE, TERN_ORDERED, 2), 5, 20);
    kit_post(&k, UNRELIABLE, 6, 10);
    assert_int_equal(tern_msgout_cancel(k.m, 4), 0);
    assert_int_equal(tern_msgout_cancel(k.m, 5), 3);
    assert_int_equal(tern_msgout_cancel(k.m, 5), 0);
    (void)kit_skip(&k, 0, 1, 74);
    (void)kit_skip(&k, 0, 1, 84);
    kit_no_skip(&k);
    (void)kit_leaves(&k, 6);
    kit_nothing_leaves(&k);
    kit_no_outcome(&k);
    assert_int_equal(tern_msgout_counters(k.m)->lost, 0);
    kit_out_end(&k);
}

static void cancelled_by_channel_others_are_untouched(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    for (uint64_t i = 0; i < 40; i++) {
        tern_send_options o =
            kit_options((tern_reliability)(i % 2), (tern_order)(i % 3), i % 2 == 0 ? 1 : 2);
        kit_post(&k, kit_with_priority(o, i % 8), i, 3000);
    }
    for (int i = 0; i < 20; i++) {
        (void)kit_leave(&k);
    }
    size_t held = 0;
    struct tern_msgout_chunk c;
    assert_true(tern_msgout_cancel_channel(k.m, 1) > 10);
    assert_int_equal(tern_msgout_cancel_channel(k.m, 1), 0);
    assert_int_equal(tern_msgout_cancel_channel(k.m, 3), 0);
    assert_int_equal(tern_msgout_cancel_channel(k.m, TERN_CHANNELS), 0);
    while (tern_msgout_next(k.m, KIT_FULL, KIT_FULL, &c)) {
        assert_int_equal(c.part.channel, 2);
        tern_msgout_on_sent(k.m, &c, 0);
        held++;
    }
    assert_true(held > 10);
    kit_out_end(&k);
}

static void cancelled_twice_an_outcome_never_comes_and_its_place_is_free(void **state)
{
    (void)state;
    struct kit_out k;
    kit_out_begin(&k);
    kit_post(&k, RELIABLE, 1, 10);
    assert_int_equal(tern_msgout_cancel(k.m, 1), 1);
    uint64_t before = k.heap.bytes;
    for (int i = 0; i < 1000; i++) {
        kit_post(&k, RELIABLE, 1, 10);
        assert_int_equal(tern_msgout_cancel(k.m, 1), 1);
    }
    assert_int_equal(k.heap.bytes, before);
    kit_no_outcome(&k);
    kit_out_end(&k);
}

/* --- lent bytes --------------------------------------------------------------------------------- */

static void lent_bytes_are_sent_from_where_they_are_and_released_once(void **state)
{
    (void)state;
    struct kit_out k;
    uint8_t data[3000];
    kit_out_begin(&k);
    kit_fill(data, 1, 0, sizeof data);
    tern_send_options o = RELIABLE;
    for (size_t len = 100; len <= 3000; len += 2900) {
        k.releases = 0;
        assert_int_equal(tern_msgout_send(k.m, data, len, kit_release, &k.releases, &o, 0), 0);
        struct tern_message_part parts[4];
        size_t count = 0;
        while (tern_msgout_top(k.m) < TERN_PRIORITIES) {
            struct tern_msgout_chunk c = kit_leave(&k);
            assert_ptr_equal(c.data, data + c.part.offset);
            parts[count++] = c.part;
        }
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(k.releases, 0);
            tern_msgout_on_acked(k.m, &parts[i]);
            tern_msgout_on_acked(k.m, &parts[0]);
        }
        assert_int_equal(k.releases, 1);
    }
    kit_out_end(&k);
    assert_int_equal(k.releases, 1);
}

static void lent_bytes_are_released_on_every_path(void **state)
{
    (void)state;
    struct kit_out k;
    begin_small(&k);
    tern_send_options o = UNRELIABLE, dead = RELIABLE, timed = RELIABLE;
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &o, 0), 0);
    struct tern_message_part part = kit_leave(&k).part;
    tern_msgout_on_lost(k.m, &part, 0);
    assert_int_equal(k.releases, 1); /* lost */
    dead.has_depends = true;
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &dead, 0), 0);
    assert_int_equal(k.releases, 2); /* dead when it came */
    timed.lifetime = 10;
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &timed, 0), 0);
    tern_msgout_expire(k.m, 10);
    assert_int_equal(k.releases, 3); /* expired */
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &timed, 0), 0);
    assert_int_equal(tern_msgout_cancel_channel(k.m, 0), 1);
    assert_int_equal(k.releases, 4); /* cancelled */
    assert_int_equal(kit_try(&k, RELIABLE, 1, 1550, 0), 0);
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &o, 0), 0);
    assert_int_equal(k.releases, 5); /* no room for it */
    timed.priority = 8;
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &timed, 0),
                     TERN_ERR_INVALID);
    timed.priority = 1;
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &timed, 0),
                     TERN_ERR_AGAIN);
    assert_int_equal(k.releases, 5); /* an error: it was not taken */
    assert_int_equal(tern_msgout_cancel_channel(k.m, 0), 1);
    assert_int_equal(tern_msgout_send(k.m, "a", 1, kit_release, &k.releases, &timed, 0), 0);
    assert_int_equal(tern_msgout_send(k.m, "b", 1, kit_release, &k.releases, &timed, 0), 0);
    (void)kit_leave(&k);
    kit_out_end(&k);
    assert_int_equal(k.releases, 7); /* the end */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_full_buffer_is_again_and_writable_at_half),
    cmocka_unit_test(the_oldest_unsent_unreliable_one_makes_room),
    cmocka_unit_test(a_new_unreliable_one_is_dropped_when_none_can_make_room),
    cmocka_unit_test(an_empty_buffer_takes_a_message_larger_than_it),
    cmocka_unit_test(what_waits_is_told_with_its_age),
    cmocka_unit_test(cancelled_by_tag_the_unsent_vanish_and_the_sent_are_skipped),
    cmocka_unit_test(cancelled_by_channel_others_are_untouched),
    cmocka_unit_test(cancelled_twice_an_outcome_never_comes_and_its_place_is_free),
    cmocka_unit_test(lent_bytes_are_sent_from_where_they_are_and_released_once),
    cmocka_unit_test(lent_bytes_are_released_on_every_path),
};

TERN_TEST_MAIN(tests)
