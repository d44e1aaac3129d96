/* Tickets: what a server wants to remember of a client, sealed, and kept by the client. [P §4.8]
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CRYPTO_TICKET_H
#define TERN_CRYPTO_TICKET_H

#include "base/random.h"

/* Also that of a key, which outlives it by one more. */
#define TERN_TICKET_LIFE        (24 * 3600 * TERN_SEC)
#define TERN_TICKET_LIMITS      6
#define TERN_TICKET_SECRET_SIZE 32
#define TERN_TICKET_NONCE_SIZE  24
#define TERN_TICKET_PLAIN_SIZE  (8 + 8 + 8 + 2 + 32 + 32 + 8 * TERN_TICKET_LIMITS)
#define TERN_TICKET_SIZE        (1 + TERN_TICKET_NONCE_SIZE + TERN_TICKET_PLAIN_SIZE + 16)
#define TERN_TICKET_BINDER_SIZE 16

struct tern_ticket {
    uint64_t id;         /* random, for the strike register */
    tern_time issued_at; /* on the server's clock */
    tern_time proved_at; /* ... when the client has last shown its key, in a whole handshake */
    uint16_t suite;
    uint8_t secret[TERN_TICKET_SECRET_SIZE];
    uint8_t client_key[TERN_KEY_SIZE];
    uint64_t limits[TERN_TICKET_LIMITS]; /* that the client may use up early */
};

/* The server's keys: of this day and of the last one. They never leave memory, so that a server that
 * has started anew refuses all tickets of before. */
struct tern_ticket_keys {
    uint8_t keys[2][TERN_TICKET_SECRET_SIZE];
    uint8_t generation; /* of the present key: keys[generation % 2] */
    bool has_previous;
    tern_time since;
};

void tern_ticket_keys_init(struct tern_ticket_keys *keys, struct tern_random *random,
                           tern_time now);
void tern_ticket_keys_clear(struct tern_ticket_keys *keys);

void tern_ticket_seal(struct tern_ticket_keys *keys, const struct tern_ticket *ticket,
                      struct tern_random *random, uint8_t out[TERN_TICKET_SIZE], tern_time now);

/* 0 · TERN_ERR_CRYPTO (not one of ours, altered, or of a key that is gone) */
TERN_MUST_CHECK int tern_ticket_open(struct tern_ticket_keys *keys, struct tern_ticket *out,
                                     const uint8_t *sealed, size_t len, struct tern_random *random,
                                     tern_time now);

/* Shows in message 1 that its sender knows the ticket's secret, and not just the ticket. */
void tern_ticket_binder(uint8_t out[TERN_TICKET_BINDER_SIZE],
                        const uint8_t secret[TERN_TICKET_SECRET_SIZE],
                        const uint8_t ephemeral[TERN_KEY_SIZE], uint64_t age);

#endif
