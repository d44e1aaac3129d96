/* soak: one server that echoes, or a crowd of clients; tests/soak.sh starts them with bad links in between.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

volatile sig_atomic_t is_over;

static uint8_t content[CONTENT_PERIOD + CONTENT_MAX];

void content_init(void)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < sizeof content; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        content[i] = i < CONTENT_PERIOD ? (uint8_t)(x >> 24) : content[i - CONTENT_PERIOD];
    }
}

const uint8_t *content_at(uint64_t place)
{
    return content + place % CONTENT_PERIOD;
}

void trim_memory(tern_time now)
{
    static tern_time at;
    if (now >= at) {
#ifdef __GLIBC__
        (void)malloc_trim(0);
#endif
        at = now + 10 * TERN_SEC;
    }
}

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: soak serve ADDR:PORT\n"
                          "       soak crowd ADDR:PORT CONNECTIONS SECONDS SEED\n");
    return 2;
}

int main(int argc, char **argv)
{
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    content_init();
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        return echo_run(argv[2]);
    }
    if (argc != 6 || strcmp(argv[1], "crowd") != 0) {
        return usage();
    }
    struct crowd_options options = {.server = argv[2],
                                    .connections = (unsigned)strtoul(argv[3], NULL, 10),
                                    .seconds = (unsigned)strtoul(argv[4], NULL, 10),
                                    .seed = strtoull(argv[5], NULL, 10)};
    return options.connections == 0 || options.seconds == 0 ? usage() : crowd_run(&options);
}
