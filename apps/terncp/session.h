/* What a server does for its clients, however they have found it: one session a connection.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SESSION_H
#define TERNCP_SESSION_H

#include <ev.h>
#include <stdatomic.h>
#include <tern/ev.h>
#include <tern/tern.h>

#include "shared/keyring.h"
#include "shared/work.h"
#include "terncp/options.h"
#include "terncp/recall.h"
#include "terncp/visits.h"

#define SESSION_CLOSE_OK 0

struct session;

/* How a session ended, for who serves only one. */
struct host_result {
    int error;                              /* TERN_ERR_*, or 0 */
    uint64_t code;                          /* the client's */
    uint64_t entries, failed, bytes, moved; /* moved: of the bytes */
};

/* What all endpoints of a server share, each of which may have a thread of its own. */
struct house {
    char authorized[KEYRING_PATH_SIZE]; /* clients that may connect; empty: everybody */
    unsigned sessions_max;
    atomic_uint sessions;
    atomic_uint senders, receivers; /* sessions that send and receive now */
    bool is_logged;                 /* each request has a line in the log */
    struct visits visits;
};

/* What all sessions of one endpoint share. */
struct host {
    const struct options *options;
    struct ev_loop *loop;
    struct work *work;
    int root;               /* the served folder; -1: paths are the user's own, as in a shell */
    struct session *sender; /* the one that began to push last */
    struct house *house;    /* that of all, or the next */
    struct house own;
    tern_ev *binding;      /* woken after work that no event has brought about */
    struct session *first; /* of all sessions */
    unsigned sessions;
    bool is_ending; /* nobody is let in */
    struct recall recall;
    unsigned accepted, requests; /* clients and requests that ever came */
    struct host_result last;     /* of the session that ended last */
    char **offers; /* what a client may have, and nothing else; NULL: whatever it names */
    int offer_count;
};

/* The limits of a house are the process's to begin with. */
void house_init(struct house *house);
/* So many clients at once, or as many as there are file descriptors for. */
void house_allow(struct house *house, unsigned clients);

void host_init(struct host *host, const struct options *options, struct ev_loop *loop,
               struct work *work, int root);

/* Every event of the endpoint goes here. */
void host_on_event(struct host *host, const tern_event *event);

/* What one of the sessions that push is at. */
struct host_sending {
    const tern_conn *conn;
    const char *current;
    uint64_t bytes, total, files;
    bool is_growing; /* more may be found */
};
/* False: there is none. */
bool host_sending(const struct host *host, struct host_sending *out);

/* To be called twice a second or so: shares out the limits of rate, and puts out who does not keep them or
 * asks for nothing. */
void host_tend(struct host *host);

/* Lets nobody in any more and ends what has nothing under way. */
void host_begin_end(struct host *host);

/* Every session is told and let go, so that no temporary file stays. */
void host_end(struct host *host, tern_endpoint *endpoint);

#endif
