/* The timers of a connection: idle, loss, probe, ACK, pacing, keepalive, path, keys, the end.
 *
 * Nothing is armed or disarmed: each deadline is derived from state when the connection has been
 * worked on, and the heap holds the earliest. A timer that comes marks wants; output does the rest.
 * SPDX-License-Identifier: MIT */
#include "conn/deadline.h"

#include "conn/messages.h"
#include "conn/migrate.h"
#include "conn/recover.h"

/* A client that has said all of its part may never hear that it has arrived. */
static tern_time handshake_deadline(const struct tern_conn *conn)
{
    return conn->life.is_confirmed
               ? TERN_TIME_NEVER
               : tern_add_sat(conn->born_at, conn->env->config->handshake_timeout);
}

/* RFC 9000 §10.1: at least three PTO, so that a loss does not end a connection. */
static tern_time idle_deadline(const struct tern_conn *conn)
{
    tern_time end = handshake_deadline(conn);
    if (conn->life.state == TERN_LIFE_HANDSHAKING || conn->idle_timeout == 0) {
        return end;
    }
    tern_time least = 3 * tern_conn_pto(conn, TERN_LEVEL_APP);
    return TERN_MIN(end, tern_add_sat(conn->idle_from, TERN_MAX(conn->idle_timeout, least)));
}

#define KEEPALIVE_STEPS 1024 /* of the interval */

/* Connections at rest speak a little early, on a step of the clock that they share: of thousands many are
 * then due together, and one waking of the process and a few system calls do for all of them. */
static tern_time keepalive_deadline(const struct tern_conn *conn)
{
    tern_time every = conn->env->config->keepalive;
    if (every == 0 || conn->life.state != TERN_LIFE_ESTABLISHED || conn->wants_ping) {
        return TERN_TIME_NEVER;
    }
    tern_time at = tern_add_sat(TERN_MAX(conn->idle_from, conn->last_eliciting_at), every);
    bool is_at_rest = conn->rest != NULL;
    return is_at_rest ? at - at % TERN_MAX(every / KEEPALIVE_STEPS, (tern_time)1) : at;
}

static tern_time ack_deadline(const struct tern_conn *conn)
{
    tern_time earliest = TERN_TIME_NEVER;
    for (unsigned i = tern_conn_first_level(conn); i < TERN_LEVELS; i++) {
        if (tern_space_is_live(&conn->spaces[i])) {
            earliest = TERN_MIN(earliest, conn->spaces[i].acks.deadline);
        }
    }
    return earliest;
}

tern_time tern_conn_deadline(const struct tern_conn *conn, tern_time now)
{
    if (tern_life_is_over(&conn->life)) {
        /* Closed, only a poll can take what is left: no timer, or a loop would spin until then. */
        return conn->life.state == TERN_LIFE_CLOSED ? TERN_TIME_NEVER : conn->life.end_at;
    }
    const struct tern_path *path = &conn->path;
    tern_time at = idle_deadline(conn);
    /* An unvalidated path that has used up its allowance can send nothing, so that a timer for
     * sending would only spin: the next datagram wakes us. */
    if (tern_path_allowance(path) >= TERN_MIN_SEND_ALLOWANCE) {
        at = TERN_MIN(at, tern_recover_deadline(conn));
        at = TERN_MIN(at, ack_deadline(conn));
        at = TERN_MIN(at, keepalive_deadline(conn));
        at = TERN_MIN(at, path->challenge_again);
        at = TERN_MIN(at, conn->pacing_until > now ? conn->pacing_until : TERN_TIME_NEVER);
    }
    at = TERN_MIN(at, tern_migrate_deadline(conn));
    at = TERN_MIN(at, tern_messages_deadline(conn));
    if (conn->spaces[TERN_LEVEL_APP].keys != NULL && conn->spaces[TERN_LEVEL_APP].keys->has_rx_pn) {
        at = TERN_MIN(at, conn->spaces[TERN_LEVEL_APP].keys->previous_until);
    }
    return at;
}

static void tick_over(struct tern_conn *conn, tern_time now)
{
    if (now >= conn->life.end_at && tern_life_end(&conn->life)) {
        tern_trace_state(&conn->trace, tern_life_name(conn->life.state), now);
    }
}

void tern_conn_tick(struct tern_conn *conn, tern_time now)
{
    tern_conn_mark_ready(conn);
    if (tern_life_is_over(&conn->life)) {
        tick_over(conn, now);
        return;
    }
    if (now >= idle_deadline(conn)) {
        if (tern_life_expire(&conn->life)) {
            tern_conn_on_over(conn, now);
        }
        return;
    }
    tern_recover_on_timer(conn, now);
    if (now >= keepalive_deadline(conn)) {
        conn->wants_ping = true;
    }
    tern_migrate_on_timer(conn, now);
    tern_messages_expire(conn, now);
    if (tern_messages_has_event(conn)) { /* of losses, too, that the timer has found */
        tern_conn_mark_eventful(conn);
    }
    if (conn->spaces[TERN_LEVEL_APP].keys != NULL) {
        tern_key_phase_on_timer(conn->spaces[TERN_LEVEL_APP].keys, now);
    }
}

bool tern_conn_is_spent(const struct tern_conn *conn)
{
    return conn->life.state == TERN_LIFE_CLOSED && !conn->wants_closed_event;
}
