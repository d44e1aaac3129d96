/* Holes are found, kept and made.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/holes.h"

#include "unit/apps/folder.h"

#define MIB (1024u * 1024)

static int open_new(const struct folder *folder)
{
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void write_at(int fd, uint64_t at, size_t len)
{
    char *data = malloc(len);
    assert_non_null(data);
    memset(data, 'x', len);
    assert_int_equal(pwrite(fd, data, len, (off_t)at), len);
    free(data);
}

static void spans_cover_the_file_in_order(void **state)
{
    int fd = open_new(*state);
    struct holes_span span;
    write_at(fd, 2 * MIB, MIB);
    write_at(fd, 5 * MIB, 4096);
    assert_int_equal(ftruncate(fd, 8 * MIB), 0);
    static const uint64_t want[] = {2 * MIB, MIB, 2 * MIB, 4096, 3 * MIB - 4096};
    uint64_t at = 0;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(holes_next(fd, at, 8 * MIB, &span), 0);
        if (i == 0 && !span.is_hole) {
            (void)close(fd);
            skip_because("this file system has no holes");
        }
        assert_int_equal(span.is_hole, i % 2 == 0);
        assert_int_equal(span.len, want[i]);
        at += span.len;
    }
    assert_int_equal(at, 8 * MIB);
    assert_int_equal(holes_next(fd, 0, MIB, &span), 0); /* read up to less than there is */
    assert_true(span.is_hole && span.len == MIB);
    assert_int_equal(holes_next(fd, 2 * MIB + 5, 3 * MIB - 5, &span), 0);
    assert_true(!span.is_hole && span.len == MIB - 10);
    (void)close(fd);
}

static void short_holes_are_data(void **state)
{
    int fd = open_new(*state);
    struct holes_span span;
    write_at(fd, 0, 4096);
    write_at(fd, 12288, 4096);
    assert_int_equal(ftruncate(fd, 20480), 0);
    assert_int_equal(holes_next(fd, 0, 20480, &span), 0);
    assert_false(span.is_hole);
    assert_true(span.len == 16384 || span.len == 20480); /* but the rest at the end may be one */
    write_at(fd, 0, 20480);
    assert_int_equal(holes_next(fd, 0, 20480, &span), 0);
    assert_true(!span.is_hole && span.len == 20480);
    (void)close(fd);
}

static void a_file_that_shrank_is_no_endless_hole(void **state)
{
    int fd = open_new(*state);
    struct holes_span span;
    write_at(fd, 0, 4096);
    assert_int_equal(holes_next(fd, 0, 8 * MIB, &span), 0);
    assert_true(span.len > 0 && span.len <= 8 * MIB);
    (void)close(fd);
    assert_int_not_equal(holes_next(fd, 0, MIB, &span), 0);
}

static void holes_are_made(void **state)
{
    int fd = open_new(*state);
    struct stat before, after;
    char byte;
    write_at(fd, 0, 2 * MIB);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(holes_make(fd, MIB, 8 * MIB), 0);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_size, 2 * MIB);
    assert_true(after.st_blocks <= before.st_blocks);
    assert_int_equal(pread(fd, &byte, 1, MIB), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(pread(fd, &byte, 1, MIB - 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(holes_make(fd, 3 * MIB, MIB), 0);
    (void)close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(spans_cover_the_file_in_order, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(short_holes_are_data, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_file_that_shrank_is_no_endless_hole, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(holes_are_made, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
