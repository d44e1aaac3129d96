/* What an application may count on: the bandwidth of the path, its queue and its loss, told when they
 * change.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_FORECAST_H
#define TERN_CONN_FORECAST_H

#include <tern/event.h>

#include "conn/paths.h"

struct tern_forecast {
    tern_bandwidth now;
    uint64_t told;        /* the estimate that the application knows; 0: none */
    tern_time told_queue; /* and the queue's delay */
    tern_time told_at;    /* and since when */
    bool wants_event;
    tern_time window_at; /* of the loss rate; and the counts then */
    uint64_t lost, delivered;
};

/* An ACK has been worked through. True when the application should be told. */
bool tern_forecast_on_ack(struct tern_forecast *forecast, const struct tern_path *path,
                          tern_time now);

/* The application is told now. */
void tern_forecast_take(struct tern_forecast *forecast, tern_bandwidth *out);

#endif
