/* Seeds and traces by the environment, so that one command serves every test.
 * SPDX-License-Identifier: MIT */
#include "sim/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char name[128];
    uint64_t seed;
} last_run;

uint64_t replay_first_seed(void)
{
    const char *seed = getenv("TERN_SEED");
    return seed == NULL ? 1 : strtoull(seed, NULL, 10);
}

uint64_t replay_seed_count(uint64_t usual)
{
    return getenv("TERN_SEED") == NULL ? usual : 1;
}

static void print_line(void *user, const tern_trace_event *event)
{
    char line[600];
    (void)user;
    (void)tern_trace_text(event, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

bool replay_trace(tern_config *config)
{
    bool is_traced = getenv("TERN_TRACE") != NULL;
    if (is_traced) {
        config->trace = (tern_trace_sink){.event = print_line};
    }
    return is_traced;
}

void replay_note(const char *name, uint64_t seed)
{
    (void)snprintf(last_run.name, sizeof last_run.name, "%s", name);
    last_run.seed = seed;
}

void replay_print(const char *program, const char *test)
{
    const char *file = strstr(program, "test_");
    if (last_run.name[0] == '\0') {
        (void)snprintf(last_run.name, sizeof last_run.name, "sim.%s.%s",
                       file == NULL ? "" : file + strlen("test_"), test == NULL ? "" : test);
        last_run.seed = replay_first_seed();
    }
    (void)fprintf(stderr,
                  "last run: seed %llu\nreplay: TERN_SEED=%llu TERN_TRACE=1 ctest --test-dir "
                  "build/dev -V -R '%s$'\n",
                  (unsigned long long)last_run.seed, (unsigned long long)last_run.seed,
                  last_run.name);
}
