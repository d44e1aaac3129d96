/* One function for each frame received.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_HANDLE_H
#define TERN_CONN_HANDLE_H

#include "conn/conn.h"

/* The packet that the frames are in, and what they turned out to be. */
struct tern_handle {
    struct tern_conn *conn;
    enum tern_level level;
    uint8_t packet_type;     /* as in the rule table */
    struct tern_cid dcid;    /* that the packet came to */
    const tern_datagram *in; /* what it came in ... */
    size_t in_len;           /* ... with so many bytes of its own */
    bool is_eliciting;       /* at least one frame asks for an ACK */
    bool is_probing_only;    /* RFC 9000 §9.1: only PATH_*, NEW_CONNECTION_ID and PADDING */
    uint64_t frame_type;     /* of the frame that failed */
    const char *reason;      /* what to say about it; NULL: nothing */
};

/* Works through a payload. 0 · TERN_ERR_AGAIN (a handshake message did not verify: act as if the
 * packet had not come) · any other error ends the connection. */
TERN_MUST_CHECK int tern_handle_payload(struct tern_handle *handle, const uint8_t *payload,
                                        size_t len, tern_time now);

#endif
