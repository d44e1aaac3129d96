/* A chain of message keys: each word has a key of its own, and from none of them an earlier one can be
 * found.
 * SPDX-License-Identifier: MIT */
#ifndef TERNCHAT_CHAIN_H
#define TERNCHAT_CHAIN_H

#include <stdint.h>

#define CHAIN_KEY 32

struct chain {
    uint8_t key[CHAIN_KEY];
    uint32_t index; /* of the word whose key comes next */
};

/* Gives the key of word `index` and goes on to the next one. */
void chain_step(struct chain *chain, uint8_t word_key[CHAIN_KEY]);

#endif
