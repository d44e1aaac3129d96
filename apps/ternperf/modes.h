/* The measurements. Each returns the exit code.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_MODES_H
#define TERNPERF_MODES_H

#include "ternperf/report.h"

int handshakes_run(const struct options *options);
int idle_run(const struct options *options);
int bulk_run(const struct options *options);
/* The same, told to nobody: 0 or the exit code. */
int bulk_measure(const struct options *options, struct report *report);
int limit_run(const struct options *options);
int rr_run(const struct options *options);
int messages_run(const struct options *options);
int flood_run(const struct options *options);
int trace_run(const struct options *options);

#endif
