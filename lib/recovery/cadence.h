/* How often we ask the peer to acknowledge: draft-ietf-quic-ack-frequency, as the sender of data.
 *
 * Every second packet, which is what a receiver does unasked, is far more than a large window needs:
 * each ACK costs both ends a datagram, and a narrow way back is full of them before the way forth is.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_CADENCE_H
#define TERN_RECOVERY_CADENCE_H

#include "base/def.h"

struct tern_cadence_terms {
    uint64_t threshold;  /* an ACK after so many packets; 2 unless asked */
    tern_time delay;     /* ... or after so long */
    uint64_t reordering; /* ... or when a number is missing so far back */
};

struct tern_cadence {
    bool is_usable; /* the peer takes ACK_FREQUENCY and IMMEDIATE_ACK */
    bool wants_send;
    bool is_pending;                  /* the latest was sent and is neither acknowledged nor lost */
    struct tern_cadence_terms asked;  /* the latest that was said, or the defaults */
    struct tern_cadence_terms wanted; /* what the next frame says */
    uint64_t sequence;                /* of the next frame */
    tern_time least_delay, most_delay; /* the peer's min_ack_delay and max_ack_delay */
    /* The longest that the peer may wait by anything it has or may have heard. */
    tern_time in_force;
};

/* The peer's parameters: without min_ack_delay it is not to be asked. */
void tern_cadence_init(struct tern_cadence *cadence, bool is_usable, tern_time min_delay,
                       tern_time max_delay);

/* Chooses anew after an ACK; wants_send when the difference is worth a frame. `window`: bytes a round
 * trip; packet_threshold: that of loss detection. */
void tern_cadence_update(struct tern_cadence *cadence, uint64_t window, size_t datagram,
                         tern_time smoothed_rtt, uint64_t packet_threshold);

/* A frame with `wanted` left. Returns its sequence number. */
uint64_t tern_cadence_on_sent(struct tern_cadence *cadence);
void tern_cadence_on_acked(struct tern_cadence *cadence, uint64_t sequence);
/* Only the latest is worth saying again. */
void tern_cadence_on_lost(struct tern_cadence *cadence, uint64_t sequence);

#endif
