/* Putting one message together: what came first stays, whatever overlaps it later.
 * SPDX-License-Identifier: MIT */
#include "stream/message_join.h"

#include "stream/message_in.h"

#define LIMIT_LEAST   2   /* pieces behind gaps of the shortest message, */
#define LIMIT_DIVISOR 512 /* and one more for so many bytes */

_Static_assert(sizeof(struct tern_incoming) <= 96, "a message may cost its length and 128 bytes");

size_t tern_incoming_limit(uint32_t total)
{
    return TERN_MIN(LIMIT_LEAST + (size_t)total / LIMIT_DIVISOR, (size_t)TERN_MSGIN_GAPS);
}

struct tern_incoming *tern_incoming_new(struct tern_slab *slab, struct tern_inlane *lane,
                                        const struct tern_message_part *part)
{
    struct tern_incoming *in = tern_slab_take(slab, sizeof *in + part->total);
    if (in != NULL) {
        memset(in, 0, sizeof *in);
        tern_list_init(&in->aged);
        in->lane = lane;
        in->number = part->number;
        in->total = part->total;
        in->uses_credit = part->uses_credit;
    }
    return in;
}

void tern_incoming_free(struct tern_incoming *in, struct tern_slab *slab)
{
    tern_slab_give(slab, in, sizeof *in + in->total);
}

uint8_t *tern_incoming_data(struct tern_incoming *in)
{
    return (uint8_t *)(in + 1);
}

/* Copies what has not come of [from, to) between the pieces; the number of bytes. */
static uint64_t fill_gaps(struct tern_incoming *in, uint64_t from, uint64_t to, uint32_t offset,
                          const uint8_t *data)
{
    const struct tern_runs *pieces = &in->u.pieces;
    uint64_t filled = 0;
    for (size_t i = tern_runs_find(pieces, from); from < to; i++) {
        bool is_last = i >= pieces->count || pieces->items[i].start >= to;
        uint64_t end = is_last ? to : pieces->items[i].start;
        if (from < end) {
            memcpy(tern_incoming_data(in) + from, data + (from - offset), (size_t)(end - from));
            filled += end - from;
        }
        from = is_last ? to : TERN_MAX(from, pieces->items[i].end);
    }
    return filled;
}

int tern_incoming_write(struct tern_incoming *in, struct tern_slab *slab, uint32_t offset,
                        const uint8_t *data, uint32_t len, bool *is_new)
{
    uint64_t from = TERN_MAX(offset, in->have), to = (uint64_t)offset + len;
    *is_new = false;
    if (from >= to) {
        return 0;
    }
    if (offset > in->have) {
        struct tern_chain none = {NULL, NULL};
        size_t limit = tern_incoming_limit(in->total);
        if (!tern_runs_can_add(&in->u.pieces, from, to, limit)) {
            return TERN_ERR_AGAIN;
        }
        *is_new = fill_gaps(in, from, to, offset, data) > 0;
        return tern_runs_add(&in->u.pieces, slab, from, to, none, limit);
    }
    *is_new = fill_gaps(in, from, to, offset, data) > 0;
    if (in->u.pieces.count > 0) {
        (void)tern_runs_absorb(&in->u.pieces, slab, &to);
    }
    in->have = (uint32_t)to;
    return 0;
}
