/* Changes to a packet's payload that keep it made of frames, so that fuzzing goes beyond the decoder.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FUZZ_REFRAME_H
#define TERN_FUZZ_REFRAME_H

#include "fuzz.h"

/* One change, chosen by what is read from `in`: a frame less, one more, twice or elsewhere, another number in
 * one, an octet. The payload has room for `max`. Returns the new length. */
size_t reframe_change(uint8_t *payload, size_t len, size_t max, struct fuzz_input *in);

/* The same for a mutator: most often such a change, else one of libFuzzer's. */
size_t reframe_mutate(uint8_t *payload, size_t len, size_t max, unsigned seed);

#endif
