/* The ring of sent packets and the ring of their receipts: growth, rollback, bounds.
 * SPDX-License-Identifier: MIT */
#include "recovery/sent.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

#define NOW (3600 * TERN_SEC)

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_sent sent;

static int setup(void **state)
{
    (void)state;
    kit_mem(&mem, &heap);
    tern_sent_init(&sent, &mem);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_sent_clear(&sent);
    return heap.blocks == 0 ? 0 : -1;
}

static struct tern_sent_packet *send_one(size_t receipts, unsigned flags)
{
    assert_int_equal(tern_sent_reserve(&sent, receipts), 0);
    for (size_t i = 0; i < receipts; i++) {
        struct tern_receipt receipt = {.id = sent.next_pn, .offset = i};
        tern_sent_note(&sent, &receipt);
    }
    return tern_sent_commit(&sent, 1000, flags, 1, 2, NOW + sent.next_pn);
}

static void a_packet_is_found_with_its_receipts(void **state)
{
    (void)state;
    for (uint64_t pn = 0; pn < 500; pn++) { /* both rings grow several times */
        (void)send_one(pn % 7, TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT);
    }
    for (uint64_t pn = 0; pn < 500; pn++) {
        const struct tern_sent_packet *packet = tern_sent_find(&sent, pn);
        assert_non_null(packet);
        assert_int_equal(packet->state, TERN_SENT_OUTSTANDING);
        assert_int_equal(packet->sent_at, NOW + pn);
        assert_int_equal(packet->size, 1000);
        assert_int_equal(packet->path, 1);
        assert_int_equal(packet->ecn, 2);
        assert_int_equal(packet->receipt_count, pn % 7);
        for (size_t i = 0; i < packet->receipt_count; i++) {
            assert_int_equal(tern_sent_receipt(&sent, packet, i)->id, pn);
            assert_int_equal(tern_sent_receipt(&sent, packet, i)->offset, i);
        }
    }
    assert_null(tern_sent_find(&sent, 500));
    assert_null(tern_sent_find(&sent, UINT64_MAX));
}

static void flight_counts_by_flag(void **state)
{
    (void)state;
    (void)send_one(0, 0);
    assert_int_equal(sent.bytes_in_flight, 0);
    assert_int_equal(sent.last_eliciting_at, 0);
    (void)send_one(0, TERN_SENT_IN_FLIGHT); /* PADDING alone */
    assert_int_equal(sent.bytes_in_flight, 1000);
    assert_int_equal(sent.eliciting_outstanding, 0);
    (void)send_one(0, TERN_SENT_IN_FLIGHT | TERN_SENT_ELICITING);
    assert_int_equal(sent.bytes_in_flight, 2000);
    assert_int_equal(sent.eliciting_outstanding, 1);
    assert_int_equal(sent.last_eliciting_at, NOW + 2);
}

static void what_was_not_sent_is_forgotten(void **state)
{
    (void)state;
    struct tern_receipt receipt = {.id = 1};
    assert_int_equal(tern_sent_reserve(&sent, 3), 0);
    tern_sent_note(&sent, &receipt);
    uint32_t mark = sent.open_receipts;
    receipt.id = 2;
    tern_sent_note(&sent, &receipt);
    tern_sent_rollback_to(&sent, mark);
    receipt.id = 3;
    tern_sent_note(&sent, &receipt);
    const struct tern_sent_packet *packet = tern_sent_commit(&sent, 9, 0, 0, 0, NOW);
    assert_int_equal(packet->receipt_count, 2);
    assert_int_equal(tern_sent_receipt(&sent, packet, 0)->id, 1);
    assert_int_equal(tern_sent_receipt(&sent, packet, 1)->id, 3);
    assert_int_equal(tern_sent_reserve(&sent, 1), 0);
    tern_sent_note(&sent, &receipt);
    tern_sent_rollback(&sent);
    assert_int_equal(send_one(0, 0)->receipt_count, 0);
}

/* The rings are reused: what leaves at the bottom makes room at the top without a new allocation. */
static void a_warm_ring_allocates_nothing(void **state)
{
    (void)state;
    uint64_t calls = 0;
    for (uint64_t pn = 0; pn < 100000; pn++) {
        const struct tern_sent_packet *packet = send_one(3, TERN_SENT_ELICITING);
        if (pn >= 20) { /* as loss.c does when a packet is settled */
            packet = tern_sent_find(&sent, pn - 20);
            sent.receipt_base = packet->receipts + packet->receipt_count;
            sent.base = pn - 19;
        }
        calls = pn == 1000 ? heap.calls : calls;
    }
    assert_int_equal(heap.calls, calls);
    assert_null(tern_sent_find(&sent, 100));
    assert_non_null(tern_sent_find(&sent, 99999));
}

static void a_skipped_number_has_a_slot(void **state)
{
    (void)state;
    (void)send_one(1, 0);
    assert_int_equal(tern_sent_reserve(&sent, 0), 0);
    tern_sent_skip(&sent);
    (void)send_one(1, 0);
    assert_int_equal(sent.next_pn, 3);
    assert_int_equal(sent.skipped, 2);
    assert_int_equal(tern_sent_find(&sent, 1)->state, TERN_SENT_SKIPPED);
    assert_int_equal(tern_sent_find(&sent, 1)->receipt_count, 0);
    assert_int_equal(tern_sent_receipt(&sent, tern_sent_find(&sent, 2), 0)->id, 2);
}

/* One reserve is enough for a skipped number and the packet behind it, at every fill of the ring. */
static void a_reserve_covers_a_skip_and_a_packet(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(tern_sent_reserve(&sent, 0), 0);
        tern_sent_skip(&sent);
        (void)tern_sent_commit(&sent, 1, 0, 0, 0, NOW);
    }
    assert_int_equal(sent.next_pn, 600);
}

static void numbers_go_on_after_clear(void **state)
{
    (void)state;
    (void)send_one(2, TERN_SENT_IN_FLIGHT);
    (void)send_one(2, TERN_SENT_IN_FLIGHT);
    tern_sent_clear(&sent);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(sent.bytes_in_flight, 0);
    assert_null(tern_sent_find(&sent, 1));
    (void)send_one(0, 0);
    assert_int_equal(sent.next_pn, 3); /* a number is never used twice */
    assert_non_null(tern_sent_find(&sent, 2));
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    for (int i = 0; i < 31; i++) {
        (void)send_one(2, TERN_SENT_IN_FLIGHT);
    }
    heap.fail_at = heap.calls + 1;
    assert_int_equal(tern_sent_reserve(&sent, 0), TERN_ERR_NOMEM);
    assert_int_equal(sent.next_pn, 31);
    heap.fail_at = 0;
    (void)send_one(2, TERN_SENT_IN_FLIGHT);
    assert_int_equal(tern_sent_find(&sent, 0)->size, 1000);
    assert_int_equal(tern_sent_receipt(&sent, tern_sent_find(&sent, 31), 1)->id, 31);
}

static void the_ring_has_an_end(void **state)
{
    (void)state;
    int rc = 0;
    uint64_t count = 0;
    while ((rc = tern_sent_reserve(&sent, 0)) == 0) {
        (void)tern_sent_commit(&sent, 1, 0, 0, 0, NOW);
        count++;
    }
    assert_int_equal(rc, TERN_ERR_LIMIT);
    assert_in_range(count, TERN_SENT_PACKETS_MAX - 2, TERN_SENT_PACKETS_MAX);
}

/* The receipts' ring wraps and grows while a packet is being built. */
static void growth_keeps_the_receipts_of_the_open_packet(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)send_one(3, 0);
    }
    sent.base = 19; /* all but the last are settled: 57 of 64 slots are free, the end is at 60 */
    sent.receipt_base = 57;
    for (uint64_t i = 0; i < 100; i++) {
        struct tern_receipt receipt = {.id = 1000 + i};
        assert_int_equal(tern_sent_reserve(&sent, 1), 0);
        tern_sent_note(&sent, &receipt);
    }
    assert_int_equal(sent.receipt_capacity, 128);
    const struct tern_sent_packet *packet = tern_sent_commit(&sent, 1, 0, 0, 0, NOW);
    assert_int_equal(packet->receipt_count, 100);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(tern_sent_receipt(&sent, packet, i)->id, 1000 + i);
    }
    assert_int_equal(tern_sent_receipt(&sent, tern_sent_find(&sent, 19), 2)->id, 19);
}

static void the_window_has_two_edges(void **state)
{
    (void)state;
    assert_null(tern_sent_find(&sent, 0)); /* nothing sent yet */
    for (int i = 0; i < 40; i++) {
        (void)send_one(0, 0);
    }
    sent.base = 8;
    assert_null(tern_sent_find(&sent, 7));
    assert_int_equal(tern_sent_find(&sent, 8)->sent_at, NOW + 8);
    assert_int_equal(tern_sent_find(&sent, 39)->sent_at, NOW + 39);
    assert_null(tern_sent_find(&sent, 40));
}

/* One ring may grow and the other fail: both are whole, and the next try goes on. */
static void without_memory_for_receipts_nothing_changes(void **state)
{
    (void)state;
    for (int i = 0; i < 31; i++) {
        (void)send_one(2, TERN_SENT_IN_FLIGHT);
    }
    heap.fail_at = heap.calls + 2; /* the packets' ring grows, the receipts' does not */
    assert_int_equal(tern_sent_reserve(&sent, 3), TERN_ERR_NOMEM);
    heap.fail_at = 0;
    assert_int_equal(sent.receipt_capacity, 64);
    (void)send_one(3, TERN_SENT_IN_FLIGHT);
    for (uint64_t pn = 0; pn < 32; pn++) {
        assert_int_equal(tern_sent_receipt(&sent, tern_sent_find(&sent, pn), 1)->id, pn);
    }
}

static void skipped_numbers_are_counted_for_the_packets_above(void **state)
{
    (void)state;
    const uint32_t wanted[] = {0, 0, 1, 1, 1, 2};
    for (uint64_t pn = 0; pn < TERN_COUNT_OF(wanted); pn++) {
        assert_int_equal(tern_sent_reserve(&sent, 0), 0);
        if (pn == 1 || pn == 4) {
            tern_sent_skip(&sent);
        } else {
            (void)tern_sent_commit(&sent, 1, 0, 0, 0, NOW);
        }
    }
    for (uint64_t pn = 0; pn < TERN_COUNT_OF(wanted); pn++) {
        assert_int_equal(tern_sent_find(&sent, pn)->skips_before, wanted[pn]);
    }
}

/* The memory that was used last is used again; what comes is found there, also when it grows. */
static void an_empty_ring_begins_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)send_one(3, 0);
    }
    sent.base = sent.next_pn;
    sent.receipt_base = sent.receipt_end;
    tern_sent_restart(&sent);
    const struct tern_sent_packet *first = send_one(3, 0);
    assert_ptr_equal(first, sent.packets);
    assert_ptr_equal(tern_sent_receipt(&sent, first, 0), sent.receipts);
    tern_sent_fetch_oldest(&sent, 5); /* of which there is one */
    for (int i = 0; i < 100; i++) {
        (void)send_one(3, 0);
        tern_sent_fetch_next(&sent, 100); /* on to the beginning of the ring */
    }
    assert_null(tern_sent_find(&sent, 19));
    for (uint64_t pn = 20; pn < 121; pn++) {
        const struct tern_sent_packet *packet = tern_sent_find(&sent, pn);
        assert_int_equal(packet->sent_at, NOW + pn);
        assert_int_equal(tern_sent_receipt(&sent, packet, 2)->id, pn);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_packet_is_found_with_its_receipts, setup, teardown),
    cmocka_unit_test_setup_teardown(flight_counts_by_flag, setup, teardown),
    cmocka_unit_test_setup_teardown(what_was_not_sent_is_forgotten, setup, teardown),
    cmocka_unit_test_setup_teardown(a_warm_ring_allocates_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(a_skipped_number_has_a_slot, setup, teardown),
    cmocka_unit_test_setup_teardown(a_reserve_covers_a_skip_and_a_packet, setup, teardown),
    cmocka_unit_test_setup_teardown(numbers_go_on_after_clear, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_nothing_changes, setup, teardown),
    cmocka_unit_test_setup_teardown(the_ring_has_an_end, setup, teardown),
    cmocka_unit_test_setup_teardown(growth_keeps_the_receipts_of_the_open_packet, setup, teardown),
    cmocka_unit_test_setup_teardown(the_window_has_two_edges, setup, teardown),
    cmocka_unit_test_setup_teardown(an_empty_ring_begins_anew, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_for_receipts_nothing_changes, setup, teardown),
    cmocka_unit_test_setup_teardown(skipped_numbers_are_counted_for_the_packets_above, setup,
                                    teardown),
};

TERN_TEST_MAIN(tests)
