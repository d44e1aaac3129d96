/* One request after the other: the time until the answer.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "shared/cli.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define SAMPLES_MAX 2000000u

static const uint8_t filling[65536];

struct run {
    struct lab lab;
    const struct options *options;
    tern_conn *conn;
    tern_stream *stream;
    bool is_connected, is_lost, is_over;
    tern_time until, asked_at;
    uint64_t most, done;
    uint64_t to_write, to_read; /* of the present request and answer */
    uint64_t *samples;
};

static void ask_more(struct run *run)
{
    while (run->to_write > 0) {
        ptrdiff_t n = tern_stream_write(run->stream, filling, (size_t)run->to_write, 0);
        if (n <= 0) {
            return;
        }
        run->to_write -= (uint64_t)n;
    }
}

static void ask(struct run *run)
{
    run->to_write = run->to_read = run->options->size;
    run->asked_at = tern_udp_now();
    ask_more(run);
}

static void on_answer(struct run *run)
{
    tern_time now = tern_udp_now();
    if (run->done < SAMPLES_MAX) {
        run->samples[run->done] = now - run->asked_at;
    }
    run->done++;
    if (now < run->until && run->done < run->most) {
        ask(run);
        return;
    }
    run->is_over = true;
    ptrdiff_t n = tern_stream_write(run->stream, NULL, 0, TERN_FIN);
    (void)n;
}

static void on_readable(struct run *run)
{
    uint8_t buf[16384];
    ptrdiff_t n = 1;
    while (n > 0 && !run->is_over) {
        size_t len = run->to_read < sizeof buf ? (size_t)run->to_read : sizeof buf;
        n = tern_stream_read(run->stream, buf, len);
        run->to_read -= n > 0 ? (uint64_t)n : 0;
        if (run->to_read == 0) {
            on_answer(run);
        }
    }
}

static void on_event(void *user, const tern_event *event)
{
    struct run *run = user;
    if (event->type == TERN_EVENT_CONNECTED) {
        run->is_connected = true;
    } else if (event->type == TERN_EVENT_CLOSED) {
        cli_error("the connection", tern_strerror(event->close.error), NULL);
        run->is_lost = true;
    } else if (event->type == TERN_EVENT_STREAM_READABLE && event->stream == run->stream) {
        on_readable(run);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE && event->stream == run->stream) {
        ask_more(run);
    }
}

/* -1 or the exit code. */
static int open_stream(struct run *run)
{
    const struct options *o = run->options;
    struct proto_request request = {.command = PROTO_ECHO, .a = o->size, .b = o->size};
    uint8_t octets[PROTO_REQUEST_SIZE];
    int code = lab_connect(&run->lab, &run->conn) == 0 ? -1 : CLI_CONNECT;
    while (code < 0 && !run->is_connected && !run->is_lost) {
        code = lab_turn(&run->lab, TERN_SEC);
    }
    if (code >= 0 || run->is_lost) {
        return code >= 0 ? code : CLI_CONNECT;
    }
    proto_write_request(&request, octets);
    if (tern_conn_open_stream(run->conn, TERN_STREAM_BIDI, &run->stream) != 0 ||
        tern_stream_write(run->stream, octets, sizeof octets, 0) != (ptrdiff_t)sizeof octets) {
        return CLI_CONNECT;
    }
    return -1;
}

static int measure(struct run *run, struct report *r)
{
    const struct options *o = run->options;
    struct proto_figures before, after;
    int code = lab_ask(&run->lab, false, &before);
    uint64_t cpu = system_cpu(), calls = node_syscalls(&run->lab.node);
    tern_time start = tern_udp_now();
    run->until = start + (o->time == 0 ? 5 * TERN_SEC : o->time);
    run->most = o->count == 0 ? UINT64_MAX : o->count;
    ask(run);
    while (code < 0 && !run->is_over && !run->is_lost) {
        code = lab_turn(&run->lab, TERN_SEC);
    }
    r->seconds = (double)(tern_udp_now() - start) / 1e9;
    r->sender_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    r->syscalls = (double)(node_syscalls(&run->lab.node) - calls);
    code = code < 0 && run->is_lost ? CLI_CONNECT : code;
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    if (code >= 0) {
        return code;
    }
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(run->conn, &stats);
    r->count = (double)run->done;
    r->per_second = r->count / r->seconds;
    r->bytes = 2 * r->count * (double)o->size;
    r->receiver_cpu_s = (double)(after.cpu_ns - before.cpu_ns) / 1e9;
    r->packets_sent = (double)stats.packets_sent;
    r->packets_lost = (double)stats.packets_lost;
    r->datagram_bytes = (double)stats.datagram_size;
    r->cipher = tern_suite_name(stats.suite);
    r->rss_bytes = (double)system_rss();
    report_quantiles(&r->latency_ms, run->samples,
                     (size_t)(run->done < SAMPLES_MAX ? run->done : SAMPLES_MAX));
    return CLI_OK;
}

int rr_run(const struct options *o)
{
    static struct run run;
    struct report report;
    tern_config config;
    report_init(&report, o);
    options_config(&config, o);
    run.options = o;
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    if (run.samples == NULL) {
        cli_error("memory", "too little", NULL);
        return CLI_LOCAL;
    }
    int code = lab_open(&run.lab, o, &config, on_event, &run);
    code = code < 0 ? open_stream(&run) : code;
    code = code < 0 ? measure(&run, &report) : code;
    if (code == CLI_OK) {
        cli_note("%.0f requests of %llu bytes in %.1f s: p50 %.1f us, p95 %.1f us, p99 %.1f us, "
                 "max %.1f us",
                 report.count, (unsigned long long)o->size, report.seconds,
                 1e3 * report.latency_ms.p50, 1e3 * report.latency_ms.p95,
                 1e3 * report.latency_ms.p99, 1e3 * report.latency_ms.max);
    }
    if (code == CLI_OK && o->json) {
        report_print(&report);
    }
    lab_close(&run.lab);
    free(run.samples);
    return code;
}
