/* What every cmocka program starts with: the includes in the order that cmocka wants, and a main
 * that runs all tests or the one that is named.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_H
#define TERN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* How often to try what is tried very often: a tenth of it where each try is dearer, under a sanitizer or an emulator
 * (TERN_PATIENCE of the build). */
#if defined(TERN_SLOW_MACHINE)
#define TERN_TEST_TIMES(n) ((n) / 10)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define TERN_TEST_TIMES(n) ((n) / 10)
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TERN_TEST_TIMES(n) ((n) / 10)
#endif
#ifndef TERN_TEST_TIMES
#define TERN_TEST_TIMES(n) (n)
#endif

/* Ends a test that cannot be done here. ctest tells it from those that passed. */
#define skip_because(why)                                                                          \
    do {                                                                                           \
        print_message("skipped: %s\n", why);                                                       \
        skip();                                                                                    \
    } while (0)

/* Use at the end of a test file: TERN_TEST_MAIN(tests) with `tests` an array of CMUnitTest whose
 * entries stand one a line, so that the build finds their names. */
#define TERN_TEST_MAIN(tests)                                                                      \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (argc > 1) {                                                                            \
            cmocka_set_test_filter(argv[1]);                                                       \
        }                                                                                          \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
