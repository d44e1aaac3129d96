/* Folding and unfolding of established connections. [P §12.6]
 * SPDX-License-Identifier: MIT */
#include "conn/rest.h"

#include "base/sparse.h"
#include "conn/messages.h"

#define REST_AFTER TERN_SEC
#define LONG_REST  (4 * TERN_SEC)
#define KEEPALIVE  2 /* packets: a PING and the answer */

/* In this order, each without its zeros: the space without its keys, those, the controller's state. */
#define PACKED_MAX                                                                                 \
    TERN_SPARSE_MAX(sizeof(struct tern_space) + sizeof(struct tern_key_fold) +                     \
                    sizeof(struct tern_cc_state))

static_assert(sizeof(struct tern_space) % 8 == 0 && sizeof(struct tern_key_fold) % 8 == 0 &&
                  sizeof(struct tern_cc_state) % 8 == 0,
              "packed by words");

struct tern_rest {
    tern_time since;
    uint32_t phase;
    uint32_t len;
    uint8_t packed[];
};

void tern_rest_init_env(struct tern_conn_env *env)
{
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        tern_space_init(&env->resting[i], env->mem, 0);
        env->resting[i].is_discarded = true;
    }
}

/* Is nothing under way that the record does not hold? */
static bool can_rest(const struct tern_conn *conn)
{
    const struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    return conn->life.state == TERN_LIFE_ESTABLISHED && conn->life.is_confirmed &&
           conn->handshake == NULL && app->keys != NULL && tern_key_phase_can_fold(app->keys) &&
           tern_loss_can_rest(&app->loss) && app->probes == 0 && app->acks.unacked == 0 &&
           conn->rekey.keys == NULL && !conn->wants_ping && !tern_messages_wants(conn) &&
           conn->others[TERN_OTHER_TRIAL] == NULL && conn->others[TERN_OTHER_KEPT] == NULL &&
           conn->path.is_validated && !conn->path.has_challenge && !conn->path.wants_challenge;
}

static uint64_t packets_of(const struct tern_conn *conn)
{
    return conn->counters.packets_sent + conn->counters.packets_received;
}

/* Whom a packet has woken from a long rest stays up only if more follows. Otherwise it was a keepalive,
 * and of many silent connections one in twenty-five would always be awake for nothing. */
tern_time tern_rest_deadline(const struct tern_conn *conn)
{
    if (!can_rest(conn)) {
        return TERN_TIME_NEVER;
    }
    if (packets_of(conn) <= conn->nap_until) {
        return conn->woken_at;
    }
    tern_time from = TERN_MAX(conn->idle_from, conn->last_eliciting_at);
    return tern_add_sat(TERN_MAX(from, conn->woken_at), REST_AFTER);
}

static void free_awake(struct tern_conn *conn)
{
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        tern_space_clear(&conn->spaces[i]);
    }
    tern_mem_free(conn->env->mem, conn->awake);
    conn->awake = NULL;
    conn->spaces = conn->env->resting;
    conn->path.cc.state = NULL;
}

static size_t pack(const struct tern_conn *conn, uint8_t out[PACKED_MAX])
{
    struct tern_space space = conn->spaces[TERN_LEVEL_APP];
    struct tern_key_fold keys;
    memset(&keys, 0, sizeof keys);
    tern_key_phase_fold(&keys, space.keys);
    space.keys = NULL;
    size_t len = tern_sparse_pack(out, &space, sizeof space);
    len += tern_sparse_pack(out + len, &keys, sizeof keys);
    tern_mem_wipe(&keys, sizeof keys);
    return len + tern_sparse_pack(out + len, &conn->awake->cc, sizeof conn->awake->cc);
}

static struct tern_rest *new_record(const struct tern_conn *conn, tern_time now)
{
    uint8_t packed[PACKED_MAX];
    size_t len = pack(conn, packed);
    struct tern_rest *rest = tern_mem_alloc(conn->env->mem, sizeof *rest + len);
    if (rest != NULL) {
        rest->since = now;
        rest->phase = conn->spaces[TERN_LEVEL_APP].keys->phase;
        rest->len = (uint32_t)len;
        memcpy(rest->packed, packed, len);
    }
    tern_mem_wipe(packed, len);
    return rest;
}

static void free_record(struct tern_conn *conn)
{
    tern_mem_wipe(conn->rest, sizeof *conn->rest + conn->rest->len);
    tern_mem_free(conn->env->mem, conn->rest);
    conn->rest = NULL;
}

void tern_rest_settle(struct tern_conn *conn, tern_time now)
{
    if (now < tern_rest_deadline(conn)) {
        return;
    }
    struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    tern_loss_rest(&app->loss);
    tern_ranges_trim(&app->acks.ranges);
    tern_ranges_trim(&app->crypto.unsent);
    tern_ranges_trim(&app->crypto.received);
    conn->rest = new_record(conn, now);
    if (conn->rest == NULL) {
        conn->woken_at = now; /* it asks again later */
        conn->nap_until = 0;
        return;
    }
    /* What the record took with it is not this one's to free. */
    struct tern_key_phase *keys = app->keys;
    tern_space_init(app, conn->env->mem, 0);
    app->keys = keys;
    free_awake(conn);
}

static int unpack(const struct tern_rest *rest, struct tern_awake *awake,
                  struct tern_key_phase *keys)
{
    struct tern_space *app = &awake->spaces[TERN_LEVEL_APP];
    struct tern_key_fold fold;
    size_t at = tern_sparse_unpack(app, sizeof *app, rest->packed);
    at += tern_sparse_unpack(&fold, sizeof fold, rest->packed + at);
    at += tern_sparse_unpack(&awake->cc, sizeof awake->cc, rest->packed + at);
    tern_assert(at == rest->len);
    (void)at;
    int rc = tern_key_phase_unfold(keys, &fold);
    tern_mem_wipe(&fold, sizeof fold);
    app->keys = keys;
    return rc;
}

int tern_rest_wake(struct tern_conn *conn, tern_time now)
{
    struct tern_mem *mem = conn->env->mem;
    if (conn->rest == NULL) {
        return 0;
    }
    struct tern_awake *awake = tern_mem_alloc(mem, sizeof *awake);
    struct tern_key_phase *keys = awake == NULL ? NULL : tern_mem_alloc(mem, sizeof *keys);
    if (keys == NULL || unpack(conn->rest, awake, keys) != 0) {
        tern_mem_free(mem, keys);
        tern_mem_free(mem, awake);
        return TERN_ERR_NOMEM;
    }
    for (size_t i = 0; i < TERN_LEVEL_APP; i++) {
        awake->spaces[i] = conn->env->resting[i];
    }
    memset(&awake->gauge, 0, sizeof awake->gauge);
    conn->awake = awake;
    conn->spaces = awake->spaces;
    conn->path.cc.state = &awake->cc;
    conn->woken_at = now;
    conn->nap_until =
        now >= tern_add_sat(conn->rest->since, LONG_REST) ? packets_of(conn) + KEEPALIVE : 0;
    free_record(conn);
    return 0;
}

int tern_rest_rouse(struct tern_conn *conn)
{
    return conn->rest == NULL ? 0 : tern_rest_wake(conn, conn->rest->since);
}

void tern_rest_clear(struct tern_conn *conn)
{
    struct tern_space app;
    if (conn->rest == NULL) {
        free_awake(conn);
        return;
    }
    (void)tern_sparse_unpack(&app, sizeof app, conn->rest->packed);
    tern_space_clear(&app);
    free_record(conn);
}

uint32_t tern_rest_phase(const struct tern_conn *conn)
{
    const struct tern_key_phase *keys = conn->spaces[TERN_LEVEL_APP].keys;
    if (conn->rest != NULL) {
        return conn->rest->phase;
    }
    return keys == NULL ? 0 : keys->phase;
}
