/* Counting ahead: what is there, links not followed, and an end at any time.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/survey.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tern_test.h"
#include "unit/apps/untouched.h"

static char folder[] = "/tmp/tern-survey.XXXXXX";

static void make_file(const char *name, off_t size)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    (void)close(fd);
}

static void make_folder(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int setup(void **state)
{
    char path[256];
    (void)state;
    assert_non_null(mkdtemp(folder));
    make_file("one", 100);
    make_folder("sub");
    make_file("sub/two", 2000);
    make_folder("sub/deep");
    make_file("sub/deep/three", 30000);
    (void)snprintf(path, sizeof path, "%s/sub/up", folder);
    return symlink("..", path);
}

static int teardown(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static atomic_int calls;

static void count_calls(void *user)
{
    (void)user;
    (void)atomic_fetch_add(&calls, 1);
}

static void wait_for(const struct survey *f, uint64_t *files, uint64_t *bytes)
{
    for (int i = 0; i < 5000 && !survey_read(f, files, bytes); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(survey_read(f, files, bytes));
}

static const struct tree_rules plain = {.links = TREE_LINKS_LEFT_OUT};

static void everything_is_counted_once(void **state)
{
    (void)state;
    char file[256];
    uint64_t files, bytes;
    (void)snprintf(file, sizeof file, "%s/one", folder);
    char *const paths[] = {folder, file, "/no/such/folder"};
    struct survey *f = survey_new(-1, paths, 3, &plain, count_calls, NULL);
    assert_non_null(f);
    wait_for(f, &files, &bytes);
    assert_int_equal(files, 4);
    assert_int_equal(bytes, 32200);
    survey_free(f);
    assert_int_equal(atomic_load(&calls), 1);
}

static void count_by(const struct tree_rules *rules, uint64_t *files, uint64_t *bytes)
{
    char *const paths[] = {folder};
    struct survey *f = survey_new(-1, paths, 1, rules, NULL, NULL);
    assert_non_null(f);
    wait_for(f, files, bytes);
    survey_free(f);
}

/* The same rules as the copy's: a bar must not wait for what does not come. */
static void rules_are_heeded(void **state)
{
    (void)state;
    uint64_t all, bytes, files, fewer;
    struct tree_rules rules = plain;
    count_by(&rules, &all, &bytes);
    struct filter *filter = filter_new();
    assert_non_null(filter);
    assert_int_equal(filter_add(filter, false, "/sub/"), FILTER_OK);
    rules.filter = filter;
    count_by(&rules, &files, &fewer);
    assert_int_equal(files, all - 2);
    assert_int_equal(fewer, bytes - 32000);
    filter_free(filter);
    char link[300];
    (void)snprintf(link, sizeof link, "%s/again", folder);
    assert_int_equal(symlink("sub", link), 0);
    rules = (struct tree_rules){.links = TREE_LINKS_FOLLOWED};
    count_by(&rules, &files, &fewer);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(files, all + 2);
    assert_int_equal(fewer, bytes + 32000);
}

static void a_root_is_not_left(void **state)
{
    (void)state;
    uint64_t files, bytes;
    int root = open(folder, O_PATH | O_DIRECTORY);
    char *const paths[] = {"sub", "../../etc"};
    struct survey *f = survey_new(root, paths, 2, &plain, NULL, NULL);
    assert_non_null(f);
    wait_for(f, &files, &bytes);
    assert_int_equal(files, 2);
    assert_int_equal(bytes, 32000);
    survey_free(f);
    (void)close(root);
}

static void what_is_no_file_is_not_opened(void **state)
{
    (void)state;
    char path[256];
    uint64_t files, bytes;
    (void)snprintf(path, sizeof path, "%s/fifo", folder);
    pid_t writer = untouched_fifo(path);
    char *const paths[] = {path};
    for (int links = TREE_LINKS_LEFT_OUT; links <= TREE_LINKS_FOLLOWED; links++) {
        struct tree_rules rules = {.links = (enum tree_links)links};
        struct survey *f = survey_new(-1, paths, 1, &rules, NULL, NULL);
        assert_non_null(f);
        wait_for(f, &files, &bytes);
        assert_int_equal(files, 0);
        survey_free(f);
    }
    assert_true(untouched_is_so(writer));
    assert_int_equal(unlink(path), 0);
}

static void it_can_be_given_up(void **state)
{
    (void)state;
    char *const paths[] = {"/usr"};
    for (int i = 0; i < 20; i++) {
        survey_free(survey_new(-1, paths, 1, &plain, NULL, NULL));
    }
    survey_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_counted_once),
        cmocka_unit_test(rules_are_heeded),
        cmocka_unit_test(a_root_is_not_left),
        cmocka_unit_test(what_is_no_file_is_not_opened),
        cmocka_unit_test(it_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
