/* Sockets of our own or of a service manager, a thread for each, signals, and readiness.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/crew.h"
#include "shared/identity.h"
#include "shared/json.h"
#include "shared/keylog.h"
#include "shared/keyring.h"
#include "shared/metrics.h"
#include "shared/net.h"
#include "shared/qlog.h"
#include "shared/service.h"
#include "terncp/serve.h"
#include "terncp/transport.h"

#define ALL_SOCKETS                                                                                \
    (OPTIONS_SHARDS_MAX > SERVICE_SOCKETS_MAX ? OPTIONS_SHARDS_MAX : SERVICE_SOCKETS_MAX)

struct shard {
    struct server *server;
    struct ev_loop *loop;
    struct qlog *qlog;
    struct keylog *keylog;
};

struct daemon {
    const struct options *options;
    struct serve_shared shared;
    uint8_t secret[TERN_KEY_SIZE];
    struct shard shards[ALL_SOCKETS];
    unsigned count;
    struct metrics *metrics;
    bool is_handed; /* the sockets are the service manager's */
    struct ev_signal interrupted, terminated, hung_up;
};

static int choose_clients(struct serve_shared *shared)
{
    const struct options *o = shared->options;
    struct house *house = &shared->house;
    if (o->anonymous) {
        return -1;
    }
    if (o->authorized_keys != NULL) {
        (void)snprintf(house->authorized, sizeof house->authorized, "%s", o->authorized_keys);
    } else if (!keyring_path("authorized_keys", house->authorized)) {
        house->authorized[0] = '\0';
    }
    if (house->authorized[0] == '\0' || access(house->authorized, R_OK) != 0) {
        cli_error(
            house->authorized[0] == '\0' ? "authorized_keys" : house->authorized, strerror(errno),
            "write the clients' keys into it, one a line, or let everybody in with --anonymous");
        return CLI_IDENTITY;
    }
    serve_check_list(shared);
    return -1;
}

static int parse_listen(const struct options *o, tern_addr *addr)
{
    char host[256] = "";
    uint16_t port = TERNCP_PORT;
    const char *why = NULL;
    memset(addr, 0, sizeof *addr);
    addr->family = o->family == 4 ? 4 : 6;
    addr->port = port;
    if (o->listen == NULL) {
        return -1;
    }
    const char *text = o->listen;
    if (text[0] == ':') {
        char with_host[64];
        (void)snprintf(with_host, sizeof with_host, "[::]%.40s", text);
        if (!net_split(with_host, host, sizeof host, &port)) {
            host[0] = '\0';
        }
    } else if (!net_split(text, host, sizeof host, &port)) {
        host[0] = '\0';
    }
    if (host[0] == '\0' || tern_udp_resolve(addr, host, port, o->family, &why) != 0) {
        cli_error(o->listen, why != NULL ? why : "not an address",
                  "give --listen ADDR:PORT, for example 0.0.0.0:7437");
        return CLI_USAGE;
    }
    return -1;
}

/* What was written on the command line, before any file is looked at. */
static int check_arguments(const struct options *o, tern_addr *addr)
{
    if (o->anonymous && o->authorized_keys != NULL) {
        cli_error("--anonymous and --authorized-keys", "exclude each other",
                  "with the first everybody gets in");
        return CLI_USAGE;
    }
    return parse_listen(o, addr);
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void end_all(struct daemon *d, enum serve_end end)
{
    atomic_store(&d->shared.end, end);
    for (unsigned i = 0; i < d->count; i++) {
        server_nudge(d->shards[i].server);
    }
}

/* The first time, copies may come to their end; nobody is kept waiting by a second. */
static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    struct daemon *d = w->data;
    unsigned running =
        atomic_load(&d->shared.house.senders) + atomic_load(&d->shared.house.receivers);
    bool is_gentle = w->signum != SIGHUP && d->options->stop_time > 0 &&
                     atomic_load(&d->shared.end) == SERVE_GOES_ON;
    (void)loop;
    (void)events;
    (void)service_notify("STOPPING=1");
    if (is_gentle && running > 0) {
        cli_note("ending when %u %s done; a second signal ends at once", running,
                 running == 1 ? "copy is" : "copies are");
    }
    end_all(d, is_gentle ? SERVE_ENDS_GENTLY : SERVE_ENDS_NOW);
}

static void stop_crew(void *user)
{
    struct daemon *d = user;
    cli_error("a thread", "cannot be started", "give fewer --shards");
    end_all(d, SERVE_ENDS_NOW);
}

/* --- the beginning ------------------------------------------------------------------------------------ */

static void announce(const struct daemon *d)
{
    char addr[TERN_ADDR_TEXT_SIZE], key[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE], state[512];
    uint8_t pub[TERN_KEY_SIZE];
    tern_addr local = server_addr(d->shards[0].server);
    tern_endpoint_public_key(server_endpoint(d->shards[0].server), pub);
    keyring_format(pub, key);
    keyring_words(pub, words);
    (void)tern_addr_format(&local, addr, sizeof addr);
    cli_note("key %s (%s)", key, words);
    cli_note("serving %s on %s", d->options->root, addr);
    for (unsigned i = 1; i < d->count && d->is_handed; i++) {
        local = server_addr(d->shards[i].server);
        cli_note("and on %s", tern_addr_format(&local, addr, sizeof addr));
    }
    if (d->options->json) {
        (void)fputs("{\"event\":\"serving\"", stdout);
        json_field(stdout, "root", d->options->root);
        json_field(stdout, "listen", addr);
        json_field(stdout, "key", key);
        (void)fputs("}\n", stdout);
        (void)fflush(stdout);
    }
    (void)snprintf(state, sizeof state, "READY=1\nSTATUS=serving on %s", addr);
    (void)service_notify(state);
}

static void configure(const struct daemon *d, tern_config *config)
{
    const struct options *o = d->options;
    transport_config(config, o);
    config->secret_key = d->secret;
    config->accept = true;
    config->early_data = !o->no_tickets;
    config->silent = o->silent;
    config->max_per_address = (size_t)o->max_per_address;
    config->unix_time =
        (uint64_t)time(NULL); /* what proves an address to one shard does so to all */
}

/* A number of ours, and one of the shard, in each identifier: docs/steering.md. */
static void mark(tern_config *config, const struct options *o, unsigned shard, bool is_sharded)
{
    config->cid_prefix_len = 0;
    if (o->has_server_id) {
        config->cid_prefix[config->cid_prefix_len++] = (uint8_t)o->server_id;
    }
    if (is_sharded) {
        config->cid_prefix[config->cid_prefix_len++] = (uint8_t)shard;
    }
}

/* The sockets: those that we were handed, or --shards of our own; -1: the only one, which the transport
 * opens itself. 0 or TERN_ERR_*. */
static int find_sockets(struct daemon *d, const tern_addr *addr, int fds[ALL_SOCKETS])
{
    size_t others;
    size_t handed = service_sockets(fds, &others);
    if (others > 0) {
        cli_verbose(CLI_WARNING, "%zu of the sockets that were handed to us are not UDP: not used",
                    others);
    }
    d->is_handed = handed > 0;
    d->count = handed > 0 ? (unsigned)handed : (unsigned)d->options->shards;
    if (handed > 0 && d->options->shards > 1) {
        cli_verbose(CLI_WARNING, "the service manager opens the sockets: --shards is not heeded");
    }
    if (handed == 0 && d->count == 1) {
        fds[0] = -1;
        return 0;
    }
    return handed > 0
               ? 0
               : tern_udp_open_shards(fds, d->count, addr, d->options->has_server_id ? 2 : 1);
}

static int complain(const struct daemon *d, const tern_addr *addr, int rc)
{
    char text[TERN_ADDR_TEXT_SIZE];
    cli_error(tern_addr_format(addr, text, sizeof text),
              rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
              rc == TERN_ERR_SYSTEM && errno == EADDRINUSE
                  ? "another program has the port; choose one with --listen"
              : d->options->shards > 1 ? "check --listen and --shards"
                                       : "check --listen");
    return CLI_CONNECT;
}

static int open_logs(const struct daemon *d, struct shard *shard, unsigned number,
                     tern_config *config)
{
    const struct options *o = d->options;
    config->trace = (tern_trace_sink){0};
    if (o->qlog != NULL) {
        shard->qlog = qlog_new(o->qlog, "terncp-serve", number);
        if (shard->qlog == NULL) {
            cli_error(o->qlog, strerror(errno), "give a folder for --qlog");
            return CLI_LOCAL;
        }
        config->trace = qlog_sink(shard->qlog);
    }
    shard->keylog = o->key_log == NULL ? NULL : keylog_add(o->key_log, config);
    return o->key_log == NULL || shard->keylog != NULL ? 0 : CLI_LOCAL;
}

/* --- figures ------------------------------------------------------------------------------------------ */

static void fill_page(void *user, struct metrics_page *page)
{
    struct daemon *d = user;
    struct house *house = &d->shared.house;
    uint64_t sums[FIGURES] = {0};
    for (unsigned i = 0; i < d->count; i++) {
        figures_add(sums, server_figures(d->shards[i].server));
    }
    figures_show(sums, page);
    metrics_add(page, "clients", "Clients that are let in now.", true,
                atomic_load(&house->sessions));
    metrics_add(page, "copies_sending", "Copies from here that run now.", true,
                atomic_load(&house->senders));
    metrics_add(page, "copies_receiving", "Copies to here that run now.", true,
                atomic_load(&house->receivers));
}

/* -1: they are to be had, or nobody wants them. */
static int open_metrics(struct daemon *d)
{
    int code = -1;
    if (d->options->metrics != NULL) {
        d->metrics = metrics_open(d->options->metrics, d->shards[0].loop, fill_page, d, &code);
        if (d->metrics == NULL) {
            return code;
        }
        cli_note("figures at %s", metrics_url(d->metrics));
    }
    return -1;
}

/* -1: all serve. */
static int open_shards(struct daemon *d, const tern_addr *addr)
{
    int fds[ALL_SOCKETS], code = -1;
    tern_config config;
    configure(d, &config);
    int rc = find_sockets(d, addr, fds);
    if (rc != 0) {
        d->count = 0;
        return complain(d, addr, rc);
    }
    unsigned wanted = d->count;
    bool is_sharded = wanted > 1 && !d->is_handed;
    for (d->count = 0; d->count < wanted && code < 0; d->count++) {
        unsigned i = d->count;
        struct shard *shard = &d->shards[i];
        mark(&config, d->options, i, is_sharded);
        code = open_logs(d, shard, i, &config) == 0 ? -1 : CLI_LOCAL;
        shard->loop = i == 0 ? ev_default_loop(0) : ev_loop_new(EVFLAG_AUTO);
        if (code < 0 && shard->loop != NULL) {
            shard->server = server_open(&d->shared, shard->loop, &config, addr, fds[i], &rc);
            fds[i] = -1;
        }
        if (code < 0 && shard->server == NULL) {
            code = complain(d, addr, shard->loop == NULL ? TERN_ERR_NOMEM : rc);
        }
    }
    for (unsigned i = 0; i < wanted && code >= 0; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return code;
}

static void watch(struct daemon *d, struct ev_signal *w, int number)
{
    ev_signal_init(w, on_signal, number);
    w->data = d;
    ev_signal_start(d->shards[0].loop, w);
}

static void *run_shard(void *part)
{
    struct shard *shard = part;
    server_run(shard->server);
    return NULL;
}

static void run(struct daemon *d)
{
    if (d->options->max_clients > 0) {
        house_allow(&d->shared.house, (unsigned)d->options->max_clients);
    }
    d->shared.house.is_logged = true;
    d->shared.first = d->shards[0].server;
    atomic_store(&d->shared.others, d->count - 1);
    watch(d, &d->interrupted, SIGINT);
    watch(d, &d->terminated, SIGTERM);
    watch(d, &d->hung_up, SIGHUP);
    announce(d);
    (void)crew_run(run_shard, d->shards, sizeof d->shards[0], d->count, stop_crew, d);
    ev_signal_stop(d->shards[0].loop, &d->interrupted);
    ev_signal_stop(d->shards[0].loop, &d->terminated);
    ev_signal_stop(d->shards[0].loop, &d->hung_up);
}

static void close_shards(struct daemon *d)
{
    for (unsigned i = 0; i < ALL_SOCKETS; i++) {
        struct shard *shard = &d->shards[i];
        server_free(shard->server);
        keylog_free(shard->keylog);
        qlog_free(shard->qlog);
        if (shard->loop != NULL && i > 0) {
            ev_loop_destroy(shard->loop);
        }
    }
}

int daemon_run(const struct options *options)
{
    static struct daemon daemon; /* large, and there is one */
    struct daemon *d = &daemon;
    bool has_key = false;
    tern_addr addr;
    house_init(&d->shared.house);
    d->options = d->shared.options = options;
    int code = check_arguments(options, &addr);
    if (code < 0) {
        code = identity_load(options->key, d->secret, &has_key);
    }
    if (code < 0) {
        code = choose_clients(&d->shared);
    }
    if (code >= 0) {
        return code;
    }
    if (!has_key) { /* one for all shards: a client must not notice them */
        uint8_t pub[TERN_KEY_SIZE];
        tern_key_generate(d->secret, pub);
        cli_note("no key of its own: clients will see a new one at the next start; "
                 "make one with terncp keygen");
    }
    d->shared.root = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->shared.root < 0) {
        cli_error(options->root, strerror(errno), "name a folder with --root");
        return CLI_LOCAL;
    }
    code = open_shards(d, &addr);
    sodium_memzero(d->secret, sizeof d->secret);
    if (code < 0) {
        code = open_metrics(d);
    }
    if (code < 0) {
        run(d);
        code = CLI_OK;
    }
    metrics_close(d->metrics);
    close_shards(d);
    (void)close(d->shared.root);
    return code;
}
