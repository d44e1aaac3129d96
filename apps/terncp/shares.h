/* Limits of rate: what each connection may have of them, and whether a peer keeps to what it was told.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SHARES_H
#define TERNCP_SHARES_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/types.h>

/* The least of three limits in bytes a second, each 0 for none: `each`, a fair part of `total` for one of
 * `count`, and `asked`. 0: no limit; never 0 for a limit. */
uint64_t shares_rate(uint64_t each, uint64_t total, unsigned count, uint64_t asked);

/* Watches what comes from a peer that was told a limit. Begin with zeros. */
struct shares_watch {
    tern_time since;
    uint64_t bytes; /* that had come then */
    uint64_t most;  /* the highest limit since */
};

/* `bytes` have come until `now`, and `rate` is the limit that was told last (0: none). True: over ten seconds it
 * was more than a quarter, and what a connection's window holds, above the highest that was told. */
bool shares_watch_is_over(struct shares_watch *watch, uint64_t rate, uint64_t bytes, tern_time now);

#endif
