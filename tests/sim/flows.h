/* Several connections, each between hosts of its own, that share one bottleneck: who gets what.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_FLOWS_H
#define TERN_TESTS_SIM_FLOWS_H

#include <stdio.h>

#include <tern/sim.h>
#include <tern/tern.h>

#define FLOWS_MAX 16

/* One sender, that never runs out unless it has no more than so many bytes. */
struct flow_plan {
    const char *cc;
    tern_time delay; /* one way, of its own access links: half of its round trip */
    tern_time start; /* since the beginning of the world */
    double loss;     /* on its own access link, towards the receiver */
    tern_time quiet_from, quiet_until; /* it says nothing between these two; both 0: never */
    uint64_t bytes;                    /* 0: without end. The world ends when all have theirs */
    tern_path_memory memory;           /* what it has of its path; volume 0: nothing */
};

/* flows_plan_init fills in 50 Mbit/s, a queue of 250 kB, a minute, and the second half measured. */
struct flows_plan {
    const char *name;
    uint64_t seed;
    tern_link_config bottleneck; /* towards the receivers; the way back is wide */
    struct flow_plan flows[FLOWS_MAX];
    size_t count;
    bool has_nat; /* all senders are behind this one */
    tern_nat_config nat;
    size_t send_buffer;  /* of a sender, which still goes out when it falls quiet; 0: the default */
    uint64_t window;     /* of a receiver at the beginning; 0: the default */
    uint64_t window_max; /* ... and at most */
    tern_time duration;
    tern_time settle; /* shares are measured from here to the end */
    /* Ten times a second a line goes there, or NULL: seconds, bytes in the queue, and for each flow
     * what its receiver read since the line before, in Mbit/s. */
    FILE *series;
    uint64_t check_every; /* look at the invariants once in so many steps; 0: never */
};

struct flow_result {
    uint64_t bytes;    /* read by the receiver while measured */
    uint64_t total;    /* all that it read */
    tern_time read_at; /* when it last read, since the beginning */
    tern_stats sender; /* at the end */
    bool is_connected;
    tern_path_memory memory; /* what it could take to a next time; volume 0: nothing */
};

struct flows_result {
    bool is_done; /* the world ran to its end and nobody failed */
    struct flow_result flows[FLOWS_MAX];
    tern_link_counters bottleneck;
    tern_nat_counters nat;
    tern_time delay_median, delay_95; /* in the bottleneck's queue, over the whole run */
    tern_time low_median, low_99;     /* in the short one, when it is a dual queue */
    uint64_t hash;
    const char *broken; /* the invariant that did not hold, or NULL */
};

void flows_plan_init(struct flows_plan *plan, const char *name, uint64_t seed);
struct flow_plan *flows_add(struct flows_plan *plan, const char *cc, tern_time delay);

/* Runs it. When something is wrong it is printed with the command that replays it. TERN_TRACE in the
 * environment prints every packet; a connection's number is that of its flow. */
void flows_run(const struct flows_plan *plan, struct flows_result *result);

/* Prints what is wrong with a run, and the command that replays it with a trace. */
void flows_complain(const struct flows_plan *plan, const char *why);

/* Jain's index over what the flows read: 1 is equal shares, 1/n is all for one. */
double flows_jain(const struct flows_result *result, size_t count);

/* What all of them read, as a share of what this rate could carry while measured. */
double flows_share(const struct flows_plan *plan, const struct flows_result *result, uint64_t rate);

/* One line a flow, and one about the queue. */
void flows_print(const struct flows_plan *plan, const struct flows_result *result);

#endif
