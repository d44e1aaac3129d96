/* The command line of ternperf.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_OPTIONS_H
#define TERNPERF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/config.h>

#define OPTIONS_CONNECTIONS_MAX 1000000u
#define OPTIONS_SHARDS_MAX      64u

enum options_mode {
    MODE_SERVE,
    MODE_BULK,
    MODE_RR,
    MODE_MESSAGES,
    MODE_HANDSHAKES,
    MODE_IDLE,
    MODE_FLOOD,
    MODE_LIMIT,
    MODE_TRACE,
    MODES
};

/* Of messages. */
enum options_kind { KIND_UNRELIABLE, KIND_RELIABLE, KIND_ORDERED, KIND_LATEST };

struct options {
    enum options_mode mode;
    bool quiet, json, loopback, reverse, busy_poll, copy;
    bool bidirectional; /* bulk: both ways at once */
    int verbose;
    bool has_level; /* --log-level */
    int level;
    int family; /* 0, 4 or 6 */
    const char *host, *listen, *cc, *pin;
    const char *qlog; /* folder; NULL: none */
    const char *svg;  /* file; NULL: none */
    bool has_key;     /* --key: of either side; without, it is a new one */
    uint8_t key[TERN_KEY_SIZE];
    unsigned suites;
    uint64_t time, count; /* -t in nanoseconds, -n; 0: not given */
    uint64_t connections; /* -C */
    uint64_t shards;      /* of the server, and processes of the client */
    uint64_t seat;        /* bulk: which of those processes this is */
    uint64_t keepalive;   /* nanoseconds */
    uint64_t mtu, size;
    uint64_t window; /* of a receiver; 0: the library's */
    enum options_kind kind;
    uint64_t per_second; /* messages; 0: as many as go */
    uint64_t streams;    /* -P */
    uint64_t interval;   /* nanoseconds; 0: no lines in between */
    uint64_t rate;       /* bulk, -b: bytes a second each way; 0: as many as go */
    uint64_t delay;      /* of a bad network at this end, each way, in nanoseconds ... */
    double loss;         /* ... and what it loses each way, 0 to 1 */
};

/* Returns -1 to go on, or the exit code with which to end (help and version included). */
int options_parse(struct options *options, int argc, char **argv);

const char *options_mode_name(enum options_mode mode);

/* The configuration that follows, for either side. */
void options_config(tern_config *config, const struct options *options);

/* The suite that two endpoints of this machine agree on, of those allowed; 0: none. */
unsigned options_best_suite(unsigned allowed);

#endif
