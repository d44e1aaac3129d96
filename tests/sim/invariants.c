/* The sums and bounds that recovery promises, looked at from inside.
 * SPDX-License-Identifier: MIT */
#include "sim/invariants.h"

#include "conn/conn.h"
#include "conn/deadline.h"
#include "conn/recover.h"
#include "conn/rest.h"

/* What left on the path in use and is outstanding. */
static uint64_t in_flight_of_spaces(const struct tern_conn *conn)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        const struct tern_sent *sent = &conn->spaces[i].loss.sent;
        for (uint64_t pn = sent->base; !conn->spaces[i].is_discarded && pn < sent->next_pn; pn++) {
            const struct tern_sent_packet *packet = tern_sent_find(sent, pn);
            bool counts = packet->state == TERN_SENT_OUTSTANDING &&
                          (packet->flags & TERN_SENT_IN_FLIGHT) != 0 &&
                          packet->path == conn->path.id;
            sum += counts ? packet->size : 0;
        }
    }
    return sum;
}

/* RFC 9002 §6.4: what left with the keys of the handshake is out of the books. */
static bool only_app_is_left(const struct tern_conn *conn)
{
    return conn->spaces[TERN_LEVEL_INITIAL].is_discarded &&
           conn->spaces[TERN_LEVEL_HANDSHAKE]
               .is_discarded; /* the sum above is that of 1-RTT then */
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

/* Ten datagrams or what 4 ms carry, until the next look makes it the burst again. */
static uint64_t pacer_most(const struct tern_path *path)
{
    uint64_t late = TERN_MAX(10 * (uint64_t)path->cc.datagram, path->pacer.rate / 1000 * 4);
    return TERN_MAX(late, path->pacer.burst);
}

const char *invariants_broken(const tern_conn *conn, tern_time now)
{
    const struct tern_path *path = &conn->path;
    if (tern_life_is_over(&conn->life)) {
        return NULL;
    }
    if (path->cc.bytes_in_flight != in_flight_of_spaces(conn)) {
        return "bytes_in_flight is the sum over the packets of the path";
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
    if (path->pacer.rate > 0 && path->pacer.tokens > pacer_most(path)) {
        return "the pacer holds no more than its burst, or what a late turn catches up on";
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

void invariants_wear_keys(tern_conn *conn, uint64_t bytes, tern_time now)
{
    if (tern_rest_wake(conn, now) == 0) {
        conn->spaces[TERN_LEVEL_APP].keys->update_bytes = bytes;
    }
}
