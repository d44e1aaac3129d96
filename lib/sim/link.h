/* A packet inside a link, and how the world takes it out without copying.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_LINK_H
#define TERN_SIM_LINK_H

#include <tern/sim.h>

struct tern_packet {
    struct tern_packet *next; /* in the pool */
    size_t len;
    uint64_t tag;
    uint8_t ecn;
    uint8_t shelf; /* the pool's size class */
    uint8_t data[];
};

/* The next packet that is due, or NULL. It is the caller's until tern_link_give. */
struct tern_packet *tern_link_take(tern_link *link, tern_time now);
void tern_link_give(tern_link *link, struct tern_packet *packet);

#endif
