/* The hidden file of one that comes: what of it is taken over from an earlier run, and when it gets its name.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ternchat/part.h"

#include "unit/apps/folder.h"

#define SIZE (2 * CHUNKS_PLAIN + 1000)

static uint8_t contents[SIZE];
static struct offer offer;
static struct part part;
static const char *place; /* the folder */

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        contents[i] = (uint8_t)(i * 7 + i / 251);
    }
    offer = (struct offer){.size = SIZE, .name = "it.txt"};
    (void)crypto_generichash(offer.hash, sizeof offer.hash, contents, SIZE, NULL, 0);
    int rc = folder_make(state);
    place = ((struct folder *)*state)->path;
    return rc;
}

/* What an earlier run has left. */
static void leave(const uint8_t *data, size_t len)
{
    part_init(&part, place, &offer);
    FILE *file = fopen(part.path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static bool has_worked(work_fn run)
{
    part.job.error = 0;
    run(&part.job);
    return part.why == NULL && part.job.error == 0;
}

static void open_part(void)
{
    memset(&part, 0, sizeof part);
    part_init(&part, place, &offer);
    assert_true(has_worked(part_open));
    while (part.at < part.there) {
        assert_true(has_worked(part_check));
    }
}

static void write_rest(void)
{
    while (part.at < SIZE) {
        part.len = SIZE - part.at < CHUNKS_PLAIN ? (size_t)(SIZE - part.at) : CHUNKS_PLAIN;
        memcpy(part.data, contents + part.at, part.len);
        assert_true(has_worked(part_write));
    }
}

static void assert_named(const char *name)
{
    static uint8_t got[SIZE + 1];
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    assert_true(has_worked(part_name));
    assert_string_equal(part.named, path);
    assert_int_equal(part.fd, -1);
    assert_int_equal(access(part.path, F_OK), -1);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof got, file), SIZE);
    assert_memory_equal(got, contents, SIZE);
    (void)fclose(file);
}

static void what_has_come_gets_a_name_that_is_free(void **state)
{
    (void)state;
    open_part();
    assert_int_equal(part.there, 0);
    write_rest();
    assert_named("it.txt");
    open_part();
    write_rest();
    assert_named("it (1).txt");
}

/* Half a chunk at the end, whatever is in it, is neither taken over nor in the way. */
static void whole_chunks_are_taken_over(void **state)
{
    static uint8_t left[CHUNKS_PLAIN + 500];
    (void)state;
    memcpy(left, contents, CHUNKS_PLAIN);
    memset(left + CHUNKS_PLAIN, 0xee, 500);
    leave(left, sizeof left);
    open_part();
    assert_int_equal(part.there, CHUNKS_PLAIN);
    assert_int_equal(part.at, CHUNKS_PLAIN);
    write_rest();
    assert_named("it.txt");
}

static void what_is_too_long_is_cut(void **state)
{
    static uint8_t left[SIZE + 70000];
    (void)state;
    memcpy(left, contents, SIZE);
    leave(left, sizeof left);
    open_part();
    assert_int_equal(part.there, 2 * CHUNKS_PLAIN);
    write_rest();
    assert_named("it.txt");
}

static void another_file_gets_no_name(void **state)
{
    static const uint8_t left[CHUNKS_PLAIN];
    (void)state;
    leave(left, sizeof left);
    open_part();
    write_rest();
    assert_false(has_worked(part_name));
    assert_string_equal(part.why, "it is not the file that was offered");
    part_close(&part, false);
    assert_int_equal(access(part.path, F_OK), -1);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    char other[100];
    (void)state;
    leave(contents, 1000);
    (void)snprintf(other, sizeof other, "%s/other", place);
    assert_int_equal(link(part.path, other), 0); /* it would be written to, too */
    assert_false(has_worked(part_open));
    assert_string_equal(part.why, "its hidden file is not ours");
    assert_int_equal(part.fd, -1);
    assert_int_equal(unlink(other), 0);
    open_part();
    struct part first = part;
    memset(&part, 0, sizeof part);
    part_init(&part, place, &offer);
    assert_false(has_worked(part_open));
    assert_string_equal(part.why, "it is on its way already");
    part = first;
    part_close(&part, true);
    assert_int_equal(access(part.path, F_OK), 0);
}

static void what_cannot_be_written_says_why(void **state)
{
    (void)state;
    open_part();
    int fd = part.fd;
    part.fd = open(part.path, O_RDONLY | O_CLOEXEC);
    part.len = 10;
    assert_false(has_worked(part_write));
    assert_int_not_equal(part.job.error, 0);
    assert_int_equal(part.at, 0);
    (void)close(fd);
    part_close(&part, false);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_has_come_gets_a_name_that_is_free, begin, folder_remove),
    cmocka_unit_test_setup_teardown(whole_chunks_are_taken_over, begin, folder_remove),
    cmocka_unit_test_setup_teardown(what_is_too_long_is_cut, begin, folder_remove),
    cmocka_unit_test_setup_teardown(another_file_gets_no_name, begin, folder_remove),
    cmocka_unit_test_setup_teardown(what_is_not_ours_is_left_alone, begin, folder_remove),
    cmocka_unit_test_setup_teardown(what_cannot_be_written_says_why, begin, folder_remove),
};

TERN_TEST_MAIN(tests)
