/* The defaults of the public configuration, and the library's version.
 * SPDX-License-Identifier: MIT */
#include <tern/config.h>
#include <tern/message.h>

#include "base/def.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

void tern_config_init(tern_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->suites = TERN_SUITE_ANY;
    config->cc = "cubic";
    config->handshake_timeout = 10 * TERN_SEC;
    config->idle_timeout = 30 * TERN_SEC;
    config->max_ack_delay = 25 * TERN_MSEC;
    config->initial_rtt = 333 * TERN_MSEC;
    config->max_datagram = 1452;
    config->stream_window = 256 * KIB;
    config->stream_window_max = 16 * MIB;
    config->conn_window = MIB;
    config->conn_window_max = 24 * MIB;
    config->stream_send_buffer = 16 * MIB;
    config->max_streams_bidi = 128;
    config->max_streams_uni = 128;
    config->max_message = MIB;
    config->max_channels = TERN_CHANNELS;
    config->message_window = 4 * MIB;
    config->message_queue = 2 * MIB;
    config->message_buffer = 16 * MIB;
    config->fec_window = 64;
    config->max_connections = 65536;
    config->max_half_open = 16384;
    config->retry_half_open = 1000;
    config->initial_rate = 4000;
}

void tern_peer_init(tern_peer *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->size = sizeof *peer;
}

const char *tern_version(void)
{
    return "0.1.0";
}
