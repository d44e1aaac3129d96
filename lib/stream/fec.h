/* What both halves of forward error correction know: symbols, and a repair as a frame has it. [P §16.6]
 *
 * The messages of a protected lane are cut into symbols of `size` bytes, the last of each being shorter; an
 * empty message is one empty symbol. A repair covers a run of them.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_FEC_H
#define TERN_STREAM_FEC_H

#include "base/cursor.h"
#include "stream/message.h"

#define TERN_FEC_WINDOW   64    /* symbols that a repair can cover */
#define TERN_FEC_LANES    16    /* that an end protects, and that it keeps symbols of */
#define TERN_FEC_SIZE_MAX 16384 /* of a symbol */

struct tern_fec_repair {
    uint32_t channel;
    enum tern_lane lane;
    uint32_t size;     /* of a symbol */
    uint64_t message;  /* number of the first message */
    uint32_t skip;     /* symbols of it that are not covered */
    uint32_t symbols;  /* covered; 0: nothing is, the frame only tells `size` */
    uint32_t messages; /* of which any symbol is covered */
    uint8_t first;     /* the first symbol's number, modulo 128 */
    uint8_t number;    /* the repair's, modulo 128 */
    /* Varints, one for each message: its length and, as the lowest bit, whether it uses credit. */
    const uint8_t *lengths;
    size_t lengths_len;
    const uint8_t *data;
    size_t len; /* of data: that of the longest symbol covered */
};

/* Into how many symbols a message is cut. */
static inline uint32_t tern_fec_count(uint32_t total, uint32_t size)
{
    return total == 0 ? 1 : (total - 1) / size + 1;
}

/* The bytes of one of them. */
static inline uint32_t tern_fec_symbol_len(uint32_t total, uint32_t size, uint32_t index)
{
    return TERN_MIN(size, total - index * size);
}

/* The bytes of a REPAIR frame. */
static inline size_t tern_fec_repair_size(const struct tern_fec_repair *r)
{
    return 1 + tern_varint_size(r->channel) + tern_varint_size((uint64_t)r->lane) +
           tern_varint_size(r->size) + tern_varint_size(r->message) + tern_varint_size(r->skip) +
           tern_varint_size(r->symbols) + tern_varint_size(r->messages) + 2 + r->lengths_len +
           tern_varint_size(r->len) + r->len;
}

#endif
