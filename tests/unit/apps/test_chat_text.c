/* Other people's text: nothing in it may move the cursor, hide or turn round, however it is made.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/text.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern_test.h"

static char out[4096];

static const char *clean(const char *in)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    size_t n = text_clean(in, strlen(in), true, out, sizeof out);
    assert_int_equal(n, strlen(out));
    return out;
}

static void words_stay_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(clean("hello"), "hello");
    assert_string_equal(clean("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(clean("\xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x90\xa6"),
                        "\xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x90\xa6");
    assert_string_equal(clean("e\xcc\x81"), "e\xcc\x81");
    assert_string_equal(clean("\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d"),
                        "\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d");
    assert_string_equal(clean(""), "");
}

static void controls_become_one_sign(void **state)
{
    (void)state;
    assert_string_equal(clean("a\x1b[2Jb"), "a\xef\xbf\xbd[2Jb");
    assert_string_equal(clean("a\x01\x02\x7f\rb"), "a\xef\xbf\xbd"
                                                   "b");
    assert_string_equal(clean("\xc2\x9b"
                              "31m"),
                        "\xef\xbf\xbd"
                        "31m"); /* CSI in one character */
    assert_string_equal(clean("a\tb"), "a b");
}

static void turning_and_hiding_is_dropped(void **state)
{
    (void)state;
    assert_string_equal(clean("a\xe2\x80\xae"
                              "fdp.exe"),
                        "afdp.exe");
    assert_string_equal(clean("\xe2\x81\xa6x\xe2\x81\xa9"), "x");
    assert_string_equal(clean("a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf\xc2\xad"
                              "b"),
                        "ab");
    assert_string_equal(clean("\xf3\xa0\x81\xa1\xf3\xa0\x81\xa2"), ""); /* tags */
    assert_string_equal(clean("\xe3\x85\xa4"), "");                     /* the Hangul filler */
    assert_string_equal(clean("\xe2\x80\xa8x"), "x");                   /* a line separator */
}

static void invalid_octets_become_one_sign(void **state)
{
    (void)state;
    assert_string_equal(clean("a\xff\xfe\xc3(b"), "a\xef\xbf\xbd(b");
    assert_string_equal(clean("\xc0\xaf"), "\xef\xbf\xbd");         /* "/" made long */
    assert_string_equal(clean("\xed\xa0\x80"), "\xef\xbf\xbd");     /* a surrogate */
    assert_string_equal(clean("\xf4\x90\x80\x80"), "\xef\xbf\xbd"); /* beyond the last */
    assert_string_equal(clean("\xe6\xbc"), "\xef\xbf\xbd");         /* cut */
}

static void marks_are_counted(void **state)
{
    (void)state;
    char flood[2 + 2 * 500 + 1] = "a";
    for (int i = 0; i < 500; i++) {
        memcpy(flood + 1 + 2 * i, "\xcc\x81", 2);
    }
    memcpy(flood + 1 + 2 * 500, "b", 2);
    assert_string_equal(clean(flood), "a\xcc\x81\xcc\x81\xcc\x81"
                                      "b");
    assert_string_equal(clean("\xcc\x81"
                              "a"),
                        "a"); /* on nothing */
    assert_string_equal(clean("a\n\xcc\x81"
                              "b"),
                        "a\nb");
}

static void empty_lines_are_not_many(void **state)
{
    (void)state;
    assert_string_equal(clean("a\n\n\n\n\n\nb"), "a\nb");
    (void)text_clean("a\nb", 3, false, out, sizeof out);
    assert_string_equal(out, "a b");
}

static void what_is_full_is_cut_between_characters(void **state)
{
    (void)state;
    (void)clean("");
    assert_int_equal(text_clean("\xe6\xbc\xa2\xe5\xad\x97", 6, true, out, 6), 3);
    assert_string_equal(out, "\xe6\xbc\xa2");
    assert_int_equal(text_clean("abc", 3, true, out, 1), 0);
}

/* Whatever comes in, TEXT_CLEAN suffices, and what comes out is clean: cleaning it again changes nothing. */
static void any_octets_become_clean(void **state)
{
    (void)state;
    (void)clean("");
    uint32_t seed = 1;
    for (int i = 0; i < TERN_TEST_TIMES(20000); i++) {
        static const unsigned char often[] = {0xcc, 0x81, 0xe2, 0x80, 0xae,
                                              '\n', 0xff, 'a',  0x1b, 0xf0};
        char in[40], once[TEXT_CLEAN(sizeof in)], twice[TEXT_CLEAN(sizeof once)];
        size_t len = 0;
        for (; len < sizeof in; len++) {
            seed = seed * 1664525u + 1013904223u;
            in[len] = (char)((seed >> 31) != 0 ? often[(seed >> 8) % sizeof often] : seed >> 16);
        }
        size_t n = text_clean(in, len, true, once, sizeof once);
        assert_true(n < sizeof once - 1);
        size_t m = text_clean(once, n, true, twice, sizeof twice);
        assert_int_equal(n, m);
        assert_memory_equal(once, twice, n);
        size_t columns = 0;
        for (size_t at = 0; at < n;) {
            unsigned wide;
            size_t step = text_next(once + at, n - at, &wide);
            assert_in_range(step, 1, TEXT_CHARACTER);
            assert_in_range(wide, 1, 2);
            at += step;
            columns += wide;
        }
        assert_int_equal(columns, text_columns(once, n));
    }
}

static void widths_are_columns(void **state)
{
    (void)state;
    (void)clean("");
    assert_int_equal(text_columns("abc", 3), 3);
    assert_int_equal(text_columns("\xe6\xbc\xa2", 3), 2);
    assert_int_equal(text_columns("e\xcc\x81x", 4), 2);
    assert_int_equal(text_fit("\xe6\xbc\xa2\xe5\xad\x97", 6, 3), 3);
    assert_int_equal(text_fit("e\xcc\x81x", 4, 1), 3);
}

static void rows_break_at_blanks(void **state)
{
    (void)state;
    size_t skip;
    (void)clean("");
    assert_int_equal(text_row("hello world", 11, 8, &skip), 5);
    assert_int_equal(skip, 1);
    assert_int_equal(text_row("hello world", 11, 5, &skip), 5);
    assert_int_equal(skip, 1);
    assert_int_equal(text_row("helloworld", 10, 4, &skip), 4);
    assert_int_equal(skip, 0);
    assert_int_equal(text_row("a\nb", 3, 4, &skip), 1);
    assert_int_equal(skip, 1);
    assert_int_equal(text_row("\xe6\xbc\xa2", 3, 1, &skip), 3); /* or it would never end */
}

/* A line of 64 KiB without a blank, and one of blanks alone, in rows of one column. */
static void long_lines_end(void **state)
{
    (void)state;
    size_t len = 65536, skip;
    (void)clean("");
    char *line = malloc(len);
    assert_non_null(line);
    for (int i = 0; i < 2; i++) {
        memset(line, i == 0 ? 'x' : ' ', len);
        size_t rows = 0;
        for (size_t at = 0; at < len; rows++) {
            size_t n = text_row(line + at, len - at, 1, &skip);
            assert_true(n + skip > 0);
            at += n + skip;
        }
        assert_in_range(rows, len / 2, len);
    }
    free(line);
}

static void words_are_found(void **state)
{
    (void)state;
    size_t found;
    const char *text = "Gr\xc3\x9c\xc3\x9f"
                       "e an ALLE";
    (void)clean("");
    assert_ptr_equal(text_find(text, strlen(text), "gr\xc3\xbc", &found), text);
    assert_int_equal(found, 4);
    assert_non_null(text_find(text, strlen(text), "alle", &found));
    assert_null(text_find(text, strlen(text), "allen", &found));
    assert_null(text_find(text, strlen(text), "", &found));
    assert_true(text_mentions("hi Ann: there", 13, "ann"));
    assert_true(text_mentions("ann", 3, "ann"));
    assert_false(text_mentions("annex banner ann_", 17, "ann"));
    assert_false(text_mentions("ann", 3, ""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_stay_as_they_are),
    cmocka_unit_test(controls_become_one_sign),
    cmocka_unit_test(turning_and_hiding_is_dropped),
    cmocka_unit_test(invalid_octets_become_one_sign),
    cmocka_unit_test(marks_are_counted),
    cmocka_unit_test(empty_lines_are_not_many),
    cmocka_unit_test(what_is_full_is_cut_between_characters),
    cmocka_unit_test(any_octets_become_clean),
    cmocka_unit_test(widths_are_columns),
    cmocka_unit_test(rows_break_at_blanks),
    cmocka_unit_test(long_lines_end),
    cmocka_unit_test(words_are_found),
};
TERN_TEST_MAIN(tests)
