/* The mappings of a NAT: which outside port is whose, and for how long.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_NAT_H
#define TERN_SIM_NAT_H

#include <tern/sim.h>

#define TERN_NAT_PORTS 256 /* when the configuration names no number */

struct tern_nat_mapping {
    tern_sim_host *inside; /* whose it is; NULL: it was never anyone's */
    tern_addr peer;        /* whom it is for, with per_peer */
    tern_time used_at;
};

/* Mapping i has the outside port i above the first one. */
struct tern_nat {
    tern_sim *sim;
    tern_nat_config config;
    struct tern_nat_mapping *mappings;
    size_t next; /* handed out next if it is free: a port rests as long as others are left */
    tern_nat_counters counters;
};

/* 0 · TERN_ERR_INVALID (more ports than there are above the first) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_nat_new(tern_nat **out, const tern_nat_config *config);
void tern_nat_free(tern_nat *nat);

/* A packet of `inside` leaves for `peer`: through mapping *slot. False: no port is left for it. */
bool tern_nat_leave(tern_nat *nat, tern_sim_host *inside, const tern_addr *peer, size_t *slot,
                    tern_time now);

/* Whom a packet from `peer` to this mapping reaches; NULL: nobody. */
tern_sim_host *tern_nat_inside(const tern_nat *nat, size_t slot, const tern_addr *peer,
                               tern_time now);

/* All mappings are forgotten. */
void tern_nat_forget(tern_nat *nat);

#endif
