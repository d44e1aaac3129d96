/* Tests of endpoint/throttle.
 * SPDX-License-Identifier: MIT */
#include "endpoint/throttle.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

#define NOW (1000 * TERN_SEC)

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_random random_source;
static struct tern_throttle throttle;

static void open_one(uint64_t per_second)
{
    tern_random_source none = {0};
    kit_mem(&mem, &heap);
    tern_random_init(&random_source, &none);
    assert_int_equal(tern_throttle_init(&throttle, &mem, &random_source, per_second), 0);
}

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static unsigned take_many(const tern_addr *from, bool is_proved, unsigned n, tern_time now)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < n; i++) {
        taken += tern_throttle_take(&throttle, from, is_proved, now) ? 1 : 0;
    }
    return taken;
}

static void a_second_s_worth_passes_at_once_and_then_the_rate(void **state)
{
    (void)state;
    open_one(100);
    tern_addr a = addr_of("192.0.2.1:1");
    assert_in_range(take_many(&a, false, 1000, NOW), 100, 101);
    assert_int_equal(take_many(&a, false, 10, NOW), 0);
    assert_in_range(take_many(&a, false, 1000, NOW + 500 * TERN_MSEC), 49, 51);
    assert_in_range(take_many(&a, false, 1000, NOW + 100 * TERN_SEC), 100, 101);
    assert_int_equal(take_many(&a, false, 10, NOW), 0); /* a clock that steps back gives nothing */
    tern_throttle_clear(&throttle);
    assert_int_equal(heap.blocks, 0);
}

static void a_network_shares_and_others_do_not(void **state)
{
    (void)state;
    open_one(100);
    tern_addr a = addr_of("192.0.2.1:1"), near = addr_of("192.0.2.200:9");
    tern_addr far = addr_of("192.0.3.1:1");
    tern_addr six = addr_of("[2001:db8:1:100::1]:1"), near_six = addr_of("[2001:db8:1:1ff::2]:1");
    tern_addr far_six = addr_of("[2001:db8:1:200::1]:1");
    assert_true(take_many(&a, false, 1000, NOW) >= 100);
    assert_int_equal(take_many(&near, false, 10, NOW), 0);
    assert_true(take_many(&near, true, 1000, NOW) >= 100); /* who is proved is counted apart */
    assert_true(take_many(&far, false, 1000, NOW) >= 100);
    assert_true(take_many(&six, false, 1000, NOW) >= 100);
    assert_int_equal(take_many(&near_six, false, 10, NOW), 0);
    assert_true(take_many(&far_six, false, 1000, NOW) >= 100);
    tern_throttle_clear(&throttle);
}

/* A thousand networks at their limit leave nearly all others alone, and take no memory. */
static void a_flood_hits_few_bystanders(void **state)
{
    (void)state;
    open_one(10);
    uint64_t calls = heap.calls;
    tern_addr a = addr_of("10.0.0.1:1");
    for (unsigned i = 0; i < 1000; i++) {
        a.ip[1] = (uint8_t)(i >> 8);
        a.ip[2] = (uint8_t)i;
        (void)take_many(&a, false, 20, NOW);
    }
    unsigned hit = 0;
    for (unsigned i = 0; i < 1000; i++) {
        a.ip[0] = 11;
        a.ip[1] = (uint8_t)(i >> 8);
        a.ip[2] = (uint8_t)i;
        hit += tern_throttle_take(&throttle, &a, false, NOW) ? 0 : 1;
    }
    assert_true(hit < 250); /* 15 % is what two cells of 4096 give */
    assert_int_equal(heap.calls, calls);
    tern_throttle_clear(&throttle);
}

static void none_is_none(void **state)
{
    (void)state;
    open_one(0);
    tern_addr a = addr_of("192.0.2.1:1");
    assert_int_equal(take_many(&a, false, 100000, NOW), 100000);
    assert_int_equal(heap.calls, 0);
    tern_throttle_clear(&throttle);
    kit_mem(&mem, &heap);
    heap.fail_at = 1;
    assert_int_equal(tern_throttle_init(&throttle, &mem, &random_source, 1), TERN_ERR_NOMEM);
    tern_throttle_clear(&throttle);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_second_s_worth_passes_at_once_and_then_the_rate),
    cmocka_unit_test(a_network_shares_and_others_do_not),
    cmocka_unit_test(a_flood_hits_few_bystanders),
    cmocka_unit_test(none_is_none),
};

TERN_TEST_MAIN(tests)
