/* Two endpoints on a wire that a fuzz target owns: what they say waits here until it is delivered, changed or
 * dropped. All memory of theirs is counted, and comes back. FUZZ_TRACE in the environment: the course of an
 * input is printed, packet by packet.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_FUZZ_PAIR_H
#define TERN_FUZZ_PAIR_H

#include <tern/tern.h>

#include "fuzz.h"

#define PAIR_SLOTS    24
#define PAIR_DATAGRAM 1500

enum { PAIR_SERVER, PAIR_CLIENT };

struct pair_packet {
    uint8_t data[PAIR_DATAGRAM];
    size_t len;
    uint8_t ecn;
};

struct pair {
    struct fuzz_input in;
    struct fuzz_heap heap;
    tern_endpoint *ends[2];
    tern_conn *conns[2]; /* the one connection at each end; NULL before and after */
    tern_config config[2];
    uint8_t key[TERN_KEY_SIZE]; /* the server's */
    uint64_t random;
    tern_time now;
    struct pair_packet wire[2][PAIR_SLOTS]; /* on the way to each end; a full one loses */
    size_t count[2];
    bool is_connected[2];
    void (*on_event)(struct pair *pair, size_t end, const tern_event *event);
    void *user;
};

/* The clock and two configurations to change before pair_open. */
void pair_init(struct pair *pair, const uint8_t *data, size_t size);
void pair_open(struct pair *pair);
void pair_connect(struct pair *pair, tern_peer *peer); /* filled but for the address */
void pair_close(struct pair *pair);

/* Puts onto the wire what both have to say, after events and timers. */
void pair_settle(struct pair *pair);

/* Takes a packet off the wire; false when there is none. */
bool pair_take(struct pair *pair, size_t to, size_t index, struct pair_packet *out);

/* how: bits 0 and 1 another address and port, bits 2 and 3 marks as a router sets them. */
void pair_deliver(struct pair *pair, size_t to, const struct pair_packet *packet, uint8_t how);

/* One operation of a network, by an octet of the input and what follows it. */
void pair_step(struct pair *pair, uint8_t op);

/* From here on the wire is a good one, for so long. */
void pair_run(struct pair *pair, tern_time length);

#endif
