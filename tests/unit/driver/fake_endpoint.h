/* An endpoint without a protocol, so that the driver is tested alone: it sends numbered datagrams
 * and writes down which numbers arrived.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FAKE_ENDPOINT_H
#define TERN_FAKE_ENDPOINT_H

#include <tern/endpoint.h>

enum { FAKE_TRAINS = 64, FAKE_NUMBERS = 8192, FAKE_CONNS = 3 };

struct fake_train {
    tern_addr local, remote;
    size_t datagrams, segment, last; /* `last` is the length of the last datagram */
    uint8_t ecn;
};

struct tern_conn {
    tern_addr local, remote;
    bool is_server;
    int result; /* of tern_conn_migrate */
    unsigned moves, probes;
    tern_addr moved_to;
};

struct tern_endpoint {
    struct tern_conn conns[FAKE_CONNS];
    size_t conn_count;
    /* out */
    struct fake_train queue[FAKE_TRAINS];
    size_t queued, taken;
    uint32_t next_number;
    /* in */
    uint8_t seen[FAKE_NUMBERS]; /* how often a number arrived */
    uint32_t received, bad, calls, bundles, out_of_order;
    size_t bytes;
    tern_datagram latest;
    /* time */
    tern_time deadline, ticked_at;
    uint32_t ticks;
    int receive_result, transmit_result;
};

/* Queues one train. */
void fake_send(tern_endpoint *endpoint, const tern_addr *to, size_t datagrams, size_t segment,
               size_t last);

#endif
