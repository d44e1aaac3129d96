/* Moving house: which paths a connection has, and when it changes from one to another.
 *
 *     path in use ── the peer's newest packet comes from elsewhere (server) ──► it becomes `kept`,
 *         ▲  ▲       or the probed path answers (client)                        the other is in use
 *         │  └── a packet comes from `kept`, or the new address proves nothing ───────┘
 *         └───── `trial`, a path that is only probed, takes its place when it is moved to
 *
 * A client probes before it moves (tern_conn_migrate): the trial has a fresh identifier, and the
 * connection goes on as it was if no answer comes. A server follows an authentic, newest packet at
 * once, but the address counts as unvalidated until its PATH_RESPONSE is back; the path that was is
 * kept, probed too (RFC 9000 §9.3.3), and returned to when the new one does not answer.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_MIGRATE_H
#define TERN_CONN_MIGRATE_H

#include "conn/conn.h"

/* The path that a datagram came on, or NULL when it is none that we know. */
struct tern_path *tern_migrate_path(struct tern_conn *conn, const tern_datagram *in);
/* The path under whose number a packet was sent, or NULL when it is gone. */
struct tern_path *tern_migrate_by_id(struct tern_conn *conn, uint8_t id);
/* Of a packet with this path number the bytes leave flight, unless the path in use has it: then
 * congestion control is told by other ways. */
void tern_migrate_settle(struct tern_conn *conn, const struct tern_sent_packet *packet);

/* The packet that is worked on opened. The path for its PATH_CHALLENGE: a peer that probes from a new
 * address gets an answer there, and is asked in turn. NULL: none, be silent. */
struct tern_path *tern_migrate_probed(struct tern_conn *conn, const tern_datagram *in, size_t len,
                                      const struct tern_cid *dcid, tern_time now);
/* An authentic, newest packet with more than probes came on a path other than the one in use. */
void tern_migrate_follow(struct tern_conn *conn, const tern_datagram *in, size_t len,
                         const struct tern_cid *dcid, tern_time now);
/* A PATH_RESPONSE, on whatever path. */
void tern_migrate_on_response(struct tern_conn *conn, const uint8_t data[TERN_PATH_CHALLENGE_SIZE],
                              tern_time now);

tern_time tern_migrate_deadline(const struct tern_conn *conn);
void tern_migrate_on_timer(struct tern_conn *conn, tern_time now);

#endif
