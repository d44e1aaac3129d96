/* Tests of crypto/strikes: once is once, within a window, in fixed memory.
 * SPDX-License-Identifier: MIT */
#include "crypto/strikes.h"

#include "tern_test.h"
#include "unit/heap_kit.h"

#define NOW    (1000 * TERN_SEC)
#define WINDOW (10 * TERN_SEC)

static struct kit_heap heap;
static struct tern_mem mem;
static struct tern_random random_source;
static struct tern_strikes strikes;

static int setup(void **state)
{
    (void)state;
    tern_random_source none = {0};
    kit_mem(&mem, &heap);
    tern_random_init(&random_source, &none);
    assert_int_equal(tern_strikes_init(&strikes, &mem, &random_source, 1024, WINDOW, NOW), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tern_strikes_clear(&strikes);
    assert_int_equal(heap.blocks, 0);
    return 0;
}

static bool mark(uint64_t id, tern_time now)
{
    uint8_t bytes[8];
    memcpy(bytes, &id, sizeof bytes);
    return tern_strikes_mark(&strikes, bytes, sizeof bytes, now);
}

static bool has(uint64_t id, tern_time now)
{
    uint8_t bytes[8];
    memcpy(bytes, &id, sizeof bytes);
    return tern_strikes_has(&strikes, bytes, sizeof bytes, now);
}

static void once_is_once(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 300; id++) {
        assert_false(has(id, NOW));
        assert_true(mark(id, NOW));
        assert_true(has(id, NOW));
        assert_false(mark(id, NOW));
    }
}

/* Whenever in a window it was marked: it is known for a window more. */
static void it_is_known_for_a_window_at_least(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 200; id++) {
        tern_time at = NOW + id * TERN_SEC;
        assert_true(mark(id, at));
        for (uint64_t back = 0; back <= 9 && back <= id; back++) {
            assert_true(has(id - back, at));
            assert_false(mark(id - back, at));
        }
        assert_true(id < 21 || !has(id - 21, at)); /* and for two at most */
    }
}

static void after_a_long_silence_all_is_forgotten(void **state)
{
    (void)state;
    assert_true(mark(1, NOW));
    assert_true(mark(1, NOW + 1000 * TERN_SEC + TERN_MSEC));
    assert_false(mark(1, NOW + 1000 * TERN_SEC + WINDOW));
}

/* Full: a first use is refused rather than a second one allowed. */
static void a_full_register_refuses(void **state)
{
    (void)state;
    uint64_t calls = heap.calls, marked = 0;
    for (uint64_t id = 0; id < 100000; id++) {
        marked += mark(id, NOW) ? 1 : 0;
    }
    assert_int_equal(marked, 768);
    for (uint64_t id = 0; id < 100000; id++) {
        assert_false(mark(id, NOW + TERN_SEC));
    }
    assert_true(mark(1000000, NOW + WINDOW)); /* another window, another bucket */
    assert_false(mark(1, NOW + WINDOW));
    assert_int_equal(heap.calls, calls);
}

/* Where a late second use does little harm the oldest may go, and the newest stay. */
static void room_is_made_by_forgetting_the_oldest(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 2000; id++) {
        if (!mark(id, NOW)) {
            tern_strikes_make_room(&strikes, NOW);
            assert_true(mark(id, NOW));
        }
        for (uint64_t back = 0; back < 768 && back <= id; back += 13) {
            assert_true(has(id - back, NOW));
        }
    }
    assert_false(has(0, NOW));
}

static void a_clock_that_steps_back_forgets_nothing(void **state)
{
    (void)state;
    assert_true(mark(1, NOW));
    assert_false(mark(1, NOW - 500 * TERN_SEC));
    assert_true(mark(2, 0));
    assert_false(mark(2, NOW));
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct tern_strikes other;
    for (uint64_t n = 1; n <= 2; n++) {
        heap.fail_at = heap.calls + n;
        assert_int_equal(tern_strikes_init(&other, &mem, &random_source, 16, WINDOW, NOW),
                         TERN_ERR_NOMEM);
        heap.fail_at = 0;
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(once_is_once, setup, teardown),
    cmocka_unit_test_setup_teardown(it_is_known_for_a_window_at_least, setup, teardown),
    cmocka_unit_test_setup_teardown(after_a_long_silence_all_is_forgotten, setup, teardown),
    cmocka_unit_test_setup_teardown(a_full_register_refuses, setup, teardown),
    cmocka_unit_test_setup_teardown(room_is_made_by_forgetting_the_oldest, setup, teardown),
    cmocka_unit_test_setup_teardown(a_clock_that_steps_back_forgets_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(without_memory_there_is_none, setup, teardown),
};

TERN_TEST_MAIN(tests)
