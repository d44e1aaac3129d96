/* Networks with a name: what the link is like, what crosses it, and what must come of it.
 * SPDX-License-Identifier: MIT */
#ifndef TERNSIM_SCENARIOS_H
#define TERNSIM_SCENARIOS_H

#include "sim/kit.h"

struct scenario {
    const char *name, *about;
    double mbit;    /* of the bottleneck; 0: no limit */
    double rtt;     /* ms, there and back */
    double queue;   /* droptail, in bandwidth-delay products, but at least 16 kB; 0: one */
    double up_part; /* rate of the way up as a part of mbit; 0: the same */
    double loss, burst_enter, burst_leave, reorder, duplicate, corrupt, mark; /* 0..1 */
    double jitter, late; /* ms; late: how late a reordered packet is, 0: a little */
    double dark, every;  /* ms of blackout, in each so many ms; every 0: once, at 500 ms */
    double aggregate;    /* ms for which packets wait for each other */
    double least_mbit;   /* not 0: the rate wanders between this and mbit, ten steps a second */
    bool codel;          /* the queue is managed */
    tern_link_ecn ecn;   /* what the link does to the marks */
    size_t mtu;          /* UDP payload that passes; 0: any */
    size_t mtu_then;     /* ... once `change` is over; 0: no change */
    double change;       /* s from the beginning */
    size_t datagram;     /* ceiling of the search; 0: the default */
    double rebind;       /* s between changes of the client's port */
    bool moves;          /* ... and of its address */
    bool nat;            /* it is a NAT that restarts as often */
    double migrate;      /* s between the client's moves to other addresses of its own */
    bool retry;          /* the server asks everybody to show the address first */
    uint64_t update;     /* bytes after which each end changes its keys; 0: as usual */
    double rekey;        /* ms between fresh Diffie-Hellmans */
    bool ipv6, first_contact;
    bool down;          /* the bytes come from the server */
    unsigned suites;    /* 0: any */
    size_t streams;     /* 0: one */
    uint64_t bytes;     /* on each; 0: nothing but the handshake */
    uint64_t drop_mask; /* of the first datagrams of all */
    double least[3];    /* goodput as a part of mbit that newreno, cubic, bbr must reach */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

const struct scenario *scenario_find(const char *name);

/* A run of it, ready for kit_run. `name` is kept. */
void scenario_plan(const struct scenario *s, const char *cc, uint64_t seed, const char *name,
                   struct kit_plan *plan);

#endif
