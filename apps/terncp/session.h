/* What a server does for its clients, however they have found it: one session a connection.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SESSION_H
#define TERNCP_SESSION_H

#include <ev.h>
#include <tern/tern.h>

#include "terncp/options.h"
#include "terncp/work.h"

#define SESSION_CLOSE_OK 0

struct session;

/* How a session ended, for who serves only one. */
struct host_result {
    int error;     /* TERN_ERR_*, or 0 */
    uint64_t code; /* the client's */
    uint64_t entries, failed, bytes;
};

/* What all sessions of one endpoint share. */
struct host {
    const struct options *options;
    struct ev_loop *loop;
    struct work *work;
    int root;               /* the served folder; -1: paths are the user's own, as in a shell */
    struct session *sender; /* the one that began to push last */
    unsigned sessions, sessions_max;
    unsigned accepted, requests; /* clients and requests that ever came */
    struct host_result last;     /* of the session that ended last */
    char **offers; /* what a client may have, and nothing else; NULL: whatever it names */
    int offer_count;
};

void host_init(struct host *host, const struct options *options, struct ev_loop *loop,
               struct work *work, int root);

/* Every event of the endpoint goes here. */
void host_on_event(struct host *host, const tern_event *event);

/* What one of the sessions that push is at. */
struct host_sending {
    const tern_conn *conn;
    const char *current;
    uint64_t bytes, total, files;
};
/* False: there is none. */
bool host_sending(const struct host *host, struct host_sending *out);

/* Every session is told and let go, so that no temporary file stays. */
void host_end(struct host *host, tern_endpoint *endpoint);

#endif
