/* A NAT hands out outside ports and forgets whose they were.
 *
 * Only what leaves keeps a mapping alive (RFC 4787 §4.3: what enters need not), so that a peer cannot
 * hold one open for a host that is gone.
 * SPDX-License-Identifier: MIT */
#include "sim/nat.h"

#include <stdlib.h>
#include <string.h>

int tern_nat_new(tern_nat **out, const tern_nat_config *config)
{
    tern_nat_config copy = {0};
    memcpy(&copy, config, config->size < sizeof copy ? config->size : sizeof copy);
    copy.size = sizeof copy;
    copy.ports = copy.ports > 0 ? copy.ports : TERN_NAT_PORTS;
    if (copy.outside.family == 0 || copy.ports > (size_t)UINT16_MAX + 1 - copy.outside.port) {
        return TERN_ERR_INVALID;
    }
    tern_nat *nat = calloc(1, sizeof *nat);
    if (nat == NULL) {
        return TERN_ERR_NOMEM;
    }
    nat->config = copy;
    nat->mappings = calloc(copy.ports, sizeof nat->mappings[0]);
    if (nat->mappings == NULL) {
        free(nat);
        return TERN_ERR_NOMEM;
    }
    *out = nat;
    return 0;
}

void tern_nat_free(tern_nat *nat)
{
    if (nat != NULL) {
        free(nat->mappings);
        free(nat);
    }
}

static bool is_live(const tern_nat *nat, const struct tern_nat_mapping *mapping, tern_time now)
{
    tern_time timeout = nat->config.timeout;
    return mapping->inside != NULL && (timeout == 0 || now - mapping->used_at < timeout);
}

static bool is_for(const tern_nat *nat, const struct tern_nat_mapping *mapping,
                   const tern_addr *peer)
{
    return !nat->config.per_peer || tern_addr_equal(&mapping->peer, peer);
}

/* The live mapping of this traffic, or the number of mappings. */
static size_t find(const tern_nat *nat, const tern_sim_host *inside, const tern_addr *peer,
                   tern_time now)
{
    size_t i = 0;
    while (i < nat->config.ports &&
           !(nat->mappings[i].inside == inside && is_live(nat, &nat->mappings[i], now) &&
             is_for(nat, &nat->mappings[i], peer))) {
        i++;
    }
    return i;
}

/* The next free mapping, or the number of mappings. */
static size_t find_free(const tern_nat *nat, tern_time now)
{
    size_t ports = nat->config.ports;
    for (size_t i = 0; i < ports; i++) {
        size_t slot = (nat->next + i) % ports;
        if (!is_live(nat, &nat->mappings[slot], now)) {
            return slot;
        }
    }
    return ports;
}

static size_t find_quietest(const tern_nat *nat)
{
    size_t quietest = 0;
    for (size_t i = 1; i < nat->config.ports; i++) {
        if (nat->mappings[i].used_at < nat->mappings[quietest].used_at) {
            quietest = i;
        }
    }
    return quietest;
}

bool tern_nat_leave(tern_nat *nat, tern_sim_host *inside, const tern_addr *peer, size_t *slot,
                    tern_time now)
{
    size_t ports = nat->config.ports;
    size_t i = find(nat, inside, peer, now);
    if (i < ports) {
        nat->mappings[i].used_at = now;
        *slot = i;
        return true;
    }
    i = find_free(nat, now);
    if (i == ports && !nat->config.steals) {
        nat->counters.refused++;
        return false;
    }
    if (i == ports) {
        i = find_quietest(nat);
        nat->counters.stolen++;
    }
    nat->mappings[i] = (struct tern_nat_mapping){.inside = inside, .peer = *peer, .used_at = now};
    nat->next = (i + 1) % ports;
    nat->counters.mappings++;
    *slot = i;
    return true;
}

tern_sim_host *tern_nat_inside(const tern_nat *nat, size_t slot, const tern_addr *peer,
                               tern_time now)
{
    const struct tern_nat_mapping *mapping = &nat->mappings[slot];
    return is_live(nat, mapping, now) && is_for(nat, mapping, peer) ? mapping->inside : NULL;
}

void tern_nat_forget(tern_nat *nat)
{
    memset(nat->mappings, 0, nat->config.ports * sizeof nat->mappings[0]);
}

void tern_nat_config_init(tern_nat_config *config)
{
    *config = (tern_nat_config){.size = sizeof *config};
}

void tern_nat_stats(const tern_nat *nat, tern_nat_counters *out)
{
    size_t size = out->size < sizeof *out ? out->size : sizeof *out;
    tern_nat_counters copy = nat->counters;
    copy.size = size;
    memcpy(out, &copy, size);
}
