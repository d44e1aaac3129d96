/* One request after the other: the time until the answer.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "shared/cli.h"
#include "ternperf/echo.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define SAMPLES_MAX 2000000u
#define RAW_MAX     60000u /* bytes that one datagram takes with all that is around them */

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
    uint64_t *raw; /* of bare UDP, before and after; NULL: not by --loopback */
    size_t raw_count;
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
        run->is_lost = run->lab.is_lost = true;
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
    struct lab_visit visit = {&run->conn, &run->stream, &run->is_connected, &run->is_lost};
    return lab_begin(&run->lab, &visit, &request);
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
    if (code < 0) {
        ask(run);
    }
    while (code < 0 && !run->is_over) {
        code = lab_turn(&run->lab, TERN_SEC);
    }
    r->seconds = (double)(tern_udp_now() - start) / 1e9;
    r->sender_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    r->syscalls = (double)(node_syscalls(&run->lab.node) - calls);
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

/* --- bare UDP ------------------------------------------------------------------------------------------ */

/* Half of them before and half after, since machines are not the same from one second to the next. Without
 * it there is no ratio to tell, but nothing else is amiss. */
static void measure_raw(struct run *run)
{
    const struct options *o = run->options;
    uint64_t time = o->time != 0 ? o->time : o->count != 0 ? TERN_SEC : 5 * TERN_SEC;
    struct echo_plan plan = {.size = (size_t)o->size,
                             .suite = options_best_suite(o->suites),
                             .duration = time / 4,
                             .is_busy = o->busy_poll};
    if (run->raw == NULL) {
        return;
    }
    if (o->size > RAW_MAX || echo_measure(&plan, run->raw, &run->raw_count, SAMPLES_MAX) != 0) {
        free(run->raw);
        run->raw = NULL;
    }
}

static void compare(struct run *run, struct report *r)
{
    if (run->raw != NULL) {
        report_quantiles(&r->raw_latency_ms, run->raw, run->raw_count);
        r->p50_over_raw = r->latency_ms.p50 / r->raw_latency_ms.p50;
        r->p99_over_raw = r->latency_ms.p99 / r->raw_latency_ms.p99;
    }
}

static void tell(const struct run *run, const struct report *r)
{
    cli_note("%.0f requests of %llu bytes in %.1f s: p50 %.1f us, p95 %.1f us, p99 %.1f us, "
             "max %.1f us",
             r->count, (unsigned long long)run->options->size, r->seconds, 1e3 * r->latency_ms.p50,
             1e3 * r->latency_ms.p95, 1e3 * r->latency_ms.p99, 1e3 * r->latency_ms.max);
    if (run->raw != NULL) {
        cli_note("by bare UDP with the cipher p50 %.1f us, p99 %.1f us: %.2f and %.2f times that",
                 1e3 * r->raw_latency_ms.p50, 1e3 * r->raw_latency_ms.p99, r->p50_over_raw,
                 r->p99_over_raw);
    }
}

static int run_all(struct run *run, struct report *r)
{
    const struct options *o = run->options;
    tern_config config;
    options_config(&config, o);
    measure_raw(run);
    int code = lab_open(&run->lab, o, &config, on_event, run);
    code = code < 0 ? open_stream(run) : code;
    code = code < 0 ? measure(run, r) : code;
    lab_close(&run->lab);
    if (code == CLI_OK) {
        measure_raw(run);
        compare(run, r);
        tell(run, r);
    }
    return code;
}

int rr_run(const struct options *o)
{
    static struct run run;
    struct report report;
    int code = CLI_LOCAL;
    report_init(&report, o);
    run.options = o;
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    run.raw = o->loopback ? malloc(SAMPLES_MAX * sizeof *run.raw) : NULL;
    if (run.samples == NULL || (o->loopback && run.raw == NULL)) {
        cli_error("memory", "too little", NULL);
    } else {
        code = run_all(&run, &report);
    }
    if (code == CLI_OK && o->json) {
        report_print(&report);
    }
    free(run.samples);
    free(run.raw);
    return code;
}
