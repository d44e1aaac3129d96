/* Thousands of people in one process: they come all at once, talk in rooms at a steady rate, and hear each
 * other out. Each has a connection and a key of its own and speaks ternchat's protocol; all share a socket. What
 * they say nobody seals, which is all the same to a server: it stores and hands on what it cannot read.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "load.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/keyring.h"
#include "shared/net.h"
#include "shared/transport.h"
#include "ternchat/proto.h"

#define PATIENCE  (60 * TERN_SEC) /* for all to come in, and for the last words to be heard */
#define HANDSHAKE (10 * TERN_SEC) /* these three as ternchat's own client has them */
#define IDLE      (90 * TERN_SEC)
#define KEEPALIVE (15 * TERN_SEC)
#define PAUSE     TERN_SEC /* before another attempt */
#define STEP      0.001    /* s */
#define CLOSE_BYE 1

struct load;

struct one {
    struct load *load;
    tern_conn *conn;
    size_t index;
    uint16_t channel;               /* of the room; 0: not in it yet */
    unsigned renamed;               /* so often, for the name was taken */
    tern_time began, joined, again; /* again: when to try once more */
    bool wants_read;
    uint64_t seq;    /* the last event's */
    uint32_t said;   /* its last number */
    uint32_t *heard; /* of each in the room, the last number */
};

enum phase { COMING, WARMING, COUNTING, LISTENING, DONE };

struct load {
    struct load_options options;
    struct ev_loop *loop;
    struct transport transport;
    struct ev_timer step;
    struct one *ones;
    size_t in_room; /* of each */
    enum phase phase;
    tern_time began, since, due; /* all; of this phase; the next words */
    tern_addr addr;
    uint8_t key[TERN_KEY_SIZE];
    size_t joined, closed, again;
    uint64_t said, heard, counted, wrong; /* wrong: lost, twice or out of order */
    uint64_t dice;
    struct samples joins, delays;
    struct usage before, joined_use, after;
    double join_s;
};

/* --- one of them -------------------------------------------------------------------------------------- */

static bool put(struct one *one, uint16_t channel, const struct chat_packet *p, bool is_latest)
{
    uint8_t buf[CHAT_PACKET_MAX];
    tern_send_options o;
    size_t len = chat_encode(p, buf, sizeof buf);
    tern_send_options_init(&o);
    o.channel = channel;
    o.order = is_latest ? TERN_LATEST : TERN_ORDERED;
    o.priority = is_latest ? 4 : 2;
    return len > 0 && one->conn != NULL &&
           tern_conn_send(one->conn, buf, len, &o, tern_udp_now()) == 0;
}

static void say_who(struct one *one)
{
    char name[40];
    (void)snprintf(name, sizeof name, "u%zu-%u", one->index, one->renamed);
    struct chat_packet p = {.type = CHAT_HELLO, .version = CHAT_VERSION, .nick = chat_text(name)};
    (void)put(one, CHAT_CONTROL, &p, false);
}

static void ask_in(struct one *one)
{
    const struct load_options *o = &one->load->options;
    char name[32];
    (void)snprintf(name, sizeof name, "r%zu", one->index % o->rooms);
    struct chat_packet p = {.type = CHAT_JOIN,
                            .flags = o->is_open ? CHAT_FLAG_OPEN : 0,
                            .seq = CHAT_SINCE_NONE,
                            .room = chat_text(name)};
    (void)put(one, CHAT_CONTROL, &p, false);
}

static void on_joined(struct one *one, uint16_t channel)
{
    struct load *load = one->load;
    one->channel = channel;
    if (one->joined == 0) {
        one->joined = tern_udp_now();
        load->joined++;
        samples_add(&load->joins, (double)(one->joined - one->began) / 1e6);
    }
}

static void on_refused(struct one *one, const struct chat_packet *p)
{
    if (p->code ==
        CHAT_REFUSED_NICK) { /* an attempt before holds it, which the server has not given up yet */
        one->renamed++;
        say_who(one);
    } else if (one->load->wrong++ < 5) {
        (void)fprintf(stderr, "chat_load: %zu is refused: %.*s\n", one->index, (int)p->text.len,
                      (const char *)p->text.data);
    }
}

/* "from number time": each in a room hears each other's numbers rise by one, as all events' numbers do. */
static void on_event(struct one *one, const struct chat_packet *p)
{
    struct load *load = one->load;
    char text[64];
    unsigned long long at = 0;
    size_t from = 0, len = p->body.len < sizeof text ? p->body.len : sizeof text - 1;
    unsigned number = 0;
    load->wrong += one->seq != 0 && p->seq != one->seq + 1 ? 1 : 0;
    one->seq = p->seq;
    if (p->kind != CHAT_KIND_TEXT) {
        return;
    }
    memcpy(text, p->body.data, len);
    text[len] = '\0';
    if (sscanf(text, "%zu %u %llu", &from, &number, &at) != 3 ||
        from >= load->options.connections) {
        load->wrong++;
        return;
    }
    uint32_t *last = &one->heard[from / load->options.rooms];
    load->wrong += number == *last + 1 ? 0 : 1;
    *last = number;
    load->heard++;
    if (load->phase == COUNTING) {
        samples_add(&load->delays, (double)(tern_udp_now() - at) / 1e6);
    }
    one->wants_read = load->options.reads;
}

static void on_packet(struct one *one, uint16_t channel, const uint8_t *data, size_t len)
{
    struct chat_packet p;
    if (!chat_decode(&p, data, len)) {
        one->load->wrong++;
    } else if (p.type == CHAT_WELCOME) {
        ask_in(one);
    } else if (p.type == CHAT_REFUSED) {
        on_refused(one, &p);
    } else if (p.type == CHAT_JOINED) {
        on_joined(one, channel);
    } else if (p.type == CHAT_EVENT) {
        on_event(one, &p);
    }
}

static bool attempt(struct one *one, tern_time now)
{
    struct load *load = one->load;
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = load->addr;
    peer.key = load->key;
    peer.anonymous = true; /* a key of its own */
    one->again = TERN_TIME_NEVER;
    if (tern_endpoint_connect(load->transport.endpoint, &peer, &one->conn, now) != 0) {
        return false;
    }
    tern_conn_set_user(one->conn, one);
    return true;
}

static bool begin_one(struct load *load, size_t index)
{
    struct one *one = &load->ones[index];
    one->load = load;
    one->index = index;
    one->began = tern_udp_now();
    one->heard = calloc(load->in_room, sizeof *one->heard);
    return one->heard != NULL && attempt(one, one->began);
}

/* --- all of them -------------------------------------------------------------------------------------- */

static void say(struct load *load, tern_time now)
{
    char text[CHAT_BODY_MAX];
    load->dice ^= load->dice << 13;
    load->dice ^= load->dice >> 7;
    load->dice ^= load->dice << 17;
    struct one *one = &load->ones[load->dice % load->options.connections];
    int len = snprintf(text, sizeof text, "%zu %u %llu ", one->index, one->said + 1,
                       (unsigned long long)now);
    memset(text + len, 'x', load->options.size);
    size_t size = (size_t)len > load->options.size ? (size_t)len : load->options.size;
    struct chat_packet p = {.type = CHAT_SAY,
                            .id = (uint64_t)(one->index + 1) << 32 | (one->said + 1),
                            .kind = CHAT_KIND_TEXT,
                            .body = {(const uint8_t *)text, size}};
    if (one->channel != 0 && put(one, one->channel, &p, false)) {
        one->said++;
        load->said++;
    } else {
        load->wrong++;
    }
}

static void say_what_is_due(struct load *load, tern_time now)
{
    tern_time every = (tern_time)((double)TERN_SEC / load->options.rate);
    while (!load->options.is_idle && load->due <= now) {
        say(load, load->due); /* the time at which it should leave: a late load is no excuse */
        load->due += every;
    }
}

/* Whom the server had no time for. */
static void try_again(struct load *load, tern_time now)
{
    for (size_t i = 0; i < load->options.connections; i++) {
        if (load->ones[i].conn == NULL && load->ones[i].again <= now) {
            load->again++;
            (void)attempt(&load->ones[i], now);
        }
    }
}

static void enter(struct load *load, enum phase phase, tern_time now)
{
    load->phase = phase;
    load->since = load->due = now;
}

static void step(struct load *load, tern_time now)
{
    double spent = (double)(now - load->since) / (double)TERN_SEC;
    const struct load_options *o = &load->options;
    if (load->phase == COMING && load->joined == o->connections) {
        load->join_s = (double)(now - load->began) / (double)TERN_SEC;
        load->joined_use = usage_of(o->pid);
        enter(load, WARMING, now);
    } else if (load->phase == WARMING && spent >= o->warmup) {
        load->before = usage_of(o->pid);
        load->counted = load->said;
        enter(load, COUNTING, now);
    } else if (load->phase == COUNTING && spent >= o->seconds) {
        load->after = usage_of(o->pid);
        load->counted = load->said - load->counted;
        enter(load, LISTENING, now);
    } else if (load->phase == LISTENING && load->heard == load->said * load->in_room) {
        enter(load, DONE, now);
    } else if ((load->phase == COMING || load->phase == LISTENING) &&
               now - load->since > PATIENCE) {
        enter(load, DONE, now);
    }
    if (load->phase == COMING) {
        try_again(load, now);
    } else if (load->phase == WARMING || load->phase == COUNTING) {
        say_what_is_due(load, now);
    } else if (load->phase == DONE) {
        ev_break(load->loop, EVBREAK_ALL);
    }
}

static void on_step(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct load *load = timer->data;
    (void)loop;
    (void)events;
    step(load, tern_udp_now());
    tern_ev_wake(load->transport.binding);
}

static void receive(struct one *one)
{
    tern_message m = {.size = sizeof m};
    while (one->conn != NULL && tern_conn_receive(one->conn, &m) == 1) {
        on_packet(one, (uint16_t)m.channel, m.data, m.len);
    }
    if (one->wants_read) {
        struct chat_packet p = {.type = CHAT_READ, .seq = one->seq};
        (void)put(one, one->channel, &p, true);
        one->wants_read = false;
    }
}

static void on_closed(struct one *one, const tern_close_info *close)
{
    struct load *load = one->load;
    one->conn = NULL;
    one->channel = 0;
    one->seq = 0;
    one->again = one->joined == 0 ? tern_udp_now() + PAUSE : TERN_TIME_NEVER;
    if (load->phase != DONE && one->joined != 0 && ++load->closed <= 5) {
        (void)fprintf(stderr, "chat_load: %zu was closed: %.*s (%s)\n", one->index,
                      (int)close->reason_len, (const char *)close->reason,
                      tern_strerror(close->error));
    }
}

static void on_ready(tern_ev *binding, void *user)
{
    struct load *load = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(load->transport.endpoint, &ev) == 1) {
        struct one *one = tern_conn_user(ev.conn);
        if (ev.type == TERN_EVENT_CONNECTED) {
            say_who(one);
        } else if (ev.type == TERN_EVENT_MESSAGES) {
            receive(one);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            receive(one);
            on_closed(one, &ev.close);
        }
    }
}

/* --- what came of it ---------------------------------------------------------------------------------- */

static bool report(struct load *load)
{
    const struct load_options *o = &load->options;
    double cpu =
        o->seconds > 0 ? 100 * (load->after.seconds - load->before.seconds) / o->seconds : 0;
    uint64_t lost = load->said * load->in_room - load->heard;
    (void)printf("{\"connections\":%zu,\"rooms\":%zu,\"joined\":%zu,\"join_s\":%.2f,"
                 "\"attempts\":%zu,\"join_ms\":{\"p50\":%.0f,\"p99\":%.0f,\"max\":%.0f},\"join_cpu_"
                 "s\":%.2f,",
                 o->connections, o->rooms, load->joined, load->join_s, o->connections + load->again,
                 samples_percentile(&load->joins, 50), samples_percentile(&load->joins, 99),
                 samples_percentile(&load->joins, 100), load->joined_use.seconds);
    (void)printf(
        "\"words_per_s\":%.0f,\"said\":%llu,\"heard\":%llu,\"lost\":%llu,\"wrong\":%llu,"
        "\"closed\":%zu,\"latency_ms\":{\"p50\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"max\":%.2f},",
        o->seconds > 0 ? (double)load->counted / o->seconds : 0, (unsigned long long)load->said,
        (unsigned long long)load->heard, (unsigned long long)lost, (unsigned long long)load->wrong,
        load->closed, samples_percentile(&load->delays, 50), samples_percentile(&load->delays, 95),
        samples_percentile(&load->delays, 99), samples_percentile(&load->delays, 100));
    (void)printf("\"server_cpu_pct\":%.1f,\"server_rss_mib\":%.1f,\"server_peak_mib\":%.1f}\n", cpu,
                 load->after.rss_mib, load->after.peak_mib);
    return load->joined == o->connections && lost == 0 && load->wrong == 0 && load->closed == 0;
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static bool begin(struct load *load)
{
    const struct load_options *o = &load->options;
    char host[256];
    uint16_t port = CHAT_PORT;
    const char *reason = NULL;
    tern_config config;
    tern_config_init(&config);
    config.max_connections = o->connections + 1;
    config.handshake_timeout = HANDSHAKE;
    config.idle_timeout = IDLE;
    config.keepalive = KEEPALIVE;
    if (!net_split(o->server, host, sizeof host, &port) ||
        tern_udp_resolve(&load->addr, host, port, 0, &reason) != 0 ||
        !keyring_parse(o->key, strlen(o->key), load->key)) {
        (void)fprintf(stderr, "chat_load: --server HOST:PORT and --key tern:...\n");
        return false;
    }
    tern_addr local = {.family = load->addr.family};
    load->in_room = o->connections / o->rooms;
    load->ones = calloc(o->connections, sizeof *load->ones);
    if (load->ones == NULL ||
        transport_open(&load->transport, load->loop, &config, &local, on_ready, load) != 0) {
        (void)fprintf(stderr, "chat_load: no memory, or no socket\n");
        return false;
    }
    load->began = load->since = tern_udp_now();
    for (size_t i = 0; i < o->connections; i++) {
        if (!begin_one(load, i)) {
            (void)fprintf(stderr, "chat_load: number %zu does not begin\n", i);
            return false;
        }
    }
    ev_timer_init(&load->step, on_step, STEP, STEP);
    load->step.data = load;
    ev_timer_start(load->loop, &load->step);
    return true;
}

static void end(struct load *load)
{
    load->phase = DONE;
    if (load->transport.endpoint != NULL) {
        tern_endpoint_close_all(load->transport.endpoint, CLOSE_BYE, "");
        on_ready(load->transport.binding, load);
        transport_close(&load->transport);
    }
    for (size_t i = 0; load->ones != NULL && i < load->options.connections; i++) {
        free(load->ones[i].heard);
    }
    free(load->ones);
    samples_free(&load->joins);
    samples_free(&load->delays);
}

static const struct option longs[] = {{"server", required_argument, NULL, 's'},
                                      {"key", required_argument, NULL, 'k'},
                                      {"pid", required_argument, NULL, 'p'},
                                      {"connections", required_argument, NULL, 'c'},
                                      {"rooms", required_argument, NULL, 'r'},
                                      {"rate", required_argument, NULL, 'm'},
                                      {"seconds", required_argument, NULL, 't'},
                                      {"warmup", required_argument, NULL, 'w'},
                                      {"size", required_argument, NULL, 'z'},
                                      {"reads", no_argument, NULL, 'R'},
                                      {"idle", no_argument, NULL, 'i'},
                                      {"open", no_argument, NULL, 'o'},
                                      {NULL, 0, NULL, 0}};

static bool take(struct load_options *o, int opt, const char *value)
{
    switch (opt) {
    case 's':
        o->server = value;
        return true;
    case 'k':
        o->key = value;
        return true;
    case 'p':
        o->pid = (pid_t)strtol(value, NULL, 10);
        return true;
    case 'c':
        o->connections = strtoul(value, NULL, 10);
        return true;
    case 'r':
        o->rooms = strtoul(value, NULL, 10);
        return true;
    case 'm':
        o->rate = strtod(value, NULL);
        return true;
    case 't':
        o->seconds = strtod(value, NULL);
        return true;
    case 'w':
        o->warmup = strtod(value, NULL);
        return true;
    case 'z':
        o->size = strtoul(value, NULL, 10);
        return true;
    case 'R':
        o->reads = true;
        return true;
    case 'i':
        o->is_idle = true;
        return true;
    case 'o':
        o->is_open = true;
        return true;
    default:
        return false;
    }
}

static bool makes_sense(const struct load_options *o)
{
    return o->server != NULL && o->key != NULL && o->rooms > 0 && o->connections >= o->rooms &&
           o->connections % o->rooms == 0 && o->rate > 0 && o->size <= CHAT_BODY_MAX / 2;
}

int main(int argc, char **argv)
{
    struct load load = {.options = {.connections = 10000,
                                    .rooms = 1000,
                                    .rate = 1000,
                                    .seconds = 20,
                                    .warmup = 5,
                                    .size = 100},
                        .dice = 88172645463325252u};
    bool is_fine = sodium_init() >= 0;
    for (int opt; (opt = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        is_fine = is_fine && take(&load.options, opt, optarg);
    }
    if (!is_fine || !makes_sense(&load.options)) {
        (void)fprintf(stderr, "usage: chat_load --server HOST:PORT --key tern:... [--pid SERVER] "
                              "[--connections 10000] [--rooms 1000]\n"
                              "       [--rate 1000] [--seconds 20] [--warmup 5] [--size 100] "
                              "[--reads] [--open] [--idle]\n");
        return 2;
    }
    load.loop = ev_default_loop(0);
    bool is_good = begin(&load);
    if (is_good) {
        (void)ev_run(load.loop, 0);
        is_good = report(&load);
    }
    end(&load);
    return is_good ? 0 : 1;
}
