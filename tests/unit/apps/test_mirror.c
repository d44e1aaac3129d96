/* What was not named goes, and nothing else.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/mirror.h"

#include <errno.h>

#include "terncp/tree.h"
#include "unit/apps/folder.h"

struct seen {
    unsigned removed, failed;
};

static void on_removed(void *user, const char *name, int error)
{
    struct seen *seen = user;
    assert_true(strncmp(name, "top/", 4) == 0);
    seen->removed += error == 0 ? 1 : 0;
    seen->failed += error != 0 ? 1 : 0;
}

/* top/{keep, gone, kept/{keep, gone}, doomed/{a, inner/b}, link -> ../outside, x.o,
 * .terncp-1.part}, outside/{file} */
static int make_top(void **state)
{
    assert_int_equal(folder_make(state), 0);
    const struct folder *folder = *state;
    static const char *const folders[] = {"top", "top/kept", "top/doomed", "top/doomed/inner",
                                          "outside"};
    static const char *const files[] = {"top/keep",      "top/gone",     "top/kept/keep",
                                        "top/kept/gone", "top/doomed/a", "top/doomed/inner/b",
                                        ".terncp-none",  "top/x.o",      "top/.terncp-1.part",
                                        "outside/file"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdirat(folder->fd, folders[i], 0700), 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        folder_write(folder, files[i], "x", 0600);
    }
    assert_int_equal(symlinkat("../outside", folder->fd, "top/link"), 0);
    return 0;
}

static struct mirror *begin(const struct mirror_request *request)
{
    struct mirror *mirror = mirror_new(request);
    assert_non_null(mirror);
    static const char *const named[] = {"top", "top/keep", "top/kept", "top/kept/keep"};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        assert_int_equal(mirror_note(mirror, named[i]), 0);
    }
    assert_int_equal(mirror_note_top(mirror, "top"), 0);
    return mirror;
}

static bool stands(const struct folder *folder, const char *name)
{
    struct stat st;
    return fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void what_was_not_named_goes(void **state)
{
    const struct folder *folder = *state;
    struct seen seen = {0};
    uint64_t kept;
    struct filter *filter = filter_new();
    assert_int_equal(filter_add(filter, false, "*.o"), FILTER_OK);
    struct mirror_request request = {
        .root = folder->fd, .flags = TREE_NO_LINKS, .filter = filter, .max = UINT64_MAX};
    struct mirror *mirror = begin(&request);
    assert_int_equal(mirror_run(mirror, on_removed, &seen, &kept), 0);
    assert_int_equal(seen.removed, 7); /* gone, kept/gone, doomed and its four, the link */
    assert_int_equal(kept, 0);
    static const char *const left[] = {"top/keep", "top/kept/keep", "top/x.o", "top/.terncp-1.part",
                                       "outside/file"};
    static const char *const gone[] = {"top/gone", "top/kept/gone", "top/doomed", "top/link"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        assert_true(stands(folder, left[i]));
    }
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        assert_false(stands(folder, gone[i]));
    }
    mirror_free(mirror);
    filter_free(filter);
}

/* A name that a rule guards keeps the folders it is in. */
static void what_is_left_out_keeps_its_folders(void **state)
{
    const struct folder *folder = *state;
    struct seen seen = {0};
    uint64_t kept;
    struct filter *filter = filter_new();
    assert_int_equal(filter_add(filter, false, "/doomed/inner/b"), FILTER_OK);
    struct mirror_request request = {.root = folder->fd, .filter = filter, .max = UINT64_MAX};
    struct mirror *mirror = begin(&request);
    assert_int_equal(mirror_run(mirror, on_removed, &seen, &kept), 0);
    assert_true(stands(folder, "top/doomed/inner/b"));
    assert_false(stands(folder, "top/doomed/a"));
    assert_int_equal(seen.failed, 0);
    mirror_free(mirror);
    filter_free(filter);
}

static void limits_and_dry_runs_hold(void **state)
{
    const struct folder *folder = *state;
    struct seen seen = {0};
    uint64_t kept;
    struct mirror_request request = {.root = folder->fd, .max = UINT64_MAX, .is_dry = true};
    struct mirror *mirror = begin(&request);
    assert_int_equal(mirror_run(mirror, on_removed, &seen, &kept), 0);
    assert_true(stands(folder, "top/gone") && stands(folder, "top/doomed/inner/b"));
    assert_int_equal(seen.removed, 8);
    mirror_free(mirror);
    seen = (struct seen){0};
    request.is_dry = false;
    request.max = 2;
    mirror = begin(&request);
    assert_int_equal(mirror_run(mirror, on_removed, &seen, &kept), 0);
    assert_int_equal(seen.removed, 2);
    assert_true(kept >= 3);
    mirror_free(mirror);
}

static void a_set_that_is_not_whole_removes_nothing(void **state)
{
    const struct folder *folder = *state;
    struct seen seen = {0};
    uint64_t kept;
    struct mirror_request request = {.root = folder->fd, .max = UINT64_MAX};
    struct mirror *mirror = begin(&request);
    assert_int_equal(mirror_note_top(mirror, "../outside"), EINVAL);
    assert_int_equal(mirror_run(mirror, on_removed, &seen, &kept), EINVAL);
    assert_int_equal(seen.removed, 0);
    mirror_free(mirror);
    mirror_free(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_was_not_named_goes, make_top, folder_remove),
    cmocka_unit_test_setup_teardown(what_is_left_out_keeps_its_folders, make_top, folder_remove),
    cmocka_unit_test_setup_teardown(limits_and_dry_runs_hold, make_top, folder_remove),
    cmocka_unit_test_setup_teardown(a_set_that_is_not_whole_removes_nothing, make_top,
                                    folder_remove),
};

TERN_TEST_MAIN(tests)
