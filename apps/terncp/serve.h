/* The serving side: shards of a server, each a thread with an endpoint and a loop of its own, and the
 * sessions of their clients. daemon.c makes them.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_SERVE_H
#define TERNCP_SERVE_H

#include <ev.h>
#include <stdatomic.h>
#include <tern/tern.h>

#include "shared/keyring.h"
#include "terncp/options.h"

enum serve_end {
    SERVE_GOES_ON,
    SERVE_ENDS_GENTLY, /* nobody is let in; copies may end, for a while */
    SERVE_ENDS_NOW
};

/* What all shards share. */
struct serve_house {
    const struct options *options;
    int root;                           /* the served folder */
    char authorized[KEYRING_PATH_SIZE]; /* empty: everybody */
    unsigned sessions_max;
    atomic_uint sessions;
    atomic_uint senders, receivers; /* sessions that send and receive now */
    atomic_int end;                 /* enum serve_end */
};

struct server; /* one shard */

/* On a socket of ours for `addr`, or on `fd` when that is not negative (taken over, also on failure). NULL
 * with the reason in *rc, a TERN_ERR_*; after TERN_ERR_SYSTEM errno says more. */
struct server *server_open(struct serve_house *house, struct ev_loop *loop,
                           const tern_config *config, const tern_addr *addr, int fd, int *rc);
void server_free(struct server *server); /* NULL is fine */

/* Serves until the house ends. On the loop's thread. */
void server_run(struct server *server);
/* The house ends, or ends faster than it did. From any thread. */
void server_nudge(struct server *server);

const tern_endpoint *server_endpoint(const struct server *server);
tern_addr server_addr(const struct server *server);

#endif
