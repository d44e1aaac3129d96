/* A session of a server: a HELLO on the control stream, then a push or a pull.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/session.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cli.h"
#include "terncp/dest.h"
#include "terncp/session_parts.h"
#include "terncp/tree.h"
#include "terncp/zip.h"

static void session_free(struct session *s)
{
    struct house *house = s->host->house;
    session_end_names(s);
    *s->link = s->next;
    if (s->next != NULL) {
        s->next->link = s->link;
    }
    (void)atomic_fetch_sub(&house->sessions, 1);
    if (s->push != NULL || s->pull != NULL) {
        (void)atomic_fetch_sub(s->pull != NULL ? &house->receivers : &house->senders, 1);
    }
    session_end_survey(s);
    (void)ev_clear_pending(s->host->loop, &s->teller);
    s->host->sender = s->host->sender == s ? NULL : s->host->sender;
    s->host->sessions--;
    push_free(s->push);
    pull_free(s->pull);
    free(s->path);
    request_rules_clear(&s->rules);
    free(s->held);
    free(s);
}

/* An answer that cannot be given must not be missed: the connection ends instead. */
bool session_answer(struct session *s, const struct proto_message *m)
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

/* --- what push and pull tell ---------------------------------------------------------------------- */

static void tell_done(struct session *s)
{
    if (s->control != NULL && (!control_done_flush(&s->done, s->control) ||
                               !request_answers_flush(&s->answers, s->control))) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
    }
}

void session_answer_end(struct session *s)
{
    if (s->pull != NULL && s->has_end && !s->end_sent && !pull_is_held(s->pull) &&
        pull_finish(s->pull, s->end_count, s->end_failed)) {
        struct proto_message m = {.type = PROTO_END, .index = s->end_count};
        s->end_sent = true;
        tell_done(s);
        (void)session_answer(s, &m);
    }
}

static void on_settled(void *user, uint32_t index, enum proto_status status, const char *name,
                       const char *why, bool by_peer)
{
    struct session *s = user;
    char text[PROTO_TEXT_MAX];
    bool is_answer = status == PROTO_IS_CURRENT || status == PROTO_IS_WANTED;
    bool is_good = status == PROTO_OK || status == PROTO_LOST_ATTRS;
    if (!is_answer) {
        session_log_name(s, status == PROTO_OK ? "received" : "failed", name,
                         status == PROTO_OK ? NULL : why);
    }
    if (!is_answer && !is_good) {
        session_keep_failure(s, name, why);
    }
    if (status == PROTO_OK || is_answer) {
        bool is_sent =
            s->control != NULL &&
            (is_answer ? request_answer(&s->answers, s->control, index, status == PROTO_IS_WANTED)
                       : control_done_add(&s->done, s->control, index));
        if (!is_sent) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "the client does not take its answers");
        }
    } else if (status == PROTO_LOST_ATTRS) {
        answer_fail(s, status, PROTO_INDEX_NONE, name);
    } else if (!by_peer) { /* a sender knows what it gave up */
        (void)snprintf(text, sizeof text, "%.400s: %s", name, why);
        answer_fail(s, status, index, text);
    }
    ev_feed_event(s->host->loop, &s->teller, EV_CUSTOM);
}

static void on_removed(void *user, const char *name, uint32_t count, int error)
{
    struct session *s = user;
    struct proto_message m = {.type = PROTO_GONE, .index = count};
    (void)error;
    session_log_name(s, "deleted", name, NULL);
    (void)snprintf(m.text, sizeof m.text, "%s", name);
    (void)session_answer(s, &m);
}

static void on_ended(void *user)
{
    struct session *s = user;
    ev_feed_event(s->host->loop, &s->teller, EV_CUSTOM);
}

/* A batch of entries is settled, or all of them are. */
static void on_teller(struct ev_loop *loop, struct ev_watcher *watcher, int events)
{
    struct session *s = watcher->data;
    (void)loop;
    (void)events;
    session_hold_back(s);
    tell_done(s);
    session_answer_end(s);
}

static void on_push_failed(void *user, const char *name, int error, bool is_begun)
{
    struct session *s = user;
    char text[PROTO_TEXT_MAX];
    const char *why = error == EAGAIN ? "it changed while it was read: once more" : push_why(error);
    (void)snprintf(text, sizeof text, "%.400s: %s", name, why);
    session_log_name(s, "failed", name, why);
    if (error != EAGAIN) {
        session_keep_failure(s, name, why);
    }
    if (!is_begun) {
        answer_fail(s, proto_status_of(error), PROTO_INDEX_NONE, text);
    }
}

static void on_left(void *user, const char *name, enum proto_status status)
{
    struct session *s = user;
    if (status != PROTO_IS_CURRENT && status != PROTO_IS_WANTED) { /* the client said so itself */
        session_log_name(s, "not sent", name, proto_status_text(status));
        answer_fail(s, status, PROTO_INDEX_NONE, name);
    }
}

/* A sender that has nothing left says so. */
static void on_push_counted(void *user)
{
    struct session *s = user;
    const struct push_counts *n = push_counts(s->push);
    struct proto_message m = {.type = PROTO_END,
                              .index = n->entries,
                              .failed = n->failed < UINT32_MAX ? (uint32_t)n->failed : UINT32_MAX,
                              .excluded = n->excluded};
    s->end_sent = true;
    (void)session_answer(s, &m);
}

/* --- the request ------------------------------------------------------------------------------------ */

/* A copy is under way: it counts when limits are shared out. */
static void begin_copy(struct session *s)
{
    struct house *house = s->host->house;
    (void)atomic_fetch_add(s->pull != NULL ? &house->receivers : &house->senders, 1);
    session_limit(s);
}

static bool begin_pull(struct session *s, const struct place_request *request)
{
    struct pull_ending ending = {.filter = s->rules.filter,
                                 .max_delete = s->rules.max_delete,
                                 .removed = on_removed,
                                 .ended = on_ended};
    uint8_t visitor[TERN_KEY_SIZE];
    struct place_request place = *request;
    session_note_visit(s, &place, visitor);
    s->pull = pull_new(s->host->work, &place, on_settled, s);
    if (s->pull != NULL && !pull_set_ending(s->pull, &ending)) {
        pull_free(s->pull);
        s->pull = NULL;
    }
    if (s->pull == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory or file descriptors");
        return false;
    }
    begin_copy(s);
    return true;
}

/* Over ssh: what the user may write to, he may write to. */
static bool begin_pull_anywhere(struct session *s, const struct proto_message *m, const char *path)
{
    struct dest dest;
    int error = dest_open(&dest, path, (m->flags & PROTO_FLAG_INTO) != 0);
    if (error != 0) {
        session_refuse(s, proto_status_of(error), strerror(error));
        return false;
    }
    struct place_request request = {.root = dest.root,
                                    .target = dest.target,
                                    .is_into = dest.is_into,
                                    .flags = m->flags,
                                    .key = m->key,
                                    .partial_dir = s->partial_dir};
    bool is_good = begin_pull(s, &request);
    (void)close(dest.root);
    return is_good;
}

static bool begin_pull_for(struct session *s, const struct proto_message *m, const char *path)
{
    struct host *host = s->host;
    bool is_into = (m->flags & PROTO_FLAG_INTO) != 0 || strcmp(path, ".") == 0;
    if (host->root < 0) {
        return begin_pull_anywhere(s, m, path);
    }
    if (host->options->read_only) {
        session_refuse(s, PROTO_READ_ONLY, "this server is read-only");
        return false;
    }
    int folder = tree_open(host->root, path, O_PATH | O_DIRECTORY, 0);
    if (folder < 0 && (errno == EXDEV || errno == ELOOP) && !tree_is_link(host->root, path)) {
        session_refuse(s, PROTO_REFUSED_PATH, "the path leaves the served folder");
        return false;
    }
    if (folder < 0 && is_into) {
        bool is_full = errno == EMFILE || errno == ENFILE;
        session_refuse(s, is_full ? PROTO_IO : PROTO_NOT_FOUND,
                       is_full ? "the server has too many files open"
                               : "the target is no folder there");
        return false;
    }
    if (folder >= 0) {
        is_into = true;
        (void)close(folder);
    }
    struct place_request request = {.root = host->root,
                                    .target = path,
                                    .is_into = is_into,
                                    .flags = m->flags,
                                    .key = m->key,
                                    .partial_dir = s->partial_dir};
    return begin_pull(s, &request);
}

static bool begin_push(struct session *s, const struct proto_message *m)
{
    struct push_request request = {.flags = m->flags,
                                   .filter = s->rules.filter,
                                   .failed = on_push_failed,
                                   .left = on_left,
                                   .counted = on_push_counted,
                                   .user = s};
    memcpy(request.key, m->key, sizeof request.key);
    s->push = push_new(s->host->work, s->conn, &request);
    if (s->push == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory");
        return false;
    }
    push_allow_zip(s->push, true);
    s->host->sender = s;
    begin_copy(s);
    return true;
}

/* Everything that a pattern of a shell stands for. 0 or an errno. */
static int add_pattern(struct session *s, const char *path, bool is_recursive)
{
    glob_t found;
    int rc = glob(path, 0, NULL, &found);
    if (rc != 0) {
        return rc == GLOB_NOMATCH ? ENOENT : rc == GLOB_NOSPACE ? ENOMEM : EIO;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char name[256];
        tree_basename(found.gl_pathv[i], name, sizeof name);
        int error = push_add(s->push, -1, found.gl_pathv[i], name, is_recursive);
        if (error != 0) {
            on_push_failed(s, name, error, false);
        }
    }
    globfree(&found);
    return 0;
}

static int add_source(struct session *s, const struct proto_message *m, const char *path)
{
    char name[256];
    struct stat st;
    bool is_recursive = (m->flags & PROTO_FLAG_RECURSIVE) != 0;
    if (s->host->root < 0 && tree_is_pattern(path) && lstat(path, &st) != 0) {
        return add_pattern(s, path, is_recursive);
    }
    tree_basename(path, name, sizeof name);
    return push_add(s->push, s->host->root, path, name[0] == '\0' ? "root" : name, is_recursive);
}

static bool begin_push_for(struct session *s, const struct proto_message *m, const char *path)
{
    char why[160];
    if (!begin_push(s, m)) {
        return false;
    }
    int error = add_source(s, m, path);
    if (error != 0) {
        (void)snprintf(why, sizeof why, "%s",
                       error == EISDIR   ? "it is a folder; use -r"
                       : error == EINVAL ? "not a file or folder"
                       : error == EXDEV  ? "the path leaves the served folder"
                                         : strerror(error));
        session_refuse(s, error == EISDIR ? PROTO_BAD_REQUEST : proto_status_of(error), why);
        return false;
    }
    push_allow_zip(s->push, true);
    push_begin(s->push);
    return true;
}

/* What was offered under a code, whatever the path. */
static bool begin_offer(struct session *s, const struct proto_message *m)
{
    const struct host *host = s->host;
    if (!begin_push(s, m)) {
        return false;
    }
    for (int i = 0; i < host->offer_count; i++) {
        char name[256];
        tree_basename(host->offers[i], name, sizeof name);
        int error = push_add(s->push, -1, host->offers[i], name[0] == '\0' ? "root" : name, true);
        if (error != 0) {
            on_push_failed(s, host->offers[i], error, false);
        }
    }
    push_allow_zip(s->push, true);
    push_begin(s->push);
    return true;
}

static bool begin_request(struct session *s, const struct proto_message *m, const char *path)
{
    if (s->host->offers != NULL) {
        if (m->direction != PROTO_PULL) {
            session_refuse(s, PROTO_BAD_REQUEST, "there is something to be had, not to be left");
            return false;
        }
        return begin_offer(s, m);
    }
    return m->direction == PROTO_PUSH ? begin_pull_for(s, m, path) : begin_push_for(s, m, path);
}

/* False: it makes no sense. */
static bool on_setting(struct session *s, const struct proto_message *m)
{
    if (s->has_hello || s->held != NULL || m->setting != PROTO_PARTIAL_DIR) {
        return false;
    }
    (void)snprintf(s->partial_dir, sizeof s->partial_dir, "%s", m->text);
    return true;
}

static void on_hello(struct session *s, struct proto_message *m)
{
    struct proto_message ready = {.type = PROTO_READY,
                                  .flags = m->flags & PROTO_FLAGS_WISHES &
                                           (zip_is_there() ? ~0u : ~PROTO_FLAG_ZSTD)};
    char *path = m->text;
    s->has_hello = true;
    s->host->requests++;
    s->begun = tern_udp_now();
    s->is_push = m->direction == PROTO_PUSH;
    s->is_following = (m->flags & PROTO_FLAG_FOLLOW) != 0;
    s->is_mirror = (m->flags & PROTO_FLAG_DELETE) != 0;
    if (s->host->root < 0) {
        request_expand(path);
    } else {
        request_normalise(path);
    }
    s->path = strdup(path);
    if (s->path == NULL) {
        session_refuse(s, PROTO_IO, "the server is out of memory");
        return;
    }
    if (m->version != PROTO_VERSION) {
        session_refuse(s, PROTO_BAD_REQUEST, "another version of the copy protocol");
        return;
    }
    if (s->host->root >= 0 && strcmp(path, ".") != 0 && !tree_is_safe(path)) {
        session_refuse(s, PROTO_REFUSED_PATH, "the path leaves the served folder");
        return;
    }
    if (s->host->root >= 0 && s->partial_dir[0] != '\0' && !tree_is_safe(s->partial_dir)) {
        session_refuse(s, PROTO_REFUSED_PATH, "--partial-dir leaves the target");
        return;
    }
    if (m->direction != PROTO_PUSH && m->direction != PROTO_PULL) {
        session_refuse(s, PROTO_BAD_REQUEST, "neither a push nor a pull");
        return;
    }
    bool is_good = begin_request(s, m, path);
    session_log_name(s, m->direction == PROTO_PUSH ? "wants to send to" : "wants to have", path,
                     NULL);
    if (!is_good || !session_answer(s, &ready)) {
        return;
    }
    session_hold_back(s);
    session_take_streams(s);
}

/* Nothing has come yet: what comes next is a first byte, and not one from the middle of a rule, say. */
static bool is_untouched(const struct session *s)
{
    return !s->has_hello && s->held == NULL && s->messages.used == 0;
}

/* Is the stream one of requests about names? Then it is worked off there. */
static bool pump_names(struct session *s)
{
    if (s->names == NULL && is_untouched(s) && s->host->offers == NULL &&
        names_serve_is_asked(s->control)) {
        struct names_door door = {.loop = s->host->loop,
                                  .binding = s->host->binding,
                                  .root = s->host->root,
                                  .is_read_only = s->host->options->read_only};
        s->names = names_serve_new(&door, s->control);
        s->begun = tern_udp_now();
        s->host->requests++;
        if (s->names == NULL) {
            tern_conn_close(s->conn, CLOSE_PROTOCOL, "out of memory");
        }
    }
    if (s->names != NULL && s->is_proved) {
        names_serve_prove(s->names);
    }
    if (s->names != NULL) {
        names_serve_pump(s->names);
    }
    return s->names != NULL;
}

/* A request with rules begins when they are there. */
static void hold_hello(struct session *s, struct proto_message *m)
{
    bool has_rules = (m->flags & PROTO_FLAG_RULES) != 0;
    request_rules_init(&s->rules, has_rules);
    if (!has_rules) {
        on_hello(s, m);
        return;
    }
    s->held = malloc(sizeof *s->held);
    if (s->held == NULL) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "out of memory");
        return;
    }
    *s->held = *m;
}

static void on_rule(struct session *s, const struct proto_message *m)
{
    const char *why = request_take_rule(&s->rules, m->text);
    if (why != NULL) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "malformed rule");
    } else if (s->rules.is_done) {
        struct proto_message *held = s->held;
        s->held = NULL;
        on_hello(s, held);
        free(held);
    }
}

static void on_control(struct session *s)
{
    if (pump_names(s)) {
        return;
    }
    struct proto_message m;
    int rc;
    while ((rc = control_read(&s->messages, s->control, &m)) == 1) {
        if (m.type == PROTO_HELLO && !s->has_hello && s->held == NULL) {
            hold_hello(s, &m);
        } else if (m.type == PROTO_RULE && s->held != NULL) {
            on_rule(s, &m);
        } else if (m.type == PROTO_SETTING && on_setting(s, &m)) {
            continue;
        } else if ((m.type == PROTO_WANT || m.type == PROTO_CURRENT) && s->push != NULL) {
            push_on_answer(s->push, &m);
        } else if (m.type == PROTO_END && s->pull != NULL) {
            s->has_end = true;
            s->end_count = m.index;
            s->end_failed = m.failed;
            session_answer_end(s);
        } else if (m.type == PROTO_TOTAL && s->has_hello) {
            session_begin_survey(s);
        } else if (m.type == PROTO_LIMIT && s->has_hello) {
            session_on_limit(s, &m);
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
    if (rc == -1 || (rc < 0 && !s->has_hello)) {
        tern_conn_close(s->conn, CLOSE_PROTOCOL, "malformed control message");
    }
}

/* --- events ------------------------------------------------------------------------------------------ */

/* Address, key, and how the list calls it. */
static void identify(struct session *s)
{
    const struct house *house = s->host->house;
    tern_addr remote = tern_conn_remote(s->conn);
    (void)tern_addr_format(&remote, s->peer.addr, sizeof s->peer.addr);
    s->peer.has_key = tern_conn_peer_key(s->conn, s->peer.key) == 0;
    s->peer.is_known = s->peer.has_key && house->authorized[0] != '\0' &&
                       keyring_comment(house->authorized, s->peer.key, s->peer.name,
                                       sizeof s->peer.name) == KEYRING_OK;
}

/* Takes a place in the house. NULL, or why there is none. */
static const char *enter(const struct host *host)
{
    struct house *house = host->house;
    if (host->is_ending) {
        return "the server is ending; try again later";
    }
    if (atomic_fetch_add(&house->sessions, 1) >= house->sessions_max) {
        (void)atomic_fetch_sub(&house->sessions, 1);
        return "too many clients at once; try again later";
    }
    return NULL;
}

/* The user of a connection that came early and found no place: it can be told so only when it is whole. */
static struct session no_place;

/* is_early: the handshake is not over. */
static void begin_session(struct host *host, tern_conn *conn, bool is_early)
{
    bool was_early = tern_conn_user(conn) == &no_place;
    const char *why = was_early ? "no place when you came; try again later" : enter(host);
    struct session *s = why == NULL ? calloc(1, sizeof *s) : NULL;
    if (s == NULL && why == NULL) {
        (void)atomic_fetch_sub(&host->house->sessions, 1);
        why = "out of memory; try again later";
    }
    if (s == NULL && is_early) {
        tern_conn_set_user(conn, &no_place);
        return;
    }
    if (s == NULL) {
        tern_conn_set_user(conn, NULL);
        tern_conn_close(conn, CLOSE_BUSY,
                        host->is_ending ? "the server is ending; try again later" : why);
        return;
    }
    s->host = host;
    s->conn = conn;
    s->born = tern_udp_now();
    ev_init(&s->teller, on_teller);
    s->teller.data = s;
    s->next = host->first;
    s->link = &host->first;
    host->first = s;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    host->sessions++;
    host->accepted++;
    tern_conn_set_user(conn, s);
}

static void on_connected(struct host *host, tern_conn *conn)
{
    if (tern_conn_user(conn) == NULL || tern_conn_user(conn) == &no_place) {
        begin_session(host, conn, false);
    }
    struct session *s = tern_conn_user(conn);
    if (s == NULL) {
        return;
    }
    identify(s);
    log_event(&s->peer, "connected",
              tern_conn_early(conn) == TERN_EARLY_ACCEPTED ? "at once, by a ticket" : NULL,
              host->options->json, CLI_DEBUG);
    session_on_proved(s);
    session_recall_path(s);
    if (s->control != NULL) {
        on_control(s);
    }
}

static void note_end(struct session *s, const tern_close_info *close)
{
    struct host_result *last = &s->host->last;
    *last = (struct host_result){.error = close->error, .code = close->code};
    if (s->push != NULL) {
        const struct push_counts *n = push_counts(s->push);
        last->entries = n->entries;
        last->failed = n->failed;
        last->bytes = close->error == 0 ? n->total : n->bytes;
        last->moved = proto_moved(last->bytes, &n->spared);
    }
}

static void on_closed(struct session *s, const tern_close_info *close)
{
    session_remember_path(s);
    session_end_names(s);
    if (s->path != NULL) {
        session_log_copy(s, close);
    }
    log_event(&s->peer, "disconnected", close->error == 0 ? NULL : tern_strerror(close->error),
              s->host->options->json, CLI_DEBUG);
    tern_conn_set_user(s->conn, NULL);
    note_end(s, close);
    session_free(s);
}

static void on_opened(struct session *s, tern_stream *stream)
{
    session_on_stream(s, stream);
    if (tern_stream_id(stream) == 0) {
        s->control = stream;
        if (s->may_answer) {
            on_control(s);
        }
    } else if (s->pull != NULL) {
        pull_on_opened(s->pull, stream);
    } else if (!session_keep_stream(s, stream)) {
        int rc = tern_stream_stop(stream, PROTO_BAD_REQUEST);
        (void)rc;
    }
}

static void on_stream_event(struct session *s, const tern_event *ev)
{
    bool is_ours = tern_stream_is_local(ev->stream);
    if (ev->stream == s->control) {
        if (ev->type == TERN_EVENT_STREAM_READABLE && s->may_answer) {
            on_control(s);
        } else if (ev->type == TERN_EVENT_STREAM_WRITABLE && s->names != NULL) {
            names_serve_pump(s->names);
        } else if (ev->type == TERN_EVENT_STREAM_CLOSED) {
            session_end_names(s);
        }
        s->control = ev->type == TERN_EVENT_STREAM_CLOSED ? NULL : s->control;
    } else if (is_ours) {
        push_on_event(ev);
    } else {
        if (ev->type == TERN_EVENT_STREAM_CLOSED) {
            session_forget_stream(s, ev->stream);
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

void host_on_event(struct host *host, const tern_event *ev)
{
    struct session *s = tern_conn_user(ev->conn);
    if (ev->type == TERN_EVENT_EARLY) {
        begin_session(host, ev->conn, true);
        s = tern_conn_user(ev->conn);
        if (s != NULL && s != &no_place) {
            identify(s);
            session_begin_early(s);
        }
        return;
    }
    if (ev->type == TERN_EVENT_CONNECTED) {
        on_connected(host, ev->conn);
        return;
    }
    if (s == NULL || s == &no_place) {
        return;
    }
    if (ev->type == TERN_EVENT_CLOSED) {
        on_closed(s, &ev->close);
        return;
    }
    session_hold_back(s);
    if (ev->type == TERN_EVENT_STREAM_OPENED) {
        on_opened(s, ev->stream);
    } else if (ev->stream != NULL) {
        on_stream_event(s, ev);
    }
    after_event(s);
}
