/* What was received, and when an ACK for it is due: RFC 9000 section 13.2.
 * SPDX-License-Identifier: MIT */
#include "recovery/acks.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

#define NOW   (3600 * TERN_SEC)
#define DELAY (25 * TERN_MSEC)

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_acks acks;

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_acks_init(&acks, &mem, DELAY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_acks_clear(&acks);
    return heap.blocks == 0 ? 0 : -1;
}

static void take(uint64_t pn, bool eliciting, uint8_t ecn, tern_time now)
{
    assert_int_equal(tern_acks_on_received(&acks, pn, eliciting, ecn, now), 0);
}

/* Past the first sixteen, which are acknowledged at once. */
static void warm_up(void)
{
    for (uint64_t pn = 0; pn < 16; pn++) {
        take(pn, true, 0, NOW);
        assert_true(tern_acks_is_due(&acks, NOW));
        tern_acks_on_sent(&acks);
    }
}

static void every_second_one_is_acknowledged(void **state)
{
    (void)state;
    warm_up();
    take(16, true, 0, NOW);
    assert_true(tern_acks_is_owed(&acks));
    assert_false(tern_acks_is_due(&acks, NOW));
    assert_false(tern_acks_is_due(&acks, NOW + DELAY - 1));
    assert_true(tern_acks_is_due(&acks, NOW + DELAY));
    take(17, true, 0, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
    tern_acks_on_sent(&acks);
    assert_false(tern_acks_is_owed(&acks));
    assert_int_equal(acks.deadline, TERN_TIME_NEVER);
}

/* RFC 9000 §13.2.1: no ACK for ACKs alone, or both ends never come to rest. */
static void what_asks_for_nothing_gets_nothing(void **state)
{
    (void)state;
    for (uint64_t pn = 0; pn < 100; pn += 3) { /* not even with gaps */
        take(pn, false, 3, NOW);
    }
    assert_false(tern_acks_is_owed(&acks));
    assert_false(tern_acks_is_due(&acks, TERN_TIME_NEVER - 1));
    assert_int_equal(acks.ranges.count, 34);
}

static void gaps_and_reordering_are_told_at_once(void **state)
{
    (void)state;
    warm_up();
    take(18, true, 0, NOW); /* 16 and 17 are missing */
    assert_true(tern_acks_is_due(&acks, NOW));
    tern_acks_on_sent(&acks);
    take(17, true, 0, NOW); /* late */
    assert_true(tern_acks_is_due(&acks, NOW));
    tern_acks_on_sent(&acks);
    take(19, true, 0, NOW); /* in order again, although 16 is missing still */
    assert_false(tern_acks_is_due(&acks, NOW));
}

static void a_mark_is_told_at_once(void **state)
{
    (void)state;
    warm_up();
    take(16, true, 3, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
    tern_acks_on_sent(&acks);
    take(17, true, 2, NOW);
    assert_false(tern_acks_is_due(&acks, NOW));
}

static void marks_are_counted_by_kind(void **state)
{
    (void)state;
    take(0, true, 0, NOW);
    assert_false(acks.has_ecn);
    take(1, true, 1, NOW); /* ECT(1) */
    take(2, true, 2, NOW); /* ECT(0) */
    take(3, false, 2, NOW);
    take(4, true, 3, NOW); /* CE */
    assert_true(acks.has_ecn);
    assert_int_equal(acks.ecn[0], 2);
    assert_int_equal(acks.ecn[1], 1);
    assert_int_equal(acks.ecn[2], 1);
}

static bool tell(void)
{
    bool owes = tern_acks_owes_counts(&acks);
    tern_acks_on_sent(&acks);
    if (owes) {
        tern_acks_on_counts_sent(&acks);
    }
    return owes;
}

/* [P §9.2] */
static void counts_go_along_when_they_are_news(void **state)
{
    (void)state;
    assert_false(tern_acks_owes_counts(&acks)); /* no marks at all */
    for (uint64_t pn = 0; pn < 16; pn++) {
        take(pn, true, 2, NOW);
        assert_true(tell());
    }
    for (uint64_t pn = 16; pn < 16 + 80; pn++) {
        take(pn, true, 2, NOW);
        assert_int_equal(tell(), pn % 8 == 7); /* each eighth */
    }
    take(96, true, 3, NOW);
    assert_true(tell());
    take(97, true, 0, NOW);
    assert_false(tell());
}

static void deadline_belongs_to_the_oldest(void **state)
{
    (void)state;
    warm_up();
    acks.threshold = 10;
    take(16, true, 0, NOW);
    take(17, true, 0, NOW + 10 * TERN_MSEC);
    assert_true(tern_acks_is_due(&acks, NOW + DELAY));
    take(18, true, 0, TERN_TIME_NEVER - 1); /* no overflow */
    assert_int_equal(acks.deadline, NOW + DELAY);
}

static void the_newest_one_dates_the_ack(void **state)
{
    (void)state;
    take(5, true, 0, NOW);
    take(3, true, 0, NOW + TERN_MSEC);
    assert_int_equal(acks.largest, 5);
    assert_int_equal(acks.largest_at, NOW);
    take(6, false, 0, NOW + 2 * TERN_MSEC);
    assert_int_equal(acks.largest_at, NOW + 2 * TERN_MSEC);
}

/* RFC 9000 §13.2.3: a million gaps, 64 ranges; and what was forgotten is never taken again. */
static void ranges_are_bounded(void **state)
{
    (void)state;
    size_t most = 0;
    for (uint64_t pn = 0; pn < 2000000; pn += 2) {
        take(pn, true, 0, NOW);
        most = TERN_MAX(most, acks.ranges.count);
    }
    assert_int_equal(most, TERN_ACKS_RANGES_MAX);
    assert_true(heap.peak < 4096);
    assert_true(tern_acks_is_duplicate(&acks, 1)); /* never seen, but too old to tell */
    assert_true(tern_acks_is_duplicate(&acks, 2));
    assert_true(tern_acks_is_duplicate(&acks, 1999998));
    assert_false(tern_acks_is_duplicate(&acks, 1999997));
    assert_false(tern_acks_is_duplicate(&acks, 1999999));
}

static void holes_close(void **state)
{
    (void)state;
    take(0, true, 0, NOW);
    take(2, true, 0, NOW);
    assert_int_equal(acks.ranges.count, 2);
    assert_false(tern_acks_is_duplicate(&acks, 1));
    take(1, true, 0, NOW);
    assert_int_equal(acks.ranges.count, 1);
    assert_true(tern_acks_is_duplicate(&acks, 1));
}

static size_t untold(void)
{
    size_t count = 0;
    const struct tern_range *ranges = tern_acks_untold(&acks, &count);
    assert_ptr_equal(ranges + count, acks.ranges.items + acks.ranges.count);
    return count;
}

static void acknowledged_acks_are_not_repeated(void **state)
{
    (void)state;
    tern_acks_on_acked(&acks, 7); /* nothing there yet */
    for (uint64_t pn = 0; pn <= 20; pn += 5) {
        take(pn, true, 0, NOW);
    }
    assert_int_equal(untold(), 5);
    tern_acks_on_acked(&acks, 10);
    assert_int_equal(untold(), 2);
    tern_acks_on_acked(&acks, 5); /* an older one changes nothing */
    assert_int_equal(untold(), 2);
    tern_acks_on_acked(&acks, 20); /* the newest is always said */
    assert_int_equal(untold(), 1);
    tern_acks_on_acked(&acks, UINT64_C(1) << 61);
    take(25, true, 0, NOW);
    assert_int_equal(untold(), 1);
}

/* One round trip later than its neighbours, whose ACK was acknowledged meanwhile: it is taken, and
 * told. */
static void a_late_packet_is_no_duplicate(void **state)
{
    (void)state;
    for (uint64_t pn = 0; pn < 40; pn++) {
        if (pn != 7) {
            take(pn, true, 0, NOW);
        }
    }
    tern_acks_on_acked(&acks, 39);
    assert_int_equal(untold(), 1);
    assert_false(tern_acks_is_duplicate(&acks, 7));
    assert_true(tern_acks_is_duplicate(&acks, 6));
    take(7, true, 0, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
    assert_int_equal(acks.ranges.count, 1);
    take(100, true, 0, NOW);
    tern_acks_on_acked(&acks, 100);
    take(50, true, 0, NOW);
    assert_int_equal(untold(), 2); /* 50 and 100; not 0 to 39 */
}

/* RFC 9000 §13.2.4: an ACK that had left before the late one came proves nothing about it, though its
 * largest is above. */
static void an_older_ack_does_not_tell_of_a_late_packet(void **state)
{
    (void)state;
    take(0, true, 0, NOW);
    take(2, true, 0, NOW);
    take(4, true, 0, NOW);
    take(8, true, 0, NOW);
    tern_acks_on_sent(&acks);
    take(2 + 4, true, 0, NOW); /* 6, late */
    take(10, true, 0, NOW);
    tern_acks_on_acked(&acks, 8);
    assert_int_equal(untold(), 3); /* 6, 8, 10; not 0, 2 and 4 */
    tern_acks_on_sent(&acks);
    take(12, true, 0, NOW);
    tern_acks_on_acked(&acks, 10);
    assert_int_equal(untold(), 1);
}

/* RFC 9000 §13.2.1: what is missing is told with the first packet that asks, also when one that asks
 * for nothing came between. */
static void a_gap_is_told_although_a_packet_that_asks_nothing_came_first(void **state)
{
    (void)state;
    warm_up();
    take(18, false, 0, NOW); /* 16 and 17 are missing */
    assert_false(tern_acks_is_due(&acks, NOW));
    take(19, true, 0, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
    tern_acks_on_sent(&acks);
    take(20, true, 0, NOW); /* told once */
    assert_false(tern_acks_is_due(&acks, NOW));
}

/* Initial and Handshake promise no delay. */
static void without_a_delay_all_is_due_at_once(void **state)
{
    (void)state;
    acks.max_delay = 0;
    warm_up();
    take(16, true, 0, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
    assert_false(tern_acks_is_due(&acks, NOW - 1)); /* a clock that goes back only waits */
}

/* Exactly 64 are kept whole; one more forgets the lowest, also when that is the one that just came. */
static void the_limit_on_ranges_is_exact(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= TERN_ACKS_RANGES_MAX; i++) {
        take(10 * i, true, 0, NOW);
    }
    assert_int_equal(acks.ranges.count, TERN_ACKS_RANGES_MAX);
    assert_false(tern_acks_is_duplicate(&acks, 9));
    take(5, true, 0, NOW);
    assert_int_equal(acks.ranges.count, TERN_ACKS_RANGES_MAX);
    assert_int_equal(acks.ranges.items[0].start, 10);
    assert_true(tern_acks_is_duplicate(&acks, 5));
    assert_false(tern_acks_is_duplicate(&acks, 6));
    take(11, true, 0, NOW); /* grows a range: none is lost */
    assert_int_equal(acks.ranges.items[0].start, 10);
    take(1000, true, 0, NOW);
    assert_int_equal(acks.ranges.items[0].start, 20);
    assert_true(tern_acks_is_duplicate(&acks, 9));
    assert_false(tern_acks_is_duplicate(&acks, 12));
}

static void without_memory_nothing_is_noted(void **state)
{
    (void)state;
    heap.fail_at = heap.calls + 1;
    assert_int_equal(tern_acks_on_received(&acks, 0, true, 2, NOW), TERN_ERR_NOMEM);
    heap.fail_at = 0;
    assert_false(tern_acks_is_duplicate(&acks, 0));
    assert_false(tern_acks_is_owed(&acks));
    assert_false(acks.has_any);
    assert_int_equal(acks.ecn[0], 0);
    take(0, true, 2, NOW);
    assert_true(tern_acks_is_due(&acks, NOW));
}

/* --- the peer's wishes: draft-ietf-quic-ack-frequency ------------------------------------------------ */

static void wish(uint64_t sequence, uint64_t threshold, tern_time delay, uint64_t reordering)
{
    struct tern_acks_wish w = {
        .sequence = sequence, .threshold = threshold, .reordering = reordering, .max_delay = delay};
    tern_acks_on_wish(&acks, &w);
}

/* Takes a number; is an ACK due? If so it leaves. */
static bool tells(uint64_t pn)
{
    take(pn, true, 0, NOW);
    bool is_due = tern_acks_is_due(&acks, NOW);
    if (is_due) {
        tern_acks_on_sent(&acks);
    }
    return is_due;
}

static void the_peer_sets_threshold_and_delay(void **state)
{
    (void)state;
    wish(0, 10, 3 * TERN_MSEC, 1); /* ends the warm-up as well */
    for (uint64_t pn = 0; pn < 40; pn++) {
        take(pn, true, 0, NOW);
        assert_int_equal(tern_acks_is_due(&acks, NOW), pn % 10 == 9);
        assert_true(tern_acks_is_due(&acks, NOW + 3 * TERN_MSEC));
        assert_int_equal(tern_acks_is_due(&acks, NOW + 3 * TERN_MSEC - 1), pn % 10 == 9);
        if (pn % 10 == 9) {
            tern_acks_on_sent(&acks);
        }
    }
}

static void a_threshold_of_one_means_each(void **state)
{
    (void)state;
    warm_up();
    wish(0, 1, DELAY, 1);
    for (uint64_t pn = 16; pn < 20; pn++) {
        assert_true(tells(pn));
    }
    wish(1, 0, DELAY, 1); /* cannot come from the wire; as one */
    assert_true(tells(20));
    wish(2, UINT64_MAX, DELAY, 1);
    assert_int_equal(acks.threshold, UINT32_MAX);
    assert_false(tells(21));
}

static void only_a_newer_wish_counts(void **state)
{
    (void)state;
    wish(7, 5, DELAY, 3);
    wish(7, 6, 2 * DELAY, 4);
    wish(6, 7, 3 * DELAY, 0);
    wish(0, 8, 4 * DELAY, 0);
    assert_int_equal(acks.threshold, 5);
    assert_int_equal(acks.max_delay, DELAY);
    assert_int_equal(acks.reordering, 3);
    wish((UINT64_C(1) << 62) - 1, 9, DELAY / 2, 0);
    assert_int_equal(acks.threshold, 9);
    wish(8, 10, DELAY, 1);
    assert_int_equal(acks.threshold, 9);
    assert_int_equal(acks.reordering, 0);
}

/* The tables of the draft: which numbers come, and after which an ACK leaves. */
static void disorder_is_told_when_it_can_be_a_loss(void **state)
{
    static const struct {
        uint64_t reordering;
        uint64_t numbers[9];
        unsigned told; /* bit i: with the i-th */
    } rows[] = {
        {3, {0, 1, 3, 4, 5, 8, 9, 10}, 1u << 4 | 1u << 6 | 1u << 7},
        {5, {0, 1, 3, 5, 6, 7, 8, 9}, 1u << 5 | 1u << 7},
        {0, {0, 1, 3, 4, 5, 8, 9, 10}, 0},
        {0, {0, 9, 1, 8, 2, 7, 3, 6}, 0},
        {2, {0, 2, 3, 4, 5, 6, 7, 8}, 1u << 2},
    };
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rows); i++) {
        tern_acks_clear(&acks);
        tern_acks_init(&acks, &mem, DELAY);
        wish(0, 1000, DELAY, rows[i].reordering);
        for (size_t k = 0; k < 8; k++) {
            assert_int_equal(tells(rows[i].numbers[k]), rows[i].told >> k & 1);
        }
    }
}

/* With everything in disorder allowed, what was reported missing and comes after all is told at once:
 * the peer may have given it up. */
static void one_reported_missing_is_told_when_it_comes(void **state)
{
    (void)state;
    wish(0, 1000, DELAY, 3);
    for (uint64_t pn = 0; pn < 10; pn++) {
        if (pn != 5) {
            assert_int_equal(tells(pn), pn == 8);
        }
    }
    assert_true(tells(5));
    assert_false(tells(12)); /* 10 and 11 are missing */
    assert_false(tells(11)); /* not yet told */
    assert_true(tells(13));
}

static void what_is_forgotten_is_not_missing(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        take(1000 + 2 * i, true, 0, NOW);
    }
    wish(0, 1000, DELAY, UINT64_MAX); /* so far back that all is unreported */
    tern_acks_on_sent(&acks);
    assert_false(tells(1400));
    wish(1, 1000, DELAY, 10);
    acks.reported = 0; /* as if nothing had been told */
    assert_true(tells(1401));
}

static void an_asked_ack_is_due_at_once(void **state)
{
    (void)state;
    warm_up();
    wish(0, 10, DELAY, 0);
    assert_false(tells(16));
    tern_acks_on_asked(&acks);
    assert_true(tells(17));
    assert_false(tells(18)); /* once */
}

/* In the draft: only the step from unmarked to marked, unless the peer wants every second packet. */
static void of_many_marks_the_first_is_told(void **state)
{
    static const uint8_t ecn[] = {2, 3, 3, 3, 2, 2, 3, 3};
    static const bool told[] = {false, true, false, false, false, false, true, false};
    (void)state;
    warm_up();
    wish(0, 100, DELAY, 1);
    for (size_t i = 0; i < sizeof ecn; i++) {
        take(16 + i, true, ecn[i], NOW);
        assert_int_equal(tern_acks_is_due(&acks, NOW), told[i]);
        if (told[i]) {
            tern_acks_on_sent(&acks);
        }
    }
    wish(1, 2, DELAY, 1);
    tern_acks_on_sent(&acks);
    for (size_t i = 8; i < 12; i++) {
        take(16 + i, true, 3, NOW);
        assert_true(tern_acks_is_due(&acks, NOW));
        tern_acks_on_sent(&acks);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(every_second_one_is_acknowledged, setup, teardown),
    cmocka_unit_test_setup_teardown(what_asks_for_nothing_gets_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(gaps_and_reordering_are_told_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(a_mark_is_told_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(marks_are_counted_by_kind, setup, teardown),
    cmocka_unit_test_setup_teardown(counts_go_along_when_they_are_news, setup, teardown),
    cmocka_unit_test_setup_teardown(deadline_belongs_to_the_oldest, setup, teardown),
    cmocka_unit_test_setup_teardown(the_newest_one_dates_the_ack, setup, teardown),
    cmocka_unit_test_setup_teardown(ranges_are_bounded, setup, teardown),
    cmocka_unit_test_setup_teardown(holes_close, setup, teardown),
    cmocka_unit_test_setup_teardown(acknowledged_acks_are_not_repeated, setup, teardown),
    cmocka_unit_test_setup_teardown(an_older_ack_does_not_tell_of_a_late_packet, setup, teardown),
    cmocka_unit_test_setup_teardown(a_late_packet_is_no_duplicate, setup, teardown),
    cmocka_unit_test_setup_teardown(a_gap_is_told_although_a_packet_that_asks_nothing_came_first,
                                    setup, teardown),
    cmocka_unit_test_setup_teardown(without_a_delay_all_is_due_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(the_limit_on_ranges_is_exact, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_nothing_is_noted, setup, teardown),
    cmocka_unit_test_setup_teardown(the_peer_sets_threshold_and_delay, setup, teardown),
    cmocka_unit_test_setup_teardown(a_threshold_of_one_means_each, setup, teardown),
    cmocka_unit_test_setup_teardown(only_a_newer_wish_counts, setup, teardown),
    cmocka_unit_test_setup_teardown(disorder_is_told_when_it_can_be_a_loss, setup, teardown),
    cmocka_unit_test_setup_teardown(one_reported_missing_is_told_when_it_comes, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_forgotten_is_not_missing, setup, teardown),
    cmocka_unit_test_setup_teardown(an_asked_ack_is_due_at_once, setup, teardown),
    cmocka_unit_test_setup_teardown(of_many_marks_the_first_is_told, setup, teardown),
};

TERN_TEST_MAIN(tests)
