/* What flows that share a bottleneck must get of it, measured, and the table of all bars.
 * SPDX-License-Identifier: MIT */
#include "ternsim/bars.h"

#include <assert.h>
#include <stdio.h>

#include "sim/flows.h"

#define RATE    50000000
#define RTT     (40 * TERN_MSEC)
#define BDP     250000
#define SEEDS   5
#define NO_MOST 1e9

void bars_add(struct bars *bars, const char *name, double value, double least, double most)
{
    assert(bars->count < BARS_MAX);
    struct bar *row = &bars->rows[bars->count++];
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    row->value = value;
    row->least = least;
    row->most = most;
}

static bool is_met(const struct bar *row)
{
    return row->value >= row->least && row->value <= row->most;
}

void bars_print(const struct bars *bars)
{
    (void)printf("\n%-60s %9s  %s\n", "figure", "value", "bar");
    for (size_t i = 0; i < bars->count; i++) {
        const struct bar *row = &bars->rows[i];
        char asked[40];
        if (row->most >= NO_MOST) {
            (void)snprintf(asked, sizeof asked, ">= %.3g", row->least);
        } else if (row->least <= 0) {
            (void)snprintf(asked, sizeof asked, "<= %.3g", row->most);
        } else {
            (void)snprintf(asked, sizeof asked, "%.3g to %.3g", row->least, row->most);
        }
        (void)printf("%-60s %9.3f  %-14s %s\n", row->name, row->value, asked,
                     is_met(row) ? "met" : "MISSED");
    }
}

size_t bars_missed(const struct bars *bars)
{
    size_t missed = 0;
    for (size_t i = 0; i < bars->count; i++) {
        if (!is_met(&bars->rows[i])) {
            missed++;
            (void)fprintf(stderr, "ternsim: missed: %s\n", bars->rows[i].name);
        }
    }
    return missed;
}

/* What came of a pair, the bytes summed over the seeds; one flow when `second` is NULL. */
struct pair {
    double bytes[2];
    double share;    /* of the bottleneck, the mean of the seeds */
    double delay_95; /* of the queue, in base round trips, the worst of the seeds */
};

struct network {
    double queue; /* BDP */
    bool codel;
    tern_link_ecn ecn;
    tern_time settle;
};

static bool run_pair(const char *first, const char *second, const struct network *network,
                     struct pair *out)
{
    *out = (struct pair){.share = 0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct flows_plan plan;
        struct flows_result result;
        flows_plan_init(&plan, "ternsim report", seed);
        plan.bottleneck.rate = RATE;
        plan.bottleneck.queue = (size_t)(network->queue * BDP);
        plan.bottleneck.aqm = network->codel ? TERN_LINK_AQM_CODEL : TERN_LINK_AQM_NONE;
        plan.bottleneck.ecn = network->ecn;
        plan.settle = network->settle;
        plan.check_every = 0;
        flows_add(&plan, first, RTT / 2);
        if (second != NULL) {
            flows_add(&plan, second, RTT / 2);
        }
        flows_run(&plan, &result);
        if (!result.is_done) {
            return false;
        }
        double delay = (double)result.delay_95 / (double)RTT;
        out->bytes[0] += (double)result.flows[0].bytes;
        out->bytes[1] += (double)result.flows[1].bytes;
        out->share += flows_share(&plan, &result, RATE) / SEEDS;
        out->delay_95 = delay > out->delay_95 ? delay : out->delay_95;
    }
    return true;
}

static double jain_of(const struct pair *pair)
{
    double sum = pair->bytes[0] + pair->bytes[1];
    double squares = pair->bytes[0] * pair->bytes[0] + pair->bytes[1] * pair->bytes[1];
    return sum * sum / (2 * squares);
}

static bool measure_fairness(struct bars *bars)
{
    const struct network whole = {.queue = 1};
    const struct network half = {.queue = 1, .settle = 30 * TERN_SEC};
    struct pair pair, alone;
    if (!run_pair("cubic", "cubic", &whole, &pair)) {
        return false;
    }
    bars_add(bars, "two CUBIC flows, 60 s: Jain's index", jain_of(&pair), 0.95, NO_MOST);
    if (!run_pair("cubic", "newreno", &half, &pair)) {
        return false;
    }
    bars_add(bars, "CUBIC over NewReno, second half", pair.bytes[0] / pair.bytes[1], 0.4, 2.5);
    if (!run_pair("bbr", "cubic", &half, &pair)) {
        return false;
    }
    bars_add(bars, "BBR over CUBIC, second half", pair.bytes[0] / pair.bytes[1], 0.4, 2.5);
    if (!run_pair("ledbat", "cubic", &half, &pair)) {
        return false;
    }
    bars_add(bars, "LEDBAT++ beside CUBIC: its part of both",
             pair.bytes[0] / (pair.bytes[0] + pair.bytes[1]), 0, 0.1);
    if (!run_pair("ledbat", NULL, &half, &pair) || !run_pair("cubic", NULL, &half, &alone)) {
        return false;
    }
    bars_add(bars, "LEDBAT++ alone, of what CUBIC carries alone", pair.bytes[0] / alone.bytes[0],
             0.9, NO_MOST);
    bars_add(bars, "LEDBAT++ alone, payload, of the bottleneck", pair.share, 0.9, NO_MOST);
    return true;
}

/* In a queue that could hold eight round trips, the start included. */
static bool measure_queues(struct bars *bars)
{
    static const struct {
        const char *name, *cc;
        struct network network;
    } rows[] = {
        {"queueing delay under BBR, 95 %, in base round trips", "bbr", {.queue = 8}},
        {"queueing delay under CoDel that marks (CUBIC), 95 %",
         "cubic",
         {.queue = 8, .codel = true}},
        {"queueing delay under CoDel that drops (CUBIC), 95 %",
         "cubic",
         {.queue = 8, .codel = true, .ecn = TERN_LINK_ECN_BLEACH}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair pair;
        if (!run_pair(rows[i].cc, rows[i].cc, &rows[i].network, &pair)) {
            return false;
        }
        bars_add(bars, rows[i].name, pair.delay_95, 0, 1.5);
    }
    return true;
}

bool bars_measure_shares(struct bars *bars)
{
    return measure_fairness(bars) && measure_queues(bars);
}
