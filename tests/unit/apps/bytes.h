/* Bytes that look random and are the same in each run.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UNIT_APPS_BYTES_H
#define TERN_UNIT_APPS_BYTES_H

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"

static inline void bytes_fill(uint8_t *out, size_t len, uint8_t which)
{
    uint8_t seed[randombytes_SEEDBYTES] = {which};
    randombytes_buf_deterministic(out, len, seed);
}

/* The caller's to free. */
static inline uint8_t *bytes_make(size_t len, uint8_t which)
{
    uint8_t *out = malloc(len);
    assert_non_null(out);
    bytes_fill(out, len, which);
    return out;
}

#endif
