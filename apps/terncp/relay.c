/* Two connections: a pull from the source, a push to the destination, under one key of the hashes, so that
 * the destination verifies what the source has read. Both think that they talk to an ordinary client.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/relay.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "terncp/client.h"
#include "terncp/control.h"
#include "terncp/dial.h"
#include "terncp/report.h"
#include "terncp/request.h"
#include "terncp/shares.h"
#include "terncp/splice.h"
#include "terncp/tree.h"

/* One of the two sides. */
struct side {
    struct relay *relay;
    struct dial dial;
    tern_conn *conn; /* between begin and end */
    tern_stream *control;
    struct control messages;
    bool was_asked; /* its HELLO was sent */
};

struct relay {
    const struct options *options;
    struct ev_loop *loop;
    struct side from, to;
    struct splices *splices;
    struct report report;
    struct ev_timer ticker;
    uint8_t key[PROTO_KEY_SIZE];
    uint64_t flags;
    bool is_many; /* sources, so that the target must be a folder */
    bool is_running;
    char only[256];
    uint64_t entries;
    uint64_t total_files, total_bytes; /* as the source has counted; 0: it has not */
};

static void stop(struct relay *r, enum dial_outcome outcome)
{
    dial_stop(&r->from.dial, outcome);
    dial_stop(&r->to.dial, outcome);
}

/* --- requests ------------------------------------------------------------------------------------------ */

static bool ask(struct side *s, enum proto_direction direction, uint64_t flags)
{
    struct proto_message hello = {.type = PROTO_HELLO, .version = PROTO_VERSION, .flags = flags};
    hello.direction = (uint8_t)direction;
    memcpy(hello.key, s->relay->key, sizeof hello.key);
    memcpy(hello.text, s->dial.target.path, sizeof hello.text);
    s->was_asked = true;
    if (tern_conn_open_stream(s->conn, TERN_STREAM_BIDI, &s->control) != 0 ||
        tern_stream_set_priority(s->control, 0, false) != 0 ||
        (direction == PROTO_PUSH &&
         !request_send_settings(s->control, s->relay->options->partial_dir)) ||
        !control_send(s->control, &hello) ||
        ((flags & PROTO_FLAG_RULES) != 0 &&
         !request_send_rules(s->control, &s->relay->options->tree))) {
        cli_error(s->dial.trust.name, "does not take the request", "run the command again");
        stop(s->relay, DIAL_LOST);
        return false;
    }
    return true;
}

static void pass_on(struct side *s, const struct proto_message *m)
{
    if (s->control != NULL && !control_send(s->control, m)) {
        cli_error(s->dial.trust.name, "does not take its messages", "run the command again");
        stop(s->relay, DIAL_LOST);
    }
}

static void on_refused(void *user, const char *why)
{
    struct relay *r = user;
    report_failed(&r->report, REPORT_REMOTE, r->from.dial.trust.name, why, NULL);
    stop(r, DIAL_REQUEST);
}

static void on_given_up(void *user, const char *name, enum proto_status status)
{
    struct relay *r = user;
    report_failed(&r->report, REPORT_REMOTE, name, proto_status_text(status),
                  report_advice(status));
}

/* Our limit and the destination's, for what we send there; what comes in waits for that. */
static void limit(struct relay *r, uint64_t told)
{
    if (r->to.conn != NULL) {
        tern_conn_set_budget(r->to.conn, shares_rate(r->options->bwlimit, told, 1, 0));
    }
}

/* Limits for the source as well, and a question of how much there is, for the bar. */
static void tell_wishes(struct relay *r)
{
    const struct options *o = r->options;
    struct proto_message m = {
        .type = PROTO_LIMIT, .rate = o->bwlimit, .is_background = o->is_background};
    bool is_good = (o->bwlimit == 0 && !o->is_background) || control_send(r->from.control, &m);
    m = (struct proto_message){.type = PROTO_TOTAL};
    if (is_good && report_is_watched(&r->report)) {
        is_good = control_send(r->from.control, &m);
    }
    if (!is_good) {
        stop(r, DIAL_LOST);
    }
}

/* The destination is ready: now the source may send. */
static void on_ready_to(struct relay *r, uint64_t granted)
{
    r->flags &= ~PROTO_FLAGS_WISHES | granted; /* what it cannot read must not come */
    struct splices_request request = {.loop = r->loop,
                                      .to = r->to.conn,
                                      .flags = r->flags,
                                      .only = r->only,
                                      .refused = on_refused,
                                      .given_up = on_given_up,
                                      .user = r};
    if (r->splices != NULL || r->from.conn == NULL) {
        return;
    }
    r->splices = splices_new(&request);
    if (r->splices == NULL) {
        cli_error("terncp", "out of memory", "nothing was copied");
        stop(r, DIAL_ERROR);
        return;
    }
    if (ask(&r->from, PROTO_PULL, r->flags)) {
        limit(r, 0);
        tell_wishes(r);
    }
}

/* --- control streams ------------------------------------------------------------------------------------ */

static void on_fail(struct side *s, const struct proto_message *m)
{
    struct relay *r = s->relay;
    enum proto_status status = (enum proto_status)m->status;
    if (m->index == PROTO_INDEX_NONE && (status == PROTO_LOST_ATTRS || proto_is_left_out(status))) {
        report_left(&r->report, status, m->text);
        return;
    }
    const char *path = s->dial.target.path;
    report_failed(&r->report, m->status == PROTO_INTEGRITY ? REPORT_INTEGRITY : REPORT_REMOTE,
                  m->index != PROTO_INDEX_ALL ? s->dial.trust.name
                  : path[0] == '\0'           ? "/"
                                              : path,
                  m->text, report_advice(status));
    if (m->index == PROTO_INDEX_ALL) {
        stop(r, DIAL_REQUEST);
    }
}

/* What we count of what passes. */
static void count(struct relay *r, const struct proto_message *m)
{
    uint32_t indices = 0;
    for (unsigned i = 0; i < m->range_count; i++) {
        indices += m->ranges[i].count;
    }
    if (m->type == PROTO_DONE || (m->type == PROTO_WANT && r->options->tree.dry_run)) {
        r->entries += indices;
        report_done_there(&r->report, indices);
    } else if (m->type == PROTO_CURRENT) {
        report_skip_many(&r->report, REPORT_SKIP_CURRENT, indices);
    } else if (m->type == PROTO_END) {
        report_skip_many(&r->report, REPORT_SKIP_EXCLUDED, m->excluded);
    }
}

/* What one says to its client is for the other, where it is not for us. */
static void on_message(struct side *s, const struct proto_message *m)
{
    struct relay *r = s->relay;
    struct side *other = s == &r->from ? &r->to : &r->from;
    if (m->type == PROTO_FAIL) {
        on_fail(s, m);
    } else if (m->type == PROTO_READY) {
        if (s == &r->to) {
            on_ready_to(r, m->flags);
        }
    } else if (m->type == PROTO_END && s == &r->to) {
        stop(r, DIAL_DONE);
    } else if (m->type == PROTO_LIMIT) {
        limit(r, m->rate);
    } else if (m->type == PROTO_TOTAL) {
        r->total_files = m->files;
        r->total_bytes = m->bytes;
    } else if (m->type == PROTO_GONE) {
        report_deleted(&r->report, m->text, m->index);
    } else {
        count(r, m);
        pass_on(other, m);
    }
}

static void on_control(struct side *s)
{
    static struct proto_message m; /* large */
    int rc;
    while (s->control != NULL && s->dial.outcome == DIAL_RUNNING &&
           (rc = control_read(&s->messages, s->control, &m)) != 0) {
        if (rc < 0) {
            if (tern_conn_is_established(s->conn)) {
                report_failed(&s->relay->report, REPORT_REMOTE, s->dial.trust.name,
                              "broke off the request", NULL);
                stop(s->relay, DIAL_REQUEST);
            }
            return;
        }
        on_message(s, &m);
    }
}

/* --- what dial.c tells ----------------------------------------------------------------------------------- */

static void on_begin(void *user, tern_conn *conn, bool is_early)
{
    struct side *s = user;
    (void)is_early; /* nothing is asked before both stand */
    s->conn = conn;
    s->control = NULL;
    s->messages.used = 0;
    s->was_asked = false;
}

static void on_event(void *user, const tern_event *ev)
{
    struct side *s = user;
    struct relay *r = s->relay;
    if (ev->stream != NULL && ev->stream == s->control) {
        if (ev->type == TERN_EVENT_STREAM_READABLE) {
            on_control(s);
        }
        s->control = ev->type == TERN_EVENT_STREAM_CLOSED ? NULL : s->control;
    } else if (r->splices == NULL) {
        return;
    } else if (ev->type == TERN_EVENT_STREAM_OPENED && s == &r->from) {
        splices_add(r->splices, ev->stream);
    } else {
        splices_on_event(r->splices, ev);
    }
}

/* Without one of them it is over: no stream's handle is used any more. */
static void on_end(void *user)
{
    struct side *s = user;
    struct relay *r = s->relay;
    if (r->splices != NULL) {
        r->report.bytes = splices_bytes(r->splices);
        splices_free(r->splices);
        r->splices = NULL;
    }
    s->conn = NULL;
    s->control = NULL;
    if (r->is_running) {
        struct side *other = s == &r->from ? &r->to : &r->from;
        dial_stop(&other->dial, DIAL_LOST);
    }
}

static const struct dial_calls calls = {.begin = on_begin, .event = on_event, .end = on_end};

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct relay *r = timer->data;
    tern_stats stats = {.size = sizeof stats};
    (void)loop;
    (void)events;
    if (r->splices != NULL && r->to.conn != NULL) {
        tern_conn_stats(r->to.conn, &stats);
        struct report_view view = {.name = splices_current(r->splices),
                                   .done = splices_bytes(r->splices),
                                   .total = r->total_bytes,
                                   .files = r->total_files,
                                   .is_growing = r->total_bytes == 0};
        report_progress(&r->report, &view, &stats);
    }
}

/* --- the whole ------------------------------------------------------------------------------------------ */

/* Questions to a person take longer than a connection waits: who may cause one goes first. */
static int open_both(struct relay *r)
{
    struct side *first = r->to.dial.trust.has_key ? &r->from : &r->to;
    struct side *second = first == &r->from ? &r->to : &r->from;
    int code = dial_open(&first->dial);
    return code < 0 ? dial_open(&second->dial) : code;
}

static int conclude(struct relay *r)
{
    enum dial_outcome from = r->from.dial.outcome, to = r->to.dial.outcome;
    if (from == DIAL_DONE || from == DIAL_REQUEST) {
        return report_end(&r->report);
    }
    report_abort(&r->report);
    if (from == DIAL_SIGNAL || to == DIAL_SIGNAL) {
        return CLI_INTERRUPTED;
    }
    return dial_explain(from == DIAL_LOST ? &r->to.dial : &r->from.dial,
                        from == DIAL_LOST ? to : from);
}

static int run(struct relay *r)
{
    char name[256];
    tree_basename(r->from.dial.target.path, name, sizeof name);
    (void)snprintf(r->only, sizeof r->only, "%s", name[0] == '\0' ? "root" : name);
    r->flags = client_wishes(r->options);
    randombytes_buf(r->key, sizeof r->key);
    int code = open_both(r);
    if (code >= 0) {
        return code;
    }
    const char *path = r->to.dial.target.path;
    size_t len = strlen(path);
    bool is_into =
        r->is_many || tree_is_pattern(r->from.dial.target.path) || len == 0 || path[len - 1] == '/';
    report_restart(&r->report);
    r->is_running = true;
    if (r->from.dial.outcome == DIAL_RUNNING && r->to.dial.outcome == DIAL_RUNNING) {
        limit(r, 0);
        (void)ask(&r->to, PROTO_PUSH, r->flags | (is_into ? PROTO_FLAG_INTO : 0));
    }
    while (r->from.dial.outcome == DIAL_RUNNING && r->to.dial.outcome == DIAL_RUNNING) {
        (void)ev_run(r->loop, 0);
    }
    r->is_running = false;
    on_tick(r->loop, &r->ticker, 0);
    if (r->from.conn != NULL) {
        tern_conn_close(r->from.conn, 0, "");
    }
    if (r->to.conn != NULL) {
        tern_conn_close(r->to.conn, 0, "");
    }
    return conclude(r);
}

static int copy_one(const struct options *options, const char *source, const char *destination,
                    bool is_many)
{
    static struct relay relay; /* large, and there is one */
    memset(&relay, 0, sizeof relay);
    relay.options = options;
    relay.is_many = is_many;
    relay.from.relay = relay.to.relay = &relay;
    relay.loop = ev_loop_new(EVFLAG_AUTO);
    if (relay.loop == NULL) {
        cli_error("event loop", "cannot be made", "check the limits of this user");
        return CLI_LOCAL;
    }
    report_init(&relay.report, options, true);
    ev_timer_init(&relay.ticker, on_tick, 0.1, 0.1);
    relay.ticker.data = &relay;
    ev_timer_start(relay.loop, &relay.ticker);
    int code = dial_init(&relay.from.dial, options, relay.loop, source, &calls, &relay.from);
    if (code < 0) {
        code = dial_init(&relay.to.dial, options, relay.loop, destination, &calls, &relay.to);
    }
    if (code < 0) {
        code = run(&relay);
    }
    dial_close(&relay.from.dial);
    dial_close(&relay.to.dial);
    ev_timer_stop(relay.loop, &relay.ticker);
    ev_loop_destroy(relay.loop);
    sodium_memzero(relay.key, sizeof relay.key);
    return code;
}

int relay_copy(const struct options *options, char **sources, int count, const char *destination)
{
    int worst = CLI_OK;
    for (int i = 0; i < count && worst != CLI_INTERRUPTED; i++) {
        int code = copy_one(options, sources[i], destination, count > 1);
        worst = worst == CLI_OK || code == CLI_INTERRUPTED ? code : worst;
    }
    return worst;
}
