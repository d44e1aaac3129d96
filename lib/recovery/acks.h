/* What we received in one packet number space, and when to say so. RFC 9000 section 13.2.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_ACKS_H
#define TERN_RECOVERY_ACKS_H

#include "base/ranges.h"

#define TERN_ACKS_RANGES_MAX 64 /* [P §14]: older ranges are forgotten */

struct tern_acks {
    struct tern_ranges ranges;
    uint64_t floor;   /* everything below counts as received: its ranges were forgotten */
    uint64_t told;    /* the peer knows of the ranges that end below; late packets lower it again */
    uint64_t late;    /* the lowest that came after an ACK had passed it over ... */
    uint64_t late_in; /* ... and is only in those whose largest is at least this */
    uint64_t largest; /* valid when has_any */
    tern_time largest_at;
    tern_time deadline;  /* an ACK is due then; TERN_TIME_NEVER when none is owed */
    tern_time max_delay; /* ours, as promised to the peer; 0 in Initial and Handshake */
    uint64_t ecn[3];     /* ECT(0), ECT(1), CE counts; index = ECN_CE -> 2 */
    uint64_t counted;    /* the sum of these when they were last sent, */
    uint64_t counted_ce; /* and the third */
    uint32_t unacked;    /* ack-eliciting packets since the last ACK was sent */
    uint32_t threshold;  /* ACK after this many: 2 by RFC 9000 §13.2.2 */
    uint32_t warmup;     /* the first packets are acknowledged at once */
    uint64_t reordering; /* at once when a missing number lies so far back; 1: for any disorder */
    uint64_t reported;   /* the last ACK's largest + 1; 0: none was sent */
    uint64_t sequence;   /* the least that an ACK_FREQUENCY must have to count */
    bool has_any, has_ecn;
    bool is_asked; /* IMMEDIATE_ACK */
    bool was_ce;   /* the last packet that asked for an ACK was marked */
    bool has_gap;  /* a packet that asked for nothing came after a gap that was not told yet */
};

void tern_acks_init(struct tern_acks *acks, struct tern_mem *mem, tern_time max_delay);
void tern_acks_clear(struct tern_acks *acks);

bool tern_acks_is_duplicate(const struct tern_acks *acks, uint64_t pn);

/* Notes a packet (not a duplicate). Sets the deadline: at once for the threshold, a gap, reordering,
 * CE, or the first 16; else now + max_delay. ecn: 0..3 as in the IP header. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_acks_on_received(struct tern_acks *acks, uint64_t pn, bool eliciting,
                                          uint8_t ecn, tern_time now);

/* The peer's wishes (draft-ietf-quic-ack-frequency): an ACK after `threshold` packets or max_delay, at
 * once when a number missing lies `reordering` behind the largest (0: never for that). One that is
 * not newer than the last changes nothing. */
struct tern_acks_wish {
    uint64_t sequence, threshold, reordering;
    tern_time max_delay;
};
void tern_acks_on_wish(struct tern_acks *acks, const struct tern_acks_wish *wish);

/* The packet that is noted next wants its ACK at once. */
void tern_acks_on_asked(struct tern_acks *acks);

/* Is an ACK due at `now`? (An ACK that is merely owed may ride along with other frames: see
 * tern_acks_is_owed.) */
bool tern_acks_is_due(const struct tern_acks *acks, tern_time now);
bool tern_acks_is_owed(const struct tern_acks *acks);

/* The ECN counts should go with the next ACK: they are young, of marks by congestion there are more, or of
 * all packets some. */
bool tern_acks_owes_counts(const struct tern_acks *acks);

/* An ACK frame with all ranges left in a packet, with the counts or without. */
void tern_acks_on_sent(struct tern_acks *acks);
void tern_acks_on_counts_sent(struct tern_acks *acks);

/* The peer acknowledged a packet that carried an ACK whose largest was `largest`: ranges at or below
 * it need not be repeated (RFC 9000 §13.2.4). They are remembered all the same: a packet that comes
 * later than the ACK for its neighbours is no duplicate. */
void tern_acks_on_acked(struct tern_acks *acks, uint64_t largest);

/* The ranges that an ACK frame should carry, ascending; at least the newest. has_any. */
const struct tern_range *tern_acks_untold(const struct tern_acks *acks, size_t *count);

#endif
