/* The way in: which connection a datagram belongs to, or what else becomes of it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_ENDPOINT_ROUTE_H
#define TERN_ENDPOINT_ROUTE_H

#include "endpoint/endpoint.h"

/* One datagram (no GRO train any more) to its connection, to the door, or away.
 * 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_route_datagram(struct tern_endpoint *endpoint, const tern_datagram *in,
                                        uint8_t *data, size_t len, tern_time now);

/* The same for up to TERN_ROUTE_AHEAD of them, each of `segment` bytes but for the last. */
#define TERN_ROUTE_AHEAD 16
TERN_MUST_CHECK int tern_route_train(struct tern_endpoint *endpoint, const tern_datagram *in,
                                     uint8_t *data, size_t len, size_t segment, tern_time now);

#endif
