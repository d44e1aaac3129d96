/* Blocks of many sizes: classes that fit closely, reuse without the allocator, a bound on what is kept.
 * SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include "unit/base/kit.h"

static void a_class_fits_closely(void **state)
{
    (void)state;
    size_t before = 0;
    for (size_t size = 1; size <= TERN_SLAB_MAX; size += 1 + size / 97) {
        size_t rounded = tern_slab_rounded(size);
        assert_true(rounded >= size);
        assert_true(rounded >= before); /* never falls */
        assert_true(rounded - size < TERN_MAX((size_t)16, size / 16 + 1));
        assert_int_equal(tern_slab_rounded(rounded), rounded);
        before = rounded;
    }
}

static void a_warm_slab_allocates_nothing(void **state)
{
    (void)state;
    struct kit_heap memory = {0};
    struct tern_mem mem = kit_mem(&memory);
    struct tern_slab slab;
    void *blocks[64];
    uint64_t taken = 0;
    tern_slab_init(&slab, &mem, 1 << 20);
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < 64; i++) {
            blocks[i] = tern_slab_take(&slab, 1 + i * 37);
            assert_non_null(blocks[i]);
            memset(blocks[i], (int)i, 1 + i * 37);
        }
        for (size_t i = 0; i < 64; i++) {
            tern_slab_give(&slab, blocks[i], 1 + i * 37);
        }
        taken = round == 0 ? memory.calls : taken;
        assert_int_equal(memory.calls, taken);
    }
    tern_slab_clear(&slab);
    assert_int_equal(memory.live, 0);
}

static void it_keeps_no_more_than_it_may(void **state)
{
    (void)state;
    struct kit_heap memory = {0};
    struct tern_mem mem = kit_mem(&memory);
    struct tern_slab slab;
    void *blocks[200];
    tern_slab_init(&slab, &mem, 64 * 1024);
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = tern_slab_take(&slab, 1000);
        assert_non_null(blocks[i]);
    }
    void *large = tern_slab_take(&slab, 60000);
    void *huge = tern_slab_take(&slab, 100000); /* larger than all that may be kept */
    assert_non_null(large);
    assert_non_null(huge);
    tern_slab_give(&slab, large, 60000);
    assert_true(slab.kept >= 60000);
    tern_slab_give(&slab, huge, 100000);
    for (size_t i = 0; i < 200; i++) {
        tern_slab_give(&slab, blocks[i], 1000);
        assert_true(slab.kept <= 64 * 1024);
    }
    assert_true(slab.kept % tern_slab_rounded(1000) == 0); /* the large one has given way */
    tern_slab_clear(&slab);
    assert_int_equal(memory.live, 0);
}

static void it_survives_an_allocator_that_fails(void **state)
{
    (void)state;
    struct kit_heap memory = {0};
    struct tern_mem mem = kit_mem(&memory);
    for (int n = 0; n < 2; n++) {
        struct tern_slab slab;
        tern_slab_init(&slab, &mem, 4096);
        memory.refuse_from = memory.calls + (size_t)n + 1;
        assert_null(tern_slab_take(&slab, 100));
        memory.refuse_from = 0;
        void *block = tern_slab_take(&slab, 100);
        assert_non_null(block);
        tern_slab_give(&slab, block, 100);
        tern_slab_clear(&slab);
        assert_int_equal(memory.live, 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_class_fits_closely),
    cmocka_unit_test(a_warm_slab_allocates_nothing),
    cmocka_unit_test(it_keeps_no_more_than_it_may),
    cmocka_unit_test(it_survives_an_allocator_that_fails),
};

TERN_TEST_MAIN(tests)
