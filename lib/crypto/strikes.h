/* A register of what may be used once: who has been here, for a while, in fixed memory.
 *
 * Two buckets take turns. What is marked is remembered for one window at least and two at most, so that
 * whatever asks must itself expire within a window. A full bucket says "seen": to refuse a first use is
 * safe, to allow a second is not. The same holds for uses before the register was made, which nobody
 * remembers: who needs to know asks for proof of a later date.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_STRIKES_H
#define TERN_CRYPTO_STRIKES_H

#include "base/mem.h"
#include "base/random.h"

struct tern_strikes {
    struct tern_mem *mem;
    uint64_t *buckets[2]; /* open addressing; 0: empty. The first is the one in use */
    size_t capacity, count;
    tern_time window, turned_at;
    uint8_t secret[16];
};

/* capacity: a power of two; three quarters of it can be marked in a window, in 16 bytes each.
 * 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_strikes_init(struct tern_strikes *strikes, struct tern_mem *mem,
                                      struct tern_random *random, size_t capacity, tern_time window,
                                      tern_time now);
void tern_strikes_clear(struct tern_strikes *strikes); /* a zeroed struct is fine */

/* Was it marked? Takes nothing. */
bool tern_strikes_has(struct tern_strikes *strikes, const uint8_t *id, size_t len, tern_time now);

/* Marks it. False: it was marked before, or nobody can tell any more. */
bool tern_strikes_mark(struct tern_strikes *strikes, const uint8_t *id, size_t len, tern_time now);

/* Forgets the older half before its time. For uses of which a second one, much later, does little harm:
 * the newest three quarters of the capacity are known in any case. */
void tern_strikes_make_room(struct tern_strikes *strikes, tern_time now);

#endif
