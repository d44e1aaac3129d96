/* Connections that do nothing: what each holds of the heap, and what keeping them alive takes.
 * SPDX-License-Identifier: MIT */
#include "shared/cli.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define SETTLE (4 * TERN_SEC) /* after the last was opened: until nothing is left to say */

struct run {
    struct lab lab;
    uint64_t wanted, begun, connected, failed;
    bool is_open; /* all are there: from now on none should go */
};

static void on_event(void *user, const tern_event *event)
{
    struct run *run = user;
    run->connected += event->type == TERN_EVENT_CONNECTED ? 1 : 0;
    if (event->type == TERN_EVENT_CLOSED) {
        run->failed++;
        cli_verbose(1, "a connection ended: %s", tern_strerror(event->close.error));
    }
}

static int open_all(struct run *run, const struct options *o)
{
    int code = -1;
    while (code < 0 && run->connected + run->failed < run->wanted) {
        while (run->begun < run->wanted &&
               run->begun - run->connected - run->failed < o->connections) {
            tern_conn *conn;
            int rc = lab_connect(&run->lab, &conn);
            if (rc != 0) {
                cli_error("connecting", tern_strerror(rc), NULL);
                return CLI_LOCAL;
            }
            run->begun++;
        }
        code = lab_turn(&run->lab, 100 * TERN_MSEC);
    }
    return code;
}

static int wait_for(struct run *run, tern_time duration)
{
    int code = -1;
    tern_time now = tern_udp_now(), until = now + duration;
    while (code < 0 && now < until) {
        code = lab_turn(&run->lab, until - now);
        now = tern_udp_now();
    }
    return code;
}

static void tell(const struct report *r)
{
    cli_note("%.0f connections; heap of each: server %.0f bytes, client %.0f bytes", r->count,
             r->heap_bytes_per_conn, r->client_heap_bytes_per_conn);
    cli_note("in %.1f s of keepalive: server %.1f %% of a core, client %.1f %%", r->seconds,
             100 * r->receiver_cpu_share, 100 * r->sender_cpu_share);
}

static int measure(struct run *run, const struct options *o, struct report *r)
{
    struct proto_figures empty, before, after;
    int code = lab_ask(&run->lab, false, &empty);
    uint64_t own_heap = run->lab.node.heap.bytes;
    tern_time start = tern_udp_now();
    code = code < 0 ? open_all(run, o) : code;
    r->per_second = (double)run->wanted * 1e9 / (double)(tern_udp_now() - start);
    code = code < 0 ? wait_for(run, SETTLE) : code;
    code = code < 0 ? lab_ask(&run->lab, false, &before) : code;
    uint64_t cpu = system_cpu();
    start = tern_udp_now();
    code = code < 0 ? wait_for(run, o->time == 0 ? o->keepalive : o->time) : code;
    r->seconds = (double)(tern_udp_now() - start) / 1e9;
    r->sender_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    if (code >= 0) {
        return code;
    }
    if (run->failed == run->wanted) {
        cli_error("no connection stayed", NULL, NULL);
        return CLI_CONNECT;
    }
    r->count = (double)(run->wanted - run->failed);
    r->failed = (double)run->failed;
    r->heap_bytes_per_conn = (double)(after.heap_bytes - empty.heap_bytes) / r->count;
    r->client_heap_bytes_per_conn = (double)(run->lab.node.heap.bytes - own_heap) / r->count;
    r->receiver_cpu_s = (double)(after.cpu_ns - before.cpu_ns) / 1e9;
    r->sender_cpu_share = r->sender_cpu_s / r->seconds;
    r->receiver_cpu_share = r->receiver_cpu_s / r->seconds;
    r->packets_sent = (double)(after.datagrams_sent - before.datagrams_sent);
    r->syscalls = (double)(after.syscalls - before.syscalls);
    r->rss_bytes = (double)after.rss_bytes;
    return run->failed > 0 ? CLI_PARTIAL : CLI_OK;
}

int idle_run(const struct options *o)
{
    static struct run run;
    struct report report;
    tern_config config;
    report_init(&report, o);
    options_config(&config, o);
    run.wanted = o->count == 0 ? 1000 : o->count;
    config.max_connections = (size_t)run.wanted + 1;
    config.keepalive = o->keepalive;
    /* A short one is for tests, and a machine may stand still for longer than that. */
    config.idle_timeout = TERN_SEC * 10 > 3 * o->keepalive ? TERN_SEC * 10 : 3 * o->keepalive;
    int code = lab_open(&run.lab, o, &config, on_event, &run);
    if (code < 0) {
        report_path(&report, run.lab.control);
        code = measure(&run, o, &report);
        if (code <= CLI_PARTIAL) {
            report_say(&report, o, tell);
        }
    }
    lab_close(&run.lab);
    return code;
}
