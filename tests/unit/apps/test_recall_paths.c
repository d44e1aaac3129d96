/* What a server remembers of paths: taken once, for an hour, and of so many clients at most.
 * SPDX-License-Identifier: MIT */
#include "terncp/recall.h"

#include "tern_test.h"

#include <string.h>

static struct recall recall;

static int setup(void **state)
{
    (void)state;
    memset(&recall, 0, sizeof recall);
    return 0;
}

static tern_addr client(unsigned n)
{
    return (tern_addr){.family = 4,
                       .ip = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
                       .port = (uint16_t)(1000 + n % 7)};
}

static void put(const tern_addr *addr, uint64_t volume, tern_time now)
{
    tern_path_memory memory = {.size = sizeof memory, .volume = volume, .min_rtt = TERN_MSEC};
    recall_put(&recall, addr, &memory, now);
}

static void taken_once_from_any_port(void **state)
{
    tern_path_memory out;
    tern_addr a = client(1), other = client(2), again = a;
    (void)state;
    again.port = 9;
    put(&a, 1000, TERN_SEC);
    assert_false(recall_take(&recall, &other, &out, TERN_SEC));
    assert_true(recall_take(&recall, &again, &out, 3 * TERN_SEC));
    assert_int_equal(out.volume, 1000);
    assert_int_equal(out.age, 2 * TERN_SEC);
    assert_false(recall_take(&recall, &a, &out, 3 * TERN_SEC));
}

static void the_newest_counts_for_an_hour(void **state)
{
    tern_path_memory out;
    tern_addr a = client(1);
    (void)state;
    put(&a, 1000, TERN_SEC);
    put(&a, 2000, 2 * TERN_SEC);
    assert_true(recall_take(&recall, &a, &out, TERN_PATH_MEMORY_LIFE));
    assert_int_equal(out.volume, 2000);
    assert_false(recall_take(&recall, &a, &out, TERN_PATH_MEMORY_LIFE));
    put(&a, 3000, TERN_SEC);
    assert_false(recall_take(&recall, &a, &out, TERN_PATH_MEMORY_LIFE + TERN_SEC));
}

static void the_oldest_gives_way(void **state)
{
    tern_path_memory out;
    (void)state;
    for (unsigned i = 0; i <= RECALL_PATHS; i++) {
        tern_addr addr = client(i);
        put(&addr, 1000 + i, (i + 1) * TERN_SEC);
    }
    tern_addr first = client(0), second = client(1), last = client(RECALL_PATHS);
    assert_false(recall_take(&recall, &first, &out, TERN_SEC));
    assert_true(recall_take(&recall, &second, &out, TERN_SEC));
    assert_true(recall_take(&recall, &last, &out, TERN_SEC));
    assert_int_equal(out.volume, 1000 + RECALL_PATHS);
}

static void a_network_of_ipv6_is_one_client(void **state)
{
    tern_path_memory out;
    tern_addr a = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}}, b = a;
    (void)state;
    b.ip[15] = 7;
    put(&a, 1000, TERN_SEC);
    b.ip[7] = 2;
    assert_false(recall_take(&recall, &b, &out, TERN_SEC));
    b.ip[7] = 1;
    assert_true(recall_take(&recall, &b, &out, TERN_SEC));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(taken_once_from_any_port, setup),
    cmocka_unit_test_setup(the_newest_counts_for_an_hour, setup),
    cmocka_unit_test_setup(the_oldest_gives_way, setup),
    cmocka_unit_test_setup(a_network_of_ipv6_is_one_client, setup),
};

TERN_TEST_MAIN(tests)
