/* Static key pairs: the public functions of tern/config.h that make them, write them as text and read that.
 * SPDX-License-Identifier: MIT */
#include <tern/config.h>

#include <sodium.h>
#include <string.h>

#include "base/def.h"

#define KEY_PREFIX     "tern:"
#define KEY_PREFIX_LEN 5
#define KEY_DIGITS     52 /* 256 bits in groups of five, the last one padded with zeros */

_Static_assert(KEY_PREFIX_LEN + KEY_DIGITS < TERN_KEY_TEXT_SIZE, "room for a key as text");
_Static_assert(crypto_scalarmult_BYTES == TERN_KEY_SIZE, "X25519 keys");
_Static_assert(crypto_scalarmult_SCALARBYTES == TERN_KEY_SIZE, "X25519 keys");

void tern_key_generate(uint8_t secret[TERN_KEY_SIZE], uint8_t pub[TERN_KEY_SIZE])
{
    int rc = sodium_init();
    tern_assert(rc >= 0);
    (void)rc;
    randombytes_buf(secret, TERN_KEY_SIZE);
    tern_key_public(pub, secret);
}

void tern_key_public(uint8_t pub[TERN_KEY_SIZE], const uint8_t secret[TERN_KEY_SIZE])
{
    (void)crypto_scalarmult_base(pub, secret);
}

static const char key_digits[] =
    "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 §6, in lower case */

/* What is cut is not written. */
static size_t put_char(char *buf, size_t size, size_t at, char c)
{
    if (at + 1 < size) {
        buf[at] = c;
    }
    return at + 1;
}

const char *tern_key_format(const uint8_t key[TERN_KEY_SIZE], char *buf, size_t size)
{
    unsigned bits = 0, value = 0;
    size_t used = 0;
    for (const char *c = KEY_PREFIX; *c != 0; c++) {
        used = put_char(buf, size, used, *c);
    }
    for (size_t i = 0; i < TERN_KEY_SIZE; i++) {
        value = (value << 8 | key[i]) & 0xfff;
        bits += 8;
        for (; bits >= 5; bits -= 5) {
            used = put_char(buf, size, used, key_digits[value >> (bits - 5) & 31]);
        }
    }
    used = put_char(buf, size, used, key_digits[value << (5 - bits) & 31]);
    if (size > 0) {
        buf[TERN_MIN(used, size - 1)] = 0;
    }
    return buf;
}

int tern_key_parse(uint8_t out[TERN_KEY_SIZE], const char *text)
{
    uint8_t key[TERN_KEY_SIZE];
    unsigned bits = 0, value = 0;
    size_t used = 0;
    if (strncmp(text, KEY_PREFIX, KEY_PREFIX_LEN) != 0 ||
        strspn(text + KEY_PREFIX_LEN, key_digits) != KEY_DIGITS ||
        text[KEY_PREFIX_LEN + KEY_DIGITS] != 0) {
        return TERN_ERR_INVALID;
    }
    for (const char *digit = text + KEY_PREFIX_LEN; *digit != 0; digit++) {
        value = (value << 5 | (unsigned)(strchr(key_digits, *digit) - key_digits)) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            key[used++] = (uint8_t)(value >> bits);
        }
    }
    /* Else it is another text of the same key, which has one alone. */
    bool is_exact = (value & ((1u << bits) - 1)) == 0;
    if (is_exact) {
        memcpy(out, key, sizeof key);
    }
    sodium_memzero(key, sizeof key);
    return is_exact ? 0 : TERN_ERR_INVALID;
}
