/* ternsim report: which bars count as missed.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include "ternsim/bars.h"

static void counts_what_is_missed(void **state)
{
    (void)state;
    struct bars bars = {.count = 0};
    assert_int_equal(bars_missed(&bars), 0);
    bars_add(&bars, "at the least", 0.9, 0.9, 1e9);
    bars_add(&bars, "at the most", 1.5, 0, 1.5);
    bars_add(&bars, "between", 1, 0.4, 2.5);
    bars_print(&bars);
    assert_int_equal(bars_missed(&bars), 0);
    bars_add(&bars, "too little", 0.89, 0.9, 1e9);
    bars_add(&bars, "too much", 1.51, 0, 1.5);
    bars_print(&bars);
    assert_int_equal(bars_missed(&bars), 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(counts_what_is_missed),
};

TERN_TEST_MAIN(tests)
