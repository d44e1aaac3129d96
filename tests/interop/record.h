/* What the recorder's scenarios see of it.
 * SPDX-License-Identifier: MIT */
#ifndef INTEROP_RECORD_H
#define INTEROP_RECORD_H

#include <stdio.h>
#include <tern/sim.h>
#include <tern/tern.h>

/* One of the two ends. */
struct side {
    tern_addr addr;
    tern_config config;
    uint8_t secret_key[TERN_KEY_SIZE];
    uint64_t random;
    tern_endpoint *endpoint;
    tern_link *out;
    tern_conn *conn; /* the latest that is connected */
    unsigned connected, closed;
    uint8_t ticket[1024]; /* the latest */
    size_t ticket_len;
    FILE *text, *qlog;
};

struct world {
    const char *scenario;
    tern_time now;
    tern_link_config link;
    struct side sides[2]; /* the client, the server */
    FILE *capture;        /* pcap */
    FILE *sent;           /* the text trace of all packets that left either end */
    FILE *keys;           /* the key log */
    FILE *known;          /* every draw of 32 bytes, by which to compute a handshake */
};

struct scenario {
    const char *name, *about;
    void (*prepare)(
        struct world *world); /* configurations and link, before the endpoints are there */
    void (*run)(struct world *world);
};

const struct scenario *scenario_find(const char *name);
void scenario_list(void);
void scenario_on_event(struct world *world, struct side *side, const tern_event *event);

/* Lets virtual time pass. */
void record_run(tern_time span);
/* Ends the program if rc is an error. */
void record_check(int rc, const char *what);
_Noreturn void record_fail(const char *what);

#endif
