/* Folding and unfolding of established connections. [P §12.6]
 * SPDX-License-Identifier: MIT */
#include "conn/rest.h"

#include "conn/messages.h"

#define REST_AFTER TERN_SEC

struct tern_rest {
    struct tern_space app; /* without its keys */
    struct tern_key_fold keys;
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
           conn->others[TERN_OTHER_TRIAL] == NULL && !conn->path.has_challenge;
}

tern_time tern_rest_deadline(const struct tern_conn *conn)
{
    if (!can_rest(conn)) {
        return TERN_TIME_NEVER;
    }
    tern_time from = TERN_MAX(conn->idle_from, conn->last_eliciting_at);
    return tern_add_sat(TERN_MAX(from, conn->woken_at), REST_AFTER);
}

static void free_spaces(struct tern_conn *conn)
{
    struct tern_mem *mem = conn->env->mem;
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        tern_space_clear(&conn->spaces[i]);
    }
    tern_mem_free(mem, conn->spaces);
    conn->spaces = conn->env->resting;
}

void tern_rest_settle(struct tern_conn *conn, tern_time now)
{
    if (now < tern_rest_deadline(conn)) {
        return;
    }
    struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    struct tern_rest *rest = tern_mem_alloc(conn->env->mem, sizeof *rest);
    if (rest == NULL) {
        conn->woken_at = now; /* it asks again later */
        return;
    }
    tern_loss_rest(&app->loss);
    tern_ranges_trim(&app->acks.ranges);
    tern_ranges_trim(&app->crypto.unsent);
    tern_ranges_trim(&app->crypto.received);
    tern_key_phase_fold(&rest->keys, app->keys);
    rest->app = *app;
    rest->app.keys = NULL;
    /* What the record took with it is not this one's to free. */
    struct tern_key_phase *keys = app->keys;
    tern_space_init(app, conn->env->mem, 0);
    app->keys = keys;
    free_spaces(conn);
    conn->rest = rest;
}

int tern_rest_wake(struct tern_conn *conn, tern_time now)
{
    struct tern_mem *mem = conn->env->mem;
    struct tern_rest *rest = conn->rest;
    if (rest == NULL) {
        return 0;
    }
    struct tern_space *spaces = tern_mem_alloc(mem, TERN_LEVELS * sizeof *spaces);
    struct tern_key_phase *keys = spaces == NULL ? NULL : tern_mem_alloc(mem, sizeof *keys);
    if (keys == NULL || tern_key_phase_unfold(keys, &rest->keys) != 0) {
        tern_mem_free(mem, keys);
        tern_mem_free(mem, spaces);
        return TERN_ERR_NOMEM;
    }
    memcpy(spaces, conn->env->resting, TERN_LEVELS * sizeof *spaces);
    spaces[TERN_LEVEL_APP] = rest->app;
    spaces[TERN_LEVEL_APP].keys = keys;
    conn->spaces = spaces;
    conn->rest = NULL;
    conn->woken_at = now;
    tern_mem_wipe(rest, sizeof *rest);
    tern_mem_free(mem, rest);
    return 0;
}

void tern_rest_clear(struct tern_conn *conn)
{
    struct tern_rest *rest = conn->rest;
    if (rest == NULL) {
        free_spaces(conn);
        return;
    }
    tern_space_clear(&rest->app);
    tern_mem_wipe(rest, sizeof *rest);
    tern_mem_free(conn->env->mem, rest);
    conn->rest = NULL;
}

uint32_t tern_rest_phase(const struct tern_conn *conn)
{
    const struct tern_key_phase *keys = conn->spaces[TERN_LEVEL_APP].keys;
    if (conn->rest != NULL) {
        return conn->rest->keys.phase;
    }
    return keys == NULL ? 0 : keys->phase;
}
