/* A child of fork does not send, the parent goes on, and both can free what they have.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "udp_kit.h"

#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/mman.h>

static bool nods; /* the kernel, to any advice, and does nothing */

int __real_madvise(void *page, size_t size, int advice);
int __wrap_madvise(void *page, size_t size, int advice);

int __wrap_madvise(void *page, size_t size, int advice)
{
    return nods ? 0 : __real_madvise(page, size, advice);
}
#endif

static struct pair pair;

static int setup(void **state)
{
    (void)state;
    pair_open(&pair);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

/* What a child says of its try, as its exit status. */
static int in_child(int (*try)(void))
{
    pid_t child = fork();
    if (child == 0) {
        _exit(try() == 0 ? 42 : 1);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int refuses(void)
{
    return tern_udp_flush(pair.a) == TERN_ERR_STATE &&
                   tern_udp_service(pair.a, 0) == TERN_ERR_STATE && pair.a_end.taken == 0
               ? 0
               : -1;
}

static int begins_anew(void)
{
    pair_close(&pair);
    pair_open(&pair);
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    return tern_udp_flush(pair.a);
}

static void a_child_does_not_send(void **state)
{
    (void)state;
    assert_int_equal(in_child(refuses), 42);
    pair_carry(&pair, 1); /* the parent does */
}

static void without_the_kernels_help_neither(void **state)
{
    (void)state;
    tern_fork_guard_clear(&pair.a->fork_guard);
    assert_int_equal(in_child(refuses), 42);
    pair_carry(&pair, 1);
}

static void a_child_can_begin_anew(void **state)
{
    (void)state;
    assert_int_equal(in_child(begins_anew), 42);
    pair_carry(&pair, 1);
}

/* As under qemu's user mode. */
static void a_kernel_that_nods_is_not_believed(void **state)
{
    (void)state;
#if defined(__linux__)
    pair_close(&pair);
    nods = true;
    pair_open(&pair);
    nods = false;
    fake_send(&pair.a_end, &pair.b_addr, 1, 100, 100);
    assert_int_equal(in_child(refuses), 42);
    pair_carry(&pair, 1);
#else
    skip_because("the kernel is asked on Linux only");
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_child_does_not_send, setup, teardown),
    cmocka_unit_test_setup_teardown(without_the_kernels_help_neither, setup, teardown),
    cmocka_unit_test_setup_teardown(a_child_can_begin_anew, setup, teardown),
    cmocka_unit_test_setup_teardown(a_kernel_that_nods_is_not_believed, setup, teardown),
};

TERN_TEST_MAIN(tests)
