/* How a run is repeated: its seed, its trace, and the command that asks for both.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TESTS_SIM_REPLAY_H
#define TERN_TESTS_SIM_REPLAY_H

#include <tern/tern.h>

/* The first seed and how many: TERN_SEED in the environment replays one. */
uint64_t replay_first_seed(void);
uint64_t replay_seed_count(uint64_t usual);

/* Tags of 16 bytes, as every machine has them: those of AEGIS, which ranks first on some, are of 32, and
 * every figure and every bar would be another. */
#define REPLAY_SUITES (TERN_SUITE_AES_256_GCM | TERN_SUITE_CHACHA20_POLY1305)

/* With TERN_TRACE in the environment every packet of this endpoint is printed. Is it there? */
bool replay_trace(tern_config *config);

/* Of each run, so that a test that fails on what came of it can tell which. */
void replay_note(const char *name, uint64_t seed);

/* Prints the seed of the last run and the command that replays it with a trace. `program` and `test`
 * are for runs that were not noted; test NULL: not known. */
void replay_print(const char *program, const char *test);

/* TERN_TEST_MAIN for tests of runs. */
#define REPLAY_TEST_MAIN(tests)                                                                    \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (argc > 1) {                                                                            \
            cmocka_set_test_filter(argv[1]);                                                       \
        }                                                                                          \
        int failed = cmocka_run_group_tests(tests, NULL, NULL);                                    \
        if (failed != 0) {                                                                         \
            replay_print(argv[0], argc > 1 ? argv[1] : NULL);                                      \
        }                                                                                          \
        return failed;                                                                             \
    }

#endif
