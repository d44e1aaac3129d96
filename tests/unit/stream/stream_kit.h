/* What the stream tests share: seeded numbers, tables.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_STREAM_KIT_H
#define TERN_TEST_STREAM_KIT_H

#include "base/random.h"
#include "stream/table.h"
#include "tern_test.h"
#include "unit/heap_kit.h"

/* splitmix64 */
static inline uint64_t kit_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t kit_below(uint64_t *seed, uint64_t bound)
{
    return kit_next(seed) % bound;
}

/* The byte that stands at an offset of a stream: any misplaced byte shows. */
static inline uint8_t kit_byte(uint64_t id, uint64_t offset)
{
    uint64_t z = (offset + id * 977 + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(z >> 56);
}

static inline void kit_fill(uint8_t *out, uint64_t id, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = kit_byte(id, offset + i);
    }
}

static inline bool kit_matches(const uint8_t *data, uint64_t id, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != kit_byte(id, offset + i)) {
            return false;
        }
    }
    return true;
}

static inline void kit_random_fill(void *user, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)kit_next(user);
    }
}

/* One side. */
struct kit_side {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_random random;
    uint64_t seed;
    struct tern_pool pages;
    struct tern_streams t;
};

static inline struct tern_streams_config kit_config(bool is_server)
{
    return (struct tern_streams_config){.is_server = is_server,
                                        .stream_window = 4096,
                                        .stream_window_max = 65536,
                                        .conn_window = 16384,
                                        .conn_window_max = 262144,
                                        .send_buffer = 65536,
                                        .max_bidi = 4,
                                        .max_uni = 4};
}

static inline void kit_side_init(struct kit_side *side, const struct tern_streams_config *config)
{
    tern_random_source hook = {kit_random_fill, &side->seed};
    kit_mem(&side->mem, &side->heap);
    side->seed = 7;
    tern_random_init(&side->random, &hook);
    struct tern_streams_config own = *config;
    tern_pool_init(&side->pages, &side->mem, TERN_PAGE_SIZE, TERN_PAGES_KEPT);
    own.pages = &side->pages;
    tern_streams_init(&side->t, &side->mem, &side->random, &own, side);
}

/* No block is left, whatever happened. */
static inline void kit_side_clear(struct kit_side *side)
{
    tern_streams_clear(&side->t);
    tern_pool_clear(&side->pages);
    assert_int_equal(side->heap.blocks, 0);
}

/* What a peer with this configuration grants. */
static inline void kit_grant(struct kit_side *side, const struct tern_streams_config *peer)
{
    struct tern_streams_grant grant = {.max_data = peer->conn_window,
                                       .bidi_local = peer->stream_window,
                                       .bidi_remote = peer->stream_window,
                                       .uni = peer->stream_window,
                                       .streams_bidi = peer->max_bidi,
                                       .streams_uni = peer->max_uni};
    tern_streams_on_grant(&side->t, &grant);
}

/* Takes one event, which must be there, and checks it; returns its stream. */
static inline struct tern_stream *kit_expect(struct kit_side *side,
                                             enum tern_stream_event_kind kind)
{
    struct tern_stream *s = NULL;
    enum tern_stream_event_kind found = TERN_STREAM_IS_CLOSED;
    assert_true(tern_streams_next_event(&side->t, &s, &found));
    assert_int_equal(found, kind);
    return s;
}

static inline void kit_expect_none(struct kit_side *side)
{
    assert_false(tern_streams_has_event(&side->t));
}

/* A frame's bytes with the right content. */
static inline int kit_data(struct kit_side *side, uint64_t id, uint64_t offset, size_t len,
                           bool fin)
{
    static uint8_t buf[70000];
    assert_true(len <= sizeof buf);
    kit_fill(buf, id, offset, len);
    return tern_streams_on_stream(&side->t, id, offset, buf, len, fin, TERN_MSEC, TERN_SEC);
}

static inline ptrdiff_t kit_write(struct kit_side *side, struct tern_stream *s, uint64_t offset,
                                  size_t len, unsigned flags)
{
    static uint8_t buf[70000];
    assert_true(len <= sizeof buf);
    kit_fill(buf, s->id, offset, len);
    return tern_streams_write(&side->t, s, buf, len, flags);
}

/* Sends the next chunk of at most `most` bytes; it must be there. */
static inline struct tern_stream_chunk kit_send(struct kit_side *side, size_t most)
{
    static uint8_t buf[70000];
    struct tern_stream_chunk c;
    assert_true(tern_streams_next_chunk(&side->t, &c));
    tern_stream_chunk_cut(&c, TERN_MIN(most, sizeof buf));
    tern_stream_chunk_copy(&c, buf);
    assert_true(kit_matches(buf, c.id, c.offset, c.len));
    tern_streams_on_chunk_sent(&side->t, &c);
    return c;
}

/* The next control frame must be of this kind; takes it. */
static inline struct tern_stream_control kit_control(struct kit_side *side,
                                                     enum tern_stream_control_kind kind)
{
    struct tern_stream_control c;
    assert_true(tern_streams_next_control(&side->t, &c));
    assert_int_equal(c.kind, kind);
    tern_streams_on_control_sent(&side->t, &c);
    return c;
}

static inline void kit_no_control(struct kit_side *side)
{
    struct tern_stream_control c;
    assert_false(tern_streams_next_control(&side->t, &c));
}

#endif
