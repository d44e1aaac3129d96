/* Randomness through the caller's hook, so that a simulator can seed it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BASE_RANDOM_H
#define TERN_BASE_RANDOM_H

#include <tern/config.h>

#include "base/def.h"

#define TERN_RANDOM_POOL 256

struct tern_random {
    tern_random_source hook;
    bool is_system;
    size_t pooled; /* bytes of the pool that were not given away yet */
    uint8_t pool[TERN_RANDOM_POOL];
};

void tern_random_init(struct tern_random *random, const tern_random_source *hook);
void tern_random_fill(struct tern_random *random, void *buf, size_t len);
/* For what nobody must foresee but is no key and no nonce, as an identifier: from bytes fetched ahead, since
 * each call of the system's takes as long as hashing ten blocks. A process that forks has the same ones
 * twice. With a hook it is tern_random_fill. */
void tern_random_fill_open(struct tern_random *random, void *buf, size_t len);
uint64_t tern_random_u64(struct tern_random *random);

/* Uniform in 0..bound-1; bound > 0. */
uint64_t tern_random_below(struct tern_random *random, uint64_t bound);

#endif
