/* Bytes written as hexadecimal in tests, and the comparison that goes with them.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CRYPTO_HEX_H
#define TESTS_UNIT_CRYPTO_HEX_H

#include <string.h>

#include <sodium.h>

#include "tern_test.h"

/* Returns the number of bytes; fails the test when the text is no hexadecimal or too long. */
static inline size_t hex_read(uint8_t *out, size_t capacity, const char *text)
{
    size_t len = 0;
    assert_int_equal(sodium_hex2bin(out, capacity, text, strlen(text), NULL, &len, NULL), 0);
    return len;
}

static inline void assert_hex_equal(const uint8_t *bytes, size_t len, const char *text)
{
    uint8_t wanted[1024];
    assert_int_equal(hex_read(wanted, sizeof wanted, text), len);
    assert_memory_equal(bytes, wanted, len);
}

#endif
