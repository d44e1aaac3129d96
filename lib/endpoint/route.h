/* The way in: which connection a datagram belongs to, or what else becomes of it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_ROUTE_H
#define TERN_ENDPOINT_ROUTE_H

#include "endpoint/endpoint.h"

/* One datagram (no GRO train any more) to its connection, to the door, or away.
 * 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_route_datagram(struct tern_endpoint *endpoint, const tern_datagram *in,
                                        uint8_t *data, size_t len, tern_time now);

/* The same for some of them, whose connections are looked for ahead. */
#define TERN_ROUTE_BATCH 16
struct tern_route_item {
    const tern_datagram *in;
    uint8_t *data; /* this one, where `in` is a GRO train */
    size_t len;
    /* Made by the call. */
    struct tern_route_memo memo;
    size_t place; /* in the map of routes, where it is looked for */
    bool is_short_header;
    bool goes_along; /* to where the item before it goes */
};
TERN_MUST_CHECK int tern_route_batch(struct tern_endpoint *endpoint, struct tern_route_item *items,
                                     size_t n, tern_time now);

#endif
