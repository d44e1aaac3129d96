/* What a ternperf client asks a ternperf server: one request at the head of each two-way stream.
 *
 * A request is a command octet and two numbers of 64 bits, big-endian. What follows on the stream is
 * the command's own.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_PROTO_H
#define TERNPERF_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#define PROTO_PORT         7438
#define PROTO_REQUEST_SIZE 17
#define PROTO_FIGURES_SIZE 80
#define PROTO_TALLY_SIZE   56
#define PROTO_STAMP_SIZE   8
#define PROTO_ECHO_MAX     65536u

enum proto_command {
    /* a: 1 to measure X25519 as well. The answer: struct proto_figures, the end. */
    PROTO_FIGURES = 'F',
    /* All that follows is thrown away. The answer: one octet, the end. */
    PROTO_SINK = 'S',
    /* a: so many octets come back, then the end; b: no more than that a second, 0: as fast as they go. Stopped
     * when it is enough before. */
    PROTO_SOURCE = 'D',
    /* For each a octets b come back, until the end; b at most PROTO_ECHO_MAX. */
    PROTO_ECHO = 'E',
    /* Messages that come are counted; a: 1 if they begin with the time at which they were due, which is
     * compared to the server's own clock. The answer: one octet, and at the end of the stream struct
     * proto_tally, the end. */
    PROTO_MESSAGES = 'M'
};

struct proto_request {
    uint8_t command;
    uint64_t a, b;
};

/* What the server has spent since its start, and holds now. */
struct proto_figures {
    uint64_t cpu_ns, heap_bytes, rss_bytes;
    uint64_t connections, accepted;
    uint64_t datagrams_sent, syscalls;
    uint64_t x25519_ns;     /* 0: not measured */
    uint64_t shard, shards; /* which of how many has answered: counts and heap are its own */
};

/* Messages that have come, and of `samples` of them how late in nanoseconds. */
struct proto_tally {
    uint64_t count, bytes, samples;
    uint64_t p50, p95, p99, max;
};

/* Octets that may have gone at so many a second since `elapsed` nanoseconds. */
uint64_t proto_due(uint64_t rate, uint64_t elapsed);

void proto_write_request(const struct proto_request *request, uint8_t out[PROTO_REQUEST_SIZE]);
void proto_read_request(struct proto_request *request, const uint8_t in[PROTO_REQUEST_SIZE]);
void proto_write_figures(const struct proto_figures *figures, uint8_t out[PROTO_FIGURES_SIZE]);
void proto_read_figures(struct proto_figures *figures, const uint8_t in[PROTO_FIGURES_SIZE]);

void proto_write_tally(const struct proto_tally *tally, uint8_t out[PROTO_TALLY_SIZE]);
void proto_read_tally(struct proto_tally *tally, const uint8_t in[PROTO_TALLY_SIZE]);
void proto_write_stamp(uint64_t time, uint8_t out[PROTO_STAMP_SIZE]);
uint64_t proto_read_stamp(const uint8_t in[PROTO_STAMP_SIZE]);

#endif
