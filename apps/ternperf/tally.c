/* Messages taken, counted, and the times in them compared.
 * SPDX-License-Identifier: MIT */
#include "ternperf/tally.h"

#include <stdlib.h>

#include "ternperf/report.h"

#define SAMPLES_MAX 1000000u

struct tally {
    uint64_t count, bytes;
    uint64_t *samples; /* NULL: not wanted */
    size_t kept;
    uint64_t stride; /* of as many messages one is kept */
};

struct tally *tally_new(bool wants_latency)
{
    struct tally *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->stride = 1;
    t->samples = wants_latency ? malloc(SAMPLES_MAX * sizeof *t->samples) : NULL;
    if (wants_latency && t->samples == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void tally_free(struct tally *t)
{
    if (t != NULL) {
        free(t->samples);
        free(t);
    }
}

/* Where there is no more room, every second one goes, and from then on half as many come. */
static void thin_out(struct tally *t)
{
    for (size_t i = 0; i < SAMPLES_MAX / 2; i++) {
        t->samples[i] = t->samples[2 * i];
    }
    t->kept = SAMPLES_MAX / 2;
    t->stride *= 2;
}

static void keep(struct tally *t, const tern_message *message, tern_time now)
{
    if (t->samples == NULL || message->len < PROTO_STAMP_SIZE || t->count % t->stride != 0) {
        return;
    }
    if (t->kept == SAMPLES_MAX) {
        thin_out(t);
    }
    tern_time sent = proto_read_stamp(message->data);
    t->samples[t->kept++] = now > sent ? now - sent : 0;
}

void tally_receive(struct tally *t, tern_conn *conn, tern_time now)
{
    tern_message message = {.size = sizeof message};
    while (tern_conn_receive(conn, &message) == 1) {
        keep(t, &message, now);
        t->count++;
        t->bytes += message.len;
    }
}

void tally_sum(struct tally *t, struct proto_tally *out)
{
    struct report_quantiles q = {0};
    report_quantiles(&q, t->samples, t->kept);
    *out = (struct proto_tally){.count = t->count,
                                .bytes = t->bytes,
                                .samples = t->kept,
                                .p50 = (uint64_t)(q.p50 * 1e6),
                                .p95 = (uint64_t)(q.p95 * 1e6),
                                .p99 = (uint64_t)(q.p99 * 1e6),
                                .max = (uint64_t)(q.max * 1e6)};
}
