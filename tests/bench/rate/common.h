/* What the programs of the message rate share: two processes on two cores, and what they have spent.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_BENCH_RATE_COMMON_H
#define TERN_BENCH_RATE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_run {
    const char *mode;
    double seconds; /* of sending */
    size_t size;    /* of a message */
    uint16_t port;  /* on 127.0.0.1: the receiver chooses one and says it by rate_tell */
    int pipe;       /* ... through this */
    uint64_t sent;
    double took; /* from the first message until none is under way */
};

struct rate_peer {
    const char *name;
    const char *const *modes; /* the first is the default, NULL the end */
    /* Tells its port, then receives until the sender says that it was all, or `seconds` and a few more are
     * over. The number of messages; negative: it failed. */
    int64_t (*receive)(struct rate_run *run);
    bool (*send)(struct rate_run *run); /* `sent` and `took` */
};

double rate_now(void); /* seconds */
bool rate_tell(struct rate_run *run, uint16_t port);

/* Runs both and prints one JSON object. What main returns. */
int rate_main(int argc, char **argv, const struct rate_peer *peer);

#endif
