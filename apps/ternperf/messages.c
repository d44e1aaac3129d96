/* Messages over one connection, one way: as many as go, or so many a second and how late they come.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <tern/message.h>

#include "shared/cli.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#define PRIORITY 3
#define AHEAD    (256u * 1024) /* bytes that wait to leave: more would only grow old */
#define BATCH    32            /* messages between two looks at what waits */
#define BATCHES  32            /* in a turn */
#define CHANNELS (BATCH * BATCHES)
#define TURN     (10 * TERN_MSEC)
#define PATIENCE (10 * TERN_SEC) /* with what is under way at the end */

struct run {
    struct lab lab;
    const struct options *options;
    tern_conn *conn;
    tern_stream *stream; /* over which the server tells what has come */
    bool is_connected, is_lost, is_closed;
    tern_send_options how;
    tern_time start, until;
    uint64_t most, sent; /* messages */
    uint64_t allocations;
    size_t have; /* octets of the answer */
    uint8_t answer[1 + PROTO_TALLY_SIZE];
    uint8_t payload[65536];
};

static void read_answer(struct run *run)
{
    ptrdiff_t n = 1;
    while (n > 0 && run->have < sizeof run->answer) {
        n = tern_stream_read(run->stream, run->answer + run->have, sizeof run->answer - run->have);
        run->have += n > 0 ? (size_t)n : 0;
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
        read_answer(run);
    }
}

/* Turns until so many octets of the answer are there. -1 or the exit code. */
static int await_answer(struct run *run, size_t len)
{
    int code = -1;
    tern_time until = tern_udp_now() + PATIENCE;
    while (code < 0 && run->have < len) {
        code = lab_turn(&run->lab, TERN_SEC);
        if (code < 0 && (run->is_lost || tern_udp_now() > until)) {
            cli_error("the server", "does not answer", "is it a ternperf of the same version?");
            code = CLI_CONNECT;
        }
    }
    return code;
}

/* Connects and asks the server to count. -1 or the exit code. */
static int begin(struct run *run)
{
    const struct options *o = run->options;
    struct proto_request request = {.command = PROTO_MESSAGES, .a = o->per_second > 0};
    struct lab_visit visit = {&run->conn, &run->stream, &run->is_connected, &run->is_lost};
    int code = lab_begin(&run->lab, &visit, &request);
    return code >= 0 ? code : await_answer(run, 1);
}

/* When the next one is due; 0: at once. */
static tern_time due_at(const struct run *run)
{
    uint64_t rate = run->options->per_second;
    uint64_t second = rate > 0 ? run->sent / rate : 0, rest = rate > 0 ? run->sent % rate : 0;
    return rate > 0 ? run->start + second * TERN_SEC + rest * TERN_SEC / rate : 0;
}

/* One after another as long as they are due and wanted. False: the send buffer is full, or all is done. */
static bool send_batch(struct run *run, tern_time now)
{
    size_t size = (size_t)run->options->size;
    for (unsigned i = 0; i < BATCH; i++) {
        tern_time due = due_at(run);
        if (due > now || run->sent == run->most) {
            return false;
        }
        if (due > 0 &&
            size >= PROTO_STAMP_SIZE) { /* when it should leave, so that being late counts */
            proto_write_stamp(due, run->payload);
        }
        if (run->how.order == TERN_LATEST) { /* of one channel they would replace one another */
            run->how.channel = (uint32_t)(run->sent % CHANNELS);
        }
        if (tern_conn_send(run->conn, run->payload, size, &run->how, now) != 0) {
            return false;
        }
        run->sent++;
    }
    return true;
}

/* Enough waits. Of the latest kind that is anything: the next round would replace it. */
static bool has_queue(const struct run *run, tern_time now)
{
    uint64_t most = run->options->kind == KIND_LATEST ? 1 : AHEAD;
    return tern_conn_queued(run->conn, PRIORITY, NULL, now) >= most;
}

/* How long the next turn may wait for the network. */
static tern_time send_on(struct run *run)
{
    tern_time now = tern_udp_now();
    bool has_more = now < run->until, is_ahead = has_queue(run, now);
    for (unsigned i = 0; i < BATCHES && has_more && !is_ahead; i++) {
        has_more = send_batch(run, now);
        is_ahead = run->options->kind != KIND_LATEST && has_queue(run, now);
    }
    if (is_ahead) {
        return TURN;
    }
    tern_time due = due_at(run);
    if (has_more || (due > 0 && due <= now)) {
        return 0;
    }
    return due > 0 && due - now < TURN ? due - now : TURN;
}

static tern_stats look(const struct run *run)
{
    tern_stats stats = {.size = sizeof stats};
    tern_conn_stats(run->conn, &stats);
    return stats;
}

/* All messages have an end, one or the other. */
static bool is_settled(const struct run *run)
{
    tern_stats s = look(run);
    return s.messages_acked + s.messages_expired + s.messages_lost >= run->sent;
}

static int transfer(struct run *run)
{
    int code = -1;
    uint64_t warm = 0;
    bool is_warm = false, is_up = false;
    while (code < 0 && !run->is_lost && !is_up) {
        tern_time timeout = send_on(run);
        code = lab_turn(&run->lab, timeout);
        tern_time now = tern_udp_now();
        is_up = now >= run->until || run->sent == run->most;
        if (!is_warm && now >= run->start + (run->until - run->start) / 2) {
            is_warm = true; /* the second half is to need no memory that the first had not */
            warm = run->lab.node.heap.calls;
        }
    }
    run->allocations = is_warm ? run->lab.node.heap.calls - warm : 0;
    tern_time until = tern_udp_now() + PATIENCE;
    while (code < 0 && !run->is_lost && !is_settled(run) && tern_udp_now() < until) {
        code = lab_turn(&run->lab, TURN);
    }
    return run->is_lost ? CLI_CONNECT : code;
}

/* What the server has counted. */
static int conclude(struct run *run, struct proto_tally *tally)
{
    ptrdiff_t n = tern_stream_write(run->stream, NULL, 0, TERN_FIN);
    int code = n == 0 ? await_answer(run, sizeof run->answer) : CLI_CONNECT;
    if (code < 0) {
        proto_read_tally(tally, run->answer + 1);
    }
    return code;
}

static void fill_report(const struct run *run, const struct proto_tally *tally, struct report *r)
{
    tern_stats stats = look(run);
    r->cipher = tern_suite_name(stats.suite);
    r->count = (double)tally->count;
    r->failed = (double)(run->sent - tally->count);
    r->bytes = (double)tally->bytes;
    r->per_second = r->count / r->seconds;
    r->goodput_bps = r->bytes * 8 / r->seconds;
    r->packets_sent = (double)stats.packets_sent;
    r->packets_lost = (double)stats.packets_lost;
    r->datagram_bytes = (double)stats.datagram_size;
    r->rss_bytes = (double)system_rss();
    r->allocations = (double)run->allocations;
    if (tally->samples > 0 && run->options->loopback) { /* else there are two clocks */
        r->latency_ms.p50 = (double)tally->p50 / 1e6;
        r->latency_ms.p95 = (double)tally->p95 / 1e6;
        r->latency_ms.p99 = (double)tally->p99 / 1e6;
        r->latency_ms.max = (double)tally->max / 1e6;
    }
}

static int measure(struct run *run, struct report *r)
{
    const struct options *o = run->options;
    struct proto_figures before, after;
    struct proto_tally tally = {0};
    int code = lab_ask(&run->lab, false, &before);
    uint64_t cpu = system_cpu(), calls = node_syscalls(&run->lab.node);
    run->start = tern_udp_now();
    run->until = run->start + (o->time == 0 ? 5 * TERN_SEC : o->time);
    run->most = o->count == 0 ? UINT64_MAX : o->count;
    code = code < 0 ? transfer(run) : code;
    r->seconds = (double)(tern_udp_now() - run->start) / 1e9;
    r->sender_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    r->syscalls = (double)(node_syscalls(&run->lab.node) - calls);
    code = code < 0 ? lab_ask(&run->lab, false, &after) : code;
    code = code < 0 ? conclude(run, &tally) : code;
    if (code >= 0) {
        return code;
    }
    r->receiver_cpu_s = (double)(after.cpu_ns - before.cpu_ns) / 1e9;
    fill_report(run, &tally, r);
    return CLI_OK;
}

static void choose(tern_send_options *how, enum options_kind kind)
{
    tern_send_options_init(how);
    how->priority = PRIORITY;
    bool is_reliable = kind == KIND_RELIABLE || kind == KIND_ORDERED;
    how->reliability = is_reliable ? TERN_RELIABLE : TERN_UNRELIABLE;
    how->order = kind == KIND_ORDERED  ? TERN_ORDERED
                 : kind == KIND_LATEST ? TERN_LATEST
                                       : TERN_UNORDERED;
}

static void tell(const struct report *r)
{
    cli_note("%.0f messages in %.2f s, %.0f a second, %.0f did not come; processor ns each: sender "
             "%.0f, receiver %.0f",
             r->count, r->seconds, r->per_second, r->failed, r->sender_cpu_s * 1e9 / r->count,
             r->receiver_cpu_s * 1e9 / r->count);
    cli_note("%s, %s, datagrams of %.0f bytes; lost %.0f of %.0f; %.0f allocations in the second "
             "half",
             r->cipher, r->cc, r->datagram_bytes, r->packets_lost, r->packets_sent, r->allocations);
    if (!isnan(r->latency_ms.p50)) {
        cli_note("from when each was due to its receipt: p50 %.1f us, p95 %.1f us, p99 %.1f us, "
                 "max %.1f us",
                 1e3 * r->latency_ms.p50, 1e3 * r->latency_ms.p95, 1e3 * r->latency_ms.p99,
                 1e3 * r->latency_ms.max);
    }
}

int messages_run(const struct options *o)
{
    static struct run run;
    struct report report;
    tern_config config;
    report_init(&report, o);
    options_config(&config, o);
    run.options = o;
    choose(&run.how, o->kind);
    int code = lab_open(&run.lab, o, &config, on_event, &run);
    code = code < 0 ? begin(&run) : code;
    code = code < 0 ? measure(&run, &report) : code;
    if (code == CLI_OK) {
        report_say(&report, o, tell);
    }
    lab_close(&run.lab);
    return code;
}
