/* How many first packets a network may send a second, in fixed memory. [P §12.3]
 *
 * Each /24 (IPv6: /56) has two cells, chosen by a keyed hash, and is held back only when both are full:
 * to share the fate of a flood one has to collide with it twice.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_THROTTLE_H
#define TERN_ENDPOINT_THROTTLE_H

#include "base/mem.h"
#include "base/random.h"

#define TERN_THROTTLE_CELLS 4096u /* a power of two */

struct tern_throttle {
    struct tern_mem *mem;
    tern_time *cells; /* when a cell is empty again; NULL: nothing is held back */
    tern_time cost;   /* of one packet */
    uint8_t secret[16];
};

/* per_second 0: no limit, and no memory. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_throttle_init(struct tern_throttle *throttle, struct tern_mem *mem,
                                       struct tern_random *random, uint64_t per_second);
void tern_throttle_clear(struct tern_throttle *throttle);

/* One more from there. Those who have proved their address are counted apart, so that nobody can use up
 * their share in their name. False: too many; nothing is counted then. */
bool tern_throttle_take(struct tern_throttle *throttle, const tern_addr *from, bool is_proved,
                        tern_time now);

#endif
