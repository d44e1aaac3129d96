/* Received numbers as ranges, and the rules for when an ACK is due.
 * SPDX-License-Identifier: MIT */
#include "recovery/acks.h"

#define ACK_THRESHOLD 2 /* RFC 9000 §13.2.2 */
#define WARMUP        16 /* the first packets are acknowledged at once, so that slow start is swift */
#define ECN_CE        3
#define COUNTS_YOUNG  16 /* [P §9.2]: below it ECN counts go with each ACK, */
#define COUNTS_EVERY  8  /* above it when so many more are to be told */
#define KEEP_TOLD     6  /* ranges that the peer knows of, kept for packets that come late */

void tern_acks_init(struct tern_acks *acks, struct tern_mem *mem, tern_time max_delay)
{
    memset(acks, 0, sizeof *acks);
    tern_ranges_init(&acks->ranges, mem, TERN_ACKS_RANGES_MAX + 1);
    acks->deadline = TERN_TIME_NEVER;
    acks->max_delay = max_delay;
    acks->threshold = ACK_THRESHOLD;
    acks->warmup = WARMUP;
    acks->reordering = 1; /* RFC 9000 §13.2.1 */
    acks->late = UINT64_MAX;
}

void tern_acks_clear(struct tern_acks *acks)
{
    tern_ranges_clear(&acks->ranges);
    acks->deadline = TERN_TIME_NEVER;
    acks->unacked = 0;
}

bool tern_acks_is_duplicate(const struct tern_acks *acks, uint64_t pn)
{
    return pn < acks->floor || tern_ranges_has(&acks->ranges, pn);
}

/* The oldest ranges are forgotten: what is below counts as received, so that it is not taken twice. */
static void forget_oldest(struct tern_acks *acks)
{
    while (acks->ranges.count > TERN_ACKS_RANGES_MAX) {
        acks->floor = TERN_MAX(acks->floor, acks->ranges.items[0].end);
        tern_ranges_drop_lowest(&acks->ranges);
    }
}

/* Numbers left out on purpose make a hole each, for ever: a few of the ranges below are enough. */
static void forget_told(struct tern_acks *acks)
{
    const struct tern_ranges *ranges = &acks->ranges;
    while (ranges->count > KEEP_TOLD && ranges->items[KEEP_TOLD].end <= acks->told) {
        acks->floor = TERN_MAX(acks->floor, ranges->items[0].end);
        tern_ranges_drop_lowest(&acks->ranges);
    }
}

static void count_ecn(struct tern_acks *acks, uint8_t ecn)
{
    static const uint8_t slot[4] = {0, 1, 0, 2}; /* ECT(1) is 01, ECT(0) is 10, CE is 11 */
    if (ecn != 0) {
        acks->ecn[slot[ecn & 3]]++;
        acks->has_ecn = true;
    }
}

void tern_acks_on_wish(struct tern_acks *acks, const struct tern_acks_wish *wish)
{
    if (wish->sequence < acks->sequence) {
        return;
    }
    acks->sequence = wish->sequence + 1;
    acks->threshold = (uint32_t)TERN_MIN(TERN_MAX(wish->threshold, 1u), (uint64_t)UINT32_MAX);
    acks->reordering = wish->reordering;
    acks->max_delay = wish->max_delay;
    acks->warmup = 0; /* the peer knows better than our guess about its start */
}

void tern_acks_on_asked(struct tern_acks *acks)
{
    acks->is_asked = true;
}

/* The smallest number from `from` on that has not come. */
static uint64_t first_missing(const struct tern_acks *acks, uint64_t from)
{
    const struct tern_ranges *ranges = &acks->ranges;
    from = TERN_MAX(from, acks->floor);
    for (size_t i = ranges->count; i-- > 0 && ranges->items[i].end > from;) {
        if (ranges->items[i].start <= from) {
            return ranges->items[i].end;
        }
    }
    return from;
}

/* draft-ietf-quic-ack-frequency, "Response to Out-of-Order Packets": what lies `reordering` behind the
 * largest can be declared lost, and the peer should hear of it, unless the last ACK said so already.
 * One that comes after that was said is told at once too: the peer may have given it up for lost. */
static bool is_disorder_urgent(const struct tern_acks *acks, uint64_t pn, bool is_in_order)
{
    if (acks->reordering <= 1) {
        return acks->reordering == 1 && (!is_in_order || acks->has_gap);
    }
    uint64_t unreported = tern_sub_sat(acks->reported, acks->reordering);
    uint64_t missing = first_missing(acks, unreported);
    return pn < unreported || tern_sub_sat(acks->largest, missing) >= acks->reordering;
}

/* Where the peer wants fewer ACKs, one for the first of several marks is enough for it to act. */
static bool is_mark_urgent(const struct tern_acks *acks, uint8_t ecn)
{
    return ecn == ECN_CE && (acks->threshold <= ACK_THRESHOLD || !acks->was_ce);
}

int tern_acks_on_received(struct tern_acks *acks, uint64_t pn, bool eliciting, uint8_t ecn,
                          tern_time now)
{
    int rc = tern_ranges_add(&acks->ranges, pn, pn + 1);
    if (rc != 0) {
        return rc;
    }
    acks->told = TERN_MIN(acks->told, pn);
    if (pn < acks->reported) {
        acks->late = TERN_MIN(acks->late, pn);
        acks->late_in = acks->reported;
    }
    forget_oldest(acks);
    count_ecn(acks, ecn);
    bool is_in_order = !acks->has_any ? pn == 0 : pn == acks->largest + 1;
    if (!acks->has_any || pn > acks->largest) {
        acks->has_gap |= !is_in_order;
        acks->largest = pn;
        acks->largest_at = now;
    }
    acks->has_any = true;
    if (!eliciting) {
        return 0;
    }
    acks->unacked++;
    bool is_urgent = acks->unacked >= acks->threshold || acks->warmup > 0 || acks->is_asked ||
                     is_disorder_urgent(acks, pn, is_in_order) || is_mark_urgent(acks, ecn);
    acks->warmup -= acks->warmup > 0 ? 1 : 0;
    acks->was_ce = ecn == ECN_CE;
    tern_time due = is_urgent ? now : tern_add_sat(now, acks->max_delay);
    acks->deadline = TERN_MIN(acks->deadline, due);
    return 0;
}

bool tern_acks_is_due(const struct tern_acks *acks, tern_time now)
{
    return acks->unacked > 0 && now >= acks->deadline;
}

bool tern_acks_is_owed(const struct tern_acks *acks)
{
    return acks->unacked > 0;
}

void tern_acks_on_sent(struct tern_acks *acks)
{
    acks->unacked = 0;
    acks->deadline = TERN_TIME_NEVER;
    acks->has_gap = false;
    acks->is_asked = false;
    acks->reported = acks->has_any ? acks->largest + 1 : 0;
}

void tern_acks_on_acked(struct tern_acks *acks, uint64_t largest)
{
    if (largest >= acks->late_in) {
        acks->late = UINT64_MAX;
    }
    uint64_t told = TERN_MIN(TERN_MIN(largest, acks->largest) + 1, acks->late);
    acks->told = TERN_MAX(acks->told, told);
    forget_told(acks);
}

static uint64_t all_counts(const struct tern_acks *acks)
{
    return acks->ecn[0] + acks->ecn[1] + acks->ecn[2];
}

bool tern_acks_owes_counts(const struct tern_acks *acks)
{
    return acks->has_ecn && (acks->counted < COUNTS_YOUNG || acks->ecn[2] != acks->counted_ce ||
                             all_counts(acks) - acks->counted >= COUNTS_EVERY);
}

void tern_acks_on_counts_sent(struct tern_acks *acks)
{
    acks->counted = all_counts(acks);
    acks->counted_ce = acks->ecn[2];
}

const struct tern_range *tern_acks_untold(const struct tern_acks *acks, size_t *count)
{
    size_t first = acks->ranges.count - 1;
    while (first > 0 && acks->ranges.items[first - 1].end > acks->told) {
        first--;
    }
    *count = acks->ranges.count - first;
    return acks->ranges.items + first;
}
