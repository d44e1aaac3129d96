/* ACKs in, acknowledged and lost packets out, for one packet number space. RFC 9002 section 6.1.
 *
 * One ACK frame is worked off in steps, so that no list has to be built:
 *     tern_loss_ack_begin(loss, largest);
 *     tern_loss_ack_range(loss, smallest, largest);      for each range, descending
 *     tern_loss_ack_finish(loss, &outcome, now);         then update the RTT from outcome.rtt_sample
 *     tern_loss_detect(loss, rtt, pto, &outcome, now);   marks lost packets
 *     while ((packet = tern_loss_next_acked(loss, &pn))) ...receipts...
 *     while ((packet = tern_loss_next_lost(loss, &pn))) ...receipts...
 *     tern_loss_settle(loss, rtt, now);                  frees what nobody needs any more
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_LOSS_H
#define TERN_RECOVERY_LOSS_H

#include "recovery/rtt.h"
#include "recovery/sent.h"

#define TERN_LOSS_PACKET_THRESHOLD 3 /* RFC 9002 §6.1.1 */

struct tern_loss {
    struct tern_sent sent;
    uint64_t largest_acked; /* valid when has_acked */
    bool has_acked;
    uint64_t oldest;    /* every number below is acknowledged, lost or skipped */
    uint64_t lost_kept; /* LOST slots below `oldest` or above that a late ACK may still find */
    /* How late packets may come and not be lost; wider after reordering was seen. */
    uint64_t packet_threshold;
    tern_time reorder_window;
    unsigned reorder_persist; /* losses until both are forgotten */
    uint64_t prior_largest;   /* largest_acked before the present ACK frame */
    tern_time loss_time;      /* when the time threshold will declare a loss; NEVER: not armed */
    uint64_t acked_head, acked_tail; /* queues: packet number + 1, 0 = empty */
    uint64_t lost_head, lost_tail;
    uint8_t path; /* in use: only its packets tell anything about it (RFC 9000 §9.4) */
    bool has_acked_here;
    uint64_t largest_acked_here; /* of the packets sent on it */
    tern_time other_delay;       /* after so long a packet of another path is lost */
};

/* What an ACK or a loss timer brought; conn gives it to the controller. All zero first. */
struct tern_loss_outcome {
    tern_time rtt_sample;   /* 0: none (RFC 9002 §5.1) */
    uint64_t acked_bytes;   /* newly acknowledged on the path in use, IN_FLIGHT only */
    uint64_t acked_packets; /* newly acknowledged, any */
    bool acked_eliciting;
    bool largest_is_new;             /* the ACK raised largest_acked */
    tern_time largest_acked_sent_at; /* send time of the newest newly acked packet */
    uint64_t largest_acked_pn;
    bool largest_is_here;            /* it was sent on the path in use */
    uint64_t acked_ect0, acked_ect1; /* newly acked packets of it that were sent with such a mark */
    uint64_t lost_bytes;             /* IN_FLIGHT, probes and other paths left out */
    uint64_t lost_packets;           /* probes and other paths left out */
    uint64_t lost_probe_packets, lost_probe_bytes;
    tern_time lost_latest_sent_at; /* send time of the newest lost packet that counts */
    tern_time lost_earliest_sent_at;
    uint64_t lost_largest_pn;
    bool persistent;           /* persistent congestion, RFC 9002 §7.6 */
    uint64_t spurious_packets; /* declared lost before, acknowledged now */
    uint64_t spurious_bytes;
    uint64_t spurious_lowest_pn;
    tern_time spurious_earliest_sent_at;
};

void tern_loss_init(struct tern_loss *loss, struct tern_mem *mem);
void tern_loss_clear(struct tern_loss *loss);

/* 0 · TERN_ERR_PROTOCOL: `largest` was never sent. */
TERN_MUST_CHECK int tern_loss_ack_begin(struct tern_loss *loss, uint64_t largest);

/* Inclusive bounds. 0 · TERN_ERR_PROTOCOL: the range holds a skipped number. Numbers that are
 * settled already cost nothing: work is bounded by the packets outstanding. */
TERN_MUST_CHECK int tern_loss_ack_range(struct tern_loss *loss, uint64_t smallest, uint64_t largest,
                                        struct tern_loss_outcome *outcome);

void tern_loss_ack_finish(struct tern_loss *loss, struct tern_loss_outcome *outcome, tern_time now);

/* Packet and time threshold over what is outstanding below largest_acked; re-arms loss_time.
 * Also called when loss_time has come. pto: without backoff, for persistent congestion. */
void tern_loss_detect(struct tern_loss *loss, const struct tern_rtt *rtt, tern_time pto,
                      struct tern_loss_outcome *outcome, tern_time now);

/* Drain the queues that ack_range and detect filled; NULL at the end. The pointers are valid until
 * settle or the next reserve. */
const struct tern_sent_packet *tern_loss_next_acked(struct tern_loss *loss, uint64_t *pn);
const struct tern_sent_packet *tern_loss_next_lost(struct tern_loss *loss, uint64_t *pn);

/* Walks over what next_acked will return, and leaves it there. *cursor starts at 0. */
const struct tern_sent_packet *tern_loss_walk_acked(const struct tern_loss *loss, uint64_t *cursor,
                                                    uint64_t *pn);

/* Moves base over what is acked, skipped, or was lost long ago (lost ones stay for about 3 PTO, so
 * that a late ACK is recognised, but never more than 1024 slots behind the oldest outstanding). */
void tern_loss_settle(struct tern_loss *loss, const struct tern_rtt *rtt, tern_time now);

/* The oldest packet still outstanding and ack-eliciting, for a PTO probe to repeat its frames;
 * NULL if none. *cursor starts at 0 and walks on with each call. */
const struct tern_sent_packet *tern_loss_oldest(const struct tern_loss *loss, uint64_t *cursor);

/* Sum of sizes that a discarded space takes out of flight (RFC 9002 §6.4); empties the space. */
uint64_t tern_loss_discard(struct tern_loss *loss);

/* Is nothing out that asks for an answer, or counts as in flight? */
bool tern_loss_can_rest(const struct tern_loss *loss);
/* Then what is left are ACKs of ours and packets of long ago: forgets them, and gives the memory back. */
void tern_loss_rest(struct tern_loss *loss);

/* Another path is in use from now on. Acknowledgements of packets that left on others settle those
 * packets and nothing else; they are lost after `delay`, that of their own path. */
void tern_loss_on_moved(struct tern_loss *loss, uint8_t path, tern_time delay);

/* Recomputes bytes_in_flight and eliciting_outstanding by walking and compares; for tests. */
bool tern_loss_is_consistent(const struct tern_loss *loss);

#endif
