/* Many connections, one clock: datagrams in, trains out, deadlines, events.
 * SPDX-License-Identifier: MIT */
#include "endpoint/endpoint.h"

#include <sodium.h>

#include "base/addr.h"
#include "conn/deadline.h"
#include "conn/events.h"
#include "conn/input.h"
#include "conn/output.h"
#include "conn/rest.h"
#include "conn/resume.h"
#include "endpoint/route.h"
#include "stream/message.h"
#include "wire/limits.h"

#define USED_TOKENS  65536 /* connect tokens remembered for ten minutes, in a mebibyte */
#define SLAB_KEEP    ((uint64_t)64 * 1024 * 1024) /* at most; see slab_keep */
#define SHOWN_TOKENS 16384 /* address tokens, for their day, in a quarter of one */

static int check_config(const tern_config *c)
{
    if (c->size != sizeof *c || c->max_datagram < TERN_PMTUD_BASE ||
        c->max_datagram > TERN_DATAGRAM_MAX || tern_cc_find(c->cc) == NULL) {
        return TERN_ERR_INVALID;
    }
    if (c->stream_window == 0 || c->conn_window == 0 || c->stream_window > c->stream_window_max ||
        c->conn_window > c->conn_window_max || c->conn_window_max > TERN_VARINT_MAX / 4 ||
        c->stream_send_buffer == 0 || c->max_streams_bidi > TERN_STREAMS_MAX ||
        c->max_streams_uni > TERN_STREAMS_MAX) {
        return TERN_ERR_INVALID;
    }
    uint64_t least_window = c->max_message == 0 ? 0 : tern_message_cost(c->max_message);
    if (c->max_message > TERN_MESSAGE_MAX || c->message_window < least_window ||
        c->message_queue < least_window || c->message_window > TERN_VARINT_MAX / 4 ||
        c->max_channels == 0 || c->max_channels > TERN_CHANNELS || c->message_buffer == 0 ||
        c->fec_window > TERN_REPAIR_SYMBOLS_MAX) {
        return TERN_ERR_INVALID;
    }
    if (c->connect_token_key != NULL && c->unix_time == 0) {
        return TERN_ERR_INVALID; /* whether a token has expired could not be told */
    }
    if (c->max_ack_delay >= (1u << 14) * TERN_MSEC || c->initial_rtt == 0 ||
        c->handshake_timeout == 0 || c->max_connections == 0 ||
        c->cid_prefix_len > TERN_CID_PREFIX_MAX || c->cid_rotation > 6) {
        return TERN_ERR_INVALID;
    }
    return 0;
}

/* What one connection may hold of messages stays for those to come: less, and one whose queues run full and
 * empty by turns would give back and ask for the same blocks each time. */
static size_t slab_keep(const tern_config *c)
{
    uint64_t queues = tern_add_sat(c->message_window, c->message_queue);
    return (size_t)TERN_MIN(tern_add_sat(queues, c->message_buffer), SLAB_KEEP);
}

static void init_env(struct tern_endpoint *ep, const tern_config *config, tern_time now)
{
    struct tern_conn_env *env = &ep->env;
    env->mem = &ep->mem;
    env->random = &ep->random;
    env->config = &ep->config;
    env->endpoint = ep;
    tern_slab_init(&env->slab, &ep->mem, slab_keep(config));
    tern_pool_init(&env->pages, &ep->mem, TERN_PAGE_SIZE, TERN_PAGES_KEPT);
    env->ready = &ep->ready;
    env->eventful = &ep->eventful;
    env->timers = &ep->timers;
    env->routes = &ep->routes;
    tern_budget_set(&env->hurry, TERN_HURRIED_PROBES);
    tern_rest_init_env(env);
    env->suites = config->suites & tern_suites_available(NULL);
    if (config->secret_key != NULL) {
        memcpy(env->secret_key, config->secret_key, TERN_KEY_SIZE);
    } else {
        tern_random_fill(&ep->random, env->secret_key, TERN_KEY_SIZE);
    }
    tern_key_public(env->public_key, env->secret_key);
    tern_hmac_init(&env->reset_key, env->secret_key, TERN_KEY_SIZE);
    tern_proofs_init(&ep->door.proofs, env->secret_key, config->unix_time,
                     config->handshake_timeout, &ep->random, now);
    env->proofs = config->accept ? &ep->door.proofs : NULL;
    env->kem = tern_kem_builtin();
    env->modes.wants_hybrid = config->accept && config->hybrid;
    if (config->secret != NULL) {
        env->modes.has_secret = true;
        memcpy(env->modes.secret, config->secret, TERN_SECRET_SIZE);
    }
    /* Borrowed for the call only; the copies are in env. */
    ep->config.secret_key = ep->config.secret = NULL;
    ep->config.code = NULL;
}

int tern_endpoint_set_code(tern_endpoint *ep, const char *code)
{
    struct tern_code parsed;
    int rc = code == NULL ? 0 : tern_code_parse(&parsed, code);
    if (rc == 0) {
        tern_modes_set_code(&ep->env.modes, code == NULL ? NULL : &parsed);
    }
    tern_mem_wipe(&parsed, sizeof parsed);
    return rc;
}

unsigned tern_endpoint_code_guesses(const tern_endpoint *ep)
{
    return ep->env.modes.guesses;
}

/* What stands ready for strangers: all the memory that they can take before they have proved anything. */
static int init_door(struct tern_endpoint *ep, tern_time now)
{
    bool accept = ep->config.accept;
    size_t queue = accept ? TERN_STATELESS_SERVER_QUEUE : TERN_STATELESS_CLIENT_QUEUE;
    tern_hosts_init(&ep->door.hosts, &ep->mem, &ep->random);
    tern_retry_keys_init(&ep->door.retry_keys, ep->env.public_key);
    int rc = tern_throttle_init(&ep->door.throttle, &ep->mem, &ep->random,
                                accept ? ep->config.initial_rate : 0);
    ep->door.was_keyed = true;
    ep->door.opened_at = tern_proofs_wall(&ep->door.proofs, now) / 1000;
    if (rc == 0 && ep->config.connect_token_key != NULL) {
        ep->door.wants_grant = accept;
        memcpy(ep->door.connect_key, ep->config.connect_token_key, TERN_CONNECT_KEY_SIZE);
        rc = tern_strikes_init(&ep->door.used, &ep->mem, &ep->random, USED_TOKENS,
                               TERN_CONNECT_LIFE_MAX * TERN_SEC, now);
        ep->config.connect_token_key = NULL; /* borrowed for the call only */
    }
    if (rc == 0 && accept) {
        rc = tern_strikes_init(&ep->door.shown, &ep->mem, &ep->random, SHOWN_TOKENS,
                               TERN_ADDRESS_LIFE_MS * TERN_MSEC, now);
    }
    if (rc == 0) {
        rc = tern_stateless_init(&ep->stateless, &ep->mem, queue);
    }
    ep->scratch = tern_mem_alloc(&ep->mem, TERN_DATAGRAM_MAX);
    return rc == 0 && ep->scratch == NULL ? TERN_ERR_NOMEM : rc;
}

int tern_endpoint_new(tern_endpoint **out, const tern_config *config, tern_time now)
{
    int rc = check_config(config);
    if (rc != 0) {
        return rc;
    }
    if (sodium_init() < 0) {
        return TERN_ERR_UNSUPPORTED;
    }
    struct tern_mem mem;
    tern_mem_init(&mem, &config->allocator);
    struct tern_endpoint *ep = tern_mem_zalloc(&mem, sizeof *ep);
    if (ep == NULL) {
        return TERN_ERR_NOMEM;
    }
    ep->mem = mem;
    ep->config = *config;
    tern_random_init(&ep->random, &config->random);
    tern_map_init(&ep->routes, &ep->mem, &ep->random);
    tern_heap_init(&ep->timers, &ep->mem);
    tern_resets_init(&ep->resets, &ep->mem, &ep->random, config);
    tern_list_init(&ep->conns);
    tern_list_init(&ep->dormants);
    tern_heap_init(&ep->dormant_timers, &ep->mem);
    tern_list_init(&ep->ready);
    tern_list_init(&ep->eventful);
    /* Neither into swap nor into a core dump, where the system lets us; it is wiped in any case. */
    (void)sodium_mlock(ep->env.secret_key, TERN_KEY_SIZE);
    init_env(ep, config, now);
    bool lacks_kem = ep->env.modes.wants_hybrid && ep->env.kem == NULL;
    rc = ep->env.suites == 0 || lacks_kem ? TERN_ERR_UNSUPPORTED : init_door(ep, now);
    if (rc == 0 && config->code != NULL) {
        rc = tern_endpoint_set_code(ep, config->code);
    }
    if (rc == 0 && config->accept && config->early_data) {
        rc = tern_tickets_new(&ep->env.tickets, &ep->mem, &ep->random, now);
    }
    if (rc != 0) {
        tern_endpoint_free(ep);
        return rc;
    }
    *out = ep;
    return 0;
}

void tern_endpoint_drop_conn(struct tern_endpoint *ep, struct tern_conn *conn)
{
    ep->half_open -= conn->is_half_open ? 1 : 0;
    ep->conn_count--;
    ep->told = ep->told == conn ? NULL : ep->told;
    tern_resets_drop(&ep->resets, conn);
    if (conn->door.host != NULL) {
        tern_hosts_leave(&ep->door.hosts, conn->door.host, conn->door.is_host_proved);
    }
    tern_conn_free(conn);
}

static void drop_dormant(struct tern_endpoint *ep, struct tern_dormant *dormant)
{
    ep->half_open--;
    ep->conn_count--;
    if (dormant->host != NULL) {
        tern_hosts_leave(&ep->door.hosts, dormant->host, dormant->is_host_proved);
    }
    tern_dormant_free(dormant, &ep->dormant_timers);
}

void tern_endpoint_free(tern_endpoint *ep)
{
    struct tern_list *node, *following;
    if (ep == NULL) {
        return;
    }
    TERN_LIST_EACH(node, following, &ep->conns)
    {
        tern_endpoint_drop_conn(ep, TERN_CONTAINER_OF(node, struct tern_conn, all_node));
    }
    TERN_LIST_EACH(node, following, &ep->dormants)
    {
        drop_dormant(ep, TERN_CONTAINER_OF(node, struct tern_dormant, node));
    }
    tern_slab_clear(&ep->env.slab);
    tern_pool_clear(&ep->env.pages);
    tern_heap_clear(&ep->timers);
    tern_heap_clear(&ep->dormant_timers);
    tern_map_clear(&ep->routes);
    tern_hosts_clear(&ep->door.hosts);
    tern_resets_clear(&ep->resets);
    tern_throttle_clear(&ep->door.throttle);
    tern_strikes_clear(&ep->door.used);
    tern_strikes_clear(&ep->door.shown);
    tern_mem_wipe(ep->door.connect_key, sizeof ep->door.connect_key);
    tern_stateless_clear(&ep->stateless);
    tern_mem_wipe(ep->door.proofs.key, sizeof ep->door.proofs.key);
    struct tern_mem mem = ep->mem;
    tern_mem_free(&mem, ep->scratch);
    (void)sodium_munlock(ep->env.secret_key, TERN_KEY_SIZE); /* wipes */
    tern_hmac_clear(&ep->env.reset_key);
    tern_tickets_free(ep->env.tickets, &mem);
    tern_mem_wipe(&ep->env.modes, sizeof ep->env.modes);
    tern_mem_free(&mem, ep);
}

void tern_endpoint_close_all(tern_endpoint *ep, uint64_t code, const char *reason)
{
    struct tern_list *node, *following;
    TERN_LIST_EACH(node, following, &ep->dormants) /* nobody knows of them yet */
    {
        drop_dormant(ep, TERN_CONTAINER_OF(node, struct tern_dormant, node));
    }
    TERN_LIST_EACH(node, following, &ep->conns)
    {
        tern_conn_close(TERN_CONTAINER_OF(node, struct tern_conn, all_node), code, reason);
    }
}

void tern_endpoint_public_key(const tern_endpoint *ep, uint8_t out[TERN_KEY_SIZE])
{
    memcpy(out, ep->env.public_key, TERN_KEY_SIZE);
}

int tern_endpoint_connect(tern_endpoint *ep, const tern_peer *peer, tern_conn **out, tern_time now)
{
    if (peer->size != sizeof *peer || (peer->addr.family != 4 && peer->addr.family != 6) ||
        peer->addr.port == 0) {
        return TERN_ERR_INVALID;
    }
    if (ep->conn_count >= ep->config.max_connections) {
        return TERN_ERR_LIMIT;
    }
    struct tern_conn *conn;
    tern_peer plain = *peer;
    plain.addr = tern_addr_unmapped(&peer->addr);
    plain.local = tern_addr_unmapped(&peer->local);
    int rc = tern_conn_new_client(&conn, &ep->env, &plain, now);
    if (rc != 0) {
        return rc == TERN_ERR_CRYPTO ? TERN_ERR_INVALID : rc; /* a pinned key of small order */
    }
    tern_list_push_back(&ep->conns, &conn->all_node);
    ep->conn_count++;
    *out = conn;
    return 0;
}

int tern_endpoint_receive(tern_endpoint *ep, const tern_datagram *in, size_t n, tern_time now)
{
    struct tern_route_item batch[TERN_ROUTE_BATCH];
    size_t count = 0;
    int result = 0, rc = 0;
    for (size_t i = 0; i < n; i++) {
        size_t segment = in[i].segment == 0 ? in[i].len : in[i].segment;
        for (size_t at = 0; at < in[i].len; at += segment) {
            batch[count].in = &in[i];
            batch[count].data = in[i].data + at;
            batch[count].len = TERN_MIN(segment, in[i].len - at);
            if (++count == TERN_ROUTE_BATCH) {
                rc = tern_route_batch(ep, batch, count, now);
                result = result == 0 ? rc : result;
                count = 0;
            }
        }
    }
    rc = tern_route_batch(ep, batch, count, now);
    return result == 0 ? rc : result;
}

/* The peer is proved, but there is no place for it. The application has not heard of it and does not. */
static void turn_away(struct tern_conn *conn, const char *reason, tern_time now)
{
    conn->is_announced = conn->wants_connected_event = false;
    conn->is_told_closed = true;
    tern_conn_fail(conn, TERN_ERR_REFUSED, 0, reason, now);
}

void tern_endpoint_note_progress(struct tern_endpoint *ep, struct tern_conn *conn, tern_time now)
{
    if (!conn->is_half_open ||
        !conn->is_announced) { /* until then also one that is closing counts */
        return;
    }
    if (conn->door.host != NULL && !conn->door.is_host_proved) {
        if (conn->door.host->proved >= ep->config.max_per_address) {
            turn_away(conn, TERN_DOOR_CROWDED, now);
            return;
        }
        conn->door.host->unproved--;
        conn->door.host->proved++;
        conn->door.is_host_proved = true;
    }
    if (conn->door.grant != NULL && !tern_strikes_mark(&ep->door.used, conn->door.grant->id,
                                                       sizeof conn->door.grant->id, now)) {
        turn_away(conn, TERN_DOOR_USED, now);
        return;
    }
    conn->is_half_open = false;
    ep->half_open--;
    ep->accepted++;
}

/* Half-open ones rest as a record. False: it has more to it than that, or there is no memory. */
static bool lay_down(struct tern_endpoint *ep, struct tern_conn *conn)
{
    struct tern_dormant *dormant =
        tern_dormant_can_hold(conn) ? tern_dormant_new(conn, &ep->dormant_timers) : NULL;
    if (dormant != NULL) {
        tern_list_push_back(&ep->dormants, &dormant->node);
        tern_heap_set(&ep->dormant_timers, &dormant->timer, tern_dormant_deadline(dormant));
    }
    return dormant != NULL;
}

/* NULL: no memory; it sleeps on. */
static struct tern_conn *wake_up(struct tern_endpoint *ep, struct tern_dormant *dormant, bool again,
                                 tern_time now)
{
    struct tern_conn *conn = tern_dormant_wake(dormant, &ep->dormant_timers, again, now);
    if (conn != NULL) {
        tern_list_push_back(&ep->conns, &conn->all_node);
        tern_conn_mark_ready(conn);
    }
    return conn;
}

int tern_endpoint_rouse(struct tern_endpoint *ep, struct tern_dormant *dormant,
                        const tern_datagram *in, uint8_t *data, size_t len, tern_time now)
{
    if (tern_dormant_receive(dormant, in, data, len)) {
        tern_heap_set(&ep->dormant_timers, &dormant->timer, tern_dormant_deadline(dormant));
        return 0;
    }
    struct tern_conn *conn = wake_up(ep, dormant, false, now);
    if (conn == NULL) {
        return TERN_ERR_NOMEM; /* the client says it again */
    }
    tern_conn_on_datagram(conn, in, data, len, now);
    tern_endpoint_note_progress(ep, conn, now);
    return 0;
}

/* Says message 2 again, or gives up, wherever it is time. */
static void tick_dormants(struct tern_endpoint *ep, tern_time now)
{
    struct tern_heap_entry *top;
    while ((top = tern_heap_top(&ep->dormant_timers)) != NULL && top->at <= now) {
        struct tern_dormant *dormant = TERN_CONTAINER_OF(top, struct tern_dormant, timer);
        if (tern_dormant_is_over(dormant, now)) {
            drop_dormant(ep, dormant);
        } else if (wake_up(ep, dormant, true, now) == NULL) {
            tern_heap_set(&ep->dormant_timers, top, tern_add_sat(now, TERN_SEC));
        }
    }
}

/* A message 1 that made no sense was told so: to say it again it has to come again, and to wait for that
 * is not worth a connection's memory. */
static bool is_brushed_off(const struct tern_conn *conn)
{
    return conn->is_half_open && !conn->has_peer_key && tern_life_is_over(&conn->life) &&
           !conn->life.wants_close;
}

/* After a connection was worked on: is it over, and when does it want to be woken? */
static void settle_conn(struct tern_endpoint *ep, struct tern_conn *conn, tern_time now)
{
    tern_list_drop(&conn->ready_node);
    tern_resets_follow(&ep->resets, conn);
    if ((tern_conn_is_spent(conn) || is_brushed_off(conn)) && ep->told != conn) {
        tern_endpoint_drop_conn(ep, conn);
        return;
    }
    if (lay_down(ep, conn)) {
        return;
    }
    tern_rest_settle(conn, now);
    tern_time at = TERN_MIN(tern_conn_deadline(conn, now), tern_rest_deadline(conn));
    tern_heap_set(&ep->timers, &conn->timer, at);
}

/* With thousands of connections nothing of the next ones is in the cache: each is asked for while the ones
 * before it have their turn. */
static void fetch_following(const struct tern_endpoint *ep)
{
    struct tern_list *node = ep->ready.next;
    for (unsigned step = TERN_FETCH_STEPS; step-- > 0 && node->next != &ep->ready;) {
        node = node->next;
        tern_conn_fetch(TERN_CONTAINER_OF(node, struct tern_conn, ready_node), step,
                        TERN_FETCH_OUT);
    }
}

/* The same for what the application is told next. */
static void fetch_eventful(const struct tern_endpoint *ep, const struct tern_conn *conn)
{
    struct tern_list *node = conn->event_node.next;
    if (node != &ep->eventful) {
        tern_conn_fetch_event(TERN_CONTAINER_OF(node, struct tern_conn, event_node));
    }
}

/* Does its train leave right behind one of another connection, to the same host? */
static bool has_company(const struct tern_endpoint *ep, const struct tern_conn *conn, tern_time now)
{
    const struct tern_parting *latest = &ep->latest_out;
    return latest->at == now && latest->number != conn->number &&
           tern_addr_equal(&latest->remote, &conn->path.remote);
}

int tern_endpoint_transmit(tern_endpoint *ep, tern_train *train, tern_time now)
{
    if (train->capacity < TERN_PMTUD_BASE) {
        return TERN_ERR_BUFFER;
    }
    if (tern_stateless_next(&ep->stateless, train)) {
        ep->datagrams_sent++;
        return 1;
    }
    while (!tern_list_is_empty(&ep->ready)) {
        struct tern_conn *conn = TERN_CONTAINER_OF(ep->ready.next, struct tern_conn, ready_node);
        fetch_following(ep);
        ep->env.has_company = has_company(ep, conn, now);
        size_t count = tern_conn_transmit(conn, train, now);
        ep->datagrams_sent += count;
        if (count > 0) {
            ep->latest_out = (struct tern_parting){conn->number, train->remote, now};
        }
        if (count > 0 && !conn->has_said_all) {
            /* To the end of the line, so that many busy connections share by turns. */
            tern_list_drop(&conn->ready_node);
            tern_list_push_back(&ep->ready, &conn->ready_node);
        } else { /* while it is in the cache */
            settle_conn(ep, conn, now);
        }
        if (count > 0) {
            return (int)count;
        }
    }
    return 0;
}

tern_time tern_endpoint_deadline(const tern_endpoint *ep)
{
    if (!tern_list_is_empty(&ep->ready) || ep->stateless.count > 0) {
        return 0;
    }
    const struct tern_heap_entry *top = tern_heap_top(&ep->timers);
    const struct tern_heap_entry *dormant = tern_heap_top(&ep->dormant_timers);
    return TERN_MIN(top == NULL ? TERN_TIME_NEVER : top->at,
                    dormant == NULL ? TERN_TIME_NEVER : dormant->at);
}

void tern_endpoint_tick(tern_endpoint *ep, tern_time now)
{
    struct tern_heap_entry *top;
    while ((top = tern_heap_top(&ep->timers)) != NULL && top->at <= now) {
        struct tern_conn *conn = TERN_CONTAINER_OF(top, struct tern_conn, timer);
        tern_heap_set(&ep->timers, top, TERN_TIME_NEVER); /* settle sets it anew */
        tern_conn_tick(conn, now);
    }
    tick_dormants(ep, now);
}

/* What the last poll closed is let go now: law of handles in tern/event.h. */
static void bury_told(struct tern_endpoint *ep)
{
    struct tern_conn *conn = ep->told;
    if (conn == NULL) {
        return;
    }
    ep->told = NULL;
    if (conn->has_streams) {
        tern_streams_bury(&conn->streams);
    }
    if (conn->is_told_closed) {
        tern_conn_drop_streams(conn);
        if (tern_conn_is_spent(conn)) {
            tern_endpoint_drop_conn(ep, conn);
        }
    }
}

int tern_endpoint_poll(tern_endpoint *ep, tern_event *out)
{
    bury_told(ep);
    while (!tern_list_is_empty(&ep->eventful)) {
        struct tern_conn *conn = TERN_CONTAINER_OF(ep->eventful.next, struct tern_conn, event_node);
        fetch_eventful(ep, conn);
        if (tern_conn_next_event(conn, out)) {
            ep->told = conn;
            ep->connected += out->type == TERN_EVENT_CONNECTED && !conn->is_server ? 1 : 0;
            return 1;
        }
        tern_list_drop(&conn->event_node);
    }
    memset(out, 0, sizeof *out);
    return 0;
}

tern_conn *tern_endpoint_next_conn(const tern_endpoint *ep, const tern_conn *previous)
{
    const struct tern_list *at = previous == NULL ? &ep->conns : &previous->all_node;
    return at->next == &ep->conns ? NULL : TERN_CONTAINER_OF(at->next, struct tern_conn, all_node);
}

void tern_endpoint_stats(const tern_endpoint *ep, tern_endpoint_counters *out)
{
    tern_endpoint_counters c = {
        .size = out->size,
        .connections = ep->conn_count,
        .half_open = ep->half_open,
        .accepted = ep->accepted,
        .connected = ep->connected,
        .datagrams_received = ep->datagrams_received,
        .datagrams_sent = ep->datagrams_sent,
        .dropped_unknown = ep->dropped_unknown,
        .dropped_refused = ep->dropped_refused,
        .version_negotiations = ep->stateless.negotiations,
        .retries = ep->stateless.retries,
        .refusals = ep->stateless.refusals,
        .resets_sent = ep->resets.sent,
        .resets_received = ep->resets.received,
    };
    memcpy(out, &c, TERN_MIN(out->size, sizeof c));
}
