/* The two connections that all tests of a program are about, over conn_kit.h: new for each of them.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_ONE_CK_H
#define TERN_TEST_ONE_CK_H

#include "conn_kit.h"

static struct ck k;
static struct tern_conn *client, *server; /* once they are ready */

static inline void one_ready(void)
{
    ck_ready(&k);
    client = k.side[CK_CLIENT].conn;
    server = k.side[CK_SERVER].conn;
}

static inline int one_setup(void **state)
{
    (void)state;
    ck_init(&k);
    return 0;
}

static inline int one_setup_ready(void **state)
{
    (void)state;
    ck_init(&k);
    one_ready();
    return 0;
}

static inline int one_teardown(void **state)
{
    (void)state;
    return ck_clear(&k);
}

#endif
