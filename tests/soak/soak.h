/* The two halves of the soak program, and the bytes that they exchange.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_SOAK_H
#define TERN_SOAK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/tern.h>
#include <tern/udp.h>

extern volatile sig_atomic_t is_over; /* a signal came */

/* Sends back whatever it is sent, until a signal comes. The exit code. */
int echo_run(const char *address);

struct crowd_options {
    const char *server;
    unsigned connections; /* at any time */
    unsigned seconds;     /* then it lets all go on until they are done */
    uint64_t seed;
};

/* Comes and goes, talks, moves, and asks for new keys; compares what comes back. The exit code. */
int crowd_run(const struct crowd_options *options);

/* Gives back to the system what nothing uses, every ten seconds: else a peak would look like a leak. */
void trim_memory(tern_time now);

/* --- bytes: each content is a piece of one endless pattern, so that any mix-up shows ---------------- */

#define CONTENT_PERIOD 65521u /* a prime */
#define CONTENT_MAX    (256u * 1024)

void content_init(void);
/* CONTENT_MAX bytes at least are behind it, whatever the place. */
const uint8_t *content_at(uint64_t place);

#endif
