/* Both halves of forward error correction over a wire that loses what it is told to.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_FEC_KIT_H
#define TERN_TEST_FEC_KIT_H

#include "stream/fec_in.h"
#include "stream/fec_out.h"
#include "unit/stream/stream_kit.h"

#define KIT_PACKET 1400

struct kit_fec {
    struct kit_heap heap;
    struct tern_mem mem;
    struct tern_slab slab;
    struct tern_fec_out *out;
    struct tern_fec_in *in;
    uint64_t seed;
    uint64_t recovered; /* bytes */
    uint64_t repairs;
};

static inline void kit_fec_init(struct kit_fec *k, uint32_t window)
{
    *k = (struct kit_fec){.seed = 1};
    kit_mem(&k->mem, &k->heap);
    tern_slab_init(&k->slab, &k->mem, 1 << 20);
    k->out = tern_fec_out_new(&k->mem, window);
    k->in = tern_fec_in_new(&k->mem, &k->slab, window);
    assert_non_null(k->out);
    assert_non_null(k->in);
}

static inline void kit_fec_clear(struct kit_fec *k)
{
    tern_fec_out_free(k->out);
    tern_fec_in_free(k->in);
    tern_slab_clear(&k->slab);
    assert_int_equal(k->heap.blocks, 0);
}

static inline uint8_t *kit_message(const struct tern_message_part *part)
{
    static uint8_t buf[TERN_FEC_SIZE_MAX];
    assert_true(part->len <= sizeof buf);
    kit_fill(buf, part->number, part->offset, part->len);
    return buf;
}

/* What the receiver found, which must be true. Its number of bytes. */
static inline uint64_t kit_harvest(struct kit_fec *k)
{
    struct tern_message_part part;
    const uint8_t *data;
    uint64_t bytes = 0;
    while (tern_fec_in_next(k->in, &part, &data)) {
        assert_true(kit_matches(data, part.number, part.offset, part.len));
        assert_true(part.offset + part.len <= part.total);
        assert_int_equal(part.is_fragment, part.len != part.total);
        bytes += part.len;
    }
    k->recovered += bytes;
    return bytes;
}

static inline void kit_part(struct kit_fec *k, const struct tern_message_part *part, bool is_lost,
                            tern_time now)
{
    tern_fec_out_on_sent(k->out, part, kit_message(part), 3, false, now);
    if (!is_lost) {
        tern_fec_in_on_part(k->in, part, kit_message(part));
        kit_harvest(k);
    }
}

/* A message in fragments of `cut`; bit i of `lost`: fragment i does not arrive. */
static inline void kit_send_message(struct kit_fec *k, const struct tern_message_part *of,
                                    uint32_t cut, uint64_t lost, tern_time now)
{
    struct tern_message_part part = *of;
    uint32_t i = 0;
    do {
        part.offset = i * cut;
        part.len = TERN_MIN(cut, of->total - part.offset);
        part.is_fragment = part.len != of->total;
        kit_part(k, &part, i < 64 && (lost >> i & 1) != 0, now);
    } while (++i * cut < of->total);
}

/* All repairs that are due, at most 64; bit i of `lost`: repair i does not arrive. Their number. */
static inline unsigned kit_repairs(struct kit_fec *k, uint64_t lost, tern_time since)
{
    struct tern_fec_repair r;
    uint8_t data[TERN_FEC_SIZE_MAX];
    unsigned n = 0;
    while (tern_fec_out_next(k->out, KIT_PACKET, KIT_PACKET, since, &r)) {
        assert_true(tern_fec_repair_size(&r) <= KIT_PACKET);
        tern_fec_out_write(k->out, data);
        tern_fec_out_on_repair_sent(k->out);
        r.data = data;
        if (r.symbols == 0 || (lost >> n & 1) == 0) {
            assert_int_equal(tern_fec_in_on_repair(k->in, &r), 0);
            kit_harvest(k);
        }
        n += r.symbols > 0;
        k->repairs += r.symbols > 0;
    }
    return n;
}

#endif
