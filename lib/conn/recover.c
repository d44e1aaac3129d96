/* ACKs and timers worked through loss detection, RTT, delivery rate and congestion control.
 * RFC 9002 appendix A, in its order.
 * SPDX-License-Identifier: MIT */
#include "conn/recover.h"

#include "conn/clock.h"
#include "conn/messages.h"
#include "conn/migrate.h"
#include "conn/receipts.h"
#include "wire/decode.h"

#define PTO_BACKOFF_MAX   16 /* doublings, for longer paths than the next two allow for */
#define PTO_MAX           (5 * TERN_SEC)
#define HANDSHAKE_PTO_MAX (1500 * TERN_MSEC)
/* An initial window (RFC 9002 §7.2), and what so many probes add to it. */
#define THIN_FLIGHT 65536u
#define THIN_PTOS   64u
#define UNHURRIED   TERN_SEC /* between probes of who wants more than all may have */
#define PROBE_ROOM  1000     /* of a probe of 1200 bytes */
#define HOLD_RATE   12500u   /* bytes a microsecond: 100 Gbit/s */
#define HOLD_LEAST  (2u << 20)

/* Loss facts of one ACK or timer go to the controller, then the lost frames are queued again. */
static int settle_lost(struct tern_conn *conn, enum tern_level level,
                       struct tern_loss_outcome *outcome, uint64_t prior_in_flight, tern_time now)
{
    struct tern_space *space = &conn->spaces[level];
    struct tern_path *path = &conn->path;
    struct tern_cc_loss loss = {
        .lost_bytes = outcome->lost_bytes,
        .lost_packets = level == TERN_LEVEL_APP ? outcome->lost_packets : 0,
        .next_pn = space->loss.sent.next_pn,
        .latest_sent_at = outcome->lost_latest_sent_at,
        .largest_pn = outcome->lost_largest_pn,
        .prior_in_flight = prior_in_flight,
        .persistent = outcome->persistent,
        .rtt = &path->rtt,
        .rate = &path->rate,
    };
    const struct tern_sent_packet *packet;
    uint64_t pn;
    int rc = 0;
    bool was_ecn = false;
    while ((packet = tern_loss_next_lost(&space->loss, &pn)) != NULL) {
        if (packet->path != path->id) {
            tern_migrate_settle(conn, packet);
        } else if ((packet->flags & TERN_SENT_PROBE) == 0) {
            tern_rate_on_lost(&path->rate, packet);
            loss.tx_in_flight = (uint64_t)packet->in_flight_before + packet->size;
            loss.lost_since_sent = tern_rate_lost_since(&path->rate, packet->lost_before);
            loss.delivered_since_sent = tern_sub_sat(path->rate.delivered, packet->delivered);
            bool is_marked = packet->ecn != TERN_ECN_NONE;
            was_ecn = (is_marked && tern_ecn_on_lost(&path->ecn, packet->sent_at)) || was_ecn;
        } else if (outcome->lost_packets > 0 || pn < path->cc.state->episode.end_pn) {
            tern_pmtud_on_congestion(&path->pmtud, pn);
        }
        conn->counters.packets_lost += (packet->flags & TERN_SENT_PROBE) == 0 ? 1 : 0;
        int again = tern_receipts_on_lost(conn, level, packet, pn, now);
        rc = rc == 0 ? again : rc;
        tern_trace_lost(&conn->trace, level == TERN_LEVEL_APP ? 4 : (uint8_t)(2 * level), pn,
                        packet->size, now);
    }
    if (outcome->persistent) {
        tern_rtt_on_persistent(&path->rtt);
    }
    if (outcome->lost_packets > 0) {
        tern_cc_on_loss(&path->cc, &loss, now);
    }
    if (was_ecn) {
        tern_cc_take_back(&path->cc, now);
    }
    if (outcome->lost_probe_bytes > 0) {
        tern_cc_on_discarded(&path->cc, outcome->lost_probe_bytes);
    }
    return rc;
}

/* An ACK of many packets can show six losses at once, which would be a black hole but for what it
 * acknowledges besides. */
static void note_delivered(struct tern_conn *conn, const struct tern_space *space)
{
    const struct tern_sent_packet *packet;
    uint64_t cursor = 0, pn;
    while ((packet = tern_loss_walk_acked(&space->loss, &cursor, &pn)) != NULL) {
        if (packet->path == conn->path.id) {
            tern_pmtud_on_delivered(&conn->path.pmtud, pn, packet->size);
        }
    }
}

static void settle_acked(struct tern_conn *conn, enum tern_level level,
                         const struct tern_loss_outcome *outcome, uint64_t prior_in_flight,
                         tern_time delay, uint64_t marked, tern_time now)
{
    struct tern_space *space = &conn->spaces[level];
    struct tern_path *path = &conn->path;
    struct tern_rate_sample sample = {0};
    struct tern_receipt_run run = {0};
    const struct tern_sent_packet *packet;
    uint64_t pn;
    while ((packet = tern_loss_next_acked(&space->loss, &pn)) != NULL) {
        if (packet->path != path->id) {
            tern_migrate_settle(conn, packet);
            tern_receipts_on_acked(conn, level, packet, pn, &run, now);
            continue;
        }
        if ((packet->flags & TERN_SENT_WAS_LOST) != 0 && level == TERN_LEVEL_APP) {
            tern_rate_on_spurious(&path->rate, packet);
            tern_cc_on_spurious(&path->cc, pn, packet->lost_at, now);
        }
        tern_rate_on_acked(&path->rate, packet, &sample, now);
        tern_receipts_on_acked(conn, level, packet, pn, &run, now);
    }
    tern_receipts_end_run(conn, &run);
    tern_rate_finish(&path->rate, &sample, path->rtt.min);
    path->delivery_rate = sample.rate > 0 ? sample.rate : path->delivery_rate;
    tern_capacity_note(&path->capacity, &sample, now);
    if (outcome->acked_bytes == 0) {
        return;
    }
    struct tern_cc_ack ack = {
        .acked_bytes = outcome->acked_bytes,
        .largest_sent_at = outcome->largest_acked_sent_at,
        .largest_pn = outcome->largest_acked_pn,
        .prior_in_flight = prior_in_flight,
        .lost_bytes = outcome->lost_bytes,
        .rtt = &path->rtt,
        .rtt_sample = outcome->rtt_sample,
        .delay = delay,
        .rate = &path->rate,
        .sample = &sample,
        .next_pn = space->loss.sent.next_pn,
        .ect = outcome->acked_ect0 + outcome->acked_ect1,
        .ce = marked,
    };
    tern_cc_on_ack(&path->cc, &ack, now);
}

/* Returns for how long the peer kept its answer back, as far as that is believed. */
static tern_time update_rtt(struct tern_conn *conn, enum tern_level level, uint64_t raw_delay,
                            tern_time sample, tern_time now)
{
    tern_time delay = 0;
    if (level == TERN_LEVEL_APP && conn->has_peer_params) {
        uint64_t exponent = conn->ack_delay_exponent;
        delay = raw_delay > (UINT64_MAX >> exponent) / TERN_USEC
                    ? TERN_TIME_NEVER
                    : (raw_delay << exponent) * TERN_USEC;
        tern_clock_on_ack(conn, sample, delay);
        tern_gauge_on_rtt(&conn->awake->gauge, sample, delay);
        if (conn->life.is_confirmed) { /* RFC 9002 §5.3 */
            delay = TERN_MIN(delay, tern_conn_peer_ack_delay(conn));
        }
    }
    tern_rtt_update(&conn->path.rtt, sample, delay, now);
    return delay;
}

static int walk_ranges(struct tern_space *space, const struct tern_frame_ack *ack,
                       struct tern_loss_outcome *outcome)
{
    struct tern_ack_iter iter;
    uint64_t smallest, largest;
    int rc = tern_loss_ack_begin(&space->loss, ack->largest);
    tern_ack_iter_init(&iter, ack);
    while (rc == 0 && tern_ack_iter_next(&iter, &smallest, &largest)) {
        rc = tern_loss_ack_range(&space->loss, smallest, largest, outcome);
    }
    return rc;
}

static bool may_reset_backoff(const struct tern_conn *conn, enum tern_level level)
{
    /* RFC 9002 §6.2.1: a client resets on nothing less than proof that its address is good. */
    return conn->is_server || level != TERN_LEVEL_INITIAL;
}

/* The peer counts more congestion marks: to the controller that is as good as a loss (RFC 9002 §7.1).
 * Returns how many. */
static uint64_t check_ecn(struct tern_conn *conn, const struct tern_space *space,
                          const struct tern_frame_ack *ack, const struct tern_loss_outcome *outcome,
                          uint64_t prior_in_flight, tern_time now)
{
    struct tern_path *path = &conn->path;
    struct tern_ecn_counts counts = {
        .ect0 = ack->ecn.ect0, .ect1 = ack->ecn.ect1, .ce = ack->ecn.ce};
    uint64_t before = path->ecn.peer.ce;
    if (!outcome->largest_is_new || /* reordered ACKs report less (RFC 9000 §13.4.2.1) */
        !tern_ecn_on_ack(&path->ecn, ack->has_ecn ? &counts : NULL, outcome->acked_ect0,
                         outcome->acked_ect1)) {
        return 0;
    }
    uint64_t marked = path->ecn.peer.ce - before;
    conn->counters.packets_marked += marked;
    struct tern_cc_loss loss = {.is_ecn = true,
                                .next_pn = space->loss.sent.next_pn,
                                .latest_sent_at = outcome->largest_acked_sent_at,
                                .largest_pn = outcome->largest_acked_pn,
                                .prior_in_flight = prior_in_flight,
                                .rtt = &path->rtt,
                                .rate = &path->rate};
    tern_cc_on_loss(&path->cc, &loss, now);
    return marked;
}

/* What the path carries in a round trip decides how often it needs an ACK. The window may be larger than
 * that (BBR), and a rate times a round trip too (CUBIC paces ahead of its window): the smaller counts. */
static void tune_cadence(struct tern_conn *conn, const struct tern_loss *loss, uint64_t rate)
{
    const struct tern_path *path = &conn->path;
    uint64_t usecs = path->rtt.smoothed / TERN_USEC;
    uint64_t window = path->cc.cwnd;
    if (rate > 0 && usecs > 0 && rate < UINT64_MAX / usecs) {
        window = TERN_MIN(window, rate * usecs / (TERN_SEC / TERN_USEC));
    }
    tern_cadence_update(&conn->cadence, window, path->cc.datagram, path->rtt.smoothed,
                        loss->packet_threshold);
}

/* What is copied into the send buffer has left the cache when it is sent, if much more is there than leaves in
 * a round trip. The window is no measure of that over the shortest paths, where it grows until something
 * overflows: what the fastest network carries in a round trip without queues is. */
static void tune_hold(struct tern_conn *conn)
{
    uint64_t most = conn->path.rtt.min / TERN_USEC * HOLD_RATE;
    conn->streams.hold = TERN_MAX(most, (uint64_t)HOLD_LEAST);
}

static bool wants_forecast(const struct tern_conn *conn)
{
    return conn->env->config->bandwidth_events || conn->cc_ops == &tern_cc_media;
}

int tern_recover_on_ack(struct tern_conn *conn, enum tern_level level,
                        const struct tern_frame *frame, tern_time now)
{
    const struct tern_frame_ack *ack = &frame->u.ack;
    struct tern_space *space = &conn->spaces[level];
    struct tern_path *path = &conn->path;
    struct tern_loss_outcome outcome = {0};
    uint64_t prior_in_flight = path->cc.bytes_in_flight, marked = 0;
    tern_time delay = 0;
    int rc = walk_ranges(space, ack, &outcome);
    if (rc != 0) {
        return rc;
    }
    conn->counters.acks_received++;
    tern_loss_ack_finish(&space->loss, &outcome, now);
    if (space->loss.acked_head == 0) {
        return 0;
    }
    conn->counters.packets_spurious += outcome.spurious_packets;
    if (outcome.rtt_sample > 0) {
        delay = update_rtt(conn, level, ack->delay, outcome.rtt_sample, now);
    }
    tern_loss_detect(&space->loss, &path->rtt, tern_conn_pto(conn, level), &outcome, now);
    if (level == TERN_LEVEL_APP && outcome.lost_packets > 0) {
        note_delivered(conn, space);
    }
    rc = settle_lost(conn, level, &outcome, prior_in_flight, now);
    if (level == TERN_LEVEL_APP) {
        marked = check_ecn(conn, space, ack, &outcome, prior_in_flight, now);
    }
    settle_acked(conn, level, &outcome, prior_in_flight, delay, marked, now);
    tern_gauge_on_ack(&conn->awake->gauge, &path->rate, outcome.acked_ect0 + outcome.acked_ect1,
                      marked, now);
    tern_loss_settle(&space->loss, &path->rtt, now);
    tern_messages_adapt(conn, &outcome);
    if (may_reset_backoff(conn, level)) {
        conn->pto_count = 0;
    }
    if (level == TERN_LEVEL_APP) {
        tern_key_phase_on_acked(space->keys, outcome.largest_acked_pn);
    }
    size_t datagram = path->pmtud.current;
    if (path->cc.datagram != datagram) {
        tern_cc_set_datagram(&path->cc, datagram);
    }
    uint64_t rate = tern_cc_pace(&path->cc, &path->rtt);
    tern_pacer_set_rate(&path->pacer, rate, datagram, now);
    if (conn->life.is_confirmed && level == TERN_LEVEL_APP) {
        tune_cadence(conn, &space->loss, rate);
        tune_hold(conn);
    }
    if (conn->life.is_confirmed && wants_forecast(conn) &&
        tern_forecast_on_ack(&conn->forecast, path, now)) {
        conn->wants_bandwidth_event = true;
        tern_conn_mark_eventful(conn);
    }
    tern_trace_metrics(&conn->trace, path->cc.cwnd, path->cc.bytes_in_flight, path->rtt.smoothed,
                       path->rtt.latest, now);
    return rc;
}

static tern_time earliest_loss_time(const struct tern_conn *conn, enum tern_level *level)
{
    tern_time earliest = TERN_TIME_NEVER;
    for (unsigned i = tern_conn_first_level(conn); i < TERN_LEVELS; i++) {
        if (tern_space_is_live(&conn->spaces[i]) && conn->spaces[i].loss.loss_time < earliest) {
            earliest = conn->spaces[i].loss.loss_time;
            *level = (enum tern_level)i;
        }
    }
    return earliest;
}

/* RFC 9002 §6.2.2.1: a client whose address may not be validated yet keeps its timer armed. Who
 * acknowledges message 3 has validated it. */
static bool client_must_probe(const struct tern_conn *conn)
{
    return !conn->is_server && !conn->life.is_confirmed &&
           conn->life.state <= TERN_LIFE_ESTABLISHED &&
           !conn->spaces[TERN_LEVEL_HANDSHAKE].loss.has_acked;
}

/* Small messages that somebody waits for: one packet in a round trip is less than they would be if nothing
 * were amiss, and whoever waits sees the end of a blackout that much sooner. As with TCP's thin streams it
 * is not backed off, but only for the first seconds. [P §9.4] */
static bool is_thin(const struct tern_conn *conn, enum tern_level level)
{
    return level == TERN_LEVEL_APP && conn->life.is_confirmed &&
           conn->path.cc.bytes_in_flight <= THIN_FLIGHT && tern_messages_are_waiting(conn);
}

/* What the application asked for that knows of somebody who waits: a probe at least so often, though not more
 * than two in a round trip, which is the least that a window lets out (RFC 9002 §7.2). That the answer to the first
 * may be late its own wait has allowed for. [P §9.4] */
static tern_time wanted_interval(const struct tern_conn *conn, enum tern_level level)
{
    tern_time every = conn->env->config->probe_interval;
    if (every == 0 || level != TERN_LEVEL_APP || !conn->life.is_confirmed || conn->pto_count == 0) {
        return TERN_TIME_NEVER;
    }
    every = conn->may_hurry ? every : TERN_MAX(every, UNHURRIED);
    return TERN_MAX(every, conn->path.rtt.smoothed / 2);
}

/* A server whose own network is dead has as many to ask as it has clients: all together they hurry so much, and
 * who comes too late takes its time until its next turn. */
static bool take_hurry(struct tern_conn_env *env, tern_time now)
{
    bool may = tern_budget_next(&env->hurry, 1, now) <= now;
    if (may) {
        tern_budget_on_sent(&env->hurry, 1, now);
    }
    return may;
}

/* The backoff is to spare a path that may be congested, and a packet or two in five seconds spare any.
 * Without an end, a connection would sleep as long as a blackout lasted once that is over. A handshake has
 * few small datagrams and an end soon ([P §10.3]): while it lasts the wait stays shorter still, so that it
 * survives many losses in time. */
static tern_time backed_off(const struct tern_conn *conn, enum tern_level level)
{
    tern_time pto = tern_conn_pto(conn, level);
    tern_time most = conn->life.is_confirmed ? PTO_MAX : HANDSHAKE_PTO_MAX;
    uint32_t count = conn->pto_count;
    if (is_thin(conn, level)) {
        if (count > 0 && count <= THIN_PTOS) { /* the probe asks for an ACK without delay */
            return TERN_MIN(tern_rtt_pto(&conn->path.rtt, 0), wanted_interval(conn, level));
        }
        count -= TERN_MIN(count, (uint32_t)THIN_PTOS);
    }
    tern_time wait = pto << TERN_MIN(count, (uint32_t)PTO_BACKOFF_MAX);
    return TERN_MIN(TERN_MAX(pto, TERN_MIN(wait, most)), wanted_interval(conn, level));
}

static tern_time probe_time(const struct tern_conn *conn, enum tern_level *level)
{
    tern_time earliest = TERN_TIME_NEVER;
    for (unsigned i = tern_conn_first_level(conn); i < TERN_LEVELS; i++) {
        const struct tern_space *space = &conn->spaces[i];
        if (!tern_space_is_live(space) || space->loss.sent.eliciting_outstanding == 0 ||
            (i == TERN_LEVEL_APP && !conn->life.is_confirmed)) { /* RFC 9002 §6.2.1 */
            continue;
        }
        tern_time at =
            tern_add_sat(space->loss.sent.last_eliciting_at, backed_off(conn, (enum tern_level)i));
        if (at < earliest) {
            earliest = at;
            *level = (enum tern_level)i;
        }
    }
    if (earliest == TERN_TIME_NEVER && client_must_probe(conn)) {
        *level = tern_space_is_live(&conn->spaces[TERN_LEVEL_HANDSHAKE]) ? TERN_LEVEL_HANDSHAKE
                                                                         : TERN_LEVEL_INITIAL;
        earliest = tern_add_sat(conn->last_eliciting_at, backed_off(conn, *level));
    }
    return earliest;
}

tern_time tern_recover_deadline(const struct tern_conn *conn)
{
    enum tern_level level = TERN_LEVEL_APP;
    tern_time at = earliest_loss_time(conn, &level);
    return at != TERN_TIME_NEVER ? at : probe_time(conn, &level);
}

static int on_loss_time(struct tern_conn *conn, enum tern_level level, tern_time now)
{
    struct tern_space *space = &conn->spaces[level];
    struct tern_loss_outcome outcome = {0};
    uint64_t prior_in_flight = conn->path.cc.bytes_in_flight;
    tern_loss_detect(&space->loss, &conn->path.rtt, tern_conn_pto(conn, level), &outcome, now);
    int rc = settle_lost(conn, level, &outcome, prior_in_flight, now);
    tern_messages_adapt(conn, &outcome);
    tern_loss_settle(&space->loss, &conn->path.rtt, now);
    return rc;
}

/* The frames of the two oldest packets; and of the small messages that somebody waits for as many as there is
 * room for in one probe: they would not be known to be lost before that one is answered. */
static int repeat_oldest(struct tern_conn *conn, enum tern_level level, bool with_messages)
{
    uint64_t cursor = 0;
    int rc = 0;
    for (unsigned i = 0; i < 2 && rc == 0; i++) {
        const struct tern_sent_packet *packet =
            tern_loss_oldest(&conn->spaces[level].loss, &cursor);
        if (packet == NULL) {
            break;
        }
        rc = tern_receipts_repeat(conn, level, packet);
    }
    if (with_messages) {
        tern_messages_repeat_small(conn, PROBE_ROOM);
    }
    return rc;
}

/* RFC 9002 §6.2.4: two probes, with what is still unacknowledged rather than bare PINGs. */
static int on_probe_time(struct tern_conn *conn, enum tern_level level, tern_time now)
{
    struct tern_space *space = &conn->spaces[level];
    bool is_awaited = wanted_interval(conn, level) != TERN_TIME_NEVER ||
                      (conn->pto_count > 0 && is_thin(conn, level));
    space->probes = is_awaited ? 1 : 2;
    conn->pto_count++;
    conn->may_hurry = conn->env->config->probe_interval > 0 && take_hurry(conn->env, now);
    conn->counters.ptos++;
    if (level == TERN_LEVEL_HANDSHAKE && !conn->is_server &&
        tern_space_is_live(&conn->spaces[TERN_LEVEL_APP])) {
        /* The server may have finished, and dropped the keys for this level: only a 1-RTT packet makes it
         * answer then, and tells it where a NAT has put us. */
        conn->spaces[TERN_LEVEL_APP].probes = 1;
    }
    return repeat_oldest(conn, level, is_awaited);
}

static void probe_now(struct tern_conn *conn, tern_time now)
{
    struct tern_space *space = &conn->spaces[TERN_LEVEL_APP];
    if (!tern_space_is_live(space) || space->loss.sent.eliciting_outstanding == 0) {
        return;
    }
    space->probes = TERN_MAX(space->probes, 1u);
    int rc = repeat_oldest(conn, TERN_LEVEL_APP, true);
    tern_conn_mark_ready(conn);
    if (rc != 0) {
        tern_conn_fail(conn, rc, 0, "out of memory", now);
    }
}

/* Who speaks again after probes that were not answered may do so because the network is back, and often it is
 * a probe of theirs. What waits here leaves a round trip after the last attempt, or now, and not when the backoff
 * says so: no more often than they speak. By the timer alone what is said anew would put it off. */
void tern_recover_on_heard(struct tern_conn *conn, tern_time now)
{
    if (conn->pto_count < 2) {
        return;
    }
    tern_time tried = conn->spaces[TERN_LEVEL_APP].loss.sent.last_eliciting_at;
    conn->pto_count = 1;
    if (now >= tern_add_sat(tried, conn->path.rtt.smoothed)) {
        probe_now(conn, now);
    }
}

void tern_conn_probe(tern_conn *conn, tern_time now)
{
    if (conn->life.state != TERN_LIFE_ESTABLISHED || !conn->life.is_confirmed) {
        return; /* a handshake's own timer is short */
    }
    if (conn->pto_count > 0) {
        probe_now(conn, now);
    } else if (tern_sub_sat(now, TERN_MAX(conn->idle_from, conn->last_eliciting_at)) > TERN_SEC) {
        conn->wants_ping = true;
        tern_conn_mark_ready(conn);
    }
}

void tern_recover_on_timer(struct tern_conn *conn, tern_time now)
{
    enum tern_level level = TERN_LEVEL_APP;
    int rc = 0;
    tern_time at = earliest_loss_time(conn, &level);
    if (at != TERN_TIME_NEVER) {
        rc = now >= at ? on_loss_time(conn, level, now) : 0;
    } else if (now >= probe_time(conn, &level)) {
        rc = on_probe_time(conn, level, now);
    }
    if (rc != 0) {
        tern_conn_fail(conn, rc, 0, "out of memory", now);
    }
}
