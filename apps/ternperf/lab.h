/* A client and its server: found or started, connected for asking figures, and let go.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_LAB_H
#define TERNPERF_LAB_H

#include <sys/types.h>

#include "ternperf/node.h"
#include "ternperf/options.h"
#include "ternperf/proto.h"

struct lab {
    const struct options *options;
    struct node node;
    tern_addr server;
    bool has_key;
    uint8_t key[TERN_KEY_SIZE];
    pid_t child;        /* 0: the server is somebody else's */
    tern_conn *control; /* over which figures come; NULL: it is gone */
    tern_stream *asking;
    size_t have; /* octets of the answer */
    uint8_t answer[PROTO_FIGURES_SIZE];
    bool is_connected, is_answered;
    bool is_lost;           /* what is measured by has ended: set by whoever is told so */
    node_event_fn on_event; /* for all other connections */
    void *user;
    bool is_stopped; /* by a signal */
};

/* Only the server's process, for clients in other processes; lab_close ends it. -1, or the exit code. */
int lab_start(struct lab *lab, const struct options *o);

/* Returns -1, or the exit code to end with, having said why. Close it in either case. */
int lab_open(struct lab *lab, const struct options *o, const tern_config *config,
             node_event_fn others, void *user);
void lab_close(struct lab *lab);

/* Begins one more connection. 0 or TERN_ERR_*. */
int lab_connect(struct lab *lab, tern_conn **out);

/* One turn of the loop. -1, or the exit code to end with. */
int lab_turn(struct lab *lab, tern_time timeout);

/* One more connection with a request of its own: filled in here (conn, stream), or by the caller's events
 * (is_connected, is_lost). */
struct lab_visit {
    tern_conn **conn;
    tern_stream **stream;
    const bool *is_connected, *is_lost;
};

/* Connects, waits until that stands, and sends the request. -1, or the exit code to end with. */
int lab_begin(struct lab *lab, const struct lab_visit *visit, const struct proto_request *request);

/* What the server has spent. -1, or the exit code to end with. */
int lab_ask(struct lab *lab, bool wants_x25519, struct proto_figures *out);

#endif
