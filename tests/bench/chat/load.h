/* What the load of a chat server is made of, and what came of it.
 * SPDX-License-Identifier: MIT */
#ifndef BENCH_CHAT_LOAD_H
#define BENCH_CHAT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct load_options {
    const char *server, *key; /* HOST:PORT, tern:... */
    pid_t pid;                /* the server's, whose use of the machine is told; 0: not told */
    size_t connections, rooms;
    double rate;    /* words a second, of all together */
    double seconds; /* that count */
    double warmup;  /* and before */
    size_t size;    /* bytes of what is said */
    bool reads;     /* everybody tells at once how far they have read */
    bool is_idle;   /* nobody says anything */
    bool is_open;   /* the server can read the rooms, and makes them ready to be searched */
};

/* Delays in ms, in any order until they are sorted. */
struct samples {
    float *at;
    size_t count, room;
};
void samples_add(struct samples *samples, double ms);
double samples_percentile(struct samples *samples, double percent); /* sorts; 0 of none */
void samples_free(struct samples *samples);

/* A process at a moment. */
struct usage {
    double seconds;  /* of processors */
    double rss_mib;  /* resident */
    double peak_mib; /* the most of it so far */
};
struct usage usage_of(pid_t pid); /* all 0: no such process */

#endif
