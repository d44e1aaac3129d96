/* Files with several names are known again, within the memory allowed.
 * SPDX-License-Identifier: MIT */
#include "terncp/hardlinks.h"

#include <stdio.h>
#include <string.h>

#include "tern_test.h"

static struct stat file(unsigned long device, unsigned long number, unsigned long names)
{
    struct stat st;
    memset(&st, 0, sizeof st);
    st.st_dev = (dev_t)device;
    st.st_ino = (ino_t)number;
    st.st_nlink = (nlink_t)names;
    return st;
}

static void the_first_name_is_told(void **state)
{
    (void)state;
    struct hardlinks *links = hardlinks_new(4096);
    struct stat one = file(1, 7, 3), other = file(2, 7, 2), single = file(1, 8, 1);
    assert_null(hardlinks_meet(links, &one, "a/first"));
    assert_null(hardlinks_meet(links, &other, "other"));
    assert_null(hardlinks_meet(links, &single, "single"));
    assert_null(hardlinks_meet(links, &single, "single again"));
    assert_string_equal(hardlinks_meet(links, &one, "b"), "a/first");
    assert_string_equal(hardlinks_meet(links, &other, "c"), "other");
    assert_string_equal(hardlinks_meet(links, &one, "d"), "a/first");
    assert_null(hardlinks_meet(links, &one, "e")); /* all of its names were met: it was forgotten */
    assert_int_equal(hardlinks_forgotten(links), 0);
    hardlinks_free(links);
    hardlinks_free(NULL);
}

static void memory_is_bounded_and_comes_back(void **state)
{
    (void)state;
    struct hardlinks *links = hardlinks_new(1000);
    char name[32];
    for (unsigned i = 0; i < 100; i++) {
        struct stat st = file(1, 1000 + i, 2);
        (void)snprintf(name, sizeof name, "name %u", i);
        assert_null(hardlinks_meet(links, &st, name));
    }
    size_t forgotten = hardlinks_forgotten(links);
    assert_true(forgotten > 50 && forgotten < 100);
    for (unsigned i = 0; i < 100 - forgotten; i++) { /* the first ones were noted, and leave */
        struct stat st = file(1, 1000 + i, 2);
        assert_non_null(hardlinks_meet(links, &st, "again"));
    }
    for (unsigned i = 0; i < 100; i++) { /* so that there is room for as many */
        struct stat st = file(2, i, 2);
        (void)snprintf(name, sizeof name, "name %u", i);
        assert_null(hardlinks_meet(links, &st, name));
    }
    assert_int_equal(hardlinks_forgotten(links), 2 * forgotten);
    hardlinks_free(links);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_name_is_told),
    cmocka_unit_test(memory_is_bounded_and_comes_back),
};

TERN_TEST_MAIN(tests)
