/* Transfers over bad links, a hundred seeds each: contents equal, invariants after every event.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <stdio.h>

#include "sim/kit.h"

#define SEEDS 100

typedef void (*shape_fn)(struct kit_plan *plan);

static void run_seeds(const char *name, shape_fn shape)
{
    uint64_t first = replay_first_seed();
    for (uint64_t seed = first; seed < first + replay_seed_count(SEEDS); seed++) {
        struct kit_plan plan;
        struct kit_result result;
        kit_plan_init(&plan, name, seed);
        plan.streams = 3;
        plan.cc = seed % 2 == 0 ? "cubic" : "newreno";
        plan.pinned = seed % 3 != 0;
        shape(&plan);
        kit_run(&plan, &result);
        assert_true(result.is_done);
    }
}

static void both(struct kit_plan *plan, const tern_link_config *link)
{
    plan->up = plan->down = *link;
}

static void shape_clean(struct kit_plan *plan)
{
    plan->down.delay = 5 * TERN_MSEC;
}

static void shape_loss_1(struct kit_plan *plan)
{
    plan->up.loss = 0.01;
    both(plan, &plan->up);
}

static void shape_loss_5(struct kit_plan *plan)
{
    plan->up.loss = 0.05;
    both(plan, &plan->up);
}

static void shape_loss_20(struct kit_plan *plan)
{
    plan->up.loss = 0.20;
    plan->up_bytes = plan->down_bytes = 30000;
    both(plan, &plan->up);
}

static void shape_burst(struct kit_plan *plan)
{
    plan->up.burst_enter = 0.01;
    /* longer ones meet the backed-off probes alone, and end in the idle timeout */
    plan->up.burst_leave = 0.5;
    both(plan, &plan->up);
}

static void shape_reorder(struct kit_plan *plan)
{
    plan->up.reorder = 0.1;
    plan->up.jitter = 3 * TERN_MSEC;
    both(plan, &plan->up);
}

static void shape_duplicate(struct kit_plan *plan)
{
    plan->up.duplicate = 0.2;
    both(plan, &plan->up);
}

static void shape_corrupt(struct kit_plan *plan)
{
    plan->up.corrupt = 0.05;
    both(plan, &plan->up);
}

static void shape_everything(struct kit_plan *plan)
{
    plan->up.loss = 0.03;
    plan->up.reorder = 0.05;
    plan->up.duplicate = 0.05;
    plan->up.corrupt = 0.02;
    plan->up.jitter = 5 * TERN_MSEC;
    plan->up.rate = 5000000;
    plan->up.queue = 30000;
    both(plan, &plan->up);
}

static void shape_rebinding(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 400000;
    plan->up.rate = plan->down.rate = 8000000;
    plan->up.queue = plan->down.queue = 40000; /* shorter than the time between two moves */
    plan->rebind_every = 1000 * TERN_MSEC;
    /* A client that only receives must say something, or nobody learns where it is now. */
    plan->client.keepalive = 500 * TERN_MSEC;
}

static void shape_blackout(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 300000;
    plan->up.rate = 4000000;
    plan->up.blackout_start = 3600 * TERN_SEC + 200 * TERN_MSEC; /* the world's clock */
    plan->up.blackout_length = 1500 * TERN_MSEC;
    both(plan, &plan->up);
}

static void shape_small_mtu(struct kit_plan *plan)
{
    plan->up.mtu = 1280;
    both(plan, &plan->up);
}

static void shape_many_streams(struct kit_plan *plan)
{
    plan->streams = 16; /* what a client may open before it knows the server's limits */
    plan->up_bytes = plan->down_bytes = 10000;
    plan->up.loss = 0.02;
    both(plan, &plan->up);
}

/* What a copy does: one way, blocks by reference, and a disk that is slower than the wire. */
static void shape_slow_reader(struct kit_plan *plan)
{
    plan->streams = 1 + plan->seed % 3;
    plan->cc = plan->seed % 2 == 0 ? "bbr" : "cubic";
    plan->block = 65536;
    plan->sip = 20000;
    plan->up_bytes = 3000000 + plan->seed * 1001;
    plan->down_bytes = 0;
    plan->up.delay = 100 * TERN_USEC;
    plan->up.loss = plan->seed % 4 == 0 ? 0 : 0.01;
    plan->server.stream_window_max = plan->server.stream_window = 300000;
    plan->server.conn_window_max = plan->server.conn_window = 400000;
    plan->client.stream_send_buffer = 500000;
    plan->client.keepalive = plan->server.keepalive = 3 * TERN_SEC;
    both(plan, &plan->up);
}

static void shape_empty(struct kit_plan *plan)
{
    plan->up_bytes = plan->down_bytes = 0;
    plan->up.loss = 0.1;
    both(plan, &plan->up);
}

#define TRANSFER(shape)                                                                            \
    static void shape(void **state)                                                                \
    {                                                                                              \
        (void)state;                                                                               \
        run_seeds("sim.transfer." #shape, shape_##shape);                                          \
    }

TRANSFER(clean)
TRANSFER(loss_1)
TRANSFER(loss_5)
TRANSFER(loss_20)
TRANSFER(burst)
TRANSFER(reorder)
TRANSFER(duplicate)
TRANSFER(corrupt)
TRANSFER(everything)
TRANSFER(rebinding)
TRANSFER(blackout)
TRANSFER(small_mtu)
TRANSFER(many_streams)
TRANSFER(empty)
TRANSFER(slow_reader)

static void same_seed_same_hash(void **state)
{
    struct kit_plan plan;
    struct kit_result one, two, other;
    (void)state;
    kit_plan_init(&plan, "sim.transfer.same_seed_same_hash", 42);
    shape_everything(&plan);
    kit_run(&plan, &one);
    kit_run(&plan, &two);
    plan.seed = 43;
    kit_run(&plan, &other);
    assert_true(one.is_done && two.is_done && other.is_done);
    assert_true(one.hash == two.hash && one.steps == two.steps);
    assert_true(one.hash != other.hash);
    print_message("trace hash of seed 42: %016llx\n", (unsigned long long)one.hash);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(clean),        cmocka_unit_test(loss_1),
    cmocka_unit_test(loss_5),       cmocka_unit_test(loss_20),
    cmocka_unit_test(burst),        cmocka_unit_test(reorder),
    cmocka_unit_test(duplicate),    cmocka_unit_test(corrupt),
    cmocka_unit_test(everything),   cmocka_unit_test(rebinding),
    cmocka_unit_test(blackout),     cmocka_unit_test(small_mtu),
    cmocka_unit_test(many_streams), cmocka_unit_test(empty),
    cmocka_unit_test(slow_reader),  cmocka_unit_test(same_seed_same_hash),
};

REPLAY_TEST_MAIN(tests)
