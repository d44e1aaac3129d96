/* The header of a frame as bytes, little-endian.
 * SPDX-License-Identifier: MIT */
#include "examples/media/media.h"

void header_encode(const struct header *header, uint8_t out[HEADER_SIZE])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(header->number >> 8 * i);
        out[8 + i] = (uint8_t)(header->sent_at >> 8 * i);
    }
    out[16] = header->is_key ? 1 : 0;
}

bool header_decode(struct header *out, const uint8_t *data, size_t len)
{
    if (len < HEADER_SIZE || data[16] > 1) {
        return false;
    }
    *out = (struct header){.is_key = data[16] == 1};
    for (unsigned i = 0; i < 8; i++) {
        out->number |= (uint64_t)data[i] << 8 * i;
        out->sent_at |= (uint64_t)data[8 + i] << 8 * i;
    }
    return true;
}
