/* From files on a disk to a plan, over the wire, and to runs: what the receiver has is found, and what it
 * has not is sent.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/scan.h"

#include <errno.h>

#include "shared/whole.h"
#include "terncp/hash.h"
#include "terncp/planner.h"
#include "unit/apps/bytes.h"
#include "unit/apps/folder.h"

#define BLOCK ((size_t)PROTO_BLOCK)
#define BYTES (10 * BLOCK + 777)

static const uint8_t key[PROTO_KEY_SIZE] = "a key of a test, 32 bytes of it";

struct tally {
    uint64_t sent, copied, kept;
};

static uint64_t ahead; /* of it was sent before there was a plan */

static int put(const struct folder *folder, const char *name, const uint8_t *data, size_t len)
{
    int fd = openat(folder->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(whole_pwrite(fd, data, len, 0), 0);
    return fd;
}

static void make_plan(struct planner *planner, int unfinished, int old, bool is_in_place,
                      uint64_t size)
{
    struct planner_source sources[2] = {{.fd = unfinished}, {.fd = old}};
    for (unsigned i = 0; i < 2; i++) {
        struct stat st;
        if (sources[i].fd >= 0) {
            assert_int_equal(fstat(sources[i].fd, &st), 0);
            sources[i].size = (uint64_t)st.st_size;
        }
    }
    assert_int_equal(planner_init(planner, &sources[0], &sources[1], is_in_place, size, key), 0);
    while (!planner->is_done) {
        planner_run(&planner->job);
        assert_int_equal(planner->job.error, 0);
    }
}

/* Scans the new file, and checks each run against what the receiver holds. */
static struct tally scan_all(const struct planner *planner, int fd, const uint8_t *fresh,
                             uint64_t size, uint64_t *scanned)
{
    struct tally tally = {0};
    struct plan plan;
    struct scan scan;
    struct match_run run;
    uint64_t at = ahead, leaves = ahead / BLOCK;
    uint8_t *bytes = malloc(MATCH_RUN_MAX);
    assert_non_null(bytes);
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, size, planner->maker.bytes, planner->maker.len),
                     planner->maker.len);
    assert_true(plan.is_whole);
    assert_int_equal(scan_init(&scan, &plan, fd, size, key), 0);
    scan_begin_at(&scan, ahead);
    while (!scan_is_over(&scan)) {
        struct hash_root root = {0};
        hash_root_init(&root, key);
        scan_run(&scan.job);
        assert_int_equal(scan_back(&scan, &root), 0);
        for (unsigned i = 0; i < scan.leaf_count; i++) {
            uint8_t leaf[PROTO_LEAF_SIZE];
            size_t start = leaves * BLOCK, n = size - start < BLOCK ? size - start : BLOCK;
            hash_leaf(key, leaves++, fresh + start, n, leaf);
            assert_memory_equal(leaf, scan.leaves[i], sizeof leaf);
        }
        while (scan_pop(&scan, &run)) {
            assert_int_equal(run.offset, at);
            at += run.len;
            if (run.kind == MATCH_SEND) {
                tally.sent += run.len;
                continue;
            }
            bool is_copy = run.kind == MATCH_COPY;
            assert_true(
                is_copy
                    ? plan_maker_allows_copy(&planner->maker, size, run.offset, run.from, run.len)
                    : plan_maker_allows_keep(&planner->maker, size, run.offset, run.len));
            assert_int_equal(whole_pread(is_copy ? planner->old.fd : planner->unfinished.fd, bytes,
                                         run.len, is_copy ? run.from : run.offset),
                             0);
            assert_memory_equal(bytes, fresh + run.offset, run.len);
            *(is_copy ? &tally.copied : &tally.kept) += run.len;
        }
    }
    assert_int_equal(at, scan.end);
    *scanned = scan.end;
    scan_clear(&scan);
    plan_clear(&plan);
    free(bytes);
    return tally;
}

static struct tally try(const struct folder *folder, const uint8_t *fresh, uint64_t size,
                        int unfinished, int old, uint64_t *scanned)
{
    struct planner planner;
    int fd = put(folder, "new", fresh, size);
    make_plan(&planner, unfinished, old, false, size);
    struct tally tally = scan_all(&planner, fd, fresh, size, scanned);
    planner_clear(&planner);
    (void)close(fd);
    return tally;
}

static void an_unfinished_file_is_gone_on_with(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = bytes_make(BYTES, 1);
    uint64_t scanned;
    int unfinished = put(folder, "part", data, 5 * BLOCK + 5);
    struct tally tally = try(folder, data, BYTES, unfinished, -1, &scanned);
    assert_int_equal(scanned, 5 * BLOCK); /* behind that nobody need look */
    assert_int_equal(tally.kept, 5 * BLOCK);
    assert_int_equal(tally.sent, 0);
    assert_int_equal(whole_pwrite(unfinished, (const uint8_t *)"x", 1, 2 * BLOCK + 9), 0);
    tally = try(folder, data, BYTES, unfinished, -1, &scanned);
    assert_int_equal(tally.kept, 4 * BLOCK);
    assert_int_equal(tally.sent, BLOCK);
    tally = try(folder, data, 3 * BLOCK + 1, unfinished, -1, &scanned); /* it has shrunk */
    assert_int_equal(tally.kept, 2 * BLOCK + 1);
    assert_int_equal(ftruncate(unfinished, BYTES),
                     0); /* the rest of it is a hole, as after a crash */
    tally = try(folder, data, BYTES, unfinished, -1, &scanned);
    assert_int_equal(tally.kept, 4 * BLOCK);
    assert_int_equal(scanned, BYTES);
    (void)close(unfinished);
    free(data);
}

static void an_old_file_and_an_unfinished_one_help_together(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = bytes_make(BYTES, 2), *before = bytes_make(BYTES, 2);
    uint64_t scanned;
    int old = put(folder, "old", before + 99, BYTES - 99);
    int unfinished = put(folder, "part", before, 2 * BLOCK);
    memcpy(data + 6 * BLOCK, "changed", 7);
    struct tally tally = try(folder, data, BYTES, unfinished, old, &scanned);
    assert_int_equal(tally.kept, 2 * BLOCK);
    assert_in_range(tally.sent, 7, 200000);
    assert_int_equal(tally.kept + tally.copied + tally.sent, BYTES);
    tally = try(folder, data, BYTES, -1, old, &scanned);
    assert_int_equal(tally.kept, 0);
    assert_in_range(tally.sent, 7, 300000);
    (void)close(old);
    (void)close(unfinished);
    free(before);
    free(data);
}

/* What was sent without a plan is not looked at again, and all that is behind it is found. */
static void a_scan_begins_behind_what_was_sent(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = bytes_make(BYTES, 5);
    uint64_t scanned;
    int part = put(folder, "part", data, 5 * BLOCK + 5), old = put(folder, "old", data, BYTES);
    ahead = 2 * BLOCK;
    struct tally tally = try(folder, data, BYTES, part, -1, &scanned);
    assert_int_equal(scanned, 5 * BLOCK);
    assert_int_equal(tally.kept, 3 * BLOCK);
    tally = try(folder, data, BYTES, -1, old, &scanned);
    assert_int_equal(tally.sent + tally.copied, BYTES - ahead);
    assert_true(tally.sent < 300000); /* until a cut is where one was */
    tally = try(folder, data, BYTES, part, old, &scanned);
    assert_int_equal(tally.kept, 3 * BLOCK);
    assert_true(tally.sent < 300000);
    ahead = 7 * BLOCK; /* further than what there was */
    tally = try(folder, data, BYTES, part, -1, &scanned);
    assert_int_equal(scanned, ahead);
    assert_int_equal(tally.kept + tally.sent, 0);
    ahead = 0;
    (void)close(part);
    (void)close(old);
    free(data);
}

/* Nothing there at all, or nothing that can be read: a plan all the same. */
static void what_cannot_be_read_is_not_told(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = bytes_make(BYTES, 3);
    uint64_t scanned;
    struct planner planner;
    struct planner_source none = {.fd = -1}, longer = {.size = BYTES};
    assert_int_equal(try(folder, data, BYTES, -1, -1, &scanned).sent, 0);
    assert_int_equal(scanned, 0);
    longer.fd =
        put(folder, "short", data, 3 * BLOCK + 9); /* it has lost bytes since it was looked at */
    assert_int_equal(planner_init(&planner, &longer, &none, false, BYTES, key), 0);
    while (!planner.is_done) {
        planner_run(&planner.job);
    }
    assert_int_equal(planner.job.error, 0);
    assert_int_equal(planner.maker.tags, 3);
    planner_clear(&planner);
    assert_int_equal(planner_init(&planner, &none, &longer, false, BYTES, key), 0);
    while (!planner.is_done) {
        planner_run(&planner.job);
    }
    assert_int_equal(planner.job.error, 0);
    assert_true(planner.maker.base_size <= 3 * BLOCK);
    planner_clear(&planner);
    (void)close(longer.fd);
    free(data);
}

static void a_file_that_shrinks_is_noticed(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = bytes_make(BYTES, 4);
    struct planner planner;
    struct plan plan;
    struct scan scan;
    int fd = put(folder, "new", data, BYTES);
    make_plan(&planner, fd, -1, false, BYTES);
    plan_init(&plan);
    assert_int_equal(plan_read(&plan, BYTES, planner.maker.bytes, planner.maker.len),
                     planner.maker.len);
    assert_int_equal(scan_init(&scan, &plan, fd, BYTES, key), 0);
    assert_int_equal(ftruncate(fd, 2 * BLOCK), 0);
    scan_run(&scan.job);
    assert_int_equal(scan.job.error, ESTALE);
    scan_clear(&scan);
    plan_clear(&plan);
    planner_clear(&planner);
    (void)close(fd);
    free(data);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(an_unfinished_file_is_gone_on_with, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(an_old_file_and_an_unfinished_one_help_together, folder_make,
                                    folder_remove),
    cmocka_unit_test_setup_teardown(a_scan_begins_behind_what_was_sent, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_told, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(a_file_that_shrinks_is_noticed, folder_make, folder_remove),
};

TERN_TEST_MAIN(tests)
