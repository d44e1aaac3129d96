/* A shard of a server: a thread's endpoint, its socket, its loop, and its sessions. daemon.c makes them.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SERVE_H
#define TERNCP_SERVE_H

#include <sys/stat.h>

#include "shared/figures.h"
#include "terncp/session.h"

enum serve_end {
    SERVE_GOES_ON,
    SERVE_ENDS_GENTLY, /* nobody is let in; copies may end, for a while */
    SERVE_ENDS_NOW
};

struct server;

struct serve_shared {
    const struct options *options;
    int root; /* the served folder */
    struct house house;
    struct stat list; /* of the list of keys, when its lines were looked at */
    atomic_int end;   /* enum serve_end */
    /* The first shard's thread has the signals, so it waits for the others, so many. */
    struct server *first;
    atomic_uint others;
};

/* Warns of lines in the list of keys that are none, if it has changed since it was looked at. */
void serve_check_list(struct serve_shared *shared);

/* On a socket of ours for `addr`, or on `fd` when that is not negative (taken over, also on failure). NULL
 * with the reason in *rc, a TERN_ERR_*; after TERN_ERR_SYSTEM errno says more. */
struct server *server_open(struct serve_shared *shared, struct ev_loop *loop,
                           const tern_config *config, const tern_addr *addr, int fd, int *rc);
void server_free(struct server *server); /* NULL is fine */

/* Serves until the end. On the loop's thread. */
void server_run(struct server *server);
/* shared->end has changed. From any thread. */
void server_nudge(struct server *server);

const tern_endpoint *server_endpoint(const struct server *server);
tern_addr server_addr(const struct server *server);
/* With --metrics they are published once a second; from any thread. */
struct figures *server_figures(struct server *server);

#endif
