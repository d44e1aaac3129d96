/* What a member seals for the other members of a room, and opens of theirs, so that the server cannot.
 * docs/ternchat-protocol.md section 11 is the specification.
 *
 * Each program of a member has chains of its own for each room. Whoever is to read is given the chain's
 * present key and the key that its signatures are checked by, in a box of their own (KEYS). A word's key is
 * forgotten once the word was opened; those of words that were passed over are kept for a while.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_SEAL_H
#define TERNCHAT_SEAL_H

#include "ternchat/proto.h"

#define SEAL_MORE     (CHAT_BODY_MAX - CHAT_WORDS_MAX) /* bytes that sealing adds at most */
#define SEAL_CHAINS   8    /* of our own, with words that are still on their way */
#define SEAL_EPOCHS   3    /* chains that are kept of each program of the others */
#define SEAL_SENDERS  2048 /* programs of others that a room remembers */
#define SEAL_PROGRAMS 32   /* of one of them */
#define SEAL_SKIPPED  64   /* keys of words that were passed over, of each program */
#define SEAL_JUMP     1024 /* words that may be passed over at once: no chain is longer */
#define SEAL_DUMP     4096 /* bytes that one sender takes in the memory, at most */

struct seal;

enum seal_result {
    SEAL_DONE,
    SEAL_NO_KEY, /* a chain that we have not been told of, or keys in which there is no box for us */
    SEAL_REPEAT, /* it was here before */
    SEAL_FALSE   /* not theirs, or not for this room */
};

/* The room's name, and our own static key. NULL: no memory. */
struct seal *seal_new(const char *room, const uint8_t secret[TERN_KEY_SIZE]);
void seal_free(struct seal *seal);

/* --- our words ---------------------------------------------------------------------------------------- */

void seal_begin(struct seal *seal); /* a new chain, which nobody can read yet */
void seal_end(struct seal *seal);   /* the next words need a new one: somebody is not to read on */
bool seal_has_chain(const struct seal *seal);
uint32_t seal_words(const struct seal *seal); /* that the present chain has sealed */

/* Those who were given the present chain. */
bool seal_is_reader(const struct seal *seal, const uint8_t key[TERN_KEY_SIZE]);
void seal_forget_reader(struct seal *seal,
                        const uint8_t key[TERN_KEY_SIZE]); /* give it to them again */
/* Is there a reader whom is_there denies? */
bool seal_has_other(const struct seal *seal,
                    bool (*is_there)(void *user, const uint8_t key[TERN_KEY_SIZE]), void *user);

/* Chains with words on their way, and the present one; the last is the newest. */
size_t seal_chains(const struct seal *seal);
bool seal_is_on_its_way(const struct seal *seal, size_t chain);
/* KEYS: gives the chain, from the first word on that is on its way, to those whose keys stand one behind
 * the other in `to`. They are readers of it now. Its length; 0: no memory, or it does not fit. */
size_t seal_keys(struct seal *seal, size_t chain, uint64_t id, const uint8_t *to, size_t count,
                 uint8_t *out, size_t size);
size_t seal_ask(uint8_t *out, size_t size); /* KEYS: give me yours */

/* A word, by the present chain. time: ours, ms since 1970. 0: no chain, or it does not fit. */
size_t seal_body(struct seal *seal, uint64_t id, enum chat_kind kind, uint64_t time,
                 struct chat_slice words, uint8_t *out, size_t size);
/* The server has put it in its place: who comes now is not given its key. */
void seal_on_heard(struct seal *seal, struct chat_slice body);

/* --- those of others ---------------------------------------------------------------------------------- */

bool seal_is_ask(struct chat_slice body);
enum seal_result seal_take_keys(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                                struct chat_slice body);

struct seal_opened {
    uint64_t time;   /* by its writer's clock */
    uint32_t missed; /* words of this program that should have come before it */
    bool is_late;    /* it was such a one */
    size_t len;
};

/* The words are written to `out`, which must be as long as the body. */
enum seal_result seal_open(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint64_t id,
                           enum chat_kind kind, struct chat_slice body, uint8_t *out,
                           struct seal_opened *opened);

/* --- for the memory ----------------------------------------------------------------------------------- */

/* Which program of its sender's a word or KEYS is of; 0: neither. */
uint32_t seal_program(struct chat_slice body);
/* All that is known of that sender; the length. 0: nothing. */
size_t seal_dump(const struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint32_t program,
                 uint8_t out[SEAL_DUMP]);
bool seal_load(struct seal *seal, const uint8_t from[TERN_KEY_SIZE], uint32_t program,
               struct chat_slice dump);

#endif
