/* The table of networks that many share, and how they are run: cross traffic, latecomers, a NAT with too
 * few ports.
 * SPDX-License-Identifier: MIT */
#include "ternsim/crowds.h"

#include <string.h>

#define ONE_WAY (15 * TERN_MSEC)
#define RATE    10000000

/* --- who --- */

static void beside_cubic(struct flows_plan *plan, const char *cc)
{
    flows_add(plan, cc, ONE_WAY);
    flows_add(plan, "cubic", ONE_WAY);
}

static void beside_newreno(struct flows_plan *plan, const char *cc)
{
    flows_add(plan, cc, ONE_WAY);
    flows_add(plan, "newreno", ONE_WAY);
}

static void beside_bbr(struct flows_plan *plan, const char *cc)
{
    flows_add(plan, cc, ONE_WAY);
    flows_add(plan, "bbr", ONE_WAY);
}

static void beside_cubic_managed(struct flows_plan *plan, const char *cc)
{
    beside_cubic(plan, cc);
    plan->bottleneck.aqm = TERN_LINK_AQM_CODEL;
    plan->bottleneck.queue = 400000;
}

/* Eight, a fifth of a second after each other, at distances from 10 to 80 ms. */
static void eight(struct flows_plan *plan, const char *cc)
{
    for (unsigned i = 0; i < 8; i++) {
        flows_add(plan, cc, 5 * TERN_MSEC * (i + 1))->start = 200 * TERN_MSEC * i;
    }
}

/* One of four has a bad last mile. */
static void one_is_lossy(struct flows_plan *plan, const char *cc)
{
    for (unsigned i = 0; i < 4; i++) {
        flows_add(plan, cc, ONE_WAY)->loss = i == 0 ? 0.02 : 0;
    }
}

static void add_nat(struct flows_plan *plan, size_t ports)
{
    plan->has_nat = true;
    plan->nat.outside = (tern_addr){.family = 4, .ip = {203, 0, 113, 1}, .port = 20000};
    plan->nat.ports = ports;
    plan->send_buffer = 65536; /* so that quiet is soon quiet */
}

/* The first says nothing for longer than its mapping lives. */
static void nat_times_out(struct flows_plan *plan, const char *cc)
{
    struct flow_plan *first = flows_add(plan, cc, ONE_WAY);
    first->quiet_from = 2 * TERN_SEC;
    first->quiet_until = 7 * TERN_SEC;
    flows_add(plan, cc, ONE_WAY);
    add_nat(plan, 8);
    plan->nat.timeout = 3 * TERN_SEC;
}

/* Three want two ports; the third comes in when the first has been quiet for long enough. */
static void nat_refuses(struct flows_plan *plan, const char *cc)
{
    struct flow_plan *first = flows_add(plan, cc, ONE_WAY);
    first->quiet_from = 2 * TERN_SEC;
    first->quiet_until = TERN_TIME_NEVER;
    flows_add(plan, cc, ONE_WAY);
    flows_add(plan, cc, ONE_WAY)->start = TERN_SEC;
    add_nat(plan, 2);
    plan->nat.timeout = 2 * TERN_SEC;
}

/* Three want two ports, and take them from whoever is quiet. */
static void nat_steals(struct flows_plan *plan, const char *cc)
{
    struct flow_plan *first = flows_add(plan, cc, ONE_WAY);
    struct flow_plan *third;
    first->quiet_from = 2 * TERN_SEC;
    first->quiet_until = 7 * TERN_SEC;
    flows_add(plan, cc, ONE_WAY);
    third = flows_add(plan, cc, ONE_WAY);
    third->start = 3 * TERN_SEC;
    third->quiet_from = 6 * TERN_SEC;
    third->quiet_until = TERN_TIME_NEVER;
    add_nat(plan, 2);
    plan->nat.steals = true;
}

/* --- and what of it --- */

static bool uses_most(const struct flows_plan *plan, const struct flows_result *result)
{
    return flows_share(plan, result, plan->bottleneck.rate) >= 0.75;
}

/* Each has a part of an equal share at the least. LEDBAT++ asks for none. */
static bool has_part(const struct flows_plan *plan, const struct flows_result *result, double part)
{
    double sum = 0;
    for (size_t i = 0; i < plan->count; i++) {
        sum += (double)result->flows[i].bytes;
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->flows[i].cc, "ledbat") != 0 &&
            (double)result->flows[i].bytes < part * sum / (double)plan->count) {
            return false;
        }
    }
    return true;
}

static const char *judge_shares(const struct flows_plan *plan, const struct flows_result *result)
{
    if (!uses_most(plan, result)) {
        return "less than 75 % of the bottleneck is used";
    }
    return has_part(plan, result, 0.1) ? NULL : "one is starved";
}

static const char *judge_use(const struct flows_plan *plan, const struct flows_result *result)
{
    return uses_most(plan, result) ? NULL : "less than 75 % of the bottleneck is used";
}

static const char *judge_delay(const struct flows_plan *plan, const struct flows_result *result)
{
    if (result->delay_median >
        ONE_WAY) { /* slow start has filled it first, in a tenth of the time */
        return "half of all packets wait for half a round trip";
    }
    return judge_shares(plan, result);
}

static const char *judge_time_out(const struct flows_plan *plan, const struct flows_result *result)
{
    if (result->nat.mappings != 3) {
        return "the NAT did not give the first a second port";
    }
    if (result->flows[0].read_at + TERN_SEC < plan->duration) {
        return "the first did not go on by its new port";
    }
    return NULL;
}

static const char *judge_refusal(const struct flows_plan *plan, const struct flows_result *result)
{
    (void)plan;
    if (result->nat.refused == 0) {
        return "the NAT refused nothing";
    }
    if (!result->flows[2].is_connected || result->flows[2].bytes == 0) {
        return "the third never got through";
    }
    return NULL;
}

static const char *judge_theft(const struct flows_plan *plan, const struct flows_result *result)
{
    if (result->nat.stolen < 2) {
        return "the NAT's ports sufficed";
    }
    if (result->flows[0].read_at + TERN_SEC < plan->duration || result->flows[2].bytes == 0) {
        return "one did not go on by the port of another";
    }
    return NULL;
}

/* One line each; the build makes a test of every .name for every controller. */
const struct crowd_scenario crowds[] = {
    {.name = "crosstraffic",
     .about = "beside a CUBIC flow",
     .plan = beside_cubic,
     .judge = judge_shares},
    {.name = "crosstraffic_newreno",
     .about = "beside a NewReno flow",
     .plan = beside_newreno,
     .judge = judge_shares},
    {.name = "crosstraffic_bbr",
     .about = "beside a BBR flow",
     .plan = beside_bbr,
     .judge = judge_shares},
    {.name = "crosstraffic_codel",
     .about = "beside a CUBIC flow in a managed queue",
     .plan = beside_cubic_managed,
     .judge = judge_delay},
    {.name = "crowd_of_eight",
     .about = "eight come one after the other, from 10 to 80 ms",
     .plan = eight,
     .judge = judge_use},
    {.name = "crowd_one_lossy",
     .about = "four, one of them by a bad last mile",
     .plan = one_is_lossy,
     .judge = judge_use},
    {.name = "nat_timeout",
     .about = "a NAT forgets who is quiet for three seconds",
     .plan = nat_times_out,
     .judge = judge_time_out},
    {.name = "nat_ports_refused",
     .about = "three behind a NAT with two ports: one must wait",
     .plan = nat_refuses,
     .judge = judge_refusal},
    {.name = "nat_ports_stolen",
     .about = "... and one with two ports that takes them from the quiet",
     .plan = nat_steals,
     .judge = judge_theft},
};

const size_t crowd_count = sizeof crowds / sizeof crowds[0];

const struct crowd_scenario *crowd_find(const char *name)
{
    for (size_t i = 0; i < crowd_count; i++) {
        if (strcmp(crowds[i].name, name) == 0) {
            return &crowds[i];
        }
    }
    return NULL;
}

/* --- running --- */

static bool run_once(const struct crowd_scenario *crowd, const char *cc, uint64_t seed, bool prints)
{
    struct flows_plan plan;
    struct flows_result result;
    char name[128];
    (void)snprintf(name, sizeof name, "sim.scenario.%s.%s", crowd->name, cc);
    flows_plan_init(&plan, name, seed);
    plan.bottleneck.rate = RATE;
    plan.bottleneck.queue = 40000;
    plan.duration = 10 * TERN_SEC;
    plan.settle = 2 * TERN_SEC;
    crowd->plan(&plan, cc);
    flows_run(&plan, &result);
    const char *wrong = result.is_done ? crowd->judge(&plan, &result) : "it did not end well";
    if (prints) {
        (void)printf("%s (%s), %s, seed %llu\n", crowd->name, crowd->about, cc,
                     (unsigned long long)seed);
        flows_print(&plan, &result);
        (void)printf("  trace hash %016llx\n", (unsigned long long)result.hash);
    }
    if (wrong != NULL) {
        (void)fprintf(
            stderr, "%s: seed %llu: %s\nreplay: TERN_TRACE=1 ternsim run %s --cc %s --seed %llu\n",
            name, (unsigned long long)seed, wrong, crowd->name, cc, (unsigned long long)seed);
    }
    return wrong == NULL;
}

int crowd_run(const struct crowd_scenario *crowd, const char *cc, uint64_t seed, uint64_t seeds)
{
    int failed = 0;
    for (uint64_t i = 0; i < seeds; i++) {
        failed |= run_once(crowd, cc, seed + i, seeds == 1) ? 0 : 1;
    }
    if (failed == 0 && seeds > 1) {
        (void)printf("%s, %s: %llu seeds from %llu passed\n", crowd->name, cc,
                     (unsigned long long)seeds, (unsigned long long)seed);
    }
    return failed;
}
