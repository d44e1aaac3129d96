/* The network simulator: links with delay, loss and all the rest, and a world in virtual time.
 *
 * Two layers. A *link* is one direction of a wire: packets go in at a time and come out at others;
 * it is pure arithmetic over a seeded generator, so it also works in real time (tests/tools/ternlink
 * drives it with a real clock). A *world* joins hosts (an endpoint each) by links, runs the clock
 * from event to event, and hashes every packet, so that the same seed gives the same hash on every
 * machine and compiler.
 *
 * The whole of an experiment:
 *     tern_sim_new(&sim, seed);
 *     tern_sim_add_host(sim, &addr, &config, &host);      for each
 *     tern_sim_connect(sim, client, server, &link, NULL);
 *     tern_endpoint_connect(tern_sim_host_endpoint(client), &peer, &conn, tern_sim_now(sim));
 *     while (tern_sim_flush(sim) == 0 && tern_sim_step(sim, end) > 0)
 *         for each host: poll its endpoint, read and write streams
 *     tern_link_stats(tern_sim_link(sim, client, server), &counters);
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SIM_H
#define TERN_SIM_H

#include <tern/conditioner.h>
#include <tern/endpoint.h>
#include <tern/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a link does to the ECN field, besides marking. */
typedef enum tern_link_ecn {
    TERN_LINK_ECN_KEEP = 0,
    TERN_LINK_ECN_BLEACH, /* wiped: ECT and CE become Not-ECT */
    TERN_LINK_ECN_REMARK, /* ECT(0) becomes ECT(1) */
    TERN_LINK_ECN_DROP    /* whatever carries a mark is lost */
} tern_link_ecn;

/* Who decides, besides its length, what the queue before the rate does with a packet. */
typedef enum tern_link_aqm {
    TERN_LINK_AQM_NONE = 0, /* droptail: only the length */
    TERN_LINK_AQM_CODEL,    /* RFC 8289: marks ECT packets CE, drops the others, as they leave */
    TERN_LINK_AQM_DUALQ     /* RFC 9332, DualPI2: a queue of a millisecond for ECT(1), and one of
                               aqm_target (15 ms) for all others, with equal shares for both */
} tern_link_aqm;

/* A rate in bits a second (0: nothing passes) from a moment of a trace on. */
typedef struct tern_rate_point {
    tern_time at; /* since the trace began */
    uint64_t rate;
} tern_rate_point;

/* Fills in a trace that wanders at random between two rates, a point every `step`, by an eighth of the
 * way at most: as the rate of a mobile network does. The same seed gives the same trace. */
TERN_API void tern_rate_walk(tern_rate_point *points, size_t count, tern_time step, uint64_t least,
                             uint64_t most, uint64_t seed);

/* One direction of a link. All zero is a perfect wire. Fill with tern_link_config_init. */
typedef struct tern_link_config {
    size_t size;
    tern_time delay;    /* one way */
    tern_time jitter;   /* uniform in 0..jitter on top of delay; never reorders by itself */
    double loss;        /* probability 0..1, independent */
    double burst_enter; /* Gilbert-Elliott: probability per packet to enter the bad state ... */
    double burst_leave; /* ... and to leave it; all packets are lost inside. 0: none */
    double duplicate;   /* probability that a packet comes twice */
    double reorder;     /* probability that a packet is held back ... */
    tern_time reorder_delay; /* ... for this long; default 2 ms plus delay/4 when 0 */
    double corrupt;          /* probability that one to four bits are flipped */
    double ecn_mark;         /* probability that an ECT packet is marked CE */
    uint64_t rate;           /* bits a second; 0: infinite */
    size_t queue;            /* bytes of droptail queue before the rate, besides the packet on the
                               wire; 0: one second's worth */
    size_t mtu;              /* largest UDP payload that passes; 0: any */
    size_t overhead;         /* bytes added to each packet for the rate (28: IPv4 and UDP) */
    /* Everything is lost that enters, or leaves the queue, in it. The start is a moment on the clock
     * of `now`: tern_sim_now() + 5 * TERN_SEC, say. Repeats every ... */
    tern_time blackout_start, blackout_length;
    tern_time blackout_period; /* ... period when not 0 */
    tern_link_ecn ecn;
    tern_link_aqm aqm;                  /* of a link with a rate; `queue` bounds the length still */
    tern_time aqm_target, aqm_interval; /* 0: 5 ms and 100 ms (interval: 4 s at most; CoDel's) */
    /* A rate that changes, instead of `rate`. The points are in order of time and not copied: they
     * must live as long as the link uses them. The trace begins at trace_start (a moment on the clock
     * of `now`) and repeats every trace_period, before its start too; a period that does not reach
     * past the last point: it does not repeat, the first rate was and the last one stays. */
    const tern_rate_point *trace;
    size_t trace_count;
    tern_time trace_start, trace_period;
    /* Aggregation, as wifi does it: the first packet that comes out of a quiet link waits for a
     * uniform 0..aggregate, and all that come meanwhile come out with it. 0: none */
    tern_time aggregate;
} tern_link_config;

/* Sets `size`, and all else to zero: a perfect wire. */
TERN_API void tern_link_config_init(tern_link_config *config);

/* One direction of a wire. */
typedef struct tern_link tern_link;

/* What became of a link's packets since its birth. */
typedef struct tern_link_counters {
    size_t size; /* set it to sizeof before the call */
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t lost, queue_dropped, duplicated, reordered, corrupted, too_big, blacked_out, marked;
    size_t queue_peak;                /* bytes */
    size_t queue_now;                 /* bytes, when a packet last entered or left */
    uint64_t aqm_dropped, aqm_marked; /* by the queue's AQM; `marked` has the latter too */
} tern_link_counters;

/* `config` is copied (but not its trace). The same seed makes the same choices of the same packets.
 * 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_link_new(tern_link **out, const tern_link_config *config,
                                           uint64_t seed);
TERN_API void tern_link_free(tern_link *link);

/* A packet enters; the bytes are copied. tag and ecn come out with it. 0 (also when the link drops
 * it) or TERN_ERR_NOMEM. */
TERN_API TERN_MUST_CHECK int tern_link_send(tern_link *link, const uint8_t *data, size_t len,
                                            uint8_t ecn, uint64_t tag, tern_time now);

/* When to call tern_link_receive next: when a packet comes out, or, with an AQM, earlier, when one
 * leaves the queue. TERN_TIME_NEVER if none is inside. */
TERN_API tern_time tern_link_next(const tern_link *link);

/* Takes a packet that is due. 1 and *len, ecn, tag are set; 0 none is due; TERN_ERR_BUFFER if
 * capacity is too small (the packet stays). */
TERN_API TERN_MUST_CHECK int tern_link_receive(tern_link *link, uint8_t *buf, size_t capacity,
                                               size_t *len, uint8_t *ecn, uint64_t *tag,
                                               tern_time now);

/* Of out only the first out->size bytes are written. */
TERN_API void tern_link_stats(const tern_link *link, tern_link_counters *out);

/* How long packets waited in the queue before the rate: the time that `percent` of them did not
 * exceed, less a sixteenth at most. Dropped packets do not count. */
TERN_API tern_time tern_link_queue_delay(const tern_link *link, unsigned percent);
/* The same of the short queue of TERN_LINK_AQM_DUALQ, which the other leaves out. */
TERN_API tern_time tern_link_low_delay(const tern_link *link, unsigned percent);

/* Changes the link's behaviour from now on; packets inside keep their times. */
TERN_API void tern_link_set(tern_link *link, const tern_link_config *config);

/* --- in real time --- */

/* Two links for a driver, to try a program on a bad network that is not there: what it sends goes through
 * `forth`, what it receives through `back` (NULL: a perfect wire). The same seed loses the same packets of
 * each direction, as long as those are as many and as long. Give it to tern_udp_set_conditioner.
 * 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_conditioner_new(tern_conditioner **out,
                                                  const tern_link_config *forth,
                                                  const tern_link_config *back, uint64_t seed);
/* When no driver has it any more. NULL is fine. */
TERN_API void tern_conditioner_free(tern_conditioner *conditioner);

/* One of its links, to read its counters or to change it; not to send, receive or free. */
TERN_API tern_link *tern_conditioner_link(tern_conditioner *conditioner, bool is_out);

/* --- the world --- */

/* A world, and a host in it; both end with tern_sim_free. */
typedef struct tern_sim tern_sim;
typedef struct tern_sim_host tern_sim_host;

/* Everything random in the world comes from `seed`, keys of hosts included whose config.secret_key is
 * NULL (tern_endpoint_public_key tells them); a key of tern_key_generate is another at each run, and so
 * is the hash then. The clock starts at one hour, so that subtracting from now never wraps.
 * 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_new(tern_sim **out, uint64_t seed);
TERN_API void tern_sim_free(tern_sim *sim); /* frees hosts and their endpoints too */

/* Adds a host. `config` is copied; its random source is replaced by a seeded one (and the trace
 * sink kept). addr must be unique in the world.
 * 0 · TERN_ERR_INVALID (the address is taken) · TERN_ERR_NOMEM · what tern_endpoint_new returns */
TERN_API TERN_MUST_CHECK int tern_sim_add_host(tern_sim *sim, const tern_addr *addr,
                                               const tern_config *config, tern_sim_host **out);
TERN_API tern_endpoint *tern_sim_host_endpoint(tern_sim_host *host);
TERN_API tern_addr tern_sim_host_addr(const tern_sim_host *host); /* as others see it now */

/* Joins two hosts with a link each way (`ba` NULL: the same both ways). The configurations are copied.
 * 0 · TERN_ERR_INVALID (one host, or two that are joined) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_connect(tern_sim *sim, tern_sim_host *a, tern_sim_host *b,
                                              const tern_link_config *ab,
                                              const tern_link_config *ba);

/* A link that many pairs of hosts share: one queue, one rate, and all else that a link can do. It is
 * the sim's: read its counters, change it, do not free it, send or receive. 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_add_bottleneck(tern_sim *sim, const tern_link_config *config,
                                                     tern_link **out);

/* The same as tern_sim_connect, with bottlenecks on the way: `ab` and `ba` are the pair's own access
 * links, and what comes out of them goes into `forth` and `back` (NULL: straight to the host).
 * 0 · TERN_ERR_INVALID (as above, or a bottleneck of another world) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_connect_through(tern_sim *sim, tern_sim_host *a,
                                                      tern_sim_host *b, const tern_link_config *ab,
                                                      const tern_link_config *ba, tern_link *forth,
                                                      tern_link *back);

/* The link from a to b (their own, not the bottleneck behind it), to read its counters or to change
 * it; NULL if they are not joined. */
TERN_API tern_link *tern_sim_link(tern_sim *sim, tern_sim_host *a, tern_sim_host *b);

/* From now on the host's packets carry another source address (it moved, say), and only packets to
 * the new one reach it. 0 · TERN_ERR_INVALID (behind a NAT, or the address is taken) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_rebind(tern_sim *sim, tern_sim_host *host,
                                             const tern_addr *addr);

/* Gives a host one more address, unique in the world: what its endpoint sends from it (tern_train.local)
 * bears it, and packets to it arrive. 0 · TERN_ERR_INVALID (the address is taken) · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_add_addr(tern_sim *sim, tern_sim_host *host,
                                               const tern_addr *addr);
/* Takes such an address away. Packets to it vanish, and the host's first address stands in for what
 * is sent from it. TERN_ERR_INVALID: it is none of the host's. */
TERN_API TERN_MUST_CHECK int tern_sim_drop_addr(tern_sim *sim, tern_sim_host *host,
                                                const tern_addr *addr);

/* --- address translation --- */

/* A NAT: the hosts behind it share an outside address, and each of them has an outside port for as
 * long as its packets leave in time. Fill with tern_nat_config_init. */
typedef struct tern_nat_config {
    size_t size;
    tern_addr outside; /* with the first of the ports that it hands out */
    size_t ports;      /* how many, one after the other; 0: 256 */
    /* A mapping is forgotten when nothing has left by it for so long; 0: never. */
    tern_time timeout;
    bool per_peer; /* a port for each peer of a host, by which only that peer's packets enter;
                        * else one for all of them, by which anyone's do */
    bool steals;   /* no port is free: the mapping that was quiet the longest gives way; else
                        * the packet is lost */
} tern_nat_config;

/* Sets `size`; the rest is zero. `outside` has to be set. */
TERN_API void tern_nat_config_init(tern_nat_config *config);

/* Address translation for some hosts of a world. */
typedef struct tern_nat tern_nat;

/* What a NAT did since its birth. */
typedef struct tern_nat_counters {
    size_t size;       /* set it to sizeof before the call */
    uint64_t mappings; /* made, the stolen ones too */
    uint64_t stolen;   /* from another host or peer */
    uint64_t refused;  /* packets that found no port and did not leave */
    uint64_t strays;   /* packets that came for a port that is nobody's, or from a wrong peer */
} tern_nat_counters;

/* The sim's: it is freed with it. TERN_ERR_INVALID: the address is another's, or there are not so
 * many ports above the first. */
TERN_API TERN_MUST_CHECK int tern_sim_add_nat(tern_sim *sim, const tern_nat_config *config,
                                              tern_nat **out);

/* From now on the host is behind the NAT: its own address is not to be reached from anywhere, and
 * tern_sim_host_addr is the outside one once a packet has left. Links stay as they are; packets
 * cross the NAT before the link. The last NAT that a host was put behind counts.
 * 0 · TERN_ERR_INVALID (of another world) */
TERN_API TERN_MUST_CHECK int tern_sim_put_behind(tern_sim *sim, tern_sim_host *host, tern_nat *nat);

/* The NAT forgets all mappings, as after a restart, and has this outside address from now on if it
 * is not NULL. 0 · TERN_ERR_INVALID (that address, or one of its ports, is taken) */
TERN_API TERN_MUST_CHECK int tern_nat_restart(tern_nat *nat, const tern_addr *outside);

/* Of out only the first out->size bytes are written. */
TERN_API void tern_nat_stats(const tern_nat *nat, tern_nat_counters *out);

/* --- running --- */

/* The world's clock: the `now` of every call on its endpoints. */
TERN_API tern_time tern_sim_now(const tern_sim *sim);

/* Runs until the next moment at which something happens (a packet arrives, a deadline comes), does
 * it, lets the endpoints transmit. Returns 1, 0 when nothing will ever happen again or `until` is
 * reached first (the clock is then at `until`), or TERN_ERR_NOMEM. Afterwards poll the endpoints. */
TERN_API TERN_MUST_CHECK int tern_sim_step(tern_sim *sim, tern_time until);

/* Lets every host transmit what its endpoint has queued since the last step. 0 · TERN_ERR_NOMEM */
TERN_API TERN_MUST_CHECK int tern_sim_flush(tern_sim *sim);

/* A hash over (time, from, to, length, bytes) of every packet sent so far. */
TERN_API uint64_t tern_sim_hash(const tern_sim *sim);

/* Sees every packet as it is sent (before loss), for tests that need the bytes. The hook may
 * return false to drop the packet. Must not call back. */
typedef bool (*tern_sim_tap_fn)(void *user, tern_time now, const tern_addr *from,
                                const tern_addr *to, uint8_t *data, size_t len);
TERN_API void tern_sim_tap(tern_sim *sim, tern_sim_tap_fn tap, void *user);

/* The world's generator, for choices that a test makes: uniform 64 bits, and uniform below n. */
TERN_API uint64_t tern_sim_random(tern_sim *sim);
TERN_API uint64_t tern_sim_random_below(tern_sim *sim, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
