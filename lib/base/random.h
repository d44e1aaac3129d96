/* Randomness through the caller's hook, so that a simulator can seed it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_RANDOM_H
#define TERN_BASE_RANDOM_H

#include <tern/config.h>

#include "base/def.h"

struct tern_random {
    tern_random_source hook;
};

void tern_random_init(struct tern_random *random, const tern_random_source *hook);
void tern_random_fill(struct tern_random *random, void *buf, size_t len);
uint64_t tern_random_u64(struct tern_random *random);

/* Uniform in 0..bound-1; bound > 0. */
uint64_t tern_random_below(struct tern_random *random, uint64_t bound);

#endif
