/* How many repairs fall due, what they cover, when they wait.
 * SPDX-License-Identifier: MIT */
#include "unit/stream/fec_kit.h"

static struct tern_message_part small(uint64_t number)
{
    return (struct tern_message_part){
        .channel = 7, .lane = TERN_LANE_UNORDERED, .number = number, .len = 60, .total = 60};
}

static struct tern_message_part large(uint64_t number, uint32_t total)
{
    return (struct tern_message_part){.channel = 7, .number = number, .total = total};
}

static void protect(struct kit_fec *k, unsigned percent, bool adaptive)
{
    assert_int_equal(tern_fec_out_set_size(k->out, 1000), 0);
    assert_int_equal(tern_fec_out_set(k->out, 7, TERN_LANE_UNORDERED, percent, adaptive), 0);
    assert_int_equal(kit_repairs(k, 0, 0), 0); /* tells the size */
}

static struct tern_fec_repair expect_repair(struct kit_fec *k, tern_time since)
{
    struct tern_fec_repair r;
    uint8_t data[KIT_PACKET];
    assert_true(tern_fec_out_next(k->out, KIT_PACKET, KIT_PACKET, since, &r));
    tern_fec_out_write(k->out, data);
    tern_fec_out_on_repair_sent(k->out);
    return r;
}

static void the_size_is_told_before_anything(void **state)
{
    (void)state;
    struct kit_fec k;
    struct tern_fec_repair r;
    kit_fec_init(&k, 64);
    assert_int_equal(tern_fec_out_top(k.out), TERN_PRIORITIES);
    assert_int_equal(tern_fec_out_set(k.out, 7, TERN_LANE_UNORDERED, 10, false), 0);
    assert_false(tern_fec_out_next(k.out, KIT_PACKET, KIT_PACKET, 0, &r)); /* no size yet */
    assert_int_equal(tern_fec_out_set_size(k.out, 1000), 0);
    assert_int_equal(tern_fec_out_top(k.out), 0);
    assert_true(tern_fec_out_next(k.out, KIT_PACKET, KIT_PACKET, 0, &r));
    assert_int_equal(r.symbols, 0);
    assert_int_equal(r.size, 1000);
    assert_int_equal(r.len, 0);
    tern_fec_out_on_repair_sent(k.out);
    assert_int_equal(tern_fec_out_top(k.out), TERN_PRIORITIES);
    kit_fec_clear(&k);
}

static void a_rate_of_25_gives_one_for_four_messages(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 25, false);
    for (uint64_t n = 0; n < 40; n++) {
        struct tern_message_part part = small(n);
        kit_part(&k, &part, false, 100 + n);
        assert_int_equal(kit_repairs(&k, 0, 0), n % 4 == 3);
    }
    kit_fec_clear(&k);
}

static void repairs_fall_due_at_the_end_of_a_message(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 20, false);
    struct tern_message_part part = large(0, 20000);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(tern_fec_out_top(k.out), TERN_PRIORITIES);
        part.offset = i * 1000;
        part.len = 1000;
        part.is_fragment = true;
        kit_part(&k, &part, false, 100);
    }
    assert_int_equal(tern_fec_out_top(k.out), 3);
    assert_int_equal(kit_repairs(&k, 0, 0), 4);
    kit_fec_clear(&k);
}

static void a_long_message_has_some_in_its_middle(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 25, false);
    struct tern_message_part part = large(0, 1000000);
    for (uint32_t i = 0; i < 1000; i++) {
        part.offset = i * 1000;
        part.len = 1000;
        part.is_fragment = true;
        kit_part(&k, &part, i % 32 == 5, 100);
        assert_int_equal(kit_repairs(&k, 0, 0), i % 32 == 31 ? 8 : i == 999 ? 2 : 0);
    }
    assert_int_equal(k.recovered, 32 * 1000);
    kit_fec_clear(&k);
}

static void acknowledged_symbols_are_not_covered(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 100, false);
    for (uint64_t n = 0; n < 5; n++) {
        struct tern_message_part part = small(n);
        kit_part(&k, &part, false, 100 + n);
        if (n != 2) {
            tern_fec_out_on_acked(k.out, &part);
        }
    }
    struct tern_fec_repair r = expect_repair(&k, 0);
    assert_int_equal(r.message, 2);
    assert_int_equal(r.symbols, 3);
    assert_int_equal(r.messages, 3);
    assert_int_equal(r.len, 60);
    struct tern_message_part part = small(2);
    tern_fec_out_on_acked(k.out, &part);
    assert_int_equal(kit_repairs(&k, 0, 0), 0); /* nothing is left to be mended */
    assert_int_equal(tern_fec_out_top(k.out), TERN_PRIORITIES);
    kit_fec_clear(&k);
}

static void half_an_acknowledgement_is_none(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 100, false);
    struct tern_message_part part = large(0, 1500);
    kit_send_message(&k, &part, 750, 0, 100); /* not cut as symbols are: [0, 750) and [750, 1500) */
    part = (struct tern_message_part){
        .channel = 7, .is_fragment = true, .offset = 750, .len = 750, .total = 1500};
    tern_fec_out_on_acked(k.out, &part);
    struct tern_fec_repair r = expect_repair(&k, 0);
    assert_int_equal(r.skip, 0);
    assert_int_equal(r.symbols, 2);
    kit_fec_clear(&k);
}

static void old_symbols_are_not_covered(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 50, false);
    for (uint64_t n = 0; n < 10; n++) {
        struct tern_message_part part = small(n);
        kit_part(&k, &part, false, 100 + n);
    }
    struct tern_fec_repair r = expect_repair(&k, 107);
    assert_int_equal(r.message, 7);
    assert_int_equal(r.symbols, 3);
    assert_int_equal(r.first, 8);
    assert_int_equal(kit_repairs(&k, 0, 200), 0); /* all are too old: what was due is dropped */
    assert_int_equal(kit_repairs(&k, 0, 0), 0);
    kit_fec_clear(&k);
}

static void no_more_than_the_peer_keeps_is_covered(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 8);
    protect(&k, 100, false);
    struct tern_message_part part = large(0, 20000);
    kit_send_message(&k, &part, 1000, 0, 100);
    struct tern_fec_repair r = expect_repair(&k, 0);
    assert_int_equal(r.symbols, 8);
    assert_int_equal(r.skip, 12);
    assert_int_equal(r.messages, 1);
    kit_fec_clear(&k);
}

static void a_repair_fits_its_packet(void **state)
{
    (void)state;
    struct kit_fec k;
    struct tern_fec_repair r;
    kit_fec_init(&k, 64);
    protect(&k, 100, false);
    for (uint64_t n = 0; n < 60; n++) {
        struct tern_message_part part = small(n);
        part.len = part.total = n == 55 ? 1000 : 60;
        kit_part(&k, &part, false, 100);
    }
    assert_false(
        tern_fec_out_next(k.out, 300, 1040, 0, &r)); /* in the rest of a packet: it waits */
    assert_true(tern_fec_out_next(k.out, 1040, 1040, 0, &r)); /* of a whole one: it covers less */
    assert_int_equal(r.message + r.messages, 60);
    assert_true(r.symbols <= 14 && r.symbols >= 10);
    assert_true(tern_fec_repair_size(&r) <= 1040);
    kit_fec_clear(&k);
}

/* One part was missed, by a change of size in the middle of a message: what lies before is another run. */
static void a_run_has_no_gap(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 100, false);
    for (uint64_t n = 0; n < 6; n++) {
        struct tern_message_part part = small(n < 3 ? n : n + 1);
        kit_part(&k, &part, false, 100);
    }
    struct tern_fec_repair r = expect_repair(&k, 0);
    assert_int_equal(r.message, 4);
    assert_int_equal(r.symbols, 3);
    kit_fec_clear(&k);
}

static void another_size_begins_anew(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 100, false);
    struct tern_message_part part = small(0);
    kit_part(&k, &part, false, 100);
    assert_int_equal(tern_fec_out_set_size(k.out, 1200), 0);
    assert_int_equal(tern_fec_out_cut(k.out, 7, TERN_LANE_UNORDERED), 1200);
    struct tern_fec_repair r = expect_repair(&k, 0);
    assert_int_equal(r.symbols, 0);
    assert_int_equal(r.size, 1200);
    part = small(1);
    kit_part(&k, &part, false, 100);
    r = expect_repair(&k, 0);
    assert_int_equal(r.message, 1);
    assert_int_equal(r.symbols, 1);
    assert_int_equal(r.first, 2);
    kit_fec_clear(&k);
}

static void nothing_is_spent_while_nothing_is_lost(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    protect(&k, 50, true);
    for (uint64_t n = 0; n < 2000; n++) {
        struct tern_message_part part = small(n);
        kit_part(&k, &part, false, 100);
        tern_fec_out_on_acked(k.out, &part);
    }
    assert_int_equal(kit_repairs(&k, 0, 0), 0);
    kit_fec_clear(&k);
}

/* Of 20 fragments one in ten is lost, alone or in twos: the more the longer the bursts, and never above
 * the rate that was allowed. */
static unsigned spent_for(unsigned percent, unsigned burst)
{
    struct kit_fec k;
    unsigned repairs = 0;
    kit_fec_init(&k, 64);
    protect(&k, percent, true);
    for (uint64_t n = 0; n < 200; n++) {
        struct tern_message_part part = large(n, 20000);
        kit_send_message(&k, &part, 1000, 0, 100);
        repairs += kit_repairs(&k, 0, 0);
        for (uint32_t i = 0; i < 20; i++) {
            part.offset = i * 1000;
            part.len = 1000;
            if ((n * 20 + i) % (10 * burst) < burst) {
                tern_fec_out_on_lost(k.out, &part);
            }
            tern_fec_out_on_acked(k.out, &part);
        }
    }
    kit_fec_clear(&k);
    return repairs;
}

static void repairs_follow_losses(void **state)
{
    (void)state;
    unsigned alone = spent_for(100, 1), twos = spent_for(100, 2), capped = spent_for(10, 2);
    assert_in_range(alone, 4000 * 30 / 100, 4000 * 50 / 100);
    assert_in_range(twos, alone + 400, 4000 * 80 / 100);
    assert_in_range(capped, 4000 * 9 / 100, 4000 * 10 / 100);
}

static void lanes_are_bounded(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    assert_int_equal(tern_fec_out_set_size(k.out, 100), 0);
    for (uint32_t i = 0; i < TERN_FEC_LANES; i++) {
        assert_int_equal(tern_fec_out_set(k.out, i, TERN_LANE_ORDERED, 10, false), 0);
    }
    assert_int_equal(tern_fec_out_set(k.out, 99, TERN_LANE_ORDERED, 10, false), TERN_ERR_LIMIT);
    assert_int_equal(tern_fec_out_set(k.out, 3, TERN_LANE_ORDERED, 0, false), 0);
    assert_int_equal(tern_fec_out_set(k.out, 99, TERN_LANE_ORDERED, 10, false), 0);
    assert_int_equal(tern_fec_out_cut(k.out, 3, TERN_LANE_ORDERED), 0);
    assert_int_equal(tern_fec_out_set(k.out, 3, TERN_LANE_ORDERED, 0, false), 0); /* off is off */
    kit_fec_clear(&k);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    for (uint64_t fail = 1; fail <= 3; fail++) {
        struct kit_fec k = {0};
        kit_mem(&k.mem, &k.heap);
        k.heap.fail_at = fail;
        k.out = tern_fec_out_new(&k.mem, 64);
        assert_int_equal(k.out == NULL, fail == 1);
        if (k.out != NULL) {
            assert_int_equal(tern_fec_out_set_size(k.out, 100), 0);
            assert_int_equal(tern_fec_out_set(k.out, 1, TERN_LANE_ORDERED, 10, false),
                             TERN_ERR_NOMEM);
            assert_int_equal(tern_fec_out_cut(k.out, 1, TERN_LANE_ORDERED), 0);
        }
        tern_fec_out_free(k.out);
        assert_int_equal(k.heap.blocks, 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_size_is_told_before_anything),
    cmocka_unit_test(a_rate_of_25_gives_one_for_four_messages),
    cmocka_unit_test(repairs_fall_due_at_the_end_of_a_message),
    cmocka_unit_test(a_long_message_has_some_in_its_middle),
    cmocka_unit_test(acknowledged_symbols_are_not_covered),
    cmocka_unit_test(half_an_acknowledgement_is_none),
    cmocka_unit_test(old_symbols_are_not_covered),
    cmocka_unit_test(no_more_than_the_peer_keeps_is_covered),
    cmocka_unit_test(a_repair_fits_its_packet),
    cmocka_unit_test(a_run_has_no_gap),
    cmocka_unit_test(another_size_begins_anew),
    cmocka_unit_test(nothing_is_spent_while_nothing_is_lost),
    cmocka_unit_test(repairs_follow_losses),
    cmocka_unit_test(lanes_are_bounded),
    cmocka_unit_test(without_memory_it_says_so),
};

TERN_TEST_MAIN(tests)
