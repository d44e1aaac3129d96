/* An endpoint with its socket and its counted heap, and one turn of its loop.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_NODE_H
#define TERNPERF_NODE_H

#include <tern/sim.h>
#include <tern/udp.h>

#include "ternperf/heap.h"

typedef void (*node_event_fn)(void *user, const tern_event *event);

struct node {
    tern_endpoint *endpoint;
    tern_udp *udp;
    tern_conditioner *conditioner; /* NULL: the network is as it is */
    struct heap heap;
    struct qlog *qlog; /* NULL: no traces */
    node_event_fn on_event;
    void *user;
};

/* Before it is opened with this configuration: traces of its connections into the folder, unless that is NULL.
 * `part` tells the nodes of a process apart. Returns -1, or the exit code to end with, having said why. */
int node_trace(struct node *node, tern_config *config, const char *folder, const char *name,
               unsigned part);

/* `config` is taken but for its allocator. 0 or TERN_ERR_*; after TERN_ERR_SYSTEM errno says why. */
int node_open(struct node *node, const tern_config *config, const tern_addr *local);
/* The same on a socket that is bound already, which is the node's then; on failure it stays yours. */
int node_open_fd(struct node *node, const tern_config *config, int fd);
void node_close(struct node *node);

/* Burns its core rather than wait for what comes within a millisecond. */
void node_busy_poll(struct node *node);

/* A worse network at this end, both ways alike; none when both are 0. 0 or TERN_ERR_NOMEM. */
int node_condition(struct node *node, tern_time delay, double loss);

/* Waits at most `timeout` for the network or a deadline, and hands on what happened. 0 or TERN_ERR_*. */
int node_turn(struct node *node, tern_time timeout);

/* Of sendmsg and recvmsg. */
uint64_t node_syscalls(const struct node *node);

#endif
