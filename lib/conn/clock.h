/* The time that both ends tell each other: which packets bear CLOCK, and what those of the peer say.
 * [P §17]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_CLOCK_H
#define TERN_CONN_CLOCK_H

#include "conn/conn.h"
#include "recovery/peerclock.h"

struct tern_conn_clock {
    struct tern_peerclock peer;
    /* Of the packet that is being read: a round trip that its ACK has measured. */
    uint64_t packet;       /* the count of packets received then */
    tern_time trip, delay; /* and what of it the peer waited */
    /* What we say. */
    uint64_t next_largest; /* an ACK says nothing new of what is below */
    tern_time tell_at;
    unsigned told; /* up to the number of those that come quickly */
};

/* The handshake is complete: where both ends want it, there is a clock. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_clock_begin(struct tern_conn *conn);

/* The ACK in the packet that is being read has given a sample of the round trip. */
void tern_clock_on_ack(struct tern_conn *conn, tern_time trip, tern_time delay);
/* CLOCK. 0 · TERN_ERR_PROTOCOL (we did not ask for it) */
TERN_MUST_CHECK int tern_clock_on_frame(struct tern_conn *conn, uint64_t micros, tern_time now);

/* Shall a packet with an ACK of this largest number tell the time? */
bool tern_clock_is_due(const struct tern_conn *conn, uint64_t largest, tern_time now);
void tern_clock_on_told(struct tern_conn *conn, uint64_t largest, tern_time now);

#endif
