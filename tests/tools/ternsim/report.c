/* One run in a few lines, the standard figures in a table.
 * SPDX-License-Identifier: MIT */
#include "ternsim/report.h"

#include <stdio.h>

#include "ternsim/bars.h"

static double per_second(uint64_t bytes, tern_time time)
{
    return time == 0 ? 0 : (double)bytes * 8 / ((double)time / 1e9);
}

double report_run(const struct scenario *s, const struct kit_plan *plan,
                  const struct kit_result *result, bool prints)
{
    uint64_t bytes = plan->streams * (s->down ? plan->down_bytes : plan->up_bytes);
    double goodput = per_second(bytes, result->arrived);
    const tern_stats *sender = s->down ? &result->server : &result->client;
    const tern_link_counters *link = s->down ? &result->down : &result->up;
    if (prints) {
        (void)printf("%s (%s), %s, seed %llu\n", s->name, s->about, plan->cc,
                     (unsigned long long)plan->seed);
        (void)printf("  %s in %.3f s, handshake %.1f ms\n", result->is_done ? "done" : "not done",
                     (double)result->duration / 1e9, (double)result->handshake / 1e6);
        (void)printf("  goodput %.3f Mbit/s, smoothed RTT %.1f ms, least %.1f ms\n", goodput / 1e6,
                     (double)sender->smoothed_rtt / 1e6, (double)sender->min_rtt / 1e6);
        (void)printf(
            "  sent %llu packets, %llu lost of them, %llu only late, %llu timeouts\n",
            (unsigned long long)sender->packets_sent, (unsigned long long)sender->packets_lost,
            (unsigned long long)sender->packets_spurious, (unsigned long long)sender->ptos);
        (void)printf(
            "  link: %llu in, %llu out, %llu dropped by the queue, which held %zu at most\n",
            (unsigned long long)link->packets_in, (unsigned long long)link->packets_out,
            (unsigned long long)link->queue_dropped, link->queue_peak);
        (void)printf("  trace hash %016llx\n", (unsigned long long)result->hash);
    }
    return s->mbit > 0 ? goodput / (s->mbit * 1e6) : 1;
}

/* The standard links, and what they ask of each controller; 0: nothing. */
static const struct {
    struct scenario link;
    double bars[3];
} rows[] = {
    {{.name = "100 Mbit/s, 50 ms", .mbit = 100, .rtt = 50, .bytes = 100000000}, {0, 0.95, 0}},
    {{.name = "100 Mbit/s, 200 ms", .mbit = 100, .rtt = 200, .bytes = 100000000}, {0, 0.92, 0}},
    {{.name = "1 Gbit/s, 100 ms", .mbit = 1000, .rtt = 100, .bytes = 1000000000}, {0, 0.90, 0}},
    {{.name = "100 Mbit/s, 50 ms, 0.1 %",
      .mbit = 100,
      .rtt = 50,
      .loss = 0.001,
      .bytes = 100000000},
     {0, 0, 0}},
    {{.name = "100 Mbit/s, 50 ms, 1 %", .mbit = 100, .rtt = 50, .loss = 0.01, .bytes = 100000000},
     {0, 0, 0.90}},
    {{.name = "100 Mbit/s, 50 ms, 5 %", .mbit = 100, .rtt = 50, .loss = 0.05, .bytes = 100000000},
     {0, 0, 0.84}},
};
static const char *const names[] = {"newreno", "cubic", "bbr"};

/* One field of the table, and its bars. False: the run failed. */
static bool report_field(const struct scenario *row, const char *cc, double least,
                         struct bars *bars)
{
    struct kit_plan plan;
    struct kit_result result;
    char name[72];
    scenario_plan(row, cc, 1, row->name, &plan);
    plan.check = false;
    plan.down.loss = 0;
    kit_run(&plan, &result);
    double share = report_run(row, &plan, &result, false);
    double steady = per_second(row->bytes / 2, result.arrived - result.half);
    double wire = (double)result.client.bytes_sent / (double)row->bytes;
    (void)printf("   %5.1f %% %5.1f %% x%.3f", share * 100, steady / row->mbit / 1e4, wire);
    (void)fflush(stdout);
    if (least > 0) {
        (void)snprintf(name, sizeof name, "%s, %s: goodput", row->name, cc);
        bars_add(bars, name, share, least, 1e9);
        (void)snprintf(name, sizeof name, "%s, %s: goodput of the second half", row->name, cc);
        bars_add(bars, name, steady / row->mbit / 1e6, least, 1e9);
    }
    (void)snprintf(name, sizeof name, "%s, %s: wire bytes over payload", row->name, cc);
    bars_add(bars, name, wire, 0, 1.06 / (1 - row->loss));
    return result.is_done;
}

int report_figures(void)
{
    struct bars bars = {.count = 0};
    int failed = 0;
    (void)printf(
        "goodput as a part of the bottleneck (IP and UDP headers count), one flow, a queue of "
        "one BDP: of all bytes, of their second half; wire bytes over payload\n%-28s",
        "");
    for (size_t k = 0; k < 3; k++) {
        (void)printf("%25s", names[k]);
    }
    (void)printf("\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)printf("%-28s", rows[i].link.name);
        for (size_t k = 0; k < 3; k++) {
            failed |= report_field(&rows[i].link, names[k], rows[i].bars[k], &bars) ? 0 : 1;
        }
        (void)printf("\n");
    }
    failed |= bars_measure_shares(&bars) ? 0 : 1;
    bars_print(&bars);
    return failed != 0 || bars_missed(&bars) > 0 ? 1 : 0;
}
