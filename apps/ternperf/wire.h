/* UDP alone, or with a packet cipher and nothing else: what a transport over it can reach at most.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_WIRE_H
#define TERNPERF_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire_plan {
    size_t datagram;   /* bytes of UDP payload */
    unsigned suite;    /* TERN_SUITE_*; 0: in clear */
    uint64_t duration; /* nanoseconds */
};

/* One process sends over loopback by GSO, another on another core receives by GRO, opens and throws away;
 * no more is under way than the second level of the cache likes, and nothing is lost. Returns the rate of
 * what was inside in bits a second, or 0 with errno. */
double wire_measure(const struct wire_plan *plan);

#endif
