/* What is lost comes back; and what a hostile peer can do with REPAIR: nothing.
 * SPDX-License-Identifier: MIT */
#include "unit/stream/fec_kit.h"

#define SIZE 1000u

static struct tern_message_part message(uint64_t number, uint32_t total)
{
    return (struct tern_message_part){.channel = 3,
                                      .lane = TERN_LANE_ORDERED,
                                      .uses_credit = true,
                                      .number = number,
                                      .len = total,
                                      .total = total};
}

static void begin(struct kit_fec *k, unsigned percent)
{
    kit_fec_init(k, 64);
    assert_int_equal(tern_fec_out_set_size(k->out, SIZE), 0);
    assert_int_equal(tern_fec_out_set(k->out, 3, TERN_LANE_ORDERED, percent, false), 0);
    assert_int_equal(kit_repairs(k, 0, 0), 0);
}

/* For each set of at most as many losses as there are repairs, repairs among them. */
static void any_losses_up_to_the_repairs_come_back(void **state)
{
    (void)state;
    for (uint64_t lost = 0; lost < 1u << 9; lost++) { /* 6 fragments, 3 repairs */
        struct kit_fec k;
        struct tern_message_part part = message(0, 5500);
        begin(&k, 50);
        kit_send_message(&k, &part, SIZE, lost & 63, 100);
        assert_int_equal(kit_repairs(&k, lost >> 6, 0), 3);
        uint64_t fragments = (uint64_t)__builtin_popcountll(lost & 63);
        uint64_t repairs = 3 - (uint64_t)__builtin_popcountll(lost >> 6);
        uint64_t bytes = fragments * SIZE - (lost >> 5 & 1) * 500;
        assert_int_equal(k.recovered, fragments <= repairs ? bytes : 0);
        kit_fec_clear(&k);
    }
}

/* The tail of a message and its repairs are gone: those of the next mend it. */
static void the_next_message_mends_the_last(void **state)
{
    (void)state;
    struct kit_fec k;
    begin(&k, 20);
    struct tern_message_part part = message(0, 20000);
    kit_send_message(&k, &part, SIZE, UINT64_C(3) << 18, 100);
    assert_int_equal(kit_repairs(&k, UINT64_MAX, 0), 4);
    part = message(1, 20000);
    kit_send_message(&k, &part, SIZE, 3, 101);
    assert_int_equal(k.recovered, 0);
    assert_int_equal(kit_repairs(&k, 0, 0), 4);
    assert_int_equal(k.recovered, 4 * SIZE);
    kit_fec_clear(&k);
}

/* Too much is missing until one of them comes after all. */
static void a_late_fragment_completes_a_repair(void **state)
{
    (void)state;
    struct kit_fec k;
    begin(&k, 10);
    struct tern_message_part part = message(0, 10000);
    kit_send_message(&k, &part, SIZE, 0x21, 100);
    assert_int_equal(kit_repairs(&k, 0, 0), 1);
    assert_int_equal(k.recovered, 0);
    part.is_fragment = true;
    part.len = SIZE;
    tern_fec_in_on_part(k.in, &part, kit_message(&part));
    assert_int_equal(kit_harvest(&k), SIZE);
    kit_fec_clear(&k);
}

/* A fragment that is cut otherwise than symbols are, in two pieces, in either order. */
static void pieces_of_a_symbol_are_put_together(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct kit_fec k;
        begin(&k, 10);
        struct tern_message_part part = message(0, 10000);
        kit_send_message(&k, &part, SIZE, 0x3, 100);
        assert_int_equal(kit_repairs(&k, 0, 0), 1);
        part.is_fragment = true;
        part.offset = order == 0 ? 0 : 400;
        part.len = order == 0 ? 400 : 600;
        tern_fec_in_on_part(k.in, &part, kit_message(&part));
        assert_int_equal(kit_harvest(&k), 0);
        part.offset = order == 0 ? 400 : 0;
        part.len = order == 0 ? 600 : 400;
        tern_fec_in_on_part(k.in, &part, kit_message(&part));
        assert_int_equal(kit_harvest(&k), SIZE);
        kit_fec_clear(&k);
    }
}

static void small_and_empty_messages_come_back(void **state)
{
    (void)state;
    struct kit_fec k;
    struct tern_message_part found;
    struct tern_fec_repair r;
    const uint8_t *data;
    uint8_t buf[KIT_PACKET];
    begin(&k, 50);
    for (uint64_t n = 0; n < 4; n++) {
        struct tern_message_part part = message(n, n == 1 ? 0 : 60 + (uint32_t)n);
        kit_part(&k, &part, n == 1 || n == 2, 100);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(tern_fec_out_next(k.out, KIT_PACKET, KIT_PACKET, 0, &r));
        tern_fec_out_write(k.out, buf);
        tern_fec_out_on_repair_sent(k.out);
        r.data = buf;
        assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
    }
    assert_int_equal(r.len, 63);
    bool seen[2] = {false, false};
    for (unsigned i = 0; i < 2; i++) {
        assert_true(tern_fec_in_next(k.in, &found, &data));
        assert_true(found.number == 1 || found.number == 2);
        assert_int_equal(found.total, found.number == 1 ? 0 : 62);
        assert_true(found.uses_credit);
        assert_int_equal(found.lane, TERN_LANE_ORDERED);
        assert_int_equal(found.channel, 3);
        seen[found.number - 1] = true;
    }
    assert_true(seen[0] && seen[1]);
    assert_false(tern_fec_in_next(k.in, &found, &data));
    kit_fec_clear(&k);
}

/* Frames of random sizes, random losses of everything, now and then another size of symbols, acknowledgements
 * of what came: whatever is found is true (kit_harvest), and most of what is lost is. */
static void a_long_run_with_losses(void **state)
{
    (void)state;
    uint64_t lost_bytes = 0;
    struct kit_fec k;
    begin(&k, 30);
    for (uint64_t n = 0; n < TERN_TEST_TIMES(5000u); n++) {
        struct tern_message_part part = message(n, (uint32_t)kit_below(&k.seed, 12000));
        uint32_t size = n % 500 < 400 ? SIZE : 700;
        assert_int_equal(tern_fec_out_set_size(k.out, size), 0);
        kit_repairs(&k, 0, 0);
        uint64_t lost = kit_next(&k.seed) & kit_next(&k.seed) & kit_next(&k.seed);
        kit_send_message(&k, &part, size, lost, 100 + n);
        for (uint32_t i = 0; i * size < part.total; i++) {
            uint32_t len = TERN_MIN(size, part.total - i * size);
            struct tern_message_part piece = part;
            piece.offset = i * size;
            piece.len = len;
            lost_bytes += (lost >> i & 1) * len;
            if ((lost >> i & 1) == 0 && n % 3 == 0) {
                tern_fec_out_on_acked(k.out, &piece);
            }
        }
        kit_repairs(&k, kit_next(&k.seed) & kit_next(&k.seed) & kit_next(&k.seed), 100 + n - 4);
        assert_true(tern_fec_in_held(k.in) < 300000);
    }
    assert_true(k.recovered * 100 > lost_bytes * 97);
    kit_fec_clear(&k);
}

static void lanes_do_not_mix(void **state)
{
    (void)state;
    struct kit_fec k;
    begin(&k, 50);
    assert_int_equal(tern_fec_out_set(k.out, 4, TERN_LANE_LATEST, 50, false), 0);
    kit_repairs(&k, 0, 0);
    struct tern_message_part a = message(0, 2000), b = message(0, 2000);
    b.channel = 4;
    b.lane = TERN_LANE_LATEST;
    b.uses_credit = false;
    kit_send_message(&k, &a, SIZE, 1, 100);
    kit_send_message(&k, &b, SIZE, 2, 100);
    assert_int_equal(kit_repairs(&k, 0, 0), 2);
    assert_int_equal(k.recovered, 2 * SIZE);
    kit_fec_clear(&k);
}

/* --- hostile ------------------------------------------------------------------------------------ */

static const uint8_t noise[TERN_FEC_SIZE_MAX];

static struct tern_fec_repair sound(void)
{
    static const uint8_t lengths[2] = {2 * 30 + 1, 2 * 20 + 1};
    return (struct tern_fec_repair){.channel = 3,
                                    .lane = TERN_LANE_ORDERED,
                                    .size = 16,
                                    .message = 5,
                                    .symbols = 4,
                                    .messages = 2,
                                    .lengths = lengths,
                                    .lengths_len = sizeof lengths,
                                    .data = noise,
                                    .len = 16};
}

static void a_repair_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    struct tern_fec_repair bad[16];
    size_t n = 0;
    for (size_t i = 0; i < TERN_COUNT_OF(bad); i++) {
        bad[i] = sound();
    }
    static const uint8_t huge[4] = {0xbf, 0xff, 0xff, 0xff}, cut[1] = {0x40}, one[1] = {61},
                         three[3] = {61, 41, 41};
    bad[n++].size = 0;
    bad[n++].size = TERN_FEC_SIZE_MAX + 1;
    bad[n++].symbols = 65;
    bad[n++].symbols = 5;  /* more than the messages have */
    bad[n++].symbols = 2;  /* the second message is not covered */
    bad[n++].messages = 1; /* a length too many */
    bad[n++].messages = 5; /* more than symbols */
    bad[n++].skip = 2;     /* the first message has but two */
    bad[n++].len = 15;     /* not that of the longest */
    bad[n++].len = 17;
    bad[n].lengths = cut;
    bad[n++].lengths_len = 1;
    bad[n].lengths = one;
    bad[n++].lengths_len = 1;
    bad[n].lengths = three;
    bad[n++].lengths_len = 3;
    bad[n].lengths = huge; /* of 2^29 bytes */
    bad[n].messages = 1;
    bad[n++].lengths_len = 4;
    bad[n++].message = TERN_VARINT_MAX - 1;
    bad[n++].lane = TERN_LANE_LATEST; /* with credit */
    assert_int_equal(n, TERN_COUNT_OF(bad));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tern_fec_in_on_repair(k.in, &bad[i]), TERN_ERR_PROTOCOL);
    }
    struct tern_fec_repair good = sound();
    assert_int_equal(tern_fec_in_on_repair(k.in, &good), 0);
    kit_fec_clear(&k);
}

static void a_repair_beyond_our_window_is_refused(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 3);
    struct tern_fec_repair r = sound();
    assert_int_equal(tern_fec_in_on_repair(k.in, &r), TERN_ERR_PROTOCOL);
    kit_fec_clear(&k);
}

static void a_repair_that_contradicts_a_message_is_refused(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 3; what++) {
        struct kit_fec k;
        kit_fec_init(&k, 64);
        struct tern_fec_repair r = sound();
        r.symbols = r.messages = 0;
        r.lengths_len = r.len = 0;
        assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
        struct tern_message_part part = message(6, what == 0 ? 21 : 20);
        part.uses_credit = what != 1;
        tern_fec_in_on_part(k.in, &part, kit_message(&part));
        r = sound();
        assert_int_equal(tern_fec_in_on_repair(k.in, &r), what == 2 ? 0 : TERN_ERR_PROTOCOL);
        kit_fec_clear(&k);
    }
}

static void a_repair_that_contradicts_another_is_refused(void **state)
{
    (void)state;
    struct kit_fec k;
    static const uint8_t other[2] = {61, 43};
    kit_fec_init(&k, 64);
    struct tern_fec_repair r = sound();
    assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
    r.lengths = other;
    r.number = 1;
    assert_int_equal(tern_fec_in_on_repair(k.in, &r), TERN_ERR_PROTOCOL);
    kit_fec_clear(&k);
}

/* Bytes where the padding of a symbol should be: nothing is made of them. */
static void a_sum_that_leaves_no_padding_is_dropped(void **state)
{
    (void)state;
    struct kit_fec k;
    static const uint8_t full[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    kit_fec_init(&k, 64);
    struct tern_fec_repair r = sound();
    r.symbols = r.messages = 0;
    r.lengths_len = r.len = 0;
    assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
    struct tern_message_part first = message(5, 30), second = message(6, 16);
    second.is_fragment = true;
    second.total = 20;
    tern_fec_in_on_part(k.in, &first, kit_message(&first));
    tern_fec_in_on_part(k.in, &second, kit_message(&second));
    r = sound();
    r.data = full;
    struct tern_message_part part;
    const uint8_t *data;
    assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
    assert_false(tern_fec_in_next(k.in, &part, &data));
    kit_fec_clear(&k);
}

/* Numbers that were never sent, sizes that change with each, lanes without end: memory has a bound. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    uint64_t most = TERN_FEC_LANES * (2 * (uint64_t)TERN_FEC_LANE_BYTES * 5 / 4 + 32768);
    for (uint64_t turn = 0; turn < TERN_TEST_TIMES(20000u); turn++) {
        struct tern_fec_repair r = sound();
        static const uint8_t whole[4] = {0x82, 0, 0, 0}; /* 2^24 */
        r.channel = (uint32_t)kit_below(&k.seed, turn < 5000 ? 17 : 60000);
        r.size = turn % 7 == 0 ? (uint32_t)(1 + kit_below(&k.seed, TERN_FEC_SIZE_MAX)) : 2000;
        r.message = kit_below(&k.seed, 4);
        r.symbols = 1 + (uint32_t)kit_below(&k.seed, 64);
        r.skip = (uint32_t)kit_below(&k.seed, TERN_MESSAGE_MAX / r.size - 64);
        r.messages = 1;
        r.lengths = whole;
        r.lengths_len = 4;
        r.len = r.size;
        r.number = (uint8_t)kit_next(&k.seed);
        r.first = (uint8_t)kit_next(&k.seed);
        assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
        struct tern_message_part part = {.channel = r.channel,
                                         .lane = r.lane,
                                         .is_fragment = true,
                                         .number = r.message,
                                         .offset =
                                             (uint32_t)kit_below(&k.seed, TERN_MESSAGE_MAX / 2),
                                         .len = 9000,
                                         .total = TERN_MESSAGE_MAX};
        tern_fec_in_on_part(k.in, &part, noise);
        const uint8_t *data;
        while (tern_fec_in_next(k.in, &part, &data)) {
            assert_true(part.offset + part.len <= part.total);
        }
        assert_true(tern_fec_in_held(k.in) <= most);
    }
    kit_fec_clear(&k);
}

/* The lane that was quiet the longest gives way, and only that. */
static void the_quietest_lane_gives_way(void **state)
{
    (void)state;
    struct kit_fec k;
    kit_fec_init(&k, 64);
    for (uint32_t i = 0; i <= TERN_FEC_LANES; i++) {
        struct tern_fec_repair r = sound();
        r.symbols = r.messages = 0;
        r.lengths_len = r.len = 0;
        r.channel = i;
        assert_int_equal(tern_fec_in_on_repair(k.in, &r), 0);
    }
    for (uint32_t i = 0; i <= TERN_FEC_LANES; i++) {
        uint64_t before = tern_fec_in_held(k.in);
        struct tern_message_part part = message(0, 10);
        part.channel = i;
        tern_fec_in_on_part(k.in, &part, noise);
        assert_int_equal(tern_fec_in_held(k.in) > before, i != 0);
    }
    kit_fec_clear(&k);
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    for (uint64_t fail = 1; fail < 12; fail++) {
        struct kit_fec k;
        begin(&k, 50);
        k.heap.fail_at = k.heap.calls + fail;
        struct tern_message_part part = message(0, 4000);
        struct tern_fec_repair r = sound();
        r.size = SIZE;
        r.symbols = 2;
        r.len = 30;
        tern_fec_in_on_part(k.in, &part, kit_message(&part));
        int rc = tern_fec_in_on_repair(k.in, &r);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        r.channel = 9;
        rc = tern_fec_in_on_repair(k.in, &r);
        assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
        kit_fec_clear(&k);
    }
}

/* One long message of symbols of a byte: a frame of a few bytes asks for as much work as any. */
static int tiny(struct kit_fec *k, uint64_t number, uint8_t repair, const uint8_t *data)
{
    uint8_t list[8];
    struct tern_writer w;
    tern_writer_init(&w, list, sizeof list);
    tern_write_varint(&w, UINT64_C(64) << 1 | 1);
    struct tern_fec_repair r = {.channel = 3,
                                .lane = TERN_LANE_ORDERED,
                                .size = 1,
                                .message = number,
                                .symbols = 64,
                                .messages = 1,
                                .number = repair,
                                .lengths = list,
                                .lengths_len = tern_writer_used(&w),
                                .data = data,
                                .len = 1};
    return tern_fec_in_on_repair(k->in, &r);
}

/* Repairs that cost more work than bytes run out of what they may cost, which what comes earns anew. */
static void small_repairs_do_not_keep_us_busy(void **state)
{
    (void)state;
    struct kit_fec k;
    begin(&k, 50);
    for (unsigned i = 0; i < 1000; i++) { /* each a column less than it takes to solve them */
        assert_int_equal(tiny(&k, 0, (uint8_t)(i % 63), noise), 0);
    }
    uint64_t held = tern_fec_in_held(k.in);
    for (unsigned i = 0; i < 3; i++) { /* of another message, so that each would be kept */
        assert_int_equal(tiny(&k, 1 + i, 0, noise), 0);
    }
    assert_int_equal(tern_fec_in_held(k.in), held);
    struct tern_message_part part = message(9, 1000);
    for (unsigned i = 0; i < 4; i++) {
        tern_fec_in_on_part(k.in, &part, kit_message(&part));
        part.number++;
    }
    held = tern_fec_in_held(k.in);
    assert_int_equal(tiny(&k, 100, 0, noise), 0);
    assert_true(tern_fec_in_held(k.in) != held);
    kit_fec_clear(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(any_losses_up_to_the_repairs_come_back),
    cmocka_unit_test(the_next_message_mends_the_last),
    cmocka_unit_test(a_late_fragment_completes_a_repair),
    cmocka_unit_test(pieces_of_a_symbol_are_put_together),
    cmocka_unit_test(small_and_empty_messages_come_back),
    cmocka_unit_test(a_long_run_with_losses),
    cmocka_unit_test(lanes_do_not_mix),
    cmocka_unit_test(a_repair_that_contradicts_itself_is_refused),
    cmocka_unit_test(a_repair_beyond_our_window_is_refused),
    cmocka_unit_test(a_repair_that_contradicts_a_message_is_refused),
    cmocka_unit_test(a_repair_that_contradicts_another_is_refused),
    cmocka_unit_test(a_sum_that_leaves_no_padding_is_dropped),
    cmocka_unit_test(memory_is_bounded),
    cmocka_unit_test(the_quietest_lane_gives_way),
    cmocka_unit_test(without_memory_nothing_is_kept),
    cmocka_unit_test(small_repairs_do_not_keep_us_busy),
};

TERN_TEST_MAIN(tests)
