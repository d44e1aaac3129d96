/* The configuration of an endpoint for copies.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/transport.h"

void transport_config(tern_config *config, const struct options *options)
{
    tern_config_init(config);
    config->cc = options->cc;
    config->suites = options->suites;
    config->idle_timeout = TERNCP_IDLE;
    config->keepalive = TERNCP_KEEPALIVE;
    config->handshake_timeout = options->connect_timeout;
    config->stream_window = 1 << 20;
    config->conn_window = 2 << 20;
    config->max_datagram = TERNCP_DATAGRAM;
    config->max_streams_uni = TERNCP_PACKS;
    config->max_streams_bidi = TERNCP_FILES;
}
