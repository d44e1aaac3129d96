/* The sent packets of one number space in a ring indexed by packet number, each with its receipts.
 *
 * A receipt is a plain record of a frame that left (law 2). This file and loss.c carry receipts and
 * hand them back; what they mean only conn/receipts.c knows. Numbers that were skipped on purpose
 * have a slot too, so that an ACK for one is noticed (RFC 9000 section 21.4).
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_SENT_H
#define TERN_RECOVERY_SENT_H

#include "base/mem.h"

struct tern_receipt {
    uint64_t id;     /* stream id, sequence number, largest acked: by kind */
    uint64_t offset; /* or a limit, or a code */
    uint32_t len;
    uint8_t kind; /* meaning belongs to conn */
    uint8_t flags;
    uint16_t extra;
};

enum tern_sent_state {
    TERN_SENT_SKIPPED, /* never sent; an ACK for it is a protocol violation */
    TERN_SENT_OUTSTANDING,
    TERN_SENT_ACKED,
    TERN_SENT_LOST /* kept for a while, to notice a late ACK (spurious loss) */
};

#define TERN_SENT_ELICITING   0x01u /* ack-eliciting */
#define TERN_SENT_IN_FLIGHT   0x02u /* counts against the congestion window */
#define TERN_SENT_PROBE       0x04u /* a PMTU probe: its loss is not congestion */
#define TERN_SENT_APP_LIMITED 0x08u
#define TERN_SENT_WAS_LOST    0x10u /* declared lost; acknowledged it may be all the same */

/* Three quarters of a cache line: an ACK reads every one that it is about, and with many connections none of them is
 * in the cache. Hence counts modulo 2^32 and the like, of which one flight uses up nowhere near as many. */
struct tern_sent_packet {
    tern_time sent_at;
    union {
        uint32_t since[2]; /* of the delivery rate (recovery/rate.h), until it is lost ... */
        tern_time lost_at; /* ... when it was declared so: TERN_SENT_WAS_LOST */
    };
    uint64_t delivered;   /* of the delivery rate, when it was sent */
    uint32_t lost_before; /* ... modulo 2^32 */
    /* Bytes in flight just before it was sent, UINT32_MAX: or more; BBR wants it. */
    uint32_t in_flight_before;
    uint32_t receipts; /* absolute index of the first one, modulo 2^32 */
    int32_t next;      /* distance to the next in the acked or lost queue; 0: last */
    uint16_t size;
    uint16_t receipt_count;
    unsigned state : 2, flags : 5, ecn : 2, path : 8;
    unsigned skips_before : 15; /* numbers left out before this one, modulo 2^15 */
};
#define TERN_SENT_FLAGS_MASK 0x1fu
#define TERN_SENT_SKIPS_MASK 0x7fffu

struct tern_sent {
    struct tern_mem *mem;
    struct tern_sent_packet *packets; /* ring of `capacity` (power of two) */
    size_t capacity;
    uint64_t origin;        /* number of the packet in the first slot of the ring */
    uint64_t base, next_pn; /* slots for [base, next_pn) exist */
    struct tern_receipt *receipts;
    size_t receipt_capacity;
    uint64_t receipt_base, receipt_end; /* absolute indexes */
    uint32_t open_receipts;             /* noted for the packet being built */
    uint64_t bytes_in_flight;           /* of this space: the sum over outstanding IN_FLIGHT */
    uint64_t eliciting_outstanding;     /* number of ack-eliciting packets outstanding */
    uint64_t skipped;                   /* the latest number left out, + 1; 0: none yet */
    uint32_t skips;                     /* how many were left out, modulo 2^15 */
    tern_time last_eliciting_at;        /* when the latest of them was sent; 0 before the first */
};

void tern_sent_init(struct tern_sent *sent, struct tern_mem *mem);
void tern_sent_clear(struct tern_sent *sent);

/* Makes room for one more packet with `receipts` receipts, so that note and commit cannot fail.
 * 0 · TERN_ERR_NOMEM · TERN_ERR_LIMIT (TERN_SENT_PACKETS_MAX slots are in use) */
#define TERN_SENT_PACKETS_MAX (1u << 20)
TERN_MUST_CHECK int tern_sent_reserve(struct tern_sent *sent, size_t receipts);

void tern_sent_note(struct tern_sent *sent, const struct tern_receipt *receipt);
void tern_sent_rollback(struct tern_sent *sent); /* the packet was not built: forget its receipts */

/* Takes back to a saved number of noted receipts (open_receipts), when a frame did not fit. */
void tern_sent_rollback_to(struct tern_sent *sent, uint32_t open_receipts);

/* The packet left with number next_pn. Returns its slot (valid until the next reserve) so that the
 * rate sampler can write its part. */
struct tern_sent_packet *tern_sent_commit(struct tern_sent *sent, size_t size, unsigned flags,
                                          uint8_t path, uint8_t ecn, tern_time now);

/* Leaves one number out (needs a reserve too). */
void tern_sent_skip(struct tern_sent *sent);

/* Nothing is kept: what comes next is written where the first packets were, and not where the ring would go on.
 * Many connections with rings of which each uses a little have that little in the cache. */
static inline void tern_sent_restart(struct tern_sent *sent)
{
    tern_assert(sent->base == sent->next_pn && sent->receipt_base == sent->receipt_end);
    sent->origin = sent->base;
    sent->receipt_base = sent->receipt_end = 0;
}

/* The slot of a number between base and next_pn. Here, for an ACK asks for each slot several times. */
static inline struct tern_sent_packet *tern_sent_at(const struct tern_sent *sent, uint64_t pn)
{
    tern_assert(pn >= sent->base && pn < sent->next_pn);
    return &sent->packets[(pn - sent->origin) & (sent->capacity - 1)];
}

/* The same, or NULL when the number is below base or not yet used. */
static inline struct tern_sent_packet *tern_sent_find(const struct tern_sent *sent, uint64_t pn)
{
    return pn < sent->base || pn >= sent->next_pn ? NULL : tern_sent_at(sent, pn);
}

/* Asks for the memory of up to `most` packets and their receipts: of those to come, or of the oldest that there are. */
void tern_sent_fetch_next(const struct tern_sent *sent, size_t most);
void tern_sent_fetch_oldest(const struct tern_sent *sent, size_t most);

static inline const struct tern_receipt *tern_sent_receipt(const struct tern_sent *sent,
                                                           const struct tern_sent_packet *packet,
                                                           size_t index)
{
    tern_assert(index < packet->receipt_count);
    return &sent->receipts[(packet->receipts + index) & (sent->receipt_capacity - 1)];
}

#endif
