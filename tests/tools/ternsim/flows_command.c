/* ternsim flows: flows of the caller's choice through one bottleneck.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/cc.h"
#include "ternsim/crowds.h"

struct wishes {
    double mbit, rtt, queue, seconds, later; /* queue in BDP; later: s between starts */
    double loss, megabytes, window;          /* per cent, behind the queue; of each flow; KiB */
    double buffers;                          /* MiB of each sender, and of each receiver at most */
    double memory; /* Mbit/s that each remembers of its path; 0: nothing */
    double seed;
    tern_link_aqm aqm;
    const char *series;
};

static bool parse_positive(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out < 1e12;
}

static bool parse_aqm(const char *text, tern_link_aqm *out)
{
    static const char *const names[] = {[TERN_LINK_AQM_NONE] = "none",
                                        [TERN_LINK_AQM_CODEL] = "codel",
                                        [TERN_LINK_AQM_DUALQ] = "dualq"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (tern_link_aqm)i;
            return true;
        }
    }
    return false;
}

static bool parse_option(struct wishes *w, const char *name, const char *value)
{
    const struct {
        const char *name;
        double *out;
    } numbers[] = {{"--mbit", &w->mbit},      {"--rtt", &w->rtt},
                   {"--queue", &w->queue},    {"--seconds", &w->seconds},
                   {"--later", &w->later},    {"--seed", &w->seed},
                   {"--loss", &w->loss},      {"--megabytes", &w->megabytes},
                   {"--window", &w->window},  {"--memory", &w->memory},
                   {"--buffers", &w->buffers}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            return parse_positive(value, numbers[i].out);
        }
    }
    if (strcmp(name, "--aqm") == 0) {
        return parse_aqm(value, &w->aqm);
    }
    w->series = strcmp(name, "--series") == 0 && *value != '\0' ? value : NULL;
    return w->series != NULL;
}

/* One flow for each name in the list; `list` is cut up. */
static bool add_flows(struct flows_plan *plan, char *list, const struct wishes *w)
{
    for (char *name = list; name != NULL;) {
        char *comma = strchr(name, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        const struct tern_cc_ops *ops = tern_cc_find(name);
        if (ops == NULL || plan->count == FLOWS_MAX) {
            (void)fprintf(stderr,
                          "ternsim: %s: no such controller (see ternsim --help), or more than %d\n",
                          name, FLOWS_MAX);
            return false;
        }
        struct flow_plan *flow = flows_add(plan, ops->name, (tern_time)(w->rtt * 1e6 / 2));
        flow->start = (tern_time)(w->later * 1e9) * (plan->count - 1);
        flow->bytes = (uint64_t)(w->megabytes * 1e6);
        flow->memory = (tern_path_memory){
            .size = sizeof flow->memory,
            .volume = (uint64_t)(w->memory * 1e6 / 8 * w->rtt / 1e3),
            .min_rtt = (tern_time)(w->rtt * 1e6),
        };
        name = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

static bool fill_plan(struct flows_plan *plan, char *list, const struct wishes *w)
{
    flows_plan_init(plan, "ternsim flows", (uint64_t)w->seed);
    plan->bottleneck.rate = (uint64_t)(w->mbit * 1e6);
    plan->bottleneck.queue = (size_t)(w->queue * w->mbit * 1e6 / 8 * w->rtt / 1e3);
    plan->bottleneck.aqm = w->aqm;
    plan->bottleneck.loss = w->loss / 100;
    plan->duration = (tern_time)(w->seconds * 1e9);
    plan->settle = 0;
    plan->window = (uint64_t)(w->window * 1024);
    plan->window_max = plan->send_buffer = (uint64_t)(w->buffers * 1048576);
    return add_flows(plan, list, w);
}

int flows_command(int argc, char **argv)
{
    struct wishes w = {.mbit = 50, .rtt = 40, .queue = 1, .seconds = 60, .seed = 1};
    struct flows_plan plan;
    struct flows_result result;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!parse_option(&w, argv[i], value)) {
            (void)fprintf(stderr, "ternsim: %s %s: not understood; see ternsim --help\n", argv[i],
                          value);
            return 2;
        }
    }
    if (w.mbit <= 0 || w.rtt <= 0 || w.seconds <= 0) { /* shares of nothing */
        (void)fprintf(stderr, "ternsim: --mbit, --rtt and --seconds must be above 0\n");
        return 2;
    }
    if (!fill_plan(&plan, argv[0], &w)) {
        return 2;
    }
    if (w.series != NULL && (plan.series = fopen(w.series, "w")) == NULL) {
        (void)fprintf(stderr, "ternsim: %s: %s\n", w.series, strerror(errno));
        return 1;
    }
    flows_run(&plan, &result);
    flows_print(&plan, &result);
    (void)printf("  %.1f %% of the bottleneck, Jain's index %.4f, trace hash %016llx\n",
                 flows_share(&plan, &result, plan.bottleneck.rate) * 100,
                 flows_jain(&result, plan.count), (unsigned long long)result.hash);
    for (size_t i = 0; w.megabytes > 0 && i < plan.count; i++) {
        double took = (double)(result.flows[i].read_at - plan.flows[i].start) / 1e9;
        double mbit = (double)result.flows[i].total * 8 / 1e6 / took;
        (void)printf("  %s: %.1f MB in %.3f s: %.1f Mbit/s, %.1f %% of the bottleneck\n",
                     plan.flows[i].cc, (double)result.flows[i].total / 1e6, took, mbit,
                     mbit / w.mbit * 100);
    }
    if (plan.series != NULL && fclose(plan.series) != 0) {
        (void)fprintf(stderr, "ternsim: %s: %s\n", w.series, strerror(errno));
        return 1;
    }
    return result.is_done ? 0 : 1;
}
