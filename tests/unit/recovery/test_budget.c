/* A ceiling over any time: what may leave at once, what is owed, and rates at both ends of the scale.
 * [P §9.8]
 * SPDX-License-Identifier: MIT */
#include "recovery/budget.h"

#include "tern_test.h"

#define START    (3600 * TERN_SEC)
#define DATAGRAM 1452u

static struct tern_budget b;

static int setup(void **state)
{
    (void)state;
    memset(&b, 0, sizeof b);
    return 0;
}

/* Sends datagrams of a size as early as it may until a time. Returns the bytes. */
static uint64_t send_all(size_t size, tern_time from, tern_time until)
{
    uint64_t bytes = 0;
    for (tern_time now = from; now < until;) {
        tern_time at = tern_budget_next(&b, DATAGRAM, now);
        if (at <= now) {
            tern_budget_on_sent(&b, size, now);
            bytes += size;
        } else {
            now = at;
        }
    }
    return bytes;
}

static void without_one_all_may_leave(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(tern_budget_next(&b, DATAGRAM, START), 0);
        tern_budget_on_sent(&b, 65507, START);
    }
}

static void over_time_it_is_the_rate(void **state)
{
    static const uint64_t rates[] = {100, 1000, 12345, 100000, 5000000, UINT64_C(1) << 33};
    (void)state;
    for (size_t i = 0; i < TERN_COUNT_OF(rates); i++) {
        size_t size = rates[i] > 1000000000 ? 65507 : rates[i] > 1000000 ? DATAGRAM : 100;
        tern_time length = rates[i] < 1000000 ? 30 * TERN_SEC : TERN_SEC / 4;
        setup(NULL);
        tern_budget_set(&b, rates[i]);
        uint64_t bytes = send_all(size, START, START + length);
        uint64_t most = (uint64_t)((double)rates[i] * (double)length / (double)TERN_SEC);
        assert_in_range(bytes, most - size, most + most / 1000 + (uint64_t)b.depth + size);
    }
}

static void at_once_leaves_a_frame_or_a_datagram(void **state)
{
    (void)state;
    tern_budget_set(&b, 1000);
    assert_int_equal(send_all(DATAGRAM, START, START + 1), DATAGRAM);
    setup(NULL);
    tern_budget_set(&b, 1000000);
    uint64_t bytes = send_all(100, START, START + 1);
    assert_in_range(bytes, 20000, 20000 + 100);
    assert_int_equal(send_all(100, START + 20 * TERN_MSEC, START + 20 * TERN_MSEC + 1), 20000);
    /* A long rest earns no more than that. */
    bytes = send_all(100, START + 3600 * TERN_SEC, START + 3600 * TERN_SEC + 1);
    assert_in_range(bytes, 20000, 20000 + 100);
}

/* Acknowledgements did not ask; what asks pays. */
static void what_did_not_wait_is_paid_for(void **state)
{
    (void)state;
    tern_budget_set(&b, 100000);
    assert_int_equal(tern_budget_next(&b, DATAGRAM, START), 0);
    for (size_t i = 0; i < 500; i++) {
        tern_budget_on_sent(&b, 100, START); /* half a second's worth */
    }
    tern_time at = tern_budget_next(&b, DATAGRAM, START);
    assert_in_range(at, START + 479 * TERN_MSEC, START + 481 * TERN_MSEC);
    assert_int_equal(tern_budget_next(&b, DATAGRAM, at), 0);
    assert_true(tern_budget_next(&b, DATAGRAM, at - 1) > at - 1 || b.at == at);
}

/* ... but not for ever: an end that receives a lot still gets a word in. */
static void debt_has_an_end(void **state)
{
    (void)state;
    tern_budget_set(&b, 100000);
    assert_int_equal(tern_budget_next(&b, DATAGRAM, START), 0);
    for (size_t i = 0; i < 100000; i++) {
        tern_budget_on_sent(&b, 100, START);
    }
    assert_in_range(tern_budget_next(&b, DATAGRAM, START), START + TERN_SEC,
                    START + TERN_SEC + TERN_MSEC);
}

static void the_extremes_do_not_overflow(void **state)
{
    (void)state;
    tern_budget_set(&b, UINT64_MAX);
    assert_int_equal(b.rate, TERN_BUDGET_RATE_MAX);
    assert_int_equal(tern_budget_next(&b, 65507, TERN_TIME_NEVER / 4), 0);
    for (size_t i = 0; i < 300000; i++) {
        tern_budget_on_sent(&b, 65507, TERN_TIME_NEVER / 4);
    }
    assert_in_range(tern_budget_next(&b, 65507, TERN_TIME_NEVER / 4), TERN_TIME_NEVER / 4,
                    TERN_TIME_NEVER / 4 + 2 * TERN_SEC);
    tern_budget_set(&b, 1);
    assert_true(tern_budget_next(&b, 65507, TERN_TIME_NEVER / 4) > TERN_TIME_NEVER / 4);
    tern_budget_set(&b, 0);
    assert_int_equal(tern_budget_next(&b, 65507, START), 0);
    /* A clock that steps back earns nothing and breaks nothing. */
    tern_budget_set(&b, 1000);
    (void)send_all(100, START, START + TERN_SEC);
    tern_time at = tern_budget_next(&b, DATAGRAM, START);
    assert_true(at > START + TERN_SEC - 200 * TERN_MSEC);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(without_one_all_may_leave, setup),
    cmocka_unit_test_setup(over_time_it_is_the_rate, setup),
    cmocka_unit_test_setup(at_once_leaves_a_frame_or_a_datagram, setup),
    cmocka_unit_test_setup(what_did_not_wait_is_paid_for, setup),
    cmocka_unit_test_setup(debt_has_an_end, setup),
    cmocka_unit_test_setup(the_extremes_do_not_overflow, setup),
};

TERN_TEST_MAIN(tests)
