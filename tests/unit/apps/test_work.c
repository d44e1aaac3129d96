/* The hash tree, recomputed with other means, and jobs that come back.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/work.h"

#include <errno.h>
#include <sodium.h>

#include "unit/apps/folder.h"

#define BYTES (2 * WORK_BLOCK + 12345) /* three leaves, the last one short */

#define INDEX 7

static const uint8_t session_key[PROTO_KEY_SIZE] = "the same at both ends, 32 bytes";

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value /= 256;
    }
}

/* As docs/terncp-protocol.md has it, in one go over bytes laid out in memory. */
static void expected_root(const uint8_t *data, size_t len, uint8_t out[PROTO_HASH_SIZE])
{
    uint8_t number[8], file_key[PROTO_KEY_SIZE], key[crypto_onetimeauth_KEYBYTES];
    uint8_t leaves[8 + 16 * PROTO_LEAF_SIZE];
    size_t used = 8;
    put_u64(number, INDEX);
    (void)crypto_generichash(file_key, sizeof file_key, number, 8, session_key, sizeof session_key);
    put_u64(leaves, len);
    for (size_t at = 0, block = 0; at < len; at += WORK_BLOCK, block++) {
        size_t n = len - at < WORK_BLOCK ? len - at : WORK_BLOCK;
        put_u64(number, block);
        (void)crypto_generichash(key, sizeof key, number, 8, file_key, sizeof file_key);
        (void)crypto_onetimeauth(leaves + used, data + at, n, key);
        used += PROTO_LEAF_SIZE;
    }
    (void)crypto_generichash(out, PROTO_HASH_SIZE, leaves, used, file_key, sizeof file_key);
}

struct bench {
    struct ev_loop *loop;
    struct work *work;
    unsigned done;
};

static void on_done(struct work_job *job)
{
    struct bench *bench = job->owner;
    if (--bench->done == 0) {
        ev_break(bench->loop, EVBREAK_ALL);
    }
}

static void bench_open(struct bench *bench)
{
    bench->loop = ev_loop_new(0);
    assert_non_null(bench->loop);
    bench->work = work_new(bench->loop);
    assert_non_null(bench->work);
}

static void bench_close(struct bench *bench)
{
    work_free(bench->work);
    ev_loop_destroy(bench->loop);
}

/* Hands out blocks and waits for all. The loop must be kept alive, since the bell does not. */
static void run_jobs(struct bench *bench, struct work_job *jobs, unsigned count)
{
    bench->done = count;
    for (unsigned i = 0; i < count; i++) {
        jobs[i].done = on_done;
        jobs[i].owner = bench;
        work_submit(bench->work, &jobs[i]);
    }
    ev_ref(bench->loop);
    (void)ev_run(bench->loop, 0);
    ev_unref(bench->loop);
    assert_int_equal(bench->done, 0);
}

static void set_jobs(struct work_job jobs[3], int fd, uint8_t *data, bool is_write)
{
    struct work_root root;
    work_root_init(&root, session_key, INDEX, BYTES);
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct work_job){.is_write = is_write,
                                    .fd = fd,
                                    .offset = i * WORK_BLOCK,
                                    .len = i < 2 ? WORK_BLOCK : BYTES - 2 * WORK_BLOCK,
                                    .data = data + i * WORK_BLOCK};
        memcpy(jobs[i].key, root.key, sizeof root.key);
    }
}

static void root_of(const struct work_job jobs[3], uint8_t out[PROTO_HASH_SIZE])
{
    struct work_root root;
    work_root_init(&root, session_key, INDEX, BYTES);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(jobs[i].error, 0);
        work_root_add(&root, jobs[i].leaf);
    }
    work_root_final(&root, out);
}

static void roots_are_as_specified_on_both_sides(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = malloc(BYTES), *back = calloc(1, BYTES);
    uint8_t expected[PROTO_HASH_SIZE], written[PROTO_HASH_SIZE], read_back[PROTO_HASH_SIZE];
    struct work_job jobs[3];
    struct bench bench;
    assert_non_null(data);
    assert_non_null(back);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 31 + i / 977);
    }
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    bench_open(&bench);
    set_jobs(jobs, fd, data, true);
    run_jobs(&bench, jobs, 3);
    root_of(jobs, written);
    set_jobs(jobs, fd, back, false);
    run_jobs(&bench, jobs, 3);
    root_of(jobs, read_back);
    expected_root(data, BYTES, expected);
    assert_memory_equal(written, expected, sizeof expected);
    assert_memory_equal(read_back, expected, sizeof expected);
    assert_memory_equal(data, back, BYTES);
    bench_close(&bench);
    (void)close(fd);
    free(data);
    free(back);
}

static void an_empty_file_has_a_root(void **state)
{
    (void)state;
    struct work_root root;
    uint8_t out[PROTO_HASH_SIZE], expected[PROTO_HASH_SIZE];
    work_root_init(&root, session_key, INDEX, 0);
    work_root_final(&root, out);
    expected_root(NULL, 0, expected);
    assert_memory_equal(out, expected, sizeof out);
}

/* The same leaves in another order, under another size or index, are another file. */
static void order_and_size_count(void **state)
{
    (void)state;
    static const uint8_t a[PROTO_LEAF_SIZE] = {1}, b[PROTO_LEAF_SIZE] = {2};
    uint8_t out[4][PROTO_HASH_SIZE];
    for (unsigned i = 0; i < 4; i++) {
        struct work_root root;
        work_root_init(&root, session_key, i == 3 ? 1 : 0, i == 2 ? 11 : 10);
        work_root_add(&root, i == 1 ? b : a);
        work_root_add(&root, i == 1 ? a : b);
        work_root_final(&root, out[i]);
    }
    assert_memory_not_equal(out[0], out[1], PROTO_HASH_SIZE);
    assert_memory_not_equal(out[0], out[2], PROTO_HASH_SIZE);
    assert_memory_not_equal(out[0], out[3], PROTO_HASH_SIZE);
}

static void failures_come_back(void **state)
{
    struct folder *folder = *state;
    struct bench bench;
    uint8_t data[100] = {0};
    folder_write(folder, "short", "twenty bytes of text", 0600);
    int fd = openat(folder->fd, "short", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    bench_open(&bench);
    struct work_job jobs[3] = {
        {.fd = fd, .len = sizeof data, .data = data},                   /* shorter than told */
        {.fd = fd, .len = sizeof data, .data = data, .is_write = true}, /* not open for that */
        {.fd = -1, .len = sizeof data, .data = data},
    };
    run_jobs(&bench, jobs, 3);
    assert_int_equal(jobs[0].error, ESTALE);
    assert_int_equal(jobs[1].error, EBADF);
    assert_int_equal(jobs[2].error, EBADF);
    bench_close(&bench);
    (void)close(fd);
}

static void every_job_comes_back_before_the_end(void **state)
{
    struct folder *folder = *state;
    struct bench bench = {.done = 64};
    static struct work_job jobs[64];
    uint8_t *data = calloc(1, WORK_BLOCK);
    assert_non_null(data);
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    bench.loop = ev_loop_new(0);
    bench.work = work_new(bench.loop);
    assert_non_null(bench.work);
    for (unsigned i = 0; i < 64; i++) {
        jobs[i] = (struct work_job){.is_write = true,
                                    .fd = fd,
                                    .len = WORK_BLOCK,
                                    .data = data,
                                    .done = on_done,
                                    .owner = &bench};
        work_submit(bench.work, &jobs[i]);
    }
    bench_close(&bench);
    assert_int_equal(bench.done, 0);
    for (unsigned i = 0; i < 64; i++) {
        assert_true(jobs[i].error == 0 || jobs[i].error == ECANCELED);
    }
    (void)close(fd);
    free(data);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(roots_are_as_specified_on_both_sides, folder_make,
                                    folder_remove),
    cmocka_unit_test(an_empty_file_has_a_root),
    cmocka_unit_test(order_and_size_count),
    cmocka_unit_test_setup_teardown(failures_come_back, folder_make, folder_remove),
    cmocka_unit_test_setup_teardown(every_job_comes_back_before_the_end, folder_make,
                                    folder_remove),
};

TERN_TEST_MAIN(tests)
