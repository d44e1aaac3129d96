/* The allocator seam and the page pool.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include "unit/base/kit.h"

static void default_allocator_works(void **state)
{
    (void)state;
    struct tern_mem mem;
    tern_mem_init(&mem, NULL);
    uint8_t *p = tern_mem_zalloc(&mem, 100);
    assert_non_null(p);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }
    p[99] = 7;
    p = tern_mem_realloc(&mem, p, 10000);
    assert_non_null(p);
    assert_int_equal(p[99], 7);
    tern_mem_free(&mem, p);
    tern_mem_free(&mem, NULL);
}

static void empty_hooks_mean_the_default(void **state)
{
    (void)state;
    struct tern_mem mem;
    tern_allocator none = {0};
    tern_mem_init(&mem, &none);
    void *p = tern_mem_alloc(&mem, 1);
    assert_non_null(p);
    tern_mem_free(&mem, p);
}

static void hooks_are_called(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem = kit_mem(&heap);
    void *p = tern_mem_realloc(&mem, NULL, 10); /* a first one goes to alloc */
    assert_int_equal(heap.live, 1);
    p = tern_mem_realloc(&mem, p, 20);
    assert_int_equal(heap.calls, 2);
    tern_mem_free(&mem, p);
    tern_mem_free(&mem, NULL);
    assert_int_equal(heap.live, 0);
}

static void refusal_is_null(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem = kit_mem(&heap);
    heap.refuse_from = 1;
    assert_null(tern_mem_alloc(&mem, 1));
    assert_null(tern_mem_zalloc(&mem, 1));
    assert_null(tern_mem_realloc(&mem, NULL, 1));
}

static void wipe_leaves_zeros(void **state)
{
    (void)state;
    uint8_t secret[32], zeros[32] = {0};
    memset(secret, 0x5a, sizeof secret);
    tern_mem_wipe(secret, sizeof secret);
    assert_memory_equal(secret, zeros, sizeof zeros);
}

static void pool_gives_pages_again(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem = kit_mem(&heap);
    struct tern_pool pool;
    void *pages[8];
    tern_pool_init(&pool, &mem, 64, 8);
    for (size_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < 8; i++) {
            pages[i] = tern_pool_take(&pool);
            assert_non_null(pages[i]);
            memset(pages[i], (int)i, 64);
        }
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(*(uint8_t *)pages[i], i);
            tern_pool_give(&pool, pages[i]);
        }
    }
    assert_int_equal(heap.calls, 8);
    assert_int_equal(pool.kept, 8);
    tern_pool_clear(&pool);
    assert_int_equal(heap.live, 0);
}

static void pool_keeps_no_more_than_told(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem = kit_mem(&heap);
    struct tern_pool pool;
    void *pages[5];
    tern_pool_init(&pool, &mem, sizeof(void *), 2);
    for (size_t i = 0; i < 5; i++) {
        pages[i] = tern_pool_take(&pool);
    }
    for (size_t i = 0; i < 5; i++) {
        tern_pool_give(&pool, pages[i]);
    }
    assert_int_equal(heap.live, 2);
    tern_pool_clear(&pool);
    assert_int_equal(heap.live, 0);
    tern_pool_clear(&pool); /* an empty one too */
}

static void pool_of_none_passes_through(void **state)
{
    (void)state;
    struct kit_heap heap;
    struct tern_mem mem = kit_mem(&heap);
    struct tern_pool pool;
    tern_pool_init(&pool, &mem, 32, 0);
    tern_pool_give(&pool, tern_pool_take(&pool));
    assert_int_equal(heap.live, 0);
    heap.refuse_from = 1;
    assert_null(tern_pool_take(&pool));
    tern_pool_clear(&pool);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(default_allocator_works),
    cmocka_unit_test(empty_hooks_mean_the_default),
    cmocka_unit_test(hooks_are_called),
    cmocka_unit_test(refusal_is_null),
    cmocka_unit_test(wipe_leaves_zeros),
    cmocka_unit_test(pool_gives_pages_again),
    cmocka_unit_test(pool_keeps_no_more_than_told),
    cmocka_unit_test(pool_of_none_passes_through),
};

TERN_TEST_MAIN(tests)
