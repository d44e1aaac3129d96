/* A set larger than its memory answers as one that fits.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/nameset.h"

#include "unit/apps/folder.h"

static uint64_t mix(uint64_t i)
{
    i *= 0x9e3779b97f4a7c15u;
    return i ^ i >> 29;
}

/* Of hashes 0 to 2 * count the even ones are in. */
static void fill_and_ask(int folder, unsigned in_memory, unsigned count)
{
    struct nameset *set = nameset_new(folder, in_memory);
    unsigned has = 0, has_not = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(nameset_add(set, mix(2 * i)), 0);
    }
    unsigned passes = nameset_passes(set);
    assert_int_equal(passes, count == 0 ? 1 : (count + in_memory - 1) / in_memory);
    for (unsigned pass = 0; pass < passes; pass++) {
        assert_int_equal(nameset_begin(set, pass), 0);
        for (unsigned i = 0; i < 2 * count; i++) {
            enum nameset_answer answer = nameset_ask(set, mix(i));
            assert_true(answer != (i % 2 == 0 ? NAMESET_HAS_NOT : NAMESET_HAS));
            has += answer == NAMESET_HAS ? 1 : 0;
            has_not += answer == NAMESET_HAS_NOT ? 1 : 0;
        }
        if (count == 0) {
            assert_int_equal(nameset_ask(set, 5), NAMESET_HAS_NOT);
        }
    }
    assert_int_equal(has, count);
    assert_int_equal(has_not, count);
    nameset_free(set);
}

static void every_name_is_answered_in_one_pass(void **state)
{
    const struct folder *folder = *state;
    fill_and_ask(folder->fd, 1000, 0);
    fill_and_ask(folder->fd, 1000, 999);
    fill_and_ask(folder->fd, 1000, 1000);
    fill_and_ask(folder->fd, 1000, 1001);
    fill_and_ask(folder->fd, 1000, 12345);
    nameset_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(every_name_is_answered_in_one_pass, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
