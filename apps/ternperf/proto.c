/* Requests and figures as bytes.
 * SPDX-License-Identifier: MIT */
#include "ternperf/proto.h"

#include <stddef.h>

static uint8_t *put(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    return out + 8;
}

static const uint8_t *take(const uint8_t *in, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 8; i++) {
        *value = *value << 8 | in[i];
    }
    return in + 8;
}

void proto_write_request(const struct proto_request *request, uint8_t out[PROTO_REQUEST_SIZE])
{
    out[0] = request->command;
    (void)put(put(out + 1, request->a), request->b);
}

void proto_read_request(struct proto_request *request, const uint8_t in[PROTO_REQUEST_SIZE])
{
    request->command = in[0];
    (void)take(take(in + 1, &request->a), &request->b);
}

void proto_write_figures(const struct proto_figures *f, uint8_t out[PROTO_FIGURES_SIZE])
{
    const uint64_t all[] = {f->cpu_ns,   f->heap_bytes,     f->rss_bytes, f->connections,
                            f->accepted, f->datagrams_sent, f->syscalls,  f->x25519_ns,
                            f->shard,    f->shards};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        out = put(out, all[i]);
    }
}

void proto_read_figures(struct proto_figures *f, const uint8_t in[PROTO_FIGURES_SIZE])
{
    uint64_t *const all[] = {&f->cpu_ns,   &f->heap_bytes,     &f->rss_bytes, &f->connections,
                             &f->accepted, &f->datagrams_sent, &f->syscalls,  &f->x25519_ns,
                             &f->shard,    &f->shards};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        in = take(in, all[i]);
    }
}

void proto_write_tally(const struct proto_tally *t, uint8_t out[PROTO_TALLY_SIZE])
{
    const uint64_t all[] = {t->count, t->bytes, t->samples, t->p50, t->p95, t->p99, t->max};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        out = put(out, all[i]);
    }
}

void proto_read_tally(struct proto_tally *t, const uint8_t in[PROTO_TALLY_SIZE])
{
    uint64_t *const all[] = {&t->count, &t->bytes, &t->samples, &t->p50, &t->p95, &t->p99, &t->max};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        in = take(in, all[i]);
    }
}

void proto_write_stamp(uint64_t time, uint8_t out[PROTO_STAMP_SIZE])
{
    (void)put(out, time);
}

uint64_t proto_read_stamp(const uint8_t in[PROTO_STAMP_SIZE])
{
    uint64_t time = 0;
    (void)take(in, &time);
    return time;
}

uint64_t proto_due(uint64_t rate, uint64_t elapsed)
{
    const uint64_t second = 1000000000;
    return elapsed / second * rate + (uint64_t)((double)(elapsed % second) * (double)rate / 1e9);
}
