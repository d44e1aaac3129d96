/* ternlink: a bad network on this machine. Starts the mode, keeps time, tells at the end what it did.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternlink.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static volatile sig_atomic_t is_stopped, is_asked;

static void on_signal(int signo)
{
    if (signo == SIGUSR1) {
        is_asked = 1;
    } else {
        is_stopped = 1;
    }
}

void fail(const char *what, const char *object)
{
    int error = errno;
    fprintf(stderr, "ternlink: %s %s: %s\n", what, object, strerror(error));
    exit(EXIT_FAILURE);
}

tern_time clock_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (tern_time)ts.tv_sec * TERN_SEC + (tern_time)ts.tv_nsec;
}

/* Signals wait until ppoll lets them in, so that none is missed between a look and a sleep. */
static void take_signals(struct wires *wires)
{
    struct sigaction action = {.sa_handler = on_signal};
    if (sigemptyset(&wires->stops) != 0 || sigaddset(&wires->stops, SIGINT) != 0 ||
        sigaddset(&wires->stops, SIGTERM) != 0 || sigaddset(&wires->stops, SIGUSR1) != 0 ||
        sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
        sigaction(SIGUSR1, &action, NULL) != 0 ||
        sigprocmask(SIG_BLOCK, &wires->stops, &wires->waiting) != 0) {
        fail("cannot handle", "signals");
    }
    (void)sigdelset(&wires->waiting, SIGINT);
    (void)sigdelset(&wires->waiting, SIGTERM);
    (void)sigdelset(&wires->waiting, SIGUSR1);
}

void wires_open(struct wires *wires, const struct options *options, size_t overhead)
{
    *wires = (struct wires){.started = clock_now(), .until = TERN_TIME_NEVER};
    if (options->duration > 0) {
        wires->until = wires->started + options->duration;
    }
    for (size_t i = 0; i < DIRECTIONS; i++) {
        tern_link_config config = options->link[i];
        config.overhead = overhead;
        config.blackout_start += wires->started;
        if (tern_link_new(&wires->link[i], &config, options->seed[i] * DIRECTIONS + i) != 0) {
            errno = ENOMEM;
            fail("cannot open", "the link");
        }
    }
    take_signals(wires);
    /* Timers are else rounded by 50 us. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

bool wires_go_on(const struct wires *wires, tern_time now)
{
    return !is_stopped && now < wires->until;
}

tern_time wires_next(const struct wires *wires, tern_time other)
{
    tern_time next = other < wires->until ? other : wires->until;
    for (size_t i = 0; i < DIRECTIONS; i++) {
        tern_time at = tern_link_next(wires->link[i]);
        next = at < next ? at : next;
    }
    return next;
}

void wires_wait(const struct wires *wires, struct pollfd *fds, size_t count, tern_time until)
{
    tern_time now = clock_now();
    tern_time left = until > now ? until - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(left / TERN_SEC), .tv_nsec = (long)(left % TERN_SEC)};
    int n = ppoll(fds, count, until == TERN_TIME_NEVER ? NULL : &ts, &wires->waiting);
    if (n < 0 && errno != EINTR) {
        fail("cannot wait for", "packets");
    }
    for (size_t i = 0; n <= 0 && i < count; i++) {
        fds[i].revents = 0;
    }
    /* ppoll that finds packets at once lets no signal in. */
    static const struct timespec at_once;
    if (n > 0) {
        int signo = sigtimedwait(&wires->stops, NULL, &at_once);
        if (signo > 0) {
            on_signal(signo);
        }
    }
}

static void print_direction(const char *name, const tern_link *link)
{
    tern_link_counters c = {.size = sizeof c};
    tern_link_stats(link, &c);
    printf(",\"%s\":{\"packets_in\":%" PRIu64 ",\"packets_out\":%" PRIu64 ",\"bytes_in\":%" PRIu64
           ",\"bytes_out\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"queue_dropped\":%" PRIu64
           ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"corrupted\":%" PRIu64
           ",\"too_big\":%" PRIu64 ",\"blacked_out\":%" PRIu64 ",\"queue_peak\":%zu}",
           name, c.packets_in, c.packets_out, c.bytes_in, c.bytes_out, c.lost, c.queue_dropped,
           c.duplicated, c.reordered, c.corrupted, c.too_big, c.blacked_out, c.queue_peak);
}

static void print_counters(const struct wires *wires, const struct options *options)
{
    double seconds = (double)(clock_now() - wires->started) / (double)TERN_SEC;
    printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"clients\":%" PRIu64 ",\"rebinds\":%" PRIu64,
           options->is_tun ? "tun" : "udp", seconds, wires->clients, wires->rebinds);
    print_direction("up", wires->link[UP]);
    print_direction("down", wires->link[DOWN]);
    printf("}\n");
    if (fflush(stdout) != 0) {
        fail("cannot write to", "standard output");
    }
}

void wires_answer(const struct wires *wires, const struct options *options)
{
    if (is_asked) {
        is_asked = 0;
        print_counters(wires, options);
    }
}

void wires_close(struct wires *wires, const struct options *options)
{
    print_counters(wires, options);
    tern_link_free(wires->link[UP]);
    tern_link_free(wires->link[DOWN]);
}

int main(int argc, char **argv)
{
    struct options options;
    options_read(&options, argc, argv);
    if (options.is_tun) {
        run_tun(&options);
    } else {
        run_udp(&options);
    }
    return EXIT_SUCCESS;
}
