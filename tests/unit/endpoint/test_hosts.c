/* Tests of endpoint/hosts.
 * SPDX-License-Identifier: MIT */
#include "endpoint/hosts.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_random random_source;
static struct tern_hosts hosts;

static int setup(void **state)
{
    (void)state;
    tern_random_source none = {0};
    kit_mem(&mem, &heap);
    tern_random_init(&random_source, &none);
    tern_hosts_init(&hosts, &mem, &random_source);
    return 0;
}

static tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static void an_address_is_counted_whatever_its_port(void **state)
{
    (void)state;
    tern_addr a = addr_of("192.0.2.1:1"), b = addr_of("192.0.2.1:2"), c = addr_of("192.0.2.2:1");
    struct tern_host *host = tern_hosts_enter(&hosts, &a, true);
    assert_ptr_equal(tern_hosts_enter(&hosts, &b, false), host);
    assert_ptr_equal(tern_hosts_find(&hosts, &b), host);
    assert_int_equal(host->proved, 1);
    assert_int_equal(host->unproved, 1);
    assert_null(tern_hosts_find(&hosts, &c));
    tern_hosts_leave(&hosts, host, true);
    assert_int_equal(tern_hosts_find(&hosts, &a)->proved, 0);
    tern_hosts_leave(&hosts, host, false);
    assert_null(tern_hosts_find(&hosts, &a));
    tern_hosts_clear(&hosts);
    assert_int_equal(heap.blocks, 0);
}

static void an_ipv6_host_is_its_network(void **state)
{
    (void)state;
    tern_addr a = addr_of("[2001:db8:0:1::1]:1"), b = addr_of("[2001:db8:0:1:ffff::1]:1");
    tern_addr c = addr_of("[2001:db8:0:2::1]:1");
    struct tern_host *host = tern_hosts_enter(&hosts, &a, true);
    assert_ptr_equal(tern_hosts_find(&hosts, &b), host);
    assert_null(tern_hosts_find(&hosts, &c));
    tern_hosts_leave(&hosts, host, true);
    tern_hosts_clear(&hosts);
}

static void without_memory_nobody_enters(void **state)
{
    (void)state;
    tern_addr a = addr_of("192.0.2.1:1");
    for (uint64_t call = 1; call <= 2; call++) {
        heap.calls = 0;
        heap.fail_at = call;
        assert_null(tern_hosts_enter(&hosts, &a, true));
        assert_null(tern_hosts_find(&hosts, &a));
    }
    heap.fail_at = 0;
    tern_hosts_clear(&hosts);
    assert_int_equal(heap.blocks, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(an_address_is_counted_whatever_its_port, setup, NULL),
    cmocka_unit_test_setup_teardown(an_ipv6_host_is_its_network, setup, NULL),
    cmocka_unit_test_setup_teardown(without_memory_nobody_enters, setup, NULL),
};

TERN_TEST_MAIN(tests)
