/* Folding and unfolding of half-open connections. [P §12.6]
 * SPDX-License-Identifier: MIT */
#include "conn/dormant.h"

#include "conn/grant.h"
#include "conn/handshake.h"
#include "conn/recover.h"
#include "wire/header.h"

#define AGAIN_AT_LEAST TERN_SEC

bool tern_dormant_can_hold(const struct tern_conn *conn)
{
    const struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    return conn->is_server && conn->is_half_open && !conn->is_announced &&
           conn->life.state == TERN_LIFE_HANDSHAKING && conn->handshake != NULL &&
           conn->handshake->has_noise && app->keys == NULL && conn->streams.opened_remote[0] == 0 &&
           conn->streams.opened_remote[1] == 0 && conn->has_peer_params &&
           conn->handshake->early_rx == NULL;
}

static uint8_t shift_of(unsigned suite)
{
    uint8_t shift = 0;
    while (suite > 1) {
        suite >>= 1;
        shift++;
    }
    return shift;
}

/* What routes packets to it points from one to the other; no memory is needed. */
static void reroute(struct tern_conn_env *env, const struct tern_handshake *hs,
                    const struct tern_cid *scid, bool has_original, void *to)
{
    tern_map_replace(env->routes, scid->bytes, scid->len, to);
    if (has_original) {
        tern_map_replace(env->routes, hs->initial_dcid.bytes, hs->initial_dcid.len, to);
    }
}

static void take_message(struct tern_dormant *dormant, struct tern_space *initial)
{
    dormant->is_initial_over = initial->is_discarded;
    dormant->message = initial->crypto.out;
    dormant->message_len = initial->crypto.out_len;
    initial->crypto.out = NULL;
    initial->crypto.out_len = 0;
}

struct tern_dormant *tern_dormant_new(struct tern_conn *conn, struct tern_heap *timers)
{
    struct tern_conn_env *env = conn->env;
    struct tern_handshake *hs = conn->handshake;
    struct tern_dormant *d = tern_mem_zalloc(env->mem, sizeof *d);
    if (d == NULL) {
        return NULL;
    }
    tern_heap_entry_init(&d->timer);
    if (tern_heap_claim(timers, &d->timer) != 0) {
        tern_mem_free(env->mem, d);
        return NULL;
    }
    tern_time again_at = tern_recover_deadline(conn);
    hs->again_at = again_at != TERN_TIME_NEVER ? again_at : hs->again_at;
    d->kind = TERN_ROUTE_DORMANT;
    d->env = env;
    tern_list_init(&d->node);
    d->handshake = hs;
    d->host = conn->door.host;
    d->grant = conn->door.grant;
    d->is_host_proved = conn->door.is_host_proved;
    d->is_validated = conn->path.is_validated;
    d->suite_shift = shift_of(conn->suite);
    d->pto_count = conn->pto_count;
    d->number = conn->number;
    d->local = conn->path.local;
    d->remote = conn->path.remote;
    d->received = conn->path.received;
    d->sent = conn->path.sent;
    d->born_at = conn->born_at;
    d->scid = conn->cids.local[0].cid;
    for (size_t i = 0; i < TERN_LEVEL_APP; i++) {
        d->next_pn[i] = conn->spaces[i].loss.sent.next_pn;
    }
    take_message(d, &conn->spaces[TERN_LEVEL_INITIAL]);
    reroute(env, hs, &d->scid, conn->cids.original_is_routed, d);
    conn->handshake = NULL;
    conn->door.host = NULL;
    conn->door.grant = NULL;
    tern_conn_free(conn);
    return d;
}

/* The parts that need memory, in a connection that nothing leads to yet. */
static int build_handshake(struct tern_conn *conn, const struct tern_dormant *d, bool again,
                           tern_time now)
{
    const tern_config *config = conn->env->config;
    struct tern_space *initial = &conn->spaces[TERN_LEVEL_INITIAL];
    conn->cc_ops = tern_cc_find(config->cc);
    tern_path_init(&conn->path, &conn->awake->cc, &d->local, &d->remote, conn->cc_ops,
                   config->initial_rtt, now);
    conn->suite = 1u << d->suite_shift;
    conn->handshake = d->handshake;
    int rc = tern_heap_claim(conn->env->timers, &conn->timer);
    if (rc == 0) {
        rc = tern_conn_on_params(conn, &d->handshake->peer_params);
    }
    initial->is_discarded = d->is_initial_over;
    if (rc == 0 && again && !d->is_initial_over) {
        rc = tern_handshake_install_initial(conn);
    }
    if (rc == 0 && d->message != NULL) {
        rc = tern_crypto_flow_write(&initial->crypto, d->message, d->message_len);
    }
    if (rc == 0 && d->message != NULL && !again) { /* it has left already */
        rc = tern_crypto_flow_on_sent(&initial->crypto, 0, d->message_len);
    }
    return rc;
}

static void restore_cids(struct tern_cids *cids, const struct tern_dormant *d)
{
    const struct tern_handshake *hs = d->handshake;
    cids->local[0].cid = d->scid;
    cids->local[0].is_used = true;
    cids->next_sequence = 1;
    cids->original = hs->initial_dcid;
    cids->original_is_routed = true;
    tern_cids_set_remote(cids, &hs->client_scid);
}

struct tern_conn *tern_dormant_wake(struct tern_dormant *d, struct tern_heap *timers, bool again,
                                    tern_time now)
{
    struct tern_conn_env *env = d->env;
    struct tern_conn *conn = tern_conn_new_blank(env, true, now);
    if (conn == NULL) {
        return NULL;
    }
    env->next_number--; /* it has its number already */
    conn->number = conn->trace.conn_number = d->number;
    if (build_handshake(conn, d, again, now) != 0) {
        conn->handshake = NULL;
        tern_conn_free(conn);
        return NULL;
    }
    restore_cids(&conn->cids, d);
    reroute(env, d->handshake, &d->scid, true, conn);
    for (size_t i = 0; i < TERN_LEVEL_APP; i++) { /* a number is never used twice */
        struct tern_loss *loss = &conn->spaces[i].loss;
        loss->sent.base = loss->sent.next_pn = loss->oldest = d->next_pn[i];
    }
    conn->door.host = d->host;
    conn->door.grant = d->grant;
    d->grant = NULL;
    conn->door.is_host_proved = d->is_host_proved;
    conn->is_half_open = true;
    conn->path.is_validated = d->is_validated;
    conn->path.received = d->received;
    conn->path.sent = d->sent;
    conn->born_at = d->born_at;
    conn->pto_count = d->pto_count + (again ? 1 : 0);
    conn->counters.ptos = conn->pto_count;
    conn->counters.bytes_received = d->received;
    conn->counters.bytes_sent = d->sent;
    conn->spaces[TERN_LEVEL_INITIAL].probes = again ? 2 : 0; /* RFC 9002 §6.2.4 */
    if (again) { /* what leaves now has a timer of its own; if the 3x limit lets nothing leave, then later */
        d->handshake->again_at = tern_add_sat(now, AGAIN_AT_LEAST);
    }
    d->handshake = NULL;
    tern_dormant_free(d, timers);
    return conn;
}

void tern_dormant_free(struct tern_dormant *d, struct tern_heap *timers)
{
    struct tern_conn_env *env = d->env;
    tern_heap_release(timers, &d->timer);
    tern_list_drop(&d->node);
    if (d->handshake != NULL) { /* else it has moved into a connection, with the routes */
        (void)tern_map_drop(env->routes, d->scid.bytes, d->scid.len);
        (void)tern_map_drop(env->routes, d->handshake->initial_dcid.bytes,
                            d->handshake->initial_dcid.len);
        tern_handshake_free(d->handshake, env);
    }
    tern_grant_free(d->grant, env->mem);
    tern_mem_free(env->mem, d->message);
    tern_mem_free(env->mem, d);
}

/* Is there a packet in it that can bring message 3? */
static bool has_handshake_packet(const uint8_t *data, size_t len)
{
    struct tern_header header;
    for (size_t at = 0; at < len; at += header.packet_len) {
        if (tern_header_decode(&header, data + at, len - at, TERN_CID_SIZE) != 0 ||
            header.packet_len == 0) {
            return false;
        }
        if (header.type == TERN_PACKET_HANDSHAKE) {
            return true;
        }
    }
    return false;
}

bool tern_dormant_receive(struct tern_dormant *d, const tern_datagram *in, const uint8_t *data,
                          size_t len)
{
    if (has_handshake_packet(data, len)) {
        return false;
    }
    d->received += tern_addr_equal(&d->remote, &in->remote) ? len : 0;
    if ((data[0] & 0x80) == 0) { /* a short header: 1-RTT, which nothing follows */
        tern_handshake_keep_early(d->handshake, d->env, data, len, in->ecn);
    }
    return true;
}

static tern_time end_of(const struct tern_dormant *d)
{
    return tern_add_sat(d->born_at, d->env->config->handshake_timeout);
}

tern_time tern_dormant_deadline(const struct tern_dormant *d)
{
    struct tern_path limit = {
        .is_validated = d->is_validated, .received = d->received, .sent = d->sent};
    bool may_send = tern_path_allowance(&limit) >= TERN_MIN_SEND_ALLOWANCE && !d->is_initial_over;
    return may_send ? TERN_MIN(end_of(d), d->handshake->again_at) : end_of(d);
}

bool tern_dormant_is_over(const struct tern_dormant *d, tern_time now)
{
    return now >= end_of(d);
}
