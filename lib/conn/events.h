/* The outbox: what happened to a connection and its streams, handed out one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_EVENTS_H
#define TERN_CONN_EVENTS_H

#include "conn/conn.h"

bool tern_conn_has_event(const struct tern_conn *conn);

/* Takes the next event: CONNECTED first, then the messages' and streams', CLOSED last. False when none. */
bool tern_conn_next_event(struct tern_conn *conn, tern_event *out);

#endif
