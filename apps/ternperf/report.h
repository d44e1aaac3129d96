/* What was measured: for people on standard error, for programs as one JSON object.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_REPORT_H
#define TERNPERF_REPORT_H

#include <math.h>
#include <tern/conn.h>

#include "ternperf/options.h"

struct report_quantiles {
    double min, p50, p95, p99, max; /* milliseconds */
};

/* NAN: does not apply, null in the JSON. The names are those of the keys. */
struct report {
    const char *mode, *cipher, *cc;
    double datagram_bytes, seconds, bytes, goodput_bps;
    double sender_cpu_s, receiver_cpu_s, cpu_s_per_gb; /* sender: this process, unless -R */
    double packets_sent, packets_lost, syscalls;
    struct report_quantiles rtt_ms, latency_ms;
    double per_second, rss_bytes, server_rss_bytes, heap_bytes_per_conn;
    double raw_bps, limit_bps, share_of_limit;
    /* Of some modes. */
    double count, failed;
    struct report_quantiles raw_latency_ms; /* rr: by bare UDP with the cipher ... */
    double p50_over_raw, p99_over_raw;      /* ... and how many times that it is by tern */
    double cpu_us_each, x25519_us;          /* handshakes: of the server's processor */
    double client_heap_bytes_per_conn;      /* idle */
    double sender_cpu_share, receiver_cpu_share;
    double junk_per_second, retry_per_second; /* flood */
    double allocations;                       /* flood, messages */
    double heap_bytes_per_half_open;
};

void report_init(struct report *report, const struct options *options);
/* Sorts the samples (nanoseconds). */
void report_quantiles(struct report_quantiles *out, uint64_t *samples, size_t count);
/* The suite and the size of datagrams that a connection has. */
void report_path(struct report *report, const tern_conn *conn);
void report_print(const struct report *report); /* JSON */
/* To people as the mode tells it, and as JSON if that is wanted. */
void report_say(const struct report *report, const struct options *options,
                void (*tell)(const struct report *report));

#endif
