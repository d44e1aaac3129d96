/* Links take the place of what is there, but never of a folder, and are never followed.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/graft.h"

#include <dirent.h>
#include <errno.h>

#include "terncp/tree.h"
#include "unit/apps/folder.h"

static unsigned count_names(const struct folder *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    for (const struct dirent *found; (found = readdir(dir)) != NULL;) {
        count += found->d_name[0] != '.' || strncmp(found->d_name, ".terncp", 7) == 0 ? 1 : 0;
    }
    (void)closedir(dir);
    return count;
}

static void symbolic_links_replace_files_not_folders(void **state)
{
    const struct folder *folder = *state;
    char target[64] = "";
    folder_write(folder, "file", "x", 0600);
    assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
    assert_int_equal(graft_symlink(folder->fd, "file", "/nowhere/at all"), 0);
    assert_int_equal(readlinkat(folder->fd, "file", target, sizeof target), 15);
    assert_string_equal(target, "/nowhere/at all");
    assert_int_equal(graft_symlink(folder->fd, "file", "/nowhere/at all"), 0);
    assert_int_equal(graft_symlink(folder->fd, "file", "file"), 0);
    assert_int_equal(graft_symlink(folder->fd, "folder", "x"), EISDIR);
    assert_int_equal(graft_symlink(folder->fd, "no/such", "x"), ENOENT);
    assert_int_equal(count_names(folder), 2);
}

static void hard_links_are_one_file(void **state)
{
    const struct folder *folder = *state;
    struct stat a, b;
    folder_write(folder, "first", "x", 0600);
    folder_write(folder, "second", "y", 0600);
    assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
    assert_int_equal(graft_link(folder->fd, "first", TREE_NO_LINKS, folder->fd, "second"), 0);
    assert_int_equal(graft_link(folder->fd, "first", TREE_NO_LINKS, folder->fd, "second"), 0);
    assert_int_equal(fstatat(folder->fd, "first", &a, 0), 0);
    assert_int_equal(fstatat(folder->fd, "second", &b, 0), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_nlink, 2);
    assert_int_equal(graft_link(folder->fd, "none", 0, folder->fd, "third"), ENOENT);
    assert_int_equal(graft_link(folder->fd, "first", 0, folder->fd, "folder"), EISDIR);
    assert_int_equal(graft_link(folder->fd, "../first", 0, folder->fd, "third"), EXDEV);
    assert_int_equal(graft_link(folder->fd, "/etc/passwd", 0, folder->fd, "third"), EXDEV);
    assert_int_equal(symlinkat("/etc", folder->fd, "etc"), 0);
    assert_int_not_equal(graft_link(folder->fd, "etc/passwd", 0, folder->fd, "third"), 0);
    assert_int_equal(count_names(folder), 4);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(symbolic_links_replace_files_not_folders, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(hard_links_are_one_file, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
