/* Big-endian integers and foreign text, for what encodes and decodes.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_BYTES_H
#define TERNCP_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "terncp/proto.h"

static inline void bytes_put(uint8_t **at, uint64_t value, unsigned n)
{
    for (unsigned i = n; i-- > 0;) {
        *(*at)++ = (uint8_t)(value >> (8 * i));
    }
}

static inline uint64_t bytes_take(const uint8_t **at, unsigned n)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | *(*at)++;
    }
    return value;
}

/* out: PROTO_PATH_MAX + 1 bytes. False: too long, or a NUL inside. */
static inline bool bytes_text(char *out, const uint8_t *text, size_t len)
{
    if (len > PROTO_PATH_MAX || memchr(text, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

#endif
