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

/* A payload that is one STREAM frame and nothing else, and does not end the stream. False: it is another. */
static inline bool tern_frame_is_stream_alone(struct tern_frame_stream *out, const uint8_t *payload,
                                              size_t len)
{
    struct tern_reader r;
    if (len == 0 || (payload[0] & ~(TERN_STREAM_LEN | TERN_STREAM_OFF)) != TERN_FRAME_STREAM) {
        return false;
    }
    tern_reader_init(&r, payload + 1, len - 1);
    out->fin = false;
    out->id = tern_read_varint(&r);
    out->offset = (payload[0] & TERN_STREAM_OFF) != 0 ? tern_read_varint(&r) : 0;
    uint64_t size =
        (payload[0] & TERN_STREAM_LEN) != 0 ? tern_read_varint(&r) : tern_reader_left(&r);
    out->data = r.at;
    out->len = (size_t)size;
    return !r.failed && size == tern_reader_left(&r) && size <= TERN_VARINT_MAX - out->offset;
}

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
