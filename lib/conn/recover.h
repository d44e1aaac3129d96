/* Recovery of one connection: joins a space's losses with the path's RTT, controller and timers.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_RECOVER_H
#define TERN_CONN_RECOVER_H

#include "conn/conn.h"
#include "wire/frame.h"

/* An ACK frame. 0 · TERN_ERR_PROTOCOL (acknowledges what was never sent) · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_recover_on_ack(struct tern_conn *conn, enum tern_level level,
                                        const struct tern_frame *ack, tern_time now);

/* The loss or probe timer, whichever is armed: RFC 9002 §A.8. */
tern_time tern_recover_deadline(const struct tern_conn *conn);
void tern_recover_on_timer(struct tern_conn *conn, tern_time now);

/* A 1-RTT packet of the peer's has come. */
void tern_recover_on_heard(struct tern_conn *conn, tern_time now);

#endif
