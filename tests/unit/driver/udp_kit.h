/* Two drivers on loopback, with an endpoint each that is none, for the tests of this folder.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_UDP_KIT_H
#define TERN_UDP_KIT_H

#include "tern_test.h"

#include <string.h>

#include "driver/udp.h"
#include "fake_endpoint.h"

struct pair {
    tern_endpoint a_end, b_end;
    tern_udp *a, *b;
    tern_addr a_addr, b_addr; /* as the other side reaches them */
};

static inline tern_addr addr_of(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

static inline void pair_open_at(struct pair *pair, const char *a, const char *b)
{
    memset(pair, 0, sizeof *pair);
    pair->a_end.deadline = pair->b_end.deadline = TERN_TIME_NEVER;
    pair->a_addr = addr_of(a);
    pair->b_addr = addr_of(b);
    assert_int_equal(tern_udp_open(&pair->a, &pair->a_end, &pair->a_addr), 0);
    assert_int_equal(tern_udp_open(&pair->b, &pair->b_end, &pair->b_addr), 0);
    pair->a_addr = tern_udp_local(pair->a);
    pair->b_addr = tern_udp_local(pair->b);
    assert_true(pair->a_addr.port != 0 && pair->b_addr.port != 0);
}

static inline void pair_open(struct pair *pair)
{
    pair_open_at(pair, "127.0.0.1:0", "127.0.0.1:0");
}

static inline void pair_close(struct pair *pair)
{
    tern_udp_close(pair->a);
    tern_udp_close(pair->b);
}

/* Sends what a has queued and receives at b until `datagrams` are there. */
static inline void pair_carry(struct pair *pair, uint32_t datagrams)
{
    assert_int_equal(tern_udp_flush(pair->a), 0);
    assert_false(tern_udp_wants_write(pair->a));
    for (int i = 0; i < 100 && pair->b_end.received + pair->b_end.bad < datagrams; i++) {
        assert_int_equal(tern_udp_service(pair->b, 100 * TERN_MSEC), 0);
    }
    assert_int_equal(pair->b_end.received, datagrams);
    assert_int_equal(pair->b_end.bad, 0);
    assert_int_equal(pair->b_end.out_of_order, 0);
}

static inline tern_udp_counters stats_of(const tern_udp *udp)
{
    tern_udp_counters counters = {.size = sizeof counters};
    tern_udp_stats(udp, &counters);
    return counters;
}

#endif
