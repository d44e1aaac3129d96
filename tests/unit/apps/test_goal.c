/* Where a file is written to until it has its name: what is found again, what is kept, and what never.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/goal.h"

#include <errno.h>
#include <sodium.h>
#include <sys/file.h>

#include "terncp/tree.h"
#include "unit/apps/folder.h"
#include "unit/apps/untouched.h"

#define SIZE ((uint64_t)3 << 20)

static const uint8_t key[PROTO_KEY_SIZE] = {1};

static struct place *place_for(const struct folder *folder, uint32_t flags, const char *dir)
{
    struct place_request request = {.root = folder->fd,
                                    .target = ".",
                                    .is_into = true,
                                    .flags = flags,
                                    .key = key,
                                    .partial_dir = dir};
    struct place *place = place_new(&request);
    assert_non_null(place);
    return place;
}

static bool exists(const struct folder *folder, const char *name)
{
    struct stat st;
    return fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put(const struct folder *folder, const char *name, uint64_t size)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(close(fd), 0);
}

static void open_it(struct goal *goal, const struct place *place, const char *name, uint64_t size)
{
    goal_init(goal);
    assert_int_equal(goal_open(goal, place, name, size, true), 0);
    assert_true(goal->partial.fd >= 0);
}

static int finish(struct goal *goal, const struct place *place, uint64_t size)
{
    const struct proto_entry entry = {.type = PROTO_FILE, .mode = 0640, .size = size};
    bool has_lost = false;
    int error = goal_finish(goal, place, &entry, NULL, size, &has_lost);
    assert_false(has_lost);
    return error;
}

static void a_large_file_is_gone_on_with(void **state)
{
    struct folder *folder = *state;
    struct place *place = place_for(folder, 0, NULL);
    struct goal goal;
    open_it(&goal, place, "file", SIZE);
    assert_true(goal.partial.is_lasting);
    assert_int_equal(goal.old, -1);
    assert_int_equal(ftruncate(goal.partial.fd, 2 << 20), 0);
    goal_close(&goal, true);
    open_it(&goal, place, "file", SIZE);
    assert_int_equal(goal.partial.found, 2 << 20);
    assert_int_equal(finish(&goal, place, SIZE), 0);
    goal_close(&goal, true);
    struct stat st;
    assert_int_equal(fstatat(folder->fd, "file", &st, 0), 0);
    assert_int_equal(st.st_size, SIZE);
    open_it(&goal, place, "file", SIZE); /* now there is an old version, and nothing unfinished */
    assert_int_equal(goal.partial.found, 0);
    assert_true(goal.old >= 0);
    assert_int_equal(goal.old_size, SIZE);
    goal_close(&goal, true); /* and nothing in it that anybody could use */
    char name[PARTIAL_NAME_SIZE];
    partial_name(name, "file", NULL);
    assert_false(exists(folder, name));
    place_drop(place);
}

static void what_nobody_could_use_goes_away(void **state)
{
    struct folder *folder = *state;
    struct place *plain = place_for(folder, 0, NULL);
    struct place *never = place_for(folder, PROTO_FLAG_NO_RESUME | PROTO_FLAG_WHOLE_FILE, NULL);
    struct goal goal;
    char name[PARTIAL_NAME_SIZE], other[PARTIAL_NAME_SIZE];
    partial_name(name, "file", NULL);
    for (int i = 0; i < 4; i++) {
        bool is_never = i == 1;
        open_it(&goal, is_never ? never : plain, "file", i == 0 ? GOAL_LAST_MIN - 1 : SIZE);
        assert_int_equal(goal.partial.is_lasting, i >= 2);
        memcpy(other, goal.partial.name, sizeof other);
        assert_int_equal(ftruncate(goal.partial.fd, i == 3 ? 2 << 20 : 1000), 0);
        if (i == 3) { /* another copy has finished the file meanwhile */
            put(folder, "file", SIZE);
        }
        goal_close(&goal, true);
        assert_false(exists(folder, other));
    }
    open_it(&goal, never, "file", SIZE);
    assert_int_equal(goal.old, -1);
    put(folder, name, SIZE); /* what an earlier copy has left */
    assert_int_equal(finish(&goal, never, SIZE), 0);
    goal_close(&goal, true);
    assert_false(exists(folder, name));
    place_drop(plain);
    place_drop(never);
}

static void old_versions_must_be_files_of_some_size(void **state)
{
    struct folder *folder = *state;
    struct place *place = place_for(folder, 0, NULL);
    struct goal goal;
    put(folder, "small", GOAL_OLD_MIN - 1);
    put(folder, "large", GOAL_OLD_MIN);
    assert_int_equal(symlinkat("large", folder->fd, "link"), 0);
    assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
    static const char *const none[] = {"small", "link", "fifo", "absent"};
    for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
        open_it(&goal, place, none[i], SIZE);
        assert_int_equal(goal.old, -1);
        goal_close(&goal, false);
    }
    open_it(&goal, place, "large", SIZE);
    assert_true(goal.old >= 0);
    goal_close(&goal, false);
    open_it(&goal, place, "large", PROTO_SIZE_UNKNOWN); /* nobody knows what to compare */
    assert_int_equal(goal.old, -1);
    assert_false(goal.partial.is_lasting);
    goal_close(&goal, false);
    goal_init(&goal);
    assert_int_equal(goal_open(&goal, place, "folder", SIZE, true), EISDIR);
    goal_close(&goal, false);
    goal_init(&goal);
    assert_int_equal(goal_open(&goal, place, "absent/file", SIZE, true), ENOENT);
    goal_close(&goal, false);
    place_drop(place);
}

static void one_copy_waits_for_another(void **state)
{
    struct folder *folder = *state;
    struct place *place = place_for(folder, 0, NULL);
    struct goal first, second;
    open_it(&first, place, "file", SIZE);
    goal_init(&second);
    assert_int_equal(goal_open(&second, place, "file", SIZE, true), EBUSY);
    assert_true(second.partial.inode == first.partial.inode);
    goal_close(&second, true);
    goal_init(&second);
    assert_int_equal(goal_open(&second, place, "file", SIZE, false), 0);
    assert_false(second.partial.is_lasting);
    assert_int_equal(finish(&second, place, SIZE), 0);
    goal_close(&second, true);
    assert_int_equal(finish(&first, place, 5), 0); /* who comes last stands */
    goal_close(&first, true);
    struct stat st;
    assert_int_equal(fstatat(folder->fd, "file", &st, 0), 0);
    assert_int_equal(st.st_size, 5);
    place_drop(place);
}

static void in_place_the_file_itself_is_written_to(void **state)
{
    struct folder *folder = *state;
    struct place *place = place_for(folder, PROTO_FLAG_IN_PLACE, NULL);
    struct goal goal, other;
    struct stat before, after;
    put(folder, "file", SIZE);
    assert_int_equal(fstatat(folder->fd, "file", &before, 0), 0);
    open_it(&goal, place, "file", SIZE);
    assert_true(goal.is_in_place);
    assert_true(goal.old >= 0);
    assert_int_equal(goal.partial.found, SIZE);
    goal_init(&other);
    assert_int_equal(goal_open(&other, place, "file", SIZE, true), EBUSY);
    goal_close(&other, true);
    assert_int_equal(finish(&goal, place, 7), 0);
    goal_close(&goal, true);
    assert_int_equal(fstatat(folder->fd, "file", &after, 0), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(after.st_size, 7);
    assert_int_equal(symlinkat("file", folder->fd, "link"), 0);
    goal_init(&goal);
    assert_int_equal(goal_open(&goal, place, "link", SIZE, true), ELOOP);
    goal_close(&goal, true);
    open_it(&goal, place, "new", SIZE);
    assert_int_equal(goal.old, -1);
    goal_close(&goal, false);
    assert_true(exists(folder, "new"));
    place_drop(place);
}

/* The client has come again, and nobody knows yet whether this is the client at all. */
static void what_was_overtaken_gets_its_name_later(void **state)
{
    struct folder *folder = *state;
    static struct visits visits;
    static const uint8_t visitor[TERN_KEY_SIZE] = {1};
    struct place_request request = {.root = folder->fd,
                                    .target = ".",
                                    .is_into = true,
                                    .key = key,
                                    .visits = &visits,
                                    .visitor = visitor,
                                    .visit = 7};
    struct goal goal;
    visits_init(&visits);
    visits_on_proved(&visits, visitor, 7);
    struct place *place = place_new(&request);
    assert_non_null(place);
    open_it(&goal, place, "first", SIZE);
    assert_int_equal(finish(&goal, place, SIZE), 0);
    goal_close(&goal, true);
    open_it(&goal, place, "second", SIZE);
    visits_on_proved(&visits, visitor, 8);
    assert_int_equal(finish(&goal, place, SIZE), PLACE_NOT_YET);
    assert_int_equal(finish(&goal, place, SIZE), PLACE_NOT_YET);
    assert_false(exists(folder, "second"));
    place_prove(place);
    assert_int_equal(finish(&goal, place, SIZE), 0);
    assert_true(exists(folder, "second"));
    goal_close(&goal, true);
    place_drop(place);
}

/* What stands where a file is to be, and is none: neither an old version nor something to write to. */
static void what_is_no_file_is_not_touched(void **state)
{
    struct folder *folder = *state;
    struct place *beside = place_for(folder, 0, NULL);
    struct place *in_place = place_for(folder, PROTO_FLAG_IN_PLACE, NULL);
    struct goal goal;
    char path[128];
    const char *const wrong[] = {"fifo", "device"};
    pid_t writer = untouched_fifo(folder_path(folder, "fifo", path, sizeof path));
    bool has_device = untouched_device(folder_path(folder, "device", path, sizeof path));
    for (size_t i = 0; i < (has_device ? 2 : 1); i++) {
        open_it(&goal, beside, wrong[i], SIZE);
        assert_int_equal(goal.old, -1);
        goal_close(&goal, false);
        goal_init(&goal);
        assert_int_equal(goal_open(&goal, in_place, wrong[i], SIZE, true), TREE_NO_FILE);
        goal_close(&goal, true);
        assert_true(exists(folder, wrong[i]));
    }
    assert_true(untouched_is_so(writer));
    place_drop(beside);
    place_drop(in_place);
}

static void unfinished_files_are_kept_elsewhere(void **state)
{
    struct folder *folder = *state;
    char away[96];
    struct goal goal;
    assert_int_equal(mkdirat(folder->fd, "away", 0700), 0);
    (void)folder_path(folder, "away", away, sizeof away);
    const char *const dirs[] = {".unfinished", away};
    for (unsigned i = 0; i < 2; i++) {
        struct place *place = place_for(folder, 0, dirs[i]);
        open_it(&goal, place, "file", SIZE);
        char name[PARTIAL_NAME_SIZE + 16];
        (void)snprintf(name, sizeof name, "%s/%s", i == 0 ? ".unfinished" : "away",
                       goal.partial.name);
        assert_true(exists(folder, name));
        assert_int_equal(ftruncate(goal.partial.fd, 2 << 20), 0);
        goal_close(&goal, true);
        assert_true(exists(folder, name));
        open_it(&goal, place, "file", SIZE);
        assert_int_equal(goal.partial.found, 2 << 20);
        assert_int_equal(finish(&goal, place, SIZE), 0);
        goal_close(&goal, true);
        assert_false(exists(folder, name));
        assert_true(exists(folder, "file"));
        place_drop(place);
    }
    assert_false(exists(folder, ".unfinished"));
    assert_true(exists(folder, "away"));
    assert_int_equal(symlinkat("away", folder->fd, ".elsewhere"), 0);
    static const char *const bad[] = {"../goal-x",   "a/../../x",       ".elsewhere",
                                      "absent/deep", ".elsewhere/deep", "/proc"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct place *place = place_for(folder, 0, bad[i]);
        goal_init(&goal);
        assert_int_not_equal(goal_open(&goal, place, "file", SIZE, true), 0);
        goal_close(&goal, true);
        place_drop(place);
    }
    assert_false(exists(folder, "../goal-x"));
    assert_false(exists(folder, "away/deep"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_large_file_is_gone_on_with, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(what_nobody_could_use_goes_away, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(old_versions_must_be_files_of_some_size, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(one_copy_waits_for_another, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(in_place_the_file_itself_is_written_to, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(what_was_overtaken_gets_its_name_later, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(what_is_no_file_is_not_touched, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(unfinished_files_are_kept_elsewhere, folder_make,
                                    folder_remove),
};

TERN_TEST_MAIN(tests)
