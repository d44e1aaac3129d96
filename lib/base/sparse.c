/* Word by word: an octet that tells which of the eight bytes are there, then those. After an octet of
 * zero, how many more words of zero follow.
 * SPDX-License-Identifier: MIT */
#include "base/sparse.h"

#define WORD    8
#define RUN_MAX UINT8_MAX

static const uint8_t nothing[WORD];

static size_t run_of_zeros(const uint8_t *at, const uint8_t *end)
{
    size_t run = 0;
    while (run < RUN_MAX && at < end && memcmp(at, nothing, WORD) == 0) {
        at += WORD;
        run++;
    }
    return run;
}

static size_t pack_word(uint8_t *out, const uint8_t *word)
{
    size_t n = 1;
    out[0] = 0;
    for (unsigned i = 0; i < WORD; i++) {
        if (word[i] != 0) {
            out[0] |= (uint8_t)(1u << i);
            out[n++] = word[i];
        }
    }
    return n;
}

size_t tern_sparse_pack(uint8_t *out, const void *image, size_t size)
{
    const uint8_t *at = image, *end = at + size;
    size_t n = 0;
    tern_assert(size % WORD == 0);
    while (at < end) {
        size_t len = pack_word(out + n, at);
        n += len;
        at += WORD;
        if (len == 1) {
            size_t run = run_of_zeros(at, end);
            out[n++] = (uint8_t)run;
            at += run * WORD;
        }
    }
    return n;
}

size_t tern_sparse_unpack(void *image, size_t size, const uint8_t *in)
{
    uint8_t *at = image, *end = at + size;
    const uint8_t *from = in;
    memset(image, 0, size);
    while (at < end) {
        uint8_t tag = *from++;
        for (unsigned i = 0; i < WORD && tag >> i != 0; i++) {
            if ((tag >> i & 1) != 0) {
                at[i] = *from++;
            }
        }
        at += WORD;
        at += tag == 0 ? (size_t)*from++ * WORD : 0;
    }
    tern_assert(at == end);
    return (size_t)(from - in);
}
