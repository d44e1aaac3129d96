/* Packets for the trace, and before them the secrets that they are sealed under, if the application asked for
 * a key log.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_SECRETS_H
#define TERN_CONN_SECRETS_H

#include "conn/conn.h"

/* The Initial keys, and those of early data, are others from now on: a Retry. */
void tern_secrets_forget_initial(struct tern_conn *conn);

/* Tells what packets of this type are sealed under, unless that was told. */
void tern_secrets_tell(struct tern_conn *conn, uint8_t packet_type, tern_time now);

static inline void tern_conn_trace_packet(struct tern_conn *conn, tern_trace_kind kind,
                                          uint8_t packet_type, uint64_t pn, size_t size,
                                          const uint8_t *payload, size_t len, tern_time now)
{
    if (conn->trace.wants_secrets) {
        tern_secrets_tell(conn, packet_type, now);
    }
    tern_trace_packet(&conn->trace, kind, packet_type, pn, size, payload, len, now);
}

#endif
