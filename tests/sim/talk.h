/* Two ends that send each other small messages at a steady pace, as games and calls do: how late each
 * comes, and what it costs on the wire.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_TALK_H
#define TERN_TESTS_SIM_TALK_H

#include <tern/sim.h>
#include <tern/tern.h>

/* talk_plan_init fills in 100 bytes, 60 a second, both ways, reliable and ordered, for 15 s after a second
 * to warm up, over 20 ms each way. */
struct talk_plan {
    uint64_t seed;
    const char *cc;
    tern_link_config link; /* each way */
    size_t size;
    unsigned per_second;
    tern_time duration;
    tern_send_options options;
    tern_redundancy redundancy;
    unsigned copies;
    tern_time blackout_at, blackout; /* since the first message; 0, 0: none */
    tern_time rebind_every;          /* the client's port changes; 0: never */
};

struct talk_result {
    uint64_t sent, delivered; /* of both ends */
    tern_time p50, p95, p99, max;
    double wire; /* bytes per message, IP and UDP headers included, of everything that was sent */
    tern_stats client;
};

void talk_plan_init(struct talk_plan *plan, uint64_t seed);

/* Runs it; asserts that nothing comes twice, or out of order where that was asked for. */
void talk_run(const struct talk_plan *plan, struct talk_result *result);

#endif
