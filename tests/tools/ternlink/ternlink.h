/* ternlink: real packets through the simulator's links in real time. What its files share.
 * SPDX-License-Identifier: MIT */
#ifndef TERNLINK_H
#define TERNLINK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <tern/sim.h>

enum { UP, DOWN, DIRECTIONS };

enum { EXIT_USAGE = 2 };

struct options {
    bool is_tun;
    const char *listen, *to;           /* udp */
    const char *netns[2];              /* tun: a, b */
    tern_link_config link[DIRECTIONS]; /* blackouts count from the start */
    uint64_t seed[DIRECTIONS];
    tern_time rebind;   /* 0: never */
    tern_time duration; /* 0: until a signal comes */
};

/* Reads the command line; on bad input it says what is wrong and exits with 2. */
void options_read(struct options *options, int argc, char **argv);

/* The pair of links in real time. */
struct wires {
    tern_link *link[DIRECTIONS];
    tern_time started, until;
    sigset_t waiting; /* signals are let in while we wait, and only then ... */
    sigset_t stops;   /* ... these, which end it or ask for figures */
    uint64_t clients, rebinds;
};

tern_time clock_now(void);

/* Opens both links and takes over SIGINT, SIGTERM and SIGUSR1; exits with 1 when that fails. overhead: bytes
 * that the lower layers add to each packet on the wire. */
void wires_open(struct wires *wires, const struct options *options, size_t overhead);

/* False when a signal came or the time is over. */
bool wires_go_on(const struct wires *wires, tern_time now);

/* The moment until which nothing is to be done, unless a packet comes. */
tern_time wires_next(const struct wires *wires, tern_time other);

/* Prints the JSON line if SIGUSR1 has asked for it. */
void wires_answer(const struct wires *wires, const struct options *options);

/* Prints the JSON line and frees the links. */
void wires_close(struct wires *wires, const struct options *options);

struct pollfd;
/* Waits for a packet, or until the moment comes. */
void wires_wait(const struct wires *wires, struct pollfd *fds, size_t count, tern_time until);

/* Says what failed, with errno's reason, and exits with 1. */
_Noreturn void fail(const char *what, const char *object);

void run_udp(const struct options *options);
void run_tun(const struct options *options);

#endif
