/* Requests, and their answers.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/serve.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/crew.h"
#include "shared/net.h"
#include "ternperf/node.h"
#include "ternperf/proto.h"
#include "ternperf/system.h"
#include "ternperf/tally.h"

/* What the socket holds when we were not looking. */
#define MESSAGE_QUEUE ((uint64_t)32 * 1024 * 1024)
#define TURN          (100 * TERN_MSEC) /* how soon a signal is noticed when nothing else happens */

static atomic_bool is_stopped; /* by a signal, or by a shard that cannot go on */

/* One thread's part: an endpoint and a socket of its own. */
struct shard {
    struct node node;
    unsigned number, count;
    int code;
    struct task *tasks; /* of all streams that are open */
    unsigned paced;     /* of them send at a rate */
};

struct task {
    struct task *next, **link; /* in the shard's */
    tern_conn *conn;
    tern_stream *stream;
    size_t have; /* octets of the request */
    uint8_t octets[PROTO_REQUEST_SIZE];
    struct proto_request request;
    uint64_t taken;      /* ECHO: of the present one */
    uint64_t owed;       /* SOURCE and ECHO: octets to send */
    uint64_t given;      /* SOURCE, at a rate: octets sent ... */
    tern_time start;     /* ... since then; 0: as fast as they go */
    bool is_at_end;      /* the client has said all */
    struct tally *tally; /* MESSAGES: of the connection, whose user is this task then */
};

static const uint8_t filling[65536];

static void on_signal(int number)
{
    (void)number;
    atomic_store(&is_stopped, true);
}

static void give_up(tern_stream *stream)
{
    int rc = tern_stream_reset(stream, 1);
    rc = rc == 0 ? tern_stream_stop(stream, 1) : rc;
    (void)rc; /* it is over already */
}

static void answer_figures(const struct shard *shard, tern_stream *stream, bool wants_x25519)
{
    const struct node *node = &shard->node;
    uint8_t out[PROTO_FIGURES_SIZE];
    tern_endpoint_counters counters = {.size = sizeof counters};
    tern_endpoint_stats(node->endpoint, &counters);
    struct proto_figures figures = {
        .heap_bytes = node->heap.bytes,
        .rss_bytes = system_rss(),
        .connections = counters.connections,
        .accepted = counters.accepted,
        .datagrams_sent = counters.datagrams_sent,
        .syscalls = node_syscalls(node),
        .x25519_ns = wants_x25519 ? system_x25519() : 0,
        .shard = shard->number,
        .shards = shard->count,
        .cpu_ns = system_cpu(), /* the last, so that the measuring above is before it */
    };
    proto_write_figures(&figures, out);
    if (tern_stream_write(stream, out, sizeof out, TERN_FIN) != (ptrdiff_t)sizeof out) {
        give_up(stream);
    }
}

static void begin_tally(tern_stream *stream, struct task *task)
{
    tern_conn *conn = tern_stream_conn(stream);
    task->tally = tern_conn_user(conn) == NULL ? tally_new(task->request.a == 1) : NULL;
    if (task->tally == NULL || tern_stream_write(stream, filling, 1, 0) != 1) {
        give_up(stream);
        return;
    }
    tern_conn_set_user(conn, task);
}

static void end_tally(tern_stream *stream, struct task *task)
{
    uint8_t out[PROTO_TALLY_SIZE];
    struct proto_tally sum;
    tally_receive(task->tally, tern_stream_conn(stream), tern_udp_now());
    tally_sum(task->tally, &sum);
    proto_write_tally(&sum, out);
    if (tern_stream_write(stream, out, sizeof out, TERN_FIN) != (ptrdiff_t)sizeof out) {
        give_up(stream);
    }
}

static struct task *new_task(struct shard *shard, tern_stream *stream)
{
    struct task *task = calloc(1, sizeof *task);
    if (task != NULL) {
        task->conn = tern_stream_conn(stream);
        task->stream = stream;
        task->next = shard->tasks;
        task->link = &shard->tasks;
        shard->tasks = task;
        if (task->next != NULL) {
            task->next->link = &task->next;
        }
    }
    tern_stream_set_user(stream, task);
    return task;
}

static void free_task(struct shard *shard, struct task *task)
{
    shard->paced -= task->start > 0 ? 1 : 0;
    if (task->tally != NULL && tern_conn_user(task->conn) == task) {
        tern_conn_set_user(task->conn, NULL);
    }
    tally_free(task->tally);
    *task->link = task->next;
    if (task->next != NULL) {
        task->next->link = task->link;
    }
    free(task);
}

/* A connection ends without a word of its streams. NULL: all connections. */
static void free_tasks_of(struct shard *shard, const tern_conn *conn)
{
    for (struct task *task = shard->tasks, *next; task != NULL; task = next) {
        next = task->next;
        if (conn == NULL || task->conn == conn) {
            free_task(shard, task);
        }
    }
}

static void begin(struct shard *shard, tern_stream *stream, struct task *task)
{
    struct proto_request *request = &task->request;
    proto_read_request(request, task->octets);
    if (request->command == PROTO_FIGURES) {
        answer_figures(shard, stream, request->a == 1);
    } else if (request->command == PROTO_SOURCE) {
        task->owed = request->a;
        task->start = request->b > 0 ? tern_udp_now() : 0;
        shard->paced += request->b > 0 ? 1 : 0;
    } else if (request->command == PROTO_ECHO && request->a > 0 && request->b > 0 &&
               request->b <= PROTO_ECHO_MAX) {
        task->owed = 0;
    } else if (request->command == PROTO_MESSAGES) {
        begin_tally(stream, task);
    } else if (request->command != PROTO_SINK) {
        give_up(stream);
    }
}

/* Sends what is owed, as far as there is room, and the end when it is time for that. */
static void pump(tern_stream *stream, struct task *task)
{
    while (task->owed > 0) {
        size_t len = task->owed < sizeof filling ? (size_t)task->owed : sizeof filling;
        if (task->start > 0) {
            uint64_t due = proto_due(task->request.b, tern_udp_now() - task->start);
            uint64_t room = due > task->given ? due - task->given : 0;
            len = room < len ? (size_t)room : len;
            if (len == 0) {
                return; /* the next turn comes soon */
            }
        }
        ptrdiff_t n = tern_stream_write_ref(stream, filling, len, NULL, NULL, 0);
        if (n <= 0) {
            return; /* no room: WRITABLE comes; or it is over */
        }
        task->owed -= (uint64_t)n;
        task->given += (uint64_t)n;
    }
    bool is_done = task->request.command == PROTO_SOURCE ||
                   (task->request.command == PROTO_ECHO && task->is_at_end);
    bool is_sunk = task->request.command == PROTO_SINK && task->is_at_end;
    if (is_done || is_sunk) {
        ptrdiff_t n = tern_stream_write(stream, filling, is_sunk ? 1 : 0, TERN_FIN);
        (void)n; /* said before, or nobody listens */
    }
}

static void pump_paced(const struct shard *shard)
{
    for (struct task *task = shard->paced > 0 ? shard->tasks : NULL; task != NULL;
         task = task->next) {
        if (task->start > 0 && task->owed > 0) {
            pump(task->stream, task);
        }
    }
}

static void take(struct task *task, size_t len)
{
    if (task->request.command == PROTO_ECHO) {
        task->taken += len;
        task->owed += task->taken / task->request.a * task->request.b;
        task->taken %= task->request.a;
    }
}

/* False: the request is not complete. */
static bool read_request(struct shard *shard, tern_stream *stream, struct task *task)
{
    while (task->have < sizeof task->octets) {
        ptrdiff_t n =
            tern_stream_read(stream, task->octets + task->have, sizeof task->octets - task->have);
        if (n <= 0) {
            return false;
        }
        task->have += (size_t)n;
        if (task->have == sizeof task->octets) {
            begin(shard, stream, task);
        }
    }
    return true;
}

static void on_readable(struct shard *shard, tern_stream *stream)
{
    struct task *task = tern_stream_user(stream);
    const uint8_t *data;
    size_t len = 1;
    if (task == NULL || !read_request(shard, stream, task)) {
        return;
    }
    while (len > 0 && tern_stream_peek(stream, &data, &len) == 0) {
        take(task, len);
        task->is_at_end = len == 0;
        if (tern_stream_consume(stream, len) != 0) {
            return;
        }
    }
    if (task->tally == NULL) {
        pump(stream, task);
    } else if (task->is_at_end) {
        end_tally(stream, task);
    }
}

/* Those that nobody has asked to count are taken as well, or they would lie there. */
static void on_messages(tern_conn *conn)
{
    struct task *task = tern_conn_user(conn);
    tern_message message = {.size = sizeof message};
    if (task != NULL) {
        tally_receive(task->tally, conn, tern_udp_now());
    }
    while (task == NULL && tern_conn_receive(conn, &message) == 1) {
    }
}

static void on_event(void *user, const tern_event *event)
{
    struct shard *shard = user;
    if (event->type == TERN_EVENT_STREAM_OPENED) {
        const struct task *task = new_task(shard, event->stream);
        if (task == NULL || tern_stream_kind_of(event->stream) != TERN_STREAM_BIDI) {
            give_up(event->stream);
        }
    } else if (event->type == TERN_EVENT_STREAM_READABLE) {
        on_readable(shard, event->stream);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE &&
               tern_stream_user(event->stream) != NULL) {
        pump(event->stream, tern_stream_user(event->stream));
    } else if (event->type == TERN_EVENT_STREAM_CLOSED) {
        if (tern_stream_user(event->stream) != NULL) {
            free_task(shard, tern_stream_user(event->stream));
            tern_stream_set_user(event->stream, NULL);
        }
    } else if (event->type == TERN_EVENT_MESSAGES) {
        on_messages(event->conn);
    } else if (event->type == TERN_EVENT_CLOSED) {
        free_tasks_of(shard, event->conn);
        cli_verbose(1, "a connection ended: %s",
                    event->close.error == 0 ? "done" : tern_strerror(event->close.error));
    }
}

static int parse_listen(const struct options *o, bool is_lab, tern_addr *addr)
{
    char host[256] = "";
    const char *why = NULL;
    uint16_t port = PROTO_PORT;
    memset(addr, 0, sizeof *addr);
    addr->family = o->family == 4 ? 4 : 6;
    addr->port = port;
    if (is_lab) {
        int rc = tern_addr_parse(addr, o->family == 6 ? "[::1]:0" : "127.0.0.1:0");
        return rc == 0 ? -1 : CLI_LOCAL;
    }
    if (o->listen != NULL && (!net_split(o->listen, host, sizeof host, &port) ||
                              tern_udp_resolve(addr, host, port, o->family, &why) != 0)) {
        cli_error(o->listen, why != NULL ? why : "not an address",
                  "give --listen ADDR:PORT, for example 0.0.0.0:7438");
        return CLI_USAGE;
    }
    return -1;
}

static void configure(tern_config *config, const struct options *o, bool is_lab)
{
    options_config(config, o);
    config->accept = true;
    config->idle_timeout = 600 * TERN_SEC; /* the client's decides */
    config->max_connections = OPTIONS_CONNECTIONS_MAX + 1000;
    config->max_half_open = OPTIONS_CONNECTIONS_MAX;
    config->message_queue = MESSAGE_QUEUE;
    config->unix_time =
        (uint64_t)time(NULL); /* what proves an address to one shard does so to all */
    if (is_lab) {
        config->initial_rate = 0;
        config->retry_half_open = SIZE_MAX;
    }
}

/* One socket for each shard. 0 or TERN_ERR_*, and errno. */
static int open_nodes(struct shard *shards, unsigned count, tern_config *config,
                      const struct options *o, bool is_lab, const tern_addr *addr)
{
    int fds[OPTIONS_SHARDS_MAX];
    uint8_t secret[TERN_KEY_SIZE], key[TERN_KEY_SIZE];
    tern_key_generate(secret, key);
    if (o->has_key) {
        memcpy(secret, o->key, sizeof secret);
    }
    config->secret_key = secret; /* the same for all: a client must not notice */
    unsigned used = 0;
    int rc = count == 1 ? 0 : tern_udp_open_shards(fds, count, addr, 1);
    bool has_sockets = count > 1 && rc == 0;
    for (unsigned i = 0; i < count && rc == 0; i++) {
        struct node *node = &shards[i].node;
        shards[i].number = i;
        shards[i].count = count;
        node->on_event = on_event;
        node->user = &shards[i];
        config->cid_prefix[0] = (uint8_t)i;
        config->cid_prefix_len = count == 1 ? 0 : 1;
        if (node_trace(node, config, o->qlog, "ternperf-server", i) >= 0) {
            rc = TERN_ERR_SYSTEM;
            break;
        }
        rc = count == 1 ? node_open(node, config, addr) : node_open_fd(node, config, fds[i]);
        used += rc == 0 ? 1 : 0;
        if (rc == 0 && o->busy_poll) {
            node_busy_poll(node);
        }
        if (rc == 0 && !is_lab) { /* there the other end has it */
            rc = node_condition(node, o->delay, o->loss);
        }
    }
    for (; has_sockets && used < count; used++) {
        (void)close(fds[used]);
    }
    config->secret_key = NULL;
    sodium_memzero(secret, sizeof secret);
    return rc;
}

static void *run_shard(void *user)
{
    struct shard *shard = user;
    if (shard->count > 1) {
        system_pin(SYSTEM_SERVER, shard->number);
    }
    while (shard->code == CLI_OK && !atomic_load(&is_stopped)) {
        int rc = node_turn(&shard->node, shard->paced > 0 ? TERN_MSEC : TURN);
        pump_paced(shard);
        if (rc != 0 && !(rc == TERN_ERR_SYSTEM && errno == EINTR)) {
            cli_error("serving", rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc), NULL);
            shard->code = CLI_LOCAL;
            atomic_store(&is_stopped, true);
        }
    }
    return NULL;
}

static void stop_all(void *user)
{
    (void)user;
    cli_error("a thread", "would not start", "give fewer --shards");
    atomic_store(&is_stopped, true);
}

/* The first shard runs here. Returns the exit code. */
static int run_all(struct shard *shards, unsigned count)
{
    int code =
        crew_run(run_shard, shards, sizeof *shards, count, stop_all, NULL) ? CLI_OK : CLI_LOCAL;
    for (unsigned i = 0; i < count; i++) {
        code = code == CLI_OK ? shards[i].code : code;
    }
    return code;
}

static int open_and_run(struct shard *shards, const struct options *o, bool is_lab,
                        serve_ready_fn ready, void *user)
{
    tern_config config;
    tern_addr addr;
    uint8_t key[TERN_KEY_SIZE];
    unsigned count = (unsigned)o->shards;
    int code = parse_listen(o, is_lab, &addr);
    if (code >= 0) {
        return code;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    configure(&config, o, is_lab);
    int rc = open_nodes(shards, count, &config, o, is_lab, &addr);
    if (rc != 0) {
        char text[TERN_ADDR_TEXT_SIZE];
        cli_error(tern_addr_format(&addr, text, sizeof text),
                  rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  "choose another port with --listen");
        return CLI_CONNECT;
    }
    addr = tern_udp_local(shards[0].node.udp);
    tern_endpoint_public_key(shards[0].node.endpoint, key);
    return ready(user, &addr, key) ? run_all(shards, count) : CLI_LOCAL;
}

int serve_run(const struct options *o, bool is_lab, serve_ready_fn ready, void *user)
{
    struct shard *shards = calloc((size_t)o->shards, sizeof *shards);
    if (shards == NULL) {
        cli_error("memory", "too little", NULL);
        return CLI_LOCAL;
    }
    int code = open_and_run(shards, o, is_lab, ready, user);
    for (unsigned i = 0; i < o->shards; i++) {
        free_tasks_of(&shards[i], NULL); /* no event will tell of them any more */
        node_close(&shards[i].node);
    }
    free(shards);
    return code;
}
