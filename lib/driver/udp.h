/* The socket's state, and what a platform (udp_linux.c or udp_plain.c) does for it.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_DRIVER_UDP_H
#define TERN_DRIVER_UDP_H

#include <tern/udp.h>

#include "driver/fork.h"
#include "driver/outbox.h"
#include "driver/sockaddr.h"

enum {
    TERN_UDP_SLOTS = 16,        /* datagrams, or GRO bundles of them, read in one call */
    TERN_UDP_SLOT_SIZE = 65536, /* a GRO bundle is an IP packet: never longer */
    TERN_UDP_REFUSALS = 8,      /* addresses whose refusals are counted */
    TERN_UDP_ROUNDS = 4,        /* read calls before others get their turn ... */
    /* ... if they bring less than so many bytes, which is what a cache may keep until the application has its turn. */
    TERN_UDP_ENOUGH = 256 << 10
};

struct tern_udp_platform;

struct tern_udp_refusal {
    tern_addr remote;
    unsigned count;
};

struct tern_udp {
    tern_endpoint *endpoint;
    struct tern_fork_guard fork_guard;
    int fd;
    int family; /* of the socket: AF_INET or AF_INET6 */
    tern_addr local;
    int roam_fd;    /* tells of changed addresses; -1: nobody asked for it */
    bool must_roam; /* a connection could not move yet */
    struct tern_outbox outbox;
    bool wants_write;
    tern_time spin;  /* how long to ask before waiting; 0: not at all */
    bool is_drained; /* the latest pull found the end of the queue */
    bool is_behind;  /* the latest receive left something there */
    tern_time flushed_at;
    bool heeds_refusals;
    bool is_again; /* the first chunk was refused once, which may have been about another */
    struct tern_udp_refusal refusals[TERN_UDP_REFUSALS];
    tern_udp_counters counters;
    struct tern_udp_platform *platform;
    tern_conditioner *conditioner; /* NULL: none */
    uint8_t *conditioned;          /* TERN_UDP_SLOT_SIZE, for what comes out of it */
};

/* --- what udp.c gives to the platforms --- */

/* The kernel took the first chunk. */
void tern_udp_on_sent(struct tern_udp *udp, const struct tern_chunk *chunk);

/* The kernel refused the first chunk with `error`. 0: go on with whatever is first now;
 * TERN_ERR_AGAIN: the socket is full; TERN_ERR_SYSTEM: it is of no use any more. */
TERN_MUST_CHECK int tern_udp_on_refused(struct tern_udp *udp, const struct tern_chunk *chunk,
                                        int error);

/* A read call failed: 0 for what comes and goes (then nothing was read), or TERN_ERR_SYSTEM. */
TERN_MUST_CHECK int tern_udp_on_unread(struct tern_udp *udp, int error);

/* --- what a platform does --- */

/* Sets the socket's options and allocates the slots. 0 · TERN_ERR_NOMEM. What the kernel does not
 * offer is left out and shows in the counters' has_gso and has_gro. */
TERN_MUST_CHECK int tern_udp_setup(struct tern_udp *udp);
void tern_udp_teardown(struct tern_udp *udp);

/* Sends the outbox. 0 it is empty · TERN_ERR_AGAIN · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_udp_push(struct tern_udp *udp);

/* Reads up to TERN_UDP_SLOTS datagrams without waiting, valid until the next pull. Returns how
 * many, or TERN_ERR_SYSTEM. */
TERN_MUST_CHECK int tern_udp_pull(struct tern_udp *udp, tern_datagram *out);

/* Whether trains and bundles are left to the kernel, where it can. */
void tern_udp_switch_offload(struct tern_udp *udp, bool gso, bool gro);
/* Lets the kernel ask the device itself for `usecs`, if it can. */
void tern_udp_poll_device(struct tern_udp *udp, unsigned usecs);

/* Waits until the socket is readable (or writable, when that is wanted) or `wait` has passed.
 * 1 · 0 nothing came · TERN_ERR_AGAIN a signal came · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_udp_wait(struct tern_udp *udp, tern_time wait);

/* Has the kernel keep what ICMP says, or forget it. 0 · TERN_ERR_UNSUPPORTED · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_udp_ask_refusals(struct tern_udp *udp, bool is_wanted);
/* The next of it: whose port is closed, or family 0 for anything else. False: there is no more. */
bool tern_udp_pull_refusal(struct tern_udp *udp, tern_addr *out);

/* Opens what tells of changed addresses. 0 · TERN_ERR_UNSUPPORTED · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_udp_roam_open(int *fd);
/* Reads all that it says. Whether anything may have changed. */
bool tern_udp_roam_read(int fd);

/* Makes the kernel choose among the sockets of a port by the byte at `at` of the identifiers; once for all
 * that are bound to it. 0 · TERN_ERR_UNSUPPORTED · TERN_ERR_SYSTEM */
TERN_MUST_CHECK int tern_udp_steer(int fd, size_t at);
/* Lets several sockets bind to one port. The same. */
TERN_MUST_CHECK int tern_udp_share_port(int fd);

/* A socket of the address's family, bound. shared: with tern_udp_share_port. -1 and errno */
int tern_udp_bound_socket(const tern_addr *local, bool shared, int *family);

/* --- condition.c, where there is a conditioner --- */

/* All that the endpoint has to say enters it; a train of one datagram that is due comes out. 1 · 0 none is
 * · TERN_ERR_NOMEM and what tern_endpoint_transmit has */
TERN_MUST_CHECK int tern_udp_condition_out(struct tern_udp *udp, tern_train *train, tern_time now);
/* Datagrams have come, in bundles or alone. 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_udp_condition_in(struct tern_udp *udp, const tern_datagram *in, size_t n,
                                          tern_time now);
/* Gives the endpoint what is due. As tern_endpoint_receive. */
TERN_MUST_CHECK int tern_udp_condition_deliver(struct tern_udp *udp, tern_time now);

/* --- roam.c --- */

/* Moves whom the system would send from elsewhere. True: one of them has to be asked again. */
bool tern_udp_move_all(struct tern_udp *udp);

#endif
