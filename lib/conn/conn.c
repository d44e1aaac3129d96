/* Birth and death of a connection, and the few moves that concern all of its parts.
 * SPDX-License-Identifier: MIT */
#include "conn/conn.h"

#include "conn/clock.h"
#include "conn/grant.h"
#include "conn/handshake.h"
#include "conn/messages.h"
#include "conn/rekey.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "conn/retry.h"
#include "crypto/token.h"

#define FETCH_PACKETS      2
#define FETCH_ACKED        32       /* packets that one ACK may be about */
#define FETCH_CC           (4 * 64) /* what a controller looks at, one hopes */
#define ACK_DELAY_EXPONENT 3        /* RFC 9000 §18.2: the default */

static void init_streams(struct tern_conn *conn)
{
    const tern_config *config = conn->env->config;
    struct tern_streams_config settings = {
        .is_server = conn->is_server,
        .stream_window = config->stream_window,
        .stream_window_max = config->stream_window_max,
        .conn_window = config->conn_window,
        .conn_window_max = config->conn_window_max,
        .send_buffer = config->stream_send_buffer,
        .max_bidi = config->max_streams_bidi,
        .max_uni = config->max_streams_uni,
        .pages = &conn->env->pages,
    };
    conn->has_streams = true;
    tern_streams_init(&conn->streams, conn->env->mem, conn->env->random, &settings, conn);
}

struct tern_conn *tern_conn_new_blank(struct tern_conn_env *env, bool is_server, tern_time now)
{
    struct tern_conn *conn = tern_mem_zalloc(env->mem, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->awake = tern_mem_zalloc(env->mem, sizeof *conn->awake);
    if (conn->awake == NULL) {
        tern_mem_free(env->mem, conn);
        return NULL;
    }
    conn->spaces = conn->awake->spaces;
    conn->env = env;
    conn->is_server = is_server;
    conn->number = env->next_number++;
    tern_list_init(&conn->ready_node);
    tern_list_init(&conn->event_node);
    tern_list_init(&conn->all_node);
    tern_heap_entry_init(&conn->timer);
    tern_life_init(&conn->life, env->mem);
    for (size_t i = 0; i < TERN_LEVELS; i++) {
        tern_time delay = i == TERN_LEVEL_APP ? env->config->max_ack_delay : 0;
        tern_space_init(&conn->spaces[i], env->mem, delay);
    }
    tern_cids_init(&conn->cids, env->routes, conn);
    conn->cids.shape = tern_cid_shape_of(env->config);
    init_streams(conn);
    conn->trace.sink = env->config->trace;
    conn->trace.wants_secrets = env->config->key_log && tern_trace_is_on(&conn->trace);
    conn->trace.conn_number = conn->number;
    conn->trace.is_server = is_server;
    conn->is_announced = !is_server; /* a server tells of a client when it has proved itself */
    conn->born_at = conn->idle_from = conn->last_eliciting_at = now;
    conn->idle_timeout = env->config->idle_timeout;
    return conn;
}

/* What both roles do once the handshake's identifiers are known. */
static int begin_conn(struct tern_conn *conn, const tern_addr *local, const tern_addr *remote,
                      const char *cc, tern_time now)
{
    const tern_config *config = conn->env->config;
    conn->cc_ops = tern_cc_find(cc);
    if (conn->cc_ops == NULL) {
        return TERN_ERR_INVALID;
    }
    tern_path_init(&conn->path, &conn->awake->cc, local, remote, conn->cc_ops, config->initial_rtt,
                   now);
    int rc = tern_heap_claim(conn->env->timers, &conn->timer);
    if (rc == 0) {
        rc = tern_cids_issue(&conn->cids, conn->env->random, false);
    }
    if (rc == 0) {
        rc = tern_handshake_new(&conn->handshake, conn->env);
    }
    return rc;
}

int tern_conn_new_client(struct tern_conn **out, struct tern_conn_env *env, const tern_peer *peer,
                         tern_time now)
{
    struct tern_conn *conn = tern_conn_new_blank(env, false, now);
    if (conn == NULL) {
        return TERN_ERR_NOMEM;
    }
    const char *cc = peer->cc != NULL ? peer->cc : env->config->cc;
    struct tern_cid dcid;
    int rc = begin_conn(conn, &peer->local, &peer->addr, cc, now);
    if (rc != 0) {
        goto out;
    }
    struct tern_handshake *hs = conn->handshake;
    tern_cid_generate(&dcid, NULL, env->random);
    hs->original_dcid = hs->initial_dcid = dcid;
    hs->client_scid = conn->cids.local[0].cid;
    hs->offered = (uint16_t)env->suites;
    rc = tern_retry_take_tokens(conn, peer);
    if (rc != 0) {
        goto out;
    }
    tern_cids_set_remote(&conn->cids, &dcid);
    conn->path.is_validated = true; /* a client chose its server: no limit binds it */
    rc = tern_handshake_choose(conn, peer);
    if (rc == 0) {
        rc = tern_resume_choose(conn, peer);
    }
    if (rc == 0 && peer->path != NULL) {
        rc = tern_conn_recall_path(conn, peer->path);
    }
    if (rc == 0) {
        rc = tern_handshake_install_initial(conn);
    }
    if (rc == 0) {
        rc = tern_handshake_start(conn);
    }
out:
    if (rc != 0) {
        tern_conn_free(conn);
        return rc;
    }
    tern_conn_mark_ready(conn);
    *out = conn;
    return 0;
}

static int install_first(struct tern_conn *conn, const struct tern_conn_first *first)
{
    return first->has_keys ? tern_space_install_opened(&conn->spaces[TERN_LEVEL_INITIAL],
                                                       first->tx_secret, &first->rx)
                           : tern_handshake_install_initial(conn);
}

int tern_conn_new_server(struct tern_conn **out, struct tern_conn_env *env,
                         const struct tern_conn_first *first, tern_time now)
{
    struct tern_conn *conn = tern_conn_new_blank(env, true, now);
    if (conn == NULL) {
        return TERN_ERR_NOMEM;
    }
    int rc = begin_conn(conn, &first->local, &first->remote, env->config->cc, now);
    if (rc == 0) {
        rc = tern_cids_route_original(&conn->cids, &first->dcid);
    }
    if (rc == 0) {
        struct tern_handshake *hs = conn->handshake;
        hs->original_dcid = first->has_retry ? first->original : first->dcid;
        hs->initial_dcid = first->dcid;
        hs->has_retry = first->has_retry;
        hs->client_scid = first->scid;
        conn->path.is_validated = first->is_proved;
        conn->door.grant = first->grant != NULL ? tern_grant_copy(first->grant, env->mem) : NULL;
        rc = first->grant != NULL && conn->door.grant == NULL ? TERN_ERR_NOMEM : 0;
        hs->is_keyed = first->is_keyed;
        tern_cids_set_remote(&conn->cids, &first->scid);
        rc = rc == 0 ? install_first(conn, first) : rc;
    }
    if (rc != 0) {
        tern_conn_free(conn);
        return rc;
    }
    *out = conn;
    return 0;
}

void tern_conn_free(struct tern_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    struct tern_mem *mem = conn->env->mem;
    tern_list_drop(&conn->ready_node);
    tern_list_drop(&conn->event_node);
    tern_list_drop(&conn->all_node);
    tern_heap_release(conn->env->timers, &conn->timer);
    tern_cids_clear(&conn->cids);
    tern_rekey_clear(conn);
    for (size_t i = 0; i < TERN_OTHERS; i++) {
        tern_mem_free(mem, conn->others[i]);
    }
    tern_handshake_free(conn->handshake, conn->env);
    tern_rest_clear(conn);
    tern_life_clear(&conn->life);
    tern_conn_drop_streams(conn);
    tern_mem_free(mem, conn->door.address_token);
    tern_mem_free(mem, conn->clock);
    tern_grant_free(conn->door.grant, mem);
    tern_mem_wipe(conn->exporter, sizeof conn->exporter);
    tern_mem_wipe(conn->resumption, sizeof conn->resumption);
    if (conn->ticket != NULL) {
        tern_mem_wipe(conn->ticket, conn->ticket_len);
        tern_mem_free(mem, conn->ticket);
    }
    tern_mem_free(mem, conn);
}

void tern_conn_drop_streams(struct tern_conn *conn)
{
    tern_messages_clear(conn);
    if (conn->has_streams) {
        tern_streams_clear(&conn->streams);
        conn->has_streams = false;
    }
}

void tern_conn_mark_ready(struct tern_conn *conn)
{
    if (!tern_list_is_linked(&conn->ready_node)) {
        tern_list_push_back(conn->env->ready, &conn->ready_node);
    }
}

void tern_conn_mark_eventful(struct tern_conn *conn)
{
    if (!tern_list_is_linked(&conn->event_node)) {
        tern_list_push_back(conn->env->eventful, &conn->event_node);
    }
}

void tern_conn_want_closed(struct tern_conn *conn)
{
    bool is_known = conn->is_announced || conn->is_told_early;
    conn->wants_closed_event = is_known && !conn->is_told_closed;
}

void tern_conn_on_over(struct tern_conn *conn, tern_time now)
{
    tern_conn_want_closed(conn);
    if (conn->life.state == TERN_LIFE_DRAINING && conn->life.end_at == TERN_TIME_NEVER) {
        conn->life.end_at = now + tern_conn_closing_time(conn);
    }
    tern_trace_state(&conn->trace, tern_life_name(conn->life.state), now);
    tern_conn_mark_ready(conn);
    tern_conn_mark_eventful(conn);
}

void tern_conn_on_reset(struct tern_conn *conn, tern_time now)
{
    if (tern_life_on_reset(&conn->life)) {
        tern_conn_on_over(conn, now);
    }
}

void tern_conn_fail(struct tern_conn *conn, int error, uint64_t frame_type, const char *reason,
                    tern_time now)
{
    if (tern_life_fail(&conn->life, error, frame_type, reason)) {
        tern_conn_on_over(conn, now);
    }
}

void tern_conn_discard_level(struct tern_conn *conn, enum tern_level level)
{
    if (!conn->spaces[level].is_discarded) {
        uint64_t bytes = tern_space_discard(&conn->spaces[level]);
        struct tern_path *kept = conn->others[TERN_OTHER_KEPT];
        if (conn->path.id == 0) { /* all of it left before the first move */
            tern_cc_on_discarded(&conn->path.cc, bytes);
        } else if (kept != NULL && kept->id == 0) {
            tern_cc_on_discarded(&kept->cc, bytes);
        }
        conn->pto_count = 0; /* RFC 9002 §6.2.2 */
    }
}

#define UNPROVED_CLOSING_MAX (3 * TERN_SEC) /* a stranger may have made the round trip look long */

tern_time tern_conn_closing_time(const struct tern_conn *conn)
{
    tern_time time = 3 * tern_conn_pto(conn, TERN_LEVEL_APP); /* RFC 9000 §10.2 */
    return conn->is_announced ? time : TERN_MIN(time, UNPROVED_CLOSING_MAX);
}

tern_time tern_conn_peer_ack_delay(const struct tern_conn *conn)
{
    return conn->has_peer_params ? conn->cadence.in_force : conn->env->config->max_ack_delay;
}

tern_time tern_conn_pto(const struct tern_conn *conn, enum tern_level level)
{
    tern_time delay = level == TERN_LEVEL_APP ? tern_conn_peer_ack_delay(conn) : 0;
    return tern_rtt_pto(&conn->path.rtt, delay);
}

uint64_t tern_conn_min_ack_delay(const struct tern_conn *conn)
{
    /* What we say of the two must agree, and max_ack_delay is said in milliseconds. */
    uint64_t most = conn->env->config->max_ack_delay / TERN_MSEC * (TERN_MSEC / TERN_USEC);
    return TERN_MIN(most, (uint64_t)TERN_MIN_ACK_DELAY);
}

void tern_conn_local_params(const struct tern_conn *conn, struct tern_params *out)
{
    const tern_config *config = conn->env->config;
    tern_params_init(out);
    out->max_idle_timeout = config->idle_timeout / TERN_MSEC;
    out->max_udp_payload_size = TERN_DATAGRAM_MAX;
    out->initial_max_data = config->conn_window;
    out->initial_max_stream_data_bidi_local = config->stream_window;
    out->initial_max_stream_data_bidi_remote = config->stream_window;
    out->initial_max_stream_data_uni = config->stream_window;
    out->initial_max_streams_bidi = config->max_streams_bidi;
    out->initial_max_streams_uni = config->max_streams_uni;
    out->ack_delay_exponent = ACK_DELAY_EXPONENT;
    out->max_ack_delay = config->max_ack_delay / TERN_MSEC;
    out->has_min_ack_delay = true;
    out->min_ack_delay = tern_conn_min_ack_delay(conn);
    out->active_connection_id_limit = TERN_CIDS_LIMIT;
    out->tells_time = config->clock;
    out->max_message_size = config->max_message;
    out->initial_max_message_data = config->max_message > 0 ? config->message_window : 0;
    out->max_message_channels = config->max_channels;
    out->fec_window = config->max_message > 0 ? config->fec_window : 0;
    out->has_version_info = true;
    out->chosen_version = TERN_VERSION_1;
    out->has_initial_scid = true;
    out->initial_scid = conn->cids.local[0].cid;
    if (conn->is_server) {
        out->has_original_dcid = true;
        out->original_dcid = conn->handshake->original_dcid;
        out->has_retry_scid = conn->handshake->has_retry;
        out->retry_scid = conn->handshake->initial_dcid;
        out->has_stateless_reset_token = true;
        tern_token_reset(out->stateless_reset_token, &conn->env->reset_key,
                         conn->cids.local[0].cid.bytes, conn->cids.local[0].cid.len);
    }
}

int tern_conn_on_params(struct tern_conn *conn, const struct tern_params *params)
{
    conn->peer_terms.datagram_max =
        (uint32_t)TERN_MIN(params->max_udp_payload_size, (uint64_t)TERN_DATAGRAM_MAX);
    conn->ack_delay_exponent = (uint8_t)params->ack_delay_exponent;
    conn->peer_terms.forbids_migration = params->disable_active_migration;
    conn->peer_terms.tells_time = params->tells_time;
    conn->peer_terms.message_max = (uint32_t)params->max_message_size;
    conn->peer_terms.message_channels = (uint32_t)params->max_message_channels;
    conn->peer_terms.message_credit = params->initial_max_message_data;
    conn->peer_terms.fec_window = (uint8_t)params->fec_window;
    conn->has_peer_params = true;
    tern_cadence_init(&conn->cadence, params->has_min_ack_delay, params->min_ack_delay * TERN_USEC,
                      params->max_ack_delay * TERN_MSEC);
    if (params->max_idle_timeout > 0) {
        tern_time theirs = params->max_idle_timeout > UINT64_MAX / TERN_MSEC
                               ? TERN_TIME_NEVER
                               : params->max_idle_timeout * TERN_MSEC;
        conn->idle_timeout =
            conn->idle_timeout == 0 ? theirs : TERN_MIN(conn->idle_timeout, theirs);
    }
    conn->cids.peer_limit = params->active_connection_id_limit;
    if (params->has_stateless_reset_token) { /* of its first identifier: RFC 9000 §18.2 */
        memcpy(conn->cids.remote[0].reset_token, params->stateless_reset_token,
               TERN_RESET_TOKEN_SIZE);
        conn->cids.remote[0].has_token = true;
    }
    struct tern_streams_grant grant = {
        .max_data = params->initial_max_data,
        .bidi_local = params->initial_max_stream_data_bidi_local,
        .bidi_remote = params->initial_max_stream_data_bidi_remote,
        .uni = params->initial_max_stream_data_uni,
        .streams_bidi = params->initial_max_streams_bidi,
        .streams_uni = params->initial_max_streams_uni,
    };
    /* A server may use the credit once the client has proved itself, which is when it can first
     * send application data at all. */
    tern_streams_on_grant(&conn->streams, &grant);
    return 0;
}

int tern_conn_on_complete(struct tern_conn *conn, tern_time now)
{
    if (!tern_life_establish(&conn->life)) {
        return TERN_ERR_INTERNAL;
    }
    tern_life_forget_hint(&conn->life);
    struct tern_space *app = &conn->spaces[TERN_LEVEL_APP];
    app->skip_at = app->loss.sent.next_pn + 16 + tern_random_below(conn->env->random, 256);
    size_t ceiling =
        TERN_MIN(conn->env->config->max_datagram, (size_t)conn->peer_terms.datagram_max);
    tern_pmtud_init(&conn->path.pmtud, TERN_MAX(ceiling, (size_t)TERN_PMTUD_BASE));
    if (conn->is_server) {
        tern_path_validate(&conn->path);
        tern_streams_end_early(&conn->streams);
        conn->wants_handshake_done = true;
        conn->wants_new_token = conn->env->proofs != NULL;
        tern_conn_on_confirmed(conn);
    }
    tern_trace_state(&conn->trace, tern_life_name(conn->life.state), now);
    int rc = tern_clock_begin(conn);
    return rc == 0 ? tern_cids_fill(&conn->cids, conn->env->random) : rc;
}

void tern_conn_announce_early(struct tern_conn *conn)
{
    if (!conn->is_told_early && !conn->is_announced) {
        conn->is_told_early = conn->wants_early_event = true;
        tern_conn_mark_eventful(conn);
    }
}

void tern_conn_announce(struct tern_conn *conn)
{
    conn->is_announced = true;
    conn->wants_connected_event = true;
    tern_conn_mark_eventful(conn);
}

void tern_conn_on_confirmed(struct tern_conn *conn)
{
    conn->life.is_confirmed = true;
}

/* What stands at the beginning of the connection and of its parts; life's words for an end are left out. */
static void fetch_self(const struct tern_conn *conn, enum tern_fetch what)
{
    tern_prefetch(conn, offsetof(struct tern_conn, life) + offsetof(struct tern_life, code));
    tern_prefetch(&conn->counters, offsetof(struct tern_conn, door) +
                                       sizeof conn->door.reset_token -
                                       offsetof(struct tern_conn, counters));
    tern_prefetch(&conn->path, TERN_PATH_HOT);
    tern_prefetch(&conn->streams, TERN_STREAMS_HOT);
    if (what != TERN_FETCH_DATA) {
        tern_prefetch(&conn->cadence, sizeof conn->cadence + offsetof(struct tern_budget, tokens));
    }
    if (what == TERN_FETCH_OUT) {
        tern_prefetch(&conn->cids,
                      offsetof(struct tern_cids, remote) + sizeof conn->cids.remote[0]);
        tern_prefetch(&conn->streams.sched.levels[TERN_SCHED_URGENCY_DEFAULT],
                      sizeof conn->streams.sched.levels[0]);
    }
}

static void fetch_parts(const struct tern_conn *conn, enum tern_fetch what)
{
    const struct tern_stream *stream = conn->streams.recent;
    const struct tern_awake *awake = conn->awake;
    tern_prefetch(&conn->spaces[TERN_LEVEL_APP],
                  offsetof(struct tern_space, crypto) + sizeof conn->spaces->crypto.unsent.count);
    if (stream != NULL) {
        tern_prefetch(stream, what == TERN_FETCH_DATA ? TERN_STREAM_HOT_IN : TERN_STREAM_HOT_OUT);
    }
    if (what != TERN_FETCH_DATA && awake != NULL) {
        tern_prefetch(&awake->cc.recall.phase, FETCH_CC);
    }
    if (what == TERN_FETCH_ACK && awake != NULL) {
        tern_prefetch(&awake->gauge, offsetof(struct tern_gauge, before));
    }
}

static void fetch_keys(const struct tern_space *space, enum tern_fetch what)
{
    const struct tern_key_phase *kp = space->keys;
    const struct tern_sent *sent = &space->loss.sent;
    if (kp == NULL) {
        return;
    }
    tern_prefetch(kp, offsetof(struct tern_key_phase, mix));
    tern_packet_keys_fetch(what == TERN_FETCH_OUT ? &kp->tx : &kp->rx, what == TERN_FETCH_ACK);
    tern_prefetch(space->acks.ranges.items, sizeof *space->acks.ranges.items);
    if (what == TERN_FETCH_OUT) {
        tern_sent_fetch_next(sent, FETCH_PACKETS);
    } else if (what == TERN_FETCH_ACK) {
        tern_sent_fetch_oldest(sent, FETCH_ACKED);
    }
}

void tern_conn_fetch(const struct tern_conn *conn, unsigned step, enum tern_fetch what)
{
    if (step == 0) {
        fetch_self(conn, what);
    } else if (step == 1) {
        fetch_parts(conn, what);
    } else {
        fetch_keys(&conn->spaces[TERN_LEVEL_APP], what);
    }
}

void tern_conn_fetch_event(const struct tern_conn *conn)
{
    tern_prefetch(conn, offsetof(struct tern_conn, rest));
    tern_prefetch(&conn->streams, TERN_STREAMS_HOT);
}
