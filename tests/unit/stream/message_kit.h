/* What the tests of the sending half of messages share: one sender, short calls, a list of what was sent.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_MESSAGE_KIT_H
#define TERN_TEST_MESSAGE_KIT_H

#include "stream/message_out.h"
#include "unit/stream/stream_kit.h"

#define KIT_FULL 1200

struct kit_out {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_slab slab;
    struct tern_msgout *m;
    unsigned releases;
};

static inline void kit_out_begin_with(struct kit_out *k, const struct tern_msgout_config *config)
{
    kit_mem(&k->mem, &k->heap);
    tern_slab_init(&k->slab, &k->mem, (size_t)64 << 20);
    k->m = tern_msgout_new(&k->mem, &k->slab, config);
    k->releases = 0;
    assert_non_null(k->m);
}

static inline void kit_out_begin(struct kit_out *k)
{
    struct tern_msgout_config config = {
        .buffer = 16u << 20, .max_size = 1u << 20, .credit = 1u << 30, .channels = TERN_CHANNELS};
    kit_out_begin_with(k, &config);
}

static inline void kit_out_end(struct kit_out *k)
{
    tern_msgout_free(k->m);
    tern_slab_clear(&k->slab);
    assert_int_equal(k->heap.blocks, 0);
}

static inline tern_send_options kit_options(tern_reliability reliability, tern_order order,
                                            uint32_t channel)
{
    tern_send_options o = {.size = sizeof o,
                           .reliability = reliability,
                           .order = order,
                           .channel = channel,
                           .priority = 3,
                           .wants_outcome = true};
    return o;
}

static inline tern_send_options kit_with_priority(tern_send_options o, unsigned priority)
{
    o.priority = priority;
    return o;
}

#define RELIABLE   kit_options(TERN_RELIABLE, TERN_UNORDERED, 0)
#define UNRELIABLE kit_options(TERN_UNRELIABLE, TERN_UNORDERED, 0)
#define ORDERED    kit_options(TERN_RELIABLE, TERN_ORDERED, 0)
#define LATEST     kit_options(TERN_RELIABLE, TERN_LATEST, 0)

static inline tern_send_options limited(unsigned retransmits)
{
    tern_send_options o = kit_options(TERN_LIMITED, TERN_UNORDERED, 0);
    o.retransmits = retransmits;
    return o;
}

static inline tern_send_options with_lifetime(tern_send_options o, tern_time lifetime)
{
    o.lifetime = lifetime;
    return o;
}

/* Sends `len` bytes that depend on the tag. */
static inline int kit_try(struct kit_out *k, tern_send_options o, uint64_t tag, size_t len,
                          tern_time now)
{
    uint8_t *data = malloc(len + 1);
    kit_fill(data, tag, 0, len);
    o.tag = tag;
    int rc = tern_msgout_send(k->m, data, len, NULL, NULL, &o, now);
    free(data);
    return rc;
}

static inline void kit_post(struct kit_out *k, tern_send_options o, uint64_t tag, size_t len)
{
    assert_int_equal(kit_try(k, o, tag, len, 0), 0);
}

static inline void kit_release(void *arg, const void *data, size_t len)
{
    (void)data;
    (void)len;
    ++*(unsigned *)arg;
}

/* The next one leaves in a packet of its own, whole or a part of it. */
static inline struct tern_msgout_chunk kit_leave(struct kit_out *k)
{
    struct tern_msgout_chunk c;
    memset(&c, 0, sizeof c);
    tern_msgout_begin_packet(k->m);
    assert_true(tern_msgout_next(k->m, KIT_FULL, KIT_FULL, &c));
    tern_msgout_on_sent(k->m, &c, 0);
    return c;
}

/* ... and is the one with this tag. */
static inline struct tern_message_part kit_leaves(struct kit_out *k, uint64_t tag)
{
    struct tern_msgout_chunk c;
    tern_msgout_begin_packet(k->m);
    assert_true(tern_msgout_next(k->m, KIT_FULL, KIT_FULL, &c));
    assert_true(kit_matches(c.data, tag, c.part.offset, c.part.len));
    tern_msgout_on_sent(k->m, &c, 0);
    return c.part;
}

static inline void kit_nothing_leaves(struct kit_out *k)
{
    struct tern_msgout_chunk c;
    assert_int_equal(tern_msgout_top(k->m), TERN_PRIORITIES);
    assert_false(tern_msgout_next(k->m, KIT_FULL, KIT_FULL, &c));
}

static inline void kit_outcome(struct kit_out *k, uint64_t tag, tern_outcome outcome)
{
    uint64_t got = 0;
    tern_outcome what = TERN_OUTCOME_ACKED;
    assert_true(tern_msgout_has_outcome(k->m));
    assert_true(tern_msgout_next_outcome(k->m, &got, &what));
    assert_int_equal(got, tag);
    assert_int_equal(what, outcome);
}

static inline void kit_no_outcome(struct kit_out *k)
{
    uint64_t tag;
    tern_outcome outcome;
    assert_false(tern_msgout_has_outcome(k->m));
    assert_false(tern_msgout_next_outcome(k->m, &tag, &outcome));
}

static inline struct tern_message_skip kit_skip(struct kit_out *k, uint64_t first, uint64_t count,
                                                uint64_t cost)
{
    struct tern_message_skip skip;
    assert_true(tern_msgout_next_skip(k->m, &skip));
    assert_int_equal(skip.first, first);
    assert_int_equal(skip.count, count);
    assert_int_equal(skip.cost, cost);
    tern_msgout_on_skip_sent(k->m, &skip);
    return skip;
}

static inline void kit_no_skip(struct kit_out *k)
{
    struct tern_message_skip skip;
    assert_false(tern_msgout_next_skip(k->m, &skip));
}

#endif
