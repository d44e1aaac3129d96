/* The randomness seam: whose bytes are used, and that a bounded draw is fair.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"

#include "unit/base/kit.h"

/* A source that says what it is told. */
struct script {
    uint64_t words[4];
    size_t next;
};

static void recite(void *user, uint8_t *buf, size_t len)
{
    struct script *script = user;
    assert_int_equal(len, 8);
    assert_true(script->next < 4);
    uint64_t word = script->words[script->next++];
    for (size_t i = 0; i < 8; i++) {
        buf[i] = (uint8_t)(word >> (56 - 8 * i));
    }
}

static struct tern_random random_of(struct script *script)
{
    struct tern_random random;
    tern_random_source source = {recite, script};
    tern_random_init(&random, &source);
    return random;
}

static void default_is_random(void **state)
{
    (void)state;
    struct tern_random random;
    tern_random_source none = {0};
    uint8_t a[32] = {0}, b[32] = {0}, zeros[32] = {0};
    tern_random_init(&random, NULL);
    tern_random_fill(&random, a, sizeof a);
    tern_random_init(&random, &none);
    tern_random_fill(&random, b, sizeof b);
    assert_memory_not_equal(a, zeros, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
}

static void open_bytes_come_once_and_from_the_hook_if_there_is_one(void **state)
{
    (void)state;
    struct tern_random random;
    uint8_t seen[64][8], large[TERN_RANDOM_POOL + 1] = {0};
    tern_random_init(&random, NULL);
    for (size_t i = 0; i < 64; i++) { /* twice the pool */
        tern_random_fill_open(&random, seen[i], sizeof seen[i]);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(seen[i], seen[k], sizeof seen[i]);
        }
    }
    tern_random_fill_open(&random, large, sizeof large);
    assert_true(large[TERN_RANDOM_POOL] != 0 || large[0] != 0 || large[1] != 0);

    struct script script = {.words = {UINT64_C(0x0102030405060708)}};
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 6, 7, 8};
    random = random_of(&script);
    tern_random_fill_open(&random, seen[0], sizeof seen[0]);
    assert_memory_equal(seen[0], wanted, sizeof wanted);
}

static void numbers_do_not_depend_on_byte_order(void **state)
{
    (void)state;
    struct script script = {.words = {UINT64_C(0x0102030405060708)}};
    struct tern_random random = random_of(&script);
    assert_int_equal(tern_random_u64(&random), UINT64_C(0x0102030405060708));
}

static void seed_decides_everything(void **state)
{
    (void)state;
    uint64_t seeds[2] = {42, 42};
    struct tern_random random[2];
    for (size_t i = 0; i < 2; i++) {
        tern_random_source source = {kit_random_fill, &seeds[i]};
        tern_random_init(&random[i], &source);
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(tern_random_below(&random[0], i + 1),
                         tern_random_below(&random[1], i + 1));
    }
}

/* 2^64 = 6 (mod 10): the words 0..5 are the surplus and are drawn again. */
static void surplus_is_drawn_again(void **state)
{
    (void)state;
    struct script script = {.words = {0, 5, 6, 3}};
    struct tern_random random = random_of(&script);
    assert_int_equal(tern_random_below(&random, 10), 6);
    assert_int_equal(script.next, 3);
}

/* 2^64 - (2^63 + 1) = 2^63 - 1 words are the surplus here, nearly half of all. */
static void surplus_of_a_large_bound(void **state)
{
    (void)state;
    uint64_t bound = (UINT64_C(1) << 63) + 1;
    struct script script = {.words = {bound - 3, bound - 2, 0, 0}};
    struct tern_random random = random_of(&script);
    assert_int_equal(tern_random_below(&random, bound), bound - 2);
    assert_int_equal(script.next, 2);
}

static void powers_of_two_never_draw_again(void **state)
{
    (void)state;
    struct script script = {.words = {0, UINT64_MAX, 77, UINT64_MAX}};
    struct tern_random random = random_of(&script);
    assert_int_equal(tern_random_below(&random, 1), 0);
    assert_int_equal(tern_random_below(&random, 16), 15);
    assert_int_equal(tern_random_below(&random, 64), 13);
    assert_int_equal(tern_random_below(&random, UINT64_C(1) << 63), (UINT64_C(1) << 63) - 1);
}

static void every_value_comes_about_as_often(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct tern_random random;
    tern_random_source source = {kit_random_fill, &seed};
    unsigned seen[7] = {0};
    tern_random_init(&random, &source);
    for (size_t i = 0; i < 70000; i++) {
        uint64_t value = tern_random_below(&random, 7);
        assert_true(value < 7);
        seen[value]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500); /* five standard deviations */
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(default_is_random),
    cmocka_unit_test(open_bytes_come_once_and_from_the_hook_if_there_is_one),
    cmocka_unit_test(numbers_do_not_depend_on_byte_order),
    cmocka_unit_test(seed_decides_everything),
    cmocka_unit_test(surplus_is_drawn_again),
    cmocka_unit_test(surplus_of_a_large_bound),
    cmocka_unit_test(powers_of_two_never_draw_again),
    cmocka_unit_test(every_value_comes_about_as_often),
};

TERN_TEST_MAIN(tests)
