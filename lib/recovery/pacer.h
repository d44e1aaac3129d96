/* A leaky bucket that spreads packets over the round trip. RFC 9002 section 7.7.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_RECOVERY_PACER_H
#define TERN_RECOVERY_PACER_H

#include "base/def.h"

struct tern_pacer {
    uint64_t rate;     /* bytes a second; 0: no pacing */
    uint64_t tokens;   /* bytes that may leave now */
    uint64_t burst;    /* cap of tokens: max(2 datagrams, what 1 ms carries) */
    uint64_t fraction; /* nanosecond-bytes not yet worth a token */
    tern_time at;
};

void tern_pacer_init(struct tern_pacer *pacer, size_t datagram);

/* New rate; the bucket keeps its tokens up to the new cap. */
void tern_pacer_set_rate(struct tern_pacer *pacer, uint64_t rate, size_t datagram, tern_time now);

/* Bytes that may leave at `now`; a datagram may go when this is at least its size or the bucket is
 * full. UINT64_MAX without pacing. */
uint64_t tern_pacer_budget(struct tern_pacer *pacer, tern_time now);
void tern_pacer_on_sent(struct tern_pacer *pacer, size_t bytes, tern_time now);

/* Somebody might have gone on `late` ago and has his turn only now: a thread with many connections comes late to each.
 * What he missed may leave at once, up to ten datagrams or what 4 ms carry. */
void tern_pacer_catch_up(struct tern_pacer *pacer, size_t datagram, tern_time late, tern_time now);

/* When `bytes` may leave; 0 when now. */
tern_time tern_pacer_next(const struct tern_pacer *pacer, size_t bytes);

#endif
