/* Loss detection over one ring of sent packets: RFC 9002 section 6.1 and appendix A.7, A.10.
 *
 * Cost: each slot is acknowledged once, declared lost at most once and passed by base once. `oldest`
 * walks over everything settled, so that neither detect nor a repeated ACK looks at it again.
 * SPDX-License-Identifier: MIT */
#include "recovery/loss.h"

#define KEEP_LOST_SLOTS 1024 /* lost packets kept behind the oldest outstanding one */
#define KEEP_LOST_PTOS  3
#define REORDER_PERSIST 16 /* RFC 8985 §6.2: recoveries until the window shrinks back */

void tern_loss_init(struct tern_loss *loss, struct tern_mem *mem)
{
    memset(loss, 0, sizeof *loss);
    tern_sent_init(&loss->sent, mem);
    loss->loss_time = TERN_TIME_NEVER;
    loss->packet_threshold = TERN_LOSS_PACKET_THRESHOLD;
}

void tern_loss_clear(struct tern_loss *loss)
{
    tern_sent_clear(&loss->sent);
    loss->oldest = loss->sent.base;
    loss->lost_kept = 0;
    loss->loss_time = TERN_TIME_NEVER;
    loss->acked_head = loss->acked_tail = loss->lost_head = loss->lost_tail = 0;
}

static void enqueue(struct tern_loss *loss, uint64_t *head, uint64_t *tail, uint64_t pn)
{
    tern_sent_at(&loss->sent, pn)->next = 0;
    if (*head == 0) {
        *head = pn + 1;
    } else {
        tern_sent_at(&loss->sent, *tail - 1)->next = (int32_t)(pn + 1 - *tail);
    }
    *tail = pn + 1;
}

/* What stands behind a packet of a queue: number + 1, as it is itself given; 0: nothing. */
static uint64_t beyond(uint64_t at, const struct tern_sent_packet *packet)
{
    return packet->next == 0 ? 0 : at + (uint64_t)(int64_t)packet->next;
}

static const struct tern_sent_packet *dequeue(struct tern_loss *loss, uint64_t *head,
                                              uint64_t *tail, uint64_t *pn)
{
    if (*head == 0) {
        return NULL;
    }
    *pn = *head - 1;
    const struct tern_sent_packet *packet = tern_sent_at(&loss->sent, *pn);
    *head = beyond(*head, packet);
    *tail = *head == 0 ? 0 : *tail;
    return packet;
}

/* The packet is no longer outstanding. */
static void leave_flight(struct tern_sent *sent, const struct tern_sent_packet *packet)
{
    if ((packet->flags & TERN_SENT_IN_FLIGHT) != 0) {
        sent->bytes_in_flight -= packet->size;
    }
    if ((packet->flags & TERN_SENT_ELICITING) != 0) {
        sent->eliciting_outstanding--;
    }
}

int tern_loss_ack_begin(struct tern_loss *loss, uint64_t largest)
{
    loss->prior_largest = loss->largest_acked;
    return largest >= loss->sent.next_pn ? TERN_ERR_PROTOCOL : 0;
}

static void ack_one(struct tern_loss *loss, struct tern_sent_packet *packet, uint64_t pn,
                    struct tern_loss_outcome *outcome)
{
    bool is_here = packet->path == loss->path;
    if (packet->state == TERN_SENT_LOST) {
        loss->lost_kept--;
        if (!is_here) {
            /* a path that we have left: what was learnt there is of no use here */
        } else if (outcome->spurious_packets++ == 0 || pn < outcome->spurious_lowest_pn) {
            outcome->spurious_lowest_pn = pn;
            outcome->spurious_earliest_sent_at = packet->sent_at;
        }
        outcome->spurious_bytes += is_here ? packet->size : 0;
        packet->state = TERN_SENT_ACKED;
        packet->flags &=
            TERN_SENT_FLAGS_MASK & ~TERN_SENT_IN_FLIGHT; /* it left flight when it was lost */
        enqueue(loss, &loss->acked_head, &loss->acked_tail, pn);
        return;
    }
    leave_flight(&loss->sent, packet);
    packet->state = TERN_SENT_ACKED;
    enqueue(loss, &loss->acked_head, &loss->acked_tail, pn);
    outcome->acked_packets++;
    outcome->acked_bytes +=
        is_here && (packet->flags & TERN_SENT_IN_FLIGHT) != 0 ? packet->size : 0;
    outcome->acked_eliciting |= (packet->flags & TERN_SENT_ELICITING) != 0;
    outcome->acked_ect0 += is_here && packet->ecn == 2 ? 1 : 0; /* RFC 3168 §5 */
    outcome->acked_ect1 += is_here && packet->ecn == 1 ? 1 : 0;
    if (outcome->acked_packets == 1 || pn > outcome->largest_acked_pn) {
        outcome->largest_acked_pn = pn;
        outcome->largest_acked_sent_at = packet->sent_at;
        outcome->largest_is_here = is_here;
    }
    if (is_here && (!loss->has_acked_here || pn > loss->largest_acked_here)) {
        loss->has_acked_here = true;
        loss->largest_acked_here = pn;
    }
}

int tern_loss_ack_range(struct tern_loss *loss, uint64_t smallest, uint64_t largest,
                        struct tern_loss_outcome *outcome)
{
    struct tern_sent *sent = &loss->sent;
    /* With no lost packet kept, nothing below `oldest` can change: a repeated ACK costs nothing. */
    uint64_t lowest = loss->lost_kept > 0 ? sent->base : TERN_MAX(loss->oldest, sent->base);
    uint64_t from = TERN_MAX(smallest, lowest);
    if (largest >= sent->next_pn) {
        return TERN_ERR_PROTOCOL;
    }
    if (sent->skipped > smallest && sent->skipped - 1 <= largest) {
        return TERN_ERR_PROTOCOL; /* RFC 9000 §21.4: it cannot have been received */
    }
    for (uint64_t pn = from; pn <= largest; pn++) {
        struct tern_sent_packet *packet = tern_sent_at(sent, pn);
        if (packet->state == TERN_SENT_SKIPPED) {
            return TERN_ERR_PROTOCOL; /* not the latest one left out, but no better */
        }
        if (packet->state == TERN_SENT_OUTSTANDING || packet->state == TERN_SENT_LOST) {
            ack_one(loss, packet, pn, outcome);
        }
    }
    if (!loss->has_acked || largest > loss->largest_acked) {
        loss->has_acked = true;
        loss->largest_acked = largest;
        outcome->largest_is_new = true;
    }
    return 0;
}

void tern_loss_ack_finish(struct tern_loss *loss, struct tern_loss_outcome *outcome, tern_time now)
{
    /* RFC 9002 §5.1: the largest is newly acknowledged, and something asked for the ACK. */
    if (outcome->acked_packets > 0 && outcome->acked_eliciting && outcome->largest_is_new &&
        outcome->largest_is_here && outcome->largest_acked_pn == loss->largest_acked) {
        tern_time sample = tern_sub_sat(now, outcome->largest_acked_sent_at);
        outcome->rtt_sample = TERN_MAX(sample, (tern_time)1); /* 0 means none */
    }
}

/* A run of lost packets with nothing acknowledged between, long enough to mean that the path was
 * dead: RFC 9002 §7.6. */
struct run {
    tern_time first_sent_at;
    bool is_open;
};

/* It asked for an answer at a time when the round trip was known. Of a PMTU probe's loss nothing
 * follows for the window: RFC 9000 §14.4. */
static bool is_evidence(const struct tern_sent_packet *packet, const struct tern_rtt *rtt)
{
    return (packet->flags & (TERN_SENT_ELICITING | TERN_SENT_PROBE)) == TERN_SENT_ELICITING &&
           rtt->has_sample && packet->sent_at > rtt->first_sample_at;
}

/* What was declared lost before, with nothing acknowledged since, belongs to the run that begins at
 * `pn`; unless it was persistent congestion by itself and has had its effect. */
static void resume_run(struct run *run, const struct tern_loss *loss, uint64_t pn,
                       const struct tern_rtt *rtt, tern_time duration)
{
    tern_time newest = 0;
    while (pn > loss->sent.base) {
        const struct tern_sent_packet *packet = tern_sent_at(&loss->sent, --pn);
        if (packet->state == TERN_SENT_ACKED) {
            break;
        }
        if (packet->state == TERN_SENT_LOST && is_evidence(packet, rtt)) {
            newest = run->is_open ? newest : packet->sent_at;
            run->is_open = true;
            run->first_sent_at = packet->sent_at;
        }
    }
    run->is_open = run->is_open && tern_sub_sat(newest, run->first_sent_at) <= duration;
}

static void extend_run(struct run *run, const struct tern_sent_packet *packet,
                       const struct tern_rtt *rtt, tern_time duration,
                       struct tern_loss_outcome *outcome)
{
    if (!is_evidence(packet, rtt)) {
        return;
    }
    if (!run->is_open) {
        run->is_open = true;
        run->first_sent_at = packet->sent_at;
    } else if (tern_sub_sat(packet->sent_at, run->first_sent_at) > duration) {
        outcome->persistent = true;
    }
}

static void lose_one(struct tern_loss *loss, struct tern_sent_packet *packet, uint64_t pn,
                     struct tern_loss_outcome *outcome, tern_time now)
{
    leave_flight(&loss->sent, packet);
    packet->state = TERN_SENT_LOST;
    packet->flags |= TERN_SENT_WAS_LOST;
    packet->lost_at = now;
    loss->lost_kept++;
    enqueue(loss, &loss->lost_head, &loss->lost_tail, pn);
    if (packet->path != loss->path) {
        return;
    }
    if ((packet->flags & TERN_SENT_PROBE) != 0) {
        outcome->lost_probe_packets++;
        outcome->lost_probe_bytes += packet->size;
        return;
    }
    if ((packet->flags & TERN_SENT_IN_FLIGHT) == 0) {
        return;
    }
    if (outcome->lost_packets++ == 0) {
        outcome->lost_earliest_sent_at = packet->sent_at;
    }
    outcome->lost_bytes += packet->size;
    outcome->lost_latest_sent_at = packet->sent_at;
    outcome->lost_largest_pn = pn;
}

/* Everything below it is acknowledged, lost or skipped. */
static void advance_oldest(struct tern_loss *loss)
{
    while (loss->oldest < loss->sent.next_pn &&
           tern_sent_at(&loss->sent, loss->oldest)->state != TERN_SENT_OUTSTANDING) {
        loss->oldest++;
    }
}

/* Numbers between that were never sent must not make a packet look three behind. The latest one left
 * out may well lie above all that is acknowledged, and an earlier one here. */
static uint32_t skips_above(const struct tern_loss *loss, const struct tern_sent_packet *packet)
{
    uint32_t latest = tern_sent_at(&loss->sent, loss->largest_acked_here)->skips_before;
    return (latest - packet->skips_before) & TERN_SENT_SKIPS_MASK;
}

/* Three behind one that arrived: only on the same path, since another may be faster. */
static bool is_far_behind(const struct tern_loss *loss, const struct tern_sent_packet *packet,
                          uint64_t pn)
{
    return packet->path == loss->path && loss->has_acked_here && pn < loss->largest_acked_here &&
           loss->largest_acked_here - pn >= loss->packet_threshold + skips_above(loss, packet);
}

/* Packets overtook others by so many numbers, and by so much time: from now on that is no loss. The
 * window is measured rather than raised step by step (RFC 8985 §6.2), and like there it ends at a
 * round trip. */
static void widen(struct tern_loss *loss, const struct tern_rtt *rtt,
                  const struct tern_loss_outcome *outcome, tern_time now)
{
    uint64_t distance = tern_sub_sat(loss->prior_largest, outcome->spurious_lowest_pn) + 1;
    tern_time late = tern_sub_sat(now, outcome->spurious_earliest_sent_at);
    tern_time over = tern_sub_sat(late, TERN_MIN(rtt->smoothed, rtt->latest));
    over += over / 8;
    loss->packet_threshold = TERN_MAX(loss->packet_threshold, distance);
    loss->reorder_window = TERN_MAX(loss->reorder_window, TERN_MIN(over, rtt->smoothed));
    loss->reorder_persist = REORDER_PERSIST;
}

/* After so many true losses reordering is history. */
static void narrow(struct tern_loss *loss)
{
    if (loss->reorder_persist > 0 && --loss->reorder_persist == 0) {
        loss->packet_threshold = TERN_LOSS_PACKET_THRESHOLD;
        loss->reorder_window = 0;
    }
}

void tern_loss_detect(struct tern_loss *loss, const struct tern_rtt *rtt, tern_time pto,
                      struct tern_loss_outcome *outcome, tern_time now)
{
    struct run run = {0};
    loss->loss_time = TERN_TIME_NEVER;
    if (!loss->has_acked) {
        return;
    }
    if (outcome->spurious_packets > 0) {
        widen(loss, rtt, outcome, now);
    }
    tern_time delay = TERN_MAX(tern_rtt_loss_delay(rtt),
                               TERN_MAX(rtt->smoothed, rtt->latest) + loss->reorder_window);
    loss->oldest = TERN_MAX(loss->oldest, loss->sent.base);
    for (uint64_t pn = loss->oldest; pn < loss->largest_acked; pn++) {
        struct tern_sent_packet *packet = tern_sent_at(&loss->sent, pn);
        if (packet->state == TERN_SENT_ACKED) {
            run.is_open = false;
        }
        if (packet->state != TERN_SENT_OUTSTANDING) {
            continue;
        }
        bool is_here = packet->path == loss->path;
        tern_time patience = is_here ? delay : loss->other_delay;
        if (is_far_behind(loss, packet, pn) || tern_sub_sat(now, packet->sent_at) >= patience) {
            if (is_here && outcome->lost_packets + outcome->lost_probe_packets == 0) {
                resume_run(&run, loss, pn, rtt, 3 * pto);
            }
            lose_one(loss, packet, pn, outcome, now);
            if (is_here) {
                extend_run(&run, packet, rtt, 3 * pto, outcome);
            }
        } else {
            loss->loss_time = TERN_MIN(loss->loss_time, packet->sent_at + patience);
        }
    }
    if (outcome->lost_packets > 0) {
        narrow(loss);
    }
    advance_oldest(loss);
}

const struct tern_sent_packet *tern_loss_next_acked(struct tern_loss *loss, uint64_t *pn)
{
    return dequeue(loss, &loss->acked_head, &loss->acked_tail, pn);
}

const struct tern_sent_packet *tern_loss_next_lost(struct tern_loss *loss, uint64_t *pn)
{
    return dequeue(loss, &loss->lost_head, &loss->lost_tail, pn);
}

void tern_loss_settle(struct tern_loss *loss, const struct tern_rtt *rtt, tern_time now)
{
    struct tern_sent *sent = &loss->sent;
    tern_time keep = KEEP_LOST_PTOS * tern_rtt_pto(rtt, 0);
    tern_assert(loss->acked_head == 0 && loss->lost_head == 0);
    advance_oldest(loss);
    while (sent->base < loss->oldest) {
        const struct tern_sent_packet *packet = tern_sent_at(sent, sent->base);
        if (packet->state == TERN_SENT_LOST && tern_sub_sat(now, packet->lost_at) < keep &&
            loss->oldest - sent->base <= KEEP_LOST_SLOTS) {
            break;
        }
        loss->lost_kept -= packet->state == TERN_SENT_LOST ? 1 : 0;
        sent->receipt_base += packet->receipts - (uint32_t)sent->receipt_base;
        sent->receipt_base += packet->receipt_count;
        sent->base++;
    }
    if (sent->base == sent->next_pn && sent->open_receipts == 0) {
        tern_sent_restart(sent);
    }
}

const struct tern_sent_packet *tern_loss_oldest(const struct tern_loss *loss, uint64_t *cursor)
{
    uint64_t pn = TERN_MAX(TERN_MAX(*cursor, loss->oldest), loss->sent.base);
    for (; pn < loss->sent.next_pn; pn++) {
        const struct tern_sent_packet *packet = tern_sent_at(&loss->sent, pn);
        if (packet->state == TERN_SENT_OUTSTANDING && (packet->flags & TERN_SENT_ELICITING) != 0) {
            *cursor = pn + 1;
            return packet;
        }
    }
    *cursor = pn;
    return NULL;
}

const struct tern_sent_packet *tern_loss_walk_acked(const struct tern_loss *loss, uint64_t *cursor,
                                                    uint64_t *pn)
{
    uint64_t at = loss->acked_head;
    if (*cursor > 0) {
        at = beyond(*cursor, tern_sent_at(&loss->sent, *cursor - 1));
    }
    if (at == 0) {
        return NULL;
    }
    *cursor = at;
    *pn = at - 1;
    return tern_sent_at(&loss->sent, *pn);
}

uint64_t tern_loss_discard(struct tern_loss *loss)
{
    uint64_t in_flight = loss->sent.bytes_in_flight;
    tern_loss_clear(loss);
    return in_flight;
}

bool tern_loss_can_rest(const struct tern_loss *loss)
{
    return loss->sent.eliciting_outstanding == 0 && loss->sent.bytes_in_flight == 0 &&
           loss->acked_head == 0 && loss->lost_head == 0;
}

void tern_loss_rest(struct tern_loss *loss)
{
    struct tern_sent *sent = &loss->sent;
    struct tern_sent before = *sent;
    tern_assert(tern_loss_can_rest(loss));
    tern_sent_clear(sent);
    sent->skipped = before.skipped;
    sent->skips = before.skips;
    sent->last_eliciting_at = before.last_eliciting_at;
    loss->oldest = sent->next_pn;
    loss->lost_kept = 0;
    loss->loss_time = TERN_TIME_NEVER;
}

void tern_loss_on_moved(struct tern_loss *loss, uint8_t path, tern_time delay)
{
    if (loss->path == path) {
        return;
    }
    loss->path = path;
    loss->other_delay = TERN_MAX(delay, TERN_RTT_GRANULARITY);
    loss->has_acked_here = false;
    loss->packet_threshold = TERN_LOSS_PACKET_THRESHOLD;
    loss->reorder_window = 0;
    loss->reorder_persist = 0;
}

bool tern_loss_is_consistent(const struct tern_loss *loss)
{
    const struct tern_sent *sent = &loss->sent;
    uint64_t bytes = 0, eliciting = 0;
    for (uint64_t pn = sent->base; pn < sent->next_pn; pn++) {
        const struct tern_sent_packet *packet = tern_sent_at(sent, pn);
        if (packet->state == TERN_SENT_OUTSTANDING) {
            bytes += (packet->flags & TERN_SENT_IN_FLIGHT) != 0 ? packet->size : 0;
            eliciting += (packet->flags & TERN_SENT_ELICITING) != 0 ? 1 : 0;
        }
    }
    return bytes == sent->bytes_in_flight && eliciting == sent->eliciting_outstanding;
}
