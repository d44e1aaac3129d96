/* What the message benchmark's programs share: one for each transport, all with the same command line and
 * the same line of JSON. main in common.c forks a server and a client, puts ternlink between, and lets both
 * send; a transport only opens, works, sends and tells what has come.
 * SPDX-License-Identifier: MIT */
#ifndef MESSAGES_COMMON_H
#define MESSAGES_COMMON_H

#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)
#define NEVER      UINT64_MAX

enum { SERVER, CLIENT, SIDES };
enum { LETTER_HEAD = 24, LETTER_LARGEST = 1100, CHANNELS_MOST = 256 };

struct options {
    const char *mode;
    const char *network;  /* options of ternlink, separated by spaces */
    const char *ternlink; /* the program */
    const char *samples;  /* a file for every latency, or NULL */
    const char *cc;       /* congestion control, or NULL: the transport's default */
    unsigned seconds, warmup, rate, size, channels;
    uint64_t seed;
};

/* One message, at its sender and at its receiver. Times of CLOCK_MONOTONIC; 0: not (yet). */
struct letter {
    uint64_t due, sent, received;
};

/* In memory that both ends and their parent see. */
struct shared {
    struct options options;
    bool is_real_time;
    _Atomic bool is_listening, is_open; /* the server; the network between */
    struct sockaddr_in server, door;    /* where the server listens; where the client connects */
    _Atomic bool is_ready[SIDES], is_content[SIDES], has_died[SIDES];
    _Atomic uint64_t start; /* the first message is due; 0: not known yet */
    uint64_t phase[SIDES];
    uint64_t refused[SIDES], doubles[SIDES], disorders[SIDES];
    size_t count, skipped; /* messages of each side; of these at the start not counted */
    struct letter letters[];
};

struct end {
    int side;
    struct shared *shared;
    const char *mode;
    int fd;        /* readable: work has something to do; -1: none */
    bool is_ready; /* set by the transport: messages can be sent */
    bool is_over;  /* set by the transport: the connection has ended */
    size_t next, received;
    uint32_t latest[CHANNELS_MOST]; /* of each channel, the highest number plus one */
};

struct transport {
    const char *name;
    const char *const *modes; /* the first is the default; NULL ends them */
    bool needs_cable;         /* through ternlink tun: the kernel's own protocols */
    unsigned channels;        /* how many it can keep apart */
    /* The server listens at the address, the client begins to connect to it. 0, or -1 with errno. */
    int (*open)(struct end *end, const struct sockaddr_in *address);
    /* Receives and keeps its timers. When it wants to be called next at the latest. */
    uint64_t (*work)(struct end *end, uint64_t now);
    /* False: it was not taken. */
    bool (*send)(struct end *end, unsigned channel, const uint8_t *data, size_t len);
    void (*close)(struct end *end);
};

/* common.c */
int messages_main(int argc, char **argv, const struct transport *transport);
bool mode_is(const struct end *end, const char *name);
uint64_t clock_now(void);
/* A message has come. Any thread of the end's process, but one at a time. */
void end_received(struct end *end, const uint8_t *data, size_t len);
/* Says what failed, with errno's reason, and exits with 1. */
_Noreturn void fail(const char *what, const char *object);
int open_udp(const struct sockaddr_in *address, bool is_server);
struct letter *letters_of(struct shared *shared, int side);

/* network.c: ternlink between the two. */
struct network {
    pid_t pid;
    FILE *figures;
    bool is_cable;
};

struct traffic {
    uint64_t packets, bytes; /* IP and UDP headers counted; both ways */
    uint64_t rebinds;
};

void network_open(struct network *network, const struct shared *shared, bool is_cable,
                  const pid_t ends[SIDES], struct sockaddr_in *door);
struct traffic network_ask(struct network *network);
void network_close(struct network *network);

/* report.c */
void report(const struct transport *transport, struct shared *shared,
            const struct traffic *traffic);

#endif
