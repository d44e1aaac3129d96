/* Names that fold to the same are told.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/fold.h"

#include <stdio.h>

#include "unit/apps/folder.h"

static void case_is_folded_in_all_alphabets(void **state)
{
    (void)state;
    assert_true(fold_hash("README", true) == fold_hash("readme", true));
    assert_true(fold_hash("README", false) != fold_hash("readme", false));
    assert_true(fold_hash("readme", true) != fold_hash("readme2", true));
    assert_true(fold_hash("\xc3\x84", true) == fold_hash("\xc3\xa4", true)); /* Latin */
    assert_true(fold_hash("\xd0\x96", true) == fold_hash("\xd0\xb6", true)); /* Cyrillic */
    assert_true(fold_hash("\xff", true) != fold_hash("\xfe", true));         /* no UTF-8 */
    assert_true(fold_hash("a\xff"
                          "b",
                          true) == fold_hash("A\xff"
                                             "B",
                                             true));
}

static void collisions_are_found_in_every_component(void **state)
{
    (void)state;
    struct fold *fold = fold_new();
    assert_true(fold_add(fold, "top"));
    assert_true(fold_add(fold, "top/File"));
    assert_true(fold_add(fold, "top/File")); /* the same name again is no other */
    assert_false(fold_add(fold, "top/file"));
    assert_false(fold_add(fold, "Top"));
    assert_false(fold_add(fold, "Top/new"));
    assert_true(fold_add(fold, "top/new"));
    assert_true(fold_add(fold, "topmost"));
    assert_true(fold_add(fold, "Early/file")); /* its folder is told later, or not at all */
    assert_false(fold_add(fold, "early/other"));
    fold_free(fold);
    fold_free(NULL);
}

static void a_million_names_fit(void **state)
{
    (void)state;
    struct fold *fold = fold_new();
    char name[32];
    unsigned count = TERN_TEST_TIMES(1000000);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "many/name%u", i);
        assert_true(fold_add(fold, name));
    }
    (void)snprintf(name, sizeof name, "many/NAME%u", count - 1);
    assert_false(fold_add(fold, name));
    fold_free(fold);
}

static void the_probe_leaves_nothing(void **state)
{
    const struct folder *folder = *state;
    folder_write(folder, "a", "x", 0600);
    struct stat st;
    bool is_blind = fstatat(folder->fd, "A", &st, 0) == 0;
    assert_int_equal(fold_is_blind(folder->fd), is_blind);
    assert_int_equal(unlinkat(folder->fd, "a", 0), 0);
    char again[80];
    (void)snprintf(again, sizeof again, "%s", folder->path);
    assert_int_equal(rmdir(again), 0); /* it was empty */
    assert_int_equal(mkdir(again, 0700), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(case_is_folded_in_all_alphabets),
    cmocka_unit_test(collisions_are_found_in_every_component),
    cmocka_unit_test(a_million_names_fit),
    cmocka_unit_test_setup_teardown(the_probe_leaves_nothing, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
