/* Finding a sender in the same network by the number of its code: questions by multicast and broadcast,
 * answers to who has asked. Nothing in them is secret, and nothing is believed: who answers wrongly is
 * found out by the code.
 *
 * A question is 32 bytes: "ternfind" | nonce[8] | slot u32 | 12 zeros. An answer has as many: "ternhere" |
 * nonce[8] | slot u32 | port u16 | 2 zeros | name of the sender[8], which is random and tells apart two
 * senders from two addresses of one.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCP_DISCOVER_H
#define TERNCP_DISCOVER_H

#include <ev.h>
#include <stdbool.h>
#include <tern/types.h>

#define DISCOVER_PORT 7438
#define DISCOVER_SIZE 32

/* --- the sender's side --- */

struct discover {
    struct ev_loop *loop;
    struct ev_io v4, v6; /* fd -1: not had */
    struct ev_timer again;
    uint32_t slot;
    uint16_t port;
    uint8_t name[8];
    unsigned answers; /* since the timer ran */
};

/* Answers those who look for this slot with this port. What the machine does not offer is done without:
 * false when nobody can ask. */
bool discover_start(struct discover *discover, struct ev_loop *loop, uint32_t slot, uint16_t port);
void discover_stop(struct discover *discover);

/* --- the receiver's side --- */

enum discover_result {
    DISCOVER_FOUND,
    DISCOVER_NONE,
    DISCOVER_SEVERAL, /* different senders have answered */
    DISCOVER_INTERRUPTED
};

/* Looks for a sender; asks `host` alone if it is not NULL. Blocks. */
enum discover_result discover_find(uint32_t slot, const tern_addr *host, int family,
                                   tern_time timeout, tern_addr *found);

/* The number at the front of a code; false: it has none. */
bool discover_slot(const char *code, uint32_t *slot);

/* Both messages. The parse calls are for bytes from anybody. */
void discover_question(uint8_t out[DISCOVER_SIZE], const uint8_t nonce[8], uint32_t slot);
bool discover_is_question(const uint8_t *data, size_t len, uint32_t *slot);
void discover_answer(uint8_t out[DISCOVER_SIZE], const uint8_t question[DISCOVER_SIZE],
                     uint16_t port, const uint8_t name[8]);
bool discover_is_answer(const uint8_t *data, size_t len, const uint8_t nonce[8], uint32_t slot,
                        uint16_t *port, uint8_t name[8]);

#endif
