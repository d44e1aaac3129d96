/* Percentiles and one line of JSON.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* More than this above the quickest message: it was lost, or waited for one that was. */
#define LATE (2 * NS_PER_MS)

struct figures {
    uint64_t *latency, *lateness; /* of what has come; of what was sent */
    size_t sent, received;
};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void gather(struct figures *figures, struct shared *shared)
{
    size_t most = SIDES * (shared->count - shared->skipped);
    figures->latency = calloc(most, sizeof(uint64_t));
    figures->lateness = calloc(most, sizeof(uint64_t));
    if (figures->latency == NULL || figures->lateness == NULL) {
        fail("cannot allocate", "the figures");
    }
    for (int side = 0; side < SIDES; side++) {
        const struct letter *letters = letters_of(shared, side);
        for (size_t i = shared->skipped; i < shared->count; i++) {
            if (letters[i].sent == 0) {
                continue;
            }
            figures->lateness[figures->sent++] = letters[i].sent - letters[i].due;
            if (letters[i].received != 0) {
                figures->latency[figures->received++] = letters[i].received - letters[i].sent;
            }
        }
    }
    qsort(figures->latency, figures->received, sizeof(uint64_t), compare);
    qsort(figures->lateness, figures->sent, sizeof(uint64_t), compare);
}

/* The nearest rank, in ms. */
static double percentile(const uint64_t *sorted, size_t count, size_t hundredths)
{
    size_t rank = (count * hundredths + 99) / 100;
    return rank == 0 ? 0 : (double)sorted[rank - 1] / (double)NS_PER_MS;
}

/* The share in per cent that came late or never. */
static double late_share(const struct figures *figures)
{
    size_t in_time = 0;
    while (in_time < figures->received && figures->latency[in_time] <= figures->latency[0] + LATE) {
        in_time++;
    }
    return figures->sent == 0 ? 0
                              : 100.0 * (double)(figures->sent - in_time) / (double)figures->sent;
}

static void write_samples(const char *path, const struct figures *figures)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail("cannot write to", path);
    }
    for (size_t i = 0; i < figures->received; i++) {
        fprintf(file, "%.3f\n", (double)figures->latency[i] / (double)NS_PER_MS);
    }
    if (fclose(file) != 0) {
        fail("cannot write to", path);
    }
}

void report(const struct transport *transport, struct shared *shared, const struct traffic *traffic)
{
    const struct options *options = &shared->options;
    struct figures f = {.sent = 0};
    gather(&f, shared);
    if (options->samples != NULL) {
        write_samples(options->samples, &f);
    }
    double per_message = f.sent == 0 ? 0 : 1 / (double)f.sent;
    printf(
        "{\"transport\":\"%s\",\"mode\":\"%s\",\"cc\":\"%s\",\"network\":\"%s\",\"seed\":%" PRIu64
        ",\"seconds\":%u,\"rate\":%u,\"size\":%u,\"channels\":%u,\"sent\":%zu,\"received\":%zu",
        transport->name, options->mode, options->cc == NULL ? "" : options->cc, options->network,
        options->seed, options->seconds, options->rate, options->size, options->channels, f.sent,
        f.received);
    printf(",\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"late_pct\":%.2f",
           percentile(f.latency, f.received, 50), percentile(f.latency, f.received, 95),
           percentile(f.latency, f.received, 99), percentile(f.latency, f.received, 100),
           late_share(&f));
    printf(",\"wire_bytes\":%.1f,\"wire_packets\":%.3f,\"rebinds\":%" PRIu64,
           (double)traffic->bytes * per_message, (double)traffic->packets * per_message,
           traffic->rebinds);
    printf(",\"refused\":%" PRIu64 ",\"doubles\":%" PRIu64 ",\"disorders\":%" PRIu64 ",\"died\":%s",
           shared->refused[0] + shared->refused[1], shared->doubles[0] + shared->doubles[1],
           shared->disorders[0] + shared->disorders[1],
           shared->has_died[0] || shared->has_died[1] ? "true" : "false");
    printf(",\"real_time\":%s,\"oversleep_p99\":%.3f,\"oversleep_max\":%.3f}\n",
           shared->is_real_time ? "true" : "false", percentile(f.lateness, f.sent, 99),
           percentile(f.lateness, f.sent, 100));
    free(f.latency);
    free(f.lateness);
}
