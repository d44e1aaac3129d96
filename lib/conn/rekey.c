/* Asking for fresh keys, answering, and when. [P §5.7]
 * SPDX-License-Identifier: MIT */
#include "conn/rekey.h"

#include "base/mem.h"

#define REKEY_AFTER  (3600 * TERN_SEC)
#define REKEY_PHASES 16 /* updates that cost no Diffie-Hellman, until one does */

void tern_rekey_clear(struct tern_conn *conn)
{
    struct tern_rekey *rekey = &conn->rekey;
    if (rekey->keys != NULL) {
        tern_mem_wipe(rekey->keys, sizeof *rekey->keys);
        tern_mem_free(conn->env->mem, rekey->keys);
    }
    rekey->keys = NULL;
    rekey->wants_send = false;
}

uint64_t tern_rekey_number(const struct tern_conn *conn)
{
    /* A server counts an exchange when it answers, a client when it is answered. */
    return conn->is_server ? conn->rekey.count : conn->rekey.count + 1;
}

static int make_keys(struct tern_conn *conn)
{
    struct tern_rekey_keys *keys = tern_mem_alloc(conn->env->mem, sizeof *keys);
    if (keys == NULL) {
        return TERN_ERR_NOMEM;
    }
    tern_random_fill(conn->env->random, keys->secret, sizeof keys->secret);
    tern_ratchet_public(keys->public_key, keys->secret);
    tern_rekey_clear(conn);
    conn->rekey.keys = keys;
    conn->rekey.wants_send = true;
    return 0;
}

int tern_conn_rekey(tern_conn *conn)
{
    if (tern_life_is_over(&conn->life)) {
        return TERN_ERR_CLOSED;
    }
    if (conn->is_server) {
        return TERN_ERR_STATE;
    }
    conn->rekey.is_wanted = true;
    tern_conn_mark_ready(conn);
    return 0;
}

int tern_rekey_advance(struct tern_conn *conn, tern_time now)
{
    struct tern_rekey *rekey = &conn->rekey;
    struct tern_key_phase *kp = conn->spaces[TERN_LEVEL_APP].keys;
    rekey->done_at = rekey->done_at == 0 ? now : rekey->done_at;
    bool is_due = rekey->is_wanted || tern_sub_sat(now, rekey->done_at) >= REKEY_AFTER ||
                  kp->phase - rekey->done_phase >= REKEY_PHASES;
    if (conn->is_server || !is_due || rekey->keys != NULL || kp->has_mix ||
        !tern_key_phase_is_settled(kp)) {
        return 0;
    }
    int rc = make_keys(conn);
    if (rc == 0) {
        kp->is_frozen = true;
        rekey->is_wanted = false;
    }
    return rc;
}

static int mix(struct tern_conn *conn, const uint8_t theirs[TERN_SECRET_SIZE], tern_time now)
{
    struct tern_key_phase *kp = conn->spaces[TERN_LEVEL_APP].keys;
    struct tern_rekey_keys *keys = conn->rekey.keys;
    uint8_t fresh[TERN_SECRET_SIZE];
    const uint8_t *client = conn->is_server ? theirs : keys->public_key;
    const uint8_t *server = conn->is_server ? keys->public_key : theirs;
    int rc = tern_ratchet_mix(fresh, keys->secret, client, server, conn->is_server);
    rc = rc == TERN_ERR_CRYPTO ? TERN_ERR_PROTOCOL : rc;
    if (rc == 0) {
        rc = tern_key_phase_mix(kp, fresh, !conn->is_server);
    }
    tern_mem_wipe(fresh, sizeof fresh);
    tern_mem_wipe(keys->secret, sizeof keys->secret);
    conn->rekey.count++;
    conn->rekey.done_at = now;
    conn->rekey.done_phase = kp->phase + 1;
    return rc;
}

int tern_rekey_on_frame(struct tern_conn *conn, const struct tern_frame_rekey *frame, tern_time now)
{
    struct tern_rekey *rekey = &conn->rekey;
    if (frame->number <= rekey->count) {
        return 0; /* said again */
    }
    if (frame->number != rekey->count + 1) {
        return TERN_ERR_PROTOCOL;
    }
    if (!conn->is_server) {
        if (rekey->keys == NULL) {
            return TERN_ERR_PROTOCOL; /* nobody asked */
        }
        int rc = mix(conn, frame->public_key, now);
        tern_rekey_clear(conn);
        return rc;
    }
    if (conn->spaces[TERN_LEVEL_APP].keys->has_mix) {
        return TERN_ERR_PROTOCOL; /* the one before is not in use yet */
    }
    int rc = make_keys(conn);
    return rc == 0 ? mix(conn, frame->public_key, now) : rc;
}

void tern_rekey_on_acked(struct tern_conn *conn, uint64_t number)
{
    if (conn->is_server && number == conn->rekey.count) {
        tern_rekey_clear(conn);
    }
}

void tern_rekey_on_lost(struct tern_conn *conn, uint64_t number)
{
    if (conn->rekey.keys != NULL && number == tern_rekey_number(conn)) {
        conn->rekey.wants_send = true;
    }
}
