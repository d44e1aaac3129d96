/* Our share of what the machine allows: UDP alone, UDP with the cipher, and a transfer, by turns.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cli.h"
#include "ternperf/modes.h"
#include "ternperf/report.h"
#include "ternperf/wire.h"

#define ROUNDS 3u /* of which the median counts */
#define EACH   TERN_SEC

struct rates {
    double raw[ROUNDS], sealed[ROUNDS], bulk[ROUNDS];
};

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

/* -1, or the exit code. */
static int measure_wire(const struct options *o, unsigned suite, double *out)
{
    struct wire_plan plan = {.datagram = (size_t)o->mtu, .suite = suite, .duration = o->time};
    *out = wire_measure(&plan);
    if (*out <= 0) {
        cli_error("UDP over loopback", strerror(errno), "this needs Linux with UDP GSO and GRO");
        return CLI_LOCAL;
    }
    return -1;
}

static int measure_round(const struct options *o, unsigned suite, struct rates *rates,
                         unsigned round, struct report *r)
{
    int code = measure_wire(o, 0, &rates->raw[round]);
    code = code < 0 ? measure_wire(o, suite, &rates->sealed[round]) : code;
    if (code >= 0) {
        return code;
    }
    code = bulk_measure(o, r);
    rates->bulk[round] = r->goodput_bps;
    return code == CLI_OK ? -1 : code;
}

static void tell(const struct report *r, double raw)
{
    cli_note("%-36s %8.3f Gbit/s", "UDP alone, GSO and GRO", raw / 1e9);
    cli_note("... with %-27s %8.3f Gbit/s", r->cipher, r->limit_bps / 1e9);
    cli_note("%-36s %8.3f Gbit/s: %.3f of that", "one connection", r->goodput_bps / 1e9,
             r->share_of_limit);
}

int limit_run(const struct options *options)
{
    struct options o = *options;
    struct rates rates;
    struct report report;
    unsigned suite = options_best_suite(o.suites);
    int code = -1;
    o.loopback = true;
    o.time = o.time == 0 ? EACH : o.time;
    o.count = 0;
    for (unsigned round = 0; round < ROUNDS && code < 0; round++) {
        report_init(&report, &o);
        code = measure_round(&o, suite, &rates, round, &report);
    }
    if (code >= 0) {
        return code;
    }
    double raw = median(rates.raw);
    report.raw_bps = raw;
    report.limit_bps = median(rates.sealed);
    report.goodput_bps = median(rates.bulk);
    report.share_of_limit = report.goodput_bps / report.limit_bps;
    tell(&report, raw);
    if (o.json) {
        report_print(&report);
    }
    return CLI_OK;
}
