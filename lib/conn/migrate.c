/* Trials, moves and returns. [P §11]
 * SPDX-License-Identifier: MIT */
#include "conn/migrate.h"

#define SHUN_DOUBLE_MAX 6

/* --- which path ----------------------------------------------------------------------------------- */

/* A port of 0 is any: the operating system has chosen it. */
static bool is_local(const struct tern_path *path, const tern_addr *local)
{
    return path->local.family == 0 || local->family == 0 || tern_addr_equal(&path->local, local) ||
           (path->local.port == 0 && tern_path_is_same_host(&path->local, local));
}

static bool is_of(const struct tern_conn *conn, const struct tern_path *path,
                  const tern_datagram *in)
{
    /* A client knows its paths by their near end, a server by their far one. */
    return tern_addr_equal(&path->remote, &in->remote) &&
           (conn->is_server || is_local(path, &in->local));
}

struct tern_path *tern_migrate_path(struct tern_conn *conn, const tern_datagram *in)
{
    if (is_of(conn, &conn->path, in)) {
        return &conn->path;
    }
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        if (conn->others[i] != NULL && is_of(conn, conn->others[i], in)) {
            return conn->others[i];
        }
    }
    return NULL;
}

struct tern_path *tern_migrate_by_id(struct tern_conn *conn, uint8_t id)
{
    if (conn->path.id == id) {
        return &conn->path;
    }
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        if (conn->others[i] != NULL && conn->others[i]->id == id) {
            return conn->others[i];
        }
    }
    return NULL;
}

void tern_migrate_settle(struct tern_conn *conn, const struct tern_sent_packet *packet)
{
    struct tern_path *path = tern_migrate_by_id(conn, packet->path);
    if (path != NULL && path != &conn->path && (packet->flags & TERN_SENT_IN_FLIGHT) != 0) {
        tern_cc_on_discarded(&path->cc, packet->size);
    }
}

/* --- birth and death of the others ---------------------------------------------------------------- */

static bool is_cid_in_use(const struct tern_conn *conn, uint64_t cid)
{
    bool is_used = conn->path.cid == cid;
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        is_used = is_used || (conn->others[i] != NULL && conn->others[i]->cid == cid);
    }
    return is_used;
}

static void let_go(struct tern_conn *conn, uint64_t cid)
{
    if (!is_cid_in_use(conn, cid)) {
        tern_cids_release(&conn->cids, cid);
    }
}

/* Puts a path (or none) in the place of another, which is forgotten. */
static void replace_other(struct tern_conn *conn, enum tern_other which, struct tern_path *path)
{
    struct tern_path *before = conn->others[which];
    conn->others[which] = path;
    if (before != NULL) {
        let_go(conn, before->cid);
        tern_mem_free(conn->env->mem, before);
    }
}

/* The number of a new path in the books: none that another path has, and not 0 again, that of the path
 * before the first move. */
static uint8_t next_id(struct tern_conn *conn)
{
    do {
        conn->path_ids++;
    } while (conn->path_ids == 0 || tern_migrate_by_id(conn, conn->path_ids) != NULL);
    return conn->path_ids;
}

/* A path beside the one in use, with nothing measured yet; NULL without memory. The identifier is
 * for the caller to choose. */
static struct tern_path *new_path(struct tern_conn *conn, const tern_addr *local,
                                  const tern_addr *remote, tern_time now)
{
    struct tern_path_room *room = tern_mem_alloc(conn->env->mem, sizeof *room);
    struct tern_path *path = room == NULL ? NULL : &room->path;
    if (path != NULL) {
        tern_path_init(path, &room->cc, local, remote, conn->cc_ops, conn->env->config->initial_rtt,
                       now);
        tern_pmtud_init(&path->pmtud, conn->path.pmtud.ceiling);
        path->id = next_id(conn);
    }
    return path;
}

/* RFC 9000 §8.2.4: three PTO, of the path that was or of one not yet measured, the larger. */
static tern_time patience(const struct tern_conn *conn)
{
    struct tern_rtt unmeasured;
    tern_rtt_init(&unmeasured, conn->env->config->initial_rtt);
    return TERN_PATH_PATIENCE *
           TERN_MAX(tern_conn_pto(conn, TERN_LEVEL_APP), tern_rtt_pto(&unmeasured, 0));
}

/* --- change of the path in use -------------------------------------------------------------------- */

/* Where only the port was another both have one number, and the books were kept by the one in use. */
static void inherit_books(struct tern_path *other, const struct tern_path *old)
{
    if (other != NULL && other->id == old->id) {
        tern_path_inherit(other, old);
    }
}

/* A copy of its own, on the stack. */
static struct tern_path *put_aside(struct tern_path_room *room, const struct tern_path *path)
{
    room->path.cc.state = &room->cc;
    tern_path_copy(&room->path, path);
    return &room->path;
}

/* `next` is copied into the place of the path in use, which the caller has put aside. */
static void put_in_use(struct tern_conn *conn, const struct tern_path *next)
{
    struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    struct tern_ecn ecn = conn->path.ecn; /* the peer counts on, whatever the path */
    tern_time delay = tern_rtt_loss_delay(&conn->path.rtt);
    uint64_t wanted = conn->path.cc.wanted_rate;
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        inherit_books(conn->others[i], &conn->path);
    }
    tern_path_copy(&conn->path, next);
    conn->path.ecn = ecn;
    conn->path.drop_at = TERN_TIME_NEVER;
    tern_ecn_restart(&conn->path.ecn);
    conn->path.cc.wanted_rate = wanted;
    tern_cids_activate(&conn->cids, conn->path.cid);
    tern_loss_on_moved(&app->loss, conn->path.id, delay);
    conn->pto_count = 0;
    conn->pacing_until = 0;
    conn->counters.migrations++;
}

/* The path in use goes where the other one was, or nowhere if it was never validated. */
static void swap_in(struct tern_conn *conn, struct tern_path *next, tern_time now)
{
    struct tern_path_room room;
    const struct tern_path *old = put_aside(&room, &conn->path);
    if (!old->is_validated) { /* the last one that was proved is kept, not this */
        put_in_use(conn, next);
        tern_mem_free(conn->env->mem, next);
        let_go(conn, old->cid);
        return;
    }
    put_in_use(conn, next);
    tern_path_copy(next, old);
    next->drop_at = conn->path.is_validated ? now + patience(conn) : TERN_TIME_NEVER;
    replace_other(conn, TERN_OTHER_KEPT, next);
}

/* The end that moves, the far one for us as a server, is the same host. */
static bool is_alike(const struct tern_conn *conn, const struct tern_path *a,
                     const struct tern_path *b)
{
    return conn->is_server ? tern_path_is_same_host(&a->remote, &b->remote)
                           : tern_path_is_same_host(&a->local, &b->local);
}

static void measure(struct tern_conn *conn, struct tern_path *next, tern_time now)
{
    const struct tern_path *kept = conn->others[TERN_OTHER_KEPT];
    if (is_alike(conn, &conn->path, next)) {
        tern_path_inherit(next, &conn->path);
        return;
    }
    if (kept != NULL && is_alike(conn, kept, next)) {
        tern_path_inherit(next, kept);
        return;
    }
    tern_path_measure_afresh(next, conn->cc_ops, next->rtt.smoothed, now);
}

/* --- the server follows --------------------------------------------------------------------------- */

static bool is_shunned(const struct tern_conn *conn, const tern_addr *remote, tern_time now)
{
    return now < conn->shun.until && tern_addr_equal(&conn->shun.addr, remote);
}

/* The address proved nothing, or not before the peer spoke from the old one again, which no NAT that
 * forgot lets it do: it may be somebody who sends on copies of our peer's packets, and will go on to (RFC
 * 9000 §9.3.3). The next try has to wait, each time twice as long. */
static void shun(struct tern_conn *conn, const tern_addr *remote, tern_time now)
{
    bool is_known = tern_addr_equal(&conn->shun.addr, remote);
    conn->shun.times = is_known ? TERN_MIN(conn->shun.times + 1, (unsigned)SHUN_DOUBLE_MAX) : 0;
    conn->shun.addr = *remote;
    conn->shun.until = tern_add_sat(now, patience(conn) << conn->shun.times);
}

/* RFC 9000 §9.5: a peer that uses a new identifier of ours wants not to be known again, and gets a new
 * one of its own. One that keeps to the old is behind a NAT that forgot. */
static void choose_cid(struct tern_conn *conn, struct tern_path *next, const struct tern_cid *dcid)
{
    const struct tern_path *trial = conn->others[TERN_OTHER_TRIAL];
    next->used = *dcid;
    next->cid = conn->path.cid;
    if (trial != NULL && trial != next && tern_cid_equal(&trial->used, dcid)) {
        next->cid = trial->cid;
    } else if (!tern_cid_equal(&conn->path.used, dcid)) {
        bool has_fresh = tern_cids_claim(&conn->cids, &next->cid);
        (void)has_fresh; /* with none left the old one must do */
    }
}

struct tern_path *tern_migrate_probed(struct tern_conn *conn, const tern_datagram *in, size_t len,
                                      const struct tern_cid *dcid, tern_time now)
{
    struct tern_path *path = tern_migrate_path(conn, in);
    if (path != NULL || !conn->is_server) { /* a client answers from wherever its system lets it */
        return path == NULL ? &conn->path : path;
    }
    if (!conn->life.is_confirmed) {
        return NULL;
    }
    path = new_path(conn, &in->local, &in->remote, now);
    if (path != NULL) {
        choose_cid(conn, path, dcid);
        path->received = len;
        tern_path_ask(path, conn->env->random, now + patience(conn));
        replace_other(conn, TERN_OTHER_TRIAL, path);
    }
    return path;
}

/* The peer has gone back to the path that we kept, or we give the new one up. */
static void go_back(struct tern_conn *conn, tern_time now)
{
    struct tern_path *kept = conn->others[TERN_OTHER_KEPT];
    struct tern_path_room room;
    const struct tern_path *old = put_aside(&room, &conn->path);
    inherit_books(kept, old);
    conn->others[TERN_OTHER_KEPT] = NULL;
    tern_path_validate(kept);
    put_in_use(conn, kept);
    if (old->is_validated) { /* it was no forgery: the peer goes to and fro */
        tern_path_copy(kept, old);
        kept->drop_at = now + patience(conn);
        conn->others[TERN_OTHER_KEPT] = kept;
        return;
    }
    shun(conn, &old->remote, now);
    tern_mem_free(conn->env->mem, kept);
    let_go(conn, old->cid);
}

/* To an address that was never heard of, or one that was only probed from. */
static void go_on(struct tern_conn *conn, struct tern_path *next, tern_time now)
{
    tern_time until = now + patience(conn);
    bool was_validated = conn->path.is_validated;
    /* Ever new addresses must not put off the return to the last one that was proved. */
    if (!was_validated && conn->others[TERN_OTHER_KEPT] != NULL &&
        conn->path.challenge_until != TERN_TIME_NEVER) {
        until = TERN_MIN(until, tern_add_sat(conn->path.challenge_until, patience(conn) / 3));
    }
    measure(conn, next, now);
    swap_in(conn, next, now);
    if (conn->path.is_validated) {
        return;
    }
    if (!conn->path.has_challenge) {
        tern_path_ask(&conn->path, conn->env->random, until);
    }
    if (was_validated && conn->others[TERN_OTHER_KEPT] != NULL) { /* RFC 9000 §9.3.3 */
        tern_path_ask(conn->others[TERN_OTHER_KEPT], conn->env->random, until);
    }
}

/* A client that finds itself spoken to at another of its addresses: its system chose it, since the old
 * one went away. Nothing is to be proved by that. */
static void follow_system(struct tern_conn *conn, const tern_datagram *in, tern_time now)
{
    struct tern_path *path = &conn->path;
    bool is_same = tern_path_is_same_host(&path->local, &in->local);
    path->local = in->local;
    if (!is_same) {
        struct tern_path_room room;
        struct tern_path *next = put_aside(&room, path);
        next->cc.bytes_in_flight = 0;
        next->id = next_id(conn);
        tern_path_measure_afresh(next, conn->cc_ops, conn->env->config->initial_rtt, now);
        put_in_use(conn, next);
    }
}

void tern_migrate_follow(struct tern_conn *conn, const tern_datagram *in, size_t len,
                         const struct tern_cid *dcid, tern_time now)
{
    struct tern_path *next = tern_migrate_path(conn, in);
    if (!conn->is_server) {
        if (next == NULL) {
            follow_system(conn, in, now);
        }
        return;
    }
    if (next != NULL && next == conn->others[TERN_OTHER_KEPT]) {
        go_back(conn, now);
        return;
    }
    if (next == NULL) {
        if (is_shunned(conn, &in->remote, now) ||
            (next = new_path(conn, &in->local, &in->remote, now)) == NULL) {
            return; /* without memory the next packet tries again */
        }
        choose_cid(conn, next, dcid);
        next->received = len;
    } else {
        conn->others[TERN_OTHER_TRIAL] = NULL;
        next->used = *dcid;
    }
    go_on(conn, next, now);
}

/* --- the client moves ----------------------------------------------------------------------------- */

int tern_conn_migrate(tern_conn *conn, const tern_addr *local)
{
    tern_addr any = {0};
    uint64_t cid;
    local = local == NULL ? &any : local;
    if (tern_life_is_over(&conn->life)) {
        return TERN_ERR_CLOSED;
    }
    if (conn->is_server || !conn->life.is_confirmed) {
        return TERN_ERR_STATE;
    }
    if (local->family != 0 && local->family != conn->path.remote.family) {
        return TERN_ERR_INVALID;
    }
    if (conn->peer_terms.forbids_migration) {
        return TERN_ERR_UNSUPPORTED;
    }
    struct tern_path *before = conn->others[TERN_OTHER_TRIAL];
    if (before != NULL && tern_addr_equal(&before->local, local)) {
        return 0; /* under way */
    }
    replace_other(conn, TERN_OTHER_TRIAL, NULL);
    if (!tern_cids_claim(&conn->cids, &cid)) {
        return TERN_ERR_LIMIT;
    }
    struct tern_path *trial = new_path(conn, local, &conn->path.remote, conn->idle_from);
    if (trial == NULL) {
        tern_cids_release(&conn->cids, cid);
        return TERN_ERR_NOMEM;
    }
    trial->cid = cid;
    tern_path_validate(trial); /* no limit binds a client to the server that it chose ... */
    tern_path_ask(trial, conn->env->random, TERN_TIME_NEVER); /* ... but does it answer? */
    conn->others[TERN_OTHER_TRIAL] = trial;
    tern_conn_mark_ready(conn);
    return 0;
}

/* The trial has answered. */
static void on_trial_proved(struct tern_conn *conn, tern_time now)
{
    struct tern_path *trial = conn->others[TERN_OTHER_TRIAL];
    /* RFC 9002 §6.2.2: a guess for the first round trip, and no more than that */
    if (trial->challenged_at > 0) {
        tern_time rtt = tern_sub_sat(now, trial->challenged_at);
        tern_rtt_init(&trial->rtt, TERN_MAX(rtt, TERN_RTT_GRANULARITY));
    }
    if (conn->is_server) { /* the peer decides whether and when it moves */
        trial->drop_at = now + patience(conn);
        return;
    }
    conn->others[TERN_OTHER_TRIAL] = NULL;
    measure(conn, trial, now);
    swap_in(conn, trial, now);
    conn->wants_ping = true; /* only more than a probe tells the server to follow */
}

/* --- answers and timers --------------------------------------------------------------------------- */

void tern_migrate_on_response(struct tern_conn *conn, const uint8_t data[TERN_PATH_CHALLENGE_SIZE],
                              tern_time now)
{
    struct tern_path *trial = conn->others[TERN_OTHER_TRIAL];
    struct tern_path *kept = conn->others[TERN_OTHER_KEPT];
    if (tern_path_on_response(&conn->path, data)) {
        conn->shun.times = 0;
        if (conn->path.is_short) { /* RFC 9000 §8.2.1: once more, in full size */
            tern_path_ask(&conn->path, conn->env->random, TERN_TIME_NEVER);
        }
        if (kept != NULL) {
            kept->drop_at = now + patience(conn);
        }
    } else if (trial != NULL && tern_path_on_response(trial, data)) {
        on_trial_proved(conn, now);
    } else if (kept != NULL) {
        (void)tern_path_on_response(kept, data);
    }
}

tern_time tern_migrate_deadline(const struct tern_conn *conn)
{
    tern_time at = conn->path.challenge_until;
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        const struct tern_path *path = conn->others[i];
        if (path != NULL) {
            at = TERN_MIN(at, TERN_MIN(path->challenge_until, path->challenge_again));
            at = TERN_MIN(at, path->drop_at);
        }
    }
    return at;
}

static void on_trial_timer(struct tern_conn *conn, tern_time now)
{
    struct tern_path *trial = conn->others[TERN_OTHER_TRIAL];
    if (trial != NULL && (tern_path_on_timer(trial, now) || now >= trial->drop_at)) {
        conn->counters.migrations_failed += conn->is_server ? 0 : 1;
        replace_other(conn, TERN_OTHER_TRIAL, NULL);
    }
}

static void on_kept_timer(struct tern_conn *conn, tern_time now)
{
    struct tern_path *kept = conn->others[TERN_OTHER_KEPT];
    if (kept != NULL) {
        (void)tern_path_on_timer(kept, now); /* no answer: nothing better is known all the same */
        if (now >= kept->drop_at) {
            replace_other(conn, TERN_OTHER_KEPT, NULL);
        }
    }
}

void tern_migrate_on_timer(struct tern_conn *conn, tern_time now)
{
    on_trial_timer(conn, now);
    on_kept_timer(conn, now);
    bool is_given_up = tern_path_on_timer(&conn->path, now);
    if (is_given_up && !conn->path.is_validated && conn->others[TERN_OTHER_KEPT] != NULL) {
        conn->counters.migrations_failed++;
        go_back(conn, now);
        conn->wants_ping = true; /* tells the peer, and us, whether the old path still works */
    }
}
