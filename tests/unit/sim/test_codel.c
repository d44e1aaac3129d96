/* CoDel drops or marks when RFC 8289 says so, and not before.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "sim/codel.h"

#define START (3600 * TERN_SEC)

static struct tern_codel fresh(void)
{
    struct tern_codel codel = {0};
    tern_codel_init(&codel, 0, 0);
    return codel;
}

static enum tern_verdict judge(struct tern_codel *codel, tern_time waited, bool is_capable,
                               tern_time now)
{
    const struct tern_codel_packet packet = {
        .waited = waited, .size = 1500, .backlog = 15000, .is_capable = is_capable};
    return tern_codel_judge(codel, &packet, now);
}

static void defaults_are_those_of_the_rfc(void **state)
{
    (void)state;
    struct tern_codel codel = fresh();
    assert_int_equal(codel.target, 5 * TERN_MSEC);
    assert_int_equal(codel.interval, 100 * TERN_MSEC);
    tern_codel_init(&codel, TERN_MSEC, TERN_TIME_NEVER);
    assert_int_equal(codel.target, TERN_MSEC);
    assert_int_equal(codel.interval, 4 * TERN_SEC);
}

static void short_waits_pass_for_ever(void **state)
{
    (void)state;
    struct tern_codel codel = fresh();
    for (tern_time t = 0; t < 10 * TERN_SEC; t += TERN_MSEC) {
        assert_int_equal(judge(&codel, 5 * TERN_MSEC - 1, false, START + t), TERN_VERDICT_PASS);
    }
}

/* One packet more than the largest may always wait: a queue of one is not a standing queue. */
static void a_queue_of_one_packet_passes(void **state)
{
    (void)state;
    struct tern_codel codel = fresh();
    const struct tern_codel_packet packet = {
        .waited = TERN_SEC, .size = 1500, .backlog = 1500, .is_capable = false};
    for (tern_time t = 0; t < 10 * TERN_SEC; t += TERN_MSEC) {
        assert_int_equal(tern_codel_judge(&codel, &packet, START + t), TERN_VERDICT_PASS);
    }
}

/* Nothing in the first interval, and one good moment begins it anew. */
static void a_burst_is_let_through(void **state)
{
    (void)state;
    struct tern_codel codel = fresh();
    for (tern_time t = 0; t < TERN_SEC; t += TERN_MSEC) {
        tern_time waited = t % (100 * TERN_MSEC) == 99 * TERN_MSEC ? 0 : 50 * TERN_MSEC;
        assert_int_equal(judge(&codel, waited, false, START + t), TERN_VERDICT_PASS);
    }
}

/* Moments at which a queue that stands for ever loses packets: an interval after the beginning, then
 * each time interval / sqrt(count) later. */
static void drops_come_faster_and_faster(void **state)
{
    (void)state;
    const tern_time expected[] = {100000, 200000, 270710, 328445, 378445, 423166};
    struct tern_codel codel = fresh();
    size_t drops = 0;
    for (tern_time t = 0; drops < 6; t += TERN_USEC * 10) {
        if (judge(&codel, 20 * TERN_MSEC, false, START + t) == TERN_VERDICT_DROP) {
            assert_in_range(t / TERN_USEC, expected[drops], expected[drops] + 10);
            drops++;
            /* the one behind it, at the same moment, goes */
            assert_int_equal(judge(&codel, 20 * TERN_MSEC, false, START + t), TERN_VERDICT_PASS);
        }
    }
    assert_int_equal(codel.count, 6);
}

static void marks_come_as_drops_would(void **state)
{
    (void)state;
    struct tern_codel drops = fresh(), marks = fresh();
    for (tern_time t = 0; t < 2 * TERN_SEC; t += TERN_MSEC) {
        enum tern_verdict drop = judge(&drops, 20 * TERN_MSEC, false, START + t);
        enum tern_verdict mark = judge(&marks, 20 * TERN_MSEC, true, START + t);
        assert_true(drop != TERN_VERDICT_MARK && mark != TERN_VERDICT_DROP);
        assert_int_equal(drop == TERN_VERDICT_DROP, mark == TERN_VERDICT_MARK);
        while (drop == TERN_VERDICT_DROP) {
            drop = judge(&drops, 20 * TERN_MSEC, false, START + t);
        }
    }
}

/* When it rises again soon after, dropping goes on about as fast as it was; else from the start. */
static enum tern_verdict runs_after(tern_time pause, uint64_t *count)
{
    struct tern_codel codel = fresh();
    tern_time now = START;
    for (; codel.count < 10; now += TERN_MSEC) {
        (void)judge(&codel, 20 * TERN_MSEC, true, now);
    }
    assert_int_equal(judge(&codel, 0, true, now), TERN_VERDICT_PASS);
    now += pause;
    assert_int_equal(judge(&codel, 20 * TERN_MSEC, true, now), TERN_VERDICT_PASS);
    now += 100 * TERN_MSEC;
    enum tern_verdict verdict = judge(&codel, 20 * TERN_MSEC, true, now);
    *count = codel.count;
    return verdict;
}

static void it_remembers_for_sixteen_intervals(void **state)
{
    (void)state;
    uint64_t count = 0;
    assert_int_equal(runs_after(10 * TERN_MSEC, &count), TERN_VERDICT_MARK);
    assert_int_equal(count, 9); /* ten, less the one that it began with */
    assert_int_equal(runs_after(2 * TERN_SEC, &count), TERN_VERDICT_MARK);
    assert_int_equal(count, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_are_those_of_the_rfc),
    cmocka_unit_test(short_waits_pass_for_ever),
    cmocka_unit_test(a_queue_of_one_packet_passes),
    cmocka_unit_test(a_burst_is_let_through),
    cmocka_unit_test(drops_come_faster_and_faster),
    cmocka_unit_test(marks_come_as_drops_would),
    cmocka_unit_test(it_remembers_for_sixteen_intervals),
};

TERN_TEST_MAIN(tests)
