/* An established connection at rest: what it needs only while packets come and go is given back.
 *
 * Most connections of a large server are silent most of the time. When nothing was said for a second and
 * nothing is owed, the packet number spaces, the state of the congestion controller and the expanded keys
 * are folded into a record of a tenth of their size; the next packet, whoever sends it, unfolds them, and
 * nothing is lost. Meanwhile conn->spaces shows discarded ones, and the controller must not be asked.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_REST_H
#define TERN_CONN_REST_H

#include "conn/conn.h"

/* When it will want to rest; NEVER: not in this state. */
tern_time tern_rest_deadline(const struct tern_conn *conn);

/* After work: rests if it is time to. Without memory for the record it stays awake. */
void tern_rest_settle(struct tern_conn *conn, tern_time now);

/* To be called before anything is received or sent; nothing happens when it is awake.
 * 0 · TERN_ERR_NOMEM (it rests on) */
TERN_MUST_CHECK int tern_rest_wake(struct tern_conn *conn, tern_time now);

/* The same for a call of the application that knows no time: it may rest on as soon as it is looked at. */
TERN_MUST_CHECK int tern_rest_rouse(struct tern_conn *conn);

/* Frees the spaces or the record, and wipes. */
void tern_rest_clear(struct tern_conn *conn);

/* The key phase, awake or not. */
uint32_t tern_rest_phase(const struct tern_conn *conn);

/* The spaces that those at rest show. */
void tern_rest_init_env(struct tern_conn_env *env);

#endif
