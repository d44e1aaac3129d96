/* The trace seam: every packet with its decrypted payload, and a few facts about recovery.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TRACE_H
#define TERN_TRACE_H

#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a trace event tells of. */
typedef enum tern_trace_kind {
    TERN_TRACE_SENT,     /* a packet was built; header and plaintext payload are given */
    TERN_TRACE_RECEIVED, /* a packet opened; the same */
    TERN_TRACE_DROPPED,  /* a packet was dropped; `text` says why */
    TERN_TRACE_LOST,     /* a sent packet was declared lost */
    TERN_TRACE_METRICS,  /* recovery figures changed */
    TERN_TRACE_STATE,    /* the connection's state changed; `text` names the new one */
    TERN_TRACE_SECRET    /* a secret that packets are sealed under; only with config.key_log */
} tern_trace_kind;

/* One trace event. Pointers live only for the call. */
typedef struct tern_trace_event {
    tern_trace_kind kind;
    tern_time now;
    uint64_t conn_number; /* counts up in the order of birth inside the endpoint */
    bool is_server;
    uint8_t packet_type; /* 0 Initial, 1 0-RTT, 2 Handshake, 4 1-RTT */
    uint64_t packet_number;
    size_t packet_size;     /* bytes on the wire */
    const uint8_t *payload; /* frames in plaintext */
    size_t payload_len;
    const char *text;
    uint64_t cwnd, bytes_in_flight; /* METRICS */
    tern_time smoothed_rtt, latest_rtt;
    /* SECRET, of packets of packet_type. It comes before the first packet that it seals or opens. */
    const uint8_t *connection; /* the first 8 bytes of the client's first destination identifier */
    const uint8_t *secret;     /* TERN_SECRET_SIZE bytes */
    bool is_clients;           /* of what the client seals; else the server */
    unsigned suite;
    uint32_t key_phase; /* key updates before it */
} tern_trace_event;

/* Called inside receive, transmit and tick. Must not call back into the endpoint. */
typedef struct tern_trace_sink {
    void (*event)(void *user, const tern_trace_event *event);
    void *user;
} tern_trace_sink;

/* Renders an event as one line of readable text (no newline), frames included:
 *   "12.034 #1 c sent 1-RTT pn=7 size=1200 STREAM id=0 off=0 len=1100 | ACK largest=5 ranges=1"
 * Returns the length that it needed; output is cut at size - 1 and terminated. */
TERN_API size_t tern_trace_text(const tern_trace_event *event, char *buf, size_t size);

/* A SECRET as a line of a key log (no newline), in the form of docs/protocol.md, "Key logs"; the same
 * length. 0: the event is another. Neither tern_trace_text nor tern_trace_qlog shows a secret's bytes. */
TERN_API size_t tern_trace_key_log(const tern_trace_event *event, char *buf, size_t size);

/* The same for qlog as JSON text sequences (draft-ietf-quic-qlog-main-schema-14 and -quic-events-13, RFC 7464;
 * what they do not know of is declared in docs/observing.md): a file is one record of _start and then one for each
 * event of one connection, as seen from one end; each ends with a newline. What was asked of a buffer too small is no JSON: when more than size - 1 is
 * returned, call again with more room. 4 KiB are mostly enough; a peer can make a packet of tiny frames
 * that takes fifty times its size. */
TERN_API size_t tern_trace_qlog_start(bool is_server, char *buf, size_t size);
TERN_API size_t tern_trace_qlog(const tern_trace_event *event, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
