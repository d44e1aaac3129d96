/* Percentiles, and what a process uses.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

void samples_add(struct samples *s, double ms)
{
    if (s->count == s->room) {
        size_t more = s->room == 0 ? 4096 : 2 * s->room;
        float *at = realloc(s->at, more * sizeof *at);
        if (at == NULL) {
            return; /* the figures rest on those before */
        }
        s->at = at;
        s->room = more;
    }
    s->at[s->count++] = (float)ms;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *s, double percent)
{
    if (s->count == 0) {
        return 0;
    }
    qsort(s->at, s->count, sizeof *s->at, compare);
    size_t rank = (size_t)((double)s->count * percent / 100 + 0.999999);
    return (double)s->at[rank == 0 ? 0 : rank > s->count ? s->count - 1 : rank - 1];
}

void samples_free(struct samples *s)
{
    free(s->at);
    memset(s, 0, sizeof *s);
}

/* utime and stime, the 14th and 15th words of /proc/PID/stat, whose second may hold blanks. */
static double seconds_of(pid_t pid)
{
    char path[64], line[1024];
    unsigned long long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    const char *rest =
        file != NULL && fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    if (rest != NULL) {
        (void)sscanf(rest + 1, "%*s %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                     &system);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct usage usage_of(pid_t pid)
{
    struct usage usage = {0};
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            usage.rss_mib = strtod(line + 6, NULL) / 1024;
        } else if (strncmp(line, "VmHWM:", 6) == 0) {
            usage.peak_mib = strtod(line + 6, NULL) / 1024;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
        usage.seconds = seconds_of(pid);
    }
    return usage;
}
