/* Rules decide as rsync's do, and cost no more than their length.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/apps/folder.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static bool leaves_out(const char *pattern, const char *name, bool is_folder)
{
    struct filter *filter = filter_new();
    assert_non_null(filter);
    assert_int_equal(filter_add(filter, false, pattern), FILTER_OK);
    bool answer = filter_leaves_out(filter, name, is_folder);
    filter_free(filter);
    return answer;
}

static void patterns_fit_what_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool is_folder, fits;
    } cases[] = {
        {"*.o", "main.o", false, true},
        {"*.o", "deep/er/main.o", false, true},
        {"*.o", "main.oo", false, false},
        {"*.o", "main.o/file", false, false},
        {"core", "core", false, true},
        {"core", "a/core", false, true},
        {"core", "score", false, false},
        {"core", "core/x", false, false},
        {"/core", "core", false, true},
        {"/core", "a/core", false, false},
        {"build/", "build", true, true},
        {"build/", "build", false, false},
        {"build/", "a/build", true, true},
        {"a/b", "a/b", false, true},
        {"a/b", "x/a/b", false, true},
        {"a/b", "xa/b", false, false},
        {"/a/b", "x/a/b", false, false},
        {"/a/*/c", "a/b/c", false, true},
        {"/a/*/c", "a/b/b/c", false, false},
        {"/a/**/c", "a/b/b/c", false, true},
        {"/a/**/c", "a/c", false, false},
        {"/a/**", "a/b/c", false, true},
        {"/a/**", "a", true, false},
        {"/a/***", "a", true, true},
        {"/a/***", "a/b/c", false, true},
        {"/a/***", "ab/c", false, false},
        {"a/***", "x/a/c", false, true},
        {"**/c", "a/b/c", false, true},
        {"**c", "a/b/abc", false, true},
        {"?.c", "a.c", false, true},
        {"?.c", "ab.c", false, false},
        {"/a?b", "a/b", false, false},
        {"?", "\xe2\x98\x83", false, true},
        {"??", "\xe2\x98\x83", false, false},
        {"?", "\xff", false, true},
        {"?\xff", "a\xff", false, true},
        {"[abc]x", "bx", false, true},
        {"[abc]x", "dx", false, false},
        {"[a-c]x", "bx", false, true},
        {"[!a-c]x", "bx", false, false},
        {"[^a-c]x", "dx", false, true},
        {"[]]x", "]x", false, true},
        {"[]-]x", "-x", false, true},
        {"[[:digit:]]*", "7up", false, true},
        {"[[:digit:]]*", "up", false, false},
        {"[![:digit:]]*", "7up", false, false},
        {"[\xc3\xa0-\xc3\xbc]", "\xc3\xa9", false, true},
        {"/[!x]b", "/b", false, false},
        {"a[!x]b", "a/b", false, false},
        {"\\*", "*", false, true},
        {"\\*", "x", false, false},
        {"[\\]]x", "]x", false, true},
        {"a\\", "a\\", false, true},
        {"new\nline", "new\nline", false, true},
        {"*a*b*c*", "xxaxxbxxcxx", false, true},
        {"*a*b*c*", "xxaxxcxxbxx", false, false},
        {"**a/*b/**c", "za/zb/z/z/c", false, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (leaves_out(cases[i].pattern, cases[i].name, cases[i].is_folder) != cases[i].fits) {
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].name);
        }
    }
}

static void the_first_rule_that_fits_decides(void **state)
{
    (void)state;
    struct filter *filter = filter_new();
    char rule[32];
    assert_int_equal(filter_add(filter, true, "keep.o"), FILTER_OK);
    assert_int_equal(filter_add_rule(filter, "- *.o"), FILTER_OK);
    assert_int_equal(filter_add_rule(filter, "+ lost.o"), FILTER_OK);
    assert_false(filter_leaves_out(filter, "a/keep.o", false));
    assert_true(filter_leaves_out(filter, "lost.o", false));
    assert_false(filter_leaves_out(filter, "main.c", false));
    assert_int_equal(filter_count(filter), 3);
    assert_int_equal(filter_rule(filter, 1, rule, sizeof rule), 5);
    assert_string_equal(rule, "- *.o");
    filter_free(filter);
    assert_false(filter_leaves_out(NULL, "a", false));
    assert_int_equal(filter_count(NULL), 0);
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    struct filter *filter = filter_new();
    char text[FILTER_PATTERN_MAX + 2];
    assert_int_equal(filter_add(filter, false, ""), FILTER_EMPTY);
    assert_int_equal(filter_add(filter, false, "/"), FILTER_EMPTY);
    assert_int_equal(filter_add(filter, false, "//"), FILTER_EMPTY);
    assert_int_equal(filter_add(filter, false, "a[b"), FILTER_BRACKET);
    assert_int_equal(filter_add(filter, false, "[]"), FILTER_BRACKET);
    assert_int_equal(filter_add(filter, false, "[[:digit:]"), FILTER_BRACKET);
    assert_int_equal(filter_add(filter, false, "[a\\]"), FILTER_BRACKET);
    assert_int_equal(filter_add_rule(filter, "a"), FILTER_RULE);
    assert_int_equal(filter_add_rule(filter, ""), FILTER_RULE);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(filter_add(filter, false, text), FILTER_LONG);
    text[FILTER_PATTERN_MAX] = '\0';
    enum filter_error error = FILTER_OK;
    unsigned count = 0;
    while (error == FILTER_OK) {
        error = filter_add(filter, false, text);
        count++;
    }
    assert_int_equal(error, FILTER_MANY);
    assert_int_equal(count - 1, FILTER_TEXT_MAX / (FILTER_PATTERN_MAX + 1));
    filter_free(filter);
}

/* With backtracking this pattern would take longer than the world has stood. */
static void a_hostile_pattern_ends_soon(void **state)
{
    (void)state;
    char pattern[601], name[4001];
    for (size_t i = 0; i < 600; i += 3) {
        memcpy(pattern + i, i % 2 == 0 ? "**a" : "*a*", 3);
    }
    pattern[599] = 'b';
    pattern[600] = '\0';
    memset(name, 'a', sizeof name);
    name[4000] = '\0';
    assert_false(leaves_out(pattern, name, false));
}

static void rules_come_from_files(void **state)
{
    char path[128];
    unsigned line;
    enum filter_error error;
    struct folder *folder = *state;
    folder_write(folder, "rules", "# a comment\n\n*.o\r\n+ keep/\n; more\n- *.tmp", 0600);
    folder_write(folder, "bad", "*.o\nx[\n", 0600);
    struct filter *filter = filter_new();
    folder_path(folder, "rules", path, sizeof path);
    assert_int_equal(filter_add_file(filter, false, path, &line, &error), 0);
    assert_int_equal(filter_count(filter), 3);
    assert_true(filter_leaves_out(filter, "a.o", false));
    assert_true(filter_leaves_out(filter, "a.tmp", false));
    assert_false(filter_leaves_out(filter, "keep", true));
    folder_path(folder, "bad", path, sizeof path);
    assert_int_equal(filter_add_file(filter, false, path, &line, &error), -1);
    assert_int_equal(line, 2);
    assert_int_equal(error, FILTER_BRACKET);
    folder_path(folder, "none", path, sizeof path);
    assert_int_equal(filter_add_file(filter, false, path, &line, &error), ENOENT);
    assert_true(filter_add_file(filter, false, folder->path, &line, &error) > 0);
    filter_free(filter);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(patterns_fit_what_they_should),
    cmocka_unit_test(the_first_rule_that_fits_decides),
    cmocka_unit_test(what_is_no_rule_is_refused),
    cmocka_unit_test(a_hostile_pattern_ends_soon),
    cmocka_unit_test_setup_teardown(rules_come_from_files, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
