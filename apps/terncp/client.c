/* One request from HELLO to END, on a connection that dial.c brings about.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/client.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "terncp/control.h"
#include "terncp/dest.h"
#include "terncp/dial.h"
#include "terncp/firsts.h"
#include "terncp/pull.h"
#include "terncp/push.h"
#include "terncp/report.h"
#include "terncp/request.h"
#include "terncp/shares.h"
#include "terncp/sink.h"
#include "terncp/survey.h"
#include "terncp/tree.h"
#include "terncp/zip.h"

struct client {
    const struct options *options;
    struct ev_loop *loop;
    struct dial dial;

    bool is_push;
    bool has_pipe; /* push: standard input is among the sources */
    bool is_offer; /* pull: of whatever the other side sends, under a code */
    char **sources;
    int source_count;
    struct dest dest; /* pull: where to */
    bool is_pipe;     /* pull: to standard output */

    tern_conn *conn; /* between begin and end */
    tern_stream *control;
    struct control messages;
    struct work *work;
    struct push *push;
    struct pull *pull;
    struct sink *sink; /* instead of pull */
    bool end_sent, has_end;
    uint32_t end_count, end_failed;
    struct request_answers answers;
    struct report report;
    struct survey *survey; /* push of folders, while it counts */
    bool has_total;        /* it has, or the server has */
    uint64_t files, bytes; /* then */
    struct ev_timer ticker;
};

/* --- failures --------------------------------------------------------------------------------------- */

static void on_push_failed(void *user, const char *name, int error, bool is_begun)
{
    struct client *c = user;
    (void)is_begun;
    if (error == EAGAIN) {
        report_again(&c->report, name);
        return;
    }
    report_failed(&c->report, REPORT_LOCAL, name, push_why(error), NULL);
}

static void on_left(void *user, const char *name, enum proto_status status)
{
    struct client *c = user;
    report_left(&c->report, status, name);
}

static bool is_into_folder(const struct client *c)
{
    const char *path = c->dial.target.path;
    size_t len = strlen(path);
    return c->source_count > 1 || len == 0 || path[len - 1] == '/';
}

/* A server that ssh starts has a new key each time. */
static bool is_new(void *user, const char *name)
{
    const struct client *c = user;
    const struct options *o = c->options;
    char server[KEYRING_TEXT_SIZE];
    if (o->no_resume && o->whole_file) {
        return true;
    }
    keyring_format(c->dial.trust.key, server);
    /* A path that may be the file's own stands for whatever was sent to it, under any name. */
    return firsts_mark(c->dial.target.kind == TARGET_SSH ? c->dial.target.login : server,
                       c->dial.target.path, is_into_folder(c) ? name : "");
}

/* No event may follow: a worker was the last. */
static void on_push_counted(void *user)
{
    struct client *c = user;
    ev_feed_event(c->loop, &c->ticker, EV_TIMER);
}

/* NULL: nothing is being received. */
static const struct pull_counts *counts_of(const struct client *c)
{
    return c->pull != NULL ? pull_counts(c->pull) : c->sink != NULL ? sink_counts(c->sink) : NULL;
}

static void on_settled(void *user, uint32_t index, enum proto_status status, const char *name,
                       const char *why, bool by_peer)
{
    struct client *c = user;
    bool is_answer = status == PROTO_IS_CURRENT || status == PROTO_IS_WANTED;
    if (is_answer && c->control != NULL &&
        !request_answer(&c->answers, c->control, index, status == PROTO_IS_WANTED)) {
        dial_stop(&c->dial, DIAL_LOST);
    }
    if (status == PROTO_OK) {
        report_done(&c->report, name);
    } else if (status == PROTO_AGAIN) {
        report_again(&c->report, name);
    } else if (status == PROTO_IS_CURRENT || status == PROTO_LOST_ATTRS ||
               (status == PROTO_IS_WANTED && c->options->tree.dry_run)) {
        report_left(&c->report, status, name);
    } else if (!is_answer) {
        report_failed(&c->report,
                      status == PROTO_INTEGRITY ? REPORT_INTEGRITY
                      : by_peer                 ? REPORT_REMOTE
                                                : REPORT_LOCAL,
                      name, why, report_advice(status));
    }
    if (c->has_end || is_answer) { /* a worker was the last: no event will follow */
        ev_feed_event(c->loop, &c->ticker, EV_TIMER);
    }
}

static void on_removed(void *user, const char *name, uint32_t count, int error)
{
    struct client *c = user;
    (void)error;
    report_deleted(&c->report, name, count);
}

static void on_ended(void *user)
{
    struct client *c = user;
    ev_feed_event(c->loop, &c->ticker, EV_TIMER);
}

/* --- the request ------------------------------------------------------------------------------------- */

uint64_t client_wishes(const struct options *o)
{
    uint64_t zip =
        o->compress && zip_is_there() ? PROTO_FLAG_ZSTD | o->level << PROTO_LEVEL_SHIFT : 0;
    return (o->recursive ? PROTO_FLAG_RECURSIVE : 0) | (o->preserve ? PROTO_FLAG_PRESERVE : 0) |
           (o->fsync ? PROTO_FLAG_FSYNC : 0) | request_flags(&o->tree) |
           (o->no_verify ? PROTO_FLAG_NO_HASH : 0) | (o->preallocate ? PROTO_FLAG_PREALLOCATE : 0) |
           zip | (o->no_resume ? PROTO_FLAG_NO_RESUME : 0) |
           (o->whole_file ? PROTO_FLAG_WHOLE_FILE : 0) | (o->in_place ? PROTO_FLAG_IN_PLACE : 0) |
           o->parallel << PROTO_FILES_SHIFT;
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
            dial_stop(&c->dial, DIAL_LOST);
        }
    }
}

/* How much will there be? Whoever has the files counts. */
static void look_ahead(struct client *c, uint64_t flags)
{
    if (!report_is_watched(&c->report) || !c->options->recursive) {
        return;
    }
    if (c->is_push && c->survey == NULL) {
        struct tree_rules rules = {.links = (flags & PROTO_FLAG_FOLLOW) != 0 ? TREE_LINKS_FOLLOWED
                                                                             : TREE_LINKS_LEFT_OUT,
                                   .filter = c->options->tree.filter};
        c->survey = survey_new(-1, c->sources, c->source_count, &rules, NULL, NULL);
    } else if (!c->is_push) {
        struct proto_message m = {.type = PROTO_TOTAL};
        if (!control_send(c->control, &m)) {
            dial_stop(&c->dial, DIAL_LOST);
        }
    }
}

static bool send_request(struct client *c, const struct proto_message *hello, bool is_early)
{
    return tern_conn_open_stream(c->conn, TERN_STREAM_BIDI, &c->control) == 0 &&
           tern_stream_set_priority(c->control, 0, false) == 0 &&
           (!is_early || tern_stream_set_early(c->control) == 0) &&
           (!c->is_push || request_send_settings(c->control, c->options->partial_dir)) &&
           control_send(c->control, hello) &&
           ((hello->flags & PROTO_FLAG_RULES) == 0 ||
            request_send_rules(c->control, &c->options->tree));
}

/* What names will begin with in a pull. */
static const char *first_of(const struct client *c, char only[256])
{
    tree_basename(c->dial.target.path, only, 256);
    return c->is_offer ? "" : only[0] == '\0' ? "root" : only;
}

static void begin_pull(struct client *c, const struct proto_message *hello)
{
    char only[256];
    const char *first = first_of(c, only);
    if (c->is_pipe) {
        struct sink_request request = {.fd = STDOUT_FILENO,
                                       .only = first,
                                       .flags = hello->flags,
                                       .key = hello->key,
                                       .settled = on_settled,
                                       .user = c};
        c->sink = sink_new(c->work, &request);
        return;
    }
    struct place_request request = {.root = c->dest.root,
                                    .target = c->dest.target,
                                    .is_into = c->dest.is_into,
                                    .flags = hello->flags,
                                    .key = hello->key,
                                    .is_fresh = c->is_offer,
                                    .partial_dir = c->options->partial_dir,
                                    .only = first};
    struct pull_ending ending = {.filter = c->options->tree.filter,
                                 .max_delete = c->options->tree.max_delete,
                                 .removed = on_removed,
                                 .ended = on_ended};
    c->pull = pull_new(c->work, &request, on_settled, c);
    if (c->pull != NULL && !pull_set_ending(c->pull, &ending)) {
        pull_free(c->pull);
        c->pull = NULL;
    }
}

static void add_source(struct client *c, const char *source)
{
    char name[256];
    tree_basename(source, name, sizeof name);
    int error =
        target_kind_of(source) == TARGET_PIPE
            ? push_add_pipe(c->push, STDIN_FILENO, "stdin")
            : push_add(c->push, -1, source, name[0] == '\0' ? "root" : name, c->options->recursive);
    if (error != 0) {
        report_failed(&c->report, REPORT_LOCAL, source,
                      error == EISDIR   ? "it is a folder"
                      : error == EINVAL ? "not a file or folder"
                                        : strerror(error),
                      error == EISDIR ? "copy it with -r" : report_advice(proto_status_of(error)));
    }
}

static void begin_push(struct client *c, const struct proto_message *hello)
{
    struct push_request request = {.flags = hello->flags,
                                   .filter = c->options->tree.filter,
                                   .failed = on_push_failed,
                                   .left = on_left,
                                   .counted = on_push_counted,
                                   .is_new = is_new,
                                   .user = c};
    memcpy(request.key, hello->key, sizeof request.key);
    c->push = push_new(c->work, c->conn, &request);
    if (c->push == NULL) {
        return;
    }
    for (int i = 0; i < c->source_count; i++) {
        add_source(c, c->sources[i]);
    }
    push_begin(c->push);
}

static uint64_t flags_of(const struct client *c)
{
    uint64_t flags = client_wishes(c->options);
    char only[256];
    bool is_vacant = !c->is_push && !c->is_pipe && c->options->partial_dir == NULL &&
                     dest_is_vacant(&c->dest, first_of(c, only));
    if (c->is_pipe) { /* one file's contents, and nothing that would need a look back */
        flags &= PROTO_FLAG_NO_HASH | PROTO_FLAG_SPARSE;
    }
    flags |= c->is_pipe || is_vacant ? PROTO_FLAG_AHEAD : 0;
    return flags | (c->is_push && is_into_folder(c) ? PROTO_FLAG_INTO : 0) |
           (c->is_offer ? PROTO_FLAG_RECURSIVE : 0);
}

static void begin_request(void *user, tern_conn *conn, bool is_early)
{
    struct client *c = user;
    c->conn = conn;
    c->control = NULL;
    c->messages.used = 0;
    c->end_sent = c->has_end = false;
    c->answers.want.message.range_count = c->answers.current.message.range_count = 0;
    report_restart(&c->report); /* the time of a question does not count */
    struct proto_message hello = {
        .type = PROTO_HELLO, .version = PROTO_VERSION, .flags = flags_of(c)};
    randombytes_buf(hello.key, sizeof hello.key);
    hello.direction = c->is_push ? PROTO_PUSH : PROTO_PULL;
    memcpy(hello.text, c->dial.target.path, sizeof c->dial.target.path);
    if (!send_request(c, &hello, is_early)) {
        dial_stop(&c->dial, DIAL_LOST);
        return;
    }
    limit(c, 0);
    if (c->is_push) {
        begin_push(c, &hello);
    } else {
        begin_pull(c, &hello);
    }
    if (c->pull == NULL && c->push == NULL && c->sink == NULL) {
        cli_error("terncp", "out of memory or file descriptors", "nothing was copied");
        dial_stop(&c->dial, DIAL_ERROR);
    }
    look_ahead(c, hello.flags);
}

static void finish_if_done(void *user)
{
    struct client *c = user;
    bool is_done = c->has_end;
    if (c->push != NULL) {
        push_pump(c->push);
        if (push_is_counted(c->push) && !c->end_sent) {
            const struct push_counts *n = push_counts(c->push);
            /* What could not even be begun is not among theirs. */
            uint64_t failed = c->report.failed[REPORT_LOCAL];
            struct proto_message m = {.type = PROTO_END,
                                      .index = n->entries,
                                      .failed = failed < UINT32_MAX ? (uint32_t)failed : UINT32_MAX,
                                      .excluded = n->excluded};
            c->end_sent = control_send(c->control, &m);
            report_skip_many(&c->report, REPORT_SKIP_EXCLUDED, n->excluded);
        }
        is_done = is_done && c->end_sent;
    }
    if (c->pull != NULL) {
        if (c->control != NULL && !request_answers_flush(&c->answers, c->control)) {
            dial_stop(&c->dial, DIAL_LOST);
        }
        is_done = is_done && pull_finish(c->pull, c->end_count, c->end_failed);
    }
    const struct pull_counts *received = counts_of(c);
    if (c->sink != NULL) {
        is_done = is_done && received->settled >= c->end_count;
    }
    if (is_done && (c->push != NULL || received != NULL)) {
        bool is_kept = received == NULL || received->failed == 0;
        tern_conn_close(c->conn, is_kept ? 0 : PROTO_CLOSE_PARTIAL, "");
        dial_stop(&c->dial, DIAL_DONE);
    }
}

/* The other side begins with the name there, which is said already if it is ours but for folders. */
static const char *without_name(const char *text, const char *source)
{
    char base[256];
    tree_basename(source, base, sizeof base);
    size_t len = strlen(base);
    for (const char *at = len == 0 ? NULL : strstr(text, base); at != NULL;
         at = strstr(at + 1, base)) {
        if ((at == text || at[-1] == '/') && strncmp(at + len, ": ", 2) == 0) {
            return at + len + 2;
        }
    }
    return text;
}

static void on_fail(struct client *c, const struct proto_message *m)
{
    if (m->index == PROTO_INDEX_ALL) {
        report_failed(&c->report, REPORT_REMOTE,
                      c->dial.target.path[0] == '\0' ? "/" : c->dial.target.path, m->text,
                      report_advice((enum proto_status)m->status));
        tern_conn_close(c->conn, 0, "");
        dial_stop(&c->dial, DIAL_REQUEST);
        return;
    }
    if (m->index == PROTO_INDEX_NONE &&
        (m->status == PROTO_LOST_ATTRS || proto_is_left_out((enum proto_status)m->status))) {
        report_left(&c->report, (enum proto_status)m->status, m->text);
        return;
    }
    bool is_one = c->push != NULL && c->source_count == 1 && !c->options->recursive;
    report_failed(&c->report, m->status == PROTO_INTEGRITY ? REPORT_INTEGRITY : REPORT_REMOTE,
                  is_one ? c->sources[0] : c->dial.trust.name,
                  is_one ? without_name(m->text, c->sources[0]) : m->text, /* says which entry */
                  report_advice((enum proto_status)m->status));
}

static void on_control(struct client *c)
{
    struct proto_message m;
    int rc;
    while (c->control != NULL && (rc = control_read(&c->messages, c->control, &m)) != 0) {
        if (rc < 0) {
            if (c->dial.outcome == DIAL_RUNNING && tern_conn_is_established(c->conn)) {
                report_failed(&c->report, REPORT_REMOTE, c->dial.trust.name,
                              "broke off the request", NULL);
                dial_stop(&c->dial, DIAL_REQUEST);
            }
            return;
        }
        if (m.type == PROTO_READY && c->push != NULL) {
            push_allow_zip(c->push, (m.flags & PROTO_FLAG_ZSTD) != 0);
            push_pump(c->push);
        } else if (m.type == PROTO_FAIL) {
            on_fail(c, &m);
        } else if (m.type == PROTO_DONE) {
            for (unsigned i = 0; i < m.range_count; i++) {
                report_done_there(&c->report, m.ranges[i].count);
            }
        } else if (m.type == PROTO_TOTAL && !c->is_push) {
            c->has_total = true;
            c->files = m.files;
            c->bytes = m.bytes;
        } else if (m.type == PROTO_LIMIT && c->is_push) {
            limit(c, m.rate);
        } else if (m.type == PROTO_END) {
            c->has_end = true;
            c->end_count = m.index;
            c->end_failed = m.failed;
            report_skip_many(&c->report, REPORT_SKIP_EXCLUDED, m.excluded);
        } else if ((m.type == PROTO_WANT || m.type == PROTO_CURRENT) && c->push != NULL) {
            push_on_answer(c->push, &m);
        } else if (m.type == PROTO_GONE) {
            report_deleted(&c->report, m.text, m.index);
        }
    }
}

/* --- events -------------------------------------------------------------------------------------------- */

static void show_progress(struct client *c)
{
    tern_stats stats = {.size = sizeof stats};
    if (c->conn != NULL) {
        tern_conn_stats(c->conn, &stats);
    }
    struct report_view view = {.is_growing = c->options->recursive || c->is_offer};
    if (c->push != NULL) {
        const struct push_counts *n = push_counts(c->push);
        c->report.spared = n->spared;
        view.name = push_current(c->push);
        view.done = n->bytes;
        view.total = n->total;
        view.files = n->files;
        view.is_growing = view.is_growing && !push_is_counted(c->push);
    } else if (counts_of(c) != NULL) {
        const struct pull_counts *n = counts_of(c);
        c->report.spared = n->spared;
        view.name = c->pull != NULL ? pull_current(c->pull) : c->dial.target.path;
        view.done = n->bytes;
        view.total = n->total;
        view.files = n->files;
        view.is_growing = view.is_growing && !c->has_end;
    } else {
        return;
    }
    if (c->survey != NULL && survey_read(c->survey, &c->files, &c->bytes)) {
        survey_free(c->survey);
        c->survey = NULL;
        c->has_total = true;
    }
    if (view.is_growing && c->has_total && c->bytes >= view.total) {
        view.total = c->bytes;
        view.files = c->files > view.files ? c->files : view.files;
        view.is_growing = false;
    }
    report_progress(&c->report, &view, &stats);
}

/* Takes the last figures (the ticker may never have run) and lets go of the streams, while their
 * handles are still good: until the poll after CLOSED. */
static void end_transfer(void *user)
{
    struct client *c = user;
    show_progress(c);
    if (c->push != NULL) {
        const struct push_counts *n = push_counts(c->push);
        /* The last ACK may be under way. */
        bool is_whole = c->dial.outcome == DIAL_DONE && n->failed == 0;
        c->report.bytes = is_whole ? n->total : n->bytes;
    } else if (counts_of(c) != NULL) {
        c->report.bytes = counts_of(c)->bytes;
    }
    survey_free(c->survey);
    c->survey = NULL;
    push_free(c->push);
    pull_free(c->pull);
    sink_free(c->sink);
    c->sink = NULL;
    c->push = NULL;
    c->pull = NULL;
    c->control = NULL;
    c->conn = NULL;
}

static void on_event(void *user, const tern_event *ev)
{
    struct client *c = user;
    if (ev->stream == NULL) {
        return;
    }
    if (ev->stream == c->control) {
        if (ev->type == TERN_EVENT_STREAM_READABLE) {
            on_control(c);
        }
        c->control = ev->type == TERN_EVENT_STREAM_CLOSED ? NULL : c->control;
    } else if (ev->type == TERN_EVENT_STREAM_OPENED && c->pull != NULL) {
        pull_on_opened(c->pull, ev->stream);
    } else if (ev->type == TERN_EVENT_STREAM_OPENED && c->sink != NULL) {
        sink_on_opened(c->sink, ev->stream);
    } else if (c->sink != NULL) {
        sink_on_event(c->sink, ev);
    } else if (tern_stream_is_local(ev->stream)) {
        push_on_event(ev);
    } else {
        pull_on_event(ev);
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
    if (c->dial.outcome == DIAL_RUNNING) { /* workers may have finished the last block meanwhile */
        finish_if_done(c);
    }
}

/* --- the whole ---------------------------------------------------------------------------------------------- */

static int conclude(struct client *c, enum dial_outcome outcome)
{
    if (outcome == DIAL_DONE || outcome == DIAL_REQUEST) {
        return report_end(&c->report);
    }
    report_abort(&c->report);
    return dial_explain(&c->dial, outcome);
}

static const struct dial_calls calls = {
    .begin = begin_request, .event = on_event, .after = finish_if_done, .end = end_transfer};

/* What is kept depends on the options, and of a pipe it is nothing. */
static void tell_interrupted(const struct client *c)
{
    if (c->options->no_resume || c->has_pipe) {
        cli_note("interrupted; the command begins anew");
    } else {
        cli_note("interrupted; the same command goes on from here");
    }
}

static int run_with(struct client *c)
{
    c->work = work_new(c->loop);
    if (c->work == NULL) {
        cli_error("threads", "cannot be started", "check the limits of this user");
        return CLI_LOCAL;
    }
    report_init(&c->report, c->options, c->is_push);
    ev_timer_init(&c->ticker, on_tick, 0.1, 0.1);
    c->ticker.data = c;
    ev_timer_start(c->loop, &c->ticker);
    c->dial.is_never_early =
        c->has_pipe; /* what was read cannot be read again for another attempt */
    int code = dial_open(&c->dial);
    if (code < 0) {
        code = conclude(c, dial_wait(&c->dial));
    }
    if (code == CLI_INTERRUPTED) {
        tell_interrupted(c);
    }
    ev_timer_stop(c->loop, &c->ticker);
    return code;
}

/* code NULL: by its name. */
static int run(struct client *c, const char *name, const char *code, const tern_addr *addr)
{
    c->loop = ev_loop_new(EVFLAG_AUTO); /* the default one would take the end of ssh from us */
    if (c->loop == NULL) {
        cli_error("event loop", "cannot be made", "check the limits of this user");
        return CLI_LOCAL;
    }
    int rc = code == NULL ? dial_init(&c->dial, c->options, c->loop, name, &calls, c)
                          : dial_init_code(&c->dial, c->options, c->loop, code, addr, &calls, c);
    if (rc < 0) {
        rc = run_with(c);
    }
    dial_close(&c->dial);
    work_free(c->work);
    ev_loop_destroy(c->loop);
    return rc;
}

int client_push(const struct options *options, char **sources, int count, const char *name)
{
    static struct client client; /* large, and there is one */
    client = (struct client){
        .options = options, .is_push = true, .sources = sources, .source_count = count};
    for (int i = 0; i < count; i++) { /* before anybody is bothered */
        struct stat st;
        bool is_pipe = target_kind_of(sources[i]) == TARGET_PIPE;
        client.has_pipe = client.has_pipe || is_pipe;
        if (!is_pipe && lstat(sources[i], &st) != 0 && count == 1) {
            cli_error(sources[i], strerror(errno), "check the name");
            return CLI_LOCAL;
        }
        for (int j = 0; j < i; j++) {
            if (tree_have_same_name(sources[i], sources[j])) {
                cli_error(sources[i], "another source has the same name", "copy them apart");
                return CLI_USAGE;
            }
        }
    }
    return run(&client, name, NULL, NULL);
}

int client_pull(const struct options *options, const char *name, const char *destination)
{
    static struct client client;
    client = (struct client){.options = options, .is_push = false, .source_count = 1};
    if (target_kind_of(destination) == TARGET_PIPE) {
        client.is_pipe = true;
        return run(&client, name, NULL, NULL);
    }
    /* What a pattern stands for may be many, and must not all get one name. */
    static struct target source; /* large */
    bool is_many = target_parse(&source, name, 0) == NULL && source.kind == TARGET_SSH &&
                   tree_is_pattern(source.path);
    int error = dest_open(&client.dest, destination, is_many);
    if (error != 0) {
        cli_error(destination, strerror(error), "the folder must exist");
        return CLI_LOCAL;
    }
    int code = run(&client, name, NULL, NULL);
    (void)close(client.dest.root);
    return code;
}

int client_receive(const struct options *options, const char *code, const tern_addr *addr,
                   const char *folder)
{
    static struct client client;
    client = (struct client){.options = options, .is_offer = true, .source_count = 1};
    int error = dest_open(&client.dest, folder, true);
    if (error != 0) {
        cli_error(folder, strerror(error), "name a folder that exists");
        return CLI_LOCAL;
    }
    int rc = run(&client, NULL, code, addr);
    (void)close(client.dest.root);
    return rc;
}
