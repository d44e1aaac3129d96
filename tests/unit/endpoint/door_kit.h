/* What the tests of the door share: one datagram at a time between a client and a server.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_TEST_DOOR_KIT_H
#define TERN_TEST_DOOR_KIT_H

#include "pair_kit.h"
#include "wire/header.h"

/* The next datagram that a side wants to send, into `out` (2000 bytes). Its length, 0: none. */
static inline size_t door_say(struct pair *pair, int from, uint8_t *out)
{
    static uint8_t train_data[65536];
    tern_train train = {.data = train_data, .capacity = sizeof train_data};
    if (tern_endpoint_transmit(pair->side[from].endpoint, &train, pair->now) <= 0) {
        return 0;
    }
    assert_true(train.segment <= 2000 && train.len == train.segment);
    memcpy(out, train.data, train.len);
    return train.len;
}

/* A copy of it arrives from some address. */
static inline void door_hear(struct pair *pair, int to, const tern_addr *from, const uint8_t *data,
                             size_t len)
{
    uint8_t copy[2000];
    assert_true(len <= sizeof copy);
    memcpy(copy, data, len);
    tern_datagram in = {.local = pair->side[to].addr, .remote = *from, .data = copy, .len = len};
    int rc = tern_endpoint_receive(pair->side[to].endpoint, &in, 1, pair->now);
    assert_true(rc == 0 || rc == TERN_ERR_NOMEM);
}

static inline struct tern_header door_header(const uint8_t *data, size_t len)
{
    struct tern_header header;
    assert_int_equal(tern_header_decode(&header, data, len, TERN_CID_SIZE), 0);
    return header;
}

static inline tern_addr door_addr(const char *text)
{
    tern_addr addr;
    assert_int_equal(tern_addr_parse(&addr, text), 0);
    return addr;
}

#endif
