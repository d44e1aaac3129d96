/* Runs several senders through one bottleneck in virtual time, and counts what arrives.
 * SPDX-License-Identifier: MIT */
#include "sim/flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/invariants.h"
#include "sim/kit.h"

#define CHUNK       16384
#define SERIES_STEP (100 * TERN_MSEC)

struct flow {
    size_t number;
    tern_sim_host *client, *server;
    tern_conn *conn; /* the client's; NULL before the start and after the end */
    tern_stream *stream;
    uint64_t read, read_before, read_told;
    uint64_t left; /* to write */
    tern_time read_at;
    bool is_started, is_connected, is_quiet;
    const char *error;
};

struct crowd {
    const struct flows_plan *plan;
    tern_sim *sim;
    tern_link *forth;
    tern_nat *nat;
    struct flow flows[FLOWS_MAX];
    tern_time begun, next_line;
};

void flows_plan_init(struct flows_plan *plan, const char *name, uint64_t seed)
{
    memset(plan, 0, sizeof *plan);
    plan->name = name;
    plan->seed = seed;
    tern_link_config_init(&plan->bottleneck);
    tern_nat_config_init(&plan->nat);
    plan->bottleneck.rate = 50000000;
    plan->bottleneck.queue = 250000;
    plan->bottleneck.overhead = 28;
    plan->duration = 60 * TERN_SEC;
    plan->settle = 30 * TERN_SEC;
    plan->check_every = 1000;
}

struct flow_plan *flows_add(struct flows_plan *plan, const char *cc, tern_time delay)
{
    struct flow_plan *flow = &plan->flows[plan->count++];
    *flow = (struct flow_plan){.cc = cc, .delay = delay};
    return flow;
}

/* --- building --- */

static void trace_line(void *user, const tern_trace_event *event)
{
    const struct flow *flow = user;
    tern_trace_event copy = *event;
    char line[600];
    copy.conn_number = flow->number; /* each endpoint has but one, and calls it 0 */
    (void)tern_trace_text(&copy, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

static int add_host(struct crowd *crowd, size_t i, bool is_server, tern_sim_host **out)
{
    tern_config config;
    uint8_t key[TERN_KEY_SIZE];
    tern_addr addr = {.family = 4,
                      .ip = {10, is_server ? 2 : 1, 0, (uint8_t)(i + 1)},
                      .port = is_server ? 4433 : 1000};
    for (size_t k = 0; k < sizeof key; k++) {
        key[k] = (uint8_t)(crowd->plan->seed * 31 + i * 7 + k * 3 + is_server);
    }
    tern_config_init(&config);
    config.suites = REPLAY_SUITES;
    config.secret_key = key;
    config.accept = is_server;
    config.cc = crowd->plan->flows[i].cc;
    if (crowd->plan->send_buffer > 0) {
        config.stream_send_buffer = crowd->plan->send_buffer;
    }
    if (crowd->plan->window > 0) {
        config.stream_window = config.conn_window = crowd->plan->window;
    }
    if (crowd->plan->window_max > 0) {
        config.stream_window_max = config.conn_window_max = crowd->plan->window_max;
    }
    if (getenv("TERN_TRACE") != NULL) {
        config.trace = (tern_trace_sink){.event = trace_line, .user = &crowd->flows[i]};
    }
    return tern_sim_add_host(crowd->sim, &addr, &config, out);
}

static int add_flow(struct crowd *crowd, size_t i)
{
    const struct flow_plan *plan = &crowd->plan->flows[i];
    struct flow *flow = &crowd->flows[i];
    tern_link_config forth, back;
    flow->number = i;
    flow->left = plan->bytes > 0 ? plan->bytes : UINT64_MAX;
    tern_link_config_init(&forth);
    forth.delay = plan->delay;
    back = forth;
    forth.loss = plan->loss;
    int rc = add_host(crowd, i, false, &flow->client);
    if (rc == 0) {
        rc = add_host(crowd, i, true, &flow->server);
    }
    if (rc == 0) {
        rc = tern_sim_connect_through(crowd->sim, flow->client, flow->server, &forth, &back,
                                      crowd->forth, NULL);
    }
    if (rc == 0 && crowd->nat != NULL) {
        rc = tern_sim_put_behind(crowd->sim, flow->client, crowd->nat);
    }
    return rc;
}

static int build(struct crowd *crowd)
{
    int rc = tern_sim_new(&crowd->sim, crowd->plan->seed);
    if (rc == 0) {
        rc = tern_sim_add_bottleneck(crowd->sim, &crowd->plan->bottleneck, &crowd->forth);
    }
    if (rc == 0 && crowd->plan->has_nat) {
        rc = tern_sim_add_nat(crowd->sim, &crowd->plan->nat, &crowd->nat);
    }
    for (size_t i = 0; rc == 0 && i < crowd->plan->count; i++) {
        rc = add_flow(crowd, i);
    }
    return rc;
}

/* --- one flow --- */

static int start_flow(struct crowd *crowd, struct flow *flow)
{
    uint8_t key[TERN_KEY_SIZE];
    tern_peer peer;
    tern_peer_init(&peer);
    peer.addr = tern_sim_host_addr(flow->server);
    tern_endpoint_public_key(tern_sim_host_endpoint(flow->server), key);
    peer.key = key;
    peer.path = crowd->plan->flows[flow->number].memory.volume > 0
                    ? &crowd->plan->flows[flow->number].memory
                    : NULL;
    flow->is_started = true;
    return tern_endpoint_connect(tern_sim_host_endpoint(flow->client), &peer, &flow->conn,
                                 tern_sim_now(crowd->sim));
}

static void write_some(struct flow *flow)
{
    static const uint8_t zeros[CHUNK];
    ptrdiff_t n = flow->stream != NULL && !flow->is_quiet ? 1 : 0;
    while (n > 0 && flow->left > 0) {
        size_t len = flow->left < sizeof zeros ? (size_t)flow->left : sizeof zeros;
        n = tern_stream_write(flow->stream, zeros, len, len == flow->left ? TERN_FIN : 0);
        flow->left -= n > 0 ? (uint64_t)n : 0;
    }
    if (n < 0) {
        flow->error = tern_strerror((int)n);
    }
}

static void read_some(struct flow *flow, tern_stream *stream, tern_time now)
{
    const uint8_t *data;
    size_t len;
    while (tern_stream_peek(stream, &data, &len) == 0 && len > 0) {
        flow->read += len;
        flow->read_at = now;
        if (tern_stream_consume(stream, len) != 0) {
            flow->error = "consume failed";
            return;
        }
    }
}

static void on_client_event(struct flow *flow, const tern_event *event)
{
    if (event->type == TERN_EVENT_CONNECTED) {
        flow->is_connected = true;
        if (tern_conn_open_stream(event->conn, TERN_STREAM_UNI, &flow->stream) != 0) {
            flow->error = "no stream could be opened";
        }
        write_some(flow);
    } else if (event->type == TERN_EVENT_STREAM_WRITABLE) {
        write_some(flow);
    } else if (event->type == TERN_EVENT_CLOSED) {
        flow->conn = NULL;
        flow->stream = NULL;
        flow->error = tern_strerror(event->close.error);
    }
}

static void poll_flow(struct flow *flow, tern_time now)
{
    tern_event event;
    while (tern_endpoint_poll(tern_sim_host_endpoint(flow->client), &event) == 1) {
        on_client_event(flow, &event);
    }
    while (tern_endpoint_poll(tern_sim_host_endpoint(flow->server), &event) == 1) {
        if (event.type == TERN_EVENT_STREAM_READABLE) {
            read_some(flow, event.stream, now);
        }
    }
}

/* --- running --- */

static tern_time sooner(tern_time a, tern_time b)
{
    return a < b ? a : b;
}

/* Does what the plan has for one flow at this moment, and says when it has more. */
static tern_time direct(struct crowd *crowd, size_t i, tern_time at)
{
    const struct flow_plan *plan = &crowd->plan->flows[i];
    struct flow *flow = &crowd->flows[i];
    tern_time next = TERN_TIME_NEVER;
    if (!flow->is_started && at >= plan->start && start_flow(crowd, flow) != 0) {
        flow->error = "connect failed";
    }
    flow->is_quiet = at >= plan->quiet_from && at < plan->quiet_until;
    if (at == plan->quiet_until) {
        write_some(flow);
    }
    next = at < plan->start ? sooner(next, plan->start) : next;
    next = at < plan->quiet_from ? sooner(next, plan->quiet_from) : next;
    return at < plan->quiet_until ? sooner(next, plan->quiet_until) : next;
}

static void print_line(struct crowd *crowd, tern_time at)
{
    FILE *out = crowd->plan->series;
    tern_link_counters counters = {.size = sizeof counters};
    tern_link_stats(crowd->forth, &counters);
    (void)fprintf(out, "%.1f %zu", (double)at / 1e9, counters.queue_now);
    for (size_t i = 0; i < crowd->plan->count; i++) {
        struct flow *flow = &crowd->flows[i];
        uint64_t bits = (flow->read - flow->read_told) * 8;
        (void)fprintf(out, " %.3f", (double)bits / ((double)SERIES_STEP / 1e9) / 1e6);
        flow->read_told = flow->read;
    }
    (void)fputc('\n', out);
}

/* The same for all of them, and a line of the series; a moment of the world. */
static tern_time direct_all(struct crowd *crowd)
{
    tern_time at = tern_sim_now(crowd->sim) - crowd->begun;
    tern_time next = TERN_TIME_NEVER;
    /* At the first moment after it is due: to stop for it would make another world. */
    for (; crowd->plan->series != NULL && at >= crowd->next_line; crowd->next_line += SERIES_STEP) {
        print_line(crowd, crowd->next_line);
    }
    for (size_t i = 0; i < crowd->plan->count; i++) {
        next = sooner(next, direct(crowd, i, at));
    }
    return next == TERN_TIME_NEVER ? next : crowd->begun + next;
}

static const char *look(const struct crowd *crowd)
{
    const char *broken = NULL;
    for (size_t i = 0; i < crowd->plan->count && broken == NULL; i++) {
        if (crowd->flows[i].conn != NULL) {
            broken = invariants_broken(crowd->flows[i].conn, tern_sim_now(crowd->sim));
        }
    }
    return broken;
}

static bool is_all_read(const struct crowd *crowd)
{
    size_t i = 0;
    while (i < crowd->plan->count && crowd->plan->flows[i].bytes > 0 &&
           crowd->flows[i].read >= crowd->plan->flows[i].bytes) {
        i++;
    }
    return i == crowd->plan->count;
}

static bool has_error(const struct crowd *crowd)
{
    size_t i = 0;
    while (i < crowd->plan->count && crowd->flows[i].error == NULL) {
        i++;
    }
    return i < crowd->plan->count;
}

/* False: something went wrong. */
static bool run_until(struct crowd *crowd, tern_time until, struct flows_result *result)
{
    for (uint64_t steps = 1; tern_sim_now(crowd->sim) < until && !is_all_read(crowd); steps++) {
        if (tern_sim_step(crowd->sim, sooner(direct_all(crowd), until)) < 0) {
            return false;
        }
        for (size_t i = 0; i < crowd->plan->count; i++) {
            poll_flow(&crowd->flows[i], tern_sim_now(crowd->sim) - crowd->begun);
        }
        if (crowd->plan->check_every > 0 && steps % crowd->plan->check_every == 0) {
            result->broken = look(crowd);
        }
        if (result->broken != NULL || has_error(crowd)) {
            return false;
        }
    }
    return true;
}

static void collect(struct crowd *crowd, struct flows_result *result)
{
    for (size_t i = 0; i < crowd->plan->count; i++) {
        struct flow *flow = &crowd->flows[i];
        result->flows[i].bytes = flow->read - flow->read_before;
        result->flows[i].total = flow->read;
        result->flows[i].read_at = flow->read_at;
        result->flows[i].is_connected = flow->is_connected;
        result->flows[i].sender.size = sizeof(tern_stats);
        if (flow->conn != NULL) {
            tern_conn_stats(flow->conn, &result->flows[i].sender);
            int rc = tern_conn_path_memory(flow->conn, &result->flows[i].memory);
            (void)rc; /* too little: no volume */
        }
    }
    result->bottleneck.size = sizeof result->bottleneck;
    tern_link_stats(crowd->forth, &result->bottleneck);
    result->nat.size = sizeof result->nat;
    if (crowd->nat != NULL) {
        tern_nat_stats(crowd->nat, &result->nat);
    }
    result->delay_median = tern_link_queue_delay(crowd->forth, 50);
    result->delay_95 = tern_link_queue_delay(crowd->forth, 95);
    result->low_median = tern_link_low_delay(crowd->forth, 50);
    result->low_99 = tern_link_low_delay(crowd->forth, 99);
    result->hash = tern_sim_hash(crowd->sim);
}

void flows_complain(const struct flows_plan *plan, const char *why)
{
    (void)fprintf(stderr,
                  "%s: seed %llu: %s\nreplay: TERN_SEED=%llu TERN_TRACE=1 ctest --test-dir "
                  "build/dev -V -R '%s$'\n",
                  plan->name, (unsigned long long)plan->seed, why, (unsigned long long)plan->seed,
                  plan->name);
}

static const char *reason(const struct crowd *crowd, const struct flows_result *result)
{
    const char *why = result->broken != NULL ? result->broken : "the world did not run";
    for (size_t i = 0; i < crowd->plan->count; i++) {
        why = crowd->flows[i].error != NULL ? crowd->flows[i].error : why;
    }
    return why;
}

void flows_run(const struct flows_plan *plan, struct flows_result *result)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    memset(result, 0, sizeof *result);
    if (crowd == NULL) {
        return;
    }
    crowd->plan = plan;
    replay_note(plan->name, plan->seed);
    bool is_well = build(crowd) == 0;
    if (is_well) {
        crowd->begun = tern_sim_now(crowd->sim);
        is_well = run_until(crowd, crowd->begun + plan->settle, result);
    }
    for (size_t i = 0; i < plan->count; i++) {
        crowd->flows[i].read_before = crowd->flows[i].read;
    }
    if (is_well) {
        result->is_done = run_until(crowd, crowd->begun + plan->duration, result);
        collect(crowd, result);
    }
    if (!result->is_done) {
        flows_complain(plan, reason(crowd, result));
    }
    tern_sim_free(crowd->sim);
    free(crowd);
}

/* --- figures --- */

double flows_jain(const struct flows_result *result, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)result->flows[i].bytes;
        sum += x;
        squares += x * x;
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}

double flows_share(const struct flows_plan *plan, const struct flows_result *result, uint64_t rate)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++) {
        bytes += result->flows[i].bytes;
    }
    double seconds = (double)(plan->duration - plan->settle) / 1e9;
    return (double)bytes * 8 / seconds / (double)rate;
}

void flows_print(const struct flows_plan *plan, const struct flows_result *result)
{
    double seconds = (double)(plan->duration - plan->settle) / 1e9;
    for (size_t i = 0; i < plan->count; i++) {
        const struct flow_result *flow = &result->flows[i];
        (void)printf(
            "  %-8s %6.1f ms: %6.2f Mbit/s, rtt %5.1f ms, %llu lost, %llu marked of %llu\n",
            plan->flows[i].cc, (double)plan->flows[i].delay * 2 / 1e6,
            (double)flow->bytes * 8 / seconds / 1e6, (double)flow->sender.smoothed_rtt / 1e6,
            (unsigned long long)flow->sender.packets_lost,
            (unsigned long long)flow->sender.packets_marked,
            (unsigned long long)flow->sender.packets_sent);
    }
    (void)printf("  queue: median %.1f ms, 95 %% %.1f ms, %llu tail-dropped, %llu by AQM, %llu "
                 "marked, peak %zu bytes\n",
                 (double)result->delay_median / 1e6, (double)result->delay_95 / 1e6,
                 (unsigned long long)result->bottleneck.queue_dropped,
                 (unsigned long long)result->bottleneck.aqm_dropped,
                 (unsigned long long)result->bottleneck.aqm_marked, result->bottleneck.queue_peak);
    if (plan->bottleneck.aqm == TERN_LINK_AQM_DUALQ) {
        (void)printf("  short queue: median %.1f ms, 99 %% %.1f ms\n",
                     (double)result->low_median / 1e6, (double)result->low_99 / 1e6);
    }
}
