/* Loss detection against RFC 9002 sections 5.1, 6.1 and 7.6, row by row of its rules.
 * SPDX-License-Identifier: MIT */
#include "recovery/loss.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

#define NOW   (3600 * TERN_SEC)
#define RTT   (80 * TERN_MSEC)
#define SIZE  1200
#define ASKS  (TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT)
#define NEVER UINT64_MAX

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_loss loss;
static struct tern_rtt rtt;
static struct tern_loss_outcome outcome;
static tern_time now;

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_loss_init(&loss, &mem);
    tern_rtt_init(&rtt, 333 * TERN_MSEC);
    now = NOW;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_loss_clear(&loss);
    return heap.blocks == 0 ? 0 : -1;
}

static void send(unsigned flags)
{
    assert_int_equal(tern_sent_reserve(&loss.sent, 0), 0);
    (void)tern_sent_commit(&loss.sent, SIZE, flags, loss.path, 0, now);
}

static void send_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        send(ASKS);
    }
}

/* Empties the queues; returns the lost numbers as bits (those below 64). */
static uint64_t settle(void)
{
    uint64_t pn, lost = 0;
    while (tern_loss_next_acked(&loss, &pn) != NULL) {
    }
    while (tern_loss_next_lost(&loss, &pn) != NULL) {
        lost |= pn < 64 ? UINT64_C(1) << pn : 0;
    }
    tern_loss_settle(&loss, &rtt, now);
    assert_true(tern_loss_is_consistent(&loss));
    return lost;
}

static uint64_t detect(void)
{
    tern_loss_detect(&loss, &rtt, tern_rtt_pto(&rtt, 0), &outcome, now);
    return settle();
}

/* One ACK frame of one range; returns what it brought to light as lost. */
static uint64_t ack(uint64_t smallest, uint64_t largest)
{
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(tern_loss_ack_begin(&loss, largest), 0);
    assert_int_equal(tern_loss_ack_range(&loss, smallest, largest, &outcome), 0);
    tern_loss_ack_finish(&loss, &outcome, now);
    if (outcome.rtt_sample > 0) {
        tern_rtt_update(&rtt, outcome.rtt_sample, 0, now);
    }
    return detect();
}

/* RFC 9002 §6.1.1: strictly three smaller. */
static void three_later_ones_make_a_loss(void **state)
{
    (void)state;
    send_many(5);
    now += RTT;
    assert_int_equal(ack(4, 4), 0x3); /* 0 and 1; 2 and 3 are too near */
    assert_int_equal(outcome.lost_packets, 2);
    assert_int_equal(outcome.lost_bytes, 2 * SIZE);
    assert_int_equal(outcome.lost_largest_pn, 1);
    assert_int_equal(loss.sent.bytes_in_flight, 2 * SIZE);
}

/* RFC 9002 §6.1.1: a number that was left out pushes nothing behind. */
static void a_skipped_number_is_no_distance(void **state)
{
    (void)state;
    send(ASKS); /* 0 */
    assert_int_equal(tern_sent_reserve(&loss.sent, 0), 0);
    tern_sent_skip(&loss.sent); /* 1 */
    send_many(3);               /* 2, 3, 4 */
    now += RTT;
    assert_int_equal(ack(3, 3), 0); /* three numbers later, but only the second packet */
    assert_int_equal(ack(4, 4), 0x1);
}

static void time_makes_a_loss(void **state)
{
    (void)state;
    send(ASKS); /* 0 */
    now += TERN_MSEC;
    send(ASKS); /* 1 */
    now += RTT;
    assert_int_equal(ack(1, 1), 0);
    assert_int_equal(loss.loss_time, NOW + RTT * 9 / 8);
    now = loss.loss_time - 1;
    assert_int_equal(detect(), 0);
    now++;
    assert_int_equal(detect(), 0x1);
    assert_int_equal(loss.loss_time, NEVER);
}

/* RFC 9002 §6.1.2: a queue that grows from 10 to 100 ms loses nothing. */
static void growing_delay_loses_nothing(void **state)
{
    (void)state;
    uint64_t lost = 0;
    for (uint64_t pn = 0; pn < 60; pn++) {
        send(ASKS);
        send(ASKS);
        now += TERN_MSEC * (10 + 3 * pn / 2);
        lost |= ack(2 * pn + 1, 2 * pn + 1);
        lost |= ack(2 * pn, 2 * pn);
    }
    assert_int_equal(lost, 0);
    assert_int_equal(outcome.spurious_packets, 0);
}

/* RFC 9002 §5.1. */
static void sample_needs_news_of_the_largest_and_one_that_asks(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        send(ASKS);
    }
    send(ASKS); /* 5 */
    now += TERN_MSEC;
    send(0); /* 6: an ACK alone */
    now += RTT;
    (void)ack(6, 6);
    assert_int_equal(outcome.rtt_sample, 0); /* it asks for nothing */
    (void)ack(5, 6);
    assert_int_equal(outcome.rtt_sample, 0); /* the largest is no news */
    send(ASKS);                              /* 7 */
    now += TERN_MSEC;
    send(0); /* 8 */
    now += RTT;
    (void)ack(7, 8);
    assert_int_equal(outcome.rtt_sample, RTT); /* from 8, because of 7 */
}

static void what_was_never_sent_is_a_violation(void **state)
{
    (void)state;
    send(ASKS); /* 0 */
    assert_int_equal(tern_sent_reserve(&loss.sent, 0), 0);
    tern_sent_skip(&loss.sent); /* 1 */
    send(ASKS);                 /* 2 */
    assert_int_equal(tern_loss_ack_begin(&loss, 3), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_loss_ack_begin(&loss, NEVER), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_loss_ack_begin(&loss, 2), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 1, 1, &outcome), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_loss_ack_range(&loss, 0, 2, &outcome), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_loss_ack_range(&loss, 2, 2, &outcome), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 0, 0, &outcome), 0);
    (void)settle();
}

static void a_repeated_ack_brings_nothing(void **state)
{
    (void)state;
    send_many(4);
    now += RTT;
    (void)ack(0, 3);
    assert_int_equal(outcome.acked_packets, 4);
    assert_int_equal(outcome.acked_bytes, 4 * SIZE);
    (void)ack(0, 3);
    assert_int_equal(outcome.acked_packets, 0);
    assert_false(outcome.largest_is_new);
    assert_int_equal(outcome.rtt_sample, 0);
    assert_int_equal(loss.sent.base, 4); /* and nothing is kept */
}

static void a_late_ack_shows_a_spurious_loss(void **state)
{
    (void)state;
    send_many(6);
    now += RTT;
    assert_int_equal(ack(5, 5), 0x7);
    (void)ack(1, 1);
    assert_int_equal(outcome.spurious_packets, 1);
    assert_int_equal(outcome.spurious_bytes, SIZE);
    assert_int_equal(outcome.acked_bytes, 0); /* it left flight when it was lost */
    (void)ack(1, 1);
    assert_int_equal(outcome.spurious_packets, 0); /* once */
}

/* Lost packets are kept for three PTO, and then no memory is. */
static void a_lost_packet_is_kept_for_a_while(void **state)
{
    (void)state;
    send_many(6);
    now += RTT;
    assert_int_equal(ack(5, 5), 0x7);
    (void)ack(3, 4);
    assert_int_equal(loss.lost_kept, 3);
    now += 3 * tern_rtt_pto(&rtt, 0);
    (void)settle();
    assert_int_equal(loss.lost_kept, 0);
    assert_int_equal(loss.sent.base, 6);
    (void)ack(1, 1); /* too late: no news, no harm */
    assert_int_equal(outcome.spurious_packets, 0);
}

/* RFC 8985 §6.2: what came late once may come as late again. */
static void reordering_widens_the_thresholds(void **state)
{
    (void)state;
    send_many(6);
    now += RTT;
    assert_int_equal(ack(5, 5), 0x7);
    now += RTT / 4;
    (void)ack(0, 0); /* five numbers and a quarter of a round trip late */
    (void)ack(3, 4);
    assert_int_equal(loss.packet_threshold, 6);
    assert_in_range(loss.reorder_window, RTT / 5, RTT / 2);
    send_many(6); /* 6 to 11 */
    now += rtt.smoothed;
    assert_int_equal(ack(11, 11), 0); /* 6 is only five behind */
    assert_true(loss.loss_time > now);
    now = loss.loss_time;
    assert_int_equal(detect(), 0x7c0);
}

static void the_window_ends_at_a_round_trip(void **state)
{
    (void)state;
    send_many(6);
    now += RTT;
    assert_int_equal(ack(5, 5), 0x7);
    now += 2 * RTT;
    (void)ack(0, 0);
    assert_int_equal(outcome.spurious_packets, 1);
    assert_int_equal(loss.reorder_window, rtt.smoothed);
}

/* RFC 8985 §6.2: after sixteen recoveries without another it is forgotten. */
static void reordering_is_forgotten(void **state)
{
    (void)state;
    send_many(6);
    now += RTT;
    (void)ack(5, 5);
    (void)ack(0, 0);
    assert_true(loss.packet_threshold > 3);
    for (int i = 0; i < 15; i++) {
        uint64_t first = loss.sent.next_pn;
        send_many(20);
        now += 4 * RTT;
        (void)ack(first + 19, first + 19);
        assert_true(loss.packet_threshold > 3);
    }
    uint64_t first = loss.sent.next_pn;
    send_many(20);
    now += 4 * RTT;
    (void)ack(first + 19, first + 19);
    assert_int_equal(loss.packet_threshold, 3);
    assert_int_equal(loss.reorder_window, 0);
}

static void a_lost_probe_is_no_congestion(void **state)
{
    (void)state;
    send(ASKS | TERN_SENT_PROBE);
    send_many(4);
    now += RTT;
    assert_int_equal(ack(1, 4), 0x1);
    assert_int_equal(outcome.lost_packets, 0);
    assert_int_equal(outcome.lost_bytes, 0);
    assert_int_equal(outcome.lost_probe_packets, 1);
    assert_int_equal(outcome.lost_probe_bytes, SIZE);
}

/* A second of packets, ten milliseconds apart, and one more that the peer acknowledges. */
static void cut(uint64_t from, unsigned count, uint64_t acked_between)
{
    for (unsigned i = 0; i < count; i++) {
        now += 10 * TERN_MSEC;
        send(ASKS);
    }
    now += RTT;
    if (acked_between != NEVER) {
        assert_int_equal(
            tern_loss_ack_range(&loss, from + acked_between, from + acked_between, &outcome), 0);
    }
    (void)ack(from + count - 1, from + count - 1);
}

/* RFC 9002 §7.6: both ends ask, nothing acknowledged between, longer than 3 PTO, and a sample
 * existed before the first. */
static void persistent_congestion(void **state)
{
    (void)state;
    send(ASKS);
    now += RTT;
    (void)ack(0, 0);
    tern_time pto = tern_rtt_pto(&rtt, 0);
    assert_int_equal(pto, 3 * RTT);
    cut(1, (unsigned)(3 * pto / (10 * TERN_MSEC)) + 3, NEVER);
    assert_true(outcome.persistent);
}

static void an_ack_between_is_no_persistent_congestion(void **state)
{
    (void)state;
    send(ASKS);
    now += RTT;
    (void)ack(0, 0);
    cut(1, 75, 37);
    assert_true(outcome.lost_packets > 60);
    assert_false(outcome.persistent);
}

static void without_a_sample_no_persistent_congestion(void **state)
{
    (void)state;
    cut(0, 500, NEVER);
    assert_true(outcome.lost_packets > 400);
    assert_false(outcome.persistent);
}

static void packets_that_ask_nothing_make_no_persistent_congestion(void **state)
{
    (void)state;
    send(ASKS);
    now += RTT;
    (void)ack(0, 0);
    for (unsigned i = 0; i < 100; i++) {
        now += 10 * TERN_MSEC;
        send(TERN_SENT_IN_FLIGHT); /* padding alone */
    }
    send(ASKS);
    now += RTT;
    (void)ack(101, 101);
    assert_true(outcome.lost_packets > 90);
    assert_false(outcome.persistent);
}

static void the_oldest_are_found_for_a_probe(void **state)
{
    (void)state;
    uint64_t cursor = 0;
    assert_null(tern_loss_oldest(&loss, &cursor));
    send(0);
    send_many(2); /* 1, 2 */
    send(TERN_SENT_IN_FLIGHT);
    send(ASKS); /* 4 */
    cursor = 0;
    assert_ptr_equal(tern_loss_oldest(&loss, &cursor), tern_sent_find(&loss.sent, 1));
    assert_ptr_equal(tern_loss_oldest(&loss, &cursor), tern_sent_find(&loss.sent, 2));
    assert_ptr_equal(tern_loss_oldest(&loss, &cursor), tern_sent_find(&loss.sent, 4));
    assert_null(tern_loss_oldest(&loss, &cursor));
    now += RTT;
    (void)ack(1, 1);
    cursor = 0;
    assert_ptr_equal(tern_loss_oldest(&loss, &cursor), tern_sent_find(&loss.sent, 2));
}

/* RFC 9002 §6.4: discarded keys take their packets out of flight. */
static void discard_empties_the_space(void **state)
{
    (void)state;
    send_many(3);
    send(0);
    assert_int_equal(tern_loss_discard(&loss), 3 * SIZE);
    assert_int_equal(loss.sent.bytes_in_flight, 0);
    assert_int_equal(loss.sent.eliciting_outstanding, 0);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(loss.loss_time, NEVER);
}

/* A clock need not be steady. */
static void a_clock_that_goes_back_loses_nothing(void **state)
{
    (void)state;
    send_many(3);
    now -= TERN_SEC;
    assert_int_equal(ack(2, 2), 0);
    assert_int_equal(outcome.rtt_sample, 1); /* the least there is: 0 means none */
    assert_int_equal(ack(0, 1), 0);
}

static void leave_out(void)
{
    assert_int_equal(tern_sent_reserve(&loss.sent, 0), 0);
    tern_sent_skip(&loss.sent);
}

/* With a large window the latest number left out lies above what is acknowledged, and an earlier one
 * where it matters. */
static void an_earlier_skipped_number_is_no_distance(void **state)
{
    (void)state;
    send(ASKS);   /* 0 */
    leave_out();  /* 1 */
    send_many(3); /* 2, 3, 4 */
    leave_out();  /* 5 */
    send(ASKS);   /* 6 */
    now += RTT;
    assert_int_equal(ack(3, 3), 0);
    assert_int_equal(ack(4, 4), 0x1);
}

/* RFC 9000 §21.4: each number left out tells, as long as its neighbours are unsettled. */
static void an_earlier_skipped_number_is_a_violation(void **state)
{
    (void)state;
    send(ASKS);  /* 0 */
    leave_out(); /* 1 */
    send(ASKS);  /* 2 */
    leave_out(); /* 3 */
    send(ASKS);  /* 4 */
    assert_int_equal(tern_loss_ack_range(&loss, 1, 1, &outcome), TERN_ERR_PROTOCOL);
    assert_int_equal(tern_loss_ack_range(&loss, 0, 2, &outcome), TERN_ERR_PROTOCOL);
    (void)settle();
}

/* RFC 9002 §6.1.2: on a fast path the granularity decides. */
static void time_threshold_has_a_floor(void **state)
{
    (void)state;
    send(ASKS); /* 0 */
    send(ASKS); /* 1 */
    now += 50 * TERN_USEC;
    assert_int_equal(ack(1, 1), 0);
    assert_int_equal(loss.loss_time, NOW + TERN_RTT_GRANULARITY);
    now = loss.loss_time - 1;
    assert_int_equal(detect(), 0);
    now++;
    assert_int_equal(detect(), 0x1);
}

static void ranges_with_holes_are_each_taken_once(void **state)
{
    (void)state;
    uint64_t pn, acked = 0;
    send_many(6);
    now += RTT;
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(tern_loss_ack_range(&loss, 5, 5, &outcome), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 2, 3, &outcome), 0);
    tern_loss_ack_finish(&loss, &outcome, now);
    assert_int_equal(outcome.acked_packets, 3);
    assert_int_equal(outcome.acked_bytes, 3 * SIZE);
    assert_int_equal(outcome.largest_acked_pn, 5);
    assert_int_equal(outcome.rtt_sample, RTT);
    while (tern_loss_next_acked(&loss, &pn) != NULL) {
        assert_int_equal(acked & (UINT64_C(1) << pn), 0);
        acked |= UINT64_C(1) << pn;
    }
    assert_int_equal(acked, 0x2c);
    tern_rtt_update(&rtt, RTT, 0, now);
    assert_int_equal(detect(), 0x3);
    assert_int_equal(loss.sent.bytes_in_flight, SIZE); /* 4 */
}

/* A bulk loss must not pin the ring: 1024 slots behind the oldest outstanding one, and no more. */
static void lost_packets_kept_are_bounded(void **state)
{
    (void)state;
    send_many(3000);
    now += RTT;
    (void)ack(2999, 2999);
    assert_int_equal(outcome.lost_packets, 2997);
    assert_int_equal(loss.oldest, 2997);
    assert_int_equal(loss.sent.base, 2997 - 1024);
    assert_int_equal(loss.lost_kept, 1024);
    (void)ack(1972, 1972); /* forgotten */
    assert_int_equal(outcome.spurious_packets, 0);
    (void)ack(1973, 1973); /* the last that is not */
    assert_int_equal(outcome.spurious_packets, 1);
}

/* Two packets `gap` apart are lost, the first of them with `flags` and `after` the first RTT sample;
 * was it persistent congestion? */
static bool lose_two(tern_time after, tern_time gap, unsigned flags)
{
    send(ASKS); /* 0 */
    now += RTT;
    (void)ack(0, 0);
    now += after;
    send(flags); /* 1 */
    now += gap;
    send_many(4); /* 2 to 5 */
    now += RTT;
    assert_int_equal(ack(5, 5), 0x6);
    assert_int_equal(tern_rtt_pto(&rtt, 0),
                     RTT + 4 * 3 * RTT / 8); /* what lose_two's callers use */
    return outcome.persistent;
}

#define PERSISTENT (3 * (RTT + 4 * 3 * RTT / 8))

static void persistent_congestion_is_longer_than_three_pto(void **state)
{
    (void)state;
    assert_false(lose_two(1, PERSISTENT, ASKS));
    tern_loss_clear(&loss);
    (void)setup(state);
    assert_true(lose_two(1, PERSISTENT + 1, ASKS));
}

/* RFC 9002 §7.6.2: only packets from after the first sample. */
static void persistent_congestion_begins_after_the_sample(void **state)
{
    (void)state;
    assert_false(lose_two(0, 2 * PERSISTENT, ASKS));
    assert_int_equal(outcome.lost_packets, 2);
}

/* RFC 9000 §14.4: what a lost probe tells is its size. */
static void a_lost_probe_makes_no_persistent_congestion(void **state)
{
    (void)state;
    assert_false(lose_two(1, 2 * PERSISTENT, ASKS | TERN_SENT_PROBE));
    assert_int_equal(outcome.lost_packets, 1);
    assert_int_equal(outcome.lost_probe_packets, 1);
}

/* 1 and 2 are lost when 5 is acknowledged, 3 and 4 only when their time has come: sent `before` after
 * 1, and so much later than 2. */
static void lose_in_two_steps(tern_time before, tern_time between)
{
    send(ASKS); /* 0 */
    now += RTT;
    (void)ack(0, 0);
    now++;
    send(ASKS); /* 1 */
    now += before;
    send(ASKS); /* 2 */
    now += between;
    send_many(3); /* 3 to 5 */
    now += RTT;
    assert_int_equal(ack(5, 5), 0x6);
}

static void lose_the_rest(void)
{
    now = loss.loss_time;
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(detect(), 0x18);
}

/* RFC 9002 §7.6.2: what counts is that nothing between was acknowledged, not when the losses came to
 * light. */
static void persistent_congestion_is_seen_over_two_detections(void **state)
{
    (void)state;
    lose_in_two_steps(PERSISTENT / 2, PERSISTENT / 2 + TERN_MSEC);
    assert_false(outcome.persistent);
    lose_the_rest();
    assert_true(outcome.persistent);
}

static void a_late_ack_breaks_it_in_two(void **state)
{
    (void)state;
    lose_in_two_steps(PERSISTENT / 2, PERSISTENT / 2 + TERN_MSEC);
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(tern_loss_ack_begin(&loss, 2), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 2, 2, &outcome), 0); /* it came after all */
    (void)settle();
    lose_the_rest();
    assert_false(outcome.persistent);
}

static void persistent_congestion_is_declared_once(void **state)
{
    (void)state;
    lose_in_two_steps(2 * PERSISTENT, TERN_MSEC);
    assert_true(outcome.persistent);
    lose_the_rest();
    assert_false(outcome.persistent);
}

/* RFC 9000 §9.4: what was sent on another path is not congestion on this one, gives no sample, and is not
 * overtaken by what takes another way. */
static void a_path_is_not_judged_by_another(void **state)
{
    (void)state;
    send_many(5); /* 0 to 4 */
    send(ASKS | TERN_SENT_PROBE);
    tern_loss_on_moved(&loss, 1, 2 * RTT);
    assert_int_equal(loss.sent.eliciting_outstanding, 6);
    now += RTT / 2;
    send_many(4); /* 6 to 9 */
    now += RTT / 8;
    assert_int_equal(ack(0, 0), 0); /* no sample, no bytes */
    assert_int_equal(outcome.rtt_sample, 0);
    assert_int_equal(outcome.acked_bytes, 0);
    assert_int_equal(ack(9, 9), 0x40); /* of the new ones, 6 is three behind */
    assert_int_equal(outcome.rtt_sample, RTT / 8);
    assert_int_equal(outcome.lost_packets, 1);
    now = NOW + 2 * RTT - 1;
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(detect(), 0x180);
    now++;
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(detect(), 0x3e);
    assert_int_equal(outcome.lost_packets, 0);
    assert_int_equal(outcome.lost_bytes, 0);
    assert_int_equal(outcome.lost_probe_bytes, 0);
    assert_int_equal(ack(2, 2), 0); /* late after all: no mistake of this path */
    assert_int_equal(outcome.spurious_packets, 0);
    assert_int_equal(loss.packet_threshold, 3);
    assert_true(tern_loss_is_consistent(&loss));
}

/* Records tell the place of their receipts modulo 2^32. */
static void receipts_are_found_past_four_billion(void **state)
{
    const struct tern_receipt receipt = {.id = 7};
    (void)state;
    loss.sent.receipt_base = loss.sent.receipt_end = UINT32_MAX - (uint64_t)3;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(tern_sent_reserve(&loss.sent, 1), 0);
        tern_sent_note(&loss.sent, &receipt);
        (void)tern_sent_commit(&loss.sent, SIZE, ASKS, loss.path, 0, now);
    }
    for (uint64_t pn = 0; pn < 8; pn++) {
        const struct tern_sent_packet *packet = tern_sent_find(&loss.sent, pn);
        assert_int_equal(tern_sent_receipt(&loss.sent, packet, 0)->id, 7);
    }
    (void)ack(0, 5);
    assert_int_equal(loss.sent.receipt_base, UINT32_MAX + (uint64_t)3);
    assert_int_equal(loss.sent.receipt_end - loss.sent.receipt_base, 2);
}

/* Ranges come from the newest to the oldest, so that the queue leads back and forth. */
static void the_queue_leads_back_and_forth(void **state)
{
    uint64_t cursor = 0, pn, order[6];
    size_t count = 0;
    (void)state;
    send_many(10);
    memset(&outcome, 0, sizeof outcome);
    assert_int_equal(tern_loss_ack_begin(&loss, 8), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 7, 8, &outcome), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 3, 4, &outcome), 0);
    assert_int_equal(tern_loss_ack_range(&loss, 0, 1, &outcome), 0);
    const uint64_t wanted[] = {7, 8, 3, 4, 0, 1};
    while (tern_loss_walk_acked(&loss, &cursor, &pn) != NULL && count < TERN_COUNT_OF(order)) {
        order[count++] = pn;
    }
    assert_int_equal(count, TERN_COUNT_OF(wanted));
    assert_memory_equal(order, wanted, sizeof wanted);
    assert_null(tern_loss_walk_acked(&loss, &cursor, &pn));
    for (size_t i = 0; i < TERN_COUNT_OF(wanted); i++) {
        assert_non_null(tern_loss_next_acked(&loss, &pn));
        assert_int_equal(pn, wanted[i]);
    }
    assert_null(tern_loss_next_acked(&loss, &pn));
    tern_loss_settle(&loss, &rtt, now);
}

/* Where nothing is left, what comes next lies where the first did; with one packet kept it goes on. */
static void what_is_all_settled_makes_room_at_the_beginning(void **state)
{
    (void)state;
    send_many(5);
    (void)ack(0, 3);
    (void)settle();
    send_many(1);
    assert_ptr_equal(tern_sent_find(&loss.sent, 5), &loss.sent.packets[5]);
    (void)ack(4, 5);
    (void)settle();
    assert_int_equal(loss.sent.base, 6);
    send_many(2);
    assert_ptr_equal(tern_sent_find(&loss.sent, 6), &loss.sent.packets[0]);
    (void)ack(6, 7);
    assert_int_equal(outcome.acked_packets, 2);
    assert_int_equal(settle(), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_path_is_not_judged_by_another, setup, teardown),
    cmocka_unit_test_setup_teardown(persistent_congestion_is_seen_over_two_detections, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(a_late_ack_breaks_it_in_two, setup, teardown),
    cmocka_unit_test_setup_teardown(persistent_congestion_is_declared_once, setup, teardown),
    cmocka_unit_test_setup_teardown(three_later_ones_make_a_loss, setup, teardown),
    cmocka_unit_test_setup_teardown(a_skipped_number_is_no_distance, setup, teardown),
    cmocka_unit_test_setup_teardown(time_makes_a_loss, setup, teardown),
    cmocka_unit_test_setup_teardown(growing_delay_loses_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(sample_needs_news_of_the_largest_and_one_that_asks, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(what_was_never_sent_is_a_violation, setup, teardown),
    cmocka_unit_test_setup_teardown(a_repeated_ack_brings_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(a_late_ack_shows_a_spurious_loss, setup, teardown),
    cmocka_unit_test_setup_teardown(a_lost_packet_is_kept_for_a_while, setup, teardown),
    cmocka_unit_test_setup_teardown(reordering_widens_the_thresholds, setup, teardown),
    cmocka_unit_test_setup_teardown(the_window_ends_at_a_round_trip, setup, teardown),
    cmocka_unit_test_setup_teardown(reordering_is_forgotten, setup, teardown),
    cmocka_unit_test_setup_teardown(a_lost_probe_is_no_congestion, setup, teardown),
    cmocka_unit_test_setup_teardown(persistent_congestion, setup, teardown),
    cmocka_unit_test_setup_teardown(an_ack_between_is_no_persistent_congestion, setup, teardown),
    cmocka_unit_test_setup_teardown(without_a_sample_no_persistent_congestion, setup, teardown),
    cmocka_unit_test_setup_teardown(packets_that_ask_nothing_make_no_persistent_congestion, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(the_oldest_are_found_for_a_probe, setup, teardown),
    cmocka_unit_test_setup_teardown(discard_empties_the_space, setup, teardown),
    cmocka_unit_test_setup_teardown(a_clock_that_goes_back_loses_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(an_earlier_skipped_number_is_no_distance, setup, teardown),
    cmocka_unit_test_setup_teardown(an_earlier_skipped_number_is_a_violation, setup, teardown),
    cmocka_unit_test_setup_teardown(time_threshold_has_a_floor, setup, teardown),
    cmocka_unit_test_setup_teardown(ranges_with_holes_are_each_taken_once, setup, teardown),
    cmocka_unit_test_setup_teardown(lost_packets_kept_are_bounded, setup, teardown),
    cmocka_unit_test_setup_teardown(persistent_congestion_is_longer_than_three_pto, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(persistent_congestion_begins_after_the_sample, setup, teardown),
    cmocka_unit_test_setup_teardown(a_lost_probe_makes_no_persistent_congestion, setup, teardown),
    cmocka_unit_test_setup_teardown(receipts_are_found_past_four_billion, setup, teardown),
    cmocka_unit_test_setup_teardown(the_queue_leads_back_and_forth, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_all_settled_makes_room_at_the_beginning, setup,
                                    teardown),
};

TERN_TEST_MAIN(tests)
