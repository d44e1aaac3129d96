/* How many connections each address has, so that none takes all of a server's places. [P §12.3]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_HOSTS_H
#define TERN_ENDPOINT_HOSTS_H

#include "base/map.h"

#define TERN_HOST_KEY_SIZE 17

/* An IPv4 address, or the /64 that an IPv6 host may have to itself. */
struct tern_host {
    uint8_t key[TERN_HOST_KEY_SIZE];
    uint32_t proved;   /* of clients that have shown to be there */
    uint32_t unproved; /* handshakes of somebody who says so */
};

struct tern_hosts {
    struct tern_mem *mem;
    struct tern_map by_addr;
};

void tern_hosts_init(struct tern_hosts *hosts, struct tern_mem *mem, struct tern_random *random);
void tern_hosts_clear(struct tern_hosts *hosts); /* all have left */

struct tern_host *tern_hosts_find(const struct tern_hosts *hosts, const tern_addr *addr);

/* One connection more. NULL: no memory. */
struct tern_host *tern_hosts_enter(struct tern_hosts *hosts, const tern_addr *addr, bool is_proved);
/* One less; the last takes the host with it. */
void tern_hosts_leave(struct tern_hosts *hosts, struct tern_host *host, bool is_proved);

#endif
