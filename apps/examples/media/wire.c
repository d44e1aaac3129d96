/* The header of a frame and a request as bytes, little-endian.
 * SPDX-License-Identifier: MIT */
#include "examples/media/media.h"

void number_encode(uint64_t number, uint8_t out[8])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> 8 * i);
    }
}

uint64_t number_decode(const uint8_t in[8])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++) {
        number |= (uint64_t)in[i] << 8 * i;
    }
    return number;
}

void header_encode(const struct header *header, uint8_t out[HEADER_SIZE])
{
    number_encode(header->number, out);
    number_encode(header->sent_at, out + 8);
    out[16] = header->is_key ? 1 : 0;
}

bool header_decode(struct header *out, const uint8_t *data, size_t len)
{
    if (len < HEADER_SIZE || data[16] > 1) {
        return false;
    }
    out->number = number_decode(data);
    out->sent_at = number_decode(data + 8);
    out->is_key = data[16] == 1;
    return true;
}
