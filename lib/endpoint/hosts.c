/* Counting connections by address.
 * SPDX-License-Identifier: MIT */
#include "endpoint/hosts.h"

static void write_key(uint8_t out[TERN_HOST_KEY_SIZE], const tern_addr *addr)
{
    memset(out, 0, TERN_HOST_KEY_SIZE);
    out[0] = addr->family;
    memcpy(out + 1, addr->ip, addr->family == 4 ? 4 : 8);
}

void tern_hosts_init(struct tern_hosts *hosts, struct tern_mem *mem, struct tern_random *random)
{
    hosts->mem = mem;
    tern_map_init(&hosts->by_addr, mem, random);
}

void tern_hosts_clear(struct tern_hosts *hosts)
{
    tern_assert(hosts->by_addr.count == 0);
    tern_map_clear(&hosts->by_addr);
}

struct tern_host *tern_hosts_find(const struct tern_hosts *hosts, const tern_addr *addr)
{
    uint8_t key[TERN_HOST_KEY_SIZE];
    write_key(key, addr);
    return tern_map_find(&hosts->by_addr, key, sizeof key);
}

struct tern_host *tern_hosts_enter(struct tern_hosts *hosts, const tern_addr *addr, bool is_proved)
{
    struct tern_host *host = tern_hosts_find(hosts, addr);
    if (host == NULL) {
        host = tern_mem_zalloc(hosts->mem, sizeof *host);
        if (host == NULL) {
            return NULL;
        }
        write_key(host->key, addr);
        if (tern_map_put(&hosts->by_addr, host->key, sizeof host->key, host) != 0) {
            tern_mem_free(hosts->mem, host);
            return NULL;
        }
    }
    host->proved += is_proved ? 1 : 0;
    host->unproved += is_proved ? 0 : 1;
    return host;
}

void tern_hosts_leave(struct tern_hosts *hosts, struct tern_host *host, bool is_proved)
{
    host->proved -= is_proved ? 1 : 0;
    host->unproved -= is_proved ? 0 : 1;
    if (host->proved + host->unproved == 0) {
        (void)tern_map_drop(&hosts->by_addr, host->key, sizeof host->key);
        tern_mem_free(hosts->mem, host);
    }
}
