/* Transport parameters: what each end grants the other, inside the handshake's messages.
 * RFC 9000 section 18, [P §7].
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_PARAMS_H
#define TERN_WIRE_PARAMS_H

#include "base/cursor.h"
#include "wire/header.h"

/* Of our own: "ten" 1, far from the numbers that QUIC has registered. */
#define TERN_PARAM_SUITE 0x74656e01u /* server only: the packet suite it chose, u16 */

#define TERN_PARAM_CPACE 0x74656e02u /* a share of the key exchange with a one-time code, a point */

#define TERN_PARAM_TICKET 0x74656e03u /* client only: what goes with the ticket in its message */
#define TERN_PARAM_EARLY  0x74656e04u /* server only, empty: early data is taken */

#define TERN_PARAM_CLOCK 0x74656e09u /* empty: its sender tells the time, [P §17] */
/* [P §16] */
#define TERN_PARAM_MAX_MESSAGE_SIZE     0x74656e05u
#define TERN_PARAM_MAX_MESSAGE_DATA     0x74656e06u
#define TERN_PARAM_MAX_MESSAGE_CHANNELS 0x74656e07u
#define TERN_PARAM_FEC_WINDOW           0x74656e08u

#define TERN_PARAM_MIN_ACK_DELAY 0xff04de1bu /* draft-ietf-quic-ack-frequency */

#define TERN_CPACE_SHARE_SIZE 32
#define TERN_BINDER_SIZE      16

struct tern_params {
    uint64_t max_idle_timeout; /* ms; 0: none */
    uint64_t max_udp_payload_size;
    uint64_t initial_max_data;
    uint64_t initial_max_stream_data_bidi_local, initial_max_stream_data_bidi_remote,
        initial_max_stream_data_uni;
    uint64_t initial_max_streams_bidi, initial_max_streams_uni;
    uint64_t ack_delay_exponent;
    uint64_t max_ack_delay; /* ms */
    uint64_t min_ack_delay; /* us, at most max_ack_delay; the sender takes ACK_FREQUENCY */
    uint64_t active_connection_id_limit;
    uint64_t max_message_size; /* 0: its sender takes no messages */
    uint64_t initial_max_message_data;
    uint64_t max_message_channels;
    uint64_t fec_window; /* symbols kept of a protected lane; 0: its sender takes no REPAIR */
    bool disable_active_migration;
    bool has_original_dcid, has_initial_scid, has_retry_scid, has_stateless_reset_token, has_suite;
    bool has_min_ack_delay, has_cpace, has_ticket, takes_early, tells_time;
    bool has_version_info, lists_version_1; /* version_information, RFC 9368 §3 */
    uint32_t chosen_version;
    struct tern_cid original_dcid, initial_scid, retry_scid;
    uint8_t stateless_reset_token[TERN_RESET_TOKEN_BYTES];
    uint16_t suite;
    uint8_t cpace[TERN_CPACE_SHARE_SIZE];
    uint64_t ticket_age; /* ms since the client got it */
    uint8_t ticket_binder[TERN_BINDER_SIZE];
};

/* The defaults of [P §7]. */
void tern_params_init(struct tern_params *params);

/* w->failed when they do not fit. */
void tern_params_encode(struct tern_writer *w, const struct tern_params *params);

/* 0 · TERN_ERR_TRANSPORT_PARAMETER (malformed, twice, out of range, or not this sender's to say).
 * Unknown ones are skipped. */
TERN_MUST_CHECK int tern_params_decode(struct tern_params *out, const uint8_t *data, size_t len,
                                       bool from_server);

#endif
