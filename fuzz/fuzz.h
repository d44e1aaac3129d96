/* What the fuzz targets share: the entry point, an input that is eaten from the front, and
 * randomness that is the same in each run.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FUZZ_H
#define TERN_FUZZ_H

#include <stdlib.h>

#include <tern/config.h>

#include "base/def.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold whatever the input is; unlike an assertion it stands in every build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, 0 at the end. */
static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

/* The next n bytes, or all that is left of them. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t n, size_t *len)
{
    const uint8_t *bytes = in->at;
    *len = TERN_MIN(n, in->left);
    in->at += *len;
    in->left -= *len;
    return bytes;
}

/* SplitMix64: not random, but different each time. */
static inline void fuzz_fill(void *user, uint8_t *buf, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        buf[i] = (uint8_t)(z ^ z >> 31);
    }
}

#endif
