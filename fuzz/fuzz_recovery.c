/* Sent packets against ACKs that say what they like: each packet comes back acknowledged or lost once, with the
 * receipts that it left with, and what was never sent is noticed.
 *
 * Input: steps. One byte says which; an ACK has a byte for its largest number below the newest and then
 * pairs of bytes for its ranges.
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "recovery/loss.h"

#define PACKETS 700
#define PTO     (150 * TERN_MSEC)

enum fate { OUT, SKIPPED, LOST, ACKED, FORGOTTEN };

struct world {
    struct fuzz_input in;
    struct fuzz_heap heap;
    struct tern_mem mem;
    struct tern_loss loss;
    struct tern_rtt rtt;
    tern_time now;
    uint64_t first; /* number of the first packet here */
    uint8_t fate[PACKETS], receipts[PACKETS], path[PACKETS];
    size_t count;
    bool is_broken; /* an ACK was refused: the connection ends */
};

static void send(struct world *w, uint8_t what)
{
    static const unsigned flags[] = {TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT, 0,
                                     TERN_SENT_IN_FLIGHT,
                                     TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT | TERN_SENT_PROBE};
    uint8_t receipts = what >> 5;
    w->heap.fail_in = what == 0xf0 ? 1 : 0;
    bool has_room = w->count < PACKETS && tern_sent_reserve(&w->loss.sent, receipts) == 0;
    w->heap.fail_in = 0;
    if (!has_room) {
        return;
    }
    if ((what & 0x1c) == 0x1c) {
        tern_sent_skip(&w->loss.sent);
        w->fate[w->count++] = SKIPPED;
        return;
    }
    for (uint8_t i = 0; i < receipts; i++) {
        tern_sent_note(&w->loss.sent,
                       &(struct tern_receipt){.id = w->first + w->count, .offset = i});
        if (i == 5) { /* a frame that did not fit after all */
            tern_sent_rollback_to(&w->loss.sent, --receipts);
        }
    }
    (void)tern_sent_commit(&w->loss.sent, 40 + (size_t)what * 5, flags[what >> 3 & 3], w->loss.path,
                           what & 3, w->now);
    w->path[w->count] = w->loss.path;
    w->receipts[w->count] = receipts;
    w->fate[w->count++] = OUT;
}

static size_t come_back(struct world *w, const struct tern_sent_packet *packet, uint64_t pn)
{
    FUZZ_CHECK(pn >= w->first && pn - w->first < w->count);
    size_t i = (size_t)(pn - w->first);
    FUZZ_CHECK(packet->receipt_count == w->receipts[i] && packet->path == w->path[i]);
    for (size_t k = 0; k < packet->receipt_count; k++) {
        const struct tern_receipt *receipt = tern_sent_receipt(&w->loss.sent, packet, k);
        FUZZ_CHECK(receipt->id == pn && receipt->offset == k);
    }
    return i;
}

static void settle(struct world *w, const struct tern_loss_outcome *outcome)
{
    const struct tern_sent_packet *packet;
    uint64_t pn, acked = 0, lost = 0;
    while ((packet = tern_loss_next_lost(&w->loss, &pn)) != NULL) {
        size_t i = come_back(w, packet, pn);
        FUZZ_CHECK(w->fate[i] == OUT);
        w->fate[i] = LOST;
        lost++;
    }
    while ((packet = tern_loss_next_acked(&w->loss, &pn)) != NULL) {
        size_t i = come_back(w, packet, pn);
        FUZZ_CHECK(w->fate[i] == OUT || w->fate[i] == LOST);
        acked += w->fate[i] == OUT ? 1 : 0;
        w->fate[i] = ACKED;
    }
    FUZZ_CHECK(acked == outcome->acked_packets);
    FUZZ_CHECK(lost >= outcome->lost_packets + outcome->lost_probe_packets);
    tern_loss_settle(&w->loss, &w->rtt, w->now);
}

/* Numbers in it that were left out, or not used yet? */
static bool is_lie(const struct world *w, uint64_t smallest, uint64_t largest)
{
    if (largest - w->first >= w->count && largest >= w->first) {
        return true;
    }
    for (size_t i = 0; i < w->count; i++) {
        uint64_t pn = w->first + i;
        if (pn >= smallest && pn <= largest && w->fate[i] == SKIPPED) {
            return true;
        }
    }
    return false;
}

static bool ack_range(struct world *w, uint64_t smallest, uint64_t largest,
                      struct tern_loss_outcome *outcome)
{
    uint64_t base = w->loss.sent.base;
    int rc = tern_loss_ack_range(&w->loss, smallest, largest, outcome);
    FUZZ_CHECK(rc == 0 || rc == TERN_ERR_PROTOCOL);
    FUZZ_CHECK(rc == 0 || is_lie(w, smallest, largest));
    /* One of long ago may be forgotten, but not one that is still kept. */
    FUZZ_CHECK(rc != 0 || !is_lie(w, TERN_MAX(smallest, TERN_MAX(base, w->loss.oldest)), largest) ||
               largest < base || largest < w->loss.oldest);
    return rc == 0;
}

static void ack(struct world *w, uint8_t what)
{
    struct tern_loss_outcome outcome = {0};
    uint64_t newest = w->loss.sent.next_pn, back = fuzz_number(&w->in, 1);
    uint64_t largest = what == 0xfa ? newest + back : newest - 1 - TERN_MIN(back, newest - 1);
    bool is_good = newest > 0 && tern_loss_ack_begin(&w->loss, largest) == 0;
    FUZZ_CHECK(is_good == (largest < newest) || newest == 0);
    for (unsigned i = 0; is_good && i <= (what >> 4); i++) {
        uint64_t len = fuzz_number(&w->in, 1), gap = fuzz_number(&w->in, 1);
        uint64_t smallest = tern_sub_sat(largest, len);
        is_good = ack_range(w, smallest, largest, &outcome);
        if (smallest < gap + 2) {
            break;
        }
        largest = smallest - gap - 2;
    }
    if (!is_good) {
        w->is_broken = newest > 0;
        return;
    }
    tern_loss_ack_finish(&w->loss, &outcome, w->now);
    if (outcome.rtt_sample > 0) {
        tern_rtt_update(&w->rtt, outcome.rtt_sample, (tern_time)what * TERN_USEC, w->now);
    }
    tern_loss_detect(&w->loss, &w->rtt, PTO, &outcome, w->now);
    settle(w, &outcome);
}

static void on_timer(struct world *w)
{
    struct tern_loss_outcome outcome = {0};
    if (w->loss.loss_time != TERN_TIME_NEVER && w->now < w->loss.loss_time) {
        w->now = w->loss.loss_time;
    }
    bool was_armed = w->loss.loss_time != TERN_TIME_NEVER;
    uint64_t before = w->loss.lost_kept;
    tern_loss_detect(&w->loss, &w->rtt, PTO, &outcome, w->now);
    FUZZ_CHECK(!was_armed || w->loss.lost_kept > before || w->loss.loss_time > w->now);
    settle(w, &outcome);
}

static void rest(struct world *w)
{
    if (tern_loss_can_rest(&w->loss)) {
        tern_loss_rest(&w->loss);
        for (size_t i = 0; i < w->count; i++) {
            w->fate[i] = w->fate[i] == SKIPPED ? (uint8_t)SKIPPED : (uint8_t)FORGOTTEN;
        }
    }
}

static void walk(struct world *w)
{
    uint64_t cursor = 0, count = 0;
    while (tern_loss_oldest(&w->loss, &cursor) != NULL) {
        FUZZ_CHECK(w->fate[cursor - 1 - w->first] == OUT);
        count++;
    }
    FUZZ_CHECK(count == w->loss.sent.eliciting_outstanding);
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    switch (what & 7) {
    case 2:
        ack(w, what);
        break;
    case 3:
        w->now += (tern_time)fuzz_number(&w->in, 1) << (what >> 4) << 12;
        break;
    case 5:
        on_timer(w);
        break;
    case 6:
        walk(w);
        break;
    case 7:
        if ((what & 8) != 0) {
            rest(w);
        } else {
            tern_loss_on_moved(&w->loss, what >> 6, (tern_time)what * TERN_MSEC);
        }
        break;
    default:
        send(w, what);
        break;
    }
    FUZZ_CHECK(tern_loss_is_consistent(&w->loss));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.in = (struct fuzz_input){data, size};
    w.now = 3600 * TERN_SEC;
    tern_allocator hooks = fuzz_heap_hooks(&w.heap);
    tern_mem_init(&w.mem, &hooks);
    tern_loss_init(&w.loss, &w.mem);
    tern_rtt_init(&w.rtt, 100 * TERN_MSEC);
    while (w.in.left > 0 && !w.is_broken) {
        step(&w);
    }
    uint64_t in_flight = w.loss.sent.bytes_in_flight;
    FUZZ_CHECK(tern_loss_discard(&w.loss) == in_flight);
    FUZZ_CHECK(w.heap.held == 0);
    return 0;
}
