/* The figures that were asked for, each with its bar, as a table.
 * SPDX-License-Identifier: MIT */
#ifndef TERNSIM_BARS_H
#define TERNSIM_BARS_H

#include <stdbool.h>
#include <stddef.h>

#define BARS_MAX 64

struct bar {
    char name[72];
    double value, least, most; /* least <= value <= most is asked */
};

struct bars {
    struct bar rows[BARS_MAX];
    size_t count;
};

/* `name` is copied; rows beyond the last are dropped, which an assertion notices. */
void bars_add(struct bars *bars, const char *name, double value, double least, double most);

/* Two flows and a queue, for a minute each: shares, and what packets wait. False: a run failed. */
bool bars_measure_shares(struct bars *bars);

/* A line each: the value, the bar, and whether it is met. */
void bars_print(const struct bars *bars);

/* How many bars are missed; each is named on standard error. */
size_t bars_missed(const struct bars *bars);

#endif
