/* Options, the two processes, the result.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct outcome {
    int64_t received;
    double cpu;
};

static double read_clock(clockid_t clock)
{
    struct timespec at = {0};
    (void)clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

double rate_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

bool rate_tell(struct rate_run *run, uint16_t port)
{
    return write(run->pipe, &port, sizeof port) == (ssize_t)sizeof port;
}

/* As ternperf does it: neighbours in the numbering may be two threads of one core. */
static void pin(unsigned which)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
        return;
    }
    int wanted = which == 0 ? 0 : CPU_COUNT(&allowed) / 2;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

static int receiver(const struct rate_peer *peer, struct rate_run *run)
{
    pin(1);
    double before = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    struct outcome outcome = {.received = peer->receive(run)};
    outcome.cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - before;
    return write(run->pipe, &outcome, sizeof outcome) == (ssize_t)sizeof outcome ? 0 : 1;
}

static int sender(const struct rate_peer *peer, struct rate_run *run)
{
    struct outcome outcome = {.received = -1};
    pin(0);
    if (read(run->pipe, &run->port, sizeof run->port) != (ssize_t)sizeof run->port) {
        return 1;
    }
    double before = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    bool is_sent = peer->send(run);
    double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - before;
    if (read(run->pipe, &outcome, sizeof outcome) != (ssize_t)sizeof outcome || !is_sent ||
        outcome.received < 0) {
        return 1;
    }
    (void)printf("{\"peer\":\"%s\",\"mode\":\"%s\",\"seconds\":%.3f,\"sent\":%llu,\"count\":%lld,"
                 "\"per_second\":%.0f,\"sender_cpu_s\":%.6f,\"receiver_cpu_s\":%.6f}\n",
                 peer->name, run->mode, run->took, (unsigned long long)run->sent,
                 (long long)outcome.received, (double)outcome.received / run->took, cpu,
                 outcome.cpu);
    return 0;
}

static bool knows(const struct rate_peer *peer, const char *mode)
{
    for (const char *const *known = peer->modes; *known != NULL; known++) {
        if (strcmp(*known, mode) == 0) {
            return true;
        }
    }
    return false;
}

int rate_main(int argc, char **argv, const struct rate_peer *peer)
{
    struct rate_run run = {.mode = peer->modes[0], .seconds = 5, .size = 64};
    int ends[2];
    run.mode = argc > 1 ? argv[1] : run.mode;
    run.seconds = argc > 2 ? strtod(argv[2], NULL) : run.seconds;
    run.size = argc > 3 ? strtoul(argv[3], NULL, 10) : run.size;
    if (argc > 4 || !knows(peer, run.mode) || run.seconds <= 0 || run.size == 0 ||
        run.size > 1024 || pipe(ends) != 0) {
        (void)fprintf(stderr, "usage: %s [MODE [SECONDS [SIZE]]]\n", argv[0]);
        return 2;
    }
    pid_t child = fork();
    run.pipe = ends[child == 0 ? 1 : 0];
    (void)close(ends[child == 0 ? 0 : 1]);
    if (child == 0) {
        _exit(receiver(peer, &run));
    }
    int status = child < 0 ? 1 : sender(peer, &run);
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
    return status;
}
