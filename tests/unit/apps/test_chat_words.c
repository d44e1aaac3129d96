/* Words by which people compare keys.
 * SPDX-License-Identifier: MIT */
#include "ternchat/words.h"

#include <stdio.h>
#include <string.h>

#include "tern_test.h"

static void both_sides_see_the_same(void **state)
{
    uint8_t one[TERN_KEY_SIZE], other[TERN_KEY_SIZE];
    char here[WORDS_SIZE], there[WORDS_SIZE];
    (void)state;
    memset(one, 1, sizeof one);
    memset(other, 2, sizeof other);
    words_of(one, other, here);
    words_of(other, one, there);
    assert_string_equal(here, there);
    other[31] ^= 1;
    words_of(one, other, there);
    assert_string_not_equal(here, there);
}

static void they_can_be_spoken(void **state)
{
    uint8_t one[TERN_KEY_SIZE] = {7}, other[TERN_KEY_SIZE] = {9};
    char text[WORDS_SIZE];
    (void)state;
    words_of(one, other, text);
    assert_int_equal(strlen(text), WORDS_COUNT * 6 - 1);
    for (size_t i = 0; text[i] != '\0'; i++) {
        const char *set = i % 6 == 5 ? " " : i % 6 % 2 == 1 ? "aiou" : "bdfghjklmnprstvz";
        assert_non_null(strchr(set, text[i]));
    }
}

/* The rule as docs/ternchat-protocol.md has it, computed elsewhere. */
static void they_are_what_the_specification_says(void **state)
{
    uint8_t one[TERN_KEY_SIZE], other[TERN_KEY_SIZE];
    char text[WORDS_SIZE];
    (void)state;
    memset(one, 1, sizeof one);
    memset(other, 2, sizeof other);
    words_of(one, other, text);
    assert_string_equal(text, "fomug raror buvov fojaf tipum bujav bavad rozop");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_sides_see_the_same),
    cmocka_unit_test(they_can_be_spoken),
    cmocka_unit_test(they_are_what_the_specification_says),
};

TERN_TEST_MAIN(tests)
