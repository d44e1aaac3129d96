/* What the machine says of us: processor time, memory; and which core we run on.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_SYSTEM_H
#define TERNPERF_SYSTEM_H

#include <stdint.h>

uint64_t system_cpu(void); /* nanoseconds that this process has computed, in the kernel included */
uint64_t system_rss(void); /* resident bytes; 0: not known */

enum system_side { SYSTEM_CLIENT, SYSTEM_SERVER };

/* The calling thread to a core of its own: clients and servers lie far apart, and of each the second is next
 * to the first. It stays where it is when there is only one core, or none may be chosen. */
void system_pin(enum system_side side, unsigned number);

/* Nanoseconds of processor time of one X25519 with a point of somebody else's. */
uint64_t system_x25519(void);

#endif
