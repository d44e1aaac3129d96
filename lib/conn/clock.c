/* CLOCK frames out and in, and the public calls about them.
 * SPDX-License-Identifier: MIT */
#include "conn/clock.h"

#define QUICK          8                 /* frames that come quickly, to agree soon */
#define QUICK_INTERVAL (20 * TERN_MSEC)  /* between those */
#define INTERVAL       (100 * TERN_MSEC) /* between all others */

int tern_clock_begin(struct tern_conn *conn)
{
    if (!conn->env->config->clock || !conn->peer_terms.tells_time) {
        return 0;
    }
    conn->clock = tern_mem_zalloc(conn->env->mem, sizeof *conn->clock);
    return conn->clock == NULL ? TERN_ERR_NOMEM : 0;
}

void tern_clock_on_ack(struct tern_conn *conn, tern_time trip, tern_time delay)
{
    if (conn->clock != NULL) {
        conn->clock->packet = conn->counters.packets_received;
        conn->clock->trip = trip;
        conn->clock->delay = delay;
    }
}

int tern_clock_on_frame(struct tern_conn *conn, uint64_t micros, tern_time now)
{
    struct tern_conn_clock *clock = conn->clock;
    if (clock == NULL) {
        return TERN_ERR_PROTOCOL;
    }
    if (clock->packet == conn->counters.packets_received) { /* else it came without a sample */
        clock->packet = 0;
        tern_peerclock_add(&clock->peer, tern_sub_sat(now, clock->trip), clock->delay,
                           micros * TERN_USEC, now);
    }
    return 0;
}

bool tern_clock_is_due(const struct tern_conn *conn, uint64_t largest, tern_time now)
{
    const struct tern_conn_clock *clock = conn->clock;
    return clock != NULL && now >= clock->tell_at && largest >= clock->next_largest;
}

void tern_clock_on_told(struct tern_conn *conn, uint64_t largest, tern_time now)
{
    struct tern_conn_clock *clock = conn->clock;
    clock->told += clock->told < QUICK ? 1 : 0;
    clock->tell_at = now + (clock->told < QUICK ? QUICK_INTERVAL : INTERVAL);
    clock->next_largest = largest + 1;
}

static int check_known(const struct tern_conn *conn)
{
    if (conn->clock != NULL) {
        return tern_peerclock_is_known(&conn->clock->peer) ? 0 : TERN_ERR_STATE;
    }
    bool may_come = conn->env->config->clock && conn->life.state < TERN_LIFE_ESTABLISHED;
    return may_come ? TERN_ERR_STATE : TERN_ERR_UNSUPPORTED;
}

int tern_conn_clock(const tern_conn *conn, tern_clock *out)
{
    int rc = check_known(conn);
    if (rc == 0) {
        tern_clock copy = conn->clock->peer.now;
        copy.size = out->size;
        memcpy(out, &copy, TERN_MIN(out->size, sizeof copy));
    }
    return rc;
}

int tern_conn_peer_time(const tern_conn *conn, tern_time *out, tern_time now)
{
    int rc = check_known(conn);
    if (rc == 0) {
        *out = tern_peerclock_at(&conn->clock->peer, now);
    }
    return rc;
}

tern_time tern_conn_session_time(const tern_conn *conn, tern_time now)
{
    return tern_sub_sat(now, conn->born_at);
}
