/* When a connection next wants to be woken, and what it does then.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_DEADLINE_H
#define TERN_CONN_DEADLINE_H

#include "conn/conn.h"

/* The earliest point at which time alone changes something. */
tern_time tern_conn_deadline(const struct tern_conn *conn, tern_time now);

/* Time passed: expires, declares losses, marks probes and keepalives. */
void tern_conn_tick(struct tern_conn *conn, tern_time now);

/* The connection is only memory now and may be freed. */
bool tern_conn_is_spent(const struct tern_conn *conn);

#endif
