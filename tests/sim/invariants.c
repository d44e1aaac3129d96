/* The sums and bounds that recovery promises, looked at from inside.
 * SPDX-License-Identifier: MIT */
#include "sim/invariants.h"

#include "conn/conn.h"
#include "conn/deadline.h"
#include "conn/recover.h"

static uint64_t in_flight_of_spaces(const struct tern_conn *conn)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        if (!conn->spaces[i].is_discarded) {
            sum += conn->spaces[i].loss.sent.bytes_in_flight;
        }
    }
    return sum;
}

/* RFC 9002 §6.4: what left with the keys of the handshake is out of the books. */
static bool only_app_is_left(const struct tern_conn *conn)
{
    return conn->spaces[TERN_LEVEL_INITIAL].is_discarded &&
           conn->spaces[TERN_LEVEL_HANDSHAKE].is_discarded &&
           conn->path.cc.bytes_in_flight == conn->spaces[TERN_LEVEL_APP].loss.sent.bytes_in_flight;
}

static bool spaces_are_consistent(const struct tern_conn *conn)
{
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        const struct tern_space *space = &conn->spaces[i];
        if (!space->is_discarded && (!tern_loss_is_consistent(&space->loss) ||
                                     space->acks.ranges.count > TERN_ACKS_RANGES_MAX)) {
            return false;
        }
    }
    return true;
}

static bool has_eliciting(const struct tern_conn *conn)
{
    const struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    return tern_space_is_live(app) && app->loss.sent.eliciting_outstanding > 0;
}

const char *invariants_broken(const tern_conn *conn, tern_time now)
{
    const struct tern_path *path = &conn->path;
    if (tern_life_is_over(&conn->life)) {
        return NULL;
    }
    if (path->cc.bytes_in_flight != in_flight_of_spaces(conn)) {
        return "bytes_in_flight is the sum over the spaces";
    }
    if (conn->life.is_confirmed && !only_app_is_left(conn)) {
        return "after the handshake only 1-RTT packets are in flight";
    }
    if (!spaces_are_consistent(conn)) {
        return "each space's counters equal what its packets say";
    }
    if (path->cc.cwnd < tern_cc_min_window(&path->cc)) {
        return "cwnd is at least two datagrams";
    }
    if (path->pacer.rate > 0 && path->pacer.tokens > path->pacer.burst) {
        return "the pacer holds no more than its burst";
    }
    if (conn->life.state == TERN_LIFE_ESTABLISHED && has_eliciting(conn) &&
        tern_recover_deadline(conn) == TERN_TIME_NEVER) {
        return "a recovery timer is armed while packets are outstanding";
    }
    if (!path->is_validated && path->sent > 3 * path->received) {
        return "no more than three times what came goes to an unproved address";
    }
    if (conn->timer.place != TERN_HEAP_NOWHERE && conn->timer.at == TERN_TIME_NEVER) {
        return "the heap holds no deadline that never comes";
    }
    (void)now;
    return NULL;
}
