/* Sixteen bits a word: consonants and vowels take turns, so that each can be spoken and none is mistaken
 * for a shorter one.
 *
 * Who would come between two people needs a pair of keys, one to show to each, for which the words come out
 * alike. They may choose both, so 128 bits give 64 bits of work, and the rounds 14 more.
 * SPDX-License-Identifier: MIT */
#include "ternchat/words.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define WORDS_NAME     "tern chat words"
#define WORDS_NAME_LEN (sizeof WORDS_NAME - 1)
#define WORDS_ROUNDS   16384
#define WORDS_HASH     32

static void hash_keys(const uint8_t *lesser, const uint8_t *greater, uint8_t hash[WORDS_HASH])
{
    uint8_t in[WORDS_NAME_LEN + WORDS_HASH + 2 * TERN_KEY_SIZE];
    memset(hash, 0, WORDS_HASH);
    memcpy(in, WORDS_NAME, WORDS_NAME_LEN);
    memcpy(in + sizeof in - 2 * TERN_KEY_SIZE, lesser, TERN_KEY_SIZE);
    memcpy(in + sizeof in - TERN_KEY_SIZE, greater, TERN_KEY_SIZE);
    for (unsigned i = 0; i < WORDS_ROUNDS; i++) {
        memcpy(in + WORDS_NAME_LEN, hash, WORDS_HASH);
        (void)crypto_generichash(hash, WORDS_HASH, in, sizeof in, NULL, 0);
    }
}

static char *put_word(char *at, unsigned bits)
{
    static const char consonants[] = "bdfghjklmnprstvz", vowels[] = "aiou";
    *at++ = consonants[bits >> 12 & 15];
    *at++ = vowels[bits >> 10 & 3];
    *at++ = consonants[bits >> 6 & 15];
    *at++ = vowels[bits >> 4 & 3];
    *at++ = consonants[bits & 15];
    return at;
}

void words_of(const uint8_t one[TERN_KEY_SIZE], const uint8_t other[TERN_KEY_SIZE],
              char text[WORDS_SIZE])
{
    uint8_t hash[WORDS_HASH];
    bool is_first = memcmp(one, other, TERN_KEY_SIZE) <= 0;
    hash_keys(is_first ? one : other, is_first ? other : one, hash);
    for (size_t i = 0; i < WORDS_COUNT; i++) {
        text = put_word(text, (unsigned)hash[2 * i] << 8 | hash[2 * i + 1]);
        *text++ = i + 1 < WORDS_COUNT ? ' ' : '\0';
    }
}
