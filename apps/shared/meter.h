/* The progress meter: one line, rewritten in place.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_METER_H
#define TERN_APPS_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_LINE 1024

struct meter {
    bool is_on;
    double started, looked_at; /* seconds of a monotonic clock */
    uint64_t looked_bytes;
    double rate;           /* bytes a second, smoothed */
    bool has_line;         /* something stands on the terminal's line */
    char last[METER_LINE]; /* what stands there: the same is not written twice */
};

/* What is shown. total 0: unknown. */
struct meter_view {
    const char *name; /* safe to print already */
    uint64_t done, total;
    bool is_growing; /* more may be found: the totals are lower bounds, and nobody knows the end */
    uint64_t files_done, files_total; /* total 0 or 1: not shown */
    double rtt_ms;                    /* 0: not shown */
    double loss;                      /* share 0..1, shown with the RTT */
};

void meter_init(struct meter *meter, bool is_on, double now);
void meter_draw(struct meter *meter, const struct meter_view *view, double now);
void meter_clear(struct meter *meter); /* takes the line away */

/* The line itself, at most `width` columns; for draw and for tests. */
void meter_format(const struct meter_view *view, double rate, unsigned width, char *buf,
                  size_t size);

#endif
