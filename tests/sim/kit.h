/* A client and a server in a simulated world that send each other streams of known bytes, with the
 * invariants of the protocol checked after every event.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_KIT_H
#define TERN_TESTS_SIM_KIT_H

#include <tern/sim.h>
#include <tern/tern.h>

#include "sim/replay.h"

#define KIT_STREAMS_MAX 64

/* What to do. kit_plan_init fills in a perfect wire, one stream each way of 100 kB, CUBIC. */
struct kit_plan {
    const char *name;
    uint64_t seed;
    tern_link_config up, down; /* client to server, and back */
    const char *cc;
    size_t streams;                /* bidirectional ones, opened by the client */
    uint64_t up_bytes, down_bytes; /* on each of them */
    tern_time limit;               /* of virtual time */
    bool pinned;           /* the client knows the server's key (XK), else first contact (XX) */
    const uint8_t *secret; /* that both ends know, or NULL */
    const char *code;      /* a one-time code, which makes it first contact; or NULL */
    tern_config client, server;  /* start from tern_config_init; keys are set by the kit */
    const uint64_t *allocations; /* a counting allocator's counter, or NULL */
    uint64_t warm_bytes;         /* count allocations once the server has read so many ... */
    uint64_t still_bytes;        /* ... until it has read so many */
    tern_time rebind_every;      /* the client's port changes as often ... */
    bool rebind_host;            /* ... and its address, too */
    bool has_nat;                /* it is a NAT before the client that forgets and moves */
    tern_time change_at;         /* the links become these after so long; 0: never */
    tern_link_config up_then, down_then;
    tern_time migrate_every; /* the client goes to a new address of its own as often ... */
    bool is_dead_there;      /* ... where nothing passes ... */
    bool is_sudden;          /* ... and the old address is gone at once */
    tern_time copy_every;  /* from somewhere else comes a copy of a client's packet, ahead of it */
    uint64_t update_bytes; /* both ends change keys after so many; 0: as usual */
    tern_time rekey_every; /* the client asks for a fresh Diffie-Hellman as often */
    bool is_ipv6;
    size_t block;       /* write by reference in blocks of so many bytes; 0: by copy */
    size_t sip;         /* read at most so many bytes between two events; 0: all there is */
    uint64_t drop_mask; /* bit n: the n-th datagram of all is lost */
    bool check;         /* invariants after every event; default true */
    /* After every event while the client's connection lives: to look at it, or to change it. */
    void (*watch)(void *user, tern_conn *client, tern_time now);
    void *user;
};

/* What came of it. */
struct kit_result {
    bool is_done; /* every byte arrived, both ways, and all streams closed */
    tern_time handshake, duration;
    tern_time arrived;         /* when all bytes had been read */
    tern_time half;            /* when the first stream's receiver had half of its bytes */
    uint64_t hash;             /* of the packet trace */
    tern_stats client, server; /* at the end */
    tern_link_counters up, down;
    tern_close_info client_close, server_close;
    bool client_closed, server_closed;
    const char *broken; /* the invariant that did not hold, or NULL */
    uint64_t steps;
    tern_bandwidth bandwidth; /* the client's last such event, and how many came */
    uint64_t bandwidth_events;
    uint64_t late_allocations; /* between warm_bytes and still_bytes */
    bool counted;              /* both marks were passed */
    uint64_t moves;            /* begun by the kit */
    uint64_t linked;           /* identifiers seen at two addresses of a client that moved itself */
    uint64_t to_forger;        /* bytes */
};

void kit_plan_init(struct kit_plan *plan, const char *name, uint64_t seed);

/* Runs it. When something is wrong it is printed with the command that replays it. */
void kit_run(const struct kit_plan *plan, struct kit_result *result);

/* Payload bytes per second from the first packet until all had arrived, as a share of the rate (bits a
 * second). */
double kit_share(const struct kit_result *result, uint64_t bytes, uint64_t rate);

#endif
