/* Runs a plan in virtual time: one application at each end that writes and reads known bytes.
 * SPDX-License-Identifier: MIT */
#include "sim/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/invariants.h"

#define CHUNK 16384

/* One end of a stream. */
struct pipe {
    tern_stream *stream;
    uint64_t to_write, written, to_read, read;
    bool fin_written, fin_read, closed;
};

struct side {
    tern_endpoint *endpoint;
    tern_conn *conn;
    struct pipe pipes[KIT_STREAMS_MAX];
    size_t count, closed;
    bool is_connected, is_closed;
    tern_close_info close;
    const char *error;
    uint64_t seed;
    uint64_t to_write, to_read; /* for streams that the peer opens */
    size_t block, sip;
    uint64_t lent; /* blocks that the transport holds */
    tern_bandwidth bandwidth;
    uint64_t bandwidth_events;
};

/* The byte at a place of a direction of a stream: anything may be checked without memory. */
static uint8_t byte_at(uint64_t seed, uint64_t id, bool from_client, uint64_t offset)
{
    uint64_t x = offset * UINT64_C(0x9e3779b97f4a7c15) + seed * 31 + id * 7 + (from_client ? 1 : 0);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint8_t)(x >> 56);
}

static void fail(struct side *side, const char *what)
{
    if (side->error == NULL) {
        side->error = what;
    }
}

static void on_released(void *arg, const void *data, size_t len)
{
    struct side *side = arg;
    (void)len;
    side->lent--;
    free((void *)(uintptr_t)data);
}

/* Blocks are lent, and the FIN has a call of its own, as terncp does it. */
static void lend_some(struct side *side, struct pipe *pipe)
{
    bool from_client = !tern_conn_is_server(side->conn);
    uint64_t id = tern_stream_id(pipe->stream);
    while (pipe->written < pipe->to_write) {
        uint64_t left = pipe->to_write - pipe->written;
        size_t len = left < side->block ? (size_t)left : side->block;
        uint8_t *data = malloc(len);
        if (data == NULL) {
            fail(side, "no memory");
            return;
        }
        for (size_t i = 0; i < len; i++) {
            data[i] = byte_at(side->seed, id, from_client, pipe->written + i);
        }
        ptrdiff_t n = tern_stream_write_ref(pipe->stream, data, len, on_released, side, 0);
        if (n != (ptrdiff_t)len) {
            free(data);
            if (n < 0) {
                fail(side, tern_strerror((int)n));
            }
            return;
        }
        side->lent++;
        pipe->written += len;
    }
    if (!pipe->fin_written) {
        pipe->fin_written = tern_stream_write(pipe->stream, NULL, 0, TERN_FIN) == 0;
    }
}

static void write_some(struct side *side, struct pipe *pipe)
{
    if (side->block > 0) {
        lend_some(side, pipe);
        return;
    }
    uint8_t buf[CHUNK];
    bool from_client = !tern_conn_is_server(side->conn);
    uint64_t id = tern_stream_id(pipe->stream);
    while (!pipe->fin_written) {
        uint64_t left = pipe->to_write - pipe->written;
        size_t len = left < CHUNK ? (size_t)left : CHUNK;
        for (size_t i = 0; i < len; i++) {
            buf[i] = byte_at(side->seed, id, from_client, pipe->written + i);
        }
        unsigned flags = len == left ? TERN_FIN : 0;
        ptrdiff_t n = tern_stream_write(pipe->stream, buf, len, flags);
        if (n < 0) {
            fail(side, tern_strerror((int)n));
            return;
        }
        pipe->written += (uint64_t)n;
        pipe->fin_written = flags != 0 && (size_t)n == len;
        if ((size_t)n < len || (len == 0 && !pipe->fin_written)) {
            return;
        }
    }
}

static void read_some(struct side *side, struct pipe *pipe)
{
    bool from_client = tern_conn_is_server(side->conn);
    uint64_t id = tern_stream_id(pipe->stream);
    size_t taken = 0;
    while (!pipe->fin_read) {
        const uint8_t *data;
        size_t len;
        int rc = tern_stream_peek(pipe->stream, &data, &len);
        if (rc == TERN_ERR_AGAIN) {
            return;
        }
        if (rc != 0) {
            fail(side, tern_strerror(rc));
            return;
        }
        if (side->sip > 0 && taken >= side->sip) {
            return; /* the rest at a later event */
        }
        taken += len;
        for (size_t i = 0; i < len; i++) {
            if (data[i] != byte_at(side->seed, id, from_client, pipe->read + i)) {
                fail(side, "a byte arrived changed");
                return;
            }
        }
        pipe->read += len;
        pipe->fin_read = len == 0;
        if (tern_stream_consume(pipe->stream, len) != 0) {
            fail(side, "consume failed");
            return;
        }
    }
    if (pipe->read != pipe->to_read) {
        fail(side, "the stream ended with another length");
    }
}

static struct pipe *add_pipe(struct side *side, tern_stream *stream)
{
    struct pipe *pipe = &side->pipes[side->count++];
    memset(pipe, 0, sizeof *pipe);
    pipe->stream = stream;
    pipe->to_write = side->to_write;
    pipe->to_read = side->to_read;
    tern_stream_set_user(stream, pipe);
    return pipe;
}

static void on_event(struct side *side, const tern_event *ev)
{
    struct pipe *pipe = ev->stream == NULL ? NULL : tern_stream_user(ev->stream);
    switch (ev->type) {
    case TERN_EVENT_CONNECTED:
        side->is_connected = true;
        side->conn = ev->conn;
        break;
    case TERN_EVENT_CLOSED:
        side->is_closed = true;
        side->close = ev->close;
        break;
    case TERN_EVENT_STREAM_OPENED:
        if (side->count < KIT_STREAMS_MAX) {
            write_some(side, add_pipe(side, ev->stream));
        }
        break;
    case TERN_EVENT_STREAM_READABLE:
        read_some(side, pipe);
        break;
    case TERN_EVENT_STREAM_WRITABLE:
        write_some(side, pipe);
        break;
    case TERN_EVENT_STREAM_CLOSED:
        pipe->closed = true;
        side->closed++;
        break;
    case TERN_EVENT_STREAM_STOPPED:
        fail(side, "the peer stopped a stream");
        break;
    case TERN_EVENT_BANDWIDTH:
        side->bandwidth = ev->bandwidth;
        side->bandwidth_events++;
        break;
    case TERN_EVENT_EARLY:
        side->conn = ev->conn;
        break;
    case TERN_EVENT_MESSAGES:
    case TERN_EVENT_MESSAGES_WRITABLE:
    case TERN_EVENT_MESSAGE_OUTCOME:
    case TERN_EVENT_TICKET:
    case TERN_EVENT_OPENABLE:
    case TERN_EVENT_NONE:
        break;
    }
}

static void poll_side(struct side *side)
{
    tern_event ev;
    for (size_t i = 0; side->sip > 0 && i < side->count && !side->is_closed; i++) {
        if (!side->pipes[i].closed && !side->pipes[i].fin_read) {
            read_some(side, &side->pipes[i]);
        }
    }
    while (tern_endpoint_poll(side->endpoint, &ev) == 1) {
        on_event(side, &ev);
    }
}

void kit_plan_init(struct kit_plan *plan, const char *name, uint64_t seed)
{
    memset(plan, 0, sizeof *plan);
    plan->name = name;
    plan->seed = seed;
    tern_link_config_init(&plan->up);
    plan->up.delay = 20 * TERN_MSEC;
    plan->down = plan->up;
    plan->cc = "cubic";
    plan->streams = 1;
    plan->up_bytes = plan->down_bytes = 100000;
    plan->limit = 120 * TERN_SEC;
    plan->pinned = true;
    plan->check = true;
    tern_config_init(&plan->client);
    tern_config_init(&plan->server);
    plan->client.suites = plan->server.suites = REPLAY_SUITES;
}

/* The world of one run. */
struct world {
    const struct kit_plan *plan;
    tern_sim *sim;
    tern_sim_host *client_host, *server_host;
    struct side client, server;
    tern_nat *nat;
    tern_addr server_addr;
    uint16_t port;
    tern_time begun, next_rebind, next_look;
    bool is_changed, is_traced;
    bool is_warm;
    uint64_t allocations_before;
    uint64_t drop_mask; /* of the datagrams to come */
    tern_addr place;    /* where the client last moved to; family 0: nowhere yet */
    uint8_t move;
    tern_time next_move, next_copy, next_rekey;
    bool are_keys_worn;
    uint8_t copy[2048];
    size_t copy_len;
    uint64_t to_forger, linked;
    struct sighting {
        tern_addr client;
        uint8_t dcid[8];
    } sightings[256];
    size_t sighting_count;
};

static const tern_addr forger = {.family = 4, .ip = {10, 66, 6, 6}, .port = 666};

static void set_key(tern_config *config, uint8_t key[TERN_KEY_SIZE], uint64_t seed, uint8_t salt)
{
    for (size_t i = 0; i < TERN_KEY_SIZE; i++) {
        key[i] = byte_at(seed, salt, true, i);
    }
    config->secret_key = key;
}

/* Which identifier goes to or comes from which address of the client. */
static void sight(struct world *w, const tern_addr *client, const uint8_t *data)
{
    for (size_t i = 0; i < w->sighting_count; i++) {
        if (memcmp(w->sightings[i].dcid, data + 1, 8) == 0) {
            w->linked += tern_addr_equal(&w->sightings[i].client, client) ? 0 : 1;
            return;
        }
    }
    if (w->sighting_count < sizeof w->sightings / sizeof w->sightings[0]) {
        struct sighting *s = &w->sightings[w->sighting_count++];
        s->client = *client;
        memcpy(s->dcid, data + 1, 8);
    }
}

static bool tap(void *user, tern_time now, const tern_addr *from, const tern_addr *to,
                uint8_t *data, size_t len)
{
    struct world *w = user;
    bool is_dropped = (w->drop_mask & 1) != 0;
    bool is_up = tern_addr_equal(to, &w->server_addr);
    const tern_addr *client = is_up ? from : to;
    w->drop_mask >>= 1;
    if (tern_addr_equal(to, &forger)) {
        w->to_forger += len;
    }
    if (w->plan->migrate_every > 0 && (data[0] & 0x80) == 0 && len > 9) {
        sight(w, client, data);
    }
    if (is_up && now >= w->next_copy && (data[0] & 0x80) == 0 && len <= sizeof w->copy) {
        memcpy(w->copy, data, len);
        w->copy_len = len;
        w->next_copy = now + w->plan->copy_every;
    }
    bool is_dead =
        w->plan->is_dead_there && w->place.family != 0 && tern_addr_equal(client, &w->place);
    return !is_dropped && !is_dead;
}

static int add_nat(struct world *w)
{
    tern_nat_config config;
    tern_nat_config_init(&config);
    config.outside = (tern_addr){.family = 4, .ip = {203, 0, 113, 1}, .port = 20000};
    int rc = tern_sim_add_nat(w->sim, &config, &w->nat);
    return rc != 0 ? rc : tern_sim_put_behind(w->sim, w->client_host, w->nat);
}

static int build(struct world *w)
{
    const struct kit_plan *plan = w->plan;
    tern_config client = plan->client, server = plan->server;
    uint8_t client_key[TERN_KEY_SIZE], server_key[TERN_KEY_SIZE];
    tern_addr a = {.family = 4, .ip = {10, 0, 0, 1}, .port = 1000};
    tern_addr b = {.family = 4, .ip = {10, 0, 0, 2}, .port = 4433};
    if (plan->is_ipv6) {
        a.family = b.family = 6;
    }
    set_key(&client, client_key, plan->seed, 1);
    set_key(&server, server_key, plan->seed, 2);
    client.cc = server.cc = plan->cc;
    server.secret = plan->secret;
    server.code = plan->code;
    server.accept = true;
    w->is_traced = replay_trace(&client) && replay_trace(&server);
    w->port = a.port;
    int rc = tern_sim_new(&w->sim, plan->seed);
    if (rc == 0) {
        rc = tern_sim_add_host(w->sim, &a, &client, &w->client_host);
    }
    if (rc == 0) {
        rc = tern_sim_add_host(w->sim, &b, &server, &w->server_host);
    }
    if (rc == 0) {
        rc = tern_sim_connect(w->sim, w->client_host, w->server_host, &plan->up, &plan->down);
    }
    if (rc == 0 && plan->has_nat) {
        rc = add_nat(w);
    }
    if (rc == 0) {
        w->begun = tern_sim_now(w->sim);
        w->drop_mask = plan->drop_mask;
        w->server_addr = b;
        w->next_copy = w->next_move = w->next_rekey = TERN_TIME_NEVER;
        tern_sim_tap(w->sim, tap, w);
        w->client.endpoint = tern_sim_host_endpoint(w->client_host);
        w->server.endpoint = tern_sim_host_endpoint(w->server_host);
    }
    return rc;
}

static int begin(struct world *w)
{
    const struct kit_plan *plan = w->plan;
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(w->server_host);
    tern_endpoint_public_key(w->server.endpoint, key);
    peer.key = plan->pinned && plan->code == NULL ? key : NULL;
    peer.secret = plan->secret;
    peer.code = plan->code;
    w->client.seed = w->server.seed = plan->seed;
    w->client.block = w->server.block = plan->block;
    w->client.sip = w->server.sip = plan->sip;
    w->client.to_write = w->server.to_read = plan->up_bytes;
    w->client.to_read = w->server.to_write = plan->down_bytes;
    int rc =
        tern_endpoint_connect(w->client.endpoint, &peer, &w->client.conn, tern_sim_now(w->sim));
    for (size_t i = 0; rc == 0 && i < plan->streams; i++) {
        tern_stream *stream;
        rc = tern_conn_open_stream(w->client.conn, TERN_STREAM_BIDI, &stream);
        if (rc == 0) {
            write_some(&w->client, add_pipe(&w->client, stream));
        }
    }
    w->next_rebind =
        plan->rebind_every > 0 ? tern_sim_now(w->sim) + plan->rebind_every : TERN_TIME_NEVER;
    return rc;
}

static void rebind(struct world *w)
{
    tern_addr addr = tern_sim_host_addr(w->client_host);
    int rc = 0;
    if (!w->server.is_connected || tern_sim_now(w->sim) < w->next_rebind) {
        return;
    }
    addr.port = w->nat != NULL ? 20000 : ++w->port;
    addr.ip[2] = (uint8_t)(addr.ip[2] + (w->plan->rebind_host ? 1 : 0));
    if (w->nat != NULL) {
        rc = tern_nat_restart(w->nat, w->plan->rebind_host ? &addr : NULL);
    } else {
        rc = tern_sim_rebind(w->sim, w->client_host, &addr);
    }
    if (rc == 0) {
        w->next_rebind = tern_sim_now(w->sim) + w->plan->rebind_every;
    }
}

/* The links become others in the middle of it. */
static void change(struct world *w)
{
    const struct kit_plan *plan = w->plan;
    if (plan->change_at == 0 || w->is_changed ||
        tern_sim_now(w->sim) < w->begun + plan->change_at) {
        return;
    }
    w->is_changed = true;
    tern_link_set(tern_sim_link(w->sim, w->client_host, w->server_host), &plan->up_then);
    tern_link_set(tern_sim_link(w->sim, w->server_host, w->client_host), &plan->down_then);
}

/* With the trace: the length of both queues, every hundredth of a second at most. */
static void trace_queues(struct world *w)
{
    tern_link_counters up = {.size = sizeof up}, down = {.size = sizeof down};
    tern_time now = tern_sim_now(w->sim);
    if (!w->is_traced || now < w->next_look) {
        return;
    }
    w->next_look = now + 10 * TERN_MSEC;
    tern_link_stats(tern_sim_link(w->sim, w->client_host, w->server_host), &up);
    tern_link_stats(tern_sim_link(w->sim, w->server_host, w->client_host), &down);
    (void)fprintf(stderr, "%.6f queues up=%zu down=%zu\n", (double)now / 1e9, up.queue_now,
                  down.queue_now);
}

/* The client goes to another address of its own. */
static void move(struct world *w, struct kit_result *result)
{
    if (tern_sim_now(w->sim) < w->next_move || w->client.is_closed) {
        return;
    }
    tern_addr to = {.family = 4, .ip = {10, 7, ++w->move, 1}, .port = 1000};
    if (tern_sim_add_addr(w->sim, w->client_host, &to) != 0) {
        return;
    }
    w->next_move = tern_sim_now(w->sim) + w->plan->migrate_every;
    int rc = tern_conn_migrate(w->client.conn, &to);
    if (rc == 0) {
        if (w->plan->is_sudden && w->place.family != 0) {
            (void)!tern_sim_drop_addr(w->sim, w->client_host, &w->place);
        }
        w->place = to;
        result->moves++;
    } else if (rc != TERN_ERR_LIMIT) {
        fail(&w->client, tern_strerror(rc));
    }
}

static void wear_keys(struct world *w)
{
    if (w->plan->update_bytes > 0 && !w->are_keys_worn && w->server.is_connected) {
        w->are_keys_worn = true;
        invariants_wear_keys(w->client.conn, w->plan->update_bytes, tern_sim_now(w->sim));
        invariants_wear_keys(w->server.conn, w->plan->update_bytes, tern_sim_now(w->sim));
    }
    if (tern_sim_now(w->sim) >= w->next_rekey && !w->client.is_closed) {
        w->next_rekey = tern_sim_now(w->sim) + w->plan->rekey_every;
        if (tern_conn_rekey(w->client.conn) != 0) {
            fail(&w->client, "cannot ask for fresh keys");
        }
    }
}

/* The copy is faster than what it was taken from. */
static void forge(struct world *w)
{
    tern_datagram in = {
        .local = w->server_addr, .remote = forger, .data = w->copy, .len = w->copy_len};
    if (w->copy_len > 0) {
        w->copy_len = 0;
        if (tern_endpoint_receive(w->server.endpoint, &in, 1, tern_sim_now(w->sim)) != 0) {
            fail(&w->server, "no memory for a copy");
        }
    }
}

/* Allocations between the two marks: a warm connection needs none. */
static void count_allocations(struct world *w, struct kit_result *result)
{
    const struct kit_plan *plan = w->plan;
    uint64_t read = w->server.pipes[0].read;
    if (plan->allocations == NULL || result->counted) {
        return;
    }
    if (!w->is_warm && read >= plan->warm_bytes) {
        w->is_warm = true;
        w->allocations_before = *plan->allocations;
    }
    if (w->is_warm && read >= plan->still_bytes) {
        result->counted = true;
        result->late_allocations = *plan->allocations - w->allocations_before;
    }
}

static void note_half(const struct world *w, struct kit_result *result, tern_time start)
{
    const struct pipe *up = &w->server.pipes[0], *down = &w->client.pipes[0];
    const struct pipe *pipe = down->to_read > up->to_read ? down : up;
    if (result->half == 0 && pipe->to_read > 0 && pipe->read >= pipe->to_read / 2) {
        result->half = tern_sim_now(w->sim) - start;
    }
}

static bool has_all(const struct side *side, size_t streams)
{
    for (size_t i = 0; i < side->count; i++) {
        if (side->pipes[i].read < side->pipes[i].to_read) {
            return false;
        }
    }
    return side->count == streams;
}

/* Goodput counts until here: what follows is the last acknowledgement's way back. */
static void note_arrival(const struct world *w, struct kit_result *result, tern_time start)
{
    if (result->arrived == 0 && has_all(&w->client, w->plan->streams) &&
        has_all(&w->server, w->plan->streams)) {
        result->arrived = tern_sim_now(w->sim) - start;
    }
}

static const char *check(const struct world *w)
{
    const char *broken = NULL;
    if (w->client.conn != NULL && !w->client.is_closed) {
        broken = invariants_broken(w->client.conn, tern_sim_now(w->sim));
    }
    if (broken == NULL && w->server.conn != NULL && !w->server.is_closed) {
        broken = invariants_broken(w->server.conn, tern_sim_now(w->sim));
    }
    return broken;
}

static bool is_done(const struct world *w)
{
    return w->client.closed == w->plan->streams && w->server.closed == w->plan->streams;
}

static void run(struct world *w, struct kit_result *result)
{
    tern_time start = tern_sim_now(w->sim);
    tern_time until = start + w->plan->limit;
    while (!is_done(w) && result->broken == NULL && w->client.error == NULL &&
           w->server.error == NULL && !w->client.is_closed) {
        if (tern_sim_flush(w->sim) != 0 || tern_sim_step(w->sim, until) != 1) {
            break;
        }
        result->steps++;
        poll_side(&w->client);
        poll_side(&w->server);
        if (w->client.is_connected && result->handshake == 0) {
            result->handshake = tern_sim_now(w->sim) - start;
            w->next_move = w->plan->migrate_every > 0
                               ? tern_sim_now(w->sim) + w->plan->migrate_every
                               : TERN_TIME_NEVER;
            w->next_rekey = w->plan->rekey_every > 0 ? tern_sim_now(w->sim) : TERN_TIME_NEVER;
            w->next_copy = w->plan->copy_every > 0 ? tern_sim_now(w->sim) : TERN_TIME_NEVER;
        }
        note_half(w, result, start);
        note_arrival(w, result, start);
        rebind(w);
        change(w);
        trace_queues(w);
        move(w, result);
        forge(w);
        wear_keys(w);
        count_allocations(w, result);
        if (w->plan->watch != NULL && w->client.conn != NULL && !w->client.is_closed) {
            w->plan->watch(w->plan->user, w->client.conn, tern_sim_now(w->sim));
        }
        if (w->plan->check) {
            result->broken = check(w);
        }
    }
    result->duration = tern_sim_now(w->sim) - start;
    result->is_done =
        is_done(w) && result->broken == NULL && w->client.error == NULL && w->server.error == NULL;
}

static void collect(struct world *w, struct kit_result *result)
{
    result->hash = tern_sim_hash(w->sim);
    result->to_forger = w->to_forger;
    result->linked = w->linked;
    result->client.size = result->server.size = sizeof(tern_stats);
    result->up.size = result->down.size = sizeof(tern_link_counters);
    if (w->client.conn != NULL && !w->client.is_closed) {
        tern_conn_stats(w->client.conn, &result->client);
    }
    if (w->server.conn != NULL && !w->server.is_closed) {
        tern_conn_stats(w->server.conn, &result->server);
    }
    tern_link_stats(tern_sim_link(w->sim, w->client_host, w->server_host), &result->up);
    tern_link_stats(tern_sim_link(w->sim, w->server_host, w->client_host), &result->down);
    result->bandwidth = w->client.bandwidth;
    result->bandwidth_events = w->client.bandwidth_events;
    result->client_closed = w->client.is_closed;
    result->client_close = w->client.close;
    result->server_closed = w->server.is_closed;
    result->server_close = w->server.close;
}

static void report(const struct world *w, const struct kit_result *result)
{
    if (result->is_done) {
        return;
    }
    const char *why = result->broken != NULL    ? result->broken
                      : w->client.error != NULL ? w->client.error
                      : w->server.error != NULL ? w->server.error
                      : result->client_closed   ? tern_strerror(result->client_close.error)
                                                : "not finished in time";
    (void)fprintf(stderr,
                  "%s: seed %llu: %s (client wrote %llu read %llu, server wrote %llu read %llu, "
                  "%zu and %zu streams closed, %.3f s)\nreplay: TERN_SEED=%llu TERN_TRACE=1 ctest "
                  "--test-dir build/dev -V -R '%s$'\n",
                  w->plan->name, (unsigned long long)w->plan->seed, why,
                  (unsigned long long)w->client.pipes[0].written,
                  (unsigned long long)w->client.pipes[0].read,
                  (unsigned long long)w->server.pipes[0].written,
                  (unsigned long long)w->server.pipes[0].read, w->client.closed, w->server.closed,
                  (double)result->duration / 1e9, (unsigned long long)w->plan->seed, w->plan->name);
}

void kit_run(const struct kit_plan *plan, struct kit_result *result)
{
    struct world *w = calloc(1, sizeof *w);
    memset(result, 0, sizeof *result);
    if (w == NULL) {
        return;
    }
    w->plan = plan;
    replay_note(plan->name, plan->seed);
    if (build(w) == 0 && begin(w) == 0) {
        run(w, result);
        collect(w, result);
    }
    report(w, result);
    tern_sim_free(w->sim);
    if (w->client.lent + w->server.lent > 0) {
        result->is_done = false;
        (void)fprintf(stderr, "%s: lent blocks were not given back\n", plan->name);
    }
    free(w);
}

double kit_share(const struct kit_result *result, uint64_t bytes, uint64_t rate)
{
    return (double)bytes * 8 / ((double)result->arrived / 1e9) / (double)rate;
}
