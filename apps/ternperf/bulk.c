/* As many bytes as go over one connection, or many, either way.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "ternperf/crowd.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define SAMPLES_MAX  100000u
#define RECENT_MAX   10000u /* samples of an interval */
#define AT_ONCE      64u    /* handshakes under way */
#define TRIES        1000u
#define BUFFER_LEAST (128u * 1024)

static const uint8_t filling[65536];

struct pipe {
    tern_stream *stream; /* NULL: it is done */
    bool is_reverse;     /* the server writes */
    uint64_t left;       /* to write; UINT64_MAX: until the time is up */
};

struct run {
    struct lab lab;
    const struct options *options;
    tern_conn **conns; /* -C of them */
    uint64_t connected;
    bool is_up;         /* the time */
    struct pipe *pipes; /* -P for each connection */
    uint64_t open;
    uint64_t bytes, written; /* that have gone or come; of them gone */
    tern_time start;
    uint64_t *samples;
    size_t sample_count;
    uint64_t recent[RECENT_MAX]; /* those since the latest line */
    size_t recent_count;
    uint64_t rows;
};

static unsigned ways(const struct options *o)
{
    return o->bidirectional ? 2 : 1;
}

static uint64_t pipe_count(const struct options *o)
{
    return o->connections * o->streams * ways(o);
}

/* What -b lets go now. */
static uint64_t allowance(const struct run *run)
{
    uint64_t rate = run->options->rate;
    if (rate == 0) {
        return UINT64_MAX;
    }
    uint64_t due = proto_due(rate, tern_udp_now() - run->start);
    return due > run->written ? due - run->written : 0;
}

static void write_on(struct run *run, struct pipe *pipe)
{
    while (pipe->left > 0 && !run->is_up) {
        size_t len = pipe->left < sizeof filling ? (size_t)pipe->left : sizeof filling;
        uint64_t room = allowance(run);
        len = room < len ? (size_t)room : len;
        if (len == 0) {
            return; /* the next turn comes soon */
        }
        /* Lent: the one copy is into the packet. */
        ptrdiff_t n = run->options->copy
                          ? tern_stream_write(pipe->stream, filling, len, 0)
                          : tern_stream_write_ref(pipe->stream, filling, len, NULL, NULL, 0);
        if (n <= 0) {
            return;
        }
        pipe->left -= pipe->left == UINT64_MAX ? 0 : (uint64_t)n;
        run->bytes += (uint64_t)n;
        run->written += (uint64_t)n;
    }
    pipe->left = 0;
    ptrdiff_t n = tern_stream_write(pipe->stream, NULL, 0, TERN_FIN);
    (void)n; /* said before */
}

static void read_on(struct run *run, tern_stream *stream, bool is_counted)
{
    const uint8_t *data;
    size_t len = 1;
    while (len > 0 && tern_stream_peek(stream, &data, &len) == 0) {
        run->bytes += is_counted ? len : 0;
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
        run->connected++;
    } else if (event->type == TERN_EVENT_CLOSED) {
        cli_error("the connection", tern_strerror(event->close.error), NULL);
        run->lab.is_lost = true;
    } else if (event->type == TERN_EVENT_STREAM_READABLE) {
        read_on(run, event->stream, pipe != NULL && pipe->is_reverse);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE && pipe != NULL) {
        write_on(run, pipe);
    } else if (event->type == TERN_EVENT_STREAM_CLOSED && pipe != NULL) {
        pipe->stream = NULL;
        run->open--;
    }
}

static int open_pipe(struct run *run, uint64_t number)
{
    const struct options *o = run->options;
    struct pipe *pipe = &run->pipes[number];
    uint64_t count = pipe_count(o) / ways(o), place = number / ways(o);
    uint64_t share = o->count == 0 ? UINT64_MAX : o->count / count;
    share += o->count != 0 && place == 0 ? o->count % count : 0;
    pipe->is_reverse = o->bidirectional ? number % 2 == 1 : o->reverse;
    struct proto_request request = {.command = pipe->is_reverse ? PROTO_SOURCE : PROTO_SINK,
                                    .a = share,
                                    .b = pipe->is_reverse ? (o->rate + count - 1) / count : 0};
    uint8_t octets[PROTO_REQUEST_SIZE];
    proto_write_request(&request, octets);
    int rc =
        tern_conn_open_stream(run->conns[place % o->connections], TERN_STREAM_BIDI, &pipe->stream);
    if (rc != 0) {
        return rc;
    }
    run->open++;
    tern_stream_set_user(pipe->stream, pipe);
    if (tern_stream_write(pipe->stream, octets, sizeof octets, pipe->is_reverse ? TERN_FIN : 0) !=
        (ptrdiff_t)sizeof octets) {
        return TERN_ERR_LIMIT;
    }
    pipe->left = pipe->is_reverse ? 0 : share;
    if (!pipe->is_reverse) {
        write_on(run, pipe);
    }
    return 0;
}

/* The time is up: no more is written, or wanted. */
static void end(struct run *run)
{
    run->is_up = true;
    for (uint64_t i = 0; i < pipe_count(run->options); i++) {
        struct pipe *pipe = &run->pipes[i];
        if (pipe->stream != NULL && pipe->is_reverse) {
            int rc = tern_stream_stop(pipe->stream, 0);
            (void)rc; /* all has come already */
        } else if (pipe->stream != NULL && pipe->left > 0) {
            write_on(run, pipe);
        }
    }
}

/* The first connection, for round trips and windows. */
static tern_stats look(const struct run *run)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(run->conns[0], &stats);
    return stats;
}

/* The first, with the counters of all. */
static tern_stats look_at_all(const struct run *run)
{
    tern_stats all = look(run);
    for (uint64_t i = 1; i < run->options->connections; i++) {
        tern_stats stats = {.size = sizeof stats};
        tern_conn_stats(run->conns[i], &stats);
        all.packets_sent += stats.packets_sent;
        all.packets_lost += stats.packets_lost;
        all.stream_bytes_resent += stats.stream_bytes_resent;
    }
    return all;
}

/* A row of what happened since the latest one. Of the way back only the server knows more than the rate. */
static void tell_interval(struct run *run, const tern_stats *before, const tern_stats *now,
                          uint64_t bytes, double seconds)
{
    struct report_quantiles rtt = {0, 0, 0, 0, 0};
    if (run->rows++ % 20 == 0) {
        cli_note("%8s %9s %9s %7s %9s %9s %9s %9s %9s", "seconds", "Gbit/s", "resent", "lost",
                 "rtt min", "smoothed", "p99 ms", "cwnd KiB", "pacing");
    }
    double at = (double)(tern_udp_now() - run->start) / 1e9;
    double rate = (double)(run->bytes - bytes) * 8e-9 / seconds;
    if (run->options->reverse) {
        cli_note("%8.2f %9.3f %9s %7s %9s %9s %9s %9s %9s", at, rate, "-", "-", "-", "-", "-", "-",
                 "-");
        return;
    }
    report_quantiles(&rtt, run->recent, run->recent_count);
    run->recent_count = 0;
    cli_note("%8.2f %9.3f %9llu %7llu %9.3f %9.3f %9.3f %9llu %9.3f", at, rate,
             (unsigned long long)(now->stream_bytes_resent - before->stream_bytes_resent),
             (unsigned long long)(now->packets_lost - before->packets_lost),
             (double)now->min_rtt / 1e6, (double)now->smoothed_rtt / 1e6, rtt.p99,
             (unsigned long long)now->cwnd / 1024, (double)now->pacing_rate * 8e-9);
}

static void take_sample(struct run *run)
{
    uint64_t rtt = look(run).latest_rtt;
    if (run->sample_count < SAMPLES_MAX) {
        run->samples[run->sample_count++] = rtt;
    }
    if (run->recent_count < RECENT_MAX) {
        run->recent[run->recent_count++] = rtt;
    }
}

/* What the rate lets go since the latest turn. */
static void write_more(struct run *run)
{
    for (uint64_t i = 0; run->options->rate > 0 && i < pipe_count(run->options); i++) {
        struct pipe *pipe = &run->pipes[i];
        if (pipe->stream != NULL && pipe->left > 0) {
            write_on(run, pipe);
        }
    }
}

static int transfer(struct run *run)
{
    const struct options *o = run->options;
    tern_time start = run->start, told_at = start, sampled_at = start;
    tern_time turn = o->rate > 0 ? TERN_MSEC : 10 * TERN_MSEC;
    tern_time until = o->count != 0 && o->time == 0 ? TERN_TIME_NEVER
                                                    : start + (o->time ? o->time : 5 * TERN_SEC);
    tern_stats told = look_at_all(run);
    uint64_t told_bytes = 0;
    int code = -1;
    while (run->open > 0 && (code = lab_turn(&run->lab, turn)) < 0) {
        write_more(run);
        tern_time now = tern_udp_now();
        if (now >= until && !run->is_up) {
            end(run);
        }
        if (now - sampled_at >= TERN_MSEC) {
            sampled_at = now;
            take_sample(run);
        }
        if (o->interval != 0 && now - told_at >= o->interval) {
            tern_stats latest = look_at_all(run);
            tell_interval(run, &told, &latest, told_bytes, (double)(now - told_at) / 1e9);
            told = latest;
            told_bytes = run->bytes;
            told_at = now;
        }
    }
    return code;
}

static int measure(struct run *run, struct report *r)
{
    const struct options *o = run->options;
    struct proto_figures before, after;
    int code = lab_ask(&run->lab, false, &before);
    uint64_t cpu = system_cpu(), calls = node_syscalls(&run->lab.node);
    run->start = tern_udp_now();
    for (uint64_t i = 0; code < 0 && i < pipe_count(o); i++) {
        code = open_pipe(run, i) == 0 ? -1 : CLI_CONNECT;
    }
    code = code < 0 ? transfer(run) : code;
    double own = (double)(system_cpu() - cpu) / 1e9;
    r->seconds = (double)(tern_udp_now() - run->start) / 1e9;
    calls = node_syscalls(&run->lab.node) - calls;
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    if (code >= 0) {
        return code;
    }
    tern_stats stats = look_at_all(run);
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
    r->server_rss_bytes = (double)after.rss_bytes;
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

/* All of them, and then those of the other processes. */
static int connect_all(struct run *run)
{
    const struct options *o = run->options;
    int code = -1;
    for (uint64_t i = 0; i < o->connections && code < 0; i++) {
        code = lab_connect(&run->lab, &run->conns[i]) == 0 ? -1 : CLI_CONNECT;
        while (code < 0 && i >= run->connected + AT_ONCE) {
            code = lab_turn(&run->lab, TERN_SEC);
        }
    }
    while (code < 0 && run->connected < o->connections) {
        code = lab_turn(&run->lab, TERN_SEC);
    }
    while (code < 0 && !crowd_is_met(run->connected == o->connections)) {
        code = lab_turn(&run->lab, TERN_MSEC);
    }
    return code;
}

/* The kernel chooses a shard by our port: another one until it is the shard of our seat. */
static int open_lab(struct run *run, const tern_config *config)
{
    const struct options *o = run->options;
    struct proto_figures figures = {.shards = 0};
    int code = lab_open(&run->lab, o, config, on_event, run);
    for (unsigned i = 0; i < TRIES && code < 0; i++) {
        code = lab_ask(&run->lab, false, &figures);
        if (code >= 0 || figures.shards != o->shards || figures.shard == o->seat) {
            break;
        }
        lab_close(&run->lab);
        code = lab_open(&run->lab, o, config, on_event, run);
    }
    return code;
}

static int measure_here(struct run *run, struct report *r)
{
    tern_config config;
    options_config(&config, run->options);
    config.max_connections = (size_t)run->options->connections + 1;
    /* What is accepted has to arrive before we are done: of many together no more than of one. */
    uint64_t buffer = config.stream_send_buffer / pipe_count(run->options);
    config.stream_send_buffer = buffer > BUFFER_LEAST ? buffer : BUFFER_LEAST;
    int code = open_lab(run, &config);
    code = code < 0 ? connect_all(run) : code;
    if (code < 0) {
        r->cipher = tern_suite_name(look(run).suite);
        code = measure(run, r);
    }
    lab_close(&run->lab);
    return code;
}

int bulk_measure(const struct options *o, struct report *r)
{
    static struct run run;
    int code = CLI_LOCAL;
    memset(&run, 0, sizeof run);
    run.options = o;
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    run.conns = calloc((size_t)o->connections, sizeof *run.conns);
    run.pipes = calloc((size_t)pipe_count(o), sizeof *run.pipes);
    if (run.samples == NULL || run.conns == NULL || run.pipes == NULL) {
        cli_error("memory", "too little", NULL);
    } else {
        code = measure_here(&run, r);
    }
    free(run.samples);
    free(run.conns);
    free(run.pipes);
    return code;
}

int bulk_run(const struct options *o)
{
    struct report report;
    report_init(&report, o);
    int code = o->shards > 1 ? crowd_measure(o, &report) : bulk_measure(o, &report);
    if (code == CLI_OK) {
        report_say(&report, o, tell);
    }
    return code;
}
