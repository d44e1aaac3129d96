/* One packet number space: keys, what arrived, what was sent, and its CRYPTO stream.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_CONN_SPACE_H
#define TERN_CONN_SPACE_H

#include "conn/cryptoflow.h"
#include "conn/keyphase.h"
#include "recovery/acks.h"
#include "recovery/loss.h"

/* The levels of the handshake, each with a number space of its own. */
enum tern_level { TERN_LEVEL_INITIAL, TERN_LEVEL_HANDSHAKE, TERN_LEVEL_APP, TERN_LEVELS };

/* Without `crypto`, at the end, it is what every packet wants: conn/conn.h says why that matters. */
struct tern_space {
    alignas(8) struct tern_mem
        *mem; /* whole words, for rest.c, also where 64 bits are aligned to 4 octets */
    struct tern_key_phase *keys; /* NULL: none yet, or discarded */
    bool is_discarded, has_opened;
    unsigned probes;         /* PTO probes owed */
    uint64_t largest_opened; /* highest packet number that opened; for decoding the next */
    uint64_t skip_at;        /* our next number to leave out, [P §9.2] */
    struct tern_acks acks;
    struct tern_loss loss;
    struct tern_crypto_flow crypto;
};

void tern_space_init(struct tern_space *space, struct tern_mem *mem, tern_time max_ack_delay);
void tern_space_clear(struct tern_space *space);

/* 0 · TERN_ERR_NOMEM */
TERN_MUST_CHECK int tern_space_install(struct tern_space *space, unsigned suite,
                                       const uint8_t tx_secret[32], const uint8_t rx_secret[32]);
/* The same with keys to open that are made already. */
TERN_MUST_CHECK int tern_space_install_opened(struct tern_space *space, const uint8_t tx_secret[32],
                                              const struct tern_packet_keys *rx);
/* Forgets keys and packets; returns the bytes that leave flight (RFC 9002 §6.4). */
uint64_t tern_space_discard(struct tern_space *space);
/* As good as new, but that its packet numbers go on: for a client after a Retry. Returns the same. */
uint64_t tern_space_restart(struct tern_space *space);

static inline bool tern_space_is_live(const struct tern_space *space)
{
    return space->keys != NULL;
}

#endif
