/* Frames out of a packet's payload, without copies: pointers lead into the payload.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_WIRE_DECODE_H
#define TERN_WIRE_DECODE_H

#include "base/cursor.h"
#include "wire/frame.h"

/* Reads the next frame. ACK ranges are checked as a whole here, so that walking them cannot fail.
 * 0 · TERN_ERR_FRAME_ENCODING (unknown, truncated or contradictory) · TERN_ERR_PROTOCOL (a type
 * that is not encoded in its shortest form, RFC 9000 §12.4) */
TERN_MUST_CHECK int tern_frame_decode(struct tern_frame *out, struct tern_reader *r);

/* The ranges of an ACK, from the largest down, both ends inclusive. */
struct tern_ack_iter {
    struct tern_reader r;
    uint64_t smallest, largest; /* of the range that comes next */
    uint64_t left;              /* encoded ranges behind it */
    bool is_done;
};

void tern_ack_iter_init(struct tern_ack_iter *iter, const struct tern_frame_ack *ack);
bool tern_ack_iter_next(struct tern_ack_iter *iter, uint64_t *smallest, uint64_t *largest);

#endif
