/* A session from within, for the files that make it up: session.c and session_*.c.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SESSION_PARTS_H
#define TERNCP_SESSION_PARTS_H

#include "terncp/control.h"
#include "terncp/log.h"
#include "terncp/names_serve.h"
#include "terncp/pull.h"
#include "terncp/push.h"
#include "terncp/request.h"
#include "terncp/session.h"
#include "terncp/shares.h"
#include "terncp/survey.h"
#include "terncp/transport.h"

#define SESSION_EARLY_MAX (TERNCP_PACKS + TERNCP_FILES) /* streams that came before the HELLO */
#define CLOSE_PROTOCOL    1
#define CLOSE_BUSY        2

struct session {
    struct host *host;
    tern_conn *conn;
    tern_stream *control;
    struct control messages;
    bool is_proved;    /* the client is there itself, and no recording of it */
    bool may_answer;   /* ... or has come with the latest ticket that it was given */
    bool is_following; /* what links lead to is copied */
    bool is_mirror;    /* it wants names removed */
    bool has_hello, has_end, end_sent;
    char partial_dir[PROTO_PATH_MAX + 1]; /* for unfinished files; empty: beside final names */
    uint32_t end_count, end_failed;
    struct request_rules rules;
    struct proto_message *held; /* HELLO, until its rules are there */
    struct request_answers answers;
    struct push *push;
    struct pull *pull;
    tern_stream *early[SESSION_EARLY_MAX];
    size_t early_count;
    struct control_done done;  /* told in one message, when `teller` gets its turn */
    struct ev_watcher teller;  /* never started: fed */
    struct names_serve *names; /* then `control` is its stream */
    struct log_peer peer;
    tern_time born, begun; /* at the connection's and the request's beginning */
    char *path;            /* of a copy; NULL: none was asked for */
    bool is_push;          /* by the client: we receive */
    char why[300];         /* a refusal, or the first failure */
    bool is_refused;
    uint64_t asked_rate, told_rate; /* limits that the client has set, and that it was told */
    struct shares_watch watch;
    struct survey *survey; /* while it counts for the client's bar */
    struct ev_async counted;
    struct session *next, **link; /* in the host */
    /* Of the path, from earlier sessions of this client; volume 0: nothing. */
    tern_path_memory known;
};

/* An answer that cannot be given must not be missed: the connection ends instead, and this is false. */
bool session_answer(struct session *s, const struct proto_message *m);

/* The log. The first failure is told in the line of its request, too. */
void session_keep_failure(struct session *s, const char *name, const char *why);
void session_log_name(const struct session *s, const char *verb, const char *name, const char *why);
/* What came of a copy. */
void session_log_copy(const struct session *s, const tern_close_info *close);
/* Ends a request about names and says what came of it. */
void session_end_names(struct session *s);

/* Limits of rate: what the session may have now; what the client tells; and who does not keep to it must go. */
void session_limit(struct session *s);
void session_on_limit(struct session *s, const struct proto_message *m);
void session_check_limit(struct session *s);

/* session_early.c: a client that has come with a ticket, and its streams that came before the request. */
void session_begin_early(struct session *s);
void session_on_proved(struct session *s);
/* So that nothing gets its name when the client has come again since; `key` must last until the place stands. */
void session_note_visit(const struct session *s, struct place_request *request,
                        uint8_t key[TERN_KEY_SIZE]);
/* To be asked before each step that may change something. */
void session_hold_back(struct session *s);
void session_on_stream(struct session *s, tern_stream *stream);
bool session_keep_stream(struct session *s, tern_stream *stream); /* false: not that, too */
void session_forget_stream(struct session *s, const tern_stream *stream);
void session_take_streams(struct session *s); /* the request is known */
/* Tells the end, if all is settled. */
void session_answer_end(struct session *s);

/* How much there is, for a client that shows a bar. */
void session_begin_survey(struct session *s);
void session_end_survey(struct session *s);

/* What was learnt of the path to the client: for a session whose client is there itself, and from one that ends. */
void session_recall_path(struct session *s);
void session_remember_path(const struct session *s);

#endif
