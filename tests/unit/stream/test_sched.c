/* Whose turn it is: urgencies, order of ids, turns.
 * SPDX-License-Identifier: MIT */
#include "stream/sched.h"

#include "tern_test.h"

#define ENTRIES 6

struct fixture {
    struct tern_sched sched;
    struct tern_sched_entry e[ENTRIES];
};

static void begin(struct fixture *f)
{
    tern_sched_init(&f->sched);
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_sched_entry_init(&f->e[i], i);
    }
}

/* Sends once: who was it? */
static uint64_t send_one(struct fixture *f)
{
    struct tern_sched_entry *top = tern_sched_top(&f->sched);
    assert_non_null(top);
    tern_sched_turn(&f->sched, top);
    return top->id;
}

static void empty_has_no_top(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_null(tern_sched_top(&f.sched));
    tern_sched_drop(&f.sched, &f.e[0]);
    tern_sched_turn(&f.sched, &f.e[0]);
    assert_null(tern_sched_top(&f.sched));
}

static void plain_streams_run_in_order_of_ids(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    tern_sched_push(&f.sched, &f.e[2]);
    tern_sched_push(&f.sched, &f.e[0]);
    tern_sched_push(&f.sched, &f.e[1]);
    tern_sched_push(&f.sched, &f.e[1]); /* again: nothing */
    assert_int_equal(send_one(&f), 0);
    assert_int_equal(send_one(&f), 0);
    tern_sched_drop(&f.sched, &f.e[0]);
    assert_int_equal(send_one(&f), 1);
    tern_sched_drop(&f.sched, &f.e[1]);
    assert_int_equal(send_one(&f), 2);
}

static void incremental_streams_take_turns(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < 3; i++) {
        tern_sched_set(&f.sched, &f.e[i], 3, true);
        tern_sched_push(&f.sched, &f.e[i]);
    }
    for (uint64_t i = 0; i < 9; i++) {
        assert_int_equal(send_one(&f), i % 3);
    }
}

static void urgency_is_strict(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < ENTRIES; i++) {
        tern_sched_set(&f.sched, &f.e[i], (unsigned)(7 - i), false);
        tern_sched_push(&f.sched, &f.e[i]);
    }
    for (size_t i = ENTRIES; i-- > 0;) {
        assert_int_equal(send_one(&f), i);
        assert_int_equal(send_one(&f), i);
        tern_sched_drop(&f.sched, &f.e[i]);
    }
    assert_null(tern_sched_top(&f.sched));
}

static void neither_group_of_an_urgency_starves(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < 4; i++) {
        tern_sched_set(&f.sched, &f.e[i], 3, i >= 2);
        tern_sched_push(&f.sched, &f.e[i]);
    }
    const uint64_t expected[] = {0, 2, 0, 3, 0, 2, 0, 3};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(send_one(&f), expected[i]);
    }
}

static void priority_changes_while_queued(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    tern_sched_push(&f.sched, &f.e[0]);
    tern_sched_push(&f.sched, &f.e[1]);
    tern_sched_set(&f.sched, &f.e[1], 0, false);
    assert_int_equal(send_one(&f), 1);
    tern_sched_set(&f.sched, &f.e[1], 7, true);
    assert_int_equal(send_one(&f), 0);
    tern_sched_drop(&f.sched, &f.e[0]);
    assert_int_equal(send_one(&f), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(empty_has_no_top),
    cmocka_unit_test(plain_streams_run_in_order_of_ids),
    cmocka_unit_test(incremental_streams_take_turns),
    cmocka_unit_test(urgency_is_strict),
    cmocka_unit_test(neither_group_of_an_urgency_starves),
    cmocka_unit_test(priority_changes_while_queued),
};

TERN_TEST_MAIN(tests)
