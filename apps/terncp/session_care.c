/* What a session keeps an eye on beside its request: the log, limits, how much there will be, and what is known
 * of the path to the client.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "shared/cli.h"
#include "shared/term.h"
#include "terncp/session_parts.h"

static double seconds_since(tern_time then)
{
    return (double)(tern_udp_now() - then) / 1e9;
}

static void write_log(const struct session *s, const struct log_request *request)
{
    if (s->host->house->is_logged) {
        log_write(&s->peer, request, s->host->options->json);
    }
}

/* Ends a request about names and says what came of it. */
void session_end_names(struct session *s)
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
    write_log(s, &request);
}

/* Says what came of a copy. close NULL: nobody is left to tell. */
void session_log_copy(const struct session *s, const tern_close_info *close)
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
        r.moved = proto_moved(n->bytes, &n->spared);
    } else if (s->push != NULL) {
        const struct push_counts *n = push_counts(s->push);
        r.files = n->files;
        r.folders = n->folders;
        r.failed = n->failed;
        r.bytes = n->bytes;
        r.moved = proto_moved(n->bytes, &n->spared);
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
    write_log(s, &r);
}

/* The first failure is told in the log's line, too. */
void session_keep_failure(struct session *s, const char *name, const char *why)
{
    if (s->why[0] == '\0') {
        (void)snprintf(s->why, sizeof s->why, "%.200s: %.90s", name, why);
    }
}

void session_log_name(const struct session *s, const char *verb, const char *name, const char *why)
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
void session_limit(struct session *s)
{
    const struct options *o = s->host->options;
    struct house *house = s->host->house;
    if (s->push != NULL) {
        tern_conn_set_budget(s->conn, shares_rate(o->bwlimit_each, o->bwlimit,
                                                  atomic_load(&house->senders), s->asked_rate));
    } else if (s->pull != NULL && s->control != NULL) {
        struct proto_message m = {.type = PROTO_LIMIT};
        m.rate = shares_rate(o->bwlimit_each, o->bwlimit, atomic_load(&house->receivers), 0);
        if (m.rate != s->told_rate && session_answer(s, &m)) {
            s->told_rate = m.rate;
        }
    }
}

/* The client tells its own limit, and whether it is in no hurry. */
void session_on_limit(struct session *s, const struct proto_message *m)
{
    s->asked_rate = m->rate;
    if (m->is_background && tern_conn_set_cc(s->conn, "ledbat") != 0) {
        session_log_name(s, "does not copy in the background", s->path == NULL ? "" : s->path,
                         NULL);
    }
    session_limit(s);
}

/* Who was told a limit and does not keep it, must go. */
void session_check_limit(struct session *s)
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

/* --- how much there is ------------------------------------------------------------------------------ */

void session_end_survey(struct session *s)
{
    if (s->survey != NULL) {
        survey_free(s->survey); /* first: its thread wakes us */
        s->survey = NULL;
        ev_async_stop(s->host->loop, &s->counted);
    }
}

static void on_counted(struct ev_loop *loop, struct ev_async *w, int events)
{
    struct session *s = w->data;
    struct proto_message m = {.type = PROTO_TOTAL};
    (void)loop;
    (void)events;
    if (s->survey != NULL && survey_read(s->survey, &m.files, &m.bytes)) {
        session_end_survey(s);
        (void)session_answer(s, &m);
        tern_ev_wake(s->host->binding);
    }
}

/* From the survey's thread. */
static void wake_counted(void *user)
{
    struct session *s = user;
    ev_async_send(s->host->loop, &s->counted);
}

/* The client shows a bar. */
void session_begin_survey(struct session *s)
{
    char *const paths[] = {s->path};
    if (s->survey != NULL || s->push == NULL || s->host->offers != NULL ||
        s->host->binding == NULL) {
        return;
    }
    ev_async_init(&s->counted, on_counted);
    s->counted.data = s;
    ev_async_start(s->host->loop, &s->counted);
    struct tree_rules rules = {.links = s->is_following ? TREE_LINKS_FOLLOWED : TREE_LINKS_LEFT_OUT,
                               .filter = s->rules.filter};
    s->survey = survey_new(s->host->root, paths, 1, &rules, wake_counted, s);
    if (s->survey == NULL) {
        ev_async_stop(s->host->loop, &s->counted);
    }
}

/* --- paths ------------------------------------------------------------------------------------------ */

/* It is there itself: it may have what was learnt of the path to it. */
void session_recall_path(struct session *s)
{
    tern_addr remote = tern_conn_remote(s->conn);
    if (recall_take(&s->host->recall, &remote, &s->known, tern_udp_now())) {
        int rc = tern_conn_recall_path(s->conn, &s->known);
        (void)rc; /* then it starts as if nothing were known */
    }
}

/* What this session has found, or else what the ones before had. */
void session_remember_path(const struct session *s)
{
    tern_path_memory memory = s->known;
    tern_addr remote = tern_conn_remote(s->conn);
    if (tern_conn_path_memory(s->conn, &memory) == 0 || memory.volume > 0) {
        recall_put(&s->host->recall, &remote, &memory, tern_udp_now());
    }
}
