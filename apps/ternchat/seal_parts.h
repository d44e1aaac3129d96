/* What both sides of sealing share: the layouts of bodies, and the state.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SEAL_PARTS_H
#define TERNCHAT_SEAL_PARTS_H

#include <sodium.h>

#include "ternchat/box.h"
#include "ternchat/chain.h"
#include "ternchat/seal.h"

enum seal_form { SEAL_FORM_KEYS = 1, SEAL_FORM_ASK = 2, SEAL_FORM_WORD = 3 };

#define SEAL_ROOM 32 /* a hash of its name */
#define SEAL_PAD  32 /* lengths are multiples of it */
#define SEAL_TIME 8
/* form, program, epoch, index */
#define SEAL_WORD_FRONT 13
/* and the key of signatures, and the event's own */
#define SEAL_KEYS_FRONT (SEAL_WORD_FRONT + crypto_sign_PUBLICKEYBYTES + TERN_KEY_SIZE)
#define SEAL_HINT       8 /* of the key of whom a box is for */
#define SEAL_BOX        (SEAL_HINT + BOX_BYTES)
#define SEAL_NAME       14 /* of the two below */
#define SEAL_KEYS_NAME  "tern chat keys"
#define SEAL_WORD_NAME  "tern chat word"

/* What a word and its signature are bound to; what a box is. */
#define SEAL_WORD_ABOUT (SEAL_NAME + SEAL_ROOM + TERN_KEY_SIZE + 8 + 1 + SEAL_WORD_FRONT)
#define SEAL_KEYS_ABOUT (SEAL_NAME + SEAL_ROOM + 2 * TERN_KEY_SIZE + 8 + SEAL_KEYS_FRONT)

struct own_chain {
    uint32_t epoch;
    uint8_t verify[crypto_sign_PUBLICKEYBYTES], sign[crypto_sign_SECRETKEYBYTES];
    struct chain heard, next; /* from the first word that is on its way; for the next one */
    uint32_t first;
    uint8_t (*readers)[TERN_KEY_SIZE];
    size_t reader_count, reader_room;
};

struct their_chain {
    uint32_t epoch;
    uint8_t verify[crypto_sign_PUBLICKEYBYTES];
    struct chain chain;
};

struct skipped {
    uint32_t epoch, index;
    uint8_t key[CHAIN_KEY];
};

/* A program of somebody's. */
struct sender {
    struct sender *next; /* those that came last are first */
    uint8_t key[TERN_KEY_SIZE];
    uint32_t program, expected; /* expected: the index of the next word */
    struct their_chain chains[SEAL_EPOCHS];
    size_t chain_count; /* the last is the newest */
    struct skipped *skipped;
    size_t skipped_count;
};

struct seal {
    uint8_t room[SEAL_ROOM];
    uint8_t secret[TERN_KEY_SIZE], pub[TERN_KEY_SIZE];
    uint32_t program, epoch; /* epoch: of the newest chain */
    uint32_t said;           /* words, by all chains: their indices go on from one to the next */
    struct own_chain own[SEAL_CHAINS];
    size_t own_count;
    bool is_open; /* the newest may seal words */
    struct sender *senders;
    size_t sender_count;
};

void seal_put_number(uint8_t *at, uint64_t value, size_t size); /* big-endian */
uint64_t seal_number(const uint8_t *at, size_t size);

void seal_word_about(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                     uint8_t kind, const uint8_t *front, uint8_t about[SEAL_WORD_ABOUT]);
void seal_keys_about(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE],
                     const uint8_t to[TERN_KEY_SIZE], uint64_t id, const uint8_t *front,
                     uint8_t about[SEAL_KEYS_ABOUT]);
/* What is signed. */
void seal_digest(const uint8_t about[SEAL_WORD_ABOUT], const uint8_t *sealed, size_t len,
                 uint8_t out[64]);
void seal_drop_senders(struct seal *seal);

#endif
