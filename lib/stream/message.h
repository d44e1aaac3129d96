/* What both halves of the message layer know of a message, and what goes between them and conn. [P §16]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_MESSAGE_H
#define TERN_STREAM_MESSAGE_H

#include <tern/message.h>

#include "base/def.h"

/* As on the wire: each is a sequence of numbers of its own on its channel. */
enum tern_lane { TERN_LANE_UNORDERED, TERN_LANE_ORDERED, TERN_LANE_LATEST, TERN_LANES };

/* A message, or a part of one, as a frame has it. */
struct tern_message_part {
    uint32_t channel;
    enum tern_lane lane;
    bool uses_credit;
    bool is_fragment; /* false: offset is 0 and len is total */
    uint64_t number;
    uint32_t offset, len, total;
};

/* Numbers that will not come (any more). */
struct tern_message_skip {
    uint32_t channel;
    enum tern_lane lane; /* UNORDERED or ORDERED */
    uint64_t first, count;
    uint64_t cost; /* of each */
};

/* What a message counts for in every limit, [P §16.3]. */
static inline uint64_t tern_message_cost(size_t len)
{
    return (uint64_t)len + TERN_MESSAGE_EXTRA;
}

#endif
