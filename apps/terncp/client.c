/* Attempts at a connection, and on the one that stands, one request from HELLO to END.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/meter.h"
#include "shared/net.h"
#include "shared/qlog.h"
#include "shared/term.h"
#include "shared/trust.h"
#include "terncp/control.h"
#include "terncp/names_ask.h"
#include "terncp/pull.h"
#include "terncp/push.h"
#include "terncp/report.h"
#include "terncp/shares.h"
#include "terncp/transport.h"
#include "terncp/tree.h"

#define PROBE_AFTER (3 * TERN_SEC) /* a pinned server that is silent for so long is asked its key */

/* How an attempt ended. */
enum outcome {
    OUTCOME_RUNNING,
    OUTCOME_DONE,    /* the request was worked off, with or without failures */
    OUTCOME_KEY,     /* first contact: `seen` holds the server's key */
    OUTCOME_SILENT,  /* no answer to the handshake */
    OUTCOME_LOST,    /* the connection ended early */
    OUTCOME_REFUSED, /* the server does not want us */
    OUTCOME_REQUEST, /* the request failed as a whole; it was said */
    OUTCOME_SIGNAL,
    OUTCOME_ERROR /* no socket and the like; it was said */
};

struct client {
    const struct options *options;
    struct ev_loop *loop;
    struct trust trust;
    char host[256], path[PROTO_PATH_MAX + 1];
    tern_addr addr;
    uint8_t secret[TERN_KEY_SIZE];
    bool has_secret;

    bool is_push;
    char **sources;
    int source_count;
    int root;                        /* pull: the local folder */
    char target[PROTO_PATH_MAX + 1]; /* and the name in it */
    bool is_into;

    struct transport transport;
    tern_conn *conn;
    tern_stream *control;
    struct control messages;
    struct qlog *qlog;
    struct work *work;
    struct push *push;
    struct pull *pull;
    bool asks_names; /* neither a push nor a pull */
    struct names_ask *names;
    bool only_key, end_sent, is_connected;
    bool has_end;
    uint32_t end_count;
    enum outcome outcome;
    uint8_t seen[TERN_KEY_SIZE];
    struct report report;
    struct ev_timer ticker;
    struct ev_signal interrupted, terminated, hung_up;
};

static void stop(struct client *c, enum outcome outcome)
{
    if (c->outcome == OUTCOME_RUNNING) {
        c->outcome = outcome;
        ev_break(c->loop, EVBREAK_ALL);
    }
}

/* --- failures --------------------------------------------------------------------------------------- */

static void on_push_failed(void *user, const char *name, int error, bool is_begun)
{
    struct client *c = user;
    (void)is_begun;
    if (error == 0) {
        report_left_out(&c->report, REPORT_LOCAL, name);
        return;
    }
    report_failed(&c->report, REPORT_LOCAL, name,
                  error == ESTALE ? "it changed while it was read" : strerror(error), NULL);
}

/* No event may follow: a worker, or the memory that came back, was the last. */
static void on_push_done(void *user)
{
    struct client *c = user;
    ev_feed_event(c->loop, &c->ticker, EV_TIMER);
}

static void on_settled(void *user, uint32_t index, enum proto_status status, const char *name,
                       const char *why, bool by_peer)
{
    struct client *c = user;
    (void)index;
    if (status == PROTO_OK) {
        report_done(&c->report, name);
    } else {
        report_failed(&c->report,
                      status == PROTO_INTEGRITY ? REPORT_INTEGRITY
                      : by_peer                 ? REPORT_REMOTE
                                                : REPORT_LOCAL,
                      name, why, NULL);
    }
    if (c->has_end && c->pull != NULL && pull_counts(c->pull)->settled >= c->end_count) {
        ev_feed_event(c->loop, &c->ticker,
                      EV_TIMER); /* a worker was the last: no event will follow */
    }
}

/* --- the request ------------------------------------------------------------------------------------- */

static uint32_t wishes(const struct options *o)
{
    return (o->recursive ? PROTO_FLAG_RECURSIVE : 0) | (o->preserve ? PROTO_FLAG_PRESERVE : 0) |
           (o->fsync ? PROTO_FLAG_FSYNC : 0) | (o->links ? PROTO_FLAG_LINKS : 0) |
           (o->no_verify ? PROTO_FLAG_NO_HASH : 0) | (o->preallocate ? PROTO_FLAG_PREALLOCATE : 0);
}

/* Our limit, and what the server has told: whoever sends keeps to both. */
static void limit(struct client *c, uint64_t told)
{
    const struct options *o = c->options;
    if (c->is_push) {
        tern_conn_set_budget(c->conn, shares_rate(o->bwlimit, told, 1, 0));
    } else if (o->bwlimit > 0 || o->is_background) {
        struct proto_message m = {
            .type = PROTO_LIMIT, .rate = o->bwlimit, .is_background = o->is_background};
        if (!control_send(c->control, &m)) {
            stop(c, OUTCOME_LOST);
        }
    }
}

static void begin_request(struct client *c)
{
    report_restart(&c->report); /* the time of a question does not count */
    if (c->asks_names) {
        c->names = names_ask_new(c->options, c->path, c->trust.name);
        if (c->names == NULL || !names_ask_begin(c->names, c->conn)) {
            stop(c, OUTCOME_LOST);
        }
        return;
    }
    const struct options *o = c->options;
    struct proto_message hello = {.type = PROTO_HELLO, .version = PROTO_VERSION};
    size_t len = strlen(c->path);
    bool is_into = c->source_count > 1 || len == 0 || c->path[len - 1] == '/';
    hello.direction = c->is_push ? PROTO_PUSH : PROTO_PULL;
    hello.flags = wishes(o) | (c->is_push && is_into ? PROTO_FLAG_INTO : 0);
    memcpy(hello.text, c->path, sizeof c->path);
    if (tern_conn_open_stream(c->conn, TERN_STREAM_BIDI, &c->control) != 0 ||
        tern_stream_set_priority(c->control, 0, false) != 0 || !control_send(c->control, &hello)) {
        stop(c, OUTCOME_LOST);
        return;
    }
    limit(c, 0);
    if (!c->is_push) {
        char only[256];
        tree_basename(c->path, only, sizeof only);
        struct place_request request = {.root = c->root,
                                        .target = c->target,
                                        .is_into = c->is_into,
                                        .flags = hello.flags,
                                        .only = only[0] == '\0' ? "root" : only};
        c->pull = pull_new(c->work, c->conn, &request, on_settled, c);
    } else {
        struct push_request request = {
            .flags = hello.flags, .failed = on_push_failed, .done = on_push_done, .user = c};
        c->push = push_new(c->work, c->conn, &request);
    }
    if (c->pull == NULL && c->push == NULL) {
        cli_error("terncp", "out of memory or file descriptors", "nothing was copied");
        stop(c, OUTCOME_ERROR);
        return;
    }
    for (int i = 0; i < c->source_count && c->push != NULL; i++) {
        char name[256];
        tree_basename(c->sources[i], name, sizeof name);
        int error =
            push_add(c->push, -1, c->sources[i], name[0] == '\0' ? "root" : name, o->recursive);
        if (error != 0) {
            report_failed(&c->report, REPORT_LOCAL, c->sources[i],
                          error == EISDIR   ? "it is a folder"
                          : error == EINVAL ? "not a file or folder"
                                            : strerror(error),
                          error == EISDIR ? "copy it with -r" : NULL);
        }
    }
    if (c->push != NULL) {
        push_begin(c->push);
    }
}

static void finish_if_done(struct client *c)
{
    bool is_done = c->has_end;
    if (c->push != NULL) {
        push_pump(c->push);
        if (push_is_done(c->push) && !c->end_sent) {
            struct proto_message m = {.type = PROTO_END, .index = push_counts(c->push)->entries};
            c->end_sent = control_send(c->control, &m);
        }
        is_done = is_done && c->end_sent;
    }
    if (c->pull != NULL) {
        is_done = is_done && pull_counts(c->pull)->settled >= c->end_count;
        if (is_done) {
            pull_seal_folders(c->pull);
        }
    }
    if (is_done && (c->push != NULL || c->pull != NULL)) {
        tern_conn_close(c->conn, 0, "");
        stop(c, OUTCOME_DONE);
    }
}

static void on_fail(struct client *c, const struct proto_message *m)
{
    if (m->index == PROTO_INDEX_ALL) {
        report_failed(&c->report, REPORT_REMOTE, c->path[0] == '\0' ? "/" : c->path, m->text, NULL);
        tern_conn_close(c->conn, 0, "");
        stop(c, OUTCOME_REQUEST);
        return;
    }
    if (m->index == PROTO_INDEX_NONE && m->status == PROTO_LEFT_OUT) {
        report_left_out(&c->report, REPORT_REMOTE, m->text); /* which says why */
        return;
    }
    bool is_one = c->push != NULL && c->source_count == 1 && !c->options->recursive;
    report_failed(&c->report, m->status == PROTO_INTEGRITY ? REPORT_INTEGRITY : REPORT_REMOTE,
                  is_one ? c->sources[0] : c->trust.name, m->text,
                  NULL); /* the text says which entry */
}

static void on_control(struct client *c)
{
    struct proto_message m;
    int rc;
    while (c->control != NULL && (rc = control_read(&c->messages, c->control, &m)) != 0) {
        if (rc < 0) {
            if (c->outcome == OUTCOME_RUNNING && tern_conn_is_established(c->conn)) {
                report_failed(&c->report, REPORT_REMOTE, c->trust.name, "broke off the request",
                              NULL);
                stop(c, OUTCOME_REQUEST);
            }
            return;
        }
        if (m.type == PROTO_FAIL) {
            on_fail(c, &m);
        } else if (m.type == PROTO_DONE) {
            for (unsigned i = 0; i < m.range_count; i++) {
                report_done_there(&c->report, m.ranges[i].count);
            }
        } else if (m.type == PROTO_LIMIT && c->is_push) {
            limit(c, m.rate);
        } else if (m.type == PROTO_END) {
            c->has_end = true;
            c->end_count = m.index;
        }
    }
}

/* --- events -------------------------------------------------------------------------------------------- */

static void on_connected(struct client *c)
{
    c->is_connected = true;
    if (c->only_key) {
        enum outcome outcome =
            tern_conn_peer_key(c->conn, c->seen) == 0 ? OUTCOME_KEY : OUTCOME_LOST;
        tern_conn_close(c->conn, 0, "");
        stop(c, outcome);
        return;
    }
    begin_request(c);
}

static void show_progress(struct client *c)
{
    tern_stats stats = {.size = sizeof stats};
    if (c->conn != NULL) {
        tern_conn_stats(c->conn, &stats);
    }
    if (c->push != NULL) {
        const struct push_counts *n = push_counts(c->push);
        report_progress(&c->report, push_current(c->push), n->bytes, n->total, n->files, &stats);
    } else if (c->pull != NULL) {
        const struct pull_counts *n = pull_counts(c->pull);
        report_progress(&c->report, pull_current(c->pull), n->bytes, n->total, n->files, &stats);
    }
}

/* Takes the last figures (the ticker may never have run) and lets go of the streams, while their
 * handles are still good: until the poll after CLOSED. */
static void end_transfer(struct client *c)
{
    show_progress(c);
    if (c->push != NULL) {
        const struct push_counts *n = push_counts(c->push);
        bool is_whole =
            c->outcome == OUTCOME_DONE && n->failed == 0; /* the last ACK may be under way */
        c->report.bytes = is_whole ? n->total : n->bytes;
    } else if (c->pull != NULL) {
        c->report.bytes = pull_counts(c->pull)->bytes;
    }
    push_free(c->push);
    pull_free(c->pull);
    c->push = NULL;
    c->pull = NULL;
}

/* A full house refuses, too, and says so in words of its own. */
static bool is_our_key_refused(const tern_close_info *close)
{
    static const char words[] = "identity refused";
    return close->by == TERN_CLOSED_PEER && close->error == TERN_ERR_REFUSED &&
           close->reason_len == sizeof words - 1 &&
           memcmp(close->reason, words, sizeof words - 1) == 0;
}

static void on_closed(struct client *c, const tern_close_info *close)
{
    char reason[300];
    end_transfer(c);
    c->conn = NULL;
    if (c->outcome != OUTCOME_RUNNING) {
        return;
    }
    if (is_our_key_refused(close)) {
        stop(c, OUTCOME_REFUSED);
    } else if (!c->is_connected && close->by == TERN_CLOSED_TIMEOUT) {
        stop(c, OUTCOME_SILENT);
    } else {
        (void)term_escape((const char *)close->reason, close->reason_len, reason, sizeof reason);
        cli_error(c->trust.name,
                  reason[0] != '\0'                  ? reason
                  : close->by == TERN_CLOSED_TIMEOUT ? "connection lost, nothing heard for 10 s"
                                                     : tern_strerror(close->error),
                  "the copy is not complete; run the command again");
        stop(c, OUTCOME_LOST);
    }
}

static void on_stream_event(struct client *c, const tern_event *ev)
{
    if (c->names != NULL) {
        if (names_ask_on_event(c->names, ev)) {
            tern_conn_close(c->conn, 0, "");
            stop(c, OUTCOME_DONE);
        }
    } else if (ev->stream == c->control) {
        if (ev->type == TERN_EVENT_STREAM_READABLE) {
            on_control(c);
        }
        c->control = ev->type == TERN_EVENT_STREAM_CLOSED ? NULL : c->control;
    } else if (ev->type == TERN_EVENT_STREAM_OPENED && c->pull != NULL) {
        pull_on_opened(c->pull, ev->stream);
    } else if (tern_stream_is_local(ev->stream)) {
        push_on_event(ev);
    } else {
        pull_on_event(ev);
    }
}

static void on_ready(tern_ev *binding, void *user)
{
    struct client *c = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(c->transport.endpoint, &ev) == 1) {
        if (ev.type == TERN_EVENT_CONNECTED) {
            on_connected(c);
        } else if (ev.type == TERN_EVENT_CLOSED) {
            on_closed(c, &ev.close);
            return;
        } else if (ev.stream != NULL && c->outcome == OUTCOME_RUNNING) {
            on_stream_event(c, &ev);
        }
        if (c->outcome == OUTCOME_RUNNING && c->conn != NULL && c->is_connected) {
            finish_if_done(c);
        }
    }
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct client *c = timer->data;
    (void)loop;
    (void)events;
    if (c->conn == NULL) {
        return;
    }
    show_progress(c);
    if (c->is_connected) { /* workers may have finished the last block meanwhile */
        finish_if_done(c);
    }
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    struct client *c = w->data;
    (void)loop;
    (void)events;
    if (c->conn != NULL) {
        tern_conn_close(c->conn, 0, "interrupted");
    }
    stop(c, OUTCOME_SIGNAL);
}

/* --- attempts -------------------------------------------------------------------------------------------- */

static int open_attempt(struct client *c, const uint8_t *key, tern_time timeout)
{
    tern_config config;
    tern_peer peer;
    transport_config(&config, c->options);
    config.secret_key = c->has_secret ? c->secret : NULL;
    config.handshake_timeout = timeout;
    if (c->qlog != NULL) {
        config.trace = qlog_sink(c->qlog);
    }
    int rc = transport_open(&c->transport, c->loop, &config, NULL, on_ready, c);
    if (rc == 0) {
        tern_peer_init(&peer);
        peer.addr = c->addr;
        peer.key = key;
        rc = tern_endpoint_connect(c->transport.endpoint, &peer, &c->conn, tern_udp_now());
    }
    if (rc != 0) {
        cli_error(c->trust.name, rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  rc == TERN_ERR_UNSUPPORTED && c->options->suites != TERN_SUITE_ANY
                      ? "this machine has none of the suites of --cipher"
                      : "check the address and the options");
    }
    return rc;
}

/* One connection from its first packet to its last. With only_key it ends once the server has shown
 * its key. */
static enum outcome attempt(struct client *c, const uint8_t *key, bool only_key, tern_time timeout)
{
    c->only_key = only_key;
    c->is_connected = c->end_sent = c->has_end = false;
    c->outcome = OUTCOME_RUNNING;
    c->control = NULL;
    c->messages.used = 0;
    if (open_attempt(c, key, timeout) != 0) {
        c->outcome = OUTCOME_ERROR;
    } else {
        tern_ev_wake(c->transport.binding);
        (void)ev_run(c->loop, 0);
    }
    end_transfer(c);
    transport_close(&c->transport);
    c->conn = NULL;
    return c->outcome;
}

static int on_silence(struct client *c)
{
    char text[TERN_ADDR_TEXT_SIZE], why[160];
    (void)snprintf(why, sizeof why, "no answer from %s",
                   tern_addr_format(&c->addr, text, sizeof text));
    cli_error(c->trust.name, why,
              "is terncp serve running there, and does UDP pass the firewalls? With --silent it "
              "answers only who has its key (--pin)");
    return CLI_CONNECT;
}

static int conclude(struct client *c, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DONE:
    case OUTCOME_REQUEST:
        return c->names != NULL ? names_ask_end(c->names) : report_end(&c->report);
    case OUTCOME_REFUSED:
        cli_error(c->trust.name, "it does not know our key",
                  c->has_secret
                      ? "have it added to the server's authorized_keys (terncp id shows it)"
                      : "make a key with terncp keygen and have it added there");
        return CLI_IDENTITY;
    case OUTCOME_SILENT:
        return on_silence(c);
    case OUTCOME_SIGNAL:
        report_abort(&c->report);
        return CLI_INTERRUPTED;
    case OUTCOME_LOST:
        report_abort(&c->report);
        return CLI_CONNECT;
    case OUTCOME_RUNNING:
    case OUTCOME_KEY:
    case OUTCOME_ERROR:
        break;
    }
    return CLI_CONNECT;
}

static int run_attempts(struct client *c)
{
    tern_time timeout = c->options->connect_timeout;
    if (!c->trust.has_key) {
        enum outcome outcome = attempt(c, NULL, true, timeout);
        if (outcome != OUTCOME_KEY) {
            return conclude(c, outcome);
        }
        int code = trust_decide(&c->trust, c->seen);
        if (code >= 0) {
            return code;
        }
        return conclude(c, attempt(c, c->trust.key, false, timeout));
    }
    /* A server that lost its key cannot answer those who know the old one. After a while ask who is
     * there, to tell a changed key from a dead host, then give the known key the rest of its time. */
    tern_time first = timeout < PROBE_AFTER ? timeout : PROBE_AFTER;
    enum outcome outcome = attempt(c, c->trust.key, false, first);
    if (outcome != OUTCOME_SILENT) {
        return conclude(c, outcome);
    }
    if (attempt(c, NULL, true, first) == OUTCOME_KEY &&
        sodium_memcmp(c->seen, c->trust.key, TERN_KEY_SIZE) != 0) {
        return trust_changed(&c->trust, c->seen);
    }
    if (c->outcome == OUTCOME_SIGNAL) {
        return conclude(c, OUTCOME_SIGNAL);
    }
    tern_time rest = timeout > first ? timeout - first : 0;
    return rest == 0 ? on_silence(c) : conclude(c, attempt(c, c->trust.key, false, rest));
}

/* --- set-up -------------------------------------------------------------------------------------------------- */

static int parse_url(struct client *c, const char *url)
{
    uint16_t port = TERNCP_PORT;
    const char *why = NULL;
    char authority[300];
    const char *start = url + strlen(CLIENT_SCHEME);
    size_t len = strcspn(start, "/");
    const char *path = start[len] == '/' ? start + len + 1 : start + len;
    if (len >= sizeof authority || strlen(path) > PROTO_PATH_MAX) {
        cli_error(url, "too long", "shorten it");
        return CLI_USAGE;
    }
    memcpy(authority, start, len);
    authority[len] = '\0';
    if (!net_split(authority, c->host, sizeof c->host, &port) || port == 0) {
        cli_error(url, "no host or a bad port", "write tern://host[:port]/path");
        return CLI_USAGE;
    }
    (void)snprintf(c->path, sizeof c->path, "%s", path);
    if (tern_udp_resolve(&c->addr, c->host, port, c->options->family, &why) != 0) {
        cli_error(c->host, why, "check the name");
        return CLI_CONNECT;
    }
    struct trust_options options = {.pin = c->options->pin,
                                    .known_hosts = c->options->known_hosts,
                                    .accept_new = c->options->accept_new,
                                    .batch = c->options->batch};
    return trust_find(&c->trust, &options, c->host, port);
}

static int run(struct client *c, const char *url)
{
    static unsigned runs; /* of this process: one for each source of a pull */
    c->loop = ev_default_loop(0);
    int code = parse_url(c, url);
    if (code < 0) {
        code = identity_load(c->options->key, c->secret, &c->has_secret);
    }
    if (code >= 0) {
        return code;
    }
    if (c->options->qlog != NULL) {
        c->qlog = qlog_new(c->options->qlog, "terncp", runs++);
        if (c->qlog == NULL) {
            cli_error(c->options->qlog, strerror(errno), "give a folder for --qlog");
            return CLI_LOCAL;
        }
    }
    c->work = work_new(c->loop);
    if (c->work == NULL) {
        cli_error("threads", "cannot be started", "check the limits of this user");
        return CLI_LOCAL;
    }
    report_init(&c->report, c->options, c->is_push);
    ev_timer_init(&c->ticker, on_tick, 0.1, 0.1);
    ev_signal_init(&c->interrupted, on_signal, SIGINT);
    ev_signal_init(&c->terminated, on_signal, SIGTERM);
    ev_signal_init(&c->hung_up, on_signal, SIGHUP);
    c->ticker.data = c->interrupted.data = c->terminated.data = c->hung_up.data = c;
    ev_timer_start(c->loop, &c->ticker);
    ev_signal_start(c->loop, &c->interrupted);
    ev_signal_start(c->loop, &c->terminated);
    ev_signal_start(c->loop, &c->hung_up);
    code = run_attempts(c);
    ev_timer_stop(c->loop, &c->ticker);
    ev_signal_stop(c->loop, &c->interrupted);
    ev_signal_stop(c->loop, &c->terminated);
    ev_signal_stop(c->loop, &c->hung_up);
    work_free(c->work);
    qlog_free(c->qlog);
    sodium_memzero(c->secret, sizeof c->secret);
    return code;
}

int client_push(const struct options *options, char **sources, int count, const char *url)
{
    static struct client client; /* large, and there is one */
    client = (struct client){
        .options = options, .is_push = true, .sources = sources, .source_count = count, .root = -1};
    for (int i = 0; i < count; i++) { /* before anybody is bothered */
        struct stat st;
        if (stat(sources[i], &st) != 0 && count == 1) {
            cli_error(sources[i], strerror(errno), "check the name");
            return CLI_LOCAL;
        }
        for (int j = 0; j < i; j++) {
            char one[256], other[256];
            tree_basename(sources[i], one, sizeof one);
            tree_basename(sources[j], other, sizeof other);
            if (strcmp(one, other) == 0) { /* the second would replace the first */
                cli_error(sources[i], "another source has the same name", "copy them apart");
                return CLI_USAGE;
            }
        }
    }
    return run(&client, url);
}

/* Splits a local destination into a folder to open and a name in it. */
static int open_destination(struct client *c, const char *destination)
{
    struct stat st;
    size_t len = strlen(destination);
    bool is_folder = stat(destination, &st) == 0 && S_ISDIR(st.st_mode);
    if (is_folder || (len > 0 && destination[len - 1] == '/')) {
        c->root = open(destination, O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)snprintf(c->target, sizeof c->target, ".");
        c->is_into = true;
    } else {
        char folder[PROTO_PATH_MAX + 1];
        const char *slash = strrchr(destination, '/');
        int n = slash == NULL ? 0 : slash == destination ? 1 : (int)(slash - destination);
        (void)snprintf(folder, sizeof folder, "%.*s", n, destination);
        c->root = open(n == 0 ? "." : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)snprintf(c->target, sizeof c->target, "%s", slash == NULL ? destination : slash + 1);
    }
    if (c->root < 0) {
        cli_error(destination, strerror(errno), "the folder must exist");
        return CLI_LOCAL;
    }
    return -1;
}

int client_pull(const struct options *options, const char *url, const char *destination)
{
    static struct client client;
    client = (struct client){.options = options, .is_push = false, .root = -1, .source_count = 1};
    int code = open_destination(&client, destination);
    if (code < 0) {
        code = run(&client, url);
        (void)close(client.root);
    }
    return code;
}

int client_names(const struct options *options, const char *url)
{
    static struct client client;
    client = (struct client){.options = options, .asks_names = true, .root = -1};
    int code = run(&client, url);
    names_ask_free(client.names);
    return code;
}
