/* A transfer by several client processes at once, each with a shard of the server to itself.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_CROWD_H
#define TERNPERF_CROWD_H

#include "ternperf/report.h"

/* bulk_measure in --shards processes, with the connections shared out among them; sums in the report.
 * CLI_OK or the exit code. */
int crowd_measure(const struct options *options, struct report *report);

/* In one of them: whether all have said that they are ready. Elsewhere: true. */
bool crowd_is_met(bool is_ready);

#endif
