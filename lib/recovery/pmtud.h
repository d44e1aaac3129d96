/* Datagram size of one path: from 1200 upward by probes. RFC 8899, RFC 9000 section 14.3.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_PMTUD_H
#define TERN_RECOVERY_PMTUD_H

#include "base/def.h"

#define TERN_PMTUD_BASE   1200u
#define TERN_PMTUD_COMMON 1452u /* Ethernet's 1500 less IPv6 and UDP */
#define TERN_PMTUD_PROBES 3     /* RFC 8899 §5.1.2: MAX_PROBES */

struct tern_pmtud {
    size_t current;        /* confirmed size in use */
    uint64_t delivered_pn; /* one above the newest acknowledged packet of full size */
    tern_time again_at;    /* when to search again after a finished search (600 s) */
    uint32_t black_hole;   /* lost full-size packets with none of that size delivered since */
    bool in_flight, is_done;
    bool is_useful;          /* a datagram of full size has left, with more to say behind it */
    size_t probe;            /* size being probed; 0: none */
    size_t ceiling;          /* never above: ours and the peer's max_udp_payload_size */
    size_t failed;           /* smallest size that failed; 0: none */
    uint64_t probe_pn;       /* packet number of the probe in flight, when in_flight */
    uint32_t tries, excused; /* of the size being probed */
};

void tern_pmtud_init(struct tern_pmtud *pmtud, size_t ceiling);

/* The size to probe now, or 0. Nothing is probed before `is_useful`: who says little gains nothing by
 * larger datagrams, and in a short connection two probes would be half of all that is said. */
size_t tern_pmtud_wants(struct tern_pmtud *pmtud, tern_time now);
void tern_pmtud_on_sent(struct tern_pmtud *pmtud, uint64_t pn);
/* One packet arrived. To be told of all that an ACK brings before the losses that it shows: what was
 * lost before a delivery of full size is no black hole. */
void tern_pmtud_on_delivered(struct tern_pmtud *pmtud, uint64_t pn, size_t size);
void tern_pmtud_on_acked(struct tern_pmtud *pmtud, uint64_t pn, size_t size, tern_time now);
/* Other packets of the probe's round trip were lost, too: if it is lost, then for want of room in a queue
 * and not for its size. To be told before the loss; counts a few times only for each size. */
void tern_pmtud_on_congestion(struct tern_pmtud *pmtud, uint64_t pn);
/* Returns true when a black hole was found and `current` fell back to the base. */
bool tern_pmtud_on_lost(struct tern_pmtud *pmtud, uint64_t pn, size_t size, tern_time now);

#endif
