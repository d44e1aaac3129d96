/* Copies follow loss: none without it, at once with the first, as many as the share of it asks for, and
 * none again when it is long over.
 * SPDX-License-Identifier: MIT */
#include "recovery/spares.h"

#include "unit/base/kit.h"

static void nothing_lost_nothing_spare(void **state)
{
    (void)state;
    struct tern_spares spares = {0};
    for (int i = 0; i < 10000; i++) {
        tern_spares_on_settled(&spares, 1, 0, 0);
        assert_int_equal(tern_spares_eighths(&spares), 0);
    }
}

static void the_first_loss_is_enough(void **state)
{
    (void)state;
    struct tern_spares spares = {0};
    tern_spares_on_settled(&spares, 3, 0, 0);
    tern_spares_on_settled(&spares, 2, 1, 0);
    assert_int_equal(tern_spares_eighths(&spares), 8);
    for (int i = 0; i < TERN_SPARES_SPAN - 10; i++) { /* and lasts */
        tern_spares_on_settled(&spares, 1, 0, 0);
        assert_int_equal(tern_spares_eighths(&spares), 8);
    }
    for (int i = 0; i < 2 * TERN_SPARES_SPAN; i++) { /* but not for ever */
        tern_spares_on_settled(&spares, 1, 0, 0);
    }
    assert_int_equal(tern_spares_eighths(&spares), 0);
}

static void what_was_no_loss_does_not_count(void **state)
{
    (void)state;
    struct tern_spares spares = {0};
    tern_spares_on_settled(&spares, 50, 2, 0);
    tern_spares_on_settled(&spares, 2, 0, 2);
    assert_int_equal(tern_spares_eighths(&spares), 0);
    tern_spares_on_settled(&spares, 1, 0, 5); /* more than were lost: none below nothing */
    assert_int_equal(tern_spares_eighths(&spares), 0);
}

/* Copies at a steady share of loss, after a thousand packets. */
static unsigned copies_at(unsigned loss)
{
    struct tern_spares spares = {0};
    uint64_t seed = loss;
    for (int i = 0; i < 1000; i++) {
        bool is_lost = kit_roll(&seed) % 1000 < loss;
        tern_spares_on_settled(&spares, is_lost ? 0 : 1, is_lost ? 1 : 0, 0);
    }
    return tern_spares_eighths(&spares);
}

static void copies_follow_the_share(void **state)
{
    (void)state;
    assert_int_equal(copies_at(8), 8);
    assert_int_equal(copies_at(50), 13);
    assert_int_equal(copies_at(110), 24);
    assert_int_equal(copies_at(300), 32);
}

static void great_numbers_do_not_overflow(void **state)
{
    (void)state;
    struct tern_spares spares = {0};
    tern_spares_on_settled(&spares, UINT32_MAX, UINT32_MAX, 0);
    tern_spares_on_settled(&spares, 0, 1u << 20, 1u << 20);
    assert_true(tern_spares_loss(&spares) <= 1000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_lost_nothing_spare),      cmocka_unit_test(the_first_loss_is_enough),
    cmocka_unit_test(what_was_no_loss_does_not_count), cmocka_unit_test(copies_follow_the_share),
    cmocka_unit_test(great_numbers_do_not_overflow),
};

TERN_TEST_MAIN(tests)
