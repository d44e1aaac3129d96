/* Fewer acknowledgements where the window is large: on a way back too narrow for one in two packets, and
 * counted on a fast path. [P §9.2]
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/kit.h"

#define RATE ((uint64_t)50000000)
#define RTT  (50 * TERN_MSEC)

/* Ways of these rates with a queue of one BDP forth and 20 kB back. */
static void transfer(const char *cc, uint64_t forth, uint64_t back, double loss, uint64_t bytes,
                     struct kit_result *result)
{
    struct kit_plan plan;
    kit_plan_init(&plan, "sim.ack_frequency", replay_first_seed());
    plan.cc = cc;
    plan.up.delay = plan.down.delay = RTT / 2;
    plan.up.rate = forth;
    plan.up.queue = (size_t)(forth / 8 * RTT / TERN_SEC);
    plan.down.rate = back;
    plan.down.queue = 20000;
    plan.up.overhead = plan.down.overhead = 28;
    plan.up.loss = plan.down.loss = loss;
    plan.up_bytes = bytes;
    plan.down_bytes = 0;
    plan.check = false; /* the transfer tests look after every event */
    kit_run(&plan, result);
    assert_true(result->is_done);
}

static double packets_an_ack(const struct kit_result *result)
{
    return (double)result->client.packets_sent / (double)result->client.acks_received;
}

static double acks_a_round(const struct kit_result *result)
{
    double rounds = (double)result->duration / (double)result->client.smoothed_rtt;
    return (double)result->client.acks_received / rounds;
}

static double report(const char *cc, uint64_t forth, uint64_t back, uint64_t bytes,
                     const struct kit_result *result)
{
    double share = kit_share(result, bytes, forth);
    print_message(
        "%s, %.1f Mbit/s forth and %.1f back: %.1f %%, %.1f packets for an ACK, %.0f ACKs a "
        "round trip, %llu packets lost, %llu datagrams on the way back\n",
        cc, (double)forth / 1e6, (double)back / 1e6, 100 * share, packets_an_ack(result),
        acks_a_round(result), (unsigned long long)result->client.packets_lost,
        (unsigned long long)result->down.queue_dropped);
    return share;
}

static const char *const controllers[] = {"cubic", "newreno", "bbr"};

/* An ACK for every second packet would take a 48th of the way forth: at a 50th CUBIC reached 74 %, at a
 * 100th 44 %. */
static void a_narrow_way_back_is_enough(void **state)
{
    static const struct {
        uint64_t forth, part;
        double least;
    } rows[] = {{RATE, 50, 0.80}, {RATE, 150, 0.80}, {RATE / 5, 50, 0.80}, {RATE / 5, 100, 0.80}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < sizeof controllers / sizeof controllers[0]; k++) {
            struct kit_result result;
            uint64_t back = rows[i].forth / rows[i].part;
            uint64_t bytes = rows[i].forth; /* 8 s of it */
            transfer(controllers[k], rows[i].forth, back, 0, bytes, &result);
            double share = report(controllers[k], rows[i].forth, back, bytes, &result);
            assert_true(share >= rows[i].least);
        }
    }
}

static void a_fast_path_has_fewer_acks(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof controllers / sizeof controllers[0]; k++) {
        struct kit_result result;
        transfer(controllers[k], RATE, RATE, 0, RATE, &result);
        assert_true(report(controllers[k], RATE, RATE, RATE, &result) >= 0.88);
        assert_true(packets_an_ack(&result) >= 8); /* 2 unasked */
        assert_true(acks_a_round(&result) >= 8);
    }
}

/* A small window needs every second packet acknowledged, as unasked. */
static void a_slow_path_has_as_many_as_before(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof controllers / sizeof controllers[0]; k++) {
        struct kit_result result;
        transfer(controllers[k], RATE / 100, RATE / 100, 0, RATE / 50, &result);
        (void)report(controllers[k], RATE / 100, RATE / 100, RATE / 50, &result);
        assert_true(packets_an_ack(&result) <= 2.5);
    }
}

/* Rarer ACKs tell of more losses at a time; the rate must not suffer for that. */
static void losses_cost_no_more(void **state)
{
    struct kit_result result;
    (void)state;
    transfer("bbr", RATE, RATE, 0.01, RATE, &result);
    assert_true(report("bbr", RATE, RATE, RATE, &result) >= 0.80);
    assert_true(packets_an_ack(&result) >= 4);
    assert_int_equal(result.client.packets_spurious, 0);
    assert_true(result.client.ptos <= 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_narrow_way_back_is_enough),
    cmocka_unit_test(a_fast_path_has_fewer_acks),
    cmocka_unit_test(a_slow_path_has_as_many_as_before),
    cmocka_unit_test(losses_cost_no_more),
};

REPLAY_TEST_MAIN(tests)
