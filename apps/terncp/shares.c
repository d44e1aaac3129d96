/* Division and suspicion.
 * SPDX-License-Identifier: MIT */
#include "terncp/shares.h"

#define WINDOW (10 * TERN_SEC)
#define SLACK  ((uint64_t)8 << 20) /* what was under way when the limit was told */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

uint64_t shares_rate(uint64_t each, uint64_t total, unsigned count, uint64_t asked)
{
    uint64_t part = count > 1 ? total / count : total;
    if (total > 0 && part == 0) {
        part = 1;
    }
    return least(least(each, part), asked);
}

bool shares_watch_is_over(struct shares_watch *watch, uint64_t rate, uint64_t bytes, tern_time now)
{
    if (rate == 0 || watch->since == 0) {
        *watch = (struct shares_watch){.since = now, .bytes = bytes, .most = rate};
        return false;
    }
    watch->most = rate > watch->most ? rate : watch->most;
    if (now - watch->since < WINDOW) {
        return false;
    }
    double seconds = (double)(now - watch->since) / 1e9;
    double allowed = 1.25 * (double)watch->most * seconds + (double)SLACK;
    bool is_over = (double)(bytes - watch->bytes) > allowed;
    *watch = (struct shares_watch){.since = now, .bytes = bytes, .most = rate};
    return is_over;
}
