/* One session a connection: a HELLO on the control stream, then a push or a pull.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/identity.h"
#include "shared/keyring.h"
#include "shared/net.h"
#include "shared/term.h"
#include "terncp/control.h"
#include "terncp/names_serve.h"
#include "terncp/pull.h"
#include "terncp/push.h"
#include "terncp/transport.h"
#include "terncp/tree.h"

#define EARLY_MAX      (TERNCP_PACKS + TERNCP_FILES) /* streams that came before the HELLO */
#define CLOSE_OK       0
#define CLOSE_PROTOCOL 1
#define CLOSE_BUSY     2
#define SESSIONS_MAX   64
#define SPARE_FILES    64 /* descriptors that are not a session's: sockets, logs, keys */

struct server {
    const struct options *options;
    struct transport transport;
    struct work *work;
    int root;
    char authorized[KEYRING_PATH_SIZE]; /* empty: everybody */
    unsigned sessions, sessions_max;
    struct ev_loop *loop;
};

struct session {
    struct server *server;
    tern_conn *conn;
    tern_stream *control;
    struct control messages;
    bool has_hello, has_end, end_sent;
    uint32_t end_count;
    struct push *push;
    struct pull *pull;
    struct names_serve *names; /* then `control` is its stream */
    tern_stream *early[EARLY_MAX];
    size_t early_count;
    struct control_done done; /* told in one message, when `teller` gets its turn */
    struct ev_watcher teller; /* never started: fed */
    char peer[TERN_ADDR_TEXT_SIZE];
};

/* Ends a request about names and says what came of it. */
static void end_names(struct session *s)
{
    static const char *const verbs[] = {"asked about", "listed", "looked at", "removed", "made"};
    struct names_message ask;
    struct names_result result;
    char safe[512];
    if (!names_serve_free(s->names, &ask, &result)) {
        s->names = NULL;
        return;
    }
    s->names = NULL;
    (void)term_escape(ask.text, strlen(ask.text), safe, sizeof safe);
    cli_verbose(1, "%s: %s %s: %llu, %llu failed%s%s", s->peer,
                verbs[ask.verb <= NAMES_MAKE ? ask.verb : 0], safe,
                (unsigned long long)result.count, (unsigned long long)result.failed,
                result.why[0] == '\0' ? "" : ": ", result.why);
}

static void session_free(struct session *s)
{
    end_names(s);
    (void)ev_clear_pending(s->server->loop, &s->teller);
    s->server->sessions--;
    push_free(s->push);
    pull_free(s->pull);
    free(s);
}

/* An answer that cannot be given must not be missed: the connection ends instead. */
static bool answer(struct session *s, const struct proto_message *m)
{
    if (s->control != NULL && control_send(s->control, m)) {
        return true;
    }
    tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
    return false;
}

static void answer_fail(struct session *s, enum proto_status status, uint32_t index,
                        const char *text)
{
    if (s->control == NULL || !control_send_fail(s->control, status, index, text)) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
    }
}

static void session_refuse(struct session *s, enum proto_status status, const char *why)
{
    answer_fail(s, status, PROTO_INDEX_ALL, why);
    cli_note("%s: request refused: %s", s->peer, why);
}

static void log_name(const struct session *s, const char *verb, const char *name, const char *why)
{
    char safe[512];
    (void)term_escape(name, strlen(name), safe, sizeof safe);
    cli_verbose(1, "%s: %s %s%s%s", s->peer, verb, safe, why == NULL ? "" : ": ",
                why == NULL ? "" : why);
}

/* --- what push and pull tell ---------------------------------------------------------------------- */

static void tell_done(struct session *s)
{
    if (s->control != NULL && !control_done_flush(&s->done, s->control)) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
    }
}

static void answer_end(struct session *s)
{
    if (s->pull != NULL && s->has_end && !s->end_sent &&
        pull_counts(s->pull)->settled >= s->end_count) {
        struct proto_message m = {.type = PROTO_END, .index = s->end_count};
        s->end_sent =
            true; /* from here on; folders that cannot be sealed come back to on_settled */
        pull_seal_folders(s->pull);
        tell_done(s);
        (void)answer(s, &m);
    }
}

static void on_settled(void *user, uint32_t index, enum proto_status status, const char *name,
                       const char *why, bool by_peer)
{
    struct session *s = user;
    char text[PROTO_TEXT_MAX];
    log_name(s, status == PROTO_OK ? "received" : "failed", name, why);
    if (status == PROTO_OK) {
        if (s->control == NULL || !control_done_add(&s->done, s->control, index)) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
        }
    } else if (!by_peer) { /* a sender knows what it gave up */
        (void)snprintf(text, sizeof text, "%.400s: %s", name, why);
        answer_fail(s, status, index, text);
    }
    ev_feed_event(s->server->loop, &s->teller, EV_CUSTOM);
}

/* A batch of entries is settled, or all of them are. */
static void on_teller(struct ev_loop *loop, struct ev_watcher *watcher, int events)
{
    struct session *s = watcher->data;
    (void)loop;
    (void)events;
    tell_done(s);
    answer_end(s);
}

static void on_push_failed(void *user, const char *name, int error, bool is_begun)
{
    struct session *s = user;
    char text[PROTO_TEXT_MAX];
    const char *why =
        error == 0 ? "neither file nor folder (links are not copied): left out" : strerror(error);
    (void)snprintf(text, sizeof text, "%.400s: %s", name, why);
    log_name(s, error == 0 ? "not sent" : "failed", name, why);
    if (!is_begun) {
        answer_fail(s, error == 0 ? PROTO_LEFT_OUT : proto_status_of(error), PROTO_INDEX_NONE,
                    text);
    }
}

/* A sender that has nothing left says so. */
static void on_push_done(void *user)
{
    struct session *s = user;
    struct proto_message m = {.type = PROTO_END, .index = push_counts(s->push)->entries};
    s->end_sent = true;
    (void)answer(s, &m);
}

/* --- the request ------------------------------------------------------------------------------------ */

/* The path as asked for, without a leading or trailing slash; "." for the root. */
static void normalise(char *path)
{
    size_t start = strspn(path, "/");
    size_t len = strlen(path + start);
    while (len > 0 && path[start + len - 1] == '/') {
        len--;
    }
    memmove(path, path + start, len);
    path[len] = '\0';
    if (len == 0) {
        (void)snprintf(path, 2, ".");
    }
}

/* The name itself is a symbolic link, not to a folder: a file put there replaces it and never follows
 * it. */
static bool is_link(int root, const char *path)
{
    struct stat st;
    const char *last;
    int parent = tree_open_parent(root, path, 0, &last);
    if (parent < 0) {
        return false;
    }
    bool answer = fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
                  (fstatat(parent, last, &st, 0) != 0 || !S_ISDIR(st.st_mode));
    (void)close(parent);
    return answer;
}

static bool begin_pull_for(struct session *s, const struct proto_message *m, const char *path)
{
    struct server *server = s->server;
    bool is_into = (m->flags & PROTO_FLAG_INTO) != 0 || strcmp(path, ".") == 0;
    if (server->options->read_only) {
        session_refuse(s, PROTO_READ_ONLY, "this server is read-only");
        return false;
    }
    int folder = tree_open(server->root, path, O_PATH | O_DIRECTORY, 0);
    if (folder < 0 && (errno == EXDEV || errno == ELOOP) && !is_link(server->root, path)) {
        session_refuse(s, PROTO_REFUSED_PATH, "the path leaves the served folder");
        return false;
    }
    if (folder < 0 && is_into) {
        session_refuse(s, PROTO_NOT_FOUND,
                       errno == EMFILE || errno == ENFILE ? "the server has too many files open"
                                                          : "the target is no folder there");
        return false;
    }
    if (folder >= 0) {
        is_into = true;
        (void)close(folder);
    }
    struct place_request request = {
        .root = server->root, .target = path, .is_into = is_into, .flags = m->flags};
    s->pull = pull_new(server->work, s->conn, &request, on_settled, s);
    if (s->pull == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory or file descriptors");
    }
    return s->pull != NULL;
}

static bool begin_push_for(struct session *s, const struct proto_message *m, const char *path)
{
    char name[256], why[160];
    tree_basename(path, name, sizeof name);
    struct push_request request = {
        .flags = m->flags, .failed = on_push_failed, .done = on_push_done, .user = s};
    s->push = push_new(s->server->work, s->conn, &request);
    if (s->push == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory");
        return false;
    }
    int error = push_add(s->push, s->server->root, path, name[0] == '\0' ? "root" : name,
                         (m->flags & PROTO_FLAG_RECURSIVE) != 0);
    if (error != 0) {
        (void)snprintf(why, sizeof why, "%s",
                       error == EISDIR  ? "it is a folder; use -r"
                       : error == EXDEV ? "the path leaves the served folder"
                                        : strerror(error));
        session_refuse(s, error == EISDIR ? PROTO_BAD_REQUEST : proto_status_of(error), why);
        return false;
    }
    push_begin(s->push);
    return true;
}

static void on_hello(struct session *s, struct proto_message *m)
{
    struct proto_message ready = {.type = PROTO_READY};
    char *path = m->text;
    s->has_hello = true;
    normalise(path);
    if (m->version != PROTO_VERSION) {
        session_refuse(s, PROTO_BAD_REQUEST, "another version of the copy protocol");
        return;
    }
    if (strcmp(path, ".") != 0 && !tree_is_safe(path)) {
        session_refuse(s, PROTO_REFUSED_PATH, "the path leaves the served folder");
        return;
    }
    if (m->direction != PROTO_PUSH && m->direction != PROTO_PULL) {
        session_refuse(s, PROTO_BAD_REQUEST, "neither a push nor a pull");
        return;
    }
    bool is_good =
        m->direction == PROTO_PUSH ? begin_pull_for(s, m, path) : begin_push_for(s, m, path);
    log_name(s, m->direction == PROTO_PUSH ? "wants to send to" : "wants to have", path, NULL);
    if (!is_good || !answer(s, &ready)) {
        return;
    }
    for (size_t i = 0; i < s->early_count && s->pull != NULL; i++) {
        pull_on_opened(s->pull, s->early[i]);
    }
    if (s->pull != NULL) {
        pull_pump(s->pull);
    }
    s->early_count = 0;
}

/* Is the stream one of requests about names? Then it is worked off there. */
static bool pump_names(struct session *s)
{
    if (s->names == NULL && !s->has_hello && names_serve_is_asked(s->control)) {
        struct names_door door = {.loop = s->server->loop,
                                  .binding = s->server->transport.binding,
                                  .root = s->server->root,
                                  .is_read_only = s->server->options->read_only};
        s->names = names_serve_new(&door, s->control);
        if (s->names == NULL) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "out of memory");
        }
    }
    if (s->names != NULL) {
        names_serve_pump(s->names);
    }
    return s->names != NULL;
}

static void on_control(struct session *s)
{
    if (pump_names(s)) {
        return;
    }
    struct proto_message m;
    int rc;
    while ((rc = control_read(&s->messages, s->control, &m)) == 1) {
        if (m.type == PROTO_HELLO && !s->has_hello) {
            on_hello(s, &m);
        } else if (m.type == PROTO_END && s->pull != NULL) {
            s->has_end = true;
            s->end_count = m.index;
            answer_end(s);
        } else if (m.type == PROTO_DONE || m.type == PROTO_FAIL || m.type == PROTO_END) {
            continue; /* a receiving client reports; it is its own judge */
        } else {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "unexpected control message");
            return;
        }
    }
    if (rc < 0 && !tern_conn_is_established(s->conn)) {
        return;
    }
    if (rc < 0 && !s->has_hello) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "malformed control message");
    }
}

/* --- events ------------------------------------------------------------------------------------------ */

static void on_connected(struct server *server, tern_conn *conn)
{
    tern_addr remote = tern_conn_remote(conn);
    if (server->sessions >= server->sessions_max) {
        tern_conn_close(conn, CLOSE_BUSY, "too many clients at once; try again later");
        return;
    }
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        tern_conn_close(conn, CLOSE_PROTOCOL, "out of memory");
        return;
    }
    s->server = server;
    s->conn = conn;
    ev_init(&s->teller, on_teller);
    s->teller.data = s;
    server->sessions++;
    (void)tern_addr_format(&remote, s->peer, sizeof s->peer);
    tern_conn_set_user(conn, s);
    cli_verbose(1, "%s: connected", s->peer);
}

static void on_closed(struct session *s, const tern_close_info *close)
{
    cli_verbose(1, "%s: %s", s->peer, close->error == 0 ? "done" : tern_strerror(close->error));
    tern_conn_set_user(s->conn, NULL);
    session_free(s);
}

static void on_opened(struct session *s, tern_stream *stream)
{
    if (tern_stream_id(stream) == 0) {
        s->control = stream;
        on_control(s);
    } else if (s->pull != NULL) {
        pull_on_opened(s->pull, stream);
    } else if (!s->has_hello && s->early_count < EARLY_MAX) {
        s->early[s->early_count++] = stream;
    } else {
        int rc = tern_stream_stop(stream, PROTO_BAD_REQUEST);
        (void)rc;
    }
}

static void forget_early(struct session *s, const tern_stream *stream)
{
    for (size_t i = 0; i < s->early_count; i++) {
        if (s->early[i] == stream) {
            s->early[i] = s->early[--s->early_count];
            return;
        }
    }
}

static void on_stream_event(struct session *s, const tern_event *ev)
{
    bool is_ours = tern_stream_is_local(ev->stream);
    if (ev->stream == s->control) {
        if (ev->type == TERN_EVENT_STREAM_READABLE) {
            on_control(s);
        } else if (ev->type == TERN_EVENT_STREAM_WRITABLE && s->names != NULL) {
            names_serve_pump(s->names);
        } else if (ev->type == TERN_EVENT_STREAM_CLOSED) {
            end_names(s);
        }
        s->control = ev->type == TERN_EVENT_STREAM_CLOSED ? NULL : s->control;
    } else if (is_ours) {
        push_on_event(ev);
    } else {
        if (ev->type == TERN_EVENT_STREAM_CLOSED) {
            forget_early(s, ev->stream);
        }
        pull_on_event(ev);
    }
}

static void after_event(struct session *s)
{
    if (s->push != NULL) {
        push_pump(s->push);
    }
}

static void on_event(struct server *server, const tern_event *ev)
{
    struct session *s = tern_conn_user(ev->conn);
    if (ev->type == TERN_EVENT_CONNECTED) {
        on_connected(server, ev->conn);
        return;
    }
    if (s == NULL) {
        return;
    }
    if (ev->type == TERN_EVENT_CLOSED) {
        on_closed(s, &ev->close);
        return;
    }
    if (ev->type == TERN_EVENT_STREAM_OPENED) {
        on_opened(s, ev->stream);
    } else if (ev->stream != NULL) {
        on_stream_event(s, ev);
    }
    after_event(s);
}

static void on_ready(tern_ev *binding, void *user)
{
    struct server *server = user;
    tern_event ev;
    (void)binding;
    while (tern_endpoint_poll(server->transport.endpoint, &ev) == 1) {
        on_event(server, &ev);
    }
}

static int on_verify(void *user, tern_conn *conn, const uint8_t key[TERN_KEY_SIZE])
{
    const struct server *server = user;
    tern_addr remote = tern_conn_remote(conn);
    char text[KEYRING_TEXT_SIZE], peer[TERN_ADDR_TEXT_SIZE];
    if (server->authorized[0] == '\0' ||
        keyring_is_authorized(server->authorized, key) == KEYRING_OK) {
        return 0;
    }
    keyring_format(key, text);
    cli_note("%s: refused, its key is not in %s: %s", tern_addr_format(&remote, peer, sizeof peer),
             server->authorized, text);
    return TERN_ERR_REFUSED;
}

/* --- start and end ------------------------------------------------------------------------------------ */

static int choose_clients(struct server *server)
{
    const struct options *o = server->options;
    if (o->anonymous) {
        return -1;
    }
    if (o->authorized_keys != NULL) {
        (void)snprintf(server->authorized, sizeof server->authorized, "%s", o->authorized_keys);
    } else if (!keyring_path("authorized_keys", server->authorized)) {
        server->authorized[0] = '\0';
    }
    if (server->authorized[0] == '\0' || access(server->authorized, R_OK) != 0) {
        cli_error(
            server->authorized[0] == '\0' ? "authorized_keys" : server->authorized, strerror(errno),
            "write the clients' keys into it, one a line, or let everybody in with --anonymous");
        return CLI_IDENTITY;
    }
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

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void announce(const struct server *server)
{
    char addr[TERN_ADDR_TEXT_SIZE], key[KEYRING_TEXT_SIZE], words[KEYRING_WORDS_SIZE];
    uint8_t pub[TERN_KEY_SIZE];
    tern_addr local = tern_udp_local(server->transport.udp);
    tern_endpoint_public_key(server->transport.endpoint, pub);
    keyring_format(pub, key);
    keyring_words(pub, words);
    cli_note("key %s (%s)", key, words);
    cli_note("serving %s on %s", server->options->root,
             tern_addr_format(&local, addr, sizeof addr));
}

static int open_server(struct server *server, struct ev_loop *loop, const uint8_t *secret,
                       const tern_addr *addr)
{
    const struct options *o = server->options;
    tern_config config;
    transport_config(&config, o);
    config.secret_key = secret;
    config.accept = true;
    config.silent = o->silent;
    config.cid_prefix[0] = (uint8_t)o->server_id;
    config.cid_prefix_len = o->has_server_id ? 1 : 0;
    config.verify = on_verify;
    config.verify_user = server;
    int rc = transport_open(&server->transport, loop, &config, addr, on_ready, server);
    if (rc != 0) {
        char text[TERN_ADDR_TEXT_SIZE];
        cli_error(tern_addr_format(addr, text, sizeof text),
                  rc == TERN_ERR_SYSTEM ? strerror(errno) : tern_strerror(rc),
                  errno == EADDRINUSE ? "another program has the port; choose one with --listen"
                                      : "check --listen");
        return CLI_CONNECT;
    }
    return -1;
}

/* Each session that receives may have TERNCP_FILES files open, with what there was of them and the folder
 * of each, and a folder a batch; one that sends, the files of its batches and its queue: no more sessions than
 * there are descriptors for, so that one client cannot take them all. */
static void bound_sessions(struct server *server)
{
    struct rlimit limit = {.rlim_cur = 1024};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            (void)getrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    rlim_t each = 3 * TERNCP_FILES + TERNCP_PACKS + 130;
    rlim_t most = limit.rlim_cur > SPARE_FILES + each ? (limit.rlim_cur - SPARE_FILES) / each : 1;
    server->sessions_max = most < SESSIONS_MAX ? (unsigned)most : SESSIONS_MAX;
}

static void run(struct server *server, struct ev_loop *loop)
{
    bound_sessions(server);
    struct ev_signal interrupted, terminated, hung_up;
    ev_signal_init(&interrupted, on_signal, SIGINT);
    ev_signal_init(&terminated, on_signal, SIGTERM);
    ev_signal_init(&hung_up, on_signal, SIGHUP);
    ev_signal_start(loop, &interrupted);
    ev_signal_start(loop, &terminated);
    ev_signal_start(loop, &hung_up);
    server->loop = loop;
    announce(server);
    (void)ev_run(loop, 0);
    ev_signal_stop(loop, &interrupted);
    ev_signal_stop(loop, &terminated);
    ev_signal_stop(loop, &hung_up);
}

/* Every session is told and let go, so that no temporary file stays. */
static void end_sessions(struct server *server)
{
    tern_endpoint *ep = server->transport.endpoint;
    tern_event ev;
    tern_endpoint_close_all(ep, CLOSE_OK, "the server ends");
    while (tern_endpoint_poll(ep, &ev) == 1) {
        if (ev.type == TERN_EVENT_CLOSED) {
            on_event(server, &ev);
        }
    }
}

int serve_run(const struct options *options)
{
    struct server server = {.options = options, .root = -1};
    struct ev_loop *loop = ev_default_loop(0);
    uint8_t secret[TERN_KEY_SIZE];
    bool has_key = false;
    tern_addr addr;
    int code = check_arguments(options, &addr);
    if (code < 0) {
        code = identity_load(options->key, secret, &has_key);
    }
    if (code < 0) {
        code = choose_clients(&server);
    }
    if (code >= 0) {
        return code;
    }
    if (!has_key) {
        cli_note("no key of its own: clients will see a new one at the next start; "
                 "make one with terncp keygen");
    }
    server.root = open(options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (server.root < 0) {
        cli_error(options->root, strerror(errno), "name a folder with --root");
        return CLI_LOCAL;
    }
    server.work = work_new(loop);
    code = server.work == NULL ? CLI_LOCAL
                               : open_server(&server, loop, has_key ? secret : NULL, &addr);
    sodium_memzero(secret, sizeof secret);
    if (code < 0) {
        run(&server, loop);
        end_sessions(&server);
        code = CLI_OK;
    }
    work_free(server.work);
    transport_close(&server.transport);
    (void)close(server.root);
    return code;
}
