/* The frames: their types, their contents, and the table of where each may stand.
 * RFC 9000 section 19, [P §6].
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_FRAME_H
#define TERN_WIRE_FRAME_H

#include "wire/header.h"

/* STREAM is eight types on the wire (08-0f) and one here, MESSAGE twelve (20-2b). */
enum tern_frame_type {
    TERN_FRAME_PADDING = 0x00,
    TERN_FRAME_PING = 0x01,
    TERN_FRAME_ACK = 0x02,
    TERN_FRAME_ACK_ECN = 0x03,
    TERN_FRAME_RESET_STREAM = 0x04,
    TERN_FRAME_STOP_SENDING = 0x05,
    TERN_FRAME_CRYPTO = 0x06,
    TERN_FRAME_NEW_TOKEN = 0x07,
    TERN_FRAME_STREAM = 0x08,
    TERN_FRAME_MAX_DATA = 0x10,
    TERN_FRAME_MAX_STREAM_DATA = 0x11,
    TERN_FRAME_MAX_STREAMS_BIDI = 0x12,
    TERN_FRAME_MAX_STREAMS_UNI = 0x13,
    TERN_FRAME_DATA_BLOCKED = 0x14,
    TERN_FRAME_STREAM_DATA_BLOCKED = 0x15,
    TERN_FRAME_STREAMS_BLOCKED_BIDI = 0x16,
    TERN_FRAME_STREAMS_BLOCKED_UNI = 0x17,
    TERN_FRAME_NEW_CONNECTION_ID = 0x18,
    TERN_FRAME_RETIRE_CONNECTION_ID = 0x19,
    TERN_FRAME_PATH_CHALLENGE = 0x1a,
    TERN_FRAME_PATH_RESPONSE = 0x1b,
    TERN_FRAME_CONNECTION_CLOSE = 0x1c,
    TERN_FRAME_CONNECTION_CLOSE_APP = 0x1d,
    TERN_FRAME_HANDSHAKE_DONE = 0x1e,
    /* draft-ietf-quic-ack-frequency */
    TERN_FRAME_IMMEDIATE_ACK = 0x1f,
    TERN_FRAME_ACK_FREQUENCY = 0xaf,
    /* [P §16] */
    TERN_FRAME_MESSAGE = 0x20,
    TERN_FRAME_MESSAGE_SKIP = 0x2c,
    TERN_FRAME_MAX_MESSAGE_DATA = 0x2d,
    TERN_FRAME_REPAIR = 0x2e,
    TERN_FRAME_REKEY = 0x38, /* [P §5.7] */
    TERN_FRAME_CLOCK = 0x39  /* [P §17] */
};

struct tern_frame_ecn {
    uint64_t ect0, ect1, ce;
};

struct tern_frame_ack {
    uint64_t largest, delay, first_range, range_count;
    const uint8_t *ranges; /* range_count pairs of (gap, length), validated by the decoder */
    size_t ranges_len;
    bool has_ecn;
    struct tern_frame_ecn ecn;
};

struct tern_frame_crypto {
    uint64_t offset;
    const uint8_t *data;
    size_t len;
};

struct tern_frame_stream {
    uint64_t id, offset;
    const uint8_t *data;
    size_t len;
    bool fin;
};

struct tern_frame_reset_stream {
    uint64_t id, code, final_size;
};

struct tern_frame_stop_sending {
    uint64_t id, code;
};

/* All MAX_ and _BLOCKED frames; id only where a stream is meant. */
struct tern_frame_limit {
    uint64_t id, value;
};

struct tern_frame_new_token {
    const uint8_t *token;
    size_t len;
};

struct tern_frame_new_connection_id {
    uint64_t sequence, retire_prior_to;
    struct tern_cid cid;
    uint8_t reset_token[TERN_RESET_TOKEN_BYTES];
};

struct tern_frame_retire_connection_id {
    uint64_t sequence;
};

struct tern_frame_path {
    uint8_t data[8];
};

struct tern_frame_connection_close {
    bool is_application;
    uint64_t code, frame_type;
    const uint8_t *reason;
    size_t reason_len;
};

/* How the peer would like to be acknowledged. */
struct tern_frame_ack_frequency {
    uint64_t sequence;
    uint64_t threshold; /* an ACK after more ack-eliciting packets than this */
    uint64_t max_delay; /* microseconds */
    /* An ACK at once when a missing number lies so far back; 0: never for that. */
    uint64_t reordering;
};

/* One half of a fresh Diffie-Hellman: the client's asks, the server's answers. */
struct tern_frame_rekey {
    uint64_t number; /* of the exchange, from 1 */
    uint8_t public_key[32];
};

/* What the sender's session clock shows. */
struct tern_frame_clock {
    uint64_t micros; /* at most TERN_CLOCK_MAX */
};

/* A message of a channel, or a part of one. Without is_fragment, offset is 0 and total is len. */
struct tern_frame_message {
    uint64_t channel, number, offset, total;
    const uint8_t *data;
    size_t len;
    uint8_t order; /* 0 unordered, 1 ordered, 2 latest */
    bool is_fragment, uses_credit;
};

/* Numbers of a channel that will not be sent any more. */
struct tern_frame_message_skip {
    uint64_t channel, order, first, count;
    uint64_t cost; /* of each; 0: without credit */
};

/* Forward error correction, [P §16.6]. */
struct tern_frame_repair {
    uint64_t channel, order, size, message, skip, symbols, messages;
    uint8_t first, number;
    const uint8_t *lengths; /* as many varints as messages, validated by the decoder */
    size_t lengths_len;
    const uint8_t *data;
    size_t len;
};

struct tern_frame {
    enum tern_frame_type type;
    size_t padding; /* PADDING: length of the run */
    union {
        struct tern_frame_ack ack;
        struct tern_frame_crypto crypto;
        struct tern_frame_stream stream;
        struct tern_frame_reset_stream reset_stream;
        struct tern_frame_stop_sending stop_sending;
        struct tern_frame_limit limit;
        struct tern_frame_new_token new_token;
        struct tern_frame_new_connection_id new_connection_id;
        struct tern_frame_retire_connection_id retire_connection_id;
        struct tern_frame_path path;
        struct tern_frame_connection_close connection_close;
        struct tern_frame_ack_frequency ack_frequency;
        struct tern_frame_rekey rekey;
        struct tern_frame_clock clock;
        struct tern_frame_repair repair;
        struct tern_frame_message message;
        struct tern_frame_message_skip message_skip;
    } u;
};

/* Where a frame may stand and what it counts as: RFC 9000 table 3, [P §6.2]. */
struct tern_frame_rule {
    const char *name;
    uint8_t packets; /* bit 1 << enum tern_packet_type, or: */
    bool is_ack_eliciting;
    bool is_probing;   /* RFC 9000 §9.1 */
    bool is_in_flight; /* counts against the congestion window */
    bool is_flow_controlled;
};

/* In an early packet of a server's, which has the type of a client's. [P §4.10] */
#define TERN_FRAME_IN_HALF (1u << 7)

/* Bits of the types 08-0f: RFC 9000 §19.8. */
#define TERN_STREAM_FIN 0x01u
#define TERN_STREAM_LEN 0x02u
#define TERN_STREAM_OFF 0x04u

/* The row of a type (any of 08-0f for STREAM, of 20-2b for MESSAGE), or NULL: unknown. */
const struct tern_frame_rule *tern_frame_rule(uint64_t type);

#endif
