/* Handshakes, as many as go: what each costs the server, beside the arithmetic that cannot be spared.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define OPERATIONS  4 /* of X25519 on each side: an ephemeral key, and three products */
#define SAMPLES_MAX 1000000u
/* A client is connected before its last message has left. It stays for so long, that the server has it
 * and has said so. */
#define STAY (20 * TERN_MSEC)

struct visit {
    tern_conn *conn; /* NULL: it is over */
    tern_time began, connected;
    struct visit *next; /* of those that stay, in the order of leaving */
};

struct run {
    struct lab lab;
    struct visit *first, *last;
    uint64_t under_way, begun, connected, failed;
    uint64_t *samples;
    const char *cipher;
};

static void on_connected(struct run *run, struct visit *visit)
{
    visit->connected = tern_udp_now();
    if (run->connected < SAMPLES_MAX) {
        run->samples[run->connected] = visit->connected - visit->began;
    }
    run->connected++;
    run->under_way--;
    if (run->last != NULL) {
        run->last->next = visit;
    } else {
        run->first = visit;
    }
    run->last = visit;
}

static void on_event(void *user, const tern_event *event)
{
    struct run *run = user;
    struct visit *visit = tern_conn_user(event->conn);
    if (visit == NULL) { /* it was told to leave */
        return;
    }
    if (event->type == TERN_EVENT_CONNECTED) {
        on_connected(run, visit);
    } else if (event->type == TERN_EVENT_CLOSED) {
        run->failed++;
        tern_conn_set_user(event->conn, NULL);
        if (visit->connected != 0) {
            visit->conn = NULL; /* it went before its time; the queue still has it */
            return;
        }
        run->under_way--;
        free(visit);
    }
}

static void leave(struct run *run, tern_time now)
{
    while (run->first != NULL && run->first->connected + STAY <= now) {
        struct visit *visit = run->first;
        run->first = visit->next;
        run->last = run->first == NULL ? NULL : run->last;
        if (visit->conn != NULL) {
            tern_conn_set_user(visit->conn, NULL);
            tern_conn_close(visit->conn, 0, "");
        }
        free(visit);
    }
}

static bool begin(struct run *run)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL) {
        return false;
    }
    visit->began = tern_udp_now();
    if (lab_connect(&run->lab, &visit->conn) != 0) {
        free(visit);
        return false;
    }
    tern_conn_set_user(visit->conn, visit);
    run->under_way++;
    run->begun++;
    return true;
}

/* Until time or number is reached, and then until nobody is left. -1 or the exit code. */
static int visit_all(struct run *run, const struct options *o)
{
    tern_time start = tern_udp_now();
    tern_time until = start + (o->time == 0 ? 5 * TERN_SEC : o->time);
    uint64_t most = o->count == 0 ? UINT64_MAX : o->count;
    int code = -1;
    bool is_open = true;
    while (code < 0 && (is_open || run->under_way > 0 || run->first != NULL)) {
        tern_time now = tern_udp_now();
        leave(run, now);
        is_open = now < until && run->begun < most;
        while (is_open && run->under_way < o->connections && run->begun < most) {
            is_open = begin(run);
        }
        code = lab_turn(&run->lab, TERN_MSEC);
    }
    return code;
}

static void tell(const struct report *r)
{
    cli_note("%.0f handshakes in %.1f s: %.0f a second", r->count, r->seconds, r->per_second);
    cli_note("server: %.1f us of processor time each, that is %.0f a second and core",
             r->cpu_us_each, 1e6 / r->cpu_us_each);
    cli_note("X25519 %.1f us here; %d of them: %.1f us, so that the server reaches %.2f of what "
             "they allow",
             r->x25519_us, OPERATIONS, OPERATIONS * r->x25519_us, r->share_of_limit);
    cli_note("until connected: p50 %.2f ms, p99 %.2f ms", r->latency_ms.p50, r->latency_ms.p99);
}

static int measure(struct run *run, const struct options *o, struct report *r)
{
    struct proto_figures before, after, x25519;
    int code = lab_ask(&run->lab, true, &before);
    uint64_t cpu = system_cpu();
    tern_time start = tern_udp_now();
    code = code < 0 ? visit_all(run, o) : code;
    r->seconds = (double)(tern_udp_now() - start) / 1e9;
    r->sender_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    code = code < 0 ? lab_ask(&run->lab, true, &x25519) : code;
    if (code >= 0) {
        return code;
    }
    if (after.accepted <= before.accepted) {
        cli_error("no handshake came through", NULL, NULL);
        return CLI_CONNECT;
    }
    r->count = (double)(after.accepted - before.accepted);
    r->failed = (double)run->failed;
    r->per_second = r->count / r->seconds;
    r->receiver_cpu_s = (double)(after.cpu_ns - before.cpu_ns) / 1e9;
    r->cpu_us_each = r->receiver_cpu_s * 1e6 / r->count;
    r->x25519_us = (double)(before.x25519_ns + x25519.x25519_ns) / 2e3;
    r->share_of_limit = OPERATIONS * r->x25519_us / r->cpu_us_each;
    r->packets_sent = (double)(after.datagrams_sent - before.datagrams_sent);
    r->syscalls = (double)(after.syscalls - before.syscalls);
    r->rss_bytes = (double)after.rss_bytes;
    report_quantiles(&r->latency_ms, run->samples,
                     (size_t)(run->connected < SAMPLES_MAX ? run->connected : SAMPLES_MAX));
    return run->failed > 0 ? CLI_PARTIAL : CLI_OK;
}

int handshakes_run(const struct options *o)
{
    static struct run run;
    struct report report;
    tern_config config;
    report_init(&report, o);
    options_config(&config, o);
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    if (run.samples == NULL) {
        cli_error("memory", "too little", NULL);
        return CLI_LOCAL;
    }
    int code = lab_open(&run.lab, o, &config, on_event, &run);
    if (code < 0) {
        report_path(&report, run.lab.control);
        code = measure(&run, o, &report);
        if (code <= CLI_PARTIAL) {
            report_say(&report, o, tell);
        }
    }
    lab_close(&run.lab);
    free(run.samples);
    return code;
}
