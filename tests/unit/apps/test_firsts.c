/* What was sent before is known again, and whoever cannot tell says so.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/firsts.h"

#include "unit/apps/folder.h"

#define MANY 4096

static int use_folder(void **state)
{
    int rc = folder_make(state);
    const struct folder *folder = *state;
    return rc != 0 ? rc : setenv("XDG_STATE_HOME", folder->path, 1);
}

static void the_first_time_is_told_once(void **state)
{
    (void)state;
    assert_true(firsts_mark("a", "b", "c"));
    assert_false(firsts_mark("a", "b", "c"));
    assert_true(firsts_mark("a", "b", "d"));
    assert_true(firsts_mark("a", "bc", ""));
    assert_true(firsts_mark("ab", "", "c"));
    assert_true(firsts_mark("", "ab", "c"));
    assert_false(firsts_mark("a", "b", "d"));
}

static void a_full_list_forgets_the_older_half(void **state)
{
    char name[16];
    (void)state;
    for (int i = 0; i <= MANY; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        assert_true(firsts_mark("server", "path", name));
    }
    assert_false(firsts_mark("server", "path", name));
    (void)snprintf(name, sizeof name, "%d", MANY / 2);
    assert_false(firsts_mark("server", "path", name));
    (void)snprintf(name, sizeof name, "%d", MANY / 2 - 1);
    assert_true(firsts_mark("server", "path", name));
}

static void who_cannot_tell_says_so(void **state)
{
    const struct folder *folder = *state;
    char path[128], other[128];
    assert_true(firsts_mark("a", "b", "c"));
    (void)snprintf(path, sizeof path, "%s/tern/sent", folder->path);
    assert_int_equal(chmod(path, 0644), 0); /* others could have written to it */
    assert_false(firsts_mark("a", "b", "new"));
    (void)snprintf(other, sizeof other, "%s/tern/other", folder->path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(chmod(other, 0600), 0);
    assert_int_equal(symlink("other", path), 0);
    assert_false(firsts_mark("a", "b", "new"));
    assert_int_equal(unlink(path), 0);
    assert_true(firsts_mark("a", "b", "new"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_first_time_is_told_once, use_folder, folder_remove),
    cmocka_unit_test_setup_teardown(a_full_list_forgets_the_older_half, use_folder, folder_remove),
    cmocka_unit_test_setup_teardown(who_cannot_tell_says_so, use_folder, folder_remove),
};

TERN_TEST_MAIN(tests)
