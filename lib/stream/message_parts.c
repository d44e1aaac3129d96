/* Which grains of a long message are acknowledged, are to be sent again, and are in flight twice.
 * SPDX-License-Identifier: MIT */
#include "stream/message_state.h"

uint32_t tern_parts_grains(size_t len)
{
    return (uint32_t)((len + TERN_SENDING_GRAIN - 1) / TERN_SENDING_GRAIN);
}

static uint32_t words_for(size_t len)
{
    return (tern_parts_grains(len) + 63) / 64;
}

size_t tern_parts_size(size_t len)
{
    return sizeof(struct tern_sending_parts) + TERN_PARTS_MAPS * words_for(len) * sizeof(uint64_t);
}

void tern_parts_init(struct tern_sending_parts *p, size_t len)
{
    memset(p, 0, tern_parts_size(len));
    p->words = words_for(len);
}

static uint64_t *map_of(struct tern_sending_parts *p, enum tern_parts_map map)
{
    return p->bits + (size_t)map * p->words;
}

/* The grains that begin in [start, end): end is a cut, or the end of the message. */
static uint32_t grain_at(uint32_t offset)
{
    return (offset + TERN_SENDING_GRAIN - 1) / TERN_SENDING_GRAIN;
}

/* The bits of word `w` that stand for grains [first, last). */
static uint64_t mask_of(uint32_t w, uint32_t first, uint32_t last)
{
    uint32_t low = w * 64;
    uint32_t from = TERN_MAX(first, low) - low, to = TERN_MIN(last - low, 64u);
    return (to == 64 ? UINT64_MAX : (UINT64_C(1) << to) - 1) & (UINT64_MAX << from);
}

static uint32_t ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t lowest_one(uint64_t x)
{
    return ones((x & (~x + 1)) - 1);
}

/* The first grain from `from` on, below `grains`, whose bit is `value`; or `grains`. */
static uint32_t find_bit(const uint64_t *map, uint32_t from, uint32_t grains, bool value)
{
    for (uint32_t w = from / 64; w * 64 < grains; w++) {
        uint64_t word =
            (value ? map[w] : ~map[w]) & (from > w * 64 ? UINT64_MAX << from % 64 : UINT64_MAX);
        if (word != 0) {
            return TERN_MIN(w * 64 + lowest_one(word), grains);
        }
    }
    return grains;
}

bool tern_parts_next(struct tern_sending_parts *p, uint32_t len, uint32_t *start, uint32_t *end)
{
    if (p->lost > 0) {
        uint32_t grains = tern_parts_grains(len);
        uint32_t first = find_bit(map_of(p, TERN_PARTS_LOST), p->hint, grains, true);
        uint32_t last = find_bit(map_of(p, TERN_PARTS_LOST), first, grains, false);
        tern_assert(first < last);
        p->hint = first;
        *start = first * TERN_SENDING_GRAIN;
        *end = TERN_MIN(last * TERN_SENDING_GRAIN, len);
        return true;
    }
    *start = p->sent;
    *end = len;
    return p->sent < len;
}

void tern_parts_on_sent(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end)
{
    uint32_t first = grain_at(start), last = grain_at(end);
    (void)len;
    for (uint32_t w = first / 64; w * 64 < last; w++) {
        uint64_t *lost = &map_of(p, TERN_PARTS_LOST)[w];
        uint64_t again = *lost & mask_of(w, first, last);
        *lost &= ~again;
        map_of(p, TERN_PARTS_ROUND)[w] |= again;
        p->lost -= ones(again);
    }
    p->sent = TERN_MAX(p->sent, end);
}

bool tern_parts_on_acked(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end)
{
    uint32_t first = grain_at(start), last = grain_at(end);
    for (uint32_t w = first / 64; w * 64 < last; w++) {
        uint64_t mask = mask_of(w, first, last);
        uint64_t *acked = &map_of(p, TERN_PARTS_ACKED)[w], *lost = &map_of(p, TERN_PARTS_LOST)[w];
        p->acked += ones(mask & ~*acked);
        p->lost -= ones(mask & *lost);
        *acked |= mask;
        *lost &= ~mask;
    }
    return p->acked == tern_parts_grains(len);
}

/* A piece counts as lost for the second time when it was sent again in this round: the next round begins. */
bool tern_parts_on_lost(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end)
{
    uint32_t first = grain_at(start), last = grain_at(end);
    bool is_news = false, is_round = p->rounds == 0;
    (void)len;
    for (uint32_t w = first / 64; w * 64 < last; w++) {
        uint64_t mask = mask_of(w, first, last) & ~map_of(p, TERN_PARTS_ACKED)[w];
        uint64_t *twice = &map_of(p, TERN_PARTS_TWICE)[w], *lost = &map_of(p, TERN_PARTS_LOST)[w];
        uint64_t gone = mask & ~*twice & ~*lost;
        *twice &= ~mask;
        *lost |= gone;
        p->lost += ones(gone);
        is_news |= gone != 0;
        is_round |= (gone & map_of(p, TERN_PARTS_ROUND)[w]) != 0;
    }
    if (is_news && is_round) {
        p->rounds++;
        memset(map_of(p, TERN_PARTS_ROUND), 0, p->words * sizeof(uint64_t));
    }
    p->hint = is_news ? TERN_MIN(p->hint, first) : p->hint;
    return is_news;
}

void tern_parts_repeat(struct tern_sending_parts *p, uint32_t len, uint32_t start, uint32_t end)
{
    uint32_t first = grain_at(start), last = grain_at(end);
    (void)len;
    for (uint32_t w = first / 64; w * 64 < last; w++) {
        uint64_t *lost = &map_of(p, TERN_PARTS_LOST)[w];
        uint64_t again = mask_of(w, first, last) & ~map_of(p, TERN_PARTS_ACKED)[w] & ~*lost;
        *lost |= again;
        map_of(p, TERN_PARTS_TWICE)[w] |= again;
        p->lost += ones(again);
    }
    p->hint = TERN_MIN(p->hint, first);
}
