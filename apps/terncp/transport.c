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
    /* A gigabit a second over 50 ms is 6 MB in flight and as much in a full queue; when one of those is
     * lost there, two round trips of them come before it is sent again. The windows begin with the first
     * two, since growing to that takes as many round trips as the start of the sender. */
    config->stream_window = 16 << 20;
    config->stream_window_max = config->stream_send_buffer = 32 << 20;
    config->conn_window = 20 << 20;
    config->conn_window_max = 40 << 20;
    config->max_datagram = TERNCP_DATAGRAM;
    config->max_streams_uni = TERNCP_PACKS;
    config->max_streams_bidi = TERNCP_FILES;
}
