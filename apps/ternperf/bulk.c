/* As many bytes as go over one connection, either way.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define STREAMS_MAX 100
#define SAMPLES_MAX 100000u

static const uint8_t filling[65536];

struct pipe {
    tern_stream *stream; /* NULL: it is done */
    uint64_t left;       /* to write; UINT64_MAX: until the time is up */
};

struct run {
    struct lab lab;
    const struct options *options;
    tern_conn *conn;
    bool is_connected, is_lost, is_up; /* is_up: the time */
    struct pipe pipes[STREAMS_MAX];
    unsigned open;
    uint64_t bytes; /* that have gone or come */
    uint64_t *samples;
    size_t sample_count;
};

static void write_on(struct run *run, struct pipe *pipe)
{
    while (pipe->left > 0 && !run->is_up) {
        size_t len = pipe->left < sizeof filling ? (size_t)pipe->left : sizeof filling;
        /* Lent: the one copy is into the packet. */
        ptrdiff_t n = tern_stream_write_ref(pipe->stream, filling, len, NULL, NULL, 0);
        if (n <= 0) {
            return;
        }
        pipe->left -= pipe->left == UINT64_MAX ? 0 : (uint64_t)n;
        run->bytes += (uint64_t)n;
    }
    pipe->left = 0;
    ptrdiff_t n = tern_stream_write(pipe->stream, NULL, 0, TERN_FIN);
    (void)n; /* said before */
}

static void read_on(struct run *run, tern_stream *stream)
{
    const uint8_t *data;
    size_t len = 1;
    while (len > 0 && tern_stream_peek(stream, &data, &len) == 0) {
        run->bytes += run->options->reverse ? len : 0;
        if (tern_stream_consume(stream, len) != 0) {
            return;
        }
    }
}

static void on_event(void *user, const tern_event *event)
{
    struct run *run = user;
    struct pipe *pipe = event->stream == NULL ? NULL : tern_stream_user(event->stream);
    if (event->type == TERN_EVENT_CONNECTED) {
        run->is_connected = true;
    } else if (event->type == TERN_EVENT_CLOSED) {
        cli_error("the connection", tern_strerror(event->close.error), NULL);
        run->is_lost = true;
    } else if (event->type == TERN_EVENT_STREAM_READABLE) {
        read_on(run, event->stream);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE && pipe != NULL) {
        write_on(run, pipe);
    } else if (event->type == TERN_EVENT_STREAM_CLOSED && pipe != NULL) {
        pipe->stream = NULL;
        run->open--;
    }
}

static int open_pipe(struct run *run, unsigned number)
{
    const struct options *o = run->options;
    struct pipe *pipe = &run->pipes[number];
    uint64_t share = o->count == 0 ? UINT64_MAX : o->count / o->streams;
    share += o->count != 0 && number == 0 ? o->count % o->streams : 0;
    struct proto_request request = {.command = o->reverse ? PROTO_SOURCE : PROTO_SINK, .a = share};
    uint8_t octets[PROTO_REQUEST_SIZE];
    proto_write_request(&request, octets);
    int rc = tern_conn_open_stream(run->conn, TERN_STREAM_BIDI, &pipe->stream);
    if (rc != 0) {
        return rc;
    }
    run->open++;
    tern_stream_set_user(pipe->stream, pipe);
    if (tern_stream_write(pipe->stream, octets, sizeof octets, o->reverse ? TERN_FIN : 0) !=
        (ptrdiff_t)sizeof octets) {
        return TERN_ERR_LIMIT;
    }
    pipe->left = o->reverse ? 0 : share;
    if (!o->reverse) {
        write_on(run, pipe);
    }
    return 0;
}

/* The time is up: no more is written, or wanted. */
static void end(struct run *run)
{
    run->is_up = true;
    for (unsigned i = 0; i < run->options->streams; i++) {
        struct pipe *pipe = &run->pipes[i];
        if (pipe->stream != NULL && run->options->reverse) {
            int rc = tern_stream_stop(pipe->stream, 0);
            (void)rc; /* all has come already */
        } else if (pipe->stream != NULL && pipe->left > 0) {
            write_on(run, pipe);
        }
    }
}

static tern_stats look(const struct run *run)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(run->conn, &stats);
    return stats;
}

static void tell_interval(const struct run *run, const tern_stats *before, uint64_t bytes,
                          double seconds)
{
    tern_stats now = look(run);
    cli_note("%8.3f Gbit/s  resent %llu  lost %llu  rtt %.3f min %.3f ms  cwnd %llu  pacing %.3f "
             "Gbit/s",
             (double)(run->bytes - bytes) * 8e-9 / seconds,
             (unsigned long long)(now.stream_bytes_resent - before->stream_bytes_resent),
             (unsigned long long)(now.packets_lost - before->packets_lost),
             (double)now.smoothed_rtt / 1e6, (double)now.min_rtt / 1e6,
             (unsigned long long)now.cwnd, (double)now.pacing_rate * 8e-9);
}

static int transfer(struct run *run)
{
    const struct options *o = run->options;
    tern_time start = tern_udp_now(), told_at = start, sampled_at = start;
    tern_time until = o->count != 0 && o->time == 0 ? TERN_TIME_NEVER
                                                    : start + (o->time ? o->time : 5 * TERN_SEC);
    tern_stats told = look(run);
    uint64_t told_bytes = 0;
    int code = -1;
    while (code < 0 && run->open > 0 && !run->is_lost) {
        code = lab_turn(&run->lab, 10 * TERN_MSEC);
        tern_time now = tern_udp_now();
        if (now >= until && !run->is_up) {
            end(run);
        }
        if (now - sampled_at >= TERN_MSEC && run->sample_count < SAMPLES_MAX && !run->is_lost) {
            sampled_at = now;
            run->samples[run->sample_count++] = look(run).latest_rtt;
        }
        if (o->interval != 0 && now - told_at >= o->interval && !run->is_lost) {
            tell_interval(run, &told, told_bytes, (double)(now - told_at) / 1e9);
            told = look(run);
            told_bytes = run->bytes;
            told_at = now;
        }
    }
    return run->is_lost ? CLI_CONNECT : code;
}

static int measure(struct run *run, struct report *r)
{
    const struct options *o = run->options;
    struct proto_figures before, after;
    int code = lab_ask(&run->lab, false, &before);
    uint64_t cpu = system_cpu(), calls = node_syscalls(&run->lab.node);
    tern_time start = tern_udp_now();
    for (unsigned i = 0; code < 0 && i < o->streams; i++) {
        code = open_pipe(run, i) == 0 ? -1 : CLI_CONNECT;
    }
    code = code < 0 ? transfer(run) : code;
    double own = (double)(system_cpu() - cpu) / 1e9;
    r->seconds = (double)(tern_udp_now() - start) / 1e9;
    calls = node_syscalls(&run->lab.node) - calls;
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    if (code >= 0) {
        return code;
    }
    tern_stats stats = look(run);
    double theirs = (double)(after.cpu_ns - before.cpu_ns) / 1e9;
    r->bytes = (double)run->bytes;
    r->goodput_bps = r->bytes * 8 / r->seconds;
    r->sender_cpu_s = o->reverse ? theirs : own;
    r->receiver_cpu_s = o->reverse ? own : theirs;
    r->cpu_s_per_gb = (own + theirs) * 1e9 / r->bytes;
    if (!o->reverse) { /* else ours are acknowledgements, and what became of his only the server knows */
        r->packets_sent = (double)stats.packets_sent;
        r->packets_lost = (double)stats.packets_lost;
    }
    r->syscalls = (double)calls;
    r->rss_bytes = (double)system_rss();
    r->datagram_bytes = (double)stats.datagram_size;
    report_quantiles(&r->rtt_ms, run->samples, o->reverse ? 0 : run->sample_count);
    return CLI_OK;
}

static void tell(const struct report *r)
{
    cli_note("%.3f Gbit/s: %.0f bytes in %.2f s; processor seconds a gigabyte: sender %.2f, "
             "receiver %.2f",
             r->goodput_bps / 1e9, r->bytes, r->seconds, r->sender_cpu_s * 1e9 / r->bytes,
             r->receiver_cpu_s * 1e9 / r->bytes);
    if (!isnan(r->packets_sent)) {
        cli_note(
            "%s, %s, datagrams of %.0f bytes; lost %.0f of %.0f; round trip p50 %.2f, p99 %.2f ms",
            r->cipher, r->cc, r->datagram_bytes, r->packets_lost, r->packets_sent, r->rtt_ms.p50,
            r->rtt_ms.p99);
    }
}

static int connect_and_measure(struct run *run, struct report *r)
{
    int code = lab_connect(&run->lab, &run->conn) == 0 ? -1 : CLI_CONNECT;
    while (code < 0 && !run->is_connected && !run->is_lost) {
        code = lab_turn(&run->lab, TERN_SEC);
    }
    code = run->is_lost ? CLI_CONNECT : code;
    if (code < 0) {
        r->cipher = tern_suite_name(look(run).suite);
        code = measure(run, r);
    }
    return code;
}

int bulk_measure(const struct options *o, struct report *r)
{
    static struct run run;
    tern_config config;
    options_config(&config, o);
    memset(&run, 0, sizeof run);
    run.options = o;
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    if (run.samples == NULL) {
        cli_error("memory", "too little", NULL);
        return CLI_LOCAL;
    }
    int code = lab_open(&run.lab, o, &config, on_event, &run);
    code = code < 0 ? connect_and_measure(&run, r) : code;
    lab_close(&run.lab);
    free(run.samples);
    return code;
}

int bulk_run(const struct options *o)
{
    struct report report;
    report_init(&report, o);
    int code = bulk_measure(o, &report);
    if (code == CLI_OK) {
        tell(&report);
    }
    if (code == CLI_OK && o->json) {
        report_print(&report);
    }
    return code;
}
