/* The hash tree, recomputed with other means, and jobs that come back.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "terncp/work_block.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <unistd.h>

#include "terncp/hash.h"
#include "unit/apps/folder.h"

#define BYTES (2 * PROTO_BLOCK + 12345) /* three leaves, the last one short */

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
    uint8_t leaves[16 * PROTO_LEAF_SIZE + 8];
    size_t used = 0;
    put_u64(number, INDEX);
    (void)crypto_generichash(file_key, sizeof file_key, number, 8, session_key, sizeof session_key);
    for (size_t at = 0, block = 0; at < len; at += PROTO_BLOCK, block++) {
        size_t n = len - at < PROTO_BLOCK ? len - at : PROTO_BLOCK;
        put_u64(number, block);
        (void)crypto_generichash(key, sizeof key, number, 8, file_key, sizeof file_key);
        (void)crypto_onetimeauth(leaves + used, data + at, n, key);
        used += PROTO_LEAF_SIZE;
    }
    put_u64(leaves + used, len);
    used += 8;
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
static void run_blocks(struct bench *bench, struct work_block *blocks, unsigned count)
{
    bench->done = count;
    for (unsigned i = 0; i < count; i++) {
        blocks[i].job.done = on_done;
        blocks[i].job.owner = bench;
        work_submit(bench->work, &blocks[i].job);
    }
    ev_ref(bench->loop);
    (void)ev_run(bench->loop, 0);
    ev_unref(bench->loop);
    assert_int_equal(bench->done, 0);
}

static void set_blocks(struct work_block blocks[3], int fd, uint8_t *data, bool is_write)
{
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = (struct work_block){.job = {.run = is_write ? work_write : work_read},
                                        .fd = fd,
                                        .offset = i * PROTO_BLOCK,
                                        .len = i < 2 ? PROTO_BLOCK : BYTES - 2 * PROTO_BLOCK,
                                        .data = data + i * PROTO_BLOCK};
        hash_file_key(session_key, INDEX, blocks[i].key);
    }
}

static void root_of(const struct work_block blocks[3], uint8_t out[PROTO_HASH_SIZE])
{
    struct hash_root root;
    hash_root_init(&root, blocks[0].key);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(blocks[i].job.error, 0);
        hash_root_add(&root, blocks[i].leaf);
    }
    hash_root_final(&root, BYTES, out);
}

static void roots_are_as_specified_on_both_sides(void **state)
{
    struct folder *folder = *state;
    uint8_t *data = malloc(BYTES), *back = calloc(1, BYTES);
    uint8_t expected[PROTO_HASH_SIZE], written[PROTO_HASH_SIZE], read_back[PROTO_HASH_SIZE];
    uint8_t in_one[PROTO_HASH_SIZE];
    struct work_block blocks[3];
    struct bench bench;
    assert_non_null(data);
    assert_non_null(back);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 31 + i / 977);
    }
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    bench_open(&bench);
    set_blocks(blocks, fd, data, true);
    run_blocks(&bench, blocks, 3);
    root_of(blocks, written);
    set_blocks(blocks, fd, back, false);
    run_blocks(&bench, blocks, 3);
    root_of(blocks, read_back);
    expected_root(data, BYTES, expected);
    hash_whole(session_key, INDEX, data, BYTES, in_one);
    assert_memory_equal(in_one, expected, sizeof expected);
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
    uint8_t out[PROTO_HASH_SIZE], expected[PROTO_HASH_SIZE];
    hash_whole(session_key, INDEX, NULL, 0, out);
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
        struct hash_root root;
        uint8_t key[PROTO_KEY_SIZE];
        hash_file_key(session_key, i == 3 ? 1 : 0, key);
        hash_root_init(&root, key);
        hash_root_add(&root, i == 1 ? b : a);
        hash_root_add(&root, i == 1 ? a : b);
        hash_root_final(&root, i == 2 ? 11 : 10, out[i]);
    }
    assert_memory_not_equal(out[0], out[1], PROTO_HASH_SIZE);
    assert_memory_not_equal(out[0], out[2], PROTO_HASH_SIZE);
    assert_memory_not_equal(out[0], out[3], PROTO_HASH_SIZE);
}

/* So that a hole costs nothing: but its length counts, and a single bit in it. */
static void zeros_have_a_leaf_of_zeros(void **state)
{
    (void)state;
    static const uint8_t zeros[PROTO_LEAF_SIZE];
    uint8_t data[1000] = {0}, key[PROTO_KEY_SIZE], leaf[PROTO_LEAF_SIZE];
    hash_file_key(session_key, INDEX, key);
    for (size_t len = 1; len <= sizeof data; len++) {
        hash_leaf(key, 3, data, len, leaf);
        assert_memory_equal(leaf, zeros, sizeof zeros);
    }
    data[sizeof data - 1] = 1;
    hash_leaf(key, 3, data, sizeof data, leaf);
    assert_memory_not_equal(leaf, zeros, sizeof zeros);
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
    struct work_block blocks[3] = {
        {.job.run = work_read, .fd = fd, .len = sizeof data, .data = data},  /* shorter than told */
        {.job.run = work_write, .fd = fd, .len = sizeof data, .data = data}, /* not open for that */
        {.job.run = work_read, .fd = -1, .len = sizeof data, .data = data},
    };
    run_blocks(&bench, blocks, 3);
    assert_int_equal(blocks[0].job.error, ESTALE);
    assert_int_equal(blocks[1].job.error, EBADF);
    assert_int_equal(blocks[2].job.error, EBADF);
    bench_close(&bench);
    (void)close(fd);
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void wait_for_test(struct work_job *job)
{
    (void)job;
    (void)pthread_mutex_lock(&held);
    (void)pthread_mutex_unlock(&held);
}

static void run_at_once(struct work_job *job)
{
    (void)job;
}

/* However many of them there are: a peer may ask for them. */
static void others_do_not_wait_behind_long_jobs(void **state)
{
    struct bench bench = {.done = 1};
    struct work_job jobs[8], quick = {.run = run_at_once, .done = on_done, .owner = &bench};
    (void)state;
    (void)alarm(30);
    (void)pthread_mutex_lock(&held);
    bench_open(&bench);
    for (unsigned i = 0; i < 8; i++) {
        jobs[i] = (struct work_job){
            .run = wait_for_test, .done = on_done, .owner = &bench, .is_long = true};
        work_submit(bench.work, &jobs[i]);
    }
    work_submit(bench.work, &quick);
    ev_ref(bench.loop);
    (void)ev_run(bench.loop, 0);
    assert_int_equal(bench.done, 0);
    bench.done = 8;
    (void)pthread_mutex_unlock(&held);
    (void)ev_run(bench.loop, 0);
    assert_int_equal(bench.done, 0);
    ev_unref(bench.loop);
    work_free(bench.work);
    ev_loop_destroy(bench.loop);
    (void)alarm(0);
}

static void every_job_comes_back_before_the_end(void **state)
{
    struct folder *folder = *state;
    struct bench bench = {.done = 64};
    static struct work_block blocks[64];
    uint8_t *data = calloc(1, PROTO_BLOCK);
    assert_non_null(data);
    int fd = openat(folder->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    bench.loop = ev_loop_new(0);
    bench.work = work_new(bench.loop);
    assert_non_null(bench.work);
    for (unsigned i = 0; i < 64; i++) {
        blocks[i] =
            (struct work_block){.job = {.run = work_write, .done = on_done, .owner = &bench},
                                .fd = fd,
                                .len = PROTO_BLOCK,
                                .data = data};
        work_submit(bench.work, &blocks[i].job);
    }
    bench_close(&bench);
    assert_int_equal(bench.done, 0);
    for (unsigned i = 0; i < 64; i++) {
        assert_true(blocks[i].job.error == 0 || blocks[i].job.error == ECANCELED);
    }
    (void)close(fd);
    free(data);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(roots_are_as_specified_on_both_sides, folder_make,
                                    folder_remove),
    cmocka_unit_test(an_empty_file_has_a_root),
    cmocka_unit_test(order_and_size_count),
    cmocka_unit_test(zeros_have_a_leaf_of_zeros),
    cmocka_unit_test_setup_teardown(failures_come_back, folder_make, folder_remove),
    cmocka_unit_test(others_do_not_wait_behind_long_jobs),
    cmocka_unit_test_setup_teardown(every_job_comes_back_before_the_end, folder_make,
                                    folder_remove),
};

TERN_TEST_MAIN(tests)
