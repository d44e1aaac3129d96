/* A session whose client has come with a ticket and not shown its key yet: what may be done for it, and what waits.
 * docs/terncp-protocol.md, section 7.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/session_parts.h"

void session_begin_early(struct session *s)
{
    uint8_t key[TERN_KEY_SIZE];
    s->may_answer = tern_conn_peer_key(s->conn, key) == 0 &&
                    visits_on_early(&s->host->house->visits, key, tern_conn_ticket_used(s->conn),
                                    tern_conn_ticket_given(s->conn));
}

void session_on_proved(struct session *s)
{
    uint8_t key[TERN_KEY_SIZE];
    if (tern_conn_peer_key(s->conn, key) == 0) {
        visits_on_proved(&s->host->house->visits, key, tern_conn_ticket_given(s->conn));
    }
    s->is_proved = s->may_answer = true;
    if (s->pull != NULL) {
        pull_prove(s->pull);
    }
    session_hold_back(s);
}

/* Has the client come once more since? Then this one may have been held back on its way. */
static bool is_overtaken(const struct session *s)
{
    uint8_t key[TERN_KEY_SIZE];
    return tern_conn_peer_key(s->conn, key) != 0 ||
           !visits_is_latest(&s->host->house->visits, key, tern_conn_ticket_given(s->conn));
}

void session_hold_back(struct session *s)
{
    if (s->pull == NULL) {
        return;
    }
    bool is_held = !s->is_proved && (s->is_mirror || is_overtaken(s));
    if (is_held == pull_is_held(s->pull)) {
        return;
    }
    pull_hold(s->pull, is_held);
    if (!is_held) {
        session_answer_end(s);
    }
}

void session_note_visit(const struct session *s, struct place_request *request,
                        uint8_t key[TERN_KEY_SIZE])
{
    if (!s->is_proved && tern_conn_peer_key(s->conn, key) == 0) {
        request->visits = &s->host->house->visits;
        request->visitor = key;
        request->visit = tern_conn_ticket_given(s->conn);
    }
}

void session_on_stream(struct session *s, tern_stream *stream)
{
    if (s->may_answer && !s->is_proved) {
        int rc = tern_stream_set_early(stream);
        (void)rc; /* that of a server never fails */
    }
}

bool session_keep_stream(struct session *s, tern_stream *stream)
{
    if (s->has_hello || s->early_count == SESSION_EARLY_MAX) {
        return false;
    }
    s->early[s->early_count++] = stream;
    return true;
}

void session_forget_stream(struct session *s, const tern_stream *stream)
{
    for (size_t i = 0; i < s->early_count; i++) {
        if (s->early[i] == stream) {
            s->early[i] = s->early[--s->early_count];
            return;
        }
    }
}

void session_take_streams(struct session *s)
{
    for (size_t i = 0; i < s->early_count && s->pull != NULL; i++) {
        pull_on_opened(s->pull, s->early[i]);
    }
    if (s->pull != NULL) {
        pull_pump(s->pull);
    }
    s->early_count = 0;
}
