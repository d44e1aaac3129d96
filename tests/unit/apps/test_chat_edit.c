/* The line that is being written: keys change it as people expect, whatever the characters are.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/edit.h"

#include <locale.h>
#include <string.h>

#include "tern_test.h"

static struct edit e;

static void begin(const char *text)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    edit_clear(&e);
    assert_true(text[0] == '\0' || edit_insert(&e, text, strlen(text)));
}

static void characters_go_in_and_out(void **state)
{
    (void)state;
    begin("a\xe6\xbc\xa2");
    assert_true(edit_insert(&e, "e", 1));
    assert_true(edit_insert(&e, "\xcc\x81", 2)); /* it joins the one before */
    assert_string_equal(e.text, "a\xe6\xbc\xa2"
                                "e\xcc\x81");
    assert_true(edit_do(&e, EDIT_RUB));
    assert_string_equal(e.text, "a\xe6\xbc\xa2");
    assert_true(edit_do(&e, EDIT_LEFT));
    assert_int_equal(e.at, 1);
    assert_true(edit_do(&e, EDIT_DELETE));
    assert_string_equal(e.text, "a");
    assert_false(edit_do(&e, EDIT_DELETE));
    assert_true(edit_do(&e, EDIT_RUB));
    assert_false(edit_do(&e, EDIT_RUB));
    assert_false(edit_do(&e, EDIT_LEFT));
    edit_clear(&e);
}

static void what_is_not_text_does_not_go_in(void **state)
{
    (void)state;
    begin("ab");
    assert_false(edit_insert(&e, "\xe2\x80\xae", 3)); /* an override */
    assert_true(edit_insert(&e, "\x1b", 1));
    assert_string_equal(e.text, "ab\xef\xbf\xbd");
    edit_clear(&e);
}

static void a_full_line_takes_no_more(void **state)
{
    (void)state;
    static char much[EDIT_MAX + 2];
    memset(much, 'x', sizeof much);
    begin("");
    assert_false(edit_insert(&e, much, EDIT_MAX + 1));
    assert_true(edit_insert(&e, much, EDIT_MAX));
    assert_false(edit_insert(&e, "y", 1));
    assert_false(edit_replace(&e, 0, 1, "yy"));
    assert_int_equal(e.len, EDIT_MAX);
    edit_clear(&e);
}

static void words_are_cut_and_pasted(void **state)
{
    (void)state;
    begin("one two  three");
    assert_true(edit_do(&e, EDIT_CUT_WORD));
    assert_string_equal(e.text, "one two  ");
    assert_true(edit_do(&e, EDIT_CUT_WORD));
    assert_string_equal(e.text, "one ");
    assert_true(edit_do(&e, EDIT_PASTE));
    assert_string_equal(e.text, "one two  ");
    assert_true(edit_do(&e, EDIT_HOME));
    assert_true(edit_do(&e, EDIT_WORD_RIGHT));
    assert_int_equal(e.at, 3);
    assert_true(edit_do(&e, EDIT_CUT_NEXT));
    assert_string_equal(e.text, "one  ");
    assert_true(edit_do(&e, EDIT_CUT_BEFORE));
    assert_string_equal(e.text, "  ");
    assert_true(edit_do(&e, EDIT_CUT_BEHIND));
    assert_int_equal(e.len, 0);
    assert_false(edit_do(&e, EDIT_CUT_WORD));
    edit_clear(&e);
}

static void two_characters_are_swapped(void **state)
{
    (void)state;
    begin("a\xe6\xbc\xa2");
    assert_true(edit_do(&e, EDIT_SWAP));
    assert_string_equal(e.text, "\xe6\xbc\xa2"
                                "a");
    assert_true(edit_do(&e, EDIT_HOME));
    assert_false(edit_do(&e, EDIT_SWAP));
    edit_clear(&e);
}

static void lines_before_come_back(void **state)
{
    (void)state;
    begin("first");
    edit_taken(&e);
    for (int i = 0; i < 2; i++) { /* the same once more is kept once */
        assert_true(edit_insert(&e, "second", 6));
        edit_taken(&e);
    }
    assert_int_equal(e.past_count, 2);
    assert_true(edit_insert(&e, "draft", 5));
    assert_true(edit_do(&e, EDIT_OLDER));
    assert_string_equal(e.text, "second");
    assert_true(edit_do(&e, EDIT_OLDER));
    assert_string_equal(e.text, "first");
    assert_false(edit_do(&e, EDIT_OLDER));
    assert_true(edit_do(&e, EDIT_NEWER));
    assert_true(edit_do(&e, EDIT_NEWER));
    assert_string_equal(e.text, "draft");
    assert_false(edit_do(&e, EDIT_NEWER));
    edit_clear(&e);
}

static void the_past_is_bounded(void **state)
{
    (void)state;
    begin("");
    for (int i = 0; i < 3 * EDIT_HISTORY; i++) {
        char line[2] = {(char)('a' + i % 26), '\0'};
        assert_true(edit_insert(&e, line, 1));
        edit_taken(&e);
    }
    int back = 0;
    while (edit_do(&e, EDIT_OLDER)) {
        back++;
    }
    assert_int_equal(back, EDIT_HISTORY);
    edit_clear(&e);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(characters_go_in_and_out),   cmocka_unit_test(what_is_not_text_does_not_go_in),
    cmocka_unit_test(a_full_line_takes_no_more),  cmocka_unit_test(words_are_cut_and_pasted),
    cmocka_unit_test(two_characters_are_swapped), cmocka_unit_test(lines_before_come_back),
    cmocka_unit_test(the_past_is_bounded),
};
TERN_TEST_MAIN(tests)
