/* Processes that meet in shared memory before they begin, and leave their reports there.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternperf/crowd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/cli.h"
#include "shared/keyring.h"
#include "ternperf/lab.h"
#include "ternperf/modes.h"
#include "ternperf/system.h"

struct seat {
    pid_t process;
    int code;
    struct report report;
    char cipher[32]; /* the report's points into the other process */
};

struct crowd {
    unsigned count;
    atomic_uint ready;
    atomic_bool is_over; /* one of them has failed: nobody need wait for it */
    struct seat seats[OPTIONS_SHARDS_MAX];
};

static struct crowd *ours; /* NULL: alone */

bool crowd_is_met(bool is_ready)
{
    static bool has_said;
    if (ours == NULL) {
        return true;
    }
    if (is_ready && !has_said) {
        has_said = true;
        (void)atomic_fetch_add(&ours->ready, 1);
    }
    return atomic_load(&ours->ready) >= ours->count || atomic_load(&ours->is_over);
}

/* --- one process -------------------------------------------------------------------------------------- */

static uint64_t share_of(uint64_t all, uint64_t count, uint64_t seat)
{
    return all / count + (seat < all % count ? 1 : 0);
}

static int run_seat(const struct options *options, uint64_t number)
{
    struct options o = *options;
    struct seat *seat = &ours->seats[number];
    o.seat = number;
    o.connections = share_of(o.connections, o.shards, number);
    o.count = share_of(o.count, o.shards, number);
    o.rate = share_of(o.rate, o.shards, number);
    report_init(&seat->report, &o);
    system_pin(SYSTEM_CLIENT, (unsigned)number);
    int code = bulk_measure(&o, &seat->report);
    (void)snprintf(seat->cipher, sizeof seat->cipher, "%s",
                   seat->report.cipher == NULL ? "" : seat->report.cipher);
    return code;
}

static bool start_seat(const struct options *o, uint64_t number)
{
    pid_t child = fork();
    if (child == 0) {
        int code = run_seat(o, number);
        if (code != CLI_OK) {
            atomic_store(&ours->is_over, true);
        }
        ours->seats[number].code = code;
        _exit(code);
    }
    ours->seats[number].process = child;
    return child > 0;
}

/* --- all of them -------------------------------------------------------------------------------------- */

static void add(double *sum, double value)
{
    *sum = isnan(*sum) ? value : *sum + value;
}

static double larger(double a, double b)
{
    return isnan(a) || b > a ? b : a;
}

/* The server's processor time is told to each of them, and is the same time. */
static void add_seat(struct report *r, const struct report *one, bool is_reverse)
{
    double *own = is_reverse ? &r->receiver_cpu_s : &r->sender_cpu_s;
    double *theirs = is_reverse ? &r->sender_cpu_s : &r->receiver_cpu_s;
    add(&r->bytes, one->bytes);
    add(&r->goodput_bps, one->goodput_bps);
    add(own, is_reverse ? one->receiver_cpu_s : one->sender_cpu_s);
    *theirs = larger(*theirs, is_reverse ? one->sender_cpu_s : one->receiver_cpu_s);
    add(&r->packets_sent, one->packets_sent);
    add(&r->packets_lost, one->packets_lost);
    add(&r->syscalls, one->syscalls);
    add(&r->rss_bytes, one->rss_bytes);
    r->server_rss_bytes = larger(r->server_rss_bytes, one->server_rss_bytes);
    r->seconds = larger(r->seconds, one->seconds);
    r->datagram_bytes = one->datagram_bytes;
    r->rtt_ms = one->rtt_ms;
}

static int gather(struct report *r, const struct options *o)
{
    int code = CLI_OK;
    for (unsigned i = 0; i < ours->count; i++) {
        const struct seat *seat = &ours->seats[i];
        int status = 0;
        if (seat->process <= 0 || waitpid(seat->process, &status, 0) < 0 || !WIFEXITED(status)) {
            code = code == CLI_OK ? CLI_LOCAL : code;
        } else if (WEXITSTATUS(status) != CLI_OK) {
            code = code == CLI_OK ? WEXITSTATUS(status) : code;
        } else {
            add_seat(r, &seat->report, o->reverse);
        }
    }
    r->cipher = ours->seats[0].cipher;
    r->cpu_s_per_gb = (r->sender_cpu_s + r->receiver_cpu_s) * 1e9 / r->bytes;
    return code;
}

static int run_all(struct options *o, struct report *r)
{
    ours->count = (unsigned)o->shards;
    for (unsigned i = 0; i < ours->count; i++) {
        if (!start_seat(o, i)) {
            cli_error("a process", strerror(errno), "give fewer --shards");
            atomic_store(&ours->is_over, true);
        }
    }
    return gather(r, o);
}

static int run_with_server(const struct options *options, struct report *r)
{
    struct options o = *options;
    struct lab lab;
    char addr[TERN_ADDR_TEXT_SIZE], key[KEYRING_TEXT_SIZE];
    int code = lab_start(&lab, options);
    if (code < 0) { /* from here on it is as if the server were somebody else's */
        keyring_format(lab.key, key);
        o.loopback = false;
        o.host = tern_addr_format(&lab.server, addr, sizeof addr);
        o.pin = key;
        code = run_all(&o, r);
    }
    lab_close(&lab);
    return code;
}

int crowd_measure(const struct options *options, struct report *r)
{
    struct options o = *options;
    o.connections = o.connections < o.shards ? o.shards : o.connections;
    ours = mmap(NULL, sizeof *ours, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ours == MAP_FAILED) {
        ours = NULL;
        cli_error("shared memory", strerror(errno), NULL);
        return CLI_LOCAL;
    }
    return o.loopback ? run_with_server(&o, r) : run_all(&o, r);
}
