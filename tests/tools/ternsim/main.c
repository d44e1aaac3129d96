/* ternsim: runs named networks in virtual time and says how tern did.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recovery/cc.h"
#include "ternsim/crowds.h"
#include "ternsim/qlog.h"
#include "ternsim/report.h"
#include "ternsim/scenarios.h"

static const char *const names[] = {"newreno", "cubic", "bbr"};

static void usage(FILE *out)
{
    (void)fputs(
        "usage: ternsim list\n"
        "       ternsim run SCENARIO [--seed N] [--seeds COUNT] [--cc NAME] [--bytes N]\n"
        "                            [--qlog FILE]\n"
        "       ternsim flows NAME[,NAME...] [--mbit N] [--rtt MS] [--queue BDP] [--aqm AQM]\n"
        "                            [--loss PCT] [--seconds N] [--megabytes N] [--window KIB]\n"
        "                            [--buffers MIB] [--memory N]\n"
        "                            [--later SECONDS] [--seed N] [--series FILE]\n"
        "       ternsim report\n"
        "\n"
        "list: the scenarios, and what each is\n"
        "run: one of them, and what became of its transfer\n"
        "  --seed N       the first seed (default 1); the same seed gives the same packets\n"
        "  --seeds COUNT  how many, one after the other (default 1)\n"
        "  --cc NAME      newreno, cubic (default), bbr, ledbat, media or prague\n"
        "  --bytes N      on each stream, instead of the scenario's own amount\n"
        "  --qlog FILE    what the client saw, as qlog; FILE.server: the server\n"
        "flows: one sender a name (as above, 16 at most) shares a bottleneck\n"
        "  --mbit N       its rate (default 50)\n"
        "  --rtt MS       round trip of each flow (40)\n"
        "  --queue BDP    its queue, in bandwidth-delay products (1)\n"
        "  --aqm AQM      none (default), codel, or dualq: RFC 9332, for prague\n"
        "  --loss PCT     lost behind the queue, by chance (0)\n"
        "  --seconds N    how long (60)\n"
        "  --megabytes N  of each flow, after which the world ends; 0: without end (0)\n"
        "  --window KIB   of each receiver at the beginning (that of tern_config_init)\n"
        "  --buffers MIB  of each sender, and the most of each receiver (that of "
        "tern_config_init)\n"
        "  --memory N     Mbit/s that each remembers from last time, right or wrong; 0: nothing "
        "(0)\n"
        "  --later S      each begins so much later than the one before (0)\n"
        "  --series FILE  ten lines a second: time, bytes in the queue, Mbit/s of each flow\n"
        "report: goodput, fairness and queues, and the bars that they are held to; takes a minute\n"
        "\n"
        "TERN_TRACE=1 in the environment prints every packet.\n"
        "Exit codes: 0 done, 1 a run failed, a bar was missed, or a log could not be written, 2 "
        "usage.\n",
        out);
}

struct arguments {
    const struct scenario *scenario;
    const struct crowd_scenario *crowd; /* ... or one of these */
    const char *cc, *qlog;
    uint64_t seed, seeds, bytes; /* bytes 0: the scenario's own */
};

static bool parse_number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static bool parse_option(struct arguments *a, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0) {
        return parse_number(value, &a->seed);
    }
    if (strcmp(name, "--seeds") == 0) {
        return parse_number(value, &a->seeds) && a->seeds > 0;
    }
    if (strcmp(name, "--bytes") == 0) {
        return parse_number(value, &a->bytes) && a->bytes > 0;
    }
    if (strcmp(name, "--cc") == 0) {
        const struct tern_cc_ops *ops = tern_cc_find(value);
        a->cc = ops != NULL ? ops->name : NULL;
        return ops != NULL;
    }
    a->qlog = strcmp(name, "--qlog") == 0 && *value != '\0' ? value : NULL;
    return a->qlog != NULL;
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* What to print about arguments that make no command. */
static int complain(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
    } else if (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "flows") == 0) {
        (void)fprintf(stderr, "ternsim: %s what? See ternsim --help\n", argv[1]);
    } else {
        (void)fprintf(stderr, "ternsim: %s: not understood; see ternsim --help\n",
                      argv[argc > 2 ? 2 : 1]);
    }
    return 2;
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    a->scenario = scenario_find(argv[2]);
    a->crowd = crowd_find(argv[2]);
    if (a->scenario == NULL && a->crowd == NULL) {
        (void)fprintf(stderr, "ternsim: %s: no such scenario; ternsim list shows them\n", argv[2]);
        return false;
    }
    for (int i = 3; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!parse_option(a, argv[i], value)) {
            (void)fprintf(stderr, "ternsim: %s %s: not understood; see ternsim --help\n", argv[i],
                          value);
            return false;
        }
    }
    if (a->qlog != NULL && a->seeds > 1) {
        (void)fprintf(stderr, "ternsim: --qlog takes one run: leave --seeds out\n");
        return false;
    }
    if (a->crowd != NULL && (a->qlog != NULL || a->bytes > 0)) {
        (void)fprintf(stderr, "ternsim: --qlog and --bytes are for networks of two hosts\n");
        return false;
    }
    return true;
}

static double least_of(const struct scenario *s, const char *cc)
{
    for (size_t k = 0; k < 3; k++) {
        if (strcmp(cc, names[k]) == 0) {
            return s->least[k];
        }
    }
    return 0;
}

/* False: the log could not be written. */
static bool run_plan(const struct arguments *a, struct kit_plan *plan, struct kit_result *result)
{
    struct qlog_file files[2];
    tern_trace_sink sinks[2];
    if (a->qlog == NULL) {
        kit_run(plan, result);
        return true;
    }
    if (!qlog_open(files, a->qlog, sinks)) {
        return false;
    }
    plan->client.trace = sinks[0];
    plan->server.trace = sinks[1];
    kit_run(plan, result);
    return qlog_close(files);
}

static int run(const struct arguments *a)
{
    int failed = 0;
    for (uint64_t i = 0; i < a->seeds; i++) {
        struct kit_plan plan;
        struct kit_result result;
        char name[128];
        (void)snprintf(name, sizeof name, "sim.scenario.%s.%s", a->scenario->name, a->cc);
        struct scenario s = *a->scenario;
        s.bytes = a->bytes > 0 ? a->bytes : s.bytes;
        scenario_plan(&s, a->cc, a->seed + i, name, &plan);
        if (!run_plan(a, &plan, &result)) {
            return 1;
        }
        double least = least_of(a->scenario, a->cc);
        double share = report_run(a->scenario, &plan, &result, a->seeds == 1);
        if (result.is_done && share < least) {
            (void)fprintf(stderr, "%s: seed %llu: %.3f of the bottleneck, not %.3f\n", name,
                          (unsigned long long)plan.seed, share, least);
        }
        if (!result.is_done || share < least) {
            (void)fprintf(stderr, "replay: TERN_TRACE=1 ternsim run %s --cc %s --seed %llu\n",
                          a->scenario->name, a->cc, (unsigned long long)plan.seed);
            failed = 1;
        }
    }
    if (failed == 0 && a->seeds > 1) {
        (void)printf("%s, %s: %llu seeds from %llu passed\n", a->scenario->name, a->cc,
                     (unsigned long long)a->seeds, (unsigned long long)a->seed);
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct arguments a = {.cc = "cubic", .seed = 1, .seeds = 1};
    if (argc >= 2 && is_help(argv[argc - 1])) {
        usage(stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < scenario_count; i++) {
            (void)printf("%-36s %s\n", scenarios[i].name, scenarios[i].about);
        }
        for (size_t i = 0; i < crowd_count; i++) {
            (void)printf("%-36s %s\n", crowds[i].name, crowds[i].about);
        }
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "report") == 0) {
        return report_figures();
    }
    if (argc >= 3 && strcmp(argv[1], "run") == 0) {
        if (!parse(&a, argc, argv)) {
            return 2;
        }
        return a.crowd != NULL ? crowd_run(a.crowd, a.cc, a.seed, a.seeds) : run(&a);
    }
    if (argc >= 3 && strcmp(argv[1], "flows") == 0) {
        return flows_command(argc - 2, argv + 2);
    }
    return complain(argc, argv);
}
