/* What was received, and what is said of it: no number twice, no ACK for what never came, and none later than
 * was promised.
 *
 * Input: one byte for the level and where the numbers begin, then steps of a byte that says which, and what
 * it needs.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "recovery/acks.h"

#define STEPS_MAX 250

struct report {
    uint64_t largest; /* of an ACK that left */
};

struct world {
    struct fuzz_input in;
    struct fuzz_heap heap;
    struct tern_mem mem;
    struct tern_acks acks;
    tern_time now, oldest; /* when the first came that waits for its ACK */
    tern_time promised;
    uint64_t seen[STEPS_MAX]; /* all numbers that were taken */
    size_t count;
    struct report reports[STEPS_MAX];
    size_t reported;
    uint64_t top;
};

static bool was_seen(const struct world *w, uint64_t pn)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->seen[i] == pn) {
            return true;
        }
    }
    return false;
}

static void receive(struct world *w, uint8_t what)
{
    uint64_t pn = w->top + 1;
    if ((what & 0x30) == 0x10) { /* later than others, or again */
        pn = tern_sub_sat(w->top, fuzz_number(&w->in, 1));
    } else if ((what & 0x30) == 0x20) {
        pn = w->top + fuzz_number(&w->in, 1);
    } else if ((what & 0x30) == 0x30) {
        pn = w->top + fuzz_number(&w->in, 3);
    }
    bool is_eliciting = (what & 0x80) != 0;
    bool is_duplicate = tern_acks_is_duplicate(&w->acks, pn);
    FUZZ_CHECK(is_duplicate || !was_seen(w, pn));
    FUZZ_CHECK(!is_duplicate || was_seen(w, pn) || pn < w->acks.floor);
    if (is_duplicate || pn > TERN_TIME_NEVER >> 2) {
        return;
    }
    w->heap.fail_in = (what & 0x48) == 0x48 ? 1 : 0;
    int rc = tern_acks_on_received(&w->acks, pn, is_eliciting, what & 3, w->now);
    w->heap.fail_in = 0;
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_NOMEM);
    if (rc != 0) {
        FUZZ_CHECK(!tern_acks_is_duplicate(&w->acks, pn));
        return;
    }
    w->seen[w->count++] = pn;
    w->top = TERN_MAX(w->top, pn);
    w->oldest = is_eliciting ? TERN_MIN(w->oldest, w->now) : w->oldest;
    w->promised = is_eliciting ? TERN_MAX(w->promised, w->acks.max_delay) : w->promised;
}

static void report(struct world *w, uint8_t what)
{
    size_t count;
    if (!w->acks.has_any) {
        return;
    }
    const struct tern_range *ranges = tern_acks_untold(&w->acks, &count);
    FUZZ_CHECK(count >= 1 && count <= TERN_ACKS_RANGES_MAX);
    FUZZ_CHECK(ranges[count - 1].end == w->acks.largest + 1);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(ranges[i].start < ranges[i].end);
        FUZZ_CHECK(i == 0 || ranges[i - 1].end < ranges[i].start);
        for (uint64_t pn = ranges[i].start; pn < ranges[i].end; pn++) {
            FUZZ_CHECK(was_seen(w, pn));
        }
    }
    if (tern_acks_owes_counts(&w->acks) && (what & 0x10) != 0) {
        tern_acks_on_counts_sent(&w->acks);
        FUZZ_CHECK(!tern_acks_owes_counts(&w->acks) || w->acks.counted < 16);
    }
    tern_acks_on_sent(&w->acks);
    w->reports[w->reported++].largest = w->acks.largest;
    w->oldest = TERN_TIME_NEVER;
    w->promised = 0;
}

static void wish(struct world *w, uint8_t what)
{
    struct tern_acks_wish wanted = {.sequence = fuzz_number(&w->in, 1),
                                    .threshold = fuzz_number(&w->in, what & 0x10 ? 8 : 1),
                                    .reordering = fuzz_number(&w->in, what & 0x20 ? 8 : 1),
                                    .max_delay = fuzz_number(&w->in, 2) * TERN_USEC};
    tern_acks_on_wish(&w->acks, &wanted);
}

static void check(const struct world *w)
{
    const struct tern_acks *acks = &w->acks;
    FUZZ_CHECK(acks->ranges.count <= TERN_ACKS_RANGES_MAX);
    FUZZ_CHECK(tern_acks_is_owed(acks) == (w->oldest != TERN_TIME_NEVER));
    FUZZ_CHECK(!tern_acks_is_owed(acks) || acks->deadline <= tern_add_sat(w->oldest, w->promised));
    FUZZ_CHECK(!tern_acks_is_owed(acks) || tern_acks_is_due(acks, TERN_TIME_NEVER));
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    switch (what & 7) {
    case 4:
        report(w, what);
        break;
    case 5:
        if (w->reported > 0) {
            struct report *told = &w->reports[(what >> 3) % w->reported];
            tern_acks_on_acked(&w->acks, told->largest);
        }
        break;
    case 6:
        w->now += (tern_time)fuzz_number(&w->in, 1) << (what >> 4) << 10;
        break;
    case 7:
        if ((what & 8) != 0) {
            tern_acks_on_asked(&w->acks);
        } else {
            wish(w, what);
        }
        break;
    default:
        receive(w, what);
        break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    w.now = 3600 * TERN_SEC;
    w.oldest = TERN_TIME_NEVER;
    uint8_t shape = fuzz_u8(&w.in);
    tern_allocator hooks = fuzz_heap_hooks(&w.heap);
    tern_mem_init(&w.mem, &hooks);
    tern_acks_init(&w.acks, &w.mem, (shape & 1) != 0 ? 25 * TERN_MSEC : 0);
    w.top = (shape & 2) != 0 ? (UINT64_C(1) << 61) : 0;
    for (int i = 0; i < STEPS_MAX && w.in.left > 0; i++) {
        step(&w);
    }
    tern_acks_clear(&w.acks);
    FUZZ_CHECK(w.heap.held == 0);
    return 0;
}
