/* Packets are filled, padded, sealed and masked straight into the caller's train.
 *
 * A datagram is planned first (which levels have something, how long each packet is) and sealed
 * when all of its packets stand, since padding goes into the last one. Congestion control, pacing
 * and the amplification limit are asked once for each datagram; ACKs and probes need no leave from
 * the first two. [P §3], [P §9]
 * SPDX-License-Identifier: MIT */
#include "conn/output.h"

#include "conn/fill.h"
#include "conn/handshake.h"
#include "conn/messages.h"
#include "conn/migrate.h"
#include "conn/modes.h"
#include "conn/rekey.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "conn/run.h"
#include "conn/secrets.h"
#include "wire/frame.h"
#include "wire/header.h"
#include "wire/limits.h"

#define SKIP_LEAST     64 /* packets between two numbers that are left out, [P §9.2] */
#define SKIP_REACH_MIN 192
#define SKIP_REACH_MAX 4096
#define WAKE_AGAIN     (100 * TERN_MSEC) /* when there was no memory to wake up */
#define COMPANY_STEP   64
#define COMPANY_MAX    256
#define QUIET_MAX      32 /* ACK-only packets in a row before one asks for an ACK (RFC 9000 §13.2.4) */

/* One packet of a datagram, filled but not sealed. */
struct tern_plan {
    struct tern_fill fill;
    uint8_t *at;
    uint64_t pn;
    size_t header_len, pn_len, tag_len;
    unsigned flags;
    struct tern_cid dcid;
};

static const enum tern_packet_type type_of[TERN_LEVELS] = {
    [TERN_LEVEL_INITIAL] = TERN_PACKET_INITIAL,
    [TERN_LEVEL_HANDSHAKE] = TERN_PACKET_HANDSHAKE,
    [TERN_LEVEL_APP] = TERN_PACKET_ONE_RTT,
};

/* Early data has the numbers of 1-RTT packets, and a long header. */
static enum tern_packet_type packet_type(const struct tern_conn *conn, enum tern_level level)
{
    bool is_early = level == TERN_LEVEL_APP && conn->sends_early;
    return is_early ? TERN_PACKET_ZERO_RTT : type_of[level];
}

static size_t plan_size(const struct tern_plan *plan)
{
    return plan->header_len + tern_writer_used(&plan->fill.w) + plan->tag_len;
}

static size_t number_size(enum tern_level level, uint64_t pn, uint64_t acked)
{
    return level == TERN_LEVEL_APP ? tern_pn_size_generous(pn, acked) : tern_pn_size(pn, acked);
}

/* RFC 9000 §21.4: who acknowledges what it has not received should be found out before it has won a
 * window by it. Each number that is left out costs the receiver a range and an ACK: hence not more often. */
static uint64_t next_skip(const struct tern_conn *conn)
{
    uint64_t window = conn->path.cc.cwnd / conn->path.cc.datagram;
    uint64_t reach = TERN_MIN(TERN_MAX(window, (uint64_t)SKIP_REACH_MIN), (uint64_t)SKIP_REACH_MAX);
    return SKIP_LEAST + tern_random_below(conn->env->random, reach);
}

/* What a client says in front of its Initial packets to prove itself. */
static size_t token_size(const struct tern_conn *conn, enum tern_level level)
{
    bool has_any = level == TERN_LEVEL_INITIAL && !conn->is_server && conn->handshake != NULL;
    return has_any ? conn->handshake->token_len : 0;
}

/* Lays a packet of a level out over `room` bytes. False when not even a small frame would fit. */
static bool plan_begin(struct tern_plan *plan, struct tern_conn *conn, enum tern_level level,
                       const struct tern_cid *dcid, uint8_t *at, size_t room)
{
    struct tern_space *space = &conn->spaces[level];
    uint64_t acked = space->loss.has_acked ? space->loss.largest_acked : TERN_PN_NONE;
    if (level == TERN_LEVEL_APP && space->loss.sent.next_pn >= space->skip_at &&
        tern_sent_reserve(&space->loss.sent, 0) == 0) {
        tern_sent_skip(&space->loss.sent);
        space->skip_at = space->loss.sent.next_pn + next_skip(conn);
    }
    plan->flags = 0;
    plan->at = at;
    plan->pn = space->loss.sent.next_pn;
    plan->pn_len = number_size(level, plan->pn, acked);
    plan->tag_len = space->keys->tx.aead.suite->tag_size;
    plan->dcid = *dcid;
    enum tern_packet_type type = packet_type(conn, level);
    size_t scid_len = type == TERN_PACKET_ONE_RTT ? 0 : conn->cids.local[0].cid.len;
    plan->header_len =
        tern_header_size(type, plan->dcid.len, scid_len, token_size(conn, level), plan->pn_len);
    if (room < plan->header_len + plan->tag_len + TERN_PLAN_ROOM_MIN) {
        return false;
    }
    tern_fill_init(&plan->fill, conn, level);
    tern_writer_init(&plan->fill.w, at + plan->header_len, room - plan->header_len - plan->tag_len);
    return true;
}

static void write_header(const struct tern_plan *plan)
{
    const struct tern_conn *conn = plan->fill.conn;
    struct tern_writer w;
    size_t body = tern_writer_used(&plan->fill.w) + plan->tag_len;
    tern_writer_init(&w, plan->at, plan->header_len);
    enum tern_packet_type type = packet_type(conn, plan->fill.level);
    if (type == TERN_PACKET_ONE_RTT) {
        tern_header_encode_short(&w, &plan->dcid, (plan->fill.space->keys->phase & 1) != 0,
                                 plan->pn, plan->pn_len);
    } else {
        size_t token = token_size(conn, plan->fill.level);
        tern_header_encode_long(&w, type, &plan->dcid, &conn->cids.local[0].cid,
                                token > 0 ? conn->handshake->token : NULL, token, plan->pn,
                                plan->pn_len, body);
    }
    tern_assert(!w.failed && tern_writer_used(&w) == plan->header_len);
}

/* 0 · TERN_ERR_AEAD_LIMIT */
static int seal_plan(struct tern_plan *plan, tern_time now)
{
    struct tern_key_phase *kp = plan->fill.space->keys;
    uint8_t mask[TERN_MASK_SIZE];
    size_t len = tern_writer_used(&plan->fill.w);
    int rc = tern_packet_seal(&kp->tx, 0, plan->pn, plan->at, plan->header_len,
                              plan->at + plan->header_len, len);
    if (rc != 0) {
        return rc;
    }
    size_t pn_offset = plan->header_len - plan->pn_len;
    tern_aead_mask(&kp->tx.mask, plan->at + pn_offset + 4, mask);
    tern_header_mask(plan->at, pn_offset, plan->pn_len, mask);
    tern_key_phase_on_sealed(kp, len, now);
    return 0;
}

/* The packet is whole: into the books, then sealed. 0 · TERN_ERR_AEAD_LIMIT */
static int plan_finish(struct tern_plan *plan, tern_time now)
{
    struct tern_conn *conn = plan->fill.conn;
    struct tern_path *path =
        tern_migrate_by_id(conn, plan->fill.path->id); /* that keeps the books */
    size_t size = plan_size(plan);
    unsigned flags = plan->flags;
    write_header(plan);
    tern_conn_trace_packet(conn, TERN_TRACE_SENT, (uint8_t)packet_type(conn, plan->fill.level),
                           plan->pn, size, plan->at + plan->header_len,
                           tern_writer_used(&plan->fill.w), now);
    flags |= plan->fill.is_eliciting ? TERN_SENT_ELICITING | TERN_SENT_IN_FLIGHT : 0;
    flags |= plan->fill.is_padded ? TERN_SENT_IN_FLIGHT : 0;
    uint64_t in_flight = path->cc.bytes_in_flight;
    uint8_t mark = plan->fill.level == TERN_LEVEL_APP ? path->ecn.mark : TERN_ECN_NONE;
    struct tern_sent_packet *packet =
        tern_sent_commit(&plan->fill.space->loss.sent, size, flags, path->id, mark, now);
    if (mark != TERN_ECN_NONE) {
        tern_ecn_on_sent(&path->ecn);
    }
    if ((flags & TERN_SENT_IN_FLIGHT) != 0) {
        tern_rate_on_sent(&path->rate, packet, in_flight, now);
        tern_cc_on_sent(&path->cc, size, &path->rate, now);
        if ((flags & TERN_SENT_PROBE) == 0) { /* [P §9.6]: probes are not paced */
            tern_pacer_on_sent(&path->pacer, size, now);
        }
    }
    if (plan->fill.is_eliciting) {
        conn->idle_from = conn->has_sent_since_received ? conn->idle_from : now;
        conn->has_sent_since_received = true;
        conn->last_eliciting_at = now;
        plan->fill.space->probes -= plan->fill.space->probes > 0 ? 1 : 0;
        conn->quiet_packets = 0;
    } else if (++conn->quiet_packets >= QUIET_MAX) {
        conn->wants_ping = conn->life.state == TERN_LIFE_ESTABLISHED;
    }
    conn->counters.packets_sent++;
    return seal_plan(plan, now);
}

/* A packet too short for the mask's sample gets PADDING (RFC 9001 §5.4.2). */
static void pad_for_sample(struct tern_plan *plan)
{
    bool was_padded = plan->fill.is_padded;
    tern_fill_padding(&plan->fill, 4 - TERN_MIN(plan->pn_len, (size_t)4));
    plan->fill.is_padded = was_padded; /* a byte or three: not worth the congestion window */
}

/* ACKs of many connections to one host are hardly ever of one length, and what is not leaves in a send of its
 * own and comes as a datagram of its own. In such steps nearly all are. */
static void pad_for_company(struct tern_plan *plan)
{
    size_t size = plan_size(plan), odd = size % COMPANY_STEP;
    if (plan->fill.conn->env->has_company && odd > 0 && size < COMPANY_MAX) {
        bool was_padded = plan->fill.is_padded;
        tern_fill_padding(&plan->fill, tern_writer_used(&plan->fill.w) + COMPANY_STEP - odd);
        plan->fill.is_padded = was_padded; /* as above */
    }
}

/* RFC 9000 §14.1: a datagram with an Initial that elicits an ACK, or any from a client, and one
 * with a PATH frame, is expanded to 1200 bytes. */
static bool must_expand(const struct tern_plan *plans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct tern_fill *fill = &plans[i].fill;
        if (fill->needs_full_size ||
            (fill->level == TERN_LEVEL_INITIAL && (!fill->conn->is_server || fill->is_eliciting))) {
            return true;
        }
    }
    return false;
}

static int finish_all(struct tern_plan *plans, size_t n, size_t *total, tern_time now)
{
    if (must_expand(plans, n) && *total < TERN_INITIAL_DATAGRAM_MIN) {
        struct tern_plan *last = &plans[n - 1];
        tern_fill_padding(&last->fill,
                          tern_writer_used(&last->fill.w) + TERN_INITIAL_DATAGRAM_MIN - *total);
    }
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = plan_finish(&plans[i], now);
        if (rc != 0) {
            return rc;
        }
        *total += plan_size(&plans[i]);
    }
    return 0;
}

/* How much more than ACKs may leave now. */
struct leave {
    size_t full; /* a datagram of the path's size */
    size_t size; /* 0: nothing */
    /* Not a whole datagram: messages alone, which cannot be cut and should not wait. */
    bool is_small;
};

/* Builds one datagram of at most `limit` bytes at `at`. *size is 0 when nothing wants to leave.
 * 0 · TERN_ERR_NOMEM · TERN_ERR_AEAD_LIMIT */
static int build_datagram(struct tern_conn *conn, uint8_t *at, size_t limit,
                          const struct leave *leave, size_t *size, tern_time now)
{
    struct tern_plan plans[TERN_LEVELS];
    size_t n = 0, total = 0;
    *size = 0;
    for (unsigned level = tern_conn_first_level(conn); level < TERN_LEVELS; level++) {
        struct tern_plan *plan = &plans[n];
        if (!tern_space_is_live(&conn->spaces[level]) ||
            !plan_begin(plan, conn, (enum tern_level)level, tern_cids_remote(&conn->cids),
                        at + total, limit - total)) {
            continue;
        }
        plan->fill.full = (size_t)tern_sub_sat(leave->full, plan->header_len + plan->tag_len);
        plan->fill.is_small = leave->is_small;
        bool may = leave->size > 0 || conn->spaces[level].probes > 0;
        int rc = tern_fill_packet(&plan->fill, may, now);
        if (rc != 0) {
            return rc;
        }
        if (tern_writer_used(&plan->fill.w) == 0) {
            tern_sent_rollback(&conn->spaces[level].loss.sent);
            continue;
        }
        pad_for_sample(plan);
        pad_for_company(plan);
        total += plan_size(plan);
        n++;
    }
    if (n == 0) {
        return 0;
    }
    int rc = finish_all(plans, n, &total, now);
    *size = total;
    return rc;
}

/* The size of a datagram with the next message alone, if streams do not come before it and it need not be
 * cut; 0: no such message. */
static size_t least_datagram(struct tern_conn *conn, size_t full)
{
    const struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    if (conn->messages == NULL || !tern_space_is_live(app) || conn->sends_early) {
        return 0;
    }
    size_t around = (size_t)2 + tern_cids_remote(&conn->cids)->len + TERN_PN_MAX_SIZE +
                    tern_suite_tag_size(app->keys->tx.suite);
    size_t frame = tern_messages_urgent_size(conn, (size_t)tern_sub_sat(full, around));
    return frame == 0 ? 0 : around + TERN_MAX(frame, (size_t)TERN_PLAN_ROOM_MIN);
}

/* Asks for a datagram of `limit` bytes. Notes what holds it back. What has not room for so much, or budget,
 * may have it for the next message: bytes in flight are limited, not datagrams. */
static void ask_leave(struct tern_conn *conn, struct leave *leave, size_t limit, tern_time now)
{
    struct tern_path *path = &conn->path;
    uint64_t room = tern_cc_room(&path->cc), budget = tern_pacer_budget(&path->pacer, now);
    conn->pacing_until = 0;
    leave->size = limit;
    leave->is_small = false;
    size_t least = limit;
    if (room < limit || budget < limit) {
        least = least_datagram(conn, leave->full);
        leave->is_small = least > 0 && least < limit;
        least = leave->is_small ? least : limit;
        leave->size =
            leave->is_small ? (size_t)TERN_MIN(TERN_MIN(room, budget), (uint64_t)limit) : limit;
    }
    if (room < least) {
        leave->size = 0;
        return;
    }
    tern_time at = tern_budget_next(&conn->budget, least, now);
    if (at >
        now) { /* the window is open and not used: nothing can be learnt of the path from that */
        conn->pacing_until = at;
        tern_rate_on_app_limited(&path->rate, path->cc.bytes_in_flight);
        leave->size = 0;
    } else if (budget < least) {
        conn->pacing_until = tern_pacer_next(&path->pacer, least);
        leave->size = conn->pacing_until <= now ? least : 0;
    }
}

static bool wants_any_data(struct tern_conn *conn)
{
    for (unsigned level = tern_conn_first_level(conn); level < TERN_LEVELS; level++) {
        if (tern_space_is_live(&conn->spaces[level]) &&
            tern_fill_wants_data(conn, (enum tern_level)level)) {
            return true;
        }
    }
    return false;
}

static void count_sent(struct tern_conn *conn, struct tern_path *path, tern_train *train,
                       size_t size, tern_time now)
{
    tern_budget_on_sent(&conn->budget, size, now);
    train->len += size;
    conn->counters.bytes_sent += size;
    path->sent += path->is_validated ? 0 : size;
}

/* --- the four kinds of train ----------------------------------------------------------------- */

/* Is there a message without which the peer cannot open the last words? Of a server that ends what early data
 * began, before message 2 has left, that one; of a client message 3, as long as nobody has acknowledged it. Not in
 * first contact: who does not like the server's key has not shown its own. */
static bool owes_message(const struct tern_fill *fill)
{
    const struct tern_conn *conn = fill->conn;
    struct tern_crypto_flow *flow = &fill->space->crypto;
    if (conn->is_server) {
        return fill->level == TERN_LEVEL_INITIAL && conn->early == TERN_EARLY_ACCEPTED &&
               tern_crypto_flow_wants(flow);
    }
    return fill->level == TERN_LEVEL_HANDSHAKE && flow->out_len > 0 && conn->handshake != NULL &&
           tern_mode_is_xk(conn->handshake->pattern) && !fill->space->loss.has_acked &&
           tern_crypto_flow_on_lost(flow, 0, flow->out_len) == 0 && tern_crypto_flow_wants(flow);
}

/* What a packet of the last words holds. */
static void fill_last_words(struct tern_plan *plan, tern_time now)
{
    if (!owes_message(&plan->fill) || tern_fill_packet(&plan->fill, true, now) != 0) {
        tern_fill_close(&plan->fill);
    }
}

/* The last packet of the last words. What a server says early makes those in a Handshake packet superfluous. */
static bool is_last_level(const struct tern_conn *conn, unsigned level)
{
    unsigned last = conn->is_server && conn->sends_early ? TERN_LEVEL_APP : TERN_LEVEL_HANDSHAKE;
    return level == TERN_LEVEL_APP || !tern_space_is_live(&conn->spaces[last]) ||
           (level == TERN_LEVEL_HANDSHAKE && !tern_space_is_live(&conn->spaces[TERN_LEVEL_APP]));
}

static size_t transmit_close(struct tern_conn *conn, tern_train *train, tern_time now)
{
    struct tern_plan plan;
    bool owes_size = false;
    size_t limit = TERN_MIN((size_t)TERN_INITIAL_DATAGRAM_MIN, train->capacity);
    limit = (size_t)TERN_MIN((uint64_t)limit, tern_path_allowance(&conn->path));
    bool is_half = conn->is_server && conn->sends_early;
    conn->life.wants_close = false;
    if (!is_half) {
        tern_handshake_install_due(conn);
    }
    if (conn->life.end_at == TERN_TIME_NEVER) {
        conn->life.end_at = now + tern_conn_closing_time(conn);
        if (conn->life.by == TERN_CLOSED_LOCAL) { /* else whoever ended it has said so */
            tern_trace_state(&conn->trace, tern_life_name(conn->life.state), now);
        }
    }
    /* At every level that the peer may have keys for; a server's Initial can be the only one. */
    for (unsigned level = tern_conn_first_level(conn); level < TERN_LEVELS; level++) {
        if (!tern_space_is_live(&conn->spaces[level]) ||
            (is_half && level == TERN_LEVEL_HANDSHAKE) ||
            !plan_begin(&plan, conn, (enum tern_level)level, tern_cids_remote(&conn->cids),
                        train->data + train->len, limit - train->len)) {
            continue;
        }
        if (tern_sent_reserve(&conn->spaces[level].loss.sent, 1) != 0) {
            continue;
        }
        fill_last_words(&plan, now);
        if (plan.fill.w.failed) {
            continue;
        }
        owes_size = owes_size || (conn->is_server && plan.fill.is_eliciting) ||
                    (!conn->is_server && level == TERN_LEVEL_INITIAL);
        if (owes_size && is_last_level(conn, level)) {
            tern_fill_padding(&plan.fill, limit - train->len - plan.header_len - plan.tag_len);
        }
        pad_for_sample(&plan);
        if (plan_finish(&plan, now) == 0) {
            count_sent(conn, &conn->path, train, plan_size(&plan), now);
        }
    }
    train->segment = train->len;
    return train->len > 0 ? 1 : 0;
}

/* A large probe may pass the window a little: where data always fills it, there never is room for one. */
static bool has_probe_room(const struct tern_path *path, size_t size)
{
    uint64_t room = tern_cc_room(&path->cc);
    return room >= size || (room >= path->pmtud.current && size <= path->cc.cwnd / 2);
}

static size_t transmit_probe(struct tern_conn *conn, tern_train *train, tern_time now)
{
    struct tern_path *path = &conn->path;
    struct tern_plan plan;
    size_t size = tern_pmtud_wants(&path->pmtud, now);
    if (size == 0 || size > train->capacity || !path->is_validated || !has_probe_room(path, size) ||
        tern_budget_next(&conn->budget, size, now) > now) {
        return 0;
    }
    if (!plan_begin(&plan, conn, TERN_LEVEL_APP, tern_cids_remote(&conn->cids), train->data,
                    size) ||
        tern_sent_reserve(&plan.fill.space->loss.sent, 2) != 0) {
        return 0;
    }
    tern_fill_probe(&plan.fill, size);
    plan.flags = TERN_SENT_PROBE;
    if (plan_finish(&plan, now) != 0) {
        return 0;
    }
    tern_pmtud_on_sent(&path->pmtud, plan.pn);
    count_sent(conn, path, train, size, now);
    train->segment = size;
    return 1;
}

/* The identifier for a path beside the one in use. NULL: the peer has retired it, and gives no other. */
static const struct tern_cid *other_cid(struct tern_conn *conn, struct tern_path *path)
{
    const struct tern_cid *cid = tern_cids_remote_by(&conn->cids, path->cid);
    if (cid == NULL && tern_cids_claim(&conn->cids, &path->cid)) {
        cid = tern_cids_remote_by(&conn->cids, path->cid);
    }
    return cid;
}

/* Congestion control does not hold a question back: on a path that was left it may never be open again.
 * Answers, which the peer can ask for at will, do wait for it. */
static bool may_probe(const struct tern_conn *conn, const struct tern_path *path)
{
    if (path->wants_challenge) {
        return true;
    }
    return path != &conn->path && path->response_count > 0 &&
           tern_cc_room(&path->cc) >= TERN_INITIAL_DATAGRAM_MIN;
}

/* A datagram of PATH frames alone: all that leaves on a path that is not in use. */
static size_t transmit_path(struct tern_conn *conn, struct tern_path *path, tern_train *train,
                            tern_time now)
{
    struct tern_plan plan;
    if (path == NULL || !may_probe(conn, path)) {
        return 0;
    }
    const struct tern_cid *cid = other_cid(conn, path);
    size_t limit = (size_t)TERN_MIN((uint64_t)TERN_INITIAL_DATAGRAM_MIN, tern_path_allowance(path));
    if (cid == NULL || limit < TERN_MIN_SEND_ALLOWANCE ||
        !plan_begin(&plan, conn, TERN_LEVEL_APP, cid, train->data, limit) ||
        tern_sent_reserve(&plan.fill.space->loss.sent, 1) != 0) {
        return 0;
    }
    plan.fill.path = path;
    path->is_short = path->wants_challenge && limit < TERN_INITIAL_DATAGRAM_MIN;
    plan.flags = TERN_SENT_PROBE; /* its loss tells nothing about the path in use */
    tern_fill_path(&plan.fill, now);
    /* RFC 9000 §8.2.1: full size, or as it is. Padding that proves nothing would use up what the limit
     * lets out, and then a lost challenge could not be repeated before more came in. */
    if (limit == TERN_INITIAL_DATAGRAM_MIN) {
        tern_fill_padding(&plan.fill, (size_t)(plan.fill.w.end - plan.fill.w.start));
    }
    if (plan_finish(&plan, now) != 0) {
        return 0;
    }
    train->local = path->local;
    train->remote = path->remote;
    count_sent(conn, path, train, plan_size(&plan), now);
    train->segment = train->len;
    return 1;
}

/* The second probe timeout in a row may mean that the path has shrunk and swallows whatever has full
 * size: probes of the base size get an answer, which tells the others lost (RFC 8899 §4.3). */
static size_t datagram_limit(const struct tern_conn *conn, bool is_established)
{
    bool is_probing = conn->pto_count >= 2 && conn->spaces[TERN_LEVEL_APP].probes > 0;
    return is_established && !is_probing ? conn->path.pmtud.current : TERN_INITIAL_DATAGRAM_MIN;
}

/* A datagram of full size left, and more waits behind it. The first time that ends the train: the
 * probe leaves next, before the window is full. */
static bool note_size(struct tern_conn *conn, size_t size)
{
    struct tern_pmtud *pmtud = &conn->path.pmtud;
    bool is_news =
        !pmtud->is_useful && size >= pmtud->current && tern_streams_has_data(&conn->streams);
    pmtud->is_useful = pmtud->is_useful || is_news;
    return is_news;
}

/* Datagrams of full size with the bytes of one stream, if there are any next. The first that there ever was ends
 * its train, as above, and is none of these. */
static size_t transmit_run(struct tern_conn *conn, tern_train *train, size_t most, tern_time now)
{
    const struct tern_pmtud *pmtud = &conn->path.pmtud;
    size_t count = 0;
    if (pmtud->is_useful && tern_streams_has_data(&conn->streams)) {
        count = tern_run_transmit(conn, train, pmtud->current, most, now);
        train->segment = count > 0 ? pmtud->current : train->segment;
    }
    return count;
}

static size_t transmit_data(struct tern_conn *conn, tern_train *train, tern_time now)
{
    struct tern_path *path = &conn->path;
    bool is_established = conn->life.state == TERN_LIFE_ESTABLISHED && conn->handshake == NULL;
    size_t limit = datagram_limit(conn, is_established);
    size_t count = 0;
    struct leave leave = {.full = limit};
    if (conn->pacing_until > 0 && now > conn->pacing_until) {
        tern_pacer_catch_up(&path->pacer, limit, now - conn->pacing_until, now);
    }
    if (is_established) { /* ECN counts are kept for 1-RTT packets, which are alone in their train then */
        tern_ecn_choose(&path->ecn, 3 * tern_conn_pto(conn, TERN_LEVEL_APP), now);
        train->ecn = path->ecn.mark;
    }
    while (count < TERN_TRAIN_MAX && train->capacity - train->len >= limit) {
        size_t allowed = (size_t)TERN_MIN((uint64_t)limit, tern_path_allowance(path));
        size_t size = 0;
        if (allowed < TERN_MIN_SEND_ALLOWANCE) {
            break;
        }
        size_t run = is_established && limit == leave.full
                         ? transmit_run(conn, train, TERN_TRAIN_MAX - count, now)
                         : 0;
        if (run > 0) {
            count += run;
            continue;
        }
        ask_leave(conn, &leave, limit, now);
        allowed = leave.is_small && leave.size > 0 ? TERN_MIN(allowed, leave.size) : allowed;
        int rc = build_datagram(conn, train->data + train->len, allowed, &leave, &size, now);
        if (rc != 0) {
            tern_conn_fail(conn, rc, 0, NULL, now);
            break;
        }
        if (size == 0) {
            /* Behind a short first datagram there is only room for as short ones. */
            conn->has_said_all = limit == leave.full || !wants_any_data(conn);
            break;
        }
        count_sent(conn, path, train, size, now);
        count++;
        if (count == 1) {
            train->segment = size;
            limit = TERN_MIN(limit, size);
        }
        if (size < limit || !is_established || leave.is_small || note_size(conn, size)) {
            break;
        }
    }
    return count;
}

/* Nothing more to say although the window is open: rate samples must know (RFC 9002 §7.8). */
static void note_app_limited(struct tern_conn *conn)
{
    struct tern_path *path = &conn->path;
    if (tern_cc_room(&path->cc) >= path->cc.datagram && !wants_any_data(conn) &&
        conn->pacing_until == 0) {
        tern_rate_on_app_limited(&path->rate, path->cc.bytes_in_flight);
    }
}

/* No memory to wake up with: what there is to say waits, but for a farewell, which remains unsaid. */
static size_t rest_on(struct tern_conn *conn, tern_time now)
{
    conn->pacing_until = tern_add_sat(now, WAKE_AGAIN);
    if (conn->life.state == TERN_LIFE_CLOSING && tern_life_end(&conn->life)) {
        tern_trace_state(&conn->trace, tern_life_name(conn->life.state), now);
    }
    return 0;
}

size_t tern_conn_transmit(struct tern_conn *conn, tern_train *train, tern_time now)
{
    size_t count = 0;
    conn->has_said_all = false;
    train->len = train->segment = 0;
    train->ecn = TERN_ECN_NONE;
    conn->path.ecn.mark = TERN_ECN_NONE;
    train->local = conn->path.local;
    train->remote = conn->path.remote;
    if (conn->life.state <= TERN_LIFE_CLOSING && tern_rest_wake(conn, now) != 0) {
        return rest_on(conn, now);
    }
    if (tern_life_is_over(&conn->life)) {
        return conn->life.wants_close ? transmit_close(conn, train, now) : 0;
    }
    if (conn->wants_cc) {
        conn->wants_cc = false;
        tern_path_set_cc(&conn->path, conn->cc_ops, now);
    }
    tern_messages_expire(conn, now);
    tern_resume_give_half(conn, now);
    struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    if (conn->life.is_confirmed && app->keys != NULL) {
        int rc = tern_rekey_advance(conn, now);
        if (rc == 0) {
            rc = tern_key_phase_advance(app->keys, app->loss.sent.next_pn,
                                        3 * tern_conn_pto(conn, TERN_LEVEL_APP), now);
        }
        if (rc != 0) {
            tern_conn_fail(conn, rc, 0, NULL, now);
            return transmit_close(conn, train, now);
        }
        for (size_t i = 0; i < TERN_OTHERS && count == 0; i++) {
            count = transmit_path(conn, conn->others[i], train, now);
        }
        if (count == 0) {
            count = transmit_path(conn, &conn->path, train, now);
        }
        if (count == 0) {
            count = transmit_probe(conn, train, now);
        }
    }
    if (count == 0) {
        count = transmit_data(conn, train, now);
    }
    if (count == 0 && conn->life.wants_close) { /* what we tried to build has failed us */
        return transmit_close(conn, train, now);
    }
    if (count == 0 || conn->has_said_all) {
        note_app_limited(conn);
    }
    return count;
}
