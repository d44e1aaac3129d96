/* What the tests of the receiving half of messages share: a receiver, its frames, its bytes.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_MSGIN_KIT_H
#define TERN_TEST_MSGIN_KIT_H

#include "stream/message_in.h"
#include "stream_kit.h"

#define U TERN_LANE_UNORDERED
#define O TERN_LANE_ORDERED
#define L TERN_LANE_LATEST

struct receiver {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_slab slab;
    struct tern_msgin *m;
};

static inline struct tern_msgin_config small_config(void)
{
    return (struct tern_msgin_config){
        .max_size = 10000, .channels = 1000, .window = 80000, .queue = 20000};
}

static inline void receiver_init(struct receiver *r, const struct tern_msgin_config *config)
{
    kit_mem(&r->mem, &r->heap);
    tern_slab_init(&r->slab, &r->mem, 1 << 20);
    r->m = tern_msgin_new(&r->mem, &r->slab, config);
    assert_non_null(r->m);
}

static inline void begin(struct receiver *r)
{
    struct tern_msgin_config config = small_config();
    receiver_init(r, &config);
}

static inline void end(struct receiver *r)
{
    tern_msgin_free(r->m);
    tern_slab_clear(&r->slab);
    assert_int_equal(r->heap.blocks, 0);
}

/* What stands in a message: each has other bytes. */
static inline uint64_t body_of(uint32_t channel, enum tern_lane lane, uint64_t number)
{
    return (uint64_t)channel << 40 ^ (uint64_t)lane << 36 ^ number;
}

/* A fragment with the right bytes. */
static inline int piece_of(struct receiver *r, const struct tern_message_part *part,
                           bool is_recovered)
{
    static uint8_t buf[70000];
    assert_true(part->len <= sizeof buf);
    kit_fill(buf, body_of(part->channel, part->lane, part->number), part->offset, part->len);
    return tern_msgin_on_part(r->m, part, buf, is_recovered);
}

static inline struct tern_message_part part_on(uint32_t channel, enum tern_lane lane,
                                               uint64_t number, uint32_t len)
{
    return (struct tern_message_part){.channel = channel,
                                      .lane = lane,
                                      .uses_credit = lane == TERN_LANE_ORDERED,
                                      .number = number,
                                      .len = len,
                                      .total = len};
}

/* A whole message; ordered ones with credit, the others without. */
static inline int put(struct receiver *r, uint32_t channel, enum tern_lane lane, uint64_t number,
                      uint32_t len)
{
    struct tern_message_part part = part_on(channel, lane, number, len);
    return piece_of(r, &part, false);
}

/* An unordered one with credit. */
static inline int put_credit(struct receiver *r, uint32_t channel, uint64_t number, uint32_t len)
{
    struct tern_message_part part = part_on(channel, TERN_LANE_UNORDERED, number, len);
    part.uses_credit = true;
    return piece_of(r, &part, false);
}

/* A fragment of one on channel 1. */
static inline int piece(struct receiver *r, enum tern_lane lane, uint64_t number, uint32_t offset,
                        uint32_t len, uint32_t total)
{
    struct tern_message_part part = part_on(1, lane, number, len);
    part.is_fragment = true;
    part.offset = offset;
    part.total = total;
    return piece_of(r, &part, false);
}

static inline int give_up(struct receiver *r, uint32_t channel, enum tern_lane lane, uint64_t first,
                          uint64_t count, uint64_t cost)
{
    struct tern_message_skip s = {channel, lane, first, count, cost};
    return tern_msgin_on_skip(r->m, &s);
}

static inline enum tern_lane lane_of(tern_order order)
{
    static const enum tern_lane lanes[] = {[TERN_ORDERED] = TERN_LANE_ORDERED,
                                           [TERN_UNORDERED] = TERN_LANE_UNORDERED,
                                           [TERN_LATEST] = TERN_LANE_LATEST};
    return lanes[order];
}

/* Takes the next message, with the right bytes; false: there is none. */
static inline bool take(struct receiver *r, tern_message *out)
{
    bool expected = tern_msgin_has_message(r->m);
    *out = (tern_message){.size = sizeof *out};
    assert_int_equal(tern_msgin_receive(r->m, out), expected);
    if (expected) {
        uint64_t body = body_of(out->channel, lane_of(out->order), out->number);
        assert_true(kit_matches(out->data, body, 0, out->len));
    }
    return expected;
}

/* The next message must be this one. */
static inline void expect(struct receiver *r, uint32_t channel, enum tern_lane lane,
                          uint64_t number, size_t len)
{
    tern_message message;
    assert_true(take(r, &message));
    assert_int_equal(message.channel, channel);
    assert_int_equal(lane_of(message.order), lane);
    assert_int_equal(message.number, number);
    assert_int_equal(message.len, len);
}

static inline void expect_none(struct receiver *r)
{
    tern_message message;
    assert_false(take(r, &message));
}

#endif
