/* Figures for whoever watches a server, over HTTP on an address of this machine: the text form of Prometheus at
 * /metrics, the same as JSON at /json.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_METRICS_H
#define TERN_APPS_METRICS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_PAGE_MAX 16384

/* What is answered, as it is written. */
struct metrics_page {
    bool is_json;
    char text[METRICS_PAGE_MAX];
    size_t used;
};

/* A figure called tern_NAME. Counters never fall and end in _total; a gauge is how something is now. */
void metrics_add(struct metrics_page *page, const char *name, const char *help, bool is_gauge,
                 uint64_t value);

typedef void (*metrics_fill_fn)(void *user, struct metrics_page *page);

struct metrics;

/* Listens at `where`: PORT, 127.0.0.1:PORT or [::1]:PORT; port 0 chooses one. Other than loopback addresses are
 * refused: what is here is for this machine, and for whom it lets ask. NULL after the reason was said, with the
 * exit code. */
struct metrics *metrics_open(const char *where, struct ev_loop *loop, metrics_fill_fn fill,
                             void *user, int *code);
void metrics_close(struct metrics *metrics); /* NULL is fine */

/* "http://127.0.0.1:9437/metrics" */
const char *metrics_url(const struct metrics *metrics);

#endif
