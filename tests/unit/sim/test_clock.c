/* Time and chance: the generator is fair and the same everywhere, the agenda keeps order.
 * SPDX-License-Identifier: MIT */
#include "tern_test.h"

#include <math.h>

#include "sim/clock.h"

/* The reference implementation's first outputs for the state 1, 2, 3, 4. */
static void generator_is_xoshiro256ss(void **state)
{
    (void)state;
    struct tern_chance chance = {.s = {1, 2, 3, 4}};
    assert_int_equal(tern_chance_next(&chance), 11520);
    assert_int_equal(tern_chance_next(&chance), 0);
    assert_int_equal(tern_chance_next(&chance), 1509978240);
    assert_int_equal(tern_chance_next(&chance), 1215971899390074240);
}

/* Written down once: a change here changes every recorded seed. */
static void stream_is_the_same_on_every_compiler(void **state)
{
    (void)state;
    struct tern_chance chance;
    tern_chance_init(&chance, 1, 0);
    uint64_t mix = 0;
    for (int i = 0; i < 1000; i++) {
        mix = mix * 31 + tern_chance_next(&chance);
    }
    assert_int_equal(mix, 0xe6b4dbee29e4552du);
}

static void streams_of_a_seed_differ(void **state)
{
    (void)state;
    struct tern_chance a, b, c;
    tern_chance_init(&a, 7, 0);
    tern_chance_init(&b, 7, 1);
    tern_chance_init(&c, 8, 0);
    uint64_t x = tern_chance_next(&a);
    assert_true(x != tern_chance_next(&b));
    assert_true(x != tern_chance_next(&c));
}

static void below_stays_below_and_is_uniform(void **state)
{
    (void)state;
    struct tern_chance chance;
    tern_chance_init(&chance, 3, 0);
    unsigned seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t x = tern_chance_below(&chance, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9600, 10400);
    }
    assert_int_equal(tern_chance_below(&chance, 0), 0);
    assert_int_equal(tern_chance_below(&chance, 1), 0);
}

static void odds_cover_the_whole_range(void **state)
{
    (void)state;
    struct tern_chance chance;
    tern_chance_init(&chance, 3, 0);
    assert_int_equal(tern_chance_odds(0), 0);
    assert_int_equal(tern_chance_odds(-1), 0);
    assert_int_equal(tern_chance_odds((double)NAN), 0);
    assert_int_equal(tern_chance_odds(0.5), (uint64_t)1 << 52);
    assert_int_equal(tern_chance_odds(2), (uint64_t)1 << 53);
    for (int i = 0; i < 1000; i++) {
        assert_true(tern_chance_hits(&chance, tern_chance_odds(1)));
        assert_false(tern_chance_hits(&chance, tern_chance_odds(0)));
    }
}

static void zero_odds_draw_nothing(void **state)
{
    (void)state;
    struct tern_chance a, b;
    tern_chance_init(&a, 5, 0);
    tern_chance_init(&b, 5, 0);
    assert_false(tern_chance_hits(&a, 0));
    assert_int_equal(tern_chance_next(&a), tern_chance_next(&b));
}

static void fill_fills_any_length(void **state)
{
    (void)state;
    struct tern_chance chance;
    tern_chance_init(&chance, 5, 0);
    uint8_t buf[33] = {0};
    for (size_t len = 0; len < sizeof buf; len++) {
        buf[len] = 0xa5;
        tern_chance_fill(&chance, buf, len);
        assert_int_equal(buf[len], 0xa5);
    }
}

static void agenda_gives_by_time_then_by_order(void **state)
{
    (void)state;
    struct tern_agenda agenda = {0};
    struct tern_chance chance;
    tern_chance_init(&chance, 9, 0);
    static uint64_t items[1000];
    for (uint64_t i = 0; i < 1000; i++) {
        items[i] = tern_chance_below(&chance, 50) * 1000 + i; /* many at equal times */
        assert_int_equal(tern_agenda_reserve(&agenda, 1), 0);
        tern_agenda_push(&agenda, items[i] / 1000, &items[i]);
    }
    uint64_t last_due = 0;
    const uint64_t *last = NULL;
    for (int i = 0; i < 1000; i++) {
        tern_time due = tern_agenda_next(&agenda);
        uint64_t *item = tern_agenda_pop(&agenda);
        assert_non_null(item);
        assert_true(due >= last_due);
        assert_true(due > last_due || last == NULL || item > last);
        last_due = due;
        last = item;
    }
    assert_null(tern_agenda_pop(&agenda));
    assert_null(tern_agenda_peek(&agenda));
    assert_int_equal(tern_agenda_next(&agenda), TERN_TIME_NEVER);
    tern_agenda_clear(&agenda);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(generator_is_xoshiro256ss),
    cmocka_unit_test(stream_is_the_same_on_every_compiler),
    cmocka_unit_test(streams_of_a_seed_differ),
    cmocka_unit_test(below_stays_below_and_is_uniform),
    cmocka_unit_test(odds_cover_the_whole_range),
    cmocka_unit_test(zero_odds_draw_nothing),
    cmocka_unit_test(fill_fills_any_length),
    cmocka_unit_test(agenda_gives_by_time_then_by_order),
};

TERN_TEST_MAIN(tests)
