/* Both keys come out of the same one by BLAKE2b, under names of their own (docs/ternchat-protocol.md
 * section 11).
 * SPDX-License-Identifier: MIT */
#include "ternchat/chain.h"

#include <sodium.h>
#include <string.h>

static void derive(const uint8_t key[CHAIN_KEY], const char *name, uint8_t out[CHAIN_KEY])
{
    (void)crypto_generichash(out, CHAIN_KEY, (const uint8_t *)name, strlen(name), key, CHAIN_KEY);
}

void chain_step(struct chain *chain, uint8_t word_key[CHAIN_KEY])
{
    uint8_t next[CHAIN_KEY];
    derive(chain->key, "tern chat word", word_key);
    derive(chain->key, "tern chat next", next);
    memcpy(chain->key, next, sizeof next);
    chain->index++;
    sodium_memzero(next, sizeof next);
}
