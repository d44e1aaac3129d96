/* What conn hands to the application's trace sink; costs one test when nobody listens.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TRACE_TRACE_H
#define TERN_TRACE_TRACE_H

#include <tern/trace.h>

#include "base/def.h"

struct tern_trace {
    tern_trace_sink sink;
    uint64_t conn_number;
    bool is_server;
    bool wants_secrets;
    uint8_t told;          /* of packet types, a bit each: the sink knows the secrets */
    uint32_t told_phase;   /* ... of 1-RTT up to this one */
    uint8_t connection[8]; /* what SECRET calls it */
};

/* Both ways of one level and phase. */
struct tern_trace_secrets {
    uint8_t packet_type;
    unsigned suite;
    uint32_t key_phase;
    const uint8_t *client, *server; /* NULL: no such direction */
};

static inline bool tern_trace_is_on(const struct tern_trace *trace)
{
    return trace->sink.event != NULL;
}

static inline tern_trace_event tern_trace_start(const struct tern_trace *trace,
                                                tern_trace_kind kind, tern_time now)
{
    tern_trace_event event = {0};
    event.kind = kind;
    event.now = now;
    event.conn_number = trace->conn_number;
    event.is_server = trace->is_server;
    return event;
}

/* A packet sent or received, with its frames in plaintext. */
static inline void tern_trace_packet(const struct tern_trace *trace, tern_trace_kind kind,
                                     uint8_t packet_type, uint64_t pn, size_t size,
                                     const uint8_t *payload, size_t len, tern_time now)
{
    if (tern_trace_is_on(trace)) {
        tern_trace_event event = tern_trace_start(trace, kind, now);
        event.packet_type = packet_type;
        event.packet_number = pn;
        event.packet_size = size;
        event.payload = payload;
        event.payload_len = len;
        trace->sink.event(trace->sink.user, &event);
    }
}

static inline void tern_trace_dropped(const struct tern_trace *trace, const char *why,
                                      tern_time now)
{
    if (tern_trace_is_on(trace)) {
        tern_trace_event event = tern_trace_start(trace, TERN_TRACE_DROPPED, now);
        event.text = why;
        trace->sink.event(trace->sink.user, &event);
    }
}

static inline void tern_trace_lost(const struct tern_trace *trace, uint8_t packet_type, uint64_t pn,
                                   size_t size, tern_time now)
{
    if (tern_trace_is_on(trace)) {
        tern_trace_event event = tern_trace_start(trace, TERN_TRACE_LOST, now);
        event.packet_type = packet_type;
        event.packet_number = pn;
        event.packet_size = size;
        trace->sink.event(trace->sink.user, &event);
    }
}

static inline void tern_trace_state(const struct tern_trace *trace, const char *name, tern_time now)
{
    if (tern_trace_is_on(trace)) {
        tern_trace_event event = tern_trace_start(trace, TERN_TRACE_STATE, now);
        event.text = name;
        trace->sink.event(trace->sink.user, &event);
    }
}

static inline void tern_trace_secrets(const struct tern_trace *trace,
                                      const struct tern_trace_secrets *secrets, tern_time now)
{
    const uint8_t *both[] = {secrets->client, secrets->server};
    for (size_t i = 0; i < TERN_COUNT_OF(both) && trace->wants_secrets; i++) {
        tern_trace_event event = tern_trace_start(trace, TERN_TRACE_SECRET, now);
        event.packet_type = secrets->packet_type;
        event.connection = trace->connection;
        event.secret = both[i];
        event.is_clients = i == 0;
        event.suite = secrets->suite;
        event.key_phase = secrets->key_phase;
        if (event.secret != NULL) {
            trace->sink.event(trace->sink.user, &event);
        }
    }
}

static inline void tern_trace_metrics(const struct tern_trace *trace, uint64_t cwnd,
                                      uint64_t bytes_in_flight, tern_time smoothed_rtt,
                                      tern_time latest_rtt, tern_time now)
{
    if (tern_trace_is_on(trace)) {
        tern_trace_event event = tern_trace_start(trace, TERN_TRACE_METRICS, now);
        event.cwnd = cwnd;
        event.bytes_in_flight = bytes_in_flight;
        event.smoothed_rtt = smoothed_rtt;
        event.latest_rtt = latest_rtt;
        trace->sink.event(trace->sink.user, &event);
    }
}

#endif
