/* One execution: endpoints, network, application, and what must hold after every event.
 * SPDX-License-Identifier: MIT */
#include "model/world.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn.h"
#include "model/seals.h"
#include "sim/invariants.h"

#define WORLD_START (3600 * TERN_SEC)
#define DELAY       (10 * TERN_MSEC)
#define LEAST_STEP  TERN_USEC /* as in the simulator: time always goes on */

/* Bounds of progress. Three lost probes of a first flight are 1 + 2 + 4 seconds (RFC 9002 §6.2). */
#define TALK_LIMIT (20 * TERN_SEC)
#define QUIET                                                                                      \
    (7 * TERN_SEC) /* a move may take three seconds, and as long until the old path is forgotten */
#define LAST_LIMIT  (2 * TERN_SEC)
#define SHUN_LIMIT  (8 * TERN_SEC) /* ... when the server had given up the address, [P §11.1] */
#define CLOSE_LIMIT (10 * TERN_SEC)
#define IDLE_LIMIT  (40 * TERN_SEC) /* config.idle_timeout is 30 s */

#define CLOSE_CODE 7
#define STEPS_MAX  20000

const char *const fate_names[FATES] = {"drop", "twice", "swap", "late", "echo"};

static const tern_addr server_addr = {.family = 4, .ip = {10, 0, 0, 2}, .port = 4433};

static struct flight flights[FLIGHTS_MAX];
static size_t blocks; /* of memory that the library holds */

static void fail(struct world *world, const char *what)
{
    world->broken = world->broken == NULL ? what : world->broken;
}

/* --- seams --- */

static void fill(void *user, uint8_t *buf, size_t len)
{
    uint64_t *state = user;
    for (size_t i = 0; i < len; i++) { /* splitmix64 */
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        buf[i] = (uint8_t)(z ^ z >> 31);
    }
}

static void *counted_alloc(void *user, size_t size)
{
    (void)user;
    void *ptr = malloc(size);
    blocks += ptr != NULL;
    return ptr;
}

static void *counted_realloc(void *user, void *ptr, size_t size)
{
    (void)user;
    void *grown = realloc(ptr, size);
    blocks += ptr == NULL && grown != NULL;
    return grown;
}

static void counted_free(void *user, void *ptr)
{
    (void)user;
    blocks -= ptr != NULL;
    free(ptr);
}

/* A client in first contact decides about the key that it learns. */
static int verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct world *world = user;
    (void)conn;
    return memcmp(key, world->server_key, TERN_KEY_SIZE) == 0 ? 0 : TERN_ERR_REFUSED;
}

static void trace_line(void *user, const tern_trace_event *event)
{
    char line[600];
    (void)user;
    (void)tern_trace_text(event, line, sizeof line);
    (void)printf("%s\n", line);
}

/* --- the network --- */

static const struct fault *fault_of(const struct world *world, unsigned number)
{
    for (unsigned i = 0; i < world->course->count; i++) {
        if (world->course->faults[i].number == number) {
            return &world->course->faults[i];
        }
    }
    return NULL;
}

static struct flight *push(struct world *world, const struct flight *flight, tern_time at)
{
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        if (!world->flights[i].is_taken) {
            world->flights[i] = *flight;
            world->flights[i].is_taken = true;
            world->flights[i].at = at;
            world->flights[i].order = world->order++;
            return &world->flights[i];
        }
    }
    fail(world, "more datagrams are in flight than ever should be");
    return NULL;
}

/* In time, and whatever waited for it right behind. */
static void push_in_time(struct world *world, const struct flight *flight)
{
    struct flight *held = world->held[flight->to];
    (void)push(world, flight, world->now + DELAY);
    if (held != NULL) {
        held->at = world->now + DELAY;
        held->order = world->order++;
        world->held[flight->to] = NULL;
    }
}

static void push_by_fate(struct world *world, const struct flight *flight, enum fate fate)
{
    tern_time late = world->now + DELAY + world->scene->late;
    switch (fate) {
    case FATE_DROP:
        break;
    case FATE_TWICE:
        push_in_time(world, flight);
        (void)push(world, flight, world->now + DELAY);
        break;
    case FATE_SWAP:
        world->held[flight->to] = push(world, flight, late);
        break;
    case FATE_LATE:
        (void)push(world, flight, late);
        break;
    case FATE_ECHO:
        push_in_time(world, flight);
        (void)push(world, flight, late);
        break;
    case FATES:
        fail(world, "no such fate");
        break;
    }
}

static void fold(struct world *world, const struct flight *flight)
{
    uint8_t key[crypto_shorthash_KEYBYTES], out[crypto_shorthash_BYTES];
    memcpy(key, &world->hash, 8);
    memcpy(key + 8, &world->now, 8);
    (void)crypto_shorthash(out, flight->data, flight->len, key);
    memcpy(&world->hash, out, sizeof world->hash);
}

static void send_one(struct world *world, const struct flight *flight)
{
    const struct fault *fault = NULL;
    fold(world, flight);
    if (world->is_open && world->numbers < world->scene->window) {
        fault = fault_of(world, world->numbers);
        if (world->is_traced) {
            (void)printf("          -- #%u to the %s, %zu bytes: %s\n", world->numbers,
                         flight->to == SERVER ? "server" : "client", flight->len,
                         fault == NULL ? "in time" : fate_names[fault->fate]);
        }
        world->numbers++;
    }
    if (fault == NULL) {
        push_in_time(world, flight);
    } else {
        push_by_fate(world, flight, fault->fate);
    }
}

/* What the world sees of a client's address; family 0: it is gone. */
static tern_addr outer_of(const struct world *world, const tern_addr *local)
{
    if (local->family != 0 && tern_addr_equal(local, &world->away)) {
        return *local;
    }
    if (world->is_home_dead) {
        return (tern_addr){.family = 0};
    }
    return world->outer.family != 0 ? world->outer : world->home;
}

static void send_train(struct world *world, int from, const tern_train *train)
{
    size_t segment = train->segment == 0 ? train->len : train->segment;
    for (size_t at = 0; at < train->len; at += segment) {
        struct flight flight = {.to = 1 - from, .target = train->remote, .ecn = train->ecn};
        flight.len = train->len - at < segment ? train->len - at : segment;
        flight.source = from == CLIENT ? outer_of(world, &train->local) : server_addr;
        if (flight.len > sizeof flight.data) {
            fail(world, "a datagram is longer than the configuration allows");
        } else if (flight.source.family != 0) {
            memcpy(flight.data, train->data + at, flight.len);
            send_one(world, &flight);
        }
    }
}

static void flush(struct world *world)
{
    static uint8_t buffer[65535];
    for (int i = 0; i < 2; i++) {
        tern_train train = {.data = buffer, .capacity = sizeof buffer};
        int n;
        while ((n = tern_endpoint_transmit(world->ends[i].endpoint, &train, world->now)) > 0) {
            send_train(world, i, &train);
        }
        if (n < 0) {
            fail(world, "transmit failed");
        }
    }
}

static void deliver(struct world *world, struct flight *flight)
{
    tern_datagram in = {.local = server_addr,
                        .remote = flight->source,
                        .data = flight->data,
                        .len = flight->len,
                        .ecn = flight->ecn};
    bool is_here = true;
    if (flight->to == CLIENT) {
        bool is_away = tern_addr_equal(&flight->target, &world->away);
        tern_addr at_home = outer_of(world, &world->home);
        in.local = is_away ? world->away : world->home;
        is_here = is_away || tern_addr_equal(&flight->target, &at_home);
    }
    if (is_here &&
        tern_endpoint_receive(world->ends[flight->to].endpoint, &in, 1, world->now) != 0) {
        fail(world, "receive failed");
    }
    if (world->held[flight->to] == flight) {
        world->held[flight->to] = NULL;
    }
    flight->is_taken = false;
}

static struct flight *first_flight(const struct world *world)
{
    struct flight *first = NULL;
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        struct flight *flight = &world->flights[i];
        if (flight->is_taken && (first == NULL || flight->at < first->at ||
                                 (flight->at == first->at && flight->order < first->order))) {
            first = flight;
        }
    }
    return first;
}

/* --- the application --- */

static uint8_t byte_at(int speaker, size_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251 + (speaker == SERVER ? 99 : 0));
}

static size_t due(const struct world *world)
{
    return world->round * world->scene->spurt;
}

static void say(struct world *world, int i)
{
    struct end *end = &world->ends[i];
    uint8_t text[64];
    bool is_last = world->round == world->scene->rounds;
    while (end->stream != NULL && !end->is_finished && (end->said < due(world) || is_last)) {
        size_t len = due(world) - end->said;
        len = len < sizeof text ? len : sizeof text;
        for (size_t k = 0; k < len; k++) {
            text[k] = byte_at(i, end->said + k);
        }
        bool ends = is_last && end->said + len == due(world);
        ptrdiff_t n = tern_stream_write(end->stream, text, len, ends ? TERN_FIN : 0);
        if (n != (ptrdiff_t)len) {
            fail(world, "a write came back short");
            return;
        }
        end->said += len;
        end->is_finished = ends;
    }
}

static void hear(struct world *world, int i)
{
    struct end *end = &world->ends[i];
    uint8_t text[256];
    ptrdiff_t n = 0;
    while (end->stream != NULL && !end->has_ended &&
           (n = tern_stream_read(end->stream, text, sizeof text)) > 0) {
        for (size_t k = 0; k < (size_t)n; k++) {
            if (text[k] != byte_at(1 - i, end->heard + k)) {
                fail(world, "other bytes arrived than were sent");
            }
        }
        end->heard += (size_t)n;
    }
    if (end->stream != NULL && n == 0) {
        end->has_ended = true;
    } else if (n < 0 && n != TERN_ERR_AGAIN) {
        fail(world, "a read failed");
    }
    if (end->heard > world->ends[1 - i].said) {
        fail(world, "more bytes arrived than were sent");
    }
}

/* Agreement and authentication. */
static void on_connected(struct world *world, int i, tern_conn *conn)
{
    struct end *end = &world->ends[i], *other = &world->ends[1 - i];
    uint8_t key[TERN_KEY_SIZE];
    tern_stats stats = {.size = sizeof stats};
    const uint8_t *expected = i == CLIENT ? world->server_key : world->client_key;
    end->conn = conn;
    tern_conn_stats(conn, &stats);
    end->suite = stats.suite;
    if (end->connected++ > 0) {
        fail(world, "one connection was announced twice, or a repeated packet made another");
    }
    if (tern_conn_peer_key(conn, key) != 0 || memcmp(key, expected, sizeof key) != 0) {
        fail(world, "the peer's key is not the peer's");
    }
    if (tern_conn_export(conn, "model", end->exported, sizeof end->exported) != 0) {
        fail(world, "no exporter");
    }
    if (other->connected > 0 &&
        (other->suite != end->suite || memcmp(other->exported, end->exported, EXPORT_SIZE) != 0)) {
        fail(world, "the two ends do not agree on suite and keys");
    }
}

static void on_closed(struct end *end, const tern_event *ev)
{
    end->closed += end->conn == ev->conn;
    end->close = ev->close;
    end->conn = NULL;
    end->stream = NULL;
}

static void on_event(struct world *world, int i, const tern_event *ev)
{
    struct end *end = &world->ends[i];
    if (ev->type == TERN_EVENT_CONNECTED) {
        on_connected(world, i, ev->conn);
    } else if (ev->type == TERN_EVENT_EARLY) {
        end->conn = ev->conn;
        if (end->early++ > 0) {
            fail(world, "early data was taken twice");
        }
    } else if (ev->type == TERN_EVENT_CLOSED) {
        on_closed(end, ev);
    } else if (ev->type == TERN_EVENT_STREAM_OPENED) {
        end->stream = ev->stream;
        if (end->opened++ > 0) {
            fail(world, "a stream was opened twice");
        }
        if (world->scene->is_at_once && tern_stream_set_early(ev->stream) != 0) {
            fail(world, "a stream may not leave early");
        }
    } else if (ev->type == TERN_EVENT_STREAM_CLOSED && end->stream == ev->stream) {
        end->stream = NULL;
        end->is_done = true;
    } else if (ev->type == TERN_EVENT_TICKET && ev->ticket_len <= TICKET_MAX) {
        memcpy(world->ticket, ev->ticket, ev->ticket_len);
        world->ticket_len = ev->ticket_len;
        world->ticket_at = world->now;
    }
}

static void poll_end(struct world *world, int i)
{
    tern_event ev;
    while (tern_endpoint_poll(world->ends[i].endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_STREAM_CLOSED) {
            hear(world, i); /* the last chance */
        }
        on_event(world, i, &ev);
    }
    hear(world, i);
    say(world, i);
}

/* --- steps --- */

static void check(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        tern_conn *conn = NULL;
        while ((conn = tern_endpoint_next_conn(world->ends[i].endpoint, conn)) != NULL) {
            const char *broken = invariants_broken(conn, world->now);
            if (broken != NULL) {
                fail(world, broken);
            }
        }
    }
    if (seals_broken() != NULL) {
        fail(world, seals_broken());
    }
}

static void begin_round(struct world *world)
{
    if (world->scene->act != NULL) {
        world->scene->act(world, world->round);
    }
    world->round++;
    world->next_round =
        world->round + 1 < world->scene->rounds ? world->now + world->scene->gap : TERN_TIME_NEVER;
}

static tern_time sooner(tern_time a, tern_time b)
{
    return a < b ? a : b;
}

static tern_time end_deadline(const struct end *end)
{
    tern_time at = tern_endpoint_deadline(end->endpoint);
    return at > end->not_before ? at : end->not_before;
}

static tern_time next_moment(const struct world *world)
{
    const struct flight *first = first_flight(world);
    tern_time next = world->next_round;
    next = first == NULL ? next : sooner(next, first->at);
    next = sooner(next, end_deadline(&world->ends[CLIENT]));
    next = sooner(next, end_deadline(&world->ends[SERVER]));
    return next > world->now ? next : world->now;
}

/* All that happens at the next moment. False: that would be after `until`. */
static bool step(struct world *world, tern_time until)
{
    struct flight *flight;
    tern_time next = next_moment(world);
    if (next > until) {
        world->now = until;
        return false;
    }
    world->now = next;
    while ((flight = first_flight(world)) != NULL && flight->at <= world->now) {
        deliver(world, flight);
    }
    if (world->now >= world->next_round) {
        begin_round(world);
    }
    for (int i = 0; i < 2; i++) {
        struct end *end = &world->ends[i];
        if (end_deadline(end) <= world->now) {
            tern_endpoint_tick(end->endpoint, world->now);
            end->not_before = world->now + LEAST_STEP;
        }
        poll_end(world, i);
    }
    if (world->scene->watch != NULL) {
        world->scene->watch(world);
    }
    flush(world);
    check(world);
    return true;
}

typedef bool (*goal_fn)(const struct world *world);

static bool run(struct world *world, goal_fn goal, tern_time limit)
{
    tern_time until = world->now + limit;
    for (unsigned steps = 0; steps < STEPS_MAX && world->broken == NULL; steps++) {
        if (goal != NULL && goal(world)) {
            return true;
        }
        if (!step(world, until)) {
            return goal != NULL && goal(world);
        }
    }
    fail(world, "no rest: something is said over and over");
    return false;
}

/* --- goals --- */

static bool is_spoken(const struct world *world)
{
    size_t all = (world->scene->rounds - 1) * world->scene->spurt;
    bool is_over = world->ends[CLIENT].closed > 0 || world->ends[SERVER].closed > 0;
    return is_over || (world->ends[CLIENT].heard == all && world->ends[SERVER].heard == all &&
                       world->ends[CLIENT].connected > 0 && world->ends[SERVER].connected > 0);
}

static bool is_done(const struct world *world)
{
    return world->ends[CLIENT].is_done && world->ends[SERVER].is_done;
}

static bool is_confirmed(const struct world *world)
{
    const struct tern_conn *client = world->ends[CLIENT].conn;
    return world->ends[SERVER].connected > 0 && client != NULL && client->life.is_confirmed;
}

static bool has_ticket(const struct world *world)
{
    return is_confirmed(world) && world->ticket_len > 0;
}

static bool is_closed(const struct world *world)
{
    return world->ends[CLIENT].closed > 0 && world->ends[SERVER].closed > 0;
}

/* --- an execution --- */

static void config_of(struct world *world, int i, tern_config *config)
{
    const struct scene *scene = world->scene;
    tern_config_init(config);
    config->suites = TERN_SUITE_CHACHA20_POLY1305; /* that every machine has */
    config->max_datagram = 1200;
    config->allocator = (tern_allocator){counted_alloc, counted_realloc, counted_free, NULL};
    config->random = (tern_random_source){.fill = fill, .user = &world->ends[i].noise};
    if (world->is_traced) {
        config->trace.event = trace_line;
    }
    if (i == CLIENT) {
        config->verify = verify;
        config->verify_user = world;
    } else {
        config->accept = true;
        config->silent = scene->is_silent;
        config->early_data = scene->has_ticket;
        config->secret = scene->secret;
        config->code = scene->code;
        config->retry_half_open = scene->has_retry ? 0 : config->retry_half_open;
    }
}

static bool world_open(struct world *world)
{
    world->now = WORLD_START;
    world->next_round = TERN_TIME_NEVER;
    world->home = (tern_addr){.family = 4, .ip = {10, 0, 0, 1}, .port = 1000};
    world->away = (tern_addr){.family = 4, .ip = {10, 0, 9, 1}, .port = 2000};
    for (int i = 0; i < 2; i++) {
        static const uint8_t keys[2][TERN_KEY_SIZE] = {{40}, {80}}; /* X25519 drops three bits */
        tern_config config;
        world->ends[i].noise = (uint64_t)(i + 1) << 32;
        config_of(world, i, &config);
        config.secret_key = keys[i];
        if (tern_endpoint_new(&world->ends[i].endpoint, &config, world->now) != 0) {
            fail(world, "no endpoint");
            return false;
        }
    }
    tern_endpoint_public_key(world->ends[CLIENT].endpoint, world->client_key);
    tern_endpoint_public_key(world->ends[SERVER].endpoint, world->server_key);
    return true;
}

static void connect(struct world *world)
{
    const struct scene *scene = world->scene;
    struct end *end = &world->ends[CLIENT];
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = server_addr;
    peer.key = scene->pinned ? world->server_key : NULL;
    peer.secret = scene->secret;
    peer.code = scene->code;
    peer.ticket = world->ticket_len > 0 ? world->ticket : NULL;
    peer.ticket_len = world->ticket_len;
    peer.ticket_age = world->now - world->ticket_at + (scene->is_stale ? 60 * TERN_SEC : 0);
    if (tern_endpoint_connect(end->endpoint, &peer, &end->conn, world->now) != 0 ||
        tern_conn_open_stream(end->conn, TERN_STREAM_BIDI, &end->stream) != 0 ||
        tern_stream_set_early(end->stream) != 0) {
        fail(world, "connect failed");
    }
}

static void open_window(struct world *world)
{
    world->is_open = true;
    begin_round(world);
    say(world, CLIENT);
    say(world, SERVER);
}

/* A first visit, undisturbed, for the ticket. */
static void fetch_ticket(struct world *world)
{
    connect(world);
    flush(world);
    if (!run(world, has_ticket, TALK_LIMIT)) {
        fail(world, "no ticket");
        return;
    }
    tern_conn_close(world->ends[CLIENT].conn, 0, "");
    flush(world);
    (void)run(world, is_closed, CLOSE_LIMIT);
    for (int i = 0; i < 2; i++) {
        struct end *end = &world->ends[i];
        end->connected = end->closed = end->opened = 0;
        end->conn = NULL;
        end->stream = NULL;
    }
}

static void begin(struct world *world)
{
    if (world->scene->has_ticket) {
        fetch_ticket(world);
    }
    if (world->broken != NULL) {
        return;
    }
    connect(world);
    if (world->scene->from_birth) {
        open_window(world);
        flush(world);
        return;
    }
    flush(world);
    if (!run(world, is_confirmed, TALK_LIMIT)) {
        fail(world, "no handshake on a network without faults");
        return;
    }
    (void)run(world, NULL, QUIET);
    if (world->broken == NULL) {
        open_window(world);
        flush(world);
    }
}

/* The last word, on a network that is well again: whatever went wrong before, it must pass at once. */
static void end_well(struct world *world)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(world->ends[SERVER].conn, &stats);
    world->is_open = false;
    world->round = world->scene->rounds;
    say(world, CLIENT);
    say(world, SERVER);
    flush(world);
    if (!run(world, is_done, stats.migrations_failed > 0 ? SHUN_LIMIT : LAST_LIMIT)) {
        fail(world, "deadlock: on a good network the last bytes do not arrive");
        return;
    }
    tern_conn_close(world->ends[CLIENT].conn, CLOSE_CODE, "bye");
    flush(world);
    const tern_close_info *seen = &world->ends[SERVER].close;
    if (!run(world, is_closed, CLOSE_LIMIT)) {
        fail(world, "the end was not heard");
    } else if (seen->by != TERN_CLOSED_PEER || !seen->is_application || seen->code != CLOSE_CODE) {
        fail(world, "the server closed for another reason than the client's");
    }
}

/* The close itself may be lost; the server then waits until its peer has been silent for too long. */
static void close_in_bad_weather(struct world *world)
{
    const tern_close_info *seen = &world->ends[SERVER].close;
    tern_conn_close(world->ends[CLIENT].conn, CLOSE_CODE, "bye");
    flush(world);
    if (!run(world, is_closed, IDLE_LIMIT)) {
        fail(world, "the end was not heard");
    } else if (seen->by == TERN_CLOSED_PEER ? seen->code != CLOSE_CODE
                                            : seen->by != TERN_CLOSED_TIMEOUT) {
        fail(world, "the server closed for another reason than the client's, or its silence");
    }
}

/* When there is nothing more to say, nothing is said. A server that went back to an address where nobody
 * is any more goes on to look for its client. */
static const char *judge_rest(struct world *world)
{
    const struct tern_conn *client = world->ends[CLIENT].conn, *server = world->ends[SERVER].conn;
    uint64_t before = client->counters.packets_sent + server->counters.packets_sent;
    if (!client->life.is_confirmed || !server->life.is_confirmed) {
        return "the handshake is not confirmed";
    }
    (void)run(world, NULL, TERN_SEC);
    if (client->counters.packets_sent + server->counters.packets_sent != before &&
        server->counters.migrations_failed == 0) {
        return "no rest: there is nothing to say, and packets leave";
    }
    return world->scene->judge == NULL ? NULL : world->scene->judge(world);
}

/* No handshake, and both ends know it or never heard of it. */
static bool has_timed_out(const struct world *world)
{
    const struct end *client = &world->ends[CLIENT], *server = &world->ends[SERVER];
    return world->scene->may_time_out && client->closed > 0 && client->connected == 0 &&
           server->connected == 0 && client->close.error == TERN_ERR_TIMEOUT;
}

static void live(struct world *world)
{
    begin(world);
    if (world->broken != NULL) {
        return;
    }
    if (!run(world, is_spoken, TALK_LIMIT)) {
        fail(world, "deadlock: not all bytes arrived in time");
    }
    if (world->broken == NULL && world->scene->closes_early && !is_closed(world)) {
        close_in_bad_weather(world);
        return;
    }
    (void)run(world, NULL, world->scene->late + QUIET);
    if (has_timed_out(world)) {
        return;
    }
    if (is_closed(world) || world->ends[CLIENT].conn == NULL || world->ends[SERVER].conn == NULL) {
        const tern_close_info *close = &world->ends[world->ends[CLIENT].closed > 0 ? 0 : 1].close;
        fail(world, tern_strerror(close->error));
    }
    if (world->broken == NULL) {
        world->broken = judge_rest(world);
    }
    if (world->broken == NULL) {
        end_well(world);
    }
}

void world_run(const struct scene *scene, const struct course *course, bool is_traced,
               struct outcome *out)
{
    struct world world = {.scene = scene, .course = course, .is_traced = is_traced};
    size_t before = blocks;
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        flights[i].is_taken = false;
    }
    world.flights = flights;
    seals_reset();
    if (world_open(&world)) {
        live(&world);
    }
    bool timed_out = has_timed_out(&world);
    for (int i = 0; i < 2; i++) {
        tern_endpoint_free(world.ends[i].endpoint);
    }
    if (blocks != before) {
        fail(&world, "memory is left behind");
    }
    *out = (struct outcome){.numbers = world.numbers,
                            .hash = world.hash,
                            .seals = seals_count(),
                            .duration = world.now - WORLD_START,
                            .has_timed_out = timed_out,
                            .broken = world.broken};
}
