/* Networks with a name that many share: who sends when, and what each must get.
 * SPDX-License-Identifier: MIT */
#ifndef TERNSIM_CROWDS_H
#define TERNSIM_CROWDS_H

#include "sim/flows.h"

struct crowd_scenario {
    const char *name, *about;
    /* Adds to a plan of 10 Mbit/s, a queue of 40 kB, ten seconds of which the last eight count. `cc`
     * is our controller; others may have theirs. */
    void (*plan)(struct flows_plan *plan, const char *cc);
    /* What is wrong with the outcome, or NULL. */
    const char *(*judge)(const struct flows_plan *plan, const struct flows_result *result);
};

extern const struct crowd_scenario crowds[];
extern const size_t crowd_count;

const struct crowd_scenario *crowd_find(const char *name);

/* Runs it from `seed` on, so many times. 0, or 1 when any of them failed. */
int crowd_run(const struct crowd_scenario *crowd, const char *cc, uint64_t seed, uint64_t seeds);

/* ternsim flows NAME,NAME...: any flows through any bottleneck. An exit code. */
int flows_command(int argc, char **argv);

#endif
