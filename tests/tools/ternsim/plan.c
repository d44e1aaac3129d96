/* A scenario becomes two links and a plan for the kit.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "ternsim/scenarios.h"

#define QUEUE_LEAST 16000
#define CLOCK_START (3600 * TERN_SEC) /* of the world */

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return &scenarios[i];
        }
    }
    return NULL;
}

static tern_time from_ms(double ms)
{
    return (tern_time)(ms * 1e6);
}

/* Half a minute of it, then it begins anew. The link borrows the points; one run is at a time. */
static void wander(const struct scenario *s, uint64_t seed, tern_link_config *link)
{
    static tern_rate_point points[300];
    const size_t count = sizeof points / sizeof points[0];
    tern_rate_walk(points, count, 100 * TERN_MSEC, (uint64_t)(s->least_mbit * 1e6),
                   (uint64_t)(s->mbit * 1e6), seed);
    link->trace = points;
    link->trace_count = count;
    link->trace_start = CLOCK_START;
    link->trace_period = count * 100 * TERN_MSEC;
}

static void fill_link(const struct scenario *s, double mbit, tern_link_config *link)
{
    double queue = (s->queue > 0 ? s->queue : 1) * mbit * 1e6 / 8 * s->rtt / 1e3;
    link->delay = from_ms(s->rtt / 2);
    link->rate = (uint64_t)(mbit * 1e6);
    link->queue = queue > QUEUE_LEAST ? (size_t)queue : QUEUE_LEAST;
    link->overhead = s->ipv6 ? 48 : 28;
    link->loss = s->loss;
    link->burst_enter = s->burst_enter;
    link->burst_leave = s->burst_leave;
    link->reorder = s->reorder;
    link->reorder_delay = from_ms(s->late);
    link->duplicate = s->duplicate;
    link->corrupt = s->corrupt;
    link->ecn_mark = s->mark;
    link->ecn = s->ecn;
    link->jitter = from_ms(s->jitter);
    link->mtu = s->mtu;
    link->aggregate = from_ms(s->aggregate);
    link->aqm = s->codel ? TERN_LINK_AQM_CODEL : TERN_LINK_AQM_NONE;
    if (s->dark > 0) {
        link->blackout_start = CLOCK_START + from_ms(s->every > 0 ? s->every - s->dark : 500);
        link->blackout_length = from_ms(s->dark);
        link->blackout_period = from_ms(s->every);
    }
}

void scenario_plan(const struct scenario *s, const char *cc, uint64_t seed, const char *name,
                   struct kit_plan *plan)
{
    kit_plan_init(plan, name, seed);
    fill_link(s, s->up_part > 0 ? s->mbit * s->up_part : s->mbit, &plan->up);
    fill_link(s, s->mbit, &plan->down);
    if (s->least_mbit > 0) {
        wander(s, seed, s->down ? &plan->down : &plan->up);
    }
    plan->change_at = (tern_time)(s->change * 1e9);
    plan->up_then = plan->up;
    plan->down_then = plan->down;
    plan->up_then.mtu = plan->down_then.mtu = s->mtu_then;
    plan->cc = cc;
    plan->streams = s->streams > 0 ? s->streams : 1;
    plan->up_bytes = s->down ? 0 : s->bytes;
    plan->down_bytes = s->down ? s->bytes : s->streams > 1 ? s->bytes : 0;
    plan->limit = 3600 * TERN_SEC;
    plan->pinned = !s->first_contact;
    plan->is_ipv6 = s->ipv6;
    plan->rebind_every = (tern_time)(s->rebind * 1e9);
    plan->rebind_host = s->moves;
    plan->has_nat = s->nat;
    plan->migrate_every = (tern_time)(s->migrate * 1e9);
    plan->update_bytes = s->update;
    plan->rekey_every = from_ms(s->rekey);
    if (s->retry) {
        plan->server.retry_half_open = 0;
    }
    plan->drop_mask = s->drop_mask;
    /* Luck alone decides how long things take at thirty percent. */
    plan->client.handshake_timeout = plan->server.handshake_timeout = 600 * TERN_SEC;
    plan->client.idle_timeout = plan->server.idle_timeout = 600 * TERN_SEC;
    if (s->suites != 0) {
        plan->client.suites = s->suites;
    }
    if (s->datagram > 0) {
        plan->client.max_datagram = plan->server.max_datagram = s->datagram;
    }
}
