/* Strangers at the door, in this process: packets go straight into tern_endpoint_receive, so that what is
 * measured is the door and not the kernel's way to it.
 * SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "ternperf/heap.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/system.h"

#include <tern/endpoint.h>

#define BATCH     32   /* as many as a server takes from its socket at once */
#define DATAGRAM  1200 /* [P §12.1]: no first Initial packet is shorter */
#define DCID_AT   6    /* behind the first octet, the version and the length of the identifier */
#define DCID_SIZE 8
#define HALF_OPEN 1000

struct flood {
    struct heap heap;
    tern_endpoint *server;
    tern_time now; /* a clock of our own: the door asks for nothing else of it */
    uint8_t packets[BATCH][2048];
    tern_datagram batch[BATCH];
    uint64_t answers;
};

static const tern_addr server_addr = {.family = 4, .ip = {192, 0, 2, 1}, .port = 7438};

/* True first packets of as many clients. 0 or TERN_ERR_*. */
static int make_first(const uint8_t key[TERN_KEY_SIZE], uint8_t (*packets)[2048], size_t count,
                      tern_time now)
{
    tern_config config;
    tern_peer peer;
    tern_endpoint *client;
    tern_config_init(&config);
    tern_peer_init(&peer);
    peer.addr = server_addr;
    peer.key = key;
    int rc = tern_endpoint_new(&client, &config, now);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        tern_conn *conn;
        tern_train train = {.data = packets[i], .capacity = 2048};
        rc = tern_endpoint_connect(client, &peer, &conn, now);
        if (rc == 0 &&
            (tern_endpoint_transmit(client, &train, now) != 1 || train.len != DATAGRAM)) {
            rc = TERN_ERR_INTERNAL;
        }
    }
    tern_endpoint_free(client);
    return rc;
}

static int open_server(struct flood *flood, const tern_config *config, uint8_t key[TERN_KEY_SIZE])
{
    tern_config own = *config;
    flood->heap = (struct heap){0};
    flood->now = 3600 * TERN_SEC;
    flood->answers = 0;
    own.accept = true;
    own.initial_rate = 0;
    own.allocator = heap_allocator(&flood->heap);
    int rc = tern_endpoint_new(&flood->server, &own, flood->now);
    if (rc == 0) {
        tern_endpoint_public_key(flood->server, key);
    }
    return rc;
}

/* Each from an address and to an identifier of its own. */
static void vary(struct flood *flood, uint64_t number)
{
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t n = number + i;
        tern_addr remote = {.family = 4, .ip = {10}, .port = 4000};
        memcpy(remote.ip + 1, &n, 3);
        memcpy(flood->packets[i] + DCID_AT, &n, DCID_SIZE);
        flood->batch[i] = (tern_datagram){
            .local = server_addr, .remote = remote, .data = flood->packets[i], .len = DATAGRAM};
    }
}

static void drain(struct flood *flood)
{
    static uint8_t out[65536];
    int n = 1;
    while (n > 0) {
        tern_train train = {.data = out, .capacity = sizeof out};
        n = tern_endpoint_transmit(flood->server, &train, flood->now);
        flood->answers += n > 0 ? (uint64_t)n : 0;
    }
}

/* Packets a second of processor time. What a packet holds beside its header is junk here: the identifier
 * that its keys follow from is another. */
static int storm(struct flood *flood, uint64_t count, double *rate)
{
    uint64_t cpu = system_cpu(), done = 0;
    int rc = 0;
    for (; rc == 0 && done < count; done += BATCH) {
        vary(flood, done + 1);
        rc = tern_endpoint_receive(flood->server, flood->batch, BATCH, flood->now);
        drain(flood);
        flood->now += TERN_USEC;
    }
    *rate = (double)done * 1e9 / (double)(system_cpu() - cpu + 1);
    return rc;
}

static int measure_storm(struct flood *flood, const tern_config *config, uint64_t count,
                         double *rate, double *allocations)
{
    uint8_t key[TERN_KEY_SIZE];
    int rc = open_server(flood, config, key);
    if (rc != 0) {
        return rc;
    }
    rc = make_first(key, flood->packets, BATCH, flood->now);
    uint64_t calls = flood->heap.calls;
    rc = rc == 0 ? storm(flood, count, rate) : rc;
    *allocations += (double)(flood->heap.calls - calls);
    tern_endpoint_free(flood->server);
    return rc;
}

/* Handshakes that are begun and not gone on with. */
static int measure_half_open(struct flood *flood, const tern_config *config, double *bytes)
{
    static uint8_t first[HALF_OPEN][2048];
    uint8_t key[TERN_KEY_SIZE];
    tern_endpoint_counters counters = {.size = sizeof counters};
    int rc = open_server(flood, config, key);
    if (rc != 0) {
        return rc;
    }
    rc = make_first(key, first, HALF_OPEN, flood->now);
    uint64_t before = flood->heap.bytes;
    for (unsigned i = 0; rc == 0 && i < HALF_OPEN; i++) {
        tern_datagram in = {.local = server_addr,
                            .remote = {.family = 4, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}},
                            .data = first[i],
                            .len = DATAGRAM};
        in.remote.port = 4000;
        rc = tern_endpoint_receive(flood->server, &in, 1, flood->now);
        drain(flood);
    }
    tern_endpoint_stats(flood->server, &counters);
    *bytes = (double)(flood->heap.bytes - before) / HALF_OPEN;
    tern_endpoint_free(flood->server);
    return rc == 0 && counters.half_open != HALF_OPEN ? TERN_ERR_INTERNAL : rc;
}

static int measure(struct flood *flood, const struct options *o, struct report *r)
{
    tern_config config;
    uint64_t count = o->count == 0 ? 500000 : o->count;
    options_config(&config, o);
    r->allocations = 0;
    r->count = (double)count;
    config.silent = true;
    int rc = measure_storm(flood, &config, count, &r->junk_per_second, &r->allocations);
    if (rc == 0 && flood->answers != 0) {
        rc = TERN_ERR_INTERNAL; /* it was not silent */
    }
    config.silent = false;
    config.retry_half_open = 0;
    rc = rc == 0 ? measure_storm(flood, &config, count, &r->retry_per_second, &r->allocations) : rc;
    if (rc == 0 && flood->answers < count) {
        rc = TERN_ERR_INTERNAL; /* not every packet had its Retry */
    }
    config.retry_half_open = SIZE_MAX;
    return rc == 0 ? measure_half_open(flood, &config, &r->heap_bytes_per_half_open) : rc;
}

int flood_run(const struct options *o)
{
    static struct flood flood;
    struct report report;
    report_init(&report, o);
    report.cc = NULL;
    uint64_t cpu = system_cpu();
    system_pin(SYSTEM_CLIENT, 0);
    int rc = measure(&flood, o, &report);
    if (rc != 0) {
        cli_error("the flood", tern_strerror(rc), NULL);
        return CLI_LOCAL;
    }
    report.datagram_bytes = DATAGRAM;
    report.receiver_cpu_s = (double)(system_cpu() - cpu) / 1e9;
    report.rss_bytes = (double)system_rss();
    cli_note("junk at a silent server: %.0f packets a second and core", report.junk_per_second);
    cli_note("answered by Retry: %.0f packets a second and core", report.retry_per_second);
    cli_note("allocations in both: %.0f; heap of a half-open connection: %.0f bytes",
             report.allocations, report.heap_bytes_per_half_open);
    if (o->json) {
        report_print(&report);
    }
    return CLI_OK;
}
