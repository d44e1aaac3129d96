/* Whose latest ticket is known: nobody else's counts, and nobody's after a later visit.
 * SPDX-License-Identifier: MIT */
#include "terncp/visits.h"

#include "tern_test.h"

#include <string.h>

static struct visits visits;
static uint8_t key[TERN_KEY_SIZE], other[TERN_KEY_SIZE];

static int setup(void **state)
{
    (void)state;
    visits_init(&visits);
    memset(key, 1, sizeof key);
    memset(other, 2, sizeof other);
    return 0;
}

static void the_latest_ticket_counts(void **state)
{
    (void)state;
    assert_false(visits_on_early(&visits, key, 7, 8)); /* of before the start */
    assert_false(visits_is_latest(&visits, key, 8));
    visits_on_proved(&visits, key, 10);
    assert_false(visits_on_early(&visits, key, 9, 20));
    assert_true(visits_is_latest(&visits, key, 10)); /* an old one displaces nothing */
    assert_true(visits_on_early(&visits, key, 10, 11));
    assert_true(visits_is_latest(&visits, key, 11));
    assert_false(visits_on_early(&visits, key, 10, 12));
    visits_on_proved(&visits, key, 11); /* the same visit */
    assert_true(visits_is_latest(&visits, key, 11));
    assert_true(visits_on_early(&visits, key, 11, 13));
}

/* Somebody was quicker with a recorded flight: as soon as the client has come itself, he is late. */
static void a_later_visit_overtakes(void **state)
{
    (void)state;
    visits_on_proved(&visits, key, 1);
    assert_true(visits_on_early(&visits, key, 1, 2));
    visits_on_proved(&visits, key, 3);
    assert_false(visits_is_latest(&visits, key, 2));
    assert_true(visits_is_latest(&visits, key, 3));
}

static void clients_are_told_apart(void **state)
{
    (void)state;
    visits_on_proved(&visits, key, 1);
    assert_false(visits_on_early(&visits, other, 1, 2));
    visits_on_proved(&visits, other, 5);
    assert_true(visits_is_latest(&visits, key, 1));
    assert_true(visits_on_early(&visits, other, 5, 6));
}

/* No ticket is no number. */
static void nothing_is_not_the_latest(void **state)
{
    uint8_t zero[TERN_KEY_SIZE] = {0};
    (void)state;
    assert_false(visits_is_latest(&visits, zero, 0));
    assert_false(visits_on_early(&visits, zero, 0, 4));
    visits_on_proved(&visits, key, 0);
    assert_false(visits_is_latest(&visits, key, 0));
}

/* Two that share a place: the earlier is forgotten, and waits a round trip. */
static void a_full_table_errs_on_the_safe_side(void **state)
{
    uint8_t crowd[TERN_KEY_SIZE] = {0};
    unsigned known = 0;
    (void)state;
    for (unsigned i = 1; i <= 4 * VISITS_MAX; i++) {
        crowd[2] = (uint8_t)(i >> 8);
        crowd[3] = (uint8_t)i;
        visits_on_proved(&visits, crowd, i);
    }
    for (unsigned i = 1; i <= 4 * VISITS_MAX; i++) {
        crowd[2] = (uint8_t)(i >> 8);
        crowd[3] = (uint8_t)i;
        known += visits_is_latest(&visits, crowd, i) ? 1 : 0;
    }
    assert_int_equal(known, VISITS_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(the_latest_ticket_counts, setup),
    cmocka_unit_test_setup(a_later_visit_overtakes, setup),
    cmocka_unit_test_setup(clients_are_told_apart, setup),
    cmocka_unit_test_setup(nothing_is_not_the_latest, setup),
    cmocka_unit_test_setup(a_full_table_errs_on_the_safe_side, setup),
};

TERN_TEST_MAIN(tests)
