/* Clocks, /proc and affinity.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/system.h"

#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1000 /* of X25519: about a twentieth of a second */

uint64_t system_cpu(void)
{
    struct timespec at = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint64_t system_rss(void)
{
    char line[256] = "", *at = NULL, *end = NULL;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    bool has_line = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    (void)strtoull(line, &at, 10); /* all of it; the second number is what is resident */
    unsigned long long resident = strtoull(at, &end, 10);
    return has_line && end != at ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

#if defined(__linux__)
/* Those that we had before we chose any: what was pinned starts others. Shards ask at the same time. */
static cpu_set_t allowed_set;
static bool is_allowed_known;

static void find_allowed(void)
{
    is_allowed_known = sched_getaffinity(0, sizeof allowed_set, &allowed_set) == 0;
}

static const cpu_set_t *allowed_cores(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool is_looked_for = pthread_once(&once, find_allowed) == 0;
    return is_looked_for && is_allowed_known ? &allowed_set : NULL;
}

void system_pin(enum system_side side, unsigned number)
{
    const cpu_set_t *allowed = allowed_cores();
    int count = allowed == NULL ? 0 : CPU_COUNT(allowed);
    if (count < 2) {
        return;
    }
    /* Neighbours in the numbering may be two threads of one core. */
    int wanted = ((side == SYSTEM_CLIENT ? 0 : count / 2) + (int)number) % count;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, allowed) && wanted-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}
#else
void system_pin(enum system_side side, unsigned number)
{
    (void)side;
    (void)number;
}
#endif

uint64_t system_x25519(void)
{
    uint8_t secret[crypto_scalarmult_SCALARBYTES], point[crypto_scalarmult_BYTES];
    randombytes_buf(secret, sizeof secret);
    (void)crypto_scalarmult_base(point, secret);
    uint64_t before = system_cpu();
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (crypto_scalarmult(point, secret, point) != 0) {
            return 0;
        }
    }
    return (system_cpu() - before) / ROUNDS;
}
