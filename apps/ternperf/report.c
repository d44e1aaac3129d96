/* Quantiles and JSON.
 * SPDX-License-Identifier: MIT */
#include "ternperf/report.h"

#include <stdio.h>
#include <stdlib.h>

#define NONE ((struct report_quantiles){NAN, NAN, NAN, NAN, NAN})

void report_init(struct report *r, const struct options *o)
{
    *r = (struct report){
        .mode = options_mode_name(o->mode),
        .cc = o->cc,
        .rtt_ms = NONE,
        .latency_ms = NONE,
        .raw_latency_ms = NONE,
    };
    double *const all[] = {&r->datagram_bytes,
                           &r->seconds,
                           &r->bytes,
                           &r->goodput_bps,
                           &r->sender_cpu_s,
                           &r->receiver_cpu_s,
                           &r->cpu_s_per_gb,
                           &r->packets_sent,
                           &r->packets_lost,
                           &r->syscalls,
                           &r->per_second,
                           &r->rss_bytes,
                           &r->server_rss_bytes,
                           &r->heap_bytes_per_conn,
                           &r->raw_bps,
                           &r->limit_bps,
                           &r->share_of_limit,
                           &r->count,
                           &r->failed,
                           &r->p50_over_raw,
                           &r->p99_over_raw,
                           &r->cpu_us_each,
                           &r->x25519_us,
                           &r->client_heap_bytes_per_conn,
                           &r->sender_cpu_share,
                           &r->receiver_cpu_share,
                           &r->junk_per_second,
                           &r->retry_per_second,
                           &r->allocations,
                           &r->heap_bytes_per_half_open};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i] = NAN;
    }
}

void report_path(struct report *r, const tern_conn *conn)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(conn, &stats);
    r->cipher = tern_suite_name(stats.suite);
    r->datagram_bytes = (double)stats.datagram_size;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double at(const uint64_t *samples, size_t count, double share)
{
    size_t i = (size_t)(share * (double)(count - 1) + 0.5);
    return (double)samples[i] / 1e6;
}

void report_quantiles(struct report_quantiles *out, uint64_t *samples, size_t count)
{
    if (count == 0) {
        return;
    }
    qsort(samples, count, sizeof *samples, compare);
    out->min = at(samples, count, 0);
    out->p50 = at(samples, count, 0.5);
    out->p95 = at(samples, count, 0.95);
    out->p99 = at(samples, count, 0.99);
    out->max = at(samples, count, 1);
}

static void print_value(double value)
{
    if (isnan(value)) {
        (void)fputs("null", stdout);
    } else {
        (void)printf("%.9g", value);
    }
}

static void print_number(const char *key, double value)
{
    (void)printf(",\"%s\":", key);
    print_value(value);
}

static void print_word(const char *key, const char *value)
{
    if (value == NULL) {
        (void)printf(",\"%s\":null", key);
    } else {
        (void)printf(",\"%s\":\"%s\"", key, value);
    }
}

static void print_quantiles(const char *key, const struct report_quantiles *q, bool has_min)
{
    const char *const names[] = {"min", "p50", "p95", "p99", "max"};
    const double values[] = {q->min, q->p50, q->p95, q->p99, q->max};
    const char *comma = "";
    (void)printf(",\"%s\":{", key);
    for (size_t i = has_min ? 0 : 1; i < 5; i++) {
        (void)printf("%s\"%s\":", comma, names[i]);
        print_value(values[i]);
        comma = ",";
    }
    (void)putchar('}');
}

void report_print(const struct report *r)
{
    (void)printf("{\"mode\":\"%s\"", r->mode);
    print_word("cipher", r->cipher);
    print_word("cc", r->cc);
    print_number("datagram_bytes", r->datagram_bytes);
    print_number("seconds", r->seconds);
    print_number("bytes", r->bytes);
    print_number("goodput_bps", r->goodput_bps);
    print_number("sender_cpu_s", r->sender_cpu_s);
    print_number("receiver_cpu_s", r->receiver_cpu_s);
    print_number("cpu_s_per_gb", r->cpu_s_per_gb);
    print_number("packets_sent", r->packets_sent);
    print_number("packets_lost", r->packets_lost);
    print_number("syscalls", r->syscalls);
    print_quantiles("rtt_ms", &r->rtt_ms, true);
    print_quantiles("latency_ms", &r->latency_ms, false);
    print_number("per_second", r->per_second);
    print_number("rss_bytes", r->rss_bytes);
    print_number("server_rss_bytes", r->server_rss_bytes);
    print_number("heap_bytes_per_conn", r->heap_bytes_per_conn);
    print_number("raw_bps", r->raw_bps);
    print_number("limit_bps", r->limit_bps);
    print_number("share_of_limit", r->share_of_limit);
    print_number("count", r->count);
    print_number("failed", r->failed);
    print_quantiles("raw_latency_ms", &r->raw_latency_ms, false);
    print_number("p50_over_raw", r->p50_over_raw);
    print_number("p99_over_raw", r->p99_over_raw);
    print_number("cpu_us_each", r->cpu_us_each);
    print_number("x25519_us", r->x25519_us);
    print_number("client_heap_bytes_per_conn", r->client_heap_bytes_per_conn);
    print_number("sender_cpu_share", r->sender_cpu_share);
    print_number("receiver_cpu_share", r->receiver_cpu_share);
    print_number("junk_per_second", r->junk_per_second);
    print_number("retry_per_second", r->retry_per_second);
    print_number("allocations", r->allocations);
    print_number("heap_bytes_per_half_open", r->heap_bytes_per_half_open);
    (void)puts("}");
}

void report_say(const struct report *r, const struct options *o,
                void (*tell)(const struct report *report))
{
    tell(r);
    if (o->json) {
        report_print(r);
    }
}
