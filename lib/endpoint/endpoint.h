/* The endpoint: all connections, their routes, deadlines and ready list, under one clock.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_ENDPOINT_H
#define TERN_ENDPOINT_ENDPOINT_H

#include <tern/endpoint.h>

#include "conn/conn.h"
#include "conn/dormant.h"
#include "endpoint/door.h"
#include "endpoint/resets.h"
#include "endpoint/stateless.h"

/* Where the latest 1-RTT packet led: those of a GRO train mostly go the same way. */
struct tern_route_memo {
    uint8_t cid[TERN_CID_SIZE];
    void *found;      /* NULL: nothing is remembered */
    uint64_t changes; /* of the routes, when it was found */
};

/* The latest train of a connection: whose, where to, and when. */
struct tern_parting {
    uint64_t number;
    tern_addr remote;
    tern_time at;
};

struct tern_endpoint {
    struct tern_mem mem;
    struct tern_random random;
    tern_config config;
    struct tern_conn_env env;
    struct tern_map routes; /* identifier to connection */
    struct tern_route_memo latest;
    struct tern_parting latest_out;
    struct tern_heap timers;
    struct tern_list conns, ready, eventful;
    struct tern_list dormants; /* half-open ones at rest */
    struct tern_heap dormant_timers;
    struct tern_conn *told; /* its event was returned by the last poll: bury what it closed */
    struct tern_stateless stateless;
    struct tern_door door;
    struct tern_resets resets;
    size_t conn_count, half_open;
    uint8_t *scratch; /* one datagram, for the trial at the door */
    uint64_t accepted, connected, datagrams_received, datagrams_sent, dropped_unknown,
        dropped_refused;
};

/* Takes a connection off every list and frees it. */
void tern_endpoint_drop_conn(struct tern_endpoint *ep, struct tern_conn *conn);

/* A datagram for a half-open connection at rest. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_endpoint_rouse(struct tern_endpoint *ep, struct tern_dormant *dormant,
                                        const tern_datagram *in, uint8_t *data, size_t len,
                                        tern_time now);

/* A connection was worked on: if its handshake is complete it has a place among the others, or is
 * turned away. */
void tern_endpoint_note_progress(struct tern_endpoint *ep, struct tern_conn *conn, tern_time now);

#endif
