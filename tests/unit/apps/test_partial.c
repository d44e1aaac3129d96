/* Unfinished files are found again, never shared, never through a link, and go away when they should.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/partial.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "unit/apps/folder.h"
#include "unit/apps/untouched.h"

static bool exists(const struct folder *folder, const char *name)
{
    struct stat st;
    return fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void names_follow_from_names(void **state)
{
    struct folder *folder = *state;
    struct stat here, above;
    char a[PARTIAL_NAME_SIZE], b[PARTIAL_NAME_SIZE];
    partial_name(a, "file", NULL);
    partial_name(b, "file", NULL);
    assert_string_equal(a, b);
    assert_int_equal(strncmp(a, ".terncp-", 8), 0);
    assert_int_equal(strlen(a), 29);
    assert_string_equal(a + 24, ".part");
    assert_true(partial_is_name(a));
    assert_true(partial_is_name(".terncp-01234567.part"));
    assert_false(partial_is_name(".terncp-0123456.part"));
    assert_false(partial_is_name(".terncp-0123456g.part"));
    assert_false(partial_is_name(".terncp-01234567.part2"));
    assert_false(partial_is_name("terncp-01234567.part"));
    assert_false(partial_is_name(""));
    partial_name(b, "file ", NULL);
    assert_string_not_equal(a, b);
    assert_int_equal(fstat(folder->fd, &here), 0);
    assert_int_equal(stat("/", &above), 0);
    partial_name(a, "file", &here);
    partial_name(b, "file", &above);
    assert_string_not_equal(a, b);
}

static void what_was_kept_is_found(void **state)
{
    struct folder *folder = *state;
    struct partial partial;
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "final", NULL);
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_true(partial.is_lasting);
    assert_int_equal(partial.found, 0);
    assert_int_equal(write(partial.fd, "12345", 5), 5);
    partial_close(&partial, folder->fd, true);
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_int_equal(partial.found, 5);
    assert_int_equal(renameat(folder->fd, partial.name, folder->fd, "final"), 0);
    partial_finish(&partial);
    assert_true(exists(folder, "final"));
    assert_false(exists(folder, name));
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_int_equal(partial.found, 0);
    partial_close(&partial, folder->fd, false);
    assert_false(exists(folder, name));
}

static void one_writes_at_a_time(void **state)
{
    struct folder *folder = *state;
    struct partial first, second, third;
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "final", NULL);
    assert_int_equal(partial_open(&first, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_int_equal(partial_open(&second, folder->fd, name, PARTIAL_LASTING), EBUSY);
    assert_true(second.inode == first.inode && second.device == first.device);
    assert_int_equal(partial_open(&second, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_false(second.is_lasting);
    assert_string_not_equal(second.name, name);
    partial_sweep(folder->fd, name); /* it is in use */
    assert_true(exists(folder, name));
    char other[PARTIAL_NAME_SIZE];
    memcpy(other, second.name, sizeof other);
    partial_close(&second, folder->fd, true); /* nobody would find it */
    assert_false(exists(folder, other));
    partial_close(&first, folder->fd, true);
    assert_int_equal(partial_open(&third, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_true(third.is_lasting);
    partial_close(&third, folder->fd, true);
    partial_sweep(folder->fd, name);
    assert_false(exists(folder, name));
}

static void a_lock_ends_with_its_process(void **state)
{
    struct folder *folder = *state;
    struct partial partial;
    char name[PARTIAL_NAME_SIZE];
    int ready[2];
    char byte;
    partial_name(name, "final", NULL);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_open =
            partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK) == 0 && partial.is_lasting;
        ssize_t n = write(ready[1], is_open ? "y" : "n", 1);
        (void)n;
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_LASTING), EBUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK), 0);
    assert_true(partial.is_lasting);
    partial_close(&partial, folder->fd, false);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* Somebody who may write to the folder has put something else there. */
static void nothing_else_is_written_to(void **state)
{
    struct folder *folder = *state;
    struct partial partial;
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "final", NULL);
    folder_write(folder, "precious", "precious", 0600);
    for (int kind = 0; kind < 5; kind++) {
        char path[128];
        pid_t writer = 0;
        (void)folder_path(folder, name, path, sizeof path);
        int rc = kind == 0   ? symlinkat("precious", folder->fd, name)
                 : kind == 1 ? linkat(folder->fd, "precious", folder->fd, name, 0)
                 : kind == 2 ? 0
                 : kind == 3 ? mkdirat(folder->fd, name, 0700)
                             : !untouched_device(path);
        if (kind == 4 && rc != 0) {
            break; /* not root */
        }
        assert_int_equal(rc, 0);
        if (kind == 2) {
            writer = untouched_fifo(path);
        }
        partial_sweep(folder->fd, name);
        assert_true(exists(folder, name));
        assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_BUSY_OK), 0);
        assert_false(partial.is_lasting);
        assert_string_not_equal(partial.name, name);
        partial_close(&partial, folder->fd, false);
        assert_true(kind != 2 || untouched_is_so(writer));
        assert_int_equal(unlinkat(folder->fd, name, kind == 3 ? AT_REMOVEDIR : 0), 0);
    }
    assert_true(exists(folder, "precious"));
}

static void without_resuming_names_are_random(void **state)
{
    struct folder *folder = *state;
    struct partial partial;
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "final", NULL);
    folder_write(folder, name, "old", 0600);
    assert_int_equal(partial_open(&partial, folder->fd, name, PARTIAL_RANDOM), 0);
    assert_int_equal(partial.found, 0);
    assert_string_not_equal(partial.name, name);
    partial_close(&partial, folder->fd, true);
    partial_sweep(folder->fd, name);
    assert_false(exists(folder, name));
    assert_int_equal(partial_open(&partial, -1, name, PARTIAL_BUSY_OK), EBADF);
    assert_int_equal(partial_open(&partial, -1, name, PARTIAL_RANDOM), EBADF);
}

/* Whoever holds the descriptor of a file that got its final name meanwhile must not write to it. */
static void a_file_that_is_finished_is_left_alone(void **state)
{
    struct folder *folder = *state;
    struct partial first, second;
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "final", NULL);
    for (int i = 0; i < TERN_TEST_TIMES(200); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (int k = 0; k < 50; k++) {
                if (partial_open(&first, folder->fd, name, PARTIAL_BUSY_OK) != 0 ||
                    (first.is_lasting && first.found != 0) || write(first.fd, "x", 1) != 1 ||
                    renameat(folder->fd, first.name, folder->fd, "final") != 0) {
                    _exit(1);
                }
                partial_finish(&first);
            }
            _exit(0);
        }
        for (int k = 0; k < 50; k++) {
            assert_int_equal(partial_open(&second, folder->fd, name, PARTIAL_BUSY_OK), 0);
            assert_int_equal(second.found, 0); /* never one that another has written to */
            partial_close(&second, folder->fd, false);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(names_follow_from_names, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(what_was_kept_is_found, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(one_writes_at_a_time, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_lock_ends_with_its_process, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(nothing_else_is_written_to, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(without_resuming_names_are_random, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_file_that_is_finished_is_left_alone, folder_make,
                                    folder_remove),
};

TERN_TEST_MAIN(tests)
