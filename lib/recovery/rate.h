/* Delivery-rate samples: how fast the path delivers, seen from ACKs.
 * draft-cheng-iccrg-delivery-rate-estimation.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_RATE_H
#define TERN_RECOVERY_RATE_H

#include "recovery/sent.h"

struct tern_rate {
    uint64_t delivered; /* bytes delivered since birth */
    uint64_t lost;      /* bytes lost since birth */
    tern_time delivered_at;
    tern_time first_sent_at;
    uint64_t app_limited_until; /* `delivered` mark; 0: not application-limited */
};

/* One sample, built over the packets of one ACK. */
struct tern_rate_sample {
    uint64_t rate;      /* bytes a second; 0: no valid sample */
    uint64_t delivered; /* bytes between the two ends of the sample */
    uint64_t lost;      /* bytes lost over the same interval */
    uint64_t prior_delivered;
    tern_time prior_at, send_elapsed, ack_elapsed, interval;
    uint64_t in_flight_at_send; /* tx_in_flight of the newest packet, its own bytes included */
    bool is_app_limited;
    bool has_any;
};

void tern_rate_init(struct tern_rate *rate);

/* Stamps a packet that leaves. in_flight: bytes in flight before it. */
void tern_rate_on_sent(struct tern_rate *rate, struct tern_sent_packet *packet, uint64_t in_flight,
                       tern_time now);

/* For each newly acked packet of one ACK, then once the sample. min_rtt guards against too short
 * intervals. */
void tern_rate_on_acked(struct tern_rate *rate, const struct tern_sent_packet *packet,
                        struct tern_rate_sample *sample, tern_time now);
/* It was not lost after all: it leaves the count again. Call it before tern_rate_on_acked. */
void tern_rate_on_spurious(struct tern_rate *rate, const struct tern_sent_packet *packet);
void tern_rate_on_lost(struct tern_rate *rate, const struct tern_sent_packet *packet);
/* Bytes lost since a count of them modulo 2^32; none if some have come after all and made it less. */
uint64_t tern_rate_lost_since(const struct tern_rate *rate, uint32_t before);
void tern_rate_finish(struct tern_rate *rate, struct tern_rate_sample *sample, tern_time min_rtt);

/* The application had nothing to send while the window was open. */
void tern_rate_on_app_limited(struct tern_rate *rate, uint64_t in_flight);

#endif
