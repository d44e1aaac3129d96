/* A client and a server in a simulated world under a test's own hand: it writes when it likes, looks
 * inside after each event, and sees each datagram as it leaves.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_DUO_H
#define TERN_TESTS_SIM_DUO_H

#include <tern/sim.h>
#include <tern/tern.h>

#include "conn/conn.h"
#include "sim/replay.h"

enum { DUO_CLIENT, DUO_SERVER };

struct duo_side {
    tern_config config;
    tern_sim_host *host;
    tern_endpoint *endpoint;
    tern_conn *conn;     /* NULL when it is over */
    tern_stream *stream; /* the one there is */
    uint64_t wanted, written, read;
    uint64_t sip; /* read at most so many bytes in all; UINT64_MAX: everything */
    bool is_connected, is_closed;
    tern_close_info close;
    tern_time closed_at;
    tern_bandwidth bandwidth; /* of the last such event */
    uint64_t bandwidth_events;
};

struct duo {
    tern_sim *sim;
    tern_link_config link[2]; /* from the client, from the server */
    struct duo_side side[2];
    /* False: the datagram is lost. May be NULL. */
    bool (*tap)(struct duo *duo, int from, size_t len, tern_time now);
    /* After each event. May be NULL. */
    void (*look)(struct duo *duo, tern_time now);
    /* For each event, after the duo itself has seen it. May be NULL. */
    void (*event)(struct duo *duo, int side, const tern_event *ev);
    void *arg;
};

/* Links of 20 ms each way and default configurations, for the test to change. */
void duo_init(struct duo *duo, const char *cc);

/* Builds the world and connects; the client has a stream then, and the server will have it with its
 * first byte. */
void duo_open(struct duo *duo, uint64_t seed);
void duo_close(struct duo *duo);

/* So many more bytes are to be sent. */
void duo_write(struct duo *duo, int from, uint64_t bytes);

/* Both links lose so much from now on, and are otherwise as they are set up now. */
void duo_set_loss(struct duo *duo, double loss);

void duo_run(struct duo *duo, tern_time length);

/* Until all that was written has been read; fails after `limit`. Returns how long it took. */
tern_time duo_finish(struct duo *duo, tern_time limit);

tern_link_counters duo_counters(struct duo *duo, int from);

#endif
