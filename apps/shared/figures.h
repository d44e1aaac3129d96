/* Counters of an endpoint and of all its connections, those that are gone included, for people and machines that
 * watch a server.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_APPS_FIGURES_H
#define TERN_APPS_FIGURES_H

#include <stdatomic.h>
#include <tern/endpoint.h>

#include "shared/metrics.h"

/* In the order of the table in figures.c. */
enum figure {
    FIGURE_CONNECTIONS,
    FIGURE_HALF_OPEN,
    FIGURE_STREAMS_OPEN,
    FIGURE_ACCEPTED,
    FIGURE_HANDSHAKES,
    FIGURE_DATAGRAMS_RECEIVED,
    FIGURE_DATAGRAMS_SENT,
    FIGURE_DROPPED_UNKNOWN,
    FIGURE_DROPPED_REFUSED,
    FIGURE_RETRIES,
    FIGURE_REFUSALS,
    FIGURE_RESETS_SENT,
    FIGURE_BYTES_RECEIVED,
    FIGURE_BYTES_SENT,
    FIGURE_STREAM_BYTES_RECEIVED,
    FIGURE_STREAM_BYTES_SENT,
    FIGURE_STREAM_BYTES_RESENT,
    FIGURE_PACKETS_RECEIVED,
    FIGURE_PACKETS_SENT,
    FIGURE_PACKETS_LOST,
    FIGURE_PACKETS_SPURIOUS,
    FIGURE_PACKETS_DROPPED,
    FIGURE_PROBES,
    FIGURE_MESSAGES_RECEIVED,
    FIGURE_MESSAGES_SENT,
    FIGURE_MESSAGES_RESENT,
    FIGURE_MIGRATIONS,
    FIGURES
};

/* Those of one endpoint. Zeroed is a good beginning. */
struct figures {
    uint64_t gone[FIGURES];              /* what is no connection's any more */
    atomic_uint_least64_t told[FIGURES]; /* for the thread that asks */
};

/* On the endpoint's thread: each of its events as it is polled; and, now and then, all that there is to say. */
void figures_on_event(struct figures *figures, const tern_event *event);
void figures_publish(struct figures *figures, const tern_endpoint *endpoint);

/* On any thread: adds what was published last to sums, and puts sums on a page. */
void figures_add(uint64_t sums[FIGURES], struct figures *figures);
void figures_show(const uint64_t sums[FIGURES], struct metrics_page *page);

#endif
