/* The pair that all tests of a program are about, over pair_kit.h: new for each of them.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_ONE_PAIR_H
#define TERN_TEST_ONE_PAIR_H

#include "pair_kit.h"

static struct pair the_pair;
static struct pair *const p = &the_pair;
static struct pair_side *const client = &the_pair.side[PAIR_CLIENT];
static struct pair_side *const server = &the_pair.side[PAIR_SERVER];

static inline int pair_setup(void **state)
{
    (void)state;
    pair_init(p);
    return 0;
}

static inline int pair_teardown(void **state)
{
    (void)state;
    pair_close(p);
    return 0;
}

#endif
