/* Pointers by number: any of them is found and none beside it, in order, and few take little.
 * SPDX-License-Identifier: MIT */
#include "base/radix.h"

#include "unit/base/kit.h"

#define LAST (((uint32_t)1 << 24) - 1)

static struct kit_heap memory;
static struct tern_mem mem;
static struct tern_slab slab;
static struct tern_radix radix;

static int begin(void **state)
{
    (void)state;
    memory = (struct kit_heap){0};
    mem = kit_mem(&memory);
    tern_slab_init(&slab, &mem, 0);
    radix = (struct tern_radix){.root = NULL};
    return 0;
}

static int end(void **state)
{
    (void)state;
    tern_radix_clear(&radix, &slab);
    assert_null(radix.root);
    tern_slab_clear(&slab);
    return memory.live == 0 ? 0 : -1;
}

static char values[64];

static void put(uint32_t number, char *value)
{
    void **place = tern_radix_place(&radix, &slab, number);
    assert_non_null(place);
    *place = value;
}

static void what_is_empty_finds_nothing(void **state)
{
    (void)state;
    uint32_t from = 0;
    assert_null(tern_radix_find(&radix, 0));
    assert_null(tern_radix_find(&radix, LAST));
    assert_null(tern_radix_next(&radix, &from));
}

static const uint32_t spread[] = {0,      1,      63,     64,      4095,     4096,
                                  196607, 262143, 262144, 1000000, LAST - 1, LAST};
#define SPREAD TERN_COUNT_OF(spread)

static void check_all(size_t count)
{
    uint32_t from = 0;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(tern_radix_find(&radix, spread[i]), &values[i]);
        assert_ptr_equal(tern_radix_next(&radix, &from), &values[i]);
        assert_int_equal(from++, spread[i]);
    }
    assert_null(tern_radix_next(&radix, &from));
    assert_null(tern_radix_find(&radix, 2));
    assert_null(tern_radix_find(&radix, 65));
    assert_null(tern_radix_find(&radix, 262145));
}

static void it_grows_and_keeps_what_it_has(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPREAD; i++) {
        put(spread[i], &values[i]);
        check_all(i + 1);
    }
}

static void the_order_of_coming_is_all_the_same(void **state)
{
    (void)state;
    for (size_t i = SPREAD; i-- > 0;) {
        put(spread[i], &values[i]);
    }
    check_all(SPREAD);
    put(63, NULL); /* what was taken away is not found */
    uint32_t from = 2;
    assert_ptr_equal(tern_radix_next(&radix, &from), &values[3]);
}

static void few_take_one_table(void **state)
{
    (void)state;
    size_t before = memory.calls;
    for (uint32_t i = 0; i < TERN_RADIX_SIZE; i++) {
        put(i, &values[i]);
    }
    assert_int_equal(memory.calls - before, 2); /* the slab's lists, and the table */
    put(TERN_RADIX_SIZE, &values[0]);
    assert_int_equal(memory.calls - before, 4); /* a root, and one more */
}

static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    put(7, &values[7]);
    for (size_t calls = 1; calls <= 4;
         calls++) { /* two roots and two tables: the first comes, then two, ... */
        memory.refuse_from = memory.calls + calls;
        void **place = tern_radix_place(&radix, &slab, 4096);
        memory.refuse_from = 0;
        assert_ptr_equal(tern_radix_find(&radix, 7), &values[7]);
        assert_null(tern_radix_find(&radix, 4096));
        if (place != NULL) {
            break;
        }
        assert_true(calls < 4);
    }
    put(4096, &values[1]);
    assert_ptr_equal(tern_radix_find(&radix, 7), &values[7]);
    assert_ptr_equal(tern_radix_find(&radix, 4096), &values[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_empty_finds_nothing, begin, end),
        cmocka_unit_test_setup_teardown(it_grows_and_keeps_what_it_has, begin, end),
        cmocka_unit_test_setup_teardown(the_order_of_coming_is_all_the_same, begin, end),
        cmocka_unit_test_setup_teardown(few_take_one_table, begin, end),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_lost, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
