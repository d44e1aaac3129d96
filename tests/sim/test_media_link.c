/* "media" sends what it is told to, inside what the path carries: the rate follows the capacity down and
 * up, the queue stays short, and random loss moves nothing.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <string.h>

#include "sim/flows.h"
#include "sim/kit.h"

#define MBIT     ((uint64_t)125000) /* bytes a second */
#define SLICE    (100 * TERN_MSEC)
#define SLICES   600
#define TAKE_OFF 20 /* slices until the start is over */

/* The sending rate and the round trip, slice by slice. */
struct film {
    uint64_t wanted, raised; /* set at the start, and set_at slices later */
    size_t raise_at;
    tern_time began;
    uint64_t sent;
    size_t slices;
    uint64_t rate[SLICES]; /* bytes a second */
    tern_time longest[SLICES], rtt;
};

static tern_stats look(tern_conn *conn)
{
    tern_stats s = {.size = sizeof s};
    tern_conn_stats(conn, &s);
    return s;
}

static void record(void *user, tern_conn *client, tern_time now)
{
    struct film *film = user;
    tern_stats s = look(client);
    if (film->began == 0) {
        film->began = now;
        tern_conn_set_rate(client, film->wanted);
    }
    film->rtt = s.latest_rtt > film->rtt ? s.latest_rtt : film->rtt;
    while (now >= film->began + (film->slices + 1) * SLICE && film->slices < SLICES) {
        film->rate[film->slices] = (s.bytes_sent - film->sent) * 10;
        film->longest[film->slices++] = film->rtt;
        film->sent = s.bytes_sent;
        film->rtt = 0;
        if (film->raised > 0 && film->slices == film->raise_at) {
            tern_conn_set_rate(client, film->raised);
        }
    }
}

static uint64_t mean_rate(const struct film *film, size_t from, size_t to)
{
    uint64_t sum = 0;
    for (size_t i = from; i < to; i++) {
        sum += film->rate[i];
    }
    return sum / (to - from);
}

/* The longest round trip of each slice, and of these the one that one in twenty exceeds. */
static tern_time delay_95(const struct film *film, size_t from, size_t to)
{
    tern_time sorted[SLICES];
    size_t count = to - from;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] > film->longest[from + i]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = film->longest[from + i];
    }
    return sorted[count * 95 / 100];
}

static void print_film(const char *name, const struct film *film)
{
    print_message("%s, Mbit/s and ms, every half second:", name);
    for (size_t i = 0; i + 5 <= film->slices; i += 5) {
        print_message(" %.1f/%.0f", (double)mean_rate(film, i, i + 5) / MBIT,
                      (double)film->longest[i] / 1e6);
    }
    print_message("\n");
}

/* 40 ms, and never an end to what there is to send; the plan's limit ends it. */
static void plan_of(struct kit_plan *plan, struct film *film, uint64_t wanted)
{
    kit_plan_init(plan, "sim.media_link", replay_first_seed());
    memset(film, 0, sizeof *film);
    film->wanted = wanted;
    plan->cc = "media";
    plan->up.delay = plan->down.delay = 20 * TERN_MSEC;
    plan->up.rate = 10000000;
    plan->up.queue = 250000;
    plan->down_bytes = 0;
    plan->watch = record;
    plan->user = film;
    plan->limit = 300 * TERN_SEC;
}

static void run(const struct kit_plan *plan, struct kit_result *result)
{
    kit_run(plan, result);
    assert_true(result->is_done);
    print_film(plan->name, plan->user);
}

/* 10, 3 and 10 Mbit/s for ten seconds each. */
static void follows_the_capacity(void **state)
{
    (void)state;
    static const tern_rate_point points[] = {
        {0, 10000000}, {10 * TERN_SEC, 3000000}, {20 * TERN_SEC, 10000000}};
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 0);
    plan.up.trace = points;
    plan.up.trace_count = 3;
    plan.up.trace_start = 3600 * TERN_SEC;
    plan.up_bytes = 25000000;
    run(&plan, &result);
    assert_in_range(mean_rate(&film, TAKE_OFF, 98), 9 * MBIT, 10 * MBIT + MBIT / 2);
    assert_true(delay_95(&film, TAKE_OFF, 98) <= 70 * TERN_MSEC);
    assert_in_range(mean_rate(&film, 110, 120), 2 * MBIT,
                    3 * MBIT + MBIT / 5); /* within a second */
    assert_in_range(mean_rate(&film, 120, 198), 2 * MBIT + MBIT / 2, 3 * MBIT + MBIT / 5);
    assert_true(delay_95(&film, 120, 198) <= 70 * TERN_MSEC);
    assert_true(mean_rate(&film, 230, 240) >= 9 * MBIT); /* within three seconds */
    for (size_t i = 98; i < 198; i++) { /* the step itself: a third of a second at most */
        assert_true(film.longest[i] <= 400 * TERN_MSEC);
    }
    assert_true(result.bandwidth_events >= 3);
    assert_in_range(result.bandwidth.estimate, 8 * MBIT, 12 * MBIT);
}

static void a_rate_below_the_capacity_is_kept(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 4 * MBIT);
    plan.up_bytes = 10000000;
    run(&plan, &result);
    for (size_t i = TAKE_OFF; i + 5 < film.slices; i += 5) {
        assert_in_range(mean_rate(&film, i, i + 5), 4 * MBIT - MBIT / 4, 4 * MBIT + MBIT / 4);
    }
    assert_true(delay_95(&film, TAKE_OFF, film.slices) <= 45 * TERN_MSEC); /* no queue at all */
    assert_int_equal(result.client.packets_lost, 0);
    assert_true(result.bandwidth.estimate > 4 * MBIT); /* there is more, it may be asked for */
}

static void probes_when_more_is_asked_for(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 2 * MBIT);
    film.raised = 8 * MBIT;
    film.raise_at = 50;
    plan.up_bytes = 10000000;
    run(&plan, &result);
    assert_in_range(mean_rate(&film, TAKE_OFF, 50), 2 * MBIT - MBIT / 8, 2 * MBIT + MBIT / 8);
    assert_true(mean_rate(&film, 70, 80) >= 7 * MBIT); /* two seconds later */
    assert_true(delay_95(&film, TAKE_OFF, film.slices) <= 60 * TERN_MSEC);
}

/* 1 and 2 % by chance: at least 80 % of the wish. */
static void random_loss_costs_little(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2 * replay_seed_count(3); i++) {
        struct kit_plan plan;
        struct kit_result result;
        struct film film;
        plan_of(&plan, &film, 5 * MBIT);
        plan.seed += i / 2;
        plan.up.loss = i % 2 == 0 ? 0.01 : 0.02;
        plan.up_bytes = 15000000;
        run(&plan, &result);
        uint64_t mean = mean_rate(&film, TAKE_OFF, film.slices);
        print_message("%.0f %%: %.2f Mbit/s\n", plan.up.loss * 100, (double)mean / MBIT);
        assert_true(mean >= 4 * MBIT);
        for (size_t k = TAKE_OFF; k + 10 < film.slices; k += 10) {
            assert_true(mean_rate(&film, k, k + 10) >= 3 * MBIT);
        }
    }
}

/* Every tenth packet is lost whatever we do: that is learnt, and lived with. */
static void does_not_collapse_under_heavy_loss(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 5 * MBIT);
    plan.up.loss = 0.08;
    plan.up_bytes = 15000000;
    run(&plan, &result);
    assert_true(mean_rate(&film, TAKE_OFF, film.slices) >= 3 * MBIT);
}

/* A delay that goes up and down by itself is not taken for a queue for long. */
static void jitter_is_no_queue(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 2; i++) {
        struct kit_plan plan;
        struct kit_result result;
        struct film film;
        plan_of(&plan, &film, 0);
        plan.up.jitter = i * 10 * TERN_MSEC;
        plan.up_bytes = 30000000;
        run(&plan, &result);
        uint64_t mean = mean_rate(&film, 5 * TAKE_OFF, film.slices);
        print_message("%u ms: %.1f Mbit/s\n", i * 10, (double)mean / MBIT);
        assert_true(mean >= (i == 1 ? 8 : 5) * MBIT);
    }
}

/* A queue that drops before delay shows: at more than 2 % of loss the rate comes down. */
static void a_short_queue_is_answered_by_its_losses(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 20 * MBIT);
    plan.up.queue = 6000;
    plan.up_bytes = 20000000;
    run(&plan, &result);
    uint64_t mean = mean_rate(&film, TAKE_OFF, film.slices);
    assert_in_range(mean, 8 * MBIT + MBIT / 2, 11 * MBIT);
    assert_true(result.client.packets_lost * 100 <= result.client.packets_sent * 4);
}

/* A managed queue marks instead. */
static void marks_are_answered(void **state)
{
    (void)state;
    struct kit_plan plan;
    struct kit_result result;
    struct film film;
    plan_of(&plan, &film, 20 * MBIT);
    plan.up.aqm = TERN_LINK_AQM_CODEL;
    plan.up_bytes = 20000000;
    run(&plan, &result);
    assert_true(mean_rate(&film, TAKE_OFF, film.slices) >= 8 * MBIT);
    assert_int_equal(result.client.packets_lost, 0);
    assert_string_equal(result.client.ecn, "capable");
}

/* A flow that keeps the queue full neither starves it nor is starved; another of its kind shares. */
static void lives_beside_others(void **state)
{
    (void)state;
    const struct {
        const char *rival;
        size_t queue;
        double least, most; /* of what both get */
    } rows[] = {{"cubic", 50000, 0.08, 0.6},
                {"cubic", 100000, 0.08, 0.6},
                {"cubic", 200000, 0.08, 0.7},
                {"media", 100000, 0.25, 0.75}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flows_plan plan;
        struct flows_result result;
        flows_plan_init(&plan, "sim.media_link", replay_first_seed());
        plan.bottleneck.rate = 20000000;
        plan.bottleneck.queue = rows[i].queue;
        flows_add(&plan, "media", 20 * TERN_MSEC);
        flows_add(&plan, rows[i].rival, 20 * TERN_MSEC);
        flows_run(&plan, &result);
        assert_true(result.is_done);
        flows_print(&plan, &result);
        double mine = (double)result.flows[0].bytes, theirs = (double)result.flows[1].bytes;
        assert_true(mine / (mine + theirs) >= rows[i].least);
        assert_true(mine / (mine + theirs) <= rows[i].most);
        assert_true(flows_share(&plan, &result, plan.bottleneck.rate) >= 0.85);
    }
}

/* Events under another controller come only when they are asked for. */
static void events_come_when_asked_for(void **state)
{
    (void)state;
    for (int is_asked = 0; is_asked < 2; is_asked++) {
        struct kit_plan plan;
        struct kit_result result;
        struct film film;
        plan_of(&plan, &film, 0);
        plan.cc = "cubic";
        plan.client.bandwidth_events = is_asked != 0;
        plan.up_bytes = 5000000;
        run(&plan, &result);
        uint64_t most = result.duration / (200 * TERN_MSEC) + 1;
        assert_in_range(result.bandwidth_events, is_asked ? 2 : 0, is_asked ? most : 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(follows_the_capacity),
    cmocka_unit_test(a_rate_below_the_capacity_is_kept),
    cmocka_unit_test(probes_when_more_is_asked_for),
    cmocka_unit_test(random_loss_costs_little),
    cmocka_unit_test(does_not_collapse_under_heavy_loss),
    cmocka_unit_test(jitter_is_no_queue),
    cmocka_unit_test(a_short_queue_is_answered_by_its_losses),
    cmocka_unit_test(marks_are_answered),
    cmocka_unit_test(lives_beside_others),
    cmocka_unit_test(events_come_when_asked_for),
};

REPLAY_TEST_MAIN(tests)
