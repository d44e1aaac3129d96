/* One session a connection: a HELLO on the control stream, then a push or a pull; or a request about
 * names.
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
#include "terncp/log.h"
#include "terncp/names_serve.h"
#include "terncp/pull.h"
#include "terncp/push.h"
#include "terncp/shares.h"
#include "terncp/transport.h"
#include "terncp/tree.h"

#define EARLY_MAX      (TERNCP_PACKS + TERNCP_FILES) /* streams that came before the HELLO */
#define CLOSE_OK       0
#define CLOSE_PROTOCOL 1
#define CLOSE_BUSY     2
#define TEND_EVERY     0.5             /* seconds: limits and who says nothing */
#define HELLO_TIMEOUT  (30 * TERN_SEC) /* a client that asks for nothing for so long must go */

struct server {
    struct serve_house *house;
    const struct options *options;
    struct transport transport;
    struct work *work;
    int root;
    struct session *sessions; /* all of this shard */
    struct ev_loop *loop;
    struct ev_async nudge; /* the house ends */
    struct ev_timer tend, patience;
    bool is_ending;
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
    struct log_peer peer;
    tern_time born, begun; /* at the connection's and the request's beginning */
    char *path;            /* of a copy; NULL: none was asked for */
    bool is_push;          /* by the client: we receive */
    char why[300];         /* a refusal, or the first failure */
    bool is_refused;
    uint64_t asked_rate, told_rate; /* limits that the client has set, and that it was told */
    struct shares_watch watch;
    struct session *next, **link; /* in the shard */
};

static double seconds_since(tern_time then)
{
    return (double)(tern_udp_now() - then) / 1e9;
}

/* Ends a request about names and says what came of it. */
static void end_names(struct session *s)
{
    static const char *const verbs[] = {"names", "ls", "stat", "rm", "mkdir"};
    struct names_message ask;
    struct names_result result;
    bool was_asked = names_serve_free(s->names, &ask, &result);
    s->names = NULL;
    if (!was_asked) {
        return;
    }
    struct log_request request = {.verb = verbs[ask.verb <= NAMES_MAKE ? ask.verb : 0],
                                  .path = ask.text,
                                  .files = result.count,
                                  .failed = result.failed,
                                  .seconds = seconds_since(s->begun),
                                  .result = result.failed == 0  ? "done"
                                            : result.count == 0 ? "failed"
                                                                : "failed in part",
                                  .why = result.failed == 0 ? NULL : result.why};
    log_write(&s->peer, &request, s->server->options->json);
}

/* Says what came of a copy. close NULL: nobody is left to tell. */
static void log_copy(const struct session *s, const tern_close_info *close)
{
    struct log_request r = {.verb = s->is_push ? "push" : "pull",
                            .path = s->path,
                            .seconds = seconds_since(s->begun),
                            .why = s->why[0] == '\0' ? NULL : s->why};
    bool is_whole = s->end_sent && close != NULL && close->error == 0 && close->code == 0;
    if (s->pull != NULL) {
        const struct pull_counts *n = pull_counts(s->pull);
        r.files = n->files;
        r.folders = n->folders;
        r.failed = n->failed;
        r.bytes = n->bytes;
    } else if (s->push != NULL) {
        const struct push_counts *n = push_counts(s->push);
        r.files = n->files;
        r.folders = n->folders;
        r.failed = n->failed;
        r.bytes = n->bytes;
    }
    r.result = s->is_refused                     ? "refused"
               : !is_whole                       ? "broken off"
               : r.failed == 0                   ? "done"
               : r.files + r.folders == r.failed ? "failed"
                                                 : "failed in part";
    char reason[300];
    if (!is_whole && r.why == NULL && close != NULL) {
        (void)snprintf(reason, sizeof reason, "%.*s", (int)close->reason_len,
                       close->reason_len == 0 ? "" : (const char *)close->reason);
        r.why = reason[0] != '\0'   ? reason
                : close->error != 0 ? tern_strerror(close->error)
                                    : "by the client";
    }
    log_write(&s->peer, &r, s->server->options->json);
}

static void session_free(struct session *s)
{
    struct serve_house *house = s->server->house;
    end_names(s);
    (void)ev_clear_pending(s->server->loop, &s->teller);
    *s->link = s->next;
    if (s->next != NULL) {
        s->next->link = s->link;
    }
    (void)atomic_fetch_sub(&house->sessions, 1);
    if (s->push != NULL || s->pull != NULL) {
        (void)atomic_fetch_sub(s->pull != NULL ? &house->receivers : &house->senders, 1);
    }
    push_free(s->push);
    pull_free(s->pull);
    free(s->path);
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
    s->is_refused = true;
    (void)snprintf(s->why, sizeof s->why, "%s", why);
}

/* The first failure is told in the log's line, too. */
static void keep_failure(struct session *s, const char *name, const char *why)
{
    if (s->why[0] == '\0') {
        (void)snprintf(s->why, sizeof s->why, "%.200s: %.90s", name, why);
    }
}

static void log_name(const struct session *s, const char *verb, const char *name, const char *why)
{
    char safe[512], who[512];
    if (cli_says(CLI_DEBUG)) {
        (void)term_escape(name, strlen(name), safe, sizeof safe);
        cli_verbose(CLI_DEBUG, "%s: %s %s%s%s", log_who(&s->peer, who, sizeof who), verb, safe,
                    why == NULL ? "" : ": ", why == NULL ? "" : why);
    }
}

/* --- limits ----------------------------------------------------------------------------------------- */

/* What this session may have now, of what the house allows and the client wants. */
static void limit(struct session *s)
{
    const struct options *o = s->server->options;
    struct serve_house *house = s->server->house;
    if (s->push != NULL) {
        tern_conn_set_budget(s->conn, shares_rate(o->bwlimit_each, o->bwlimit,
                                                  atomic_load(&house->senders), s->asked_rate));
    } else if (s->pull != NULL && s->control != NULL) {
        struct proto_message m = {.type = PROTO_LIMIT};
        m.rate = shares_rate(o->bwlimit_each, o->bwlimit, atomic_load(&house->receivers), 0);
        if (m.rate != s->told_rate && answer(s, &m)) {
            s->told_rate = m.rate;
        }
    }
}

/* The client tells its own limit, and whether it is in no hurry. */
static void on_limit(struct session *s, const struct proto_message *m)
{
    s->asked_rate = m->rate;
    if (m->is_background && tern_conn_set_cc(s->conn, "ledbat") != 0) {
        log_name(s, "does not copy in the background", s->path == NULL ? "" : s->path, NULL);
    }
    limit(s);
}

/* Who was told a limit and does not keep it, must go. */
static void check_limit(struct session *s)
{
    tern_stats stats = {.size = sizeof stats};
    if (s->pull == NULL) {
        return;
    }
    tern_conn_stats(s->conn, &stats);
    if (shares_watch_is_over(&s->watch, s->told_rate, stats.bytes_received, tern_udp_now())) {
        (void)snprintf(s->why, sizeof s->why, "faster than it was told");
        tern_conn_close(s->conn, CLOSE_BUSY, "faster than this server allows");
    }
}

static bool is_idle(const struct session *s)
{
    return !s->has_hello && s->names == NULL;
}

static void on_tend(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct server *server = timer->data;
    (void)loop;
    (void)events;
    for (struct session *s = server->sessions; s != NULL; s = s->next) {
        limit(s);
        check_limit(s);
        if (is_idle(s) && tern_udp_now() - s->born > HELLO_TIMEOUT) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "you ask for nothing");
        }
    }
    tern_ev_wake(server->transport.binding);
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
    log_name(s, status == PROTO_OK ? "received" : "failed", name, status == PROTO_OK ? NULL : why);
    if (status != PROTO_OK) {
        keep_failure(s, name, why);
    }
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
    if (error != 0) {
        keep_failure(s, name, why);
    }
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

/* A copy is under way: it counts when limits are shared out. */
static void begin_copy(struct session *s)
{
    struct serve_house *house = s->server->house;
    (void)atomic_fetch_add(s->pull != NULL ? &house->receivers : &house->senders, 1);
    limit(s);
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
        return false;
    }
    begin_copy(s);
    return true;
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
    begin_copy(s);
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
    s->begun = tern_udp_now();
    s->is_push = m->direction == PROTO_PUSH;
    normalise(path);
    s->path = strdup(path);
    if (s->path == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory");
        return;
    }
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
        s->begun = tern_udp_now();
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
        } else if (m.type == PROTO_LIMIT && s->has_hello) {
            on_limit(s, &m);
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

/* Address, key, and how the list calls it. */
static void identify(struct session *s)
{
    const struct serve_house *house = s->server->house;
    tern_addr remote = tern_conn_remote(s->conn);
    (void)tern_addr_format(&remote, s->peer.addr, sizeof s->peer.addr);
    s->peer.has_key = tern_conn_peer_key(s->conn, s->peer.key) == 0;
    s->peer.is_known = s->peer.has_key && house->authorized[0] != '\0' &&
                       keyring_comment(house->authorized, s->peer.key, s->peer.name,
                                       sizeof s->peer.name) == KEYRING_OK;
}

/* Takes a place in the house. */
static bool enter(struct server *server, tern_conn *conn)
{
    struct serve_house *house = server->house;
    if (server->is_ending) {
        tern_conn_close(conn, CLOSE_BUSY, "the server is ending; try again later");
        return false;
    }
    if (atomic_fetch_add(&house->sessions, 1) >= house->sessions_max) {
        (void)atomic_fetch_sub(&house->sessions, 1);
        tern_conn_close(conn, CLOSE_BUSY, "too many clients at once; try again later");
        return false;
    }
    return true;
}

static void on_connected(struct server *server, tern_conn *conn)
{
    if (!enter(server, conn)) {
        return;
    }
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)atomic_fetch_sub(&server->house->sessions, 1);
        tern_conn_close(conn, CLOSE_PROTOCOL, "out of memory");
        return;
    }
    s->server = server;
    s->conn = conn;
    s->born = tern_udp_now();
    ev_init(&s->teller, on_teller);
    s->teller.data = s;
    s->next = server->sessions;
    s->link = &server->sessions;
    server->sessions = s;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    identify(s);
    tern_conn_set_user(conn, s);
    log_event(&s->peer, "connected", NULL, server->options->json, CLI_DEBUG);
}

static void on_closed(struct session *s, const tern_close_info *close)
{
    struct server *server = s->server;
    end_names(s);
    if (s->path != NULL) {
        log_copy(s, close);
    }
    log_event(&s->peer, "disconnected", close->error == 0 ? NULL : tern_strerror(close->error),
              server->options->json, CLI_DEBUG);
    tern_conn_set_user(s->conn, NULL);
    session_free(s);
    if (server->is_ending && server->sessions == NULL) {
        ev_break(server->loop, EVBREAK_ALL);
    }
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
    const char *list = server->house->authorized;
    struct log_peer peer = {.has_key = true};
    tern_addr remote = tern_conn_remote(conn);
    char text[KEYRING_TEXT_SIZE], why[KEYRING_PATH_SIZE + 128];
    if (list[0] == '\0' || keyring_is_authorized(list, key) == KEYRING_OK) {
        return 0;
    }
    memcpy(peer.key, key, sizeof peer.key);
    (void)tern_addr_format(&remote, peer.addr, sizeof peer.addr);
    keyring_format(key, text);
    (void)snprintf(why, sizeof why, "its key is not in %s: %s", list, text);
    log_event(&peer, "refused", why, server->options->json, CLI_INFO);
    return TERN_ERR_REFUSED;
}

/* --- start and end ------------------------------------------------------------------------------------ */

static void on_patience(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_nudge(struct ev_loop *loop, struct ev_async *nudge, int events)
{
    struct server *server = nudge->data;
    int end = atomic_load(&server->house->end);
    double patience = (double)server->options->stop_time / 1e9;
    (void)events;
    if (end == SERVE_GOES_ON) {
        return;
    }
    for (struct session *s = server->sessions; s != NULL; s = s->next) {
        if (is_idle(s)) {
            tern_conn_close(s->conn, CLOSE_OK, "the server ends");
        }
    }
    if (end == SERVE_ENDS_NOW || server->sessions == NULL || patience <= 0) {
        ev_break(loop, EVBREAK_ALL);
    } else if (!server->is_ending) {
        ev_timer_set(&server->patience, patience, 0);
        ev_timer_start(loop, &server->patience);
    }
    server->is_ending = true;
    tern_ev_wake(server->transport.binding);
}

struct server *server_open(struct serve_house *house, struct ev_loop *loop,
                           const tern_config *config, const tern_addr *addr, int fd, int *rc)
{
    struct server *server = calloc(1, sizeof *server);
    tern_config own = *config;
    *rc = server == NULL ? TERN_ERR_NOMEM : 0;
    if (server != NULL) {
        server->house = house;
        server->options = house->options;
        server->root = house->root;
        server->loop = loop;
        own.verify = on_verify;
        own.verify_user = server;
        server->work = work_new(loop);
        *rc = server->work == NULL ? TERN_ERR_NOMEM : 0;
    }
    if (*rc == 0) {
        *rc = fd < 0 ? transport_open(&server->transport, loop, &own, addr, on_ready, server)
                     : transport_open_fd(&server->transport, loop, &own, fd, on_ready, server);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    if (*rc != 0) {
        int saved = errno;
        work_free(server == NULL ? NULL : server->work);
        free(server);
        errno = saved;
        return NULL;
    }
    ev_async_init(&server->nudge, on_nudge);
    ev_timer_init(&server->tend, on_tend, TEND_EVERY, TEND_EVERY);
    ev_init(&server->patience, on_patience);
    server->nudge.data = server->tend.data = server->patience.data = server;
    ev_async_start(loop, &server->nudge);
    ev_timer_start(loop, &server->tend);
    return server;
}

void server_nudge(struct server *server)
{
    ev_async_send(server->loop, &server->nudge);
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

void server_run(struct server *server)
{
    (void)ev_run(server->loop, 0);
    end_sessions(server);
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    ev_async_stop(server->loop, &server->nudge);
    ev_timer_stop(server->loop, &server->tend);
    ev_timer_stop(server->loop, &server->patience);
    work_free(server->work);
    transport_close(&server->transport);
    free(server);
}

const tern_endpoint *server_endpoint(const struct server *server)
{
    return server->transport.endpoint;
}

tern_addr server_addr(const struct server *server)
{
    return tern_udp_local(server->transport.udp);
}
