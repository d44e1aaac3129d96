/* Leaky buckets of a second each, as one point in time a cell.
 * SPDX-License-Identifier: MIT */
#include "endpoint/throttle.h"

#include <sodium.h>

int tern_throttle_init(struct tern_throttle *throttle, struct tern_mem *mem,
                       struct tern_random *random, uint64_t per_second)
{
    memset(throttle, 0, sizeof *throttle);
    throttle->mem = mem;
    if (per_second == 0) {
        return 0;
    }
    throttle->cost = TERN_MAX(TERN_SEC / per_second, (tern_time)1);
    throttle->cells = tern_mem_zalloc(mem, TERN_THROTTLE_CELLS * sizeof *throttle->cells);
    tern_random_fill(random, throttle->secret, sizeof throttle->secret);
    return throttle->cells == NULL ? TERN_ERR_NOMEM : 0;
}

void tern_throttle_clear(struct tern_throttle *throttle)
{
    if (throttle->cells != NULL) {
        tern_mem_free(throttle->mem, throttle->cells);
        throttle->cells = NULL;
    }
}

static uint64_t hash_of_source(const struct tern_throttle *throttle, const tern_addr *from,
                               bool is_proved)
{
    uint8_t prefix[9] = {from->family}, out[crypto_shorthash_BYTES];
    uint64_t hash;
    memcpy(prefix + 1, from->ip, from->family == 4 ? 3 : 7);
    prefix[8] = is_proved ? 1 : 0;
    crypto_shorthash(out, prefix, sizeof prefix, throttle->secret);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

bool tern_throttle_take(struct tern_throttle *throttle, const tern_addr *from, bool is_proved,
                        tern_time now)
{
    if (throttle->cells == NULL) {
        return true;
    }
    uint64_t hash = hash_of_source(throttle, from, is_proved);
    tern_time *cells[2] = {&throttle->cells[hash % TERN_THROTTLE_CELLS],
                           &throttle->cells[(hash >> 32) % TERN_THROTTLE_CELLS]};
    tern_time full = tern_add_sat(now, TERN_SEC);
    for (size_t i = 0; i < 2; i++) { /* fuller than full is what a clock leaves that was set back */
        *cells[i] = TERN_MIN(*cells[i], tern_add_sat(full, throttle->cost));
    }
    tern_time least = TERN_MIN(*cells[0], *cells[1]);
    if (least > full) {
        return false;
    }
    tern_time filled = TERN_MAX(least, now) + throttle->cost;
    *cells[0] = TERN_MAX(*cells[0], filled); /* one that others have filled more stays as it is */
    *cells[1] = TERN_MAX(*cells[1], filled);
    return true;
}
