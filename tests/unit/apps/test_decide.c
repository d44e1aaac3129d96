/* What is there already is told from what is not.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/decide.h"

#include <errno.h>

#include "unit/apps/folder.h"

static void newer_or_as_old_and_as_long_is_enough(void **state)
{
    (void)state;
    struct stat there;
    memset(&there, 0, sizeof there);
    there.st_mode = S_IFREG | 0600;
    there.st_size = 10;
    there.st_mtim = (struct timespec){.tv_sec = 100, .tv_nsec = 500};
    struct timespec same = there.st_mtim, older = {.tv_sec = 100, .tv_nsec = 499},
                    newer = {.tv_sec = 100, .tv_nsec = 501}, next = {.tv_sec = 101},
                    before = {.tv_sec = 99, .tv_nsec = 999}, whole = {.tv_sec = 100};
    assert_true(decide_is_new_enough(&there, &same, 10));
    assert_false(decide_is_new_enough(&there, &same, 11));
    assert_true(decide_is_new_enough(&there, &older, 11));
    assert_true(decide_is_new_enough(&there, &before, 11));
    assert_false(decide_is_new_enough(&there, &newer, 10));
    assert_false(decide_is_new_enough(&there, &next, 10));
    assert_true(decide_is_new_enough(&there, &whole, 10));
    assert_false(decide_is_new_enough(&there, &whole, 9));
    there.st_mode = S_IFDIR | 0700;
    assert_false(decide_is_new_enough(&there, &older, 10));
}

static void contents_are_compared(void **state)
{
    const struct folder *folder = *state;
    static char text[600001];
    uint8_t one[DECIDE_DIGEST], other[DECIDE_DIGEST];
    memset(text, 'x', sizeof text - 1);
    folder_write(folder, "a", text, 0600);
    folder_write(folder, "b", text, 0600);
    text[300000] = 'y';
    folder_write(folder, "c", text, 0600);
    int a = openat(folder->fd, "a", O_RDONLY), b = openat(folder->fd, "b", O_RDONLY),
        c = openat(folder->fd, "c", O_RDONLY);
    assert_int_equal(decide_compare(a, b, 600000, NULL), 0);
    assert_int_equal(decide_compare(a, c, 600000, NULL), ESTALE);
    assert_int_equal(decide_compare(a, c, 300000, NULL), 0);
    assert_int_equal(decide_compare(a, b, 600001, NULL), ESTALE);
    assert_int_equal(decide_compare(a, -1, 1, NULL), EBADF);
    assert_int_equal(decide_digest(a, 600000, NULL, one), 0);
    assert_int_equal(decide_digest(b, 600000, NULL, other), 0);
    assert_memory_equal(one, other, sizeof one);
    assert_int_equal(decide_digest(c, 600000, NULL, other), 0);
    assert_memory_not_equal(one, other, sizeof one);
    assert_int_equal(decide_digest(a, 600001, NULL, one), ESTALE);
    assert_int_equal(decide_digest(a, 0, NULL, one), 0);
    (void)close(a);
    (void)close(b);
    (void)close(c);
}

/* Who presses Ctrl-C does not wait for the hash of a file of a terabyte. */
static void who_is_stopped_ends_soon(void **state)
{
    const struct folder *folder = *state;
    const uint64_t size = (uint64_t)1 << 40;
    uint8_t digest[DECIDE_DIGEST];
    atomic_bool stop = true;
    folder_write(folder, "large", "", 0600);
    int fd = openat(folder->fd, "large", O_RDWR);
    if (ftruncate(fd, (off_t)size) != 0) {
        (void)close(fd);
        skip_because("files cannot be that large here");
    }
    assert_int_equal(decide_digest(fd, size, &stop, digest), ECANCELED);
    assert_int_equal(decide_compare(fd, fd, size, &stop), ECANCELED);
    atomic_store(&stop, false);
    assert_int_equal(decide_digest(fd, 1 << 20, &stop, digest), 0);
    assert_int_equal(decide_compare(fd, fd, 1 << 20, &stop), 0);
    (void)close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(newer_or_as_old_and_as_long_is_enough),
    cmocka_unit_test_setup_teardown(contents_are_compared, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(who_is_stopped_ends_soon, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
