/* Request and answer by bare UDP with the cipher: the least time that a transport over it can take.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_ECHO_H
#define TERNPERF_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct echo_plan {
    size_t size;       /* bytes of a request, and of an answer */
    unsigned suite;    /* TERN_SUITE_*; 0: in clear */
    uint64_t duration; /* nanoseconds */
    bool is_busy;      /* asks the socket over and over instead of waiting by epoll */
};

/* One process asks over loopback and another on another core answers, one request after the other. Adds the
 * time of each, in nanoseconds, to samples[*count], max at most. 0, or -1 with errno. */
int echo_measure(const struct echo_plan *plan, uint64_t *samples, size_t *count, size_t max);

#endif
